/**
 * The walk in doubles against the one in big integers, over books whose sums fit into doubles, just do, and do not.
 * Bad case: tests that all take one way; how many take the other is asserted.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { SIDE_ASK, SIDE_BID } from "../../assembly/layout.ts";
import { CrossPath } from "../../src/arbitrage/cross_path.ts";
import { QuickWalk } from "../../src/arbitrage/quick_walk.ts";
import { MemoryBook } from "../support/arbitrage_books.ts";

const FEES = { buy: 250_000n, sell: 100_000n };

const side = fc.constantFrom(50n, 50n, 2n ** 20n, 2n ** 40n, 2n ** 62n).chain((most) =>
  fc.array(fc.record({ offset: fc.integer({ min: 0, max: 2000 }), lots: fc.bigInt({ min: 1n, max: most }) }), {
    maxLength: 24,
  }),
);
const scene = fc.record({
  asks: side,
  bids: side,
  middle: fc.constantFrom(10_000n, 6_350_000n, 2n ** 40n, 2n ** 52n, 2n ** 60n),
  exponents: fc.tuple(fc.nat(4), fc.nat(8), fc.nat(4), fc.nat(8)),
  levelsMax: fc.integer({ min: 1, max: 20 }),
});

describe("CrossPath", () => {
  it("finds in doubles what it finds in big integers, and leaves to those what doubles do not hold", () => {
    const taken = { quick: 0, exact: 0, found: 0, cut: 0 };
    fc.assert(
      fc.property(scene, ({ asks, bids, middle, exponents: [buyPrice, buyLots, sellPrice, sellLots], levelsMax }) => {
        const buy = new MemoryBook({ instrument: "a:X-Y", priceExponent: buyPrice, quantityExponent: buyLots });
        const sell = new MemoryBook({ instrument: "b:X-Y", priceExponent: sellPrice, quantityExponent: sellLots });
        const [finer, coarser] = [Math.max(buyPrice, sellPrice), Math.min(buyPrice, sellPrice)];
        const scaleOf = (exponent: number) => (finer - coarser < 4 ? 10n ** BigInt(exponent - coarser) : 1n);
        for (const { offset, lots } of asks) {
          const price = (middle + BigInt(offset)) * scaleOf(buyPrice);
          buy.set(SIDE_ASK, { price, quantity: lots, nowMs: 0 });
        }
        for (const { offset, lots } of bids) {
          const price = (middle + (middle >> 5n) - BigInt(offset)) * scaleOf(sellPrice);
          sell.set(SIDE_BID, { price, quantity: lots, nowMs: 0 });
        }
        const path = new CrossPath(buy, sell, FEES);
        const [found, exact] = [path.walk(levelsMax), path.walkExactly(levelsMax)];
        expect(found).toEqual(exact);
        const options = {
          levelsMax,
          quantityExponent: Math.max(buyLots, sellLots),
          paidPerTick: Number(100_000_000n + FEES.buy) * 10 ** (finer - buyPrice),
          gotPerTick: Number(100_000_000n - FEES.sell) * 10 ** (finer - sellPrice),
        };
        const isQuick = new QuickWalk().walk(buy, sell, options) !== undefined;
        taken.quick += isQuick && found !== undefined ? 1 : 0;
        taken.exact += isQuick ? 0 : 1;
        taken.found += found === undefined ? 0 : 1;
        taken.cut += found?.cut === true ? 1 : 0;
      }),
      { numRuns: 1500 },
    );
    expect(Math.min(taken.quick, taken.exact, taken.found, taken.cut)).toBeGreaterThan(40);
  });
});
