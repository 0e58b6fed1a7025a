/**
 * The synthetic market without sockets: reproducible, never crossed, as lively as the live recording it imitates.
 * Bad case: a rule that lets books shrink or drift slowly; hence half an hour of simulated time.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { DEFAULT_INSTRUMENTS } from "../../src/emulator/instruments.ts";
import { ASK, BID, Ladder } from "../../src/emulator/ladder.ts";
import { Market } from "../../src/emulator/market.ts";
import { nanoTime, paddedDecimal, plainDecimal } from "../../src/emulator/text.ts";
import { EXCHANGE_IDS } from "../../src/model/exchange_id.ts";

const SECOND_US = 1_000_000;

/** What a market did, as text: equal texts are equal histories. */
function history(seed: number, stepUs: number): string {
  const market = new Market({
    instruments: DEFAULT_INSTRUMENTS.map((one) => ({ ...one, levels: 400 })),
    seed,
    rate: 2,
  });
  const lines: string[] = [];
  for (const exchange of EXCHANGE_IDS) {
    market.listen(exchange, (book, atUs) => {
      const changes = book.changes.map(({ side, price, quantity }) => `${side}:${price}:${quantity}`).join(",");
      const fills = book.fills.map(({ id, price, quantity }) => `${id}:${price}:${quantity}`).join(",");
      if (changes + fills !== "") {
        lines.push(`${atUs} ${book.instrument.exchange} ${book.instrument.native} ${changes} ${fills}`);
      }
    });
  }
  for (let atUs = 0; atUs < 20 * SECOND_US; atUs += stepUs) {
    market.advance(atUs);
  }
  market.advance(20 * SECOND_US);
  return lines.join("\n");
}

describe("Market", () => {
  test("gives equal histories for equal seeds, whatever the steps in which time advances", () => {
    const slow = history(11, 1_000_000);
    expect(slow.length).toBeGreaterThan(10_000);
    expect(history(11, 7_000)).toBe(slow);
    expect(history(12, 1_000_000)).not.toBe(slow);
  });

  test("is never crossed and keeps its size when it runs for half an hour", () => {
    const market = new Market({ instruments: DEFAULT_INSTRUMENTS, seed: 5, rate: 1 });
    const perSecond = new Map<number, number>();
    let fills = 0;
    let crossed = 0;
    let longestGapUs = 0;
    let lastUs = 0;
    for (const exchange of EXCHANGE_IDS) {
      market.listen(exchange, (book, atUs) => {
        crossed += book.bids.best < book.asks.best ? 0 : 1;
        fills += book.fills.length;
        if (book.changes.length > 0) {
          const second = Math.floor(atUs / SECOND_US);
          perSecond.set(second, (perSecond.get(second) ?? 0) + 1);
          longestGapUs = Math.max(longestGapUs, atUs - lastUs);
          lastUs = atUs;
        }
      });
    }
    const seconds = 1_800;
    market.advance(seconds * SECOND_US);
    const total = [...perSecond.values()].reduce((sum, count) => sum + count, 0);
    expect(crossed).toBe(0);
    // The profile of a live recording: 61 deltas a second, 473 at peak, 24 trades a second, silences up to 4 s.
    expect(total / seconds).toBeGreaterThan(40);
    expect(total / seconds).toBeLessThan(80);
    expect(Math.max(...perSecond.values())).toBeGreaterThan(350);
    expect(fills / seconds).toBeGreaterThan(15);
    expect(fills / seconds).toBeLessThan(35);
    expect(longestGapUs).toBeGreaterThan(2 * SECOND_US);
    expect(longestGapUs).toBeLessThan(6 * SECOND_US);
    for (const exchange of EXCHANGE_IDS) {
      for (const book of market.books(exchange).values()) {
        const levels = book.bids.count + book.asks.count;
        expect(levels / book.instrument.levels).toBeGreaterThan(0.9);
        expect(levels / book.instrument.levels).toBeLessThan(1.1);
      }
    }
  });

  test("holds absurd levels when it opens", () => {
    const market = new Market({ instruments: DEFAULT_INSTRUMENTS, seed: 5, rate: 1 });
    const book = market.books("coinbase_exchange").get("BTC-USD");
    expect(book?.bids.price(book.bids.count - 1)).toBe(1);
    expect(book?.asks.price(book.asks.count - 1)).toBe(12_903_488_800);
    expect((book?.bids.count ?? 0) + (book?.asks.count ?? 0)).toBeGreaterThan(44_000);
  });
});

describe("Ladder", () => {
  test("equals a sorted map when levels are set, changed and removed at random", () => {
    const changes = fc.array(fc.tuple(fc.integer({ min: 1, max: 60 }), fc.integer({ min: 0, max: 3 })), {
      maxLength: 200,
    });
    fc.assert(
      fc.property(changes, fc.constantFrom(BID, ASK), (list, side) => {
        const ladder = new Ladder(side, 2);
        const naive = new Map<number, number>();
        for (const [price, quantity] of list) {
          expect(ladder.set(price, quantity)).toBe(naive.get(price) ?? 0);
          if (quantity === 0) {
            naive.delete(price);
          } else {
            naive.set(price, quantity);
          }
        }
        const expected = [...naive].sort(([a], [b]) => (side === BID ? b - a : a - b));
        const levels = expected.map((_, rank) => [ladder.price(rank), ladder.quantity(rank)]);
        expect(levels).toEqual(expected);
        expect(ladder.count).toBe(expected.length);
        expect(ladder.price(expected.length)).toBeNaN();
      }),
      { numRuns: 200 },
    );
  });

  test("refuses a price that is no safe integer", () => {
    const ladder = new Ladder(ASK);
    expect(() => ladder.set(0.5, 1)).toThrow(RangeError);
    expect(() => ladder.set(2 ** 53, 1)).toThrow(RangeError);
  });
});

describe("decimal text", () => {
  test("is exact at both ends of the range", () => {
    expect(paddedDecimal(1, 2, 8)).toBe("0.01000000");
    expect(paddedDecimal(12_903_488_800, 2, 2)).toBe("129034888.00");
    expect(paddedDecimal(7, 0, 0)).toBe("7");
    expect(paddedDecimal(7, 0, 3)).toBe("7.000");
    expect(plainDecimal(12_903_488_800, 2)).toBe("129034888");
    expect(plainDecimal(40, 8)).toBe("0.0000004");
    expect(plainDecimal(700, 0)).toBe("700");
    expect(nanoTime(1_783_465_157_917_005, 9)).toBe("2026-07-07T22:59:17.917005009Z");
  });
});
