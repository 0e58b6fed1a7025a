/**
 * The twin's stream: what a producer's replica codes, a client's replica must hold: every event, every snapshot part,
 * every trade, whatever the numbers; and a frame that was damaged must never pass as another book.
 * Bad case: a client that is wrong and does not know it; the book hash is compared after every frame that it accepts.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  BBO_ASK_PRICE,
  BBO_ASK_QUANTITY,
  BBO_BID_PRICE,
  BBO_BID_QUANTITY,
  BBO_BYTES,
  BBO_FLAGS,
  CELL_FLAG_ASK,
  CELL_FLAG_BID,
  DELTA_ADD_MASK,
  DELTA_BASE_PRICE,
  DELTA_BOOK_HASH,
  DELTA_CHANGE_COUNT,
  DELTA_FLAGS,
  DELTA_INSTRUMENT_ID,
  DELTA_QUANTITIES,
  DELTA_SIDE_MASK,
  DELTA_VERSION,
  FLAG_CROSSED,
  FLAG_LAST,
  FLAG_RESET,
  REPLICA_BUFFER_FULL,
  REPLICA_CHAIN_BROKEN,
  REPLICA_EMPTY,
  REPLICA_HASH_MISMATCH,
  REPLICA_INCONSISTENT,
  REPLICA_OK,
  REPLICA_RESET,
  REPLICA_STALE,
  REPLICA_STATE,
  REPLICA_STATE_FOLLOWING,
  SIDE_ASK,
  SIDE_BID,
  TRADE_BYTES,
  TRADE_ID,
  TRADE_ID_LENGTH,
} from "../../assembly/layout.ts";
import { type Change, DECODED, Link, OUT, RECORD } from "./twin_link.ts";

const centre = fc.constantFrom(0n, 6_350_160n, -(2n ** 40n), 2n ** 62n);
const offset = fc.oneof(fc.bigInt({ min: -20n, max: 20n }), fc.bigInt({ min: -(2n ** 29n), max: 2n ** 29n }));
const quantity = fc.oneof(
  fc.constant(0n),
  fc.bigInt({ min: 1n, max: 2n ** 63n - 1n }),
  fc.tuple(fc.bigInt({ min: 1n, max: 999n }), fc.nat(7)).map(([lots, power]) => lots * 10n ** BigInt(power)),
);
const side = fc.constantFrom(SIDE_BID, SIDE_ASK);
const record = fc.record({
  changes: fc.array(fc.record({ side, price: offset, quantity }), { maxLength: 16 }),
  isLast: fc.boolean(),
  sequence: fc.bigInt({ min: 0n, max: 2n ** 63n }),
  step: fc.oneof(fc.bigInt({ min: 0n, max: 10n ** 12n }), fc.constantFrom(0n, 1000n, -5n, 1_000_000n)),
});
const story = fc.tuple(centre, fc.array(record, { minLength: 1, maxLength: 25 }));

/** Moves the changes of a record to a centre. */
function around(changes: Change[], middle: bigint): Change[] {
  return changes.map((change) => ({ ...change, price: change.price + middle }));
}

describe("delta frames", () => {
  it("carry every book to the client when any events are coded", () => {
    fc.assert(
      fc.property(story, ([middle, records]) => {
        const link = new Link();
        for (const [index, { changes, ...rest }] of records.entries()) {
          link.write(around(changes, middle), rest);
          expect(link.kernel.replicaApply(link.replica, RECORD)).toBe(REPLICA_OK);
          if (rest.isLast && index % 3 !== 0) {
            expect(link.give(link.take(index % 2))).toBe(REPLICA_OK);
            expect(link.contents(link.client)).toEqual(link.contents(link.replica));
          }
        }
      }),
      { numRuns: 60 },
    );
  });

  it("are refused or harmless when a bit of a checked frame is turned", () => {
    fc.assert(
      fc.property(story, fc.nat(), fc.nat(7), ([middle, records], place, bit) => {
        const link = new Link();
        for (const { changes, ...rest } of records) {
          link.write(around(changes, middle), { ...rest, isLast: true });
          link.kernel.replicaApply(link.replica, RECORD);
        }
        const frame = link.take(1);
        const at = place % frame.length;
        frame[at] = (frame[at] ?? 0) ^ (1 << bit);
        const code = link.give(frame);
        const isEqual =
          link.kernel.bookHash(link.bookOf(link.client)) === link.kernel.bookHash(link.bookOf(link.replica));
        expect(code < 0 || isEqual).toBe(true);
      }),
      { numRuns: 200 },
    );
  });

  it("are refused when a frame is missing", () => {
    const link = new Link();
    const frames = [1n, 2n, 3n].map((price) => {
      link.write([{ side: SIDE_BID, price, quantity: 7n }], { isLast: true, sequence: 0n, step: 5n });
      link.kernel.replicaApply(link.replica, RECORD);
      return link.take(1);
    });
    expect(link.give(frames[0] ?? new Uint8Array())).toBe(REPLICA_OK);
    expect(link.give(frames[2] ?? new Uint8Array())).toBe(REPLICA_HASH_MISMATCH);
    expect(link.give(frames[1] ?? new Uint8Array())).toBe(REPLICA_EMPTY);
  });

  it("are asked for before the next record when the buffer is full", () => {
    const link = new Link();
    let code = REPLICA_OK;
    for (let index = 0; index < 20_000 && code === REPLICA_OK; index++) {
      const price = BigInt(index % 50) * 1_000_000_007n;
      link.write([{ side: SIDE_BID, price: price % 10_000_000n, quantity: BigInt(index + 1) }], {
        isLast: true,
        sequence: BigInt(index),
        step: 1n,
      });
      code = link.kernel.replicaApply(link.replica, RECORD);
    }
    expect(code).toBe(REPLICA_BUFFER_FULL);
    expect(link.give(link.take(1))).toBe(REPLICA_OK);
    expect(link.kernel.replicaApply(link.replica, RECORD)).toBe(REPLICA_OK);
    expect(link.give(link.take(0))).toBe(REPLICA_OK);
    expect(link.contents(link.client)).toEqual(link.contents(link.replica));
  });
});

describe("snapshot frames", () => {
  it("carry the book to a fresh client when they come in parts of any size", () => {
    fc.assert(
      fc.property(story, fc.integer({ min: 100, max: 600 }), ([middle, records], limit) => {
        const link = new Link();
        for (const { changes, ...rest } of records) {
          link.write(around(changes, middle), { ...rest, isLast: true });
          link.kernel.replicaApply(link.replica, RECORD);
        }
        link.take(0);
        link.kernel.replicaClear(link.client);
        const parts = link.parts(limit);
        expect(parts.map((part) => link.give(part))).toEqual(parts.map(() => REPLICA_OK));
        expect(Math.max(...parts.map((part) => part.length))).toBeLessThanOrEqual(limit);
        expect(link.contents(link.client)).toEqual(link.contents(link.replica));
      }),
      { numRuns: 60 },
    );
  });

  it("are refused when a part is missing", () => {
    const link = new Link();
    for (let first = 0; first < 48; first += 16) {
      const prices = Array.from({ length: 16 }, (_, index) => BigInt(first + index));
      const changes = prices.map((price) => ({ side: SIDE_ASK, price, quantity: 12_345_678_901n }));
      link.write(changes, { isLast: true, sequence: 0n, step: 0n });
      link.kernel.replicaApply(link.replica, RECORD);
    }
    const parts = link.parts(101);
    expect(parts.length).toBeGreaterThan(2);
    const codes = parts.filter((_, index) => index !== 1).map((part) => link.give(part));
    expect(codes.at(-1)).toBeLessThan(0);
    expect(link.view.getUint32(link.client + REPLICA_STATE, true)).not.toBe(REPLICA_STATE_FOLLOWING);
  });
});

describe("replicaApply", () => {
  it.each([
    ["another instrument", DELTA_INSTRUMENT_ID, 1, REPLICA_INCONSISTENT],
    ["an old version", DELTA_VERSION, 2, REPLICA_STALE],
    ["a version that skips", DELTA_VERSION, 4, REPLICA_CHAIN_BROKEN],
    ["an unknown flag", DELTA_FLAGS, 64, REPLICA_INCONSISTENT],
    ["a reset with changes", DELTA_FLAGS, FLAG_RESET, REPLICA_INCONSISTENT],
    ["another count", DELTA_CHANGE_COUNT, 3, REPLICA_HASH_MISMATCH],
    ["more changes than a record holds", DELTA_CHANGE_COUNT, 16, REPLICA_INCONSISTENT],
    ["a side beyond the count", DELTA_SIDE_MASK + 1, 128, REPLICA_INCONSISTENT],
    ["another add bit", DELTA_ADD_MASK, 1, REPLICA_INCONSISTENT],
    ["another price", DELTA_BASE_PRICE, 1, REPLICA_HASH_MISMATCH],
    ["a negative quantity", DELTA_QUANTITIES + 7, 128, REPLICA_INCONSISTENT],
    ["another hash", DELTA_BOOK_HASH, 1, REPLICA_HASH_MISMATCH],
    ["a crossing that is none", DELTA_FLAGS, FLAG_CROSSED, REPLICA_INCONSISTENT],
  ])("refuses the record when it has %s", (_, field, bits, code) => {
    const link = new Link();
    link.write([{ side: SIDE_BID, price: 8n, quantity: 9n }], { isLast: true, sequence: 0n, step: 0n });
    expect(link.kernel.replicaApply(link.replica, RECORD)).toBe(REPLICA_OK);
    link.write([{ side: SIDE_BID, price: 6n, quantity: 9n }], { isLast: true, sequence: 0n, step: 0n });
    link.bytes[RECORD + field] = (link.bytes[RECORD + field] ?? 0) ^ bits;
    expect(link.kernel.replicaApply(link.replica, RECORD)).toBe(code);
    const isHeld = link.kernel.bookCount(link.bookOf(link.replica), SIDE_BID) > 0;
    expect(isHeld).toBe(code === REPLICA_STALE);
  });

  it("asks for an image when a reset comes", () => {
    const link = new Link();
    link.write([], { isLast: true, sequence: 0n, step: 0n });
    link.view.setUint16(RECORD + DELTA_FLAGS, FLAG_LAST | FLAG_RESET, true);
    expect(link.kernel.replicaApply(link.replica, RECORD)).toBe(REPLICA_RESET);
    expect(link.kernel.replicaApply(link.replica, RECORD)).toBe(REPLICA_RESET);
  });
});

describe("trade frames", () => {
  const int64 = fc.bigInt({ min: -(2n ** 61n), max: 2n ** 61n });
  const id = fc.oneof(
    fc.bigInt({ min: 0n, max: 10n ** 18n - 1n }).map(String),
    fc.stringMatching(/^[0-9a-z-]{0,48}$/),
    fc.constantFrom("007", "", "999999999999999999", "1000000000000000000"),
  );
  const trade = fc.record({
    fields: fc.tuple(int64, int64, int64, int64, int64),
    lots: fc.bigInt({ min: 1n, max: 2n ** 63n - 1n }),
    id,
    head: fc.nat(11),
  });

  it("carry every field when any trades are coded", () => {
    fc.assert(
      fc.property(fc.array(trade, { minLength: 1, maxLength: 20 }), fc.nat(1000), (trades, alias) => {
        const { kernel, view, bytes } = new Link();
        for (const [index, { fields, lots, id: text, head }] of trades.entries()) {
          const at = RECORD + index * TRADE_BYTES;
          const [eventAt, receivedAt, price, sequence, bookVersion] = fields;
          view.setBigInt64(at, eventAt, true);
          view.setBigInt64(at + 8, receivedAt, true);
          view.setBigInt64(at + 24, price, true);
          view.setBigInt64(at + 32, lots, true);
          view.setBigInt64(at + 40, sequence, true);
          view.setUint32(at + 48, alias, true);
          view.setUint16(at + 52, head >> 2, true);
          view.setUint8(at + 54, head % 3);
          bytes[at + TRADE_ID_LENGTH] = text.length;
          bytes.set(new TextEncoder().encode(text), at + TRADE_ID);
          view.setBigInt64(at + 104, BigInt(index) + 77n, true);
          view.setBigInt64(at + 112, bookVersion, true);
        }
        const length = kernel.tradesEncode(alias, RECORD, trades.length, OUT, 8192);
        expect(kernel.tradesDecode(OUT, length, DECODED, trades.length)).toBe(trades.length);
        const size = trades.length * TRADE_BYTES;
        expect(bytes.slice(DECODED, DECODED + size)).toEqual(bytes.slice(RECORD, RECORD + size));
        expect(kernel.tradesDecode(OUT, length, DECODED, trades.length - 1)).toBe(-1);
        expect(kernel.tradesDecode(OUT, length - 1, DECODED, trades.length)).toBe(-1);
      }),
    );
  });
});

describe("best bid and offer frames", () => {
  it("carry the best levels when any book is coded", () => {
    fc.assert(
      fc.property(story, ([middle, records]) => {
        const link = new Link();
        for (const { changes, ...rest } of records) {
          link.write(around(changes, middle), { ...rest, isLast: true });
          link.kernel.replicaApply(link.replica, RECORD);
        }
        const [bid] = link.levels(link.bookOf(link.replica), SIDE_BID);
        const [ask] = link.levels(link.bookOf(link.replica), SIDE_ASK);
        const length = link.kernel.bboEncode(link.replica, OUT);
        expect(link.kernel.bboDecode(OUT, length, DECODED)).toBe(0);
        const field = (at: number): bigint => link.view.getBigInt64(DECODED + at, true);
        expect([field(BBO_BID_PRICE), field(BBO_BID_QUANTITY)]).toEqual(bid ?? [0n, 0n]);
        expect([field(BBO_ASK_PRICE), field(BBO_ASK_QUANTITY)]).toEqual(ask ?? [0n, 0n]);
        const sides = (bid === undefined ? 0 : CELL_FLAG_BID) | (ask === undefined ? 0 : CELL_FLAG_ASK);
        expect(link.view.getUint32(DECODED + BBO_FLAGS, true) & 3).toBe(sides);
        expect(link.kernel.bboDecode(OUT, length - 1, DECODED + BBO_BYTES)).toBe(-1);
      }),
      { numRuns: 60 },
    );
  });
});
