/**
 * What `/metrics` tells of collectors, against the emulator over real sockets: every figure is computed again from the frames
 * that were recorded, from the records in the ring, and from the emulator's own books, and must be equal.
 * Bad case: a frame between two looks; the market pauses, and figures are compared when two scrapes agree.
 */
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import {
  DELTA_BYTES,
  DELTA_CHANGE_COUNT,
  DELTA_FLAGS,
  DELTA_PUBLISHED_AT,
  DELTA_RECEIVED_AT,
  FLAG_LAST,
  LEVEL_BYTES,
} from "../../assembly/layout.ts";
import { captureTimeNs, readCapture } from "../../src/capture/mod.ts";
import { startEngine } from "../../src/commands/engine.ts";
import { openLog } from "../../src/commands/log.ts";
import { loadConfig } from "../../src/config/mod.ts";
import { type Emulator, startEmulator } from "../../src/emulator/mod.ts";
import type { ExchangeId } from "../../src/model/exchange_id.ts";
import { MemoryMap } from "../../src/segment/memory_map.ts";
import { SegmentView } from "../../src/segment/view.ts";
import { Exposition } from "../support/exposition.ts";

const PATIENCE = { timeout: 40_000, interval: 100 };
const EXCHANGES: readonly ExchangeId[] = ["coinbase_exchange", "kraken"];
const RUN_MS = 3000;
const closers: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) {
    await close();
  }
});

/** A frame as it was recorded. */
type Frame = { readonly text: string; readonly receivedAtNs: bigint; readonly message: Record<string, unknown> };

/** Everything that runs. */
type World = { emulator: Emulator; url: string; map: MemoryMap; folder: string; stop: () => Promise<void> };

async function startWorld(): Promise<World> {
  const emulator = await startEmulator({ exchanges: EXCHANGES, source: { kind: "market", rate: 4 }, seed: 11 });
  closers.push(() => emulator.close());
  const folder = mkdtempSync(join(tmpdir(), "alphapulse-metrics-"));
  closers.push(() => rmSync(folder, { recursive: true, force: true }));
  const endpoints = EXCHANGES.flatMap((id) => [
    [`exchanges.${id}.websocket_urls`, emulator.endpoints[id].websocket],
    [`exchanges.${id}.rest_url`, emulator.endpoints[id].rest],
  ]);
  const flags = { exchange: [...EXCHANGES], port: 0, "record.directory": folder, log_level: "error" };
  const config = loadConfig({ flags: { ...flags, ...Object.fromEntries(endpoints) } });
  const map = new MemoryMap(1 << 30);
  const engine = await startEngine(config, openLog("error"), { map });
  let isStopped = false;
  const stop = async () => {
    if (!isStopped) {
      isStopped = true;
      await engine.close();
    }
  };
  closers.push(stop);
  return { emulator, url: engine.gateway.url, map, folder, stop };
}

async function scrape(url: string): Promise<Exposition> {
  const response = await fetch(`${url}/metrics`);
  expect(response.status).toBe(200);
  expect(response.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
  return new Exposition(await response.text());
}

async function recorded(folder: string, exchange: string): Promise<Frame[]> {
  const files = readdirSync(folder).filter(
    (name) => name.startsWith(`${exchange}_2`) || name.startsWith(`${exchange}_1`),
  );
  const frames: Frame[] = [];
  for (const file of files.sort()) {
    for await (const { line } of readCapture(join(folder, file))) {
      if (line.t === "recv") {
        const message = JSON.parse(line.data) as Record<string, unknown>;
        frames.push({ text: line.data, receivedAtNs: captureTimeNs(line.ts) ?? 0n, message });
      }
    }
  }
  return frames;
}

/** The instrument that a frame names. */
function symbolOf(exchange: string, { message }: Frame): string | undefined {
  if (exchange === "kraken") {
    const [first] = (message.data ?? []) as Record<string, string>[];
    const isMarket = message.channel === "book" || message.channel === "trade";
    return isMarket ? first?.symbol?.replace("/", "-") : undefined;
  }
  return message.product_id as string | undefined;
}

/** What a book of Coinbase does with its frames, by plain maps. */
function coinbaseFigures(frames: readonly Frame[]) {
  const sides = { buy: new Map<string, string>(), sell: new Map<string, string>() };
  const figures = { updates: 0, changes: 0, wholeBookBytes: 0, delaySumNs: 0n, snapshotBytes: 0 };
  for (const { message, text, receivedAtNs } of frames) {
    if (message.type === "snapshot") {
      figures.snapshotBytes += text.length;
      for (const [side, levels] of [
        ["buy", message.bids],
        ["sell", message.asks],
      ] as const) {
        sides[side] = new Map((levels as [string, string][]).map(([price, size]) => [price, size]));
      }
    } else if (message.type === "l2update") {
      figures.updates += 1;
      const final = new Map(
        (message.changes as ["buy" | "sell", string, string][]).map((one) => [`${one[0]} ${one[1]}`, one]),
      );
      for (const [side, price, size] of final.values()) {
        const isGone = Number(size) === 0;
        figures.changes += Number(sides[side].get(price) ?? 0) === Number(size) ? 0 : 1;
        sides[side][isGone ? "delete" : "set"](price, size);
      }
      figures.wholeBookBytes += (sides.buy.size + sides.sell.size) * LEVEL_BYTES;
      figures.delaySumNs += receivedAtNs - unixNs(message.time as string);
    }
  }
  return { ...figures, bids: sides.buy.size, asks: sides.sell.size };
}

/** RFC 3339 with microseconds. */
function unixNs(time: string): bigint {
  const fraction = (/\.(\d+)Z$/.exec(time)?.[1] ?? "").padEnd(9, "0");
  return BigInt(Date.parse(time.replace(/\.\d+Z$/, "Z"))) * 1_000_000n + BigInt(fraction);
}

/** What stands in the ring. */
function ringFigures(map: MemoryMap, exchange: string) {
  const range = map.ranges.find(({ name }) => name.startsWith("segment") && name.includes(exchange));
  const view = new SegmentView(map.memory.buffer, range?.address ?? 0);
  const memory = new DataView(map.memory.buffer);
  const figures = { records: view.deltaTail, changes: 0, whole: 0, publishSumNs: 0n };
  expect(view.deltaTail).toBeLessThan(view.header.deltaCapacity);
  for (let position = 0; position < view.deltaTail; position++) {
    const record = view.address + view.header.deltaRingOffset + position * DELTA_BYTES;
    figures.changes += memory.getUint8(record + DELTA_CHANGE_COUNT);
    if ((memory.getUint16(record + DELTA_FLAGS, true) & FLAG_LAST) !== 0) {
      figures.whole += 1;
      const received = memory.getBigUint64(record + DELTA_RECEIVED_AT, true);
      figures.publishSumNs += memory.getBigUint64(record + DELTA_PUBLISHED_AT, true) - received;
    }
  }
  return figures;
}

describe("the metrics of collectors", () => {
  it("equal what the recorded frames, the rings and the emulator's books say when the market pauses", async () => {
    const { emulator, url, map, folder, stop } = await startWorld();
    await expect.poll(async () => (await scrape(url)).sum("instrument_synced"), PATIENCE).toBe(EXCHANGES.length * 2);
    await new Promise((resolve) => setTimeout(resolve, RUN_MS));
    emulator.pause();
    let metrics = await scrape(url);
    await expect
      .poll(async () => {
        const before = metrics.sum("book_updates_total");
        metrics = await scrape(url);
        return metrics.sum("book_updates_total") - before;
      }, PATIENCE)
      .toBe(0);
    const rings = new Map(EXCHANGES.map((exchange) => [exchange, ringFigures(map, exchange)]));
    // Heartbeats go on while the market pauses: what is recorded is known when all has ended.
    metrics = await scrape(url);
    const scrapedAtNs = BigInt(Math.round((performance.timeOrigin + performance.now()) * 1e6));
    await stop();
    for (const exchange of EXCHANGES) {
      const frames = (await recorded(folder, exchange)).filter(({ receivedAtNs }) => receivedAtNs <= scrapedAtNs);
      const total = metrics.value("frames_total", { exchange });
      expect(Math.abs(frames.length - total), `frames of ${exchange}`).toBeLessThanOrEqual(2);
      const seen = frames.slice(0, total);
      expect(metrics.value("frame_bytes_total", { exchange })).toBe(
        seen.reduce((sum, { text }) => sum + Buffer.byteLength(text), 0),
      );
      expect(metrics.value("hop_seconds_count", { exchange, hop: "decode" })).toBe(total);
      const ring = rings.get(exchange);
      expect(metrics.value("records_total", { exchange })).toBe(ring?.records);
      expect(metrics.value("changes_total", { exchange })).toBe(ring?.changes);
      expect(metrics.value("ring_published_total", { exchange, ring: "deltas" })).toBe(ring?.records);
      const published = metrics.value("hop_seconds_count", { exchange, hop: "received_published" });
      expect(published + metrics.value("hop_unknown_total", { exchange, hop: "received_published" })).toBe(ring?.whole);
      const publishSum = metrics.value("hop_seconds_sum", { exchange, hop: "received_published" });
      expect(publishSum).toBeCloseTo(Number(ring?.publishSumNs) / 1e9, 9);
      for (const symbol of ["BTC-USD", "ETH-USD"]) {
        const labels = { exchange, symbol };
        const own = seen.filter((frame) => symbolOf(exchange, frame) === symbol);
        expect(metrics.value("instrument_frames_total", labels)).toBe(own.length);
        expect(metrics.value("instrument_frame_bytes_total", labels)).toBe(
          own.reduce((sum, { text }) => sum + Buffer.byteLength(text), 0),
        );
        expect(metrics.value("instrument_gaps_total", labels)).toBe(0);
        expect(metrics.value("instrument_not_synced_seconds_total", labels)).toBeGreaterThan(0);
      }
      expect(metrics.sum("instrument_changes_total", { exchange })).toBe(ring?.changes);
      expect(metrics.sum("instrument_records_total", { exchange })).toBe(ring?.records);
      expect(metrics.value("checksums_total", { exchange, result: "bad" })).toBe(0);
      expect(metrics.value("segment_up", { exchange })).toBe(1);
      expect(metrics.value("connection_state", { exchange, state: "connected" })).toBe(1);
      if (exchange === "coinbase_exchange") {
        checkCoinbase(metrics, seen, emulator);
      } else {
        const books = seen.filter(({ message }) => message.channel === "book");
        expect(metrics.value("checksums_total", { exchange, result: "ok" })).toBe(books.length);
        expect(metrics.sum("instrument_updates_total", { exchange })).toBe(
          books.filter(({ message }) => message.type === "update").length,
        );
      }
    }
  });
});

function checkCoinbase(metrics: Exposition, frames: readonly Frame[], emulator: Emulator): void {
  const exchange = "coinbase_exchange";
  let delaySumNs = 0n;
  let updates = 0;
  for (const symbol of ["BTC-USD", "ETH-USD"]) {
    const labels = { exchange, symbol };
    const figures = coinbaseFigures(frames.filter((frame) => symbolOf(exchange, frame) === symbol));
    const truth = emulator.trueBook(exchange, symbol);
    expect([figures.bids, figures.asks]).toEqual([truth.bids.length, truth.asks.length]);
    expect(metrics.value("instrument_levels", { ...labels, side: "bid" })).toBe(truth.bids.length);
    expect(metrics.value("instrument_levels", { ...labels, side: "ask" })).toBe(truth.asks.length);
    expect(metrics.value("instrument_updates_total", labels)).toBe(figures.updates);
    expect(metrics.value("instrument_changes_total", labels)).toBe(figures.changes);
    expect(metrics.value("instrument_whole_book_bytes_total", labels)).toBe(figures.wholeBookBytes);
    expect(metrics.value("instrument_snapshot_bytes_total", labels)).toBe(figures.snapshotBytes);
    delaySumNs += figures.delaySumNs;
    updates += figures.updates;
  }
  const hop = { exchange, hop: "exchange_received" };
  const negative = metrics.value("hop_negative_total", hop);
  expect(metrics.value("hop_seconds_count", hop) + negative).toBe(updates);
  if (negative === 0 && metrics.value("clock_offset_seconds", { exchange }) === 0) {
    expect(metrics.value("hop_seconds_sum", hop)).toBeCloseTo(Number(delaySumNs) / 1e9, 6);
  }
}
