/**
 * Books that outgrow their segment, with real workers and files: one fresh segment with room for them takes over, every
 * book of the exchange is right again in it, other exchanges notice nothing, and there is no second change. Where the
 * memory has no room, the book goes out of service and the log says so.
 * Bad case: a machine with one slow core; deadlines are many times what is needed.
 */
import { statSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import {
  REASON_LIMIT,
  SEGMENT_STATE_SUPERSEDED,
  STATE_OUT_OF_SERVICE,
  STATE_RESYNCING,
  STATE_RETIRED,
  STATE_SYNCED,
} from "../../assembly/layout.ts";
import { readAsset } from "../../src/assets.ts";
import { loadConfig, selectExchanges } from "../../src/config/mod.ts";
import { DEFAULT_INSTRUMENTS } from "../../src/emulator/instruments.ts";
import { type Emulator, startEmulator } from "../../src/emulator/mod.ts";
import { collectorRanges, Supervisor } from "../../src/feed/supervisor.ts";
import type { ExchangeId } from "../../src/model/exchange_id.ts";
import type { SegmentReader } from "../../src/reader/mod.ts";
import { MemoryMap, memoryBytes } from "../../src/segment/memory_map.ts";
import type { InstrumentEntry, SegmentView } from "../../src/segment/view.ts";
import { SegmentBooks } from "./feed_books.ts";
import { gatewayUrl, health, PATIENCE, type Program, Scene } from "./mapped_rig.ts";

const COINBASE = "coinbase_exchange";
const SETTLED_MS = 6000;
/** What must be done within half a second, five times over. */
const ATTACHED_MS = 2500;
const closers: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) {
    await close();
  }
});

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Coinbase with a deep book beside a shallow one, and Kraken. */
async function emulate(deepLevels = 4000): Promise<Emulator> {
  const instruments = DEFAULT_INSTRUMENTS.map((instrument) =>
    instrument.exchange === COINBASE
      ? { ...instrument, levels: instrument.base === "BTC" ? deepLevels : 300 }
      : instrument,
  );
  const emulator = await startEmulator({
    exchanges: [COINBASE, "kraken"],
    source: { kind: "market", rate: 5, instruments },
    seed: 7,
  });
  closers.push(() => emulator.close());
  return emulator;
}

type Feed = {
  supervisor: Supervisor;
  books: SegmentBooks;
  reports: string[];
  errors: string[];
  view: (id: ExchangeId) => SegmentView;
};

/** @param options.spareBytes of the memory, beside one segment of its first size; default: what collectors ask for */
async function start(emulator: Emulator, exchanges: ExchangeId[], { spareBytes = -1 } = {}): Promise<Feed> {
  const endpoints = exchanges.flatMap((id) => [
    [`exchanges.${id}.websocket_urls`, emulator.endpoints[id].websocket],
    [`exchanges.${id}.rest_url`, emulator.endpoints[id].rest],
  ]);
  const small = {
    "exchanges.coinbase_exchange.image_levels": 1024,
    "segment.delta_capacity": 4096,
    "segment.spare_instruments": 0,
  };
  const config = loadConfig({ flags: { exchange: exchanges, ...small, ...Object.fromEntries(endpoints) } });
  const selected = selectExchanges(config);
  const wanted = collectorRanges(config, selected);
  const ranges = spareBytes < 0 ? wanted : wanted.slice(0, 3);
  const map = new MemoryMap(memoryBytes([...ranges, SegmentBooks.arenaBytes]) + Math.max(0, spareBytes));
  const books = new SegmentBooks(map);
  const reports: string[] = [];
  const errors: string[] = [];
  const supervisor = new Supervisor({
    map,
    config,
    exchanges: selected,
    kernelModule: new WebAssembly.Module(readAsset("kernel.wasm")),
    pid: process.pid,
    report: (exchange, { level, text }) => (level === "error" ? errors : reports).push(`${exchange}: ${text}`),
  });
  closers.push(() => supervisor.stop());
  await supervisor.start();
  const view = (id: ExchangeId) =>
    books.segment(supervisor.segments().find(({ exchange }) => exchange === id)?.address ?? 0);
  return { supervisor, books, reports, errors, view };
}

const current = (view: SegmentView) => view.instruments().filter(({ state }) => state !== STATE_RETIRED);
const states = (view: SegmentView) => current(view).map(({ state }) => state);

function isRight(
  { books }: Feed,
  view: SegmentView,
  { entry, emulator }: { entry: InstrumentEntry; emulator: Emulator },
) {
  const ours = books.read(view, entry);
  const { bids, asks } = emulator.trueBook(COINBASE, entry.native);
  return ours !== undefined && JSON.stringify(ours) === JSON.stringify({ bids, asks });
}

describe("A book that outgrows its segment", () => {
  it("gets one that holds it, with a fresh epoch, and so do the others of its exchange, once", async () => {
    const emulator = await emulate();
    const feed = await start(emulator, [COINBASE, "kraken"]);
    const first = feed.view(COINBASE);
    const bystander = feed.view("kraken");
    const epoch = bystander.header.epoch;
    await expect.poll(() => first.state, PATIENCE).toBe(SEGMENT_STATE_SUPERSEDED);
    expect(current(first).map(({ state, reason }) => [state, reason])).toEqual([
      [STATE_RESYNCING, REASON_LIMIT],
      [STATE_RESYNCING, REASON_LIMIT],
    ]);
    const isReplaced = () => feed.view(COINBASE).address !== first.address;
    await expect
      .poll(() => isReplaced() && states(feed.view(COINBASE)), PATIENCE)
      .toEqual([STATE_SYNCED, STATE_SYNCED]);
    const second = feed.view(COINBASE);
    expect(second.header.epoch).toBeGreaterThan(first.header.epoch);
    expect(second.header.segmentBytes).toBeGreaterThan(first.header.segmentBytes);
    await pause(SETTLED_MS);
    expect([feed.view(COINBASE).address, feed.supervisor.restarts]).toEqual([second.address, 1]);
    emulator.pause();
    await expect
      .poll(() => current(second).map((entry) => isRight(feed, second, { entry, emulator })), PATIENCE)
      .toEqual([true, true]);
    expect(feed.view("kraken").header.epoch).toBe(epoch);
    expect(states(bystander)).toEqual([STATE_SYNCED, STATE_SYNCED]);
    expect(feed.reports.filter((text) => text.includes("outgrew"))).toEqual([
      expect.stringMatching(/^coinbase_exchange: Books outgrew the segment: .* for BTC-USD$/),
    ]);
    expect(feed.errors).toEqual([]);
  });

  it("keeps its room when the collector dies later", async () => {
    const emulator = await emulate();
    const feed = await start(emulator, [COINBASE]);
    const isUp = (restarts: number) =>
      feed.supervisor.restarts === restarts && states(feed.view(COINBASE)).every((state) => state === STATE_SYNCED);
    await expect.poll(() => isUp(1), PATIENCE).toBe(true);
    const { segmentBytes } = feed.view(COINBASE).header;
    const { address } = feed.view(COINBASE);
    feed.supervisor.replace(COINBASE);
    await expect.poll(() => feed.view(COINBASE).address !== address && isUp(2), PATIENCE).toBe(true);
    await pause(1000);
    expect([feed.supervisor.restarts, feed.view(COINBASE).header.segmentBytes]).toEqual([2, segmentBytes]);
  });

  it("gets one in the stead of the old where the memory cannot hold both", async () => {
    const emulator = await emulate();
    const feed = await start(emulator, [COINBASE], { spareBytes: 512 * 1024 });
    const { epoch } = feed.view(COINBASE).header;
    const isReplaced = () => feed.supervisor.restarts === 1 && feed.view(COINBASE).header.epoch > epoch;
    await expect
      .poll(() => isReplaced() && states(feed.view(COINBASE)), PATIENCE)
      .toEqual([STATE_SYNCED, STATE_SYNCED]);
    await pause(SETTLED_MS);
    expect([feed.supervisor.restarts, states(feed.view(COINBASE))]).toEqual([1, [STATE_SYNCED, STATE_SYNCED]]);
  });

  it("goes out of service where the memory has no room, and the other books stay as they are", async () => {
    const emulator = await emulate(20_000);
    const feed = await start(emulator, [COINBASE], { spareBytes: 0 });
    const view = feed.view(COINBASE);
    await expect.poll(() => states(view), PATIENCE).toEqual([STATE_OUT_OF_SERVICE, STATE_SYNCED]);
    await pause(SETTLED_MS);
    expect(states(view)).toEqual([STATE_OUT_OF_SERVICE, STATE_SYNCED]);
    expect([current(view)[0]?.reason, feed.supervisor.restarts]).toEqual([REASON_LIMIT, 0]);
    expect(feed.errors).toEqual([
      expect.stringMatching(
        /: Cannot make a larger segment: the memory is full; out of service: BTC-USD, was \d+ bytes$/,
      ),
    ]);
  });
});

describe("Readers in other processes", () => {
  it("follow to the larger segment, once, and have every book right in it", async () => {
    const scene = await Scene.start([COINBASE]);
    const reader = await scene.open(COINBASE, { staleMs: 10_000 });
    const events: string[] = [];
    let attachedAt = 0;
    const outcome = ({ kind }: { kind: string }) => {
      events.push(kind);
      attachedAt = kind === "epoch" ? Date.now() : attachedAt;
    };
    reader.on({ outcome }, (error) => events.push(String(error)));
    const gateway = scene.run(["gateway", "--port", "0"]);
    const url = await gatewayUrl(gateway);
    const small = ["--set=exchanges.coinbase_exchange.image_levels=12000", "--set=segment.spare_instruments=0"];
    const collector = scene.collect(COINBASE, small);
    await expect.poll(() => events, PATIENCE).toContain("epoch");
    const { ctimeMs } = statSync(join(scene.directory, `${COINBASE}.seg`));
    expect(attachedAt - ctimeMs).toBeLessThan(ATTACHED_MS);
    await expect.poll(() => scene.synced(reader).length, PATIENCE).toBe(2);
    await pause(SETTLED_MS);
    // Stale: the books of a segment that makes way are not synced any more.
    expect(events).toEqual(["attached", "stale", "epoch"]);
    const held = async () => (await health(url)).instruments.map(({ state, replica }) => [state, replica.synced]);
    await expect.poll(held, PATIENCE).toEqual([
      ["synced", true],
      ["synced", true],
    ]);
    scene.emulator.pause();
    await expect.poll(() => scene.differences(reader), PATIENCE).toEqual([]);
    expect(collector.stderr()).toBe("");
    scene.emulator.resume();
    await expectNoSecondGrowth({ scene, events, collector, words: small, reader });
  }, 120_000);
});

/** However a collector ends, its next process begins with a segment that holds the books. */
async function expectNoSecondGrowth(parts: {
  scene: Scene;
  events: string[];
  collector: Program;
  words: readonly string[];
  reader: SegmentReader;
}): Promise<void> {
  const { scene, events, words, reader } = parts;
  let { collector } = parts;
  for (const signal of ["SIGKILL", "SIGTERM"] as const) {
    events.length = 0;
    collector.child.kill(signal);
    await collector.ended;
    collector = scene.collect(COINBASE, words);
    await expect.poll(() => events.at(-1), PATIENCE).toBe("epoch");
    await expect.poll(() => scene.synced(reader).length, PATIENCE).toBe(2);
    await pause(SETTLED_MS / 3);
    expect(
      events.filter((kind) => kind === "epoch"),
      signal,
    ).toEqual(["epoch"]);
    expect(scene.synced(reader).length, signal).toBe(2);
  }
}
