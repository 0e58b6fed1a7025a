/**
 * A collector in waiting and a gateway on its way out, as processes: the standby takes over with warm books however its
 * holder ends, one writes a segment at a time, and a gateway tells its clients to go before it does.
 * Bad case: a slow machine; what must be soon has many times the time that it takes.
 */
import { once } from "node:events";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { gatewayUrl, PATIENCE, type Program, Scene } from "./mapped_rig.ts";

const EXCHANGE = "kraken";
/** Goal: five seconds. Typically a tenth of one. */
const TAKEN_MS_MAX = 25_000;

type Inspection = {
  readonly segments: readonly {
    readonly segment: string;
    readonly pid: number;
    readonly epoch: string;
    readonly condition: string;
  }[];
  readonly standbys: readonly {
    readonly segment: string;
    readonly pid: number;
    readonly epoch: string;
    readonly synced: number;
    readonly books: number;
  }[];
};

async function inspect(scene: Scene): Promise<Inspection> {
  const program = scene.run(["inspect", "--json"]);
  await program.ended;
  return JSON.parse(program.stdout()) as Inspection;
}

async function untilWarm(scene: Scene, { child }: Program): Promise<void> {
  await expect
    .poll(async () => {
      const { standbys } = await inspect(scene);
      return standbys.map(({ segment, pid, synced, books }) => [segment, pid, synced, books]);
    }, PATIENCE)
    .toEqual([[EXCHANGE, child.pid, 2, 2]]);
}

function standbyFiles(scene: Scene): string[] {
  return readdirSync(scene.directory).filter((file) => file.endsWith(".standby"));
}

const standBy = (scene: Scene) => scene.collect(EXCHANGE, ["--standby"]);

describe("collect --standby", () => {
  it.each(["SIGTERM", "SIGKILL", "SIGSTOP"] as const)(
    "takes over with synced books in a new epoch when the collector gets %s",
    async (signal) => {
      const scene = await Scene.start([EXCHANGE]);
      const first = standBy(scene);
      const reader = await scene.open(EXCHANGE);
      await expect.poll(() => scene.synced(reader), PATIENCE).toHaveLength(2);
      const standby = standBy(scene);
      await untilWarm(scene, standby);
      const { segments, standbys } = await inspect(scene);
      expect(segments.map(({ pid, condition }) => [pid, condition])).toEqual([[first.child.pid, "live"]]);
      const health = scene.run(["health", EXCHANGE]);
      expect(await health.ended).toBe(0);
      expect(health.stdout()).toBe("kraken is live; a standby waits with 2 of 2 books synced\n");
      const seen: string[] = [];
      reader.poll(() => undefined);
      const startedAt = performance.now();
      first.child.kill(signal);
      await expect
        .poll(() => {
          reader.poll(({ kind }) => seen.push(kind));
          return seen.includes("epoch") && scene.synced(reader).length === 2;
        }, PATIENCE)
        .toBe(true);
      expect(performance.now() - startedAt).toBeLessThan(TAKEN_MS_MAX);
      await first.ended;
      // The segment that was warm, not one that was begun afterwards.
      const after = await inspect(scene);
      expect(after.segments.map(({ pid, epoch }) => [pid, epoch])).toEqual(
        standbys.map(({ pid, epoch }) => [pid, epoch]),
      );
      expect(after.segments.map(({ pid }) => pid)).toEqual([standby.child.pid]);
      expect(standbyFiles(scene)).toEqual([]);
      scene.emulator.pause();
      await expect
        .poll(() => {
          reader.poll(() => undefined);
          return scene.differences(reader);
        }, PATIENCE)
        .toEqual([]);
      standby.child.kill("SIGTERM");
      expect(await standby.ended).toBe(0);
      expect(existsSync(join(scene.directory, `${EXCHANGE}.seg`))).toBe(false);
    },
    120_000,
  );

  it("keeps one standby at a time, and clears away what a killed one left, when there are several", async () => {
    const scene = await Scene.start([EXCHANGE]);
    const first = standBy(scene);
    await expect.poll(() => first.stdout(), PATIENCE).toContain("collects");
    const second = standBy(scene);
    await untilWarm(scene, second);
    const third = standBy(scene);
    second.child.kill("SIGKILL");
    await second.ended;
    await untilWarm(scene, third);
    expect(standbyFiles(scene).map((file) => file.split(".")[2])).toEqual([String(third.child.pid)]);
    third.child.kill("SIGKILL");
    await third.ended;
    expect(standbyFiles(scene)).toHaveLength(1);
    first.child.kill("SIGTERM");
    expect(await first.ended).toBe(0);
    const last = scene.collect(EXCHANGE);
    await expect.poll(() => last.stdout(), PATIENCE).toContain("collects");
    expect(standbyFiles(scene)).toEqual([]);
    const idle = standBy(scene);
    await untilWarm(scene, idle);
    const shown = scene.run(["inspect"]);
    await shown.ended;
    expect(shown.stdout()).toMatch(/^kraken {2}standby: 2 of 2 books are synced, heartbeat \d+ ms ago, pid \d+/m);
    idle.child.kill("SIGTERM");
    expect(await idle.ended).toBe(0);
    expect(standbyFiles(scene)).toEqual([]);
    expect((await inspect(scene)).segments.map(({ pid }) => pid)).toEqual([last.child.pid]);
  }, 120_000);
});

describe("alphapulse gateway", () => {
  it("says that it drains, refuses clients and sends those that it has away one after the other when it gets SIGTERM", async () => {
    const scene = await Scene.start([EXCHANGE]);
    const drainMs = 2000;
    const gateway = scene.run(["gateway", "--port", "0", `--set=gateway.drain_ms=${drainMs}`]);
    const url = await gatewayUrl(gateway);
    expect((await fetch(`${url}/health`)).status).toBe(200);
    const stream = `${url.replace("http", "ws")}/ws`;
    const sockets = Array.from({ length: 20 }, () => new WebSocket(stream));
    await Promise.all(sockets.map((socket) => once(socket, "open")));
    const closings = sockets.map(async (socket) => {
      const [code, reason] = (await once(socket, "close")) as [number, Buffer];
      return { at: performance.now(), code, reason: reason.toString("utf8") };
    });
    const startedAt = performance.now();
    gateway.child.kill("SIGTERM");
    await Promise.race(closings);
    const health = await fetch(`${url}/health`);
    expect([health.status, ((await health.json()) as { status: string }).status]).toEqual([503, "draining"]);
    const ready = await fetch(`${url}/ready`);
    expect([ready.status, ((await ready.json()) as { reasons: string[] }).reasons[0]]).toEqual([
      503,
      "draining: this gateway stops",
    ]);
    const asked = scene.run(["health", `${url}/ready`]);
    const late = new WebSocket(stream);
    const [refusal] = (await once(late, "error")) as [Error];
    expect(refusal.message).toContain("503");
    const closed = await Promise.all(closings);
    expect(closed.filter(({ code }) => code !== 1001)).toEqual([]);
    expect(closed.filter(({ reason }) => !/^server stops, come back in \d{1,3} ms$/.test(reason))).toEqual([]);
    const times = closed.map(({ at }) => at);
    expect(Math.max(...times) - Math.min(...times)).toBeGreaterThan(drainMs / 2);
    expect(await gateway.ended).toBe(0);
    expect(performance.now() - startedAt).toBeLessThan(5 * drainMs);
    expect(await asked.ended).toBe(1);
  }, 60_000);
});
