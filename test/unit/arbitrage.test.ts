/**
 * The arbitrage detector against brute-force ones over the same events, and the life of an opportunity: opened, changed,
 * told at a bounded rate, closed for a reason. Bad case: an opportunity from a book that is not known to be right.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { SIDE_ASK, SIDE_BID } from "../../assembly/layout.ts";
import { ArbitrageDetector, type ArbitrageRules } from "../../src/arbitrage/mod.ts";
import type { Opportunity } from "../../src/wire/opportunity.ts";
import { type BookShape, detectorScene, MemoryBook, unitsOf } from "../support/arbitrage_books.ts";
import { bruteCircles, bruteForce, byKey, MONEY_DIGITS } from "../support/arbitrage_oracle.ts";

const AGE_MS = 1000;
const SHAPES: BookShape[] = [
  { instrument: "kraken:BTC-USD", priceExponent: 1, quantityExponent: 2 },
  { instrument: "binance:BTC-USD", priceExponent: 2, quantityExponent: 1 },
  { instrument: "coinbase:BTC-USD", priceExponent: 2, quantityExponent: 2 },
];
const CIRCLE: BookShape[] = [
  { instrument: "kraken:ETH-USD", priceExponent: 1, quantityExponent: 1 },
  { instrument: "kraken:ETH-BTC", priceExponent: 3, quantityExponent: 2 },
  { instrument: "kraken:BTC-USD", priceExponent: 0, quantityExponent: 1 },
];

/** Two books that cross by one percent, without fees. */
function crossed(rules: Partial<ArbitrageRules> = {}) {
  const scene = detectorScene(SHAPES, { ageMsMax: AGE_MS, ...rules });
  const [kraken, binance] = scene.books as [MemoryBook, MemoryBook, MemoryBook];
  kraken.set(SIDE_ASK, { price: 1000n, quantity: 50n, nowMs: 0 });
  binance.set(SIDE_BID, { price: 10_100n, quantity: 20n, nowMs: 0 });
  scene.detector.update(kraken, 0);
  scene.detector.update(binance, 0);
  return { ...scene, kraken, binance };
}

function keyed({ legs, quantity, profit }: Opportunity) {
  const key = legs.map(({ instrument }) => instrument).join(" > ");
  return { key, quantity: unitsOf(quantity, MONEY_DIGITS), profit: unitsOf(profit, MONEY_DIGITS) };
}

const stepOf = (books: number) =>
  fc.record({
    book: fc.nat(books - 1),
    side: fc.constantFrom(SIDE_BID, SIDE_ASK),
    offset: fc.integer({ min: -8, max: 8 }),
    lots: fc.integer({ min: 0, max: 6 }),
    waitMs: fc.constantFrom(0, 0, 10, 400, 1200),
    usable: fc.constantFrom(true, true, true, true, false),
  });

describe("ArbitrageDetector against brute force", () => {
  it("has exactly the same opportunities open after every event", () => {
    const feesBps = { kraken: 26, binance: 10, coinbase: 0 };
    let seen = 0;
    fc.assert(
      fc.property(fc.array(stepOf(3), { minLength: 1, maxLength: 60 }), (steps) => {
        const { books, detector } = detectorScene(SHAPES, { feesBps, ageMsMax: AGE_MS });
        let nowMs = 0;
        for (const { book: index, side, offset, lots, waitMs, usable } of steps) {
          const book = books[index] as MemoryBook;
          nowMs += waitMs;
          book.isUsable = usable;
          const price = BigInt(1000 + offset) * 10n ** BigInt(book.priceExponent - 1);
          book.set(side, { price, quantity: BigInt(lots), nowMs });
          detector.update(book, nowMs);
          detector.expire(nowMs);
          const found = detector.opportunities().map(keyed).sort(byKey);
          seen += found.length;
          expect(found).toEqual(bruteForce(books, { nowMs, ageMsMax: AGE_MS, feesBps }));
        }
      }),
      { numRuns: 300 },
    );
    expect(seen).toBeGreaterThan(100);
  });

  it("has exactly the same circles open after every event, when it is asked for circles", () => {
    // ETH-USD about 100.0, ETH-BTC about 0.100, BTC-USD about 1000.
    const middles = [1000, 100, 1000];
    let [seen, across] = [0, 0];
    fc.assert(
      fc.property(fc.array(stepOf(3), { minLength: 6, maxLength: 50 }), fc.nat(40), (steps, fee) => {
        const feesBps = { kraken: fee };
        const { books, detector } = detectorScene(CIRCLE, { feesBps, ageMsMax: AGE_MS, triangular: true });
        let nowMs = 0;
        for (const { book: index, side, offset, lots, waitMs, usable } of steps) {
          const book = books[index] as MemoryBook;
          nowMs += waitMs;
          book.isUsable = usable;
          const quantity = BigInt(lots * (index === 1 ? 30 : 1));
          book.set(side, { price: BigInt((middles[index] ?? 0) + offset), quantity, nowMs });
          detector.update(book, nowMs);
          detector.expire(nowMs);
          const found = detector.opportunities();
          seen += found.length;
          across += found.filter(({ legs }) =>
            legs.some(({ averagePrice, worstPrice }) => averagePrice !== worstPrice),
          ).length;
          const expected = bruteCircles(books, { nowMs, ageMsMax: AGE_MS, feesBps });
          expect(found.map(keyed).sort(byKey)).toEqual(expected);
        }
      }),
      { numRuns: 300 },
    );
    expect(seen).toBeGreaterThan(100);
    expect(across).toBeGreaterThan(20);
  });
});

describe("ArbitrageDetector", () => {
  it("tells size, sums, averages, profit, versions and hashes exactly when books cross", () => {
    const { events, kraken, binance } = crossed({ feesBps: { kraken: 40, binance: 10, coinbase: 0 } });
    expect(events).toEqual([
      {
        event: "opened",
        reason: "none",
        atMs: 0,
        opportunity: {
          id: 1,
          kind: "cross",
          base: "BTC",
          currency: "USD",
          quantity: "0.5",
          profit: "0.2495",
          profitBps: "49.9",
          profitBpsMax: "49.9",
          cut: false,
          openedAtMs: 0,
          changedAtMs: 0,
          legs: [
            {
              action: "buy",
              instrument: "kraken:BTC-USD",
              version: "1",
              hash: kraken.hash,
              receivedAtMs: 0,
              feeBps: "40",
              quantity: "0.5",
              amount: "50",
              averagePrice: "100",
              worstPrice: "100",
            },
            {
              action: "sell",
              instrument: "binance:BTC-USD",
              version: "1",
              hash: binance.hash,
              receivedAtMs: 0,
              feeBps: "10",
              quantity: "0.5",
              amount: "50.5",
              averagePrice: "101",
              worstPrice: "101",
            },
          ],
        },
      },
    ]);
  });

  it("closes with the versions that it was computed from, not with those that ended it", () => {
    const { events, detector, kraken } = crossed();
    kraken.set(SIDE_ASK, { price: 1000n, quantity: 0n, nowMs: 70 });
    detector.update(kraken, 70);
    expect(events.at(-1)?.opportunity.legs.map(({ version }) => version)).toEqual(["1", "1"]);
  });

  it("takes fees of both exchanges off before it calls something an opportunity", () => {
    const free = crossed({ feesBps: { kraken: 40, binance: 59, coinbase: 0 } });
    expect(free.events).toHaveLength(1);
    const eaten = crossed({ feesBps: { kraken: 40, binance: 60, coinbase: 0 } });
    expect(eaten.events).toEqual([]);
  });

  it("leaves exchanges out whose fee is not known", () => {
    const { detector, events } = crossed({ feesBps: { kraken: 0, coinbase: 0 } });
    expect(events).toEqual([]);
    expect(detector.add(new MemoryBook({ ...(SHAPES[1] as BookShape) }))).toBe(false);
  });

  it("closes with the reason and the time when prices part, a book grows old, leaves synced or is removed", () => {
    const parted = crossed();
    parted.kraken.set(SIDE_ASK, { price: 1000n, quantity: 0n, nowMs: 70 });
    parted.detector.update(parted.kraken, 70);
    const aged = crossed();
    aged.detector.expire(AGE_MS);
    aged.detector.expire(AGE_MS + 1);
    const lost = crossed();
    lost.kraken.isUsable = false;
    lost.detector.update(lost.kraken, 5);
    const removed = crossed();
    removed.detector.remove(removed.binance, 9);
    const ends = [parted, aged, lost, removed].map(({ events }) => events.at(-1));
    expect(ends).toMatchObject([
      { event: "closed", reason: "prices", atMs: 70 },
      { event: "closed", reason: "stale", atMs: AGE_MS + 1 },
      { event: "closed", reason: "not_synced", atMs: 5 },
      { event: "closed", reason: "removed", atMs: 9 },
    ]);
    expect([parted, aged, lost, removed].flatMap(({ detector }) => detector.opportunities())).toEqual([]);
  });

  it("waits for the end of an event of either book before it judges", () => {
    const { events, detector, kraken, binance } = crossed();
    binance.isWhole = false;
    kraken.set(SIDE_ASK, { price: 1000n, quantity: 0n, nowMs: 1 });
    detector.update(kraken, 1);
    detector.expire(1);
    expect(events).toHaveLength(1);
    binance.isWhole = true;
    detector.update(binance, 2);
    expect(events.at(-1)).toMatchObject({ event: "closed", reason: "prices", atMs: 2 });
  });

  it("tells changes at a bounded rate, the last one always", () => {
    const { events, detector, kraken } = crossed({ reportMs: 100 });
    for (let at = 1; at <= 50; at++) {
      kraken.set(SIDE_ASK, { price: 1000n, quantity: BigInt(50 + at), nowMs: at });
      detector.update(kraken, at);
    }
    expect([events.length, detector.counts.suppressed]).toEqual([1, 50]);
    detector.expire(99);
    expect(events).toHaveLength(1);
    detector.expire(100);
    expect(events.at(-1)).toMatchObject({ event: "changed", opportunity: { quantity: "1", changedAtMs: 50 } });
    detector.expire(300);
    expect(events).toHaveLength(2);
  });

  it("tells a crossing that flickers at a bounded rate, and closes only what it told to be open", () => {
    const { events, detector, kraken } = crossed({ reportMs: 100 });
    const told = (): string[] => events.splice(0).map(({ event, atMs }) => `${event} ${atMs}`);
    expect(told()).toEqual(["opened 0"]);
    for (let at = 1; at <= 40; at++) {
      kraken.set(SIDE_ASK, { price: 1000n, quantity: at % 2 === 0 ? 50n : 0n, nowMs: at });
      detector.update(kraken, at);
    }
    expect(told()).toEqual(["closed 1"]);
    expect([detector.counts.opened, detector.counts.closed]).toEqual([21, 20]);
    expect([detector.opportunities().length, detector.opportunities({ announced: true }).length]).toEqual([1, 0]);
    detector.expire(101);
    expect(told()).toEqual(["opened 101"]);
  });

  it("keeps the largest profit of a life", () => {
    const { events, detector, binance } = crossed();
    binance.set(SIDE_BID, { price: 10_200n, quantity: 20n, nowMs: 1 });
    detector.update(binance, 1);
    binance.set(SIDE_BID, { price: 10_200n, quantity: 0n, nowMs: 2 });
    detector.update(binance, 2);
    expect(events.at(-1)).toMatchObject({ opportunity: { profitBps: "100", profitBpsMax: "200" } });
  });

  it("compares quotes of different currencies only when they are configured to be the same", () => {
    const shape = { instrument: "coinbase:BTC-USDT", priceExponent: 2, quantityExponent: 1 };
    const tether = () => {
      const book = new MemoryBook(shape);
      book.set(SIDE_BID, { price: 10_300n, quantity: 20n, nowMs: 0 });
      return book;
    };
    const [strict, loose] = [crossed(), crossed({ equivalents: [["USD", "USDT"]] })];
    for (const { detector } of [strict, loose]) {
      const book = tether();
      detector.add(book);
      detector.update(book, 0);
    }
    expect(strict.events).toHaveLength(1);
    expect(loose.events.at(-1)).toMatchObject({ opportunity: { legs: [{}, { instrument: "coinbase:BTC-USDT" }] } });
  });

  it("looks at a bounded number of levels and says when there was more", () => {
    const { events, detector, kraken } = crossed({ levelsMax: 3 });
    for (let price = 998n; price < 1000n; price++) {
      kraken.set(SIDE_ASK, { price, quantity: 1n, nowMs: 1 });
    }
    detector.update(kraken, 1);
    expect(events.at(-1)).toMatchObject({ opportunity: { quantity: "0.52", cut: false } });
    kraken.set(SIDE_ASK, { price: 997n, quantity: 1n, nowMs: 2 });
    detector.update(kraken, 2);
    expect(events.at(-1)).toMatchObject({ opportunity: { quantity: "0.03", cut: true } });
  });

  it("opens nothing below the least profit", () => {
    expect(crossed({ profitBpsMin: 100 }).events).toHaveLength(1);
    expect(crossed({ profitBpsMin: 100.0001 }).events).toEqual([]);
  });

  it.each([-1, 10_000, Number.NaN, 0.00001])("refuses the fee %s", (fee) => {
    expect(() => new ArbitrageDetector({ feesBps: { kraken: fee } }, () => undefined)).toThrow(RangeError);
  });

  it.each(["profitBpsMin", "ageMsMax", "reportMs", "levelsMax"])("refuses a negative %s", (name) => {
    expect(() => new ArbitrageDetector({ feesBps: {}, [name]: -1 }, () => undefined)).toThrow(RangeError);
  });
});
