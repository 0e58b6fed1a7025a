/**
 * What records and table say beside the book, on both kernels: a locked book is right, an event without a time keeps the
 * last one, the exchange's own number stands in every record, an id that ends says so in the ring. And a deep book keeps
 * its order whatever place its levels come from.
 * Bad case: a book that is right and records that say less than happened; no comparison of books notices.
 */
import { describe, expect, it } from "vitest";
import {
  APPLY_BOOK,
  DELTA_BYTES,
  DELTA_EVENT_AT,
  DELTA_FLAGS,
  DELTA_INSTRUMENT_ID,
  DELTA_SOURCE_SEQUENCE,
  FLAG_CROSSED,
  FLAG_LAST,
  FLAG_NOT_SYNCED,
  LEVEL_BYTES,
  LEVEL_PRICE,
  LEVEL_QUANTITY,
  SIDE_ASK,
  SIDE_BID,
  STATE_RESYNCING,
  STATE_RETIRED,
  STATE_SYNCED,
} from "../../assembly/layout.ts";
import type { ExchangeId } from "../../src/model/exchange_id.ts";
import { SegmentView } from "../../src/segment/view.ts";
import { freshKernel, Rig } from "../support/rig.ts";
import { SeededRandom } from "../support/seeded_random.ts";

const KERNELS = ["wasm", "twin"] as const;

function bench(name: (typeof KERNELS)[number], exchange: ExchangeId, native: string) {
  const rig = new Rig(name, exchange, [native]);
  const view = new SegmentView(rig.buffer, rig.segment.address);
  const memory = new DataView(rig.buffer);
  let at = 0;
  const feed = (frame: object) => {
    at += 1;
    return rig.frame(new Uint8Array(Buffer.from(JSON.stringify(frame))), at);
  };
  const records = () =>
    Array.from({ length: view.deltaTail }, (_, position) => {
      const record = view.address + view.header.deltaRingOffset + position * DELTA_BYTES;
      return {
        id: memory.getUint32(record + DELTA_INSTRUMENT_ID, true),
        flags: memory.getUint16(record + DELTA_FLAGS, true),
        sequence: memory.getBigUint64(record + DELTA_SOURCE_SEQUENCE, true),
        eventAt: memory.getBigUint64(record + DELTA_EVENT_AT, true),
      };
    });
  return { rig, view, feed, records };
}

const PRODUCT = { product_id: "BTC-USD" };
const SNAPSHOT = { ...PRODUCT, type: "snapshot", bids: [["100", "1"]], asks: [["101", "1"]] };
const TIME = "2026-07-07T22:58:17.050195Z";
const TIME_NS = BigInt(Date.parse(TIME)) * 1_000_000n + 195_000n;

describe.each(KERNELS)("records on %s", (name) => {
  it("call a book crossed and not synced only when it is more than locked", () => {
    const { feed, view, records } = bench(name, "coinbase_exchange", "BTC-USD");
    feed(SNAPSHOT);
    expect(feed({ ...PRODUCT, type: "l2update", changes: [["buy", "101", "2"]] })).toBe(APPLY_BOOK);
    expect(records().at(-1)?.flags).toBe(FLAG_LAST);
    expect(view.instruments().at(-1)?.state).toBe(STATE_SYNCED);
    feed({ ...PRODUCT, type: "l2update", changes: [["buy", "102", "2"]] });
    expect(records().at(-1)?.flags).toBe(FLAG_LAST | FLAG_CROSSED | FLAG_NOT_SYNCED);
    expect(view.instruments().at(-1)?.state).toBe(STATE_RESYNCING);
  });

  it("keep the time of the last event when one comes without", () => {
    const { feed, records } = bench(name, "coinbase_exchange", "BTC-USD");
    feed({ ...SNAPSHOT, time: TIME });
    feed({ ...PRODUCT, type: "l2update", changes: [["buy", "99", "2"]] });
    expect(
      records()
        .slice(-2)
        .map(({ eventAt }) => eventAt),
    ).toEqual([TIME_NS, TIME_NS]);
  });

  it("close an event in its last record only when it needs several", () => {
    const { feed, records } = bench(name, "coinbase_exchange", "BTC-USD");
    feed(SNAPSHOT);
    const changes = Array.from({ length: 40 }, (_, index) => ["buy", String(99 - index), "2"]);
    feed({ ...PRODUCT, type: "l2update", changes });
    const flags = records()
      .slice(-3)
      .map((record) => record.flags);
    expect(flags).toEqual([0, 0, FLAG_LAST]);
  });

  it("carry times in milliseconds and in microseconds as what they are", () => {
    const { rig, feed, records } = bench(name, "binance", "BTCUSDT");
    const body = { lastUpdateId: 100, bids: [["100", "1"]], asks: [["101", "1"]] };
    const event = (first: number, time: number) => ({
      ...{ e: "depthUpdate", E: time, s: "BTCUSDT", U: first, u: first },
      ...{ b: [["99", String(first)]], a: [] },
    });
    feed(event(101, 1_723_161_255_208));
    rig.rest("BTCUSDT", new Uint8Array(Buffer.from(JSON.stringify(body))), 5);
    feed(event(102, 1_723_161_255_300_123));
    const times = records()
      .slice(-2)
      .map(({ eventAt }) => eventAt);
    expect(times).toEqual([1_723_161_255_208_000_000n, 1_723_161_255_300_123_000n]);
  });

  it("carry the number that the exchange gave the event", () => {
    const { rig, feed, records } = bench(name, "binance", "BTCUSDT");
    const event = (first: number, last: number, price: string) => ({
      ...{ e: "depthUpdate", E: 1723161255208, s: "BTCUSDT", U: first, u: last },
      ...{ b: [[price, "1"]], a: [] },
    });
    feed(event(95, 101, "99"));
    const body = { lastUpdateId: 100, bids: [["100", "1"]], asks: [["101", "1"]] };
    rig.rest("BTCUSDT", new Uint8Array(Buffer.from(JSON.stringify(body))), 5);
    feed(event(102, 107, "98"));
    expect(
      records()
        .slice(-3)
        .map(({ sequence }) => sequence),
    ).toEqual([100n, 101n, 107n]);
  });

  it("end with one that is not synced under an id that a rescale retires, and go on under the next", () => {
    const { feed, view, records } = bench(name, "coinbase_exchange", "BTC-USD");
    feed(SNAPSHOT);
    const [old] = view.instruments().slice(-1);
    feed({ ...PRODUCT, type: "l2update", changes: [["buy", "99.5", "2"]] });
    const entries = view.instruments();
    const successor = entries.at(-1);
    expect(successor?.id).not.toBe(old?.id);
    expect(entries.find(({ id }) => id === old?.id)).toMatchObject({ state: STATE_RETIRED, retiredTo: successor?.id });
    const ofOld = records().filter(({ id }) => id === old?.id);
    expect(ofOld.map(({ flags }) => (flags & FLAG_NOT_SYNCED) !== 0)).toEqual([false, true]);
    expect(records().at(-1)).toMatchObject({ id: successor?.id, flags: FLAG_LAST });
  });
});

describe.each(KERNELS)("a deep book on %s", (name) => {
  it("walks its levels in order when thousands came from all places and left again", () => {
    const { kernel } = freshKernel(name);
    const memory = new DataView(kernel.buffer);
    const book = kernel.bookCreate();
    const scratch = kernel.arenaAllocate(LEVEL_BYTES * 5000);
    const random = new SeededRandom(1122);
    const held = [new Map<bigint, bigint>(), new Map<bigint, bigint>()] as const;
    const set = (side: 0 | 1, price: bigint, quantity: bigint) => {
      memory.setBigInt64(scratch + LEVEL_PRICE, price, true);
      memory.setBigInt64(scratch + LEVEL_QUANTITY, quantity, true);
      kernel.bookApply(book, side, scratch);
      if (quantity === 0n) {
        held[side].delete(price);
      } else {
        held[side].set(price, quantity);
      }
    };
    const walk = (side: number) => {
      const count = kernel.bookWalk(book, side, 0, 5000, scratch);
      return Array.from({ length: count }, (_, index) => {
        const level = scratch + index * LEVEL_BYTES;
        return [memory.getBigInt64(level + LEVEL_PRICE, true), memory.getBigInt64(level + LEVEL_QUANTITY, true)];
      });
    };
    for (let step = 0; step < 20_000; step++) {
      const quantity = random.below(3) === 0 ? 0 : 1 + random.below(1000);
      set(random.below(2) === 0 ? SIDE_BID : SIDE_ASK, BigInt(1 + random.below(4000)), BigInt(quantity));
    }
    const sorted = (side: 0 | 1) =>
      [...held[side]].sort(([a], [b]) => (a < b ? -1 : 1)).map(([price, quantity]) => [price, quantity]);
    expect(walk(SIDE_ASK)).toEqual(sorted(SIDE_ASK));
    expect(walk(SIDE_BID)).toEqual(sorted(SIDE_BID).reverse());
  });
});
