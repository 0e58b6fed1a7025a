/**
 * The walk of two sides in doubles: as long as every product and sum is an integer below 2^53 they are exact, and cost a
 * tenth of what big integers do. Whatever does not fit, or needs more levels than are read at once, is left to those.
 * Bad case: a sum that is rounded and taken for exact; all of them only grow, so looking at the last ones finds it.
 */
import { SIDE_ASK, SIDE_BID } from "../../assembly/layout.ts";
import type { ArbitrageBook } from "./book.ts";

/** Levels of a side that are read at once. */
const CHUNK_LEVELS = 16;
/** Ticks and lots. */
const STRIDE = 2;

const POWERS = Array.from({ length: 19 }, (_, power) => 10 ** power);

/** What a walk took; all integers, exact. Nothing: quantity 0. */
export type QuickSums = {
  quantity: number;
  cost: number;
  proceeds: number;
  worstAsk: number;
  worstBid: number;
  cut: boolean;
};

/** How it is walked. */
export type QuickOptions = {
  readonly levelsMax: number;
  readonly quantityExponent: number;
  /** What a tick of the asks costs, and one of the bids brings, in the same unit. */
  readonly paidPerTick: number;
  readonly gotPerTick: number;
};

/** Walks two books with buffers of its own. */
export class QuickWalk {
  readonly #asks = new Float64Array(CHUNK_LEVELS * STRIDE);
  readonly #bids = new Float64Array(CHUNK_LEVELS * STRIDE);

  /** @returns undefined when doubles do not hold it exactly, or more levels are needed than are read at once */
  walk(buy: ArbitrageBook, sell: ArbitrageBook, options: QuickOptions): QuickSums | undefined {
    const { levelsMax, quantityExponent, paidPerTick, gotPerTick } = options;
    const limit = Math.min(levelsMax, CHUNK_LEVELS);
    const asks = this.#asks;
    const bids = this.#bids;
    const askCount = Math.min(buy.readLevels(SIDE_ASK, asks), limit);
    const bidCount = Math.min(sell.readLevels(SIDE_BID, bids), limit);
    const askScale = POWERS[quantityExponent - buy.quantityExponent] ?? Number.NaN;
    const bidScale = POWERS[quantityExponent - sell.quantityExponent] ?? Number.NaN;
    const sums: QuickSums = { quantity: 0, cost: 0, proceeds: 0, worstAsk: 0, worstBid: 0, cut: false };
    let ask = 0;
    let bid = 0;
    let largest = 0;
    let askLeft = (asks[1] ?? 0) * askScale;
    let bidLeft = (bids[1] ?? 0) * bidScale;
    while (ask < askCount && bid < bidCount) {
      const askPrice = asks[ask * STRIDE] ?? 0;
      const bidPrice = bids[bid * STRIDE] ?? 0;
      const paid = askPrice * paidPerTick;
      const got = bidPrice * gotPerTick;
      largest = Math.max(largest, paid, got, askLeft, bidLeft);
      if (got <= paid) {
        break;
      }
      const size = Math.min(askLeft, bidLeft);
      sums.quantity += size;
      sums.cost += size * askPrice;
      sums.proceeds += size * bidPrice;
      sums.worstAsk = askPrice;
      sums.worstBid = bidPrice;
      askLeft -= size;
      bidLeft -= size;
      if (askLeft === 0) {
        ask += 1;
        askLeft = (asks[ask * STRIDE + 1] ?? 0) * askScale;
      }
      if (bidLeft === 0) {
        bid += 1;
        bidLeft = (bids[bid * STRIDE + 1] ?? 0) * bidScale;
      }
    }
    const isExact = Math.max(largest, sums.quantity, sums.cost, sums.proceeds) <= Number.MAX_SAFE_INTEGER;
    const askEnds = ask === limit && ask > 0;
    const bidEnds = bid === limit && bid > 0;
    if (!isExact || ((askEnds || bidEnds) && limit < levelsMax)) {
      return undefined;
    }
    sums.cut =
      (askEnds && buy.level(SIDE_ASK, ask) !== undefined) || (bidEnds && sell.level(SIDE_BID, bid) !== undefined);
    return sums;
  }
}
