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
import { hasPython, receiveNotices } from "../support/notice_receiver.ts";
import { optionalPart } from "../support/require.ts";
import { type Inspection, inspect, untilWarm } from "./inspect_rig.ts";
import { atEnd, gatewayUrl, PATIENCE, type Program, Scene } from "./mapped_rig.ts";

const EXCHANGE = "kraken";
const canReceive = optionalPart("Python", hasPython()) && process.platform === "linux";
/** Goal: five seconds. Typically a tenth of one. */
const TAKEN_MS_MAX = 25_000;

function standbyFiles(scene: Scene): string[] {
  return readdirSync(scene.directory).filter((file) => file.endsWith(".standby"));
}

const standBy = (scene: Scene, environment: Record<string, string> = {}) =>
  scene.collect(EXCHANGE, ["--standby", "--log-level", "info"], environment);

/** One that collects, its warm standby, and a third that waits: it was told of the standby, and does not connect. */
async function startThree(scene: Scene, environment: Record<string, string> = {}) {
  const first = standBy(scene);
  await expect.poll(() => first.stdout(), PATIENCE).toContain("collects");
  const second = standBy(scene);
  await untilWarm(scene, second, EXCHANGE);
  const third = standBy(scene, environment);
  await expect.poll(() => third.stderr(), PATIENCE).toContain("Another standby waits already");
  expect((await inspect(scene)).standbys.map(({ pid }) => pid)).toEqual([second.child.pid]);
  return { first, second, third };
}

async function untilHolder(scene: Scene, { child }: Program): Promise<Inspection["segments"][number] | undefined> {
  await expect
    .poll(async () => (await inspect(scene)).segments.map(({ pid, condition }) => [pid, condition]), PATIENCE)
    .toEqual([[child.pid, "live"]]);
  return (await inspect(scene)).segments[0];
}

describe("collect --standby", () => {
  it.each(["SIGTERM", "SIGKILL", "SIGSTOP"] as const)(
    "takes over with synced books in a new epoch when the collector gets %s",
    async (signal) => {
      const scene = await Scene.start([EXCHANGE]);
      const first = standBy(scene);
      const reader = await scene.open(EXCHANGE);
      await expect.poll(() => scene.synced(reader), PATIENCE).toHaveLength(2);
      const standby = standBy(scene);
      await untilWarm(scene, standby, EXCHANGE);
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
    const { first, second, third } = await startThree(scene);
    second.child.kill("SIGKILL");
    await second.ended;
    await untilWarm(scene, third, EXCHANGE);
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
    await untilWarm(scene, idle, EXCHANGE);
    const shown = scene.run(["inspect"]);
    await shown.ended;
    expect(shown.stdout()).toMatch(/^kraken {2}standby: 2 of 2 books are synced, heartbeat \d+ ms ago, pid \d+/m);
    idle.child.kill("SIGTERM");
    expect(await idle.ended).toBe(0);
    expect(standbyFiles(scene)).toEqual([]);
    expect((await inspect(scene)).segments.map(({ pid }) => pid)).toEqual([last.child.pid]);
  }, 120_000);

  it("leaves the place to the warm one when two wait, and the place of that one to the other", async () => {
    const scene = await Scene.start([EXCHANGE]);
    const { first, second, third } = await startThree(scene);
    const [warm] = (await inspect(scene)).standbys;
    first.child.kill("SIGKILL");
    await first.ended;
    const holder = await untilHolder(scene, second);
    expect(holder?.epoch).toBe(warm?.epoch);
    await untilWarm(scene, third, EXCHANGE);
    third.child.kill("SIGTERM");
    expect(await third.ended).toBe(0);
  }, 120_000);

  it("does not let the name lie when the warm one hangs", async () => {
    const scene = await Scene.start([EXCHANGE]);
    const { first, second, third } = await startThree(scene);
    second.child.kill("SIGSTOP");
    first.child.kill("SIGTERM");
    await first.ended;
    await untilHolder(scene, third);
  }, 120_000);

  it.skipIf(!canReceive)(
    "says that it is ready and lives, and ends at a signal, while it waits as the third",
    async () => {
      const scene = await Scene.start([EXCHANGE]);
      const address = `@alphapulse-third-${process.pid}`;
      const { heard, close } = await receiveNotices(address);
      atEnd(close);
      const { third } = await startThree(scene, { NOTIFY_SOCKET: address, WATCHDOG_USEC: "400000" });
      await expect.poll(() => heard.includes("WATCHDOG=1"), PATIENCE).toBe(true);
      expect(heard.slice(0, 2)).toEqual(["READY=1", `STATUS=waits for the place of the standby of ${EXCHANGE}`]);
      third.child.kill("SIGTERM");
      expect(await third.ended).toBe(0);
      await expect.poll(() => heard.at(-1), PATIENCE).toBe("STOPPING=1");
    },
    120_000,
  );
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
    const { reasons } = (await ready.json()) as { reasons: string[] };
    expect([ready.status, reasons[0]]).toEqual([503, "draining: this gateway stops"]);
    const system = await fetch(`${url}/api/v1/system/health`);
    expect(((await system.json()) as { reasons: string[] }).reasons).toEqual(reasons);
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
