/**
 * What `/metrics` and `stats` tell of the gateway: hops by a stopwatch that the test holds, bytes as a client counted them, drops,
 * refusals, laps; and that a scrape of ten thousand series does not hold up the thread that serves clients.
 * Bad case: a machine that is busy with something else; the shortest of several scrapes is judged, with five times the room.
 */
import { spawnSync } from "node:child_process";
import { afterEach, describe, expect, it } from "vitest";
import {
  ASSURANCE_SEQUENCE,
  HISTOGRAM_SUM,
  INSTRUMENT_METRICS_FRAMES,
  METRICS_INSTRUMENTS,
  METRICS_PUBLISH,
  TRADING_OPEN,
} from "../../assembly/layout.ts";
import { METRIC_NAMES } from "../../src/gateway/metric_families.ts";
import { MetricsThread } from "../../src/gateway/metrics_thread.ts";
import { createSegment, segmentBytes } from "../../src/segment/mod.ts";
import { Exposition } from "../support/exposition.ts";
import { type Market, until } from "./gateway_market.ts";
import { BTC, closeAll, startClient, startMarket, startSocket, stir, wideBook } from "./gateway_rig.ts";

afterEach(closeAll);

const EXCHANGE = { exchange: "coinbase_exchange" };
const READ_HOP = { ...EXCHANGE, hop: "published_read" };
const SENT_HOP = { ...EXCHANGE, hop: "read_sent" };
const DELAY_MS_MAX = 5;
const SLACK = 5;
const PATIENCE = { timeout: 10_000, interval: 20 };

async function scrape(url: string): Promise<Exposition> {
  return new Exposition(await (await fetch(`${url}/metrics`)).text());
}

/** The market's producers publish by a clock that began at WALL_NS; the stopwatch began there, too. */
function heldStopwatch() {
  const held = { now: 0 };
  return { held, stopwatch: { baseNs: 0n, now: () => held.now } };
}

describe("the metrics of the gateway", () => {
  it("tell how long events waited for the gateway, to the nanosecond, when the test holds the watch", async () => {
    const market = startMarket();
    let atNs = 1_000_000_000;
    const producer = market.produce({ clock: () => (atNs += 1_000_000) });
    const { held, stopwatch } = heldStopwatch();
    held.now = 2_000_000_000;
    const gateway = await market.serve({ stopwatch });
    const before = await scrape(gateway.url);
    const events = before.value("hop_seconds_count", READ_HOP);
    const sum = before.value("hop_seconds_sum", READ_HOP);
    producer.snapshot("BTC-USD", wideBook(20));
    let expected = held.now - atNs;
    for (let event = 0; event < 10; event++) {
      stir(producer, "BTC-USD", { events: 1 });
      expected += held.now - atNs;
    }
    await expect
      .poll(async () => (await scrape(gateway.url)).value("hop_seconds_count", READ_HOP), PATIENCE)
      .toBe(events + 11);
    const after = await scrape(gateway.url);
    expect(after.value("hop_seconds_sum", READ_HOP) - sum).toBeCloseTo(expected / 1e9, 9);
    expect(after.value("hop_negative_total", READ_HOP)).toBe(before.value("hop_negative_total", READ_HOP));
    held.now = 0;
    stir(producer, "BTC-USD", { events: 1 });
    const negative = after.value("hop_negative_total", READ_HOP);
    await expect
      .poll(async () => (await scrape(gateway.url)).value("hop_negative_total", READ_HOP), PATIENCE)
      .toBe(negative + 1);
    expect((await scrape(gateway.url)).value("hop_seconds_count", READ_HOP)).toBe(events + 11);
  });

  it("tell bytes and events as a client counted them, and every refusal, when clients come", async () => {
    const market = startMarket();
    const producer = market.produce();
    producer.snapshot("BTC-USD", wideBook(50));
    const gateway = await market.serve({ limits: { connectionsPerAddressMax: 2 } });
    const { client, events } = startClient(market.streamUrl);
    client.book(BTC);
    await until("a snapshot", () => events.some(({ type }) => type === "book"));
    const socket = await startSocket(market.streamUrl, ["alphapulse.v1.bin"]);
    const stranger = await startSocket(market.streamUrl).then(
      () => "connected",
      () => "refused",
    );
    expect(stranger).toBe("refused");
    const before = await scrape(gateway.url);
    stir(producer, "BTC-USD", { events: 25 });
    const sent = before.value("hop_seconds_count", SENT_HOP);
    await expect
      .poll(async () => (await scrape(gateway.url)).value("hop_seconds_count", SENT_HOP), PATIENCE)
      .toBe(sent + 25);
    const after = await scrape(gateway.url);
    expect(after.value("clients")).toBe(2);
    expect(after.value("clients_by_state", { state: "live" })).toBe(2);
    expect(after.value("client_refusals_total", { reason: "address_connections" })).toBe(1);
    expect(after.sum("client_drops_total")).toBe(0);
    expect(after.value("instrument_synced", { symbol: "BTC-USD" })).toBe(1);
    expect(after.value("instrument_synced", { symbol: "ETH-USD" })).toBe(0);
    const { gateway: told } = gateway.stats();
    expect(after.value("gateway_frames_out_total")).toBeLessThanOrEqual(told.totals.framesOut);
    expect(after.value("ring_lost_records_total", { ring: "deltas" })).toBe(0);
    expect(after.value("ring_utilisation_ratio", { ring: "deltas" })).toBe(0);
    socket.socket.close();
  });

  it("count records that the ring took back when the gateway was overtaken", async () => {
    const market = startMarket();
    const producer = market.produce({ deltaCapacity: 64 });
    producer.snapshot("BTC-USD", wideBook(50));
    const gateway = await market.serve();
    await until("a book", () => gateway.book(BTC)?.synced === true);
    stir(producer, "BTC-USD", { events: 500 });
    await until("the lap", () => (gateway.stats().exchanges[0]?.totals.lost ?? 0) > 0);
    const metrics = await scrape(gateway.url);
    const lost = metrics.value("ring_lost_records_total", { ring: "deltas" });
    expect(lost).toBe(gateway.stats().exchanges[0]?.totals.lost);
    await until("the book again", () => gateway.book(BTC)?.synced === true);
    expect((await scrape(gateway.url)).value("joins_total")).toBeGreaterThan(1);
  });

  it("say the hops of the last seconds in the stats message when there were events", async () => {
    const market = startMarket();
    const producer = market.produce();
    producer.snapshot("BTC-USD", wideBook(50));
    const gateway = await market.serve({ stopwatch: { baseNs: 0n, now: () => 30_000_000_000 } });
    const plain = await startSocket(market.streamUrl);
    plain.socket.send(JSON.stringify({ op: "subscribe", id: 1, channels: ["stats"] }));
    await until("a look at all histograms", () => plain.messages.some(({ type }) => type === "stats"));
    stir(producer, "BTC-USD", { events: 40 });
    await until("the hops", () => (gateway.stats().exchanges[0]?.hops.length ?? 0) > 0);
    const [exchange] = gateway.stats().exchanges;
    const hop = exchange?.hops.find((one) => one.hop === "published_read");
    expect(hop?.count).toBe(40);
    expect(hop?.p50).toBeGreaterThan(28e6);
    expect(hop?.max).toBeGreaterThanOrEqual(hop?.p999 ?? 0);
    const quantile = (await scrape(gateway.url)).value("hop_quantile_seconds", { ...READ_HOP, quantile: "0.5" });
    expect(quantile).toBeCloseTo((hop?.p50 ?? 0) / 1e6, 4);
  });

  it("are declared, named after their unit, and clean when promtool reads them", async () => {
    const market = startMarket();
    market.produce().snapshot("BTC-USD", wideBook(50));
    const gateway = await market.serve({ watchThread: () => () => undefined });
    const response = await fetch(`${gateway.url}/metrics`);
    const text = await response.text();
    const metrics = new Exposition(text);
    for (const family of metrics.types.keys()) {
      expect(METRIC_NAMES).toContain(family);
      expect(family.endsWith("_total")).toBe(metrics.types.get(family) === "counter");
    }
    const promtool = spawnSync("promtool", ["check", "metrics"], { input: text, encoding: "utf8" });
    if (promtool.error === undefined) {
      expect(promtool.stdout + promtool.stderr).toBe("");
    }
    expect((await fetch(`${gateway.url}/metrics`, { method: "HEAD" })).status).toBe(200);
    expect((await fetch(`${gateway.url}/metrics`, { method: "POST" })).status).toBe(405);
  });

  it("are one answer for all who ask meanwhile, and 503 with the reason when they cannot be made", async () => {
    const market = startMarket();
    market.produce();
    let asked = 0;
    let answer: (bytes: Uint8Array) => void = () => undefined;
    let fail: (reason: Error) => void = () => undefined;
    const renderer = {
      render: () => {
        asked += 1;
        return new Promise<Uint8Array>((resolve, reject) => {
          answer = resolve;
          fail = reject;
        });
      },
      close: () => undefined,
    };
    const { url } = await market.serve({ renderer });
    const both = [fetch(`${url}/metrics`), fetch(`${url}/metrics`)];
    await until("a scrape", () => asked > 0);
    await new Promise((resume) => setTimeout(resume, 100));
    answer(new TextEncoder().encode("one 1\n"));
    expect(await Promise.all(both.map(async (one) => (await one).text()))).toEqual(["one 1\n", "one 1\n"]);
    expect(asked).toBe(1);
    const failing = fetch(`${url}/metrics`);
    await until("another scrape", () => asked > 1);
    fail(new RangeError("Cannot render metrics: no answer for 10000 ms, was thread 7"));
    const response = await failing;
    expect([response.status, await response.text()]).toEqual([
      503,
      "Cannot tell metrics: Cannot render metrics: no answer for 10000 ms, was thread 7\n",
    ]);
  });

  it("are made by another thread when the one before died", async () => {
    const script = new URL("data:text/javascript,process.exit(3)");
    const memory = new SharedArrayBuffer(8);
    const thread = new MetricsThread({ memory, script: () => script });
    const market = startMarket();
    market.produce();
    const gateway = await market.serve({ renderer: thread });
    for (let round = 0; round < 2; round++) {
      await expect(gateway.metrics()).rejects.toThrow(/the thread ended with 3/);
    }
    thread.close();
  });

  it("stay finite when counters and histograms in memory are at their end", async () => {
    const market = startMarket();
    const producer = market.produce();
    producer.snapshot("BTC-USD", wideBook(50));
    const gateway = await market.serve();
    const memory = new DataView(market.map.memory.buffer);
    const { metricsAddress } = producer.segment;
    memory.setBigUint64(metricsAddress + METRICS_PUBLISH + HISTOGRAM_SUM, 2n ** 64n - 1n, true);
    memory.setBigUint64(metricsAddress + METRICS_INSTRUMENTS + INSTRUMENT_METRICS_FRAMES, 2n ** 64n - 1n, true);
    stir(producer, "BTC-USD", { events: 2 });
    const metrics = await scrape(gateway.url);
    expect(metrics.value("instrument_frames_total", { symbol: "BTC-USD" })).toBe(1);
    expect(metrics.value("hop_seconds_sum", { ...EXCHANGE, hop: "received_published" })).toBeGreaterThanOrEqual(0);
  });
});

describe("a scrape of ten thousand series", () => {
  it("holds up the thread that serves clients for less than 5 ms, with five times the room", async () => {
    const market = startMarket(1400);
    const producer = market.produce();
    producer.snapshot("BTC-USD", wideBook(50));
    addSilent(market, 700);
    const limits = { encodeBytes: 4096, historyEntries: 64 };
    const gateway = await market.serve({ limits, watchThread: () => () => undefined });
    await scrape(gateway.url);
    const delays: number[] = [];
    let series = 0;
    for (let round = 0; round < 8; round++) {
      const startedAt = performance.now();
      const answer = gateway.metrics();
      delays.push(performance.now() - startedAt);
      series = new Exposition(new TextDecoder().decode(await answer)).series.length;
    }
    const [shortest = Number.NaN, , , , middle = Number.NaN] = delays.toSorted((one, other) => one - other);
    const figures = `${shortest.toFixed(2)} ms at best, ${middle.toFixed(2)} ms in the middle`;
    process.stdout.write(`a scrape of ${series} series holds up the fan-out thread ${figures}\n`);
    expect(series).toBeGreaterThan(10_000);
    expect(shortest).toBeLessThan(DELAY_MS_MAX * SLACK);
  });

  /** A segment with many instruments that nobody writes. */
  function addSilent(market: Market, instruments: number): void {
    const config = {
      instrumentCapacity: instruments,
      deltaCapacity: 64,
      tradeCapacity: 64,
      imageAreaBytes: instruments * 4096,
    };
    const range = market.map.reserve("silent segment", { bytes: segmentBytes(config) });
    const identity = { exchange: "kraken", epoch: 9n, pid: 1, wallAnchorNs: 0n, monotonicAnchorNs: 0n };
    const segment = createSegment(market.map.memory.buffer, { address: range.address, config, identity });
    for (let index = 0; index < instruments; index++) {
      const exponents = { priceExponent: 2, quantityExponent: 8, depth: 0, imageLevels: 16, sinceNs: 1n };
      const name = { canonical: `C${index}-USD`, native: `C${index}/USD` };
      segment.addInstrument({ ...name, ...exponents, assurance: ASSURANCE_SEQUENCE, tradingStatus: TRADING_OPEN });
    }
    market.producers.push({ segment } as unknown as Market["producers"][number]);
  }
});
