/**
 * What a walk through books found: the trades to be made and what they leave, in exact integers; and the walk along one
 * side that all of them are made of.
 * Bad case: books with many small crossing levels; the walk ends after `levelsMax` of a side, and says so.
 */
import type { ArbitrageBook } from "./book.ts";

/** Fees are counted in parts of this: 10 bps = 100,000. */
export const FEE_UNIT = 100_000_000n;
/** Digits after the point of a fee fraction. */
export const FEE_EXPONENT = 8;
/** Profit in basis points is told with so many digits after the point, cut off. */
export const BPS_EXPONENT = 4;
/** Doubles are off by less than 1e-14 in the first look: what is nearer than this is walked. */
export const DOUBT = 1e-12;

/** What a double makes of what a fee adds or takes. @param parts signed parts of FEE_UNIT */
export function feeFactor(parts: bigint): number {
  return 1 + Number(parts) / Number(FEE_UNIT);
}

/** One trade against one book. Quantities in units of 10^-quantityExponent, amounts of 10^-amountExponent. */
export type CrossingLeg = {
  readonly action: "buy" | "sell";
  readonly book: ArbitrageBook;
  /** Of the book when it was walked. */
  readonly version: number;
  readonly hash: number;
  readonly updatedAtMs: number;
  readonly priceExponent: number;
  /** Taker fee in parts of FEE_UNIT. */
  readonly fee: bigint;
  readonly quantity: bigint;
  readonly quantityExponent: number;
  /** Σ price × quantity, without the fee. */
  readonly amount: bigint;
  readonly amountExponent: number;
  /** The last level that was used, ticks of the book. */
  readonly worst: bigint;
};

/** Something executable that leaves a profit. */
export type Crossing = {
  readonly legs: readonly CrossingLeg[];
  /** Of what is bought and sold again. */
  readonly quantity: bigint;
  readonly quantityExponent: number;
  /** After all fees. */
  readonly profit: bigint;
  readonly profitExponent: number;
  /** Profit ÷ what is paid first without its fee, basis points in units of 10^-BPS_EXPONENT, cut off. */
  readonly profitBps: bigint;
  readonly cut: boolean;
};

/** Books that may be traded against each other in one order and direction. */
export interface ArbitragePath {
  readonly kind: "cross" | "triangular";
  /** In the order of the trades. */
  readonly books: readonly ArbitrageBook[];
  readonly base: string;
  readonly currency: string;
  /** A first look in doubles: false is certain, true is not. Cost: a few multiplications, no allocation. */
  mayProfit(): boolean;
  /** Walks the books. @param levelsMax levels of a side that are looked at @returns undefined when fees eat everything */
  walk(levelsMax: number): Crossing | undefined;
}

/** Powers of ten that sums need: exponents of prices, quantities and fees together. */
const POWERS = Array.from({ length: 96 }, (_, power) => 10n ** BigInt(power));

/** 10^power, any power. */
export function scale(power: number): bigint {
  return POWERS[power] ?? 10n ** BigInt(power);
}

/** A trade against a book as it is now. */
export function legOf(
  book: ArbitrageBook,
  taken: Pick<CrossingLeg, "action" | "fee" | "quantity" | "quantityExponent" | "amount" | "worst">,
): CrossingLeg {
  const { action, fee, quantity, quantityExponent, amount, worst } = taken;
  const { version, hash, updatedAtMs, priceExponent } = book;
  // Spelt out: spreading costs more than the walk.
  return {
    action,
    book,
    version,
    hash,
    updatedAtMs,
    priceExponent,
    fee,
    quantity,
    quantityExponent,
    amount,
    amountExponent: quantityExponent + priceExponent,
    worst,
  };
}

/** How a side is walked. */
export type SideOptions = {
  /** Units that quantities are counted in: 10^-quantityExponent, at least as fine as the book's. */
  readonly quantityExponent: number;
  readonly levelsMax: number;
};

/** Levels of one side from the best on. */
export class SideWalk {
  /** Of the present level, ticks of the book. */
  price = 0n;
  /** What is left of the present level. */
  left = 0n;
  /** There is a level to take from. */
  hasLevel = true;
  /** It ended at `levelsMax`, and the book goes on. */
  isCut = false;
  /** Taken so far. */
  quantity = 0n;
  /** Σ price × quantity taken so far. */
  amount = 0n;
  /** The last level that something was taken from. */
  worst = 0n;
  readonly #book: ArbitrageBook;
  readonly #side: number;
  readonly #options: SideOptions;
  readonly #scale: bigint;
  #index = 0;

  constructor(book: ArbitrageBook, side: number, options: SideOptions) {
    this.#book = book;
    this.#side = side;
    this.#options = options;
    this.#scale = scale(options.quantityExponent - book.quantityExponent);
    this.#next();
  }

  /** Takes from the level; the next one follows when nothing is left of it. @param size at most `left` */
  take(size: bigint): void {
    this.quantity += size;
    this.amount += size * this.price;
    this.worst = this.price;
    this.left -= size;
    if (this.left === 0n) {
      this.#next();
    }
  }

  /** Takes from as many levels as it needs. @returns false when there are too few; some was taken then */
  takeAcross(size: bigint): boolean {
    let rest = size;
    while (rest > 0n && this.hasLevel) {
      const part = rest < this.left ? rest : this.left;
      rest -= part;
      this.take(part);
    }
    return rest === 0n;
  }

  /** The same place in the same book, to be walked on from by itself. */
  fork(): SideWalk {
    const fork = new SideWalk(this.#book, this.#side, this.#options);
    const { price, left, hasLevel, isCut, quantity, amount, worst } = this;
    Object.assign(fork, { price, left, hasLevel, isCut, quantity, amount, worst });
    fork.#index = this.#index;
    return fork;
  }

  /** What was taken, as a trade. @param fee parts of FEE_UNIT */
  leg(action: "buy" | "sell", fee: bigint): CrossingLeg {
    const { quantity, amount, worst } = this;
    const { quantityExponent } = this.#options;
    return legOf(this.#book, { action, fee, quantity, quantityExponent, amount, worst });
  }

  #next(): void {
    const { levelsMax } = this.#options;
    const level = this.#book.level(this.#side, this.#index);
    this.isCut = level !== undefined && this.#index >= levelsMax;
    this.hasLevel = level !== undefined && !this.isCut;
    if (level !== undefined && this.hasLevel) {
      this.price = level.price;
      this.left = level.quantity * this.#scale;
      this.#index += 1;
    }
  }
}

/** Profit in basis points of what is paid, in units of 10^-BPS_EXPONENT, cut off. */
export function bpsOf(profit: { units: bigint; exponent: number }, paid: { units: bigint; exponent: number }): bigint {
  const up = scale(4 + BPS_EXPONENT + Math.max(paid.exponent - profit.exponent, 0));
  return (profit.units * up) / (paid.units * scale(Math.max(profit.exponent - paid.exponent, 0)));
}
