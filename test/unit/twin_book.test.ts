/**
 * The twin's book against a Map: levels, order, hash, truncation and scaling after any sequence of changes, with prices
 * of both signs and at the ends of i64. Bad case: a book that only works near the touch; prices are drawn far apart, too.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  BOOK_ADDED,
  BOOK_CHANGED,
  BOOK_REMOVED,
  BOOK_UNCHANGED,
  LEVEL_BYTES,
  SIDE_ASK,
  SIDE_BID,
} from "../../assembly/layout.ts";
import { createTwin } from "../../src/kernel/twin/mod.ts";

const LEVEL = 0;
const WALK = 4096;
const ROOM = 1048576;
const MAX = 2n ** 63n - 1n;
const MIN = -(2n ** 63n);
const kernel = createTwin(new ArrayBuffer(ROOM));
const view = new DataView(kernel.buffer);

type Change = { side: number; price: bigint; quantity: bigint };
type Sides = [Map<bigint, bigint>, Map<bigint, bigint>];

function setLevel(price: bigint, quantity: bigint): void {
  view.setBigInt64(LEVEL, price, true);
  view.setBigInt64(LEVEL + 8, quantity, true);
}

function apply(book: number, change: Change): number {
  setLevel(change.price, change.quantity);
  return kernel.bookApply(book, change.side, LEVEL);
}

function sideOf(sides: Sides, side: number): Map<bigint, bigint> {
  return side === SIDE_BID ? sides[0] : sides[1];
}

/** What the change does to the map. */
function applyToMap(sides: Sides, { side, price, quantity }: Change): number {
  const levels = sideOf(sides, side);
  const before = levels.get(price) ?? 0n;
  if (before === quantity) {
    return BOOK_UNCHANGED;
  }
  if (quantity === 0n) {
    levels.delete(price);
    return BOOK_REMOVED;
  }
  levels.set(price, quantity);
  return before === 0n ? BOOK_ADDED : BOOK_CHANGED;
}

function walk(book: number, side: number, from = 0): [bigint, bigint][] {
  const count = kernel.bookWalk(book, side, from, 60_000, WALK);
  const level = (index: number): [bigint, bigint] => {
    const at = WALK + index * LEVEL_BYTES;
    return [view.getBigInt64(at, true), view.getBigInt64(at + 8, true)];
  };
  return Array.from({ length: count }, (_, index) => level(index));
}

function sorted(sides: Sides, side: number): [bigint, bigint][] {
  const sign = side === SIDE_BID ? -1 : 1;
  return [...sideOf(sides, side)].sort(([a], [b]) => (a < b ? -sign : sign));
}

function hashOf(sides: Sides): number {
  let hash = 0;
  for (const side of [SIDE_BID, SIDE_ASK]) {
    for (const [price, quantity] of sideOf(sides, side)) {
      setLevel(price, quantity);
      hash = (hash + kernel.levelHash(side, LEVEL)) % 2 ** 32;
    }
  }
  return hash;
}

/** What the book says of itself. */
function contents(book: number): unknown {
  return {
    bids: walk(book, SIDE_BID),
    asks: walk(book, SIDE_ASK),
    counts: [kernel.bookCount(book, SIDE_BID), kernel.bookCount(book, SIDE_ASK)],
    hash: kernel.bookHash(book),
  };
}

/** What the book should say. */
function contentsOf(sides: Sides): unknown {
  return {
    bids: sorted(sides, SIDE_BID),
    asks: sorted(sides, SIDE_ASK),
    counts: [sides[0].size, sides[1].size],
    hash: hashOf(sides),
  };
}

const price = fc.oneof(
  { weight: 5, arbitrary: fc.bigInt({ min: -30n, max: 30n }) },
  { weight: 2, arbitrary: fc.bigInt({ min: MIN, max: MAX }) },
  { weight: 1, arbitrary: fc.constantFrom(MIN, MAX, MIN + 1n, MAX - 1n, 2n ** 32n, -(2n ** 32n), 2n ** 31n) },
);
const quantity = fc.oneof(
  { weight: 2, arbitrary: fc.constant(0n) },
  { weight: 3, arbitrary: fc.bigInt({ min: 1n, max: 9n }) },
  { weight: 1, arbitrary: fc.bigInt({ min: 1n, max: MAX }) },
);
const change: fc.Arbitrary<Change> = fc.record({ side: fc.constantFrom(SIDE_BID, SIDE_ASK), price, quantity });

describe("book", () => {
  it("holds the levels, order and hash of a map when any changes are applied", () => {
    fc.assert(
      fc.property(fc.array(change, { maxLength: 300 }), (changes) => {
        const book = kernel.bookCreate();
        const sides: Sides = [new Map(), new Map()];
        for (const each of changes) {
          expect(apply(book, each)).toBe(applyToMap(sides, each));
        }
        expect(contents(book)).toEqual(contentsOf(sides));
        expect(walk(book, SIDE_ASK, 3)).toEqual(sorted(sides, SIDE_ASK).slice(3));
      }),
    );
  });

  it("keeps the best levels when it is truncated", () => {
    fc.assert(
      fc.property(fc.array(change, { maxLength: 60 }), fc.nat(20), (changes, depth) => {
        const book = kernel.bookCreate();
        const sides: Sides = [new Map(), new Map()];
        for (const each of changes) {
          apply(book, each);
          applyToMap(sides, each);
        }
        for (const side of [SIDE_BID, SIDE_ASK]) {
          const kept = sorted(sides, side).slice(0, depth);
          expect(kernel.bookTruncate(book, side, depth)).toBe(sideOf(sides, side).size - kept.length);
          sides[side === SIDE_BID ? 0 : 1] = new Map(kept);
        }
        expect(contents(book)).toEqual(contentsOf(sides));
      }),
    );
  });

  it("multiplies every level, or changes nothing, when it is scaled", () => {
    fc.assert(
      fc.property(fc.array(change, { maxLength: 40 }), fc.nat(4), fc.nat(4), (changes, pricePower, quantityPower) => {
        const book = kernel.bookCreate();
        const sides: Sides = [new Map(), new Map()];
        for (const each of changes.filter((candidate) => candidate.price !== MIN)) {
          apply(book, each);
          applyToMap(sides, each);
        }
        const scaled = sides.map(
          (levels) =>
            new Map([...levels].map(([p, q]) => [p * 10n ** BigInt(pricePower), q * 10n ** BigInt(quantityPower)])),
        ) as Sides;
        const numbers = scaled.flatMap((levels) => [...levels].flat());
        const fits = numbers.every((value) => value >= MIN && value <= MAX);
        expect(kernel.bookCanScale(book, pricePower, quantityPower)).toBe(fits ? 1 : 0);
        expect(contents(book)).toEqual(contentsOf(sides));
        expect(kernel.bookScale(book, pricePower, quantityPower)).toBe(fits ? 0 : 1);
        expect(contents(book)).toEqual(contentsOf(fits ? scaled : sides));
      }),
    );
  });

  it("holds 46,000 levels in order when they come from all places and leave again", () => {
    const book = kernel.bookCreate();
    const count = 46_000;
    for (let index = 0; index < count; index++) {
      apply(book, { side: SIDE_ASK, price: BigInt((index * 7919) % count), quantity: BigInt(index + 1) });
    }
    expect(walk(book, SIDE_ASK).map(([at]) => Number(at))).toEqual(Array.from({ length: count }, (_, index) => index));
    for (let index = 0; index < count; index++) {
      const removed = { side: SIDE_ASK, price: BigInt((index * 104_729) % count), quantity: 0n };
      expect(apply(book, removed)).toBe(BOOK_REMOVED);
    }
    expect([kernel.bookCount(book, SIDE_ASK), kernel.bookHash(book)]).toEqual([0, 0]);
  });

  it("is empty and usable when it was cleared", () => {
    const book = kernel.bookCreate();
    apply(book, { side: SIDE_BID, price: 5n, quantity: 1n });
    kernel.bookClear(book);
    expect([kernel.bookCount(book, SIDE_BID), kernel.bookHash(book)]).toEqual([0, 0]);
    expect(apply(book, { side: SIDE_BID, price: 5n, quantity: 1n })).toBe(BOOK_ADDED);
  });

  it("throws when the handle is unknown", () => {
    expect(() => kernel.bookHash(1_000_000)).toThrow(RangeError);
  });
});
