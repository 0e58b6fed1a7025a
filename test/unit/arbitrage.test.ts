/**
 * The arbitrage detector against a brute-force one over the same events, and the life of an opportunity: opened, changed,
 * told at a bounded rate, closed for a reason. Bad case: an opportunity from a book that is not known to be right.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { SIDE_ASK, SIDE_BID } from "../../assembly/layout.ts";
import {
  type ArbitrageBook,
  ArbitrageDetector,
  type ArbitrageRules,
  type OpportunityEvent,
} from "../../src/arbitrage/mod.ts";
import { decimalUnits } from "../../src/wire/numbers.ts";
import { bruteForce, type PlainBook } from "./arbitrage_oracle.ts";

const AGE_MS = 1000;

type Shape = { exchange: string; priceExponent: number; quantityExponent: number; feeBps: number; quote?: string };

class TestBook implements ArbitrageBook, PlainBook {
  readonly base = "BTC";
  readonly exchange: string;
  readonly quote: string;
  readonly instrument: string;
  readonly priceExponent: number;
  readonly quantityExponent: number;
  readonly feeBps: number;
  readonly bids = new Map<bigint, bigint>();
  readonly asks = new Map<bigint, bigint>();
  isUsable = true;
  updatedAtMs = 0;
  hash = 0;
  events = 0;

  constructor({ exchange, priceExponent, quantityExponent, feeBps, quote = "USD" }: Shape) {
    this.exchange = exchange;
    this.quote = quote;
    this.priceExponent = priceExponent;
    this.quantityExponent = quantityExponent;
    this.feeBps = feeBps;
    this.instrument = `${exchange}:BTC-${quote}`;
  }
  get version(): string {
    return String(this.events);
  }
  get tickExponent(): number {
    return this.priceExponent;
  }
  get lotExponent(): number {
    return this.quantityExponent;
  }
  bestTicks(side: number): number {
    const price = this.level(side, 0)?.price;
    return price === undefined ? Number.NaN : Number(price);
  }
  level(side: number, index: number) {
    const sign = side === SIDE_BID ? 1n : -1n;
    const levels = [...(side === SIDE_BID ? this.bids : this.asks)];
    levels.sort((a, b) => Number(sign * (b[0] - a[0])));
    const [price, quantity] = levels[index] ?? [];
    return price === undefined || quantity === undefined ? undefined : { price, quantity };
  }
  set(side: number, price: bigint, quantity: bigint, nowMs: number): void {
    const levels = side === SIDE_BID ? this.bids : this.asks;
    if (quantity === 0n) {
      levels.delete(price);
    } else {
      levels.set(price, quantity);
    }
    this.events += 1;
    this.updatedAtMs = nowMs;
  }
}

function scene(rules: Partial<ArbitrageRules> = {}) {
  const books = [
    new TestBook({ exchange: "kraken", priceExponent: 1, quantityExponent: 2, feeBps: 26 }),
    new TestBook({ exchange: "binance", priceExponent: 2, quantityExponent: 1, feeBps: 10 }),
    new TestBook({ exchange: "coinbase", priceExponent: 2, quantityExponent: 2, feeBps: 0 }),
  ];
  const events: OpportunityEvent[] = [];
  const feesBps = Object.fromEntries(books.map(({ exchange, feeBps }) => [exchange, feeBps]));
  const detector = new ArbitrageDetector({ feesBps, ageMsMax: AGE_MS, reportMs: 0, ...rules }, (event) => {
    events.push(event);
  });
  for (const book of books) {
    detector.add(book);
  }
  return { books, events, detector };
}

/** Two books that cross by one percent, without fees. */
function crossed(rules: Partial<ArbitrageRules> = {}) {
  const made = scene({ feesBps: {}, defaultFeeBps: 0, ...rules });
  const [kraken, binance] = made.books as [TestBook, TestBook, TestBook];
  kraken.set(SIDE_ASK, 1000n, 50n, 0);
  binance.set(SIDE_BID, 10_100n, 20n, 0);
  made.detector.update(kraken, 0);
  made.detector.update(binance, 0);
  return { ...made, kraken, binance };
}

const step = fc.record({
  book: fc.nat(2),
  side: fc.constantFrom(SIDE_BID, SIDE_ASK),
  offset: fc.integer({ min: -8, max: 8 }),
  lots: fc.integer({ min: 0, max: 6 }),
  waitMs: fc.constantFrom(0, 0, 10, 400, 1200),
  usable: fc.constantFrom(true, true, true, true, false),
});

describe("ArbitrageDetector against brute force", () => {
  it("has exactly the same opportunities open after every event", () => {
    let seen = 0;
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 60 }), (steps) => {
        const { books, detector } = scene();
        let nowMs = 0;
        for (const { book: index, side, offset, lots, waitMs, usable } of steps) {
          const book = books[index] as TestBook;
          nowMs += waitMs;
          book.isUsable = usable;
          const tick = BigInt(1000 + offset) * 10n ** BigInt(book.priceExponent - 1);
          book.set(side, tick, BigInt(lots), nowMs);
          detector.update(book, nowMs);
          detector.expire(nowMs);
          const expected = bruteForce(books, { nowMs, ageMsMax: AGE_MS });
          const found = detector.opportunities().map((one) => ({
            key: `${one.buy.instrument} > ${one.sell.instrument}`,
            quantity: units(one.quantity, 15),
            profit: units(one.profit, 30),
          }));
          const sort = (one: { key: string }, other: { key: string }) => one.key.localeCompare(other.key);
          seen += found.length;
          expect(found.sort(sort)).toEqual(
            expected.map(({ key, quantity, profit }) => ({ key, quantity, profit })).sort(sort),
          );
        }
      }),
      { numRuns: 300 },
    );
    expect(seen).toBeGreaterThan(100);
  });
});

describe("ArbitrageDetector", () => {
  it("tells size, averages, profit, versions and hashes exactly when books cross", () => {
    const { events } = crossed();
    expect(events).toHaveLength(1);
    expect(events[0]).toMatchObject({
      event: "opened",
      opportunity: {
        pair: "BTC-USD",
        buy: { instrument: "kraken:BTC-USD", version: "1", averagePrice: "100", worstPrice: "100" },
        sell: { instrument: "binance:BTC-USD", version: "1", averagePrice: "101", worstPrice: "101" },
        quantity: "0.5",
        profit: "0.5",
        profitBps: "100",
        isCut: false,
      },
    });
  });

  it("takes fees of both exchanges off before it calls something an opportunity", () => {
    const free = crossed({ feesBps: { kraken: 40, binance: 59 } });
    expect(free.events).toHaveLength(1);
    const eaten = crossed({ feesBps: { kraken: 40, binance: 60 } });
    expect(eaten.events).toEqual([]);
  });

  it("closes with the reason and the lifetime when prices part, a book grows old, leaves synced or is removed", () => {
    const parted = crossed();
    parted.kraken.set(SIDE_ASK, 1000n, 0n, 70);
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
      { event: "closed", reason: "prices", lifetimeMs: 70 },
      { event: "closed", reason: "stale", lifetimeMs: AGE_MS + 1 },
      { event: "closed", reason: "not_synced", lifetimeMs: 5 },
      { event: "closed", reason: "removed", lifetimeMs: 9 },
    ]);
    expect([parted, aged, lost, removed].flatMap(({ detector }) => detector.opportunities())).toEqual([]);
  });

  it("tells changes at a bounded rate, the last one always", () => {
    const { events, detector, kraken } = crossed({ reportMs: 100 });
    for (let at = 1; at <= 50; at++) {
      kraken.set(SIDE_ASK, 1000n, BigInt(50 + at), at);
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

  it("keeps the largest profit of a life", () => {
    const { events, detector, binance } = crossed();
    binance.set(SIDE_BID, 10_200n, 20n, 1);
    detector.update(binance, 1);
    binance.set(SIDE_BID, 10_200n, 0n, 2);
    detector.update(binance, 2);
    expect(events.at(-1)).toMatchObject({ opportunity: { profitBps: "100", profitBpsMax: "200" } });
  });

  it("compares quotes of different currencies only when they are configured to be the same", () => {
    const tether = new TestBook({
      exchange: "binance_us",
      priceExponent: 2,
      quantityExponent: 1,
      feeBps: 0,
      quote: "USDT",
    });
    tether.set(SIDE_BID, 10_300n, 20n, 0);
    const strict = crossed();
    strict.detector.add(tether);
    strict.detector.update(tether, 0);
    expect(strict.events).toHaveLength(1);
    const loose = crossed({ equivalents: [["USD", "USDT"]] });
    loose.detector.add(tether);
    loose.detector.update(tether, 0);
    expect(loose.events.at(-1)).toMatchObject({ opportunity: { sell: { instrument: "binance_us:BTC-USDT" } } });
  });

  it("looks at a bounded number of levels and says when there was more", () => {
    const { events, detector, kraken } = crossed({ levelsMax: 3 });
    for (let price = 990n; price < 1000n; price++) {
      kraken.set(SIDE_ASK, price, 1n, 1);
    }
    detector.update(kraken, 1);
    expect(events.at(-1)).toMatchObject({ opportunity: { quantity: "0.03", isCut: true } });
  });

  it("opens nothing below the least profit", () => {
    expect(crossed({ profitBpsMin: 100 }).events).toHaveLength(1);
    expect(crossed({ profitBpsMin: 100.0001 }).events).toEqual([]);
  });

  it.each([-1, 10_000, Number.NaN, 0.00001])("refuses the fee %s", (fee) => {
    expect(() => new ArbitrageDetector({ defaultFeeBps: fee }, () => undefined)).toThrow(RangeError);
  });
});

function units(text: string, digits: number): bigint {
  const [whole = "", fraction = ""] = text.split(".");
  const padded = fraction.padEnd(digits, "0");
  expect(padded).toHaveLength(digits);
  return (decimalUnits(whole, 0) ?? 0n) * 10n ** BigInt(digits) + BigInt(padded);
}
