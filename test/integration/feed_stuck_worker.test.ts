/**
 * A collector whose thread is stuck: the real worker, blocked by an endless loop. Its supervisor must see the heartbeat go
 * stale, say so, end it, show its books as not in service, and put another in its place, which it must leave alone.
 * Bad case: a successor that is judged by the heartbeat of its predecessor and ended before it has begun.
 */
import { afterEach, describe, expect, it } from "vitest";
import { SEGMENT_STATE_SUPERSEDED, STATE_SYNCED } from "../../assembly/layout.ts";
import { readAsset, workerUrl } from "../../src/assets.ts";
import { loadConfig, selectExchanges } from "../../src/config/mod.ts";
import { startEmulator } from "../../src/emulator/mod.ts";
import { collectorRanges, Supervisor } from "../../src/feed/supervisor.ts";
import { MemoryMap, memoryBytes } from "../../src/segment/memory_map.ts";
import { SegmentView } from "../../src/segment/view.ts";

const PATIENCE = { timeout: 40_000, interval: 50 };
const STUCK_AFTER_MS = 2000;
const closers: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) {
    await close();
  }
});

/** The collector's own program, and an endless loop after a while. */
function stuckProgram(): URL {
  const program = `await import(${JSON.stringify(workerUrl("collector_worker").href)});
    setTimeout(() => { for (;;); }, ${STUCK_AFTER_MS});`;
  return new URL(`data:text/javascript,${encodeURIComponent(program)}`);
}

describe("a stuck collector", () => {
  it("is ended and replaced, and its successor is left alone", async () => {
    const emulator = await startEmulator({ exchanges: ["kraken"], source: { kind: "market", rate: 5 }, seed: 7 });
    closers.push(() => emulator.close());
    const { websocket, rest } = emulator.endpoints.kraken;
    const flags = {
      exchange: ["kraken"],
      "exchanges.kraken.websocket_urls": websocket,
      "exchanges.kraken.rest_url": rest,
    };
    const config = loadConfig({ flags });
    const exchanges = selectExchanges(config);
    const map = new MemoryMap(memoryBytes(collectorRanges(config, exchanges)));
    const reports: string[] = [];
    const programs = [stuckProgram()];
    const supervisor = new Supervisor({
      map,
      config,
      exchanges,
      kernelModule: new WebAssembly.Module(readAsset("kernel.wasm")),
      pid: process.pid,
      program: () => programs.shift() ?? workerUrl("collector_worker"),
      report: (_, { text }) => reports.push(text),
    });
    closers.push(() => supervisor.stop());
    await supervisor.start();
    const view = () => new SegmentView(map.memory.buffer, supervisor.segments()[0]?.address ?? 0);
    const isSynced = () =>
      view()
        .instruments()
        .filter(({ state }) => state === STATE_SYNCED).length === 2;
    await expect.poll(isSynced, PATIENCE).toBe(true);
    const first = view();
    await expect.poll(() => first.state, PATIENCE).toBe(SEGMENT_STATE_SUPERSEDED);
    expect(reports.filter((text) => text.startsWith("The collector is stuck: no heartbeat for"))).toHaveLength(1);
    expect(first.instruments().some(({ state }) => state === STATE_SYNCED)).toBe(false);
    await expect.poll(() => view().address !== first.address && isSynced(), PATIENCE).toBe(true);
    const second = view().address;
    await new Promise((resolve) => setTimeout(resolve, 8000));
    expect([view().address, supervisor.restarts, isSynced()]).toEqual([second, 1, true]);
  }, 120_000);
});
