/**
 * A real collector on a real socket of the loopback interface, as its worker runs it: library or receiver, connection, sync,
 * kernel, publish. Frames are counted by the segment, so that what was received is what was applied.
 * Bad case: a book that is not synced; frames would be dropped cheaply, so its state is looked at before and after.
 */
import { COUNTER_FRAMES, STATE_SYNCED } from "../../assembly/layout.ts";
import { readAsset } from "../../src/assets.ts";
import { loadConfig } from "../../src/config/mod.ts";
import { EXCHANGES } from "../../src/exchanges/mod.ts";
import { systemClock } from "../../src/feed/clock.ts";
import { Collector } from "../../src/feed/collector.ts";
import { openWebSocket } from "../../src/feed/socket.ts";
import { loadKernel } from "../../src/kernel/load.ts";
import { MemoryMap, type SegmentConfig, SegmentView, segmentBytes } from "../../src/segment/mod.ts";
import { DEEP_LEVELS } from "../deep_book.ts";
import { mustEqual } from "../harness.ts";
import { GarbageMeter, liveHeap } from "./meter.ts";
import { goFirst } from "./priority.ts";
import type { GarbageOrder, GarbageReport } from "./words.ts";

const MIB = 1 << 20;
const SEGMENT: SegmentConfig = {
  instrumentCapacity: 8,
  deltaCapacity: 65_536,
  tradeCapacity: 1024,
  imageAreaBytes: 16 * MIB,
};
const TICK_MS = 100;
const LOOK_MS = 10;
const WARM_FRAMES = 200_000;
const PATIENCE_MS = 60_000;
const SECOND_MS = 1000;
const PRODUCTS = JSON.stringify([
  { id: "BTC-USD", quote_increment: "0.01", base_increment: "0.00000001", status: "online", trading_disabled: false },
]);

/** Measures as ordered. */
export async function measureFromSockets(order: GarbageOrder): Promise<GarbageReport> {
  const { collector, view } = openCollector(order.port);
  const timer = setInterval(() => collector.tick(), TICK_MS);
  try {
    await collector.start();
    await framesAfter(collector, order.mode === "count" ? WARM_FRAMES : WARM_FRAMES / 4);
    mustBeSynced(view);
    const heapBefore = liveHeap();
    const isFirst = order.mode === "live" && (await goFirst());
    const meter = new GarbageMeter();
    const windows: ReturnType<GarbageMeter["end"]>[] = [];
    for (let index = 0; index < order.windows; index++) {
      windows.push(await window(collector, meter, order));
    }
    mustBeSynced(view);
    return {
      windows: await meter.conclude(windows),
      syncBytes: [],
      levels: DEEP_LEVELS,
      heapBefore,
      heapAfter: liveHeap(),
      isFirst,
    };
  } finally {
    clearInterval(timer);
    await collector.stop();
  }
}

async function window(collector: Collector, meter: GarbageMeter, { mode, framesPerWindow }: GarbageOrder) {
  const frames = () => collector.segment.counter(COUNTER_FRAMES);
  if (mode === "count") {
    globalThis.gc?.();
    const from = frames();
    meter.begin();
    await framesAfter(collector, framesPerWindow);
    return meter.end(frames() - from);
  }
  const from = frames();
  meter.begin();
  await new Promise((resume) => setTimeout(resume, SECOND_MS));
  return meter.end(frames() - from);
}

/** Waits until so many more frames were applied. @throws Error when they do not come */
async function framesAfter(collector: Collector, count: number): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  const until = collector.segment.counter(COUNTER_FRAMES) + count;
  while (collector.segment.counter(COUNTER_FRAMES) < until) {
    if (performance.now() > deadline) {
      throw new Error(`Cannot measure: the frames do not come, was ${collector.segment.counter(COUNTER_FRAMES)}`);
    }
    await new Promise((resume) => setTimeout(resume, LOOK_MS));
  }
}

function mustBeSynced(view: SegmentView): void {
  mustEqual("the state of the collector's book", view.instruments()[0]?.state ?? -1, STATE_SYNCED);
}

function openCollector(port: number): { collector: Collector; view: SegmentView } {
  const map = new MemoryMap(256 * MIB);
  const kernel = loadKernel({ name: "wasm", memory: map.memory, wasmBytes: readAsset("kernel.wasm") });
  const arena = map.reserve("arena", { bytes: 64 * MIB });
  kernel.arenaInit(arena.address, arena.bytes);
  const config = loadConfig({});
  const collector = new Collector({
    exchange: EXCHANGES.coinbase_exchange,
    settings: { ...config.exchanges.coinbase_exchange, websocketUrls: [`ws://127.0.0.1:${port}`] },
    instruments: ["BTC-USD"],
    limits: { ...config.collector, auditPeriodMs: 0 },
    kernel,
    frame: map.reserve("frame", { bytes: 8 * MIB }),
    segment: { address: map.reserve("segment", { bytes: segmentBytes(SEGMENT) }).address, config: SEGMENT },
    pid: process.pid,
    clock: systemClock(),
    random: Math.random,
    openSocket: openWebSocket,
    fetch: () => Promise.resolve(new Response(PRODUCTS)),
    defer: queueMicrotask,
    report: ({ level, text }) => level !== "info" && console.error(text),
  });
  return { collector, view: new SegmentView(map.memory.buffer, collector.segment.address) };
}
