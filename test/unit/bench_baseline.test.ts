/**
 * The baseline must be right, or ratios against it mean nothing: book against a naive map, CRC-32 and level hash against
 * known vectors and the twin, Kraken's checksum against digits written the plain way.
 * Bad case: a baseline that is quick because it forgets a level.
 */
import { crc32 as zlibCrc32 } from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { LEVEL_PRICE, LEVEL_QUANTITY } from "../../assembly/layout.ts";
import { ADDED, BaselineBook, BaselineSide, CHANGED, REMOVED, UNCHANGED } from "../../bench/baseline/book.ts";
import { crc32, krakenChecksum } from "../../bench/baseline/crc32.ts";
import { createFeed } from "../../bench/baseline/feeds.ts";
import { levelHash } from "../../bench/baseline/hash.ts";
import { openWorkbench, reserveBytes } from "../../bench/workbench.ts";

function codeOf(before: number, after: number): number {
  if (before === after) {
    return UNCHANGED;
  }
  return before === 0 ? ADDED : after === 0 ? REMOVED : CHANGED;
}

describe("BaselineSide", () => {
  const operation = fc.record({ price: fc.integer({ min: 1, max: 200 }), quantity: fc.integer({ min: 0, max: 3 }) });

  it("set keeps the levels that a map keeps, best first, for both sides", () => {
    fc.assert(
      fc.property(fc.boolean(), fc.array(operation, { maxLength: 400 }), (isBid, operations) => {
        const side = new BaselineSide(isBid);
        const map = new Map<number, number>();
        for (const { price, quantity } of operations) {
          expect(side.set(price, quantity)).toBe(codeOf(map.get(price) ?? 0, quantity));
          map.set(price, quantity);
        }
        const kept = [...map].filter(([, quantity]) => quantity > 0).sort(([a], [b]) => (isBid ? b - a : a - b));
        const levels = kept.map((_, rank) => [side.price(rank), side.quantity(rank)]);
        expect([side.count, levels]).toEqual([kept.length, kept]);
      }),
      { numRuns: 60 },
    );
  });

  it("truncate drops the worst levels", () => {
    const side = new BaselineSide(false);
    for (const price of [5, 3, 9, 7]) {
      side.set(price, 1);
    }
    expect([side.truncate(2), side.count, side.price(0), side.price(1)]).toEqual([2, 2, 3, 5]);
    expect(side.truncate(2)).toBe(0);
  });

  it("copyFrom takes another side over and leaves it alone", () => {
    const from = new BaselineSide(true);
    const to = new BaselineSide(true);
    for (let price = 1; price <= 200; price++) {
      from.set(price, price);
    }
    to.copyFrom(from);
    to.set(200, 0);
    expect([from.count, from.price(0), to.count, to.price(0)]).toEqual([200, 200, 199, 199]);
  });
});

describe("the baseline's checksums", () => {
  it("crc32 gives the check value, and zlib's for any bytes", () => {
    expect(crc32(Buffer.from("123456789"), 0, 9)).toBe(0xcbf43926);
    const hasZlib = typeof zlibCrc32 === "function";
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 70 }), (bytes) => {
        expect(crc32(bytes, 0, bytes.length)).toBe(hasZlib ? zlibCrc32(bytes) : bitwiseCrc(bytes));
      }),
      { numRuns: 50 },
    );
  });

  it("krakenChecksum covers ten levels a side, asks first, without point and leading zeros", () => {
    const book = new BaselineBook();
    const digits: string[] = [];
    for (let rank = 0; rank < 12; rank++) {
      const price = 60_000.5 + rank;
      const quantity = (rank + 1) * 12_345_678.90123456;
      book.asks.set(price, quantity);
      if (rank < 10) {
        digits.push(price.toFixed(1), quantity.toFixed(8));
      }
    }
    book.bids.set(0.5, 0.00000042);
    digits.push("5", "42");
    const text = digits.map((token) => token.replace(".", "").replace(/^0+/, "")).join("");
    expect(krakenChecksum(book, 10, 1e8)).toBe(crc32(Buffer.from(text), 0, text.length));
  });

  it("levelHash equals the kernel's for any level", () => {
    const bench = openWorkbench("twin");
    const level = reserveBytes(bench, "level", 16);
    const words = new Int32Array(bench.view.buffer, level, 4);
    const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1 }), int64, int64, (side, price, quantity) => {
        bench.view.setBigInt64(level + LEVEL_PRICE, price, true);
        bench.view.setBigInt64(level + LEVEL_QUANTITY, quantity, true);
        expect(levelHash(side, words, 0)).toBe(bench.producer.levelHash(side, level));
      }),
      { numRuns: 50 },
    );
  });
});

describe("the baseline feeds", () => {
  it("Binance refuses a gap, drops what is old, and comes back to what was saved", () => {
    const feed = createFeed("binance");
    const update = (first: number, last: number, bid: string) =>
      JSON.stringify({ e: "depthUpdate", s: "BTCUSDT", U: first, u: last, b: [["10.5", bid]], a: [] });
    feed.applySnapshot("BTCUSDT", '{"lastUpdateId":5,"bids":[["10.5","1"]],"asks":[["11","2"]]}');
    const restore = feed.save();
    feed.apply(update(4, 5, "9"));
    feed.apply(update(6, 8, "3"));
    feed.apply(update(10, 12, "4"));
    const book = feed.books.get("BTCUSDT");
    expect([feed.refused, book?.bids.quantity(0)]).toEqual([1, 3]);
    restore();
    feed.apply(update(6, 6, "7"));
    expect([feed.refused, book?.bids.quantity(0)]).toEqual([1, 7]);
  });

  it("Kraken refuses a frame whose checksum is not the book's", () => {
    const feed = createFeed("kraken");
    const book = new BaselineBook();
    book.bids.set(63_501.6, 0.63889204);
    book.asks.set(63_501.7, 0.5);
    const checksum = krakenChecksum(book, 10, 1e8);
    const frame = (sum: number) =>
      `{"channel":"book","type":"snapshot","data":[{"symbol":"BTC/USD","bids":[{"price":63501.6,"qty":0.63889204}],"asks":[{"price":63501.7,"qty":0.50000000}],"checksum":${sum}}]}`;
    feed.apply(frame(checksum));
    expect(feed.refused).toBe(0);
    feed.apply(frame(checksum ^ 1));
    expect(feed.refused).toBe(1);
  });
});

/** For machines whose zlib has no crc32. */
function bitwiseCrc(bytes: Uint8Array): number {
  let crc = -1;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) {
      crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
    }
  }
  return ~crc >>> 0;
}
