/**
 * What two books that cross are worth, in exact integers: walks the bids of one against the asks of the other as long as
 * a unit bought here and sold there leaves something after both taker fees.
 * Bad case: books with many small crossing levels; the walk ends after `levelsMax` of a side, and says so.
 */
import { SIDE_ASK, SIDE_BID } from "../../assembly/layout.ts";
import { powerOfTen } from "../wire/numbers.ts";
import type { ArbitrageBook } from "./book.ts";

/** Fees are counted in parts of this: 10 bps = 100,000. */
export const FEE_UNIT = 100_000_000n;
/** Digits after the point of a fee fraction. */
export const FEE_EXPONENT = 8;
/** Profit in basis points is told with so many digits after the point, cut off. */
export const BPS_EXPONENT = 4;

/** One direction between two books of the same pair. */
export type Direction = {
  /** Whose asks are bought. */
  readonly buy: ArbitrageBook;
  /** Whose bids are sold to. */
  readonly sell: ArbitrageBook;
  /** Taker fees in parts of FEE_UNIT. */
  readonly buyFee: bigint;
  readonly sellFee: bigint;
};

/** An executable crossing. Prices in units of 10^-priceExponent, quantities of 10^-quantityExponent, sums of both. */
export type Crossing = {
  readonly priceExponent: number;
  readonly quantityExponent: number;
  readonly quantity: bigint;
  /** Paid for it, without fee, in units of 10^-(priceExponent + quantityExponent). */
  readonly cost: bigint;
  /** Got for it, without fee, in the same units. */
  readonly proceeds: bigint;
  /** After both fees, in units of 10^-(priceExponent + quantityExponent + FEE_EXPONENT). */
  readonly profit: bigint;
  /** Profit ÷ cost, basis points in units of 10^-BPS_EXPONENT, cut off. */
  readonly profitBps: bigint;
  /** The last ask and bid that were used. */
  readonly worstAsk: bigint;
  readonly worstBid: bigint;
  /** More would have been executable beyond the levels that were looked at. */
  readonly isCut: boolean;
};

/**
 * A first look in doubles: false is certain, true is not.
 * Cost: two multiplications, no allocation.
 */
export function mayCross({ buy, sell, buyFee, sellFee }: Direction): boolean {
  const ask = buy.bestTicks(SIDE_ASK) / 10 ** buy.priceExponent;
  const bid = sell.bestTicks(SIDE_BID) / 10 ** sell.priceExponent;
  const unit = Number(FEE_UNIT);
  // Doubles are off by less than 1e-14 here; NaN stands for an empty side and compares as false.
  return bid * (1 - Number(sellFee) / unit) * (1 + 1e-12) > ask * (1 + Number(buyFee) / unit);
}

/**
 * Walks the two books.
 * @param options.levelsMax levels of a side that are looked at
 * @returns undefined when nothing is left after fees
 */
export function findCrossing(direction: Direction, { levelsMax }: { levelsMax: number }): Crossing | undefined {
  const { buy, sell, buyFee, sellFee } = direction;
  const priceExponent = Math.max(buy.priceExponent, sell.priceExponent);
  const quantityExponent = Math.max(buy.quantityExponent, sell.quantityExponent);
  const asks = new SideWalk(buy, SIDE_ASK, { priceExponent, quantityExponent, levelsMax });
  const bids = new SideWalk(sell, SIDE_BID, { priceExponent, quantityExponent, levelsMax });
  const paidPerUnit = FEE_UNIT + buyFee;
  const gotPerUnit = FEE_UNIT - sellFee;
  let quantity = 0n;
  let cost = 0n;
  let proceeds = 0n;
  let worstAsk = 0n;
  let worstBid = 0n;
  while (asks.hasLevel && bids.hasLevel && bids.price * gotPerUnit > asks.price * paidPerUnit) {
    const size = asks.left < bids.left ? asks.left : bids.left;
    quantity += size;
    cost += size * asks.price;
    proceeds += size * bids.price;
    worstAsk = asks.price;
    worstBid = bids.price;
    asks.take(size);
    bids.take(size);
  }
  if (quantity === 0n) {
    return undefined;
  }
  const profit = proceeds * gotPerUnit - cost * paidPerUnit;
  const profitBps = (profit * 10_000n * powerOfTen(BPS_EXPONENT)) / (cost * FEE_UNIT);
  const isCut = asks.isCut || bids.isCut;
  return { priceExponent, quantityExponent, quantity, cost, proceeds, profit, profitBps, worstAsk, worstBid, isCut };
}

/** Levels of one side from the best on, in common units. */
class SideWalk {
  price = 0n;
  left = 0n;
  /** There is a level to take from. */
  hasLevel = true;
  /** It ended at `levelsMax`, not at the end of the book. */
  isCut = false;
  readonly #book: ArbitrageBook;
  readonly #side: number;
  readonly #levelsMax: number;
  readonly #priceScale: bigint;
  readonly #quantityScale: bigint;
  #index = 0;

  constructor(
    book: ArbitrageBook,
    side: number,
    { priceExponent, quantityExponent, levelsMax }: Record<"priceExponent" | "quantityExponent" | "levelsMax", number>,
  ) {
    this.#book = book;
    this.#side = side;
    this.#levelsMax = levelsMax;
    this.#priceScale = powerOfTen(priceExponent - book.priceExponent);
    this.#quantityScale = powerOfTen(quantityExponent - book.quantityExponent);
    this.#next();
  }

  /** Takes from the level; the next one follows when nothing is left of it. */
  take(size: bigint): void {
    this.left -= size;
    if (this.left === 0n) {
      this.#next();
    }
  }

  #next(): void {
    const level = this.#index < this.#levelsMax ? this.#book.level(this.#side, this.#index) : undefined;
    this.isCut = level === undefined && this.#index === this.#levelsMax;
    this.hasLevel = level !== undefined;
    if (level !== undefined) {
      this.price = level.price * this.#priceScale;
      this.left = level.quantity * this.#quantityScale;
      this.#index += 1;
    }
  }
}
