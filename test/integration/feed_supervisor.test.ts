/**
 * Collectors in worker threads against the emulator, over real sockets: their books equal the emulator's own, they come
 * back after cuts and deaths, they refuse what an exchange does not list, they record what can be replayed, they stop.
 * Bad case: a machine with one slow core; deadlines are many times what is needed.
 */
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import {
  COUNTER_GAPS,
  COUNTER_RECONNECTS,
  SEGMENT_STATE_CLOSED,
  SEGMENT_STATE_LIVE,
  SEGMENT_STATE_SUPERSEDED,
  STATE_RETIRED,
  STATE_SYNCED,
} from "../../assembly/layout.ts";
import { readAsset } from "../../src/assets.ts";
import { type Config, loadConfig, selectExchanges } from "../../src/config/mod.ts";
import { type Emulator, startEmulator } from "../../src/emulator/mod.ts";
import { ConfigError } from "../../src/errors.ts";
import { EXCHANGES } from "../../src/exchanges/mod.ts";
import { collectorRanges, Supervisor } from "../../src/feed/supervisor.ts";
import { EXCHANGE_IDS, type ExchangeId } from "../../src/model/exchange_id.ts";
import { runReplay } from "../../src/replay/mod.ts";
import { MemoryMap, memoryBytes } from "../../src/segment/memory_map.ts";
import type { InstrumentEntry } from "../../src/segment/view.ts";
import { type BookLevels, SegmentBooks } from "./feed_books.ts";

const PATIENCE = { timeout: 40_000, interval: 50 };
const closers: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) {
    await close();
  }
});

type Feed = { supervisor: Supervisor; books: SegmentBooks; reports: string[]; config: Config };

async function emulate(exchanges: readonly ExchangeId[], rate = 5): Promise<Emulator> {
  const emulator = await startEmulator({ exchanges, source: { kind: "market", rate }, seed: 7 });
  closers.push(() => emulator.close());
  return emulator;
}

function build(emulator: Emulator, exchanges: readonly ExchangeId[], flags: Record<string, unknown> = {}): Feed {
  const endpoints = exchanges.flatMap((id) => [
    [`exchanges.${id}.websocket_urls`, emulator.endpoints[id].websocket],
    [`exchanges.${id}.rest_url`, emulator.endpoints[id].rest],
  ]);
  const config = loadConfig({ flags: { exchange: [...exchanges], ...Object.fromEntries(endpoints), ...flags } });
  const selected = selectExchanges(config);
  const map = new MemoryMap(memoryBytes([...collectorRanges(config, selected), SegmentBooks.arenaBytes]));
  const reports: string[] = [];
  const supervisor = new Supervisor({
    map,
    config,
    exchanges: selected,
    kernelModule: new WebAssembly.Module(readAsset("kernel.wasm")),
    pid: process.pid,
    report: (exchange, { text }) => reports.push(`${exchange}: ${text}`),
  });
  closers.push(() => supervisor.stop());
  return { supervisor, books: new SegmentBooks(map), reports, config };
}

function entries({ supervisor, books }: Feed): { exchange: ExchangeId; entry: InstrumentEntry; address: number }[] {
  return supervisor.segments().flatMap(({ address, exchange }) =>
    books
      .segment(address)
      .instruments()
      .filter(({ state }) => state !== STATE_RETIRED)
      .map((entry) => ({ exchange: exchange as ExchangeId, entry, address })),
  );
}

function syncedCount(feed: Feed): number {
  return entries(feed).filter(({ entry }) => entry.state === STATE_SYNCED).length;
}

/** Books that differ from the true ones, as far as the exchange told us: to the depth subscribed, in the known range. */
function differences(feed: Feed, emulator: Emulator): string[] {
  return entries(feed).flatMap(({ exchange, entry, address }) => {
    const ours = feed.books.read(feed.books.segment(address), entry);
    const truth = emulator.trueBook(exchange, entry.native);
    const isSame = ours !== undefined && JSON.stringify(told(ours, entry)) === JSON.stringify(told(truth, entry));
    return isSame ? [] : [`${exchange}:${entry.canonical}`];
  });
}

function told({ bids, asks }: BookLevels, entry: InstrumentEntry): BookLevels {
  const depth = entry.depth === 0 ? Number.POSITIVE_INFINITY : entry.depth;
  const { lowTicks = 0n, highTicks = 2n ** 63n } = entry.knownRange ?? {};
  const isKnown = ([price]: BookLevels["bids"][number]) => {
    const [whole = "", fraction = ""] = price.split(".");
    const ticks = BigInt(whole + fraction.padEnd(entry.priceExponent, "0"));
    return ticks >= lowTicks && ticks <= highTicks;
  };
  return { bids: bids.filter(isKnown).slice(0, depth), asks: asks.filter(isKnown).slice(0, depth) };
}

describe("collectors in worker threads", () => {
  it("hold the emulator's books, every level of them, when the market pauses", async () => {
    const emulator = await emulate(EXCHANGE_IDS);
    const feed = build(emulator, EXCHANGE_IDS, { "exchanges.kraken.depth": 100 });
    await feed.supervisor.start();
    await expect.poll(() => syncedCount(feed), PATIENCE).toBe(8);
    await new Promise((resolve) => setTimeout(resolve, 3000));
    emulator.pause();
    await expect.poll(() => differences(feed, emulator), PATIENCE).toEqual([]);
    for (const { address } of feed.supervisor.segments()) {
      expect(feed.books.segment(address).counter(COUNTER_GAPS)).toBe(0);
    }
  });

  it("show every book as not synced and come back when the exchange goes away", async () => {
    const emulator = await emulate(["kraken"]);
    const port = Number(new URL(emulator.endpoints.kraken.rest).port);
    const feed = build(emulator, ["kraken"]);
    await feed.supervisor.start();
    await expect.poll(() => syncedCount(feed), PATIENCE).toBe(2);
    await emulator.close();
    await expect.poll(() => syncedCount(feed), PATIENCE).toBe(0);
    const again = await startEmulator({ exchanges: ["kraken"], source: { kind: "market" }, ports: { kraken: port } });
    closers.push(() => again.close());
    await expect.poll(() => syncedCount(feed), PATIENCE).toBe(2);
    const [segment] = feed.supervisor.segments();
    expect(feed.books.segment(segment?.address ?? 0).counter(COUNTER_RECONNECTS)).toBeGreaterThan(0);
  });

  it("are replaced with a fresh segment and epoch when one dies, and the others go on", async () => {
    const emulator = await emulate(["kraken", "coinbase_exchange"]);
    const feed = build(emulator, ["kraken", "coinbase_exchange"]);
    await feed.supervisor.start();
    await expect.poll(() => syncedCount(feed), PATIENCE).toBe(4);
    const of = (exchange: ExchangeId) =>
      feed.supervisor.segments().find((it) => it.exchange === exchange)?.address ?? 0;
    const before = { kraken: of("kraken"), coinbase: of("coinbase_exchange") };
    const epoch = feed.books.segment(before.kraken).header.epoch;
    const view = feed.books.segment(before.kraken);
    feed.supervisor.replace("kraken");
    await expect.poll(() => view.state, PATIENCE).toBe(SEGMENT_STATE_SUPERSEDED);
    expect(view.instruments().some(({ state }) => state === STATE_SYNCED)).toBe(false);
    await expect.poll(() => of("kraken") !== before.kraken && syncedCount(feed) === 4, PATIENCE).toBe(true);
    expect(feed.books.segment(of("kraken")).header.epoch).not.toBe(epoch);
    expect([of("coinbase_exchange"), feed.supervisor.restarts]).toEqual([before.coinbase, 1]);
    for (const exchange of ["kraken", "kraken"] as const) {
      const held = of(exchange);
      feed.supervisor.replace(exchange);
      await expect.poll(() => of(exchange) !== held && syncedCount(feed) === 4, PATIENCE).toBe(true);
    }
    expect(feed.supervisor.restarts).toBe(3);
  }, 150_000);

  it("refuse an instrument that the exchange does not list, with the nearest names, before any socket opens", async () => {
    const emulator = await emulate(["binance"]);
    const feed = build(emulator, ["binance"], { symbols: "BTC-USDD" });
    const refusal = await feed.supervisor.start().catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(ConfigError);
    expect(String(refusal)).toBe(
      "ConfigError: Cannot collect from Binance: it lists no such instrument, nearest is BTC-USDT, ETH-USDT, was BTC-USDD",
    );
    expect(emulator.counts().binance?.connections).toBe(0);
  });

  it("connect without the instrument list when REST is away, and take the decimals from the first books", async () => {
    const emulator = await emulate(["coinbase_exchange"]);
    const feed = build(emulator, ["coinbase_exchange"], {
      "exchanges.coinbase_exchange.rest_url": "http://127.0.0.1:9",
      "collector.reconnect_base_ms": 10,
    });
    await feed.supervisor.start();
    await expect.poll(() => syncedCount(feed), PATIENCE).toBe(2);
    expect(entries(feed).map(({ entry }) => [entry.priceExponent, entry.quantityExponent])).toEqual([
      [2, 8],
      [2, 8],
    ]);
    expect(feed.reports.filter((text) => text.includes("instrument list"))).toHaveLength(4);
  });

  it("say that their books ended, and end within a second, when they are stopped", async () => {
    const emulator = await emulate(["kraken", "binance"]);
    const feed = build(emulator, ["kraken", "binance"]);
    await feed.supervisor.start();
    await expect.poll(() => syncedCount(feed), PATIENCE).toBe(4);
    const segments = feed.supervisor.segments().map(({ address }) => feed.books.segment(address));
    expect(segments.map(({ state }) => state)).toEqual([SEGMENT_STATE_LIVE, SEGMENT_STATE_LIVE]);
    const startedAt = performance.now();
    await feed.supervisor.stop();
    expect(performance.now() - startedAt).toBeLessThan(5000);
    expect(segments.map(({ state }) => state)).toEqual([SEGMENT_STATE_CLOSED, SEGMENT_STATE_CLOSED]);
    expect(segments.flatMap((view) => view.instruments()).some(({ state }) => state === STATE_SYNCED)).toBe(false);
  });

  it("record what replays to the same books, for every exchange", async () => {
    const folder = mkdtempSync(join(tmpdir(), "alphapulse-record-"));
    closers.push(() => rmSync(folder, { recursive: true, force: true }));
    const emulator = await emulate(EXCHANGE_IDS, 10);
    const feed = build(emulator, EXCHANGE_IDS, { "record.directory": folder });
    await feed.supervisor.start();
    await expect.poll(() => syncedCount(feed), PATIENCE).toBe(8);
    await new Promise((resolve) => setTimeout(resolve, 2000));
    emulator.pause();
    await expect.poll(() => differences(feed, emulator), PATIENCE).toEqual([]);
    const held = new Map(
      entries(feed).map(({ exchange, entry, address }) => [
        `${exchange} ${entry.native}`,
        feed.books.read(feed.books.segment(address), entry),
      ]),
    );
    await feed.supervisor.stop();
    const files = readdirSync(folder);
    expect(files).toHaveLength(EXCHANGE_IDS.length);
    for (const file of files) {
      const texts: string[] = [];
      const status = await runReplay({
        files: [join(folder, file)],
        isJson: true,
        kernelName: "twin",
        out: (text) => texts.push(text),
      });
      const { exchange, books } = JSON.parse(texts.join("")) as ReplayOutput;
      expect([file, status]).toEqual([file, 0]);
      expect(Object.keys(books).sort()).toEqual(
        EXCHANGES[exchange].header.defaultInstruments.map((name) => EXCHANGES[exchange].nativeName(name)).sort(),
      );
      for (const [native, book] of Object.entries(books)) {
        const truth = held.get(`${exchange} ${native}`);
        expect([book.bidLevels, book.askLevels]).toEqual([truth?.bids.length, truth?.asks.length]);
        expect([book.bids, book.asks]).toEqual([truth?.bids.slice(0, 10), truth?.asks.slice(0, 10)]);
      }
    }
  });
});

type ReplayOutput = {
  exchange: ExchangeId;
  books: Record<string, { bidLevels: number; askLevels: number; bids: string[][]; asks: string[][] }>;
};
