/**
 * Every figure of delta-stats, and those of health, computed again from what went in (the frames, as text) and what came
 * out (bytes of a client's socket), by means of their own: text lengths, a plain Map as the book, the ring as bytes.
 * Bad case: a figure that both sides compute by the same code; nothing here calls the gateway's.
 */
import { afterEach, describe, expect, it } from "vitest";
import {
  DELTA_BYTES,
  DELTA_CHANGE_COUNT,
  DELTA_EVENT_AT,
  DELTA_PUBLISHED_AT,
  HEADER_DELTA_RING_OFFSET,
  HEADER_DELTA_TAIL,
  HEADER_TRADE_TAIL,
} from "../../assembly/layout.ts";
import type { AnswerOf } from "../../src/rest/operations.ts";
import { SUBPROTOCOL_BINARY } from "../../src/wire/protocol.ts";
import { ApiWitness } from "../support/api_witness.ts";
import { type Producer, until } from "./gateway_market.ts";
import { BTC, closeAll, startMarket, startSocket, wideBook } from "./gateway_rig.ts";

afterEach(closeAll);

type Change = ["buy" | "sell", string, string];

const CAPACITY = 4096;
const LEVEL_BYTES = 16;
const TRADE_BYTES = 128;
const CHANGES_PER_RECORD = 16;

/** The book and the bytes as they went in. */
class Ledger {
  readonly #levels = new Map<string, string>();
  updates = 0;
  changes = 0;
  records = 0;
  trades = 0;
  bytes = 0;
  wholeBook = 0;

  constructor(levels: readonly Change[]) {
    for (const [side, price, quantity] of levels) {
      this.#levels.set(`${side} ${Number(price)}`, quantity);
    }
  }

  /** Sends an update through the producer, and notes it. */
  update(producer: Producer, changes: readonly Change[]): void {
    const frame = { type: "l2update", product_id: "BTC-USD", changes, time: "2023-11-14T22:13:21.000000Z" };
    const before = this.changes;
    for (const [side, price, quantity] of changes) {
      const key = `${side} ${Number(price)}`;
      const held = this.#levels.get(key) ?? "0";
      this.changes += Number(held) === Number(quantity) ? 0 : 1;
      if (Number(quantity) === 0) {
        this.#levels.delete(key);
      } else {
        this.#levels.set(key, quantity);
      }
    }
    this.updates += 1;
    this.records += Math.max(1, Math.ceil((this.changes - before) / CHANGES_PER_RECORD));
    this.wholeBook += this.#levels.size * LEVEL_BYTES;
    this.#send(producer, frame);
  }

  /** Sends a trade through the producer, and notes it. */
  trade(producer: Producer): void {
    const time = "2023-11-14T22:13:21.000000Z";
    const what = { trade_id: 1001 + this.trades, side: "sell", size: "5", price: "1000.01", sequence: 5 };
    this.trades += 1;
    this.#send(producer, { type: "match", product_id: "BTC-USD", time, ...what });
  }

  #send(producer: Producer, frame: object): void {
    this.bytes += new TextEncoder().encode(JSON.stringify(frame)).byteLength;
    producer.frame(frame);
  }
}

describe("Figures of REST", () => {
  it("equal what the frames, a plain book, the ring and a client's socket say", async () => {
    const market = startMarket();
    const producer = market.produce({ natives: ["BTC-USD"], deltaCapacity: CAPACITY });
    const { bids, asks } = wideBook(40);
    producer.snapshot("BTC-USD", { bids, asks });
    const gateway = await market.serve();
    await until("a synced book", () => gateway.book(BTC)?.synced === true);
    const api = await ApiWitness.open(gateway.port);
    const stats = async () =>
      (await api.ask("/api/v1/delta-stats/coinbase/BTC-USD")).value as AnswerOf<"getDeltaStats">;
    while ((await stats()).since_ns === "0") {
      await new Promise((resume) => setTimeout(resume, 20));
    }
    expect((await stats()).bytes).toEqual({ exchange: 0, whole_book: 0, records: 0, wire: 0 });
    const plain = await startSocket(market.streamUrl, [SUBPROTOCOL_BINARY]);
    plain.socket.send(JSON.stringify({ op: "subscribe", id: 1, channels: ["book", "trades"], instruments: [BTC] }));
    await until("the snapshot", () => plain.binary.length > 0);
    const before = plain.binary.length;
    const ledger = new Ledger([
      ...bids.map(([price, quantity]): Change => ["buy", price, quantity]),
      ...asks.map(([price, quantity]): Change => ["sell", price, quantity]),
    ]);
    await feed(producer, ledger);
    let [told, wire] = [await stats(), Number.NaN];
    const deadline = performance.now() + 10_000;
    do {
      await new Promise((resume) => setTimeout(resume, 100));
      told = await stats();
      const received = plain.binary.slice(before).map(({ byteLength }) => byteLength + (byteLength <= 125 ? 2 : 4));
      wire = received.reduce((sum, bytes) => sum + bytes, 0);
    } while (
      (told.total_deltas_processed !== ledger.updates || told.bytes.wire !== wire) &&
      performance.now() < deadline
    );
    const records = ledger.records * DELTA_BYTES + ledger.trades * TRADE_BYTES;
    expect(told).toMatchObject({
      total_deltas_processed: ledger.updates,
      total_changes: ledger.changes,
      total_records: ledger.records,
      avg_changes_per_update: ledger.changes / ledger.updates,
      bytes: { exchange: ledger.bytes, whole_book: ledger.wholeBook, records, wire },
      ratios: {
        exchange_to_wire: ledger.bytes / wire,
        exchange_to_records: ledger.bytes / records,
        whole_book_to_wire: ledger.wholeBook / wire,
        whole_book_to_records: ledger.wholeBook / records,
      },
      compression_ratio: ledger.bytes / wire,
      bandwidth_saved_bytes: ledger.bytes - wire,
      last_update_latency_us: lastLatencyUs(market.map.memory.buffer, producer.segment.address),
    });
    const summary = (await api.ask("/api/v1/delta-stats/summary")).value as AnswerOf<"getDeltaSummary">;
    const { bytes, ratios, total_changes: changes } = told;
    expect(summary).toMatchObject({ instruments: 1, bytes, ratios, total_changes: changes });
    expect(summary.by_exchange).toMatchObject([{ exchange: "coinbase_exchange", bytes }]);
    await compareHealth(api, { buffer: market.map.memory.buffer, producer, ledger });
  });
});

/** Updates of one to 23 changes, some of which alter nothing, and trades between them. */
async function feed(producer: Producer, ledger: Ledger): Promise<void> {
  for (let event = 0; event < 300; event++) {
    const count = 1 + ((event * 7) % 23);
    const changes = Array.from({ length: count }, (_, index): Change => {
      const step = ((event + index * 3) % 90) + 1;
      const isBid = (event + index) % 2 === 0;
      const price = isBid ? (1000 - step / 100).toFixed(2) : (1000 + step / 100).toFixed(2);
      return [isBid ? "buy" : "sell", price, String((event * index) % 4)];
    });
    ledger.update(producer, changes);
    if (event % 10 === 0) {
      ledger.trade(producer);
    }
    if (event % 3 === 0) {
      await new Promise((resume) => setTimeout(resume, 1));
    }
  }
}

async function compareHealth(
  api: ApiWitness,
  { buffer, producer, ledger }: { buffer: ArrayBufferLike; producer: Producer; ledger: Ledger },
): Promise<void> {
  producer.beat();
  await new Promise((resume) => setTimeout(resume, 120));
  const health = (await api.ask("/api/v1/system/health")).value as AnswerOf<"getHealth">;
  const memory = new DataView(buffer, producer.segment.address);
  const published = Number(memory.getBigUint64(HEADER_DELTA_TAIL, true));
  const trades = Number(memory.getBigUint64(HEADER_TRADE_TAIL, true));
  expect(trades).toBe(ledger.trades);
  expect(health).toMatchObject({
    status: "ok",
    reasons: [],
    segments: [
      {
        deltas: { capacity: CAPACITY, published, unread: 0, lost: 0 },
        trades: { published: trades, unread: 0, lost: 0 },
        unknown_ids: 0,
      },
    ],
    instruments: [{ version: String(published), gaps: 0, replica_failures: 0, client_failures: 0 }],
    clients: { connected: 1, slow: 0, dropped: 0, protocol_errors: 0 },
  });
  const [gateway, collector] = health.roles;
  expect(gateway).toMatchObject({ role: "gateway", process: { pid: process.pid } });
  expect(collector).toMatchObject({ role: "collector", pid: process.pid });
  const figures = gateway?.role === "gateway" ? gateway.process : null;
  const { rss } = process.memoryUsage();
  const { user, system } = process.cpuUsage();
  expect(Math.abs((figures?.resident_bytes ?? 0) - rss) / rss).toBeLessThan(0.5);
  const used = (figures?.cpu_user_seconds ?? 0) + (figures?.cpu_system_seconds ?? 0);
  expect(used).toBeGreaterThan(0);
  expect(used * 1e6).toBeLessThanOrEqual(user + system);
}

/** Of the last record in the ring that changed something: published − event, microseconds. */
function lastLatencyUs(buffer: ArrayBufferLike, segment: number): number {
  const memory = new DataView(buffer, segment);
  const ring = Number(memory.getBigUint64(HEADER_DELTA_RING_OFFSET, true));
  const tail = Number(memory.getBigUint64(HEADER_DELTA_TAIL, true));
  for (let position = tail - 1; position >= 0; position--) {
    const record = ring + (position % CAPACITY) * DELTA_BYTES;
    if (memory.getUint8(record + DELTA_CHANGE_COUNT) > 0) {
      const published = memory.getBigUint64(record + DELTA_PUBLISHED_AT, true);
      return Number(published - memory.getBigUint64(record + DELTA_EVENT_AT, true)) / 1000;
    }
  }
  return Number.NaN;
}
