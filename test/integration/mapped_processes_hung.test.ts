/**
 * Producers that hang: readers are told, the supervisor ends the process and another takes its place; without a supervisor
 * the next collector of the name does. A producer that lives is never ended.
 * Bad case: a machine so slow that a living producer is silent for two seconds; it would be ended, and start again.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { isProcessAlive } from "../../src/mapping/mod.ts";
import type { SegmentReader } from "../../src/reader/mod.ts";
import { atEnd, PATIENCE, type Program, Scene } from "./mapped_rig.ts";

/** Several times the silence after which readers look at the process. */
const SILENCE_MS = 1000;

/** Every outcome as `kind` (a silent segment may be superseded next: stale once), and who wrote the segment first. */
function watch(reader: SegmentReader): { kinds: string[]; pid: () => number } {
  const kinds: string[] = [];
  let pid = 0;
  reader.on(
    {
      outcome: (event) => {
        if (kinds.at(-1) !== event.kind) {
          kinds.push(event.kind);
        }
        pid = event.kind === "attached" ? event.pid : pid;
      },
    },
    (error) => kinds.push(String(error)),
  );
  return { kinds, pid: () => pid };
}

/** Who writes the segment, by what `inspect` says of it. */
async function producer(scene: Scene): Promise<{ condition: string; pid: number }> {
  const inspect = scene.run(["inspect", "--json", "kraken"]);
  await inspect.ended;
  const { segments } = JSON.parse(inspect.stdout()) as { segments: { condition: string; pid: number }[] };
  return segments[0] ?? { condition: "none", pid: 0 };
}

/** Whatever the test leaves of a supervised child. */
function endAtEnd(pid: number): number {
  atEnd(() => (isProcessAlive(pid) ? process.kill(pid, "SIGKILL") : undefined));
  return pid;
}

async function start(words: readonly string[]): Promise<{
  scene: Scene;
  collector: Program;
  kinds: string[];
  synced: () => number;
  first: number;
}> {
  const scene = await Scene.start(["kraken"], 20);
  const collector = scene.collect("kraken", words);
  const reader = await scene.open("kraken");
  const { kinds, pid } = watch(reader);
  const synced = () => scene.synced(reader).length;
  await expect.poll(synced, PATIENCE).toBe(2);
  return { scene, collector, kinds, synced, first: endAtEnd(pid()) };
}

describe("A supervised collector", () => {
  it("is ended when it hangs and started again when it died; its supervisor's end is its own", async () => {
    const { scene, collector, kinds, synced, first } = await start(["--supervise"]);
    expect(first).not.toBe(collector.child.pid);
    process.kill(first, "SIGSTOP");
    await expect.poll(synced, PATIENCE).toBe(0);
    await expect.poll(() => kinds, PATIENCE).toEqual(["attached", "stale", "epoch"]);
    await expect.poll(synced, PATIENCE).toBe(2);
    expect(isProcessAlive(first)).toBe(false);
    expect(collector.stderr()).toMatch(/The collector hangs: ending it, was pid \d+, silent for \d{4,} ms/);
    const second = endAtEnd((await producer(scene)).pid);
    process.kill(second, "SIGKILL");
    await expect.poll(() => kinds.slice(3), PATIENCE).toEqual(["stale", "epoch"]);
    await expect.poll(synced, PATIENCE).toBe(2);
    const third = endAtEnd((await producer(scene)).pid);
    collector.child.kill("SIGKILL");
    await collector.ended;
    await expect.poll(() => isProcessAlive(third), PATIENCE).toBe(false);
    expect(existsSync(join(scene.directory, "kraken.seg"))).toBe(false);
  }, 120_000);

  it("ends in an orderly way with its supervisor, and is not started again when it cannot be used", async () => {
    const { scene, collector, first } = await start(["--supervise"]);
    collector.child.kill("SIGTERM");
    expect([await collector.ended, collector.stderr(), isProcessAlive(first)]).toEqual([0, "", false]);
    expect(existsSync(join(scene.directory, "kraken.seg"))).toBe(false);
    const unusable = scene.collect("kraken", ["--supervise", "--symbols", "NONE-SUCH"]);
    expect(await unusable.ended).toBe(2);
    expect(unusable.stderr()).toContain("it lists no such instrument");
  }, 90_000);
});

describe("The next collector of a name", () => {
  it("ends the one that hangs and takes its place", async () => {
    const { scene, collector, kinds, synced, first } = await start([]);
    expect(first).toBe(collector.child.pid);
    process.kill(first, "SIGSTOP");
    const next = scene.collect("kraken");
    await expect.poll(() => kinds, PATIENCE).toEqual(["attached", "stale", "epoch"]);
    await collector.ended;
    expect(next.stderr()).toMatch(/The producer of kraken hangs: ending it, was pid \d+, silent for \d{4,} ms/);
    await expect.poll(synced, PATIENCE).toBe(2);
    expect(await producer(scene)).toMatchObject({ condition: "live", pid: next.child.pid });
  }, 90_000);
});

describe("A reader that is patient with silence", () => {
  it("takes a stopped producer for alive, and knows at once that a killed one is dead", async () => {
    const scene = await Scene.start(["kraken"]);
    const collector = scene.collect("kraken");
    const reader = await scene.open("kraken", { staleMs: 600_000 });
    const synced = () => scene.synced(reader).length;
    await expect.poll(synced, PATIENCE).toBe(2);
    collector.child.kill("SIGSTOP");
    await pause(SILENCE_MS);
    expect(synced()).toBe(2);
    collector.child.kill("SIGKILL");
    await expect.poll(synced, PATIENCE).toBe(0);
  }, 90_000);
});

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}
