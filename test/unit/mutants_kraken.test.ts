/**
 * Kraken's books of limited depth, on both kernels, with checksums computed here: what falls below the depth leaves the
 * book for good and is published as leaving, and the digits of a checksum are those that the exchange writes since its
 * last snapshot. Bad case: levels that stay below the depth; they come back into the top when others leave.
 */
import { crc32 } from "node:zlib";
import { describe, expect, it } from "vitest";
import {
  APPLY_BOOK,
  APPLY_CHECKSUM_BAD,
  APPLY_SNAPSHOT,
  DELTA_BYTES,
  DELTA_CHANGE_COUNT,
  DELTA_EVENT_AT,
  DELTA_QUANTITIES,
  DELTA_SIDE_MASK,
} from "../../assembly/layout.ts";
import { SegmentView } from "../../src/segment/view.ts";
import { Rig } from "../support/rig.ts";

const NATIVE = "BTC/USD";
const DEPTH = 10;
const KERNELS = ["wasm", "twin"] as const;

/** Price and quantity as the exchange writes them. */
type Written = readonly [price: string, quantity: string];

/** The exchange's checksum over its own book: asks from the best, then bids from the best. */
function checksum(bids: readonly Written[], asks: readonly Written[]): number {
  const digits = (text: string) => text.replace(".", "").replace(/^0+/, "");
  return crc32([...asks, ...bids].map(([price, quantity]) => digits(price) + digits(quantity)).join(""));
}

function frame(type: "snapshot" | "update", book: { bids: Written[]; asks: Written[]; checksum: number }): Uint8Array {
  const side = (levels: Written[]) => levels.map(([price, qty]) => `{"price":${price},"qty":${qty}}`).join(",");
  const { bids, asks } = book;
  const entry = `{"symbol":"${NATIVE}","bids":[${side(bids)}],"asks":[${side(asks)}],"checksum":${book.checksum}}`;
  return new Uint8Array(Buffer.from(`{"channel":"book","type":"${type}","data":[${entry}]}`));
}

/** Ten levels a side around 100, with so many decimals. */
function wide(decimals: number): { bids: Written[]; asks: Written[] } {
  const level = (price: number): Written => [price.toFixed(decimals), "1.50000000"];
  const steps = Array.from({ length: DEPTH }, (_, index) => (index + 1) / 2);
  return { bids: steps.map((step) => level(100 - step)), asks: steps.map((step) => level(100 + step)) };
}

describe("a Kraken book", () => {
  for (const name of KERNELS) {
    it(`holds the subscribed depth and publishes what falls below it on ${name}, when a better level comes`, () => {
      const rig = new Rig(name, "kraken", [NATIVE]);
      const { bids, asks } = wide(1);
      expect(rig.frame(frame("snapshot", { bids, asks, checksum: checksum(bids, asks) }), 1)).toBe(APPLY_SNAPSHOT);
      const view = new SegmentView(rig.buffer, rig.segment.address);
      const position = view.deltaTail;
      const better: Written = ["99.9", "2.00000000"];
      const after = [better, ...bids.slice(0, -1)];
      const update = { bids: [better], asks: [], checksum: checksum(after, asks) };
      expect(rig.frame(frame("update", update), 2)).toBe(APPLY_BOOK);
      expect([rig.book(NATIVE)?.bids.size, rig.book(NATIVE)?.asks.size]).toEqual([DEPTH, DEPTH]);
      const memory = new DataView(rig.buffer);
      const record = view.address + view.header.deltaRingOffset + position * DELTA_BYTES;
      expect(memory.getUint8(record + DELTA_CHANGE_COUNT)).toBe(2);
      expect(memory.getUint16(record + DELTA_SIDE_MASK, true)).toBe(0);
      expect(memory.getBigInt64(record + DELTA_QUANTITIES + 8, true)).toBe(0n);
      // The level that fell out must not come back when the better one leaves: the exchange would send it again.
      const gone = { bids: [["99.9", "0"] as const], asks: [], checksum: checksum(bids.slice(0, -1), asks) };
      expect(rig.frame(frame("update", gone), 3)).toBe(APPLY_BOOK);
      expect(rig.book(NATIVE)?.bids.size).toBe(DEPTH - 1);
    });

    it(`is checked by the digits since its last snapshot on ${name}, when the exchange writes fewer from then on`, () => {
      const rig = new Rig(name, "kraken", [NATIVE]);
      for (const [at, decimals] of [3, 1].entries()) {
        const { bids, asks } = wide(decimals);
        const good = frame("snapshot", { bids, asks, checksum: checksum(bids, asks) });
        expect(rig.frame(good, at)).toBe(APPLY_SNAPSHOT);
      }
      const { bids, asks } = wide(1);
      const changed: Written = [asks[0]?.[0] ?? "", "7.00000000"];
      const sum = checksum(bids, [changed, ...asks.slice(1)]);
      expect(rig.frame(frame("update", { bids: [], asks: [changed], checksum: sum }), 5)).toBe(APPLY_BOOK);
      const wrong = frame("update", { bids: [], asks: [changed], checksum: 1 });
      expect(rig.frame(wrong, 6)).toBe(APPLY_CHECKSUM_BAD);
    });

    it(`has the depth that a v1 channel's name says, and its levels' latest time, on ${name}, when nothing else said them`, () => {
      const rig = new Rig(name, "kraken", ["XBT/USD"]);
      const level = (price: number) => [price.toFixed(1), "1.50000000", "1617580000.123456"];
      const side = (sign: number, count: number) =>
        Array.from({ length: count }, (_, at) => level(100 + sign * (at + 1)));
      const send = (payload: object, at: number) =>
        rig.frame(new Uint8Array(Buffer.from(JSON.stringify([0, payload, "book-25", "XBT/USD"]))), at);
      expect(send({ as: side(1, 25), bs: side(-1, 12) }, 1)).toBe(APPLY_SNAPSHOT);
      expect([rig.book("XBT/USD")?.bids.size, rig.book("XBT/USD")?.asks.size]).toEqual([12, 25]);
      const view = new SegmentView(rig.buffer, rig.segment.address);
      const last = view.address + view.header.deltaRingOffset + (view.deltaTail - 1) * DELTA_BYTES;
      expect(new DataView(rig.buffer).getBigUint64(last + DELTA_EVENT_AT, true)).toBe(1_617_580_000_123_456_000n);
    });
  }
});
