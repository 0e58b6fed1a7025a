/**
 * The recent past of one book for the heat map and the depth chart: every COLUMN_MS the best levels as they stand then, in
 * ticks and lots. A column is the book at one version, not an average: what is painted can be compared with the book.
 * Bad case: memory. A column of 800 levels takes 13 KB, the 1,200 kept take 15 MB, so only a few instruments are recorded;
 * a column whose version is that of the one before shares its levels.
 */
import { decimalUnits } from "../wire/numbers.ts";
import type { BookTop, Level } from "./market_feed.ts";

/** Time between two columns, milliseconds. */
export const COLUMN_MS = 200;
/** Columns kept: four minutes. */
export const COLUMNS_MAX = 1_200;
/** A column stands for so many missed ones behind it at most: a busy page samples late, a sleeping one not at all. */
const HELD_MAX = 10;
/** Levels kept per side. */
export const DEPTH_LEVELS = 400;

const DIGITS_SAFE = 15;
const TWO_32 = 4_294_967_296;
const POWERS = Array.from({ length: 19 }, (_, power) => 10 ** power);

/** Digits after the point of a tick and of a lot, and the levels per side that the exchange sends (0 = all). */
export type DepthExponents = { readonly price: number; readonly quantity: number; readonly levelsMax: number };

/** The levels of a book: bids best first, then asks best first. */
export type DepthLevels = {
  readonly bidCount: number;
  /** Prices in ticks: integers below 10^15, hence exact. */
  readonly ticks: Float64Array;
  /** Quantities in lots. */
  readonly lots: BigUint64Array;
  /** The same memory as `lots`: low and high word of each. */
  readonly words: Uint32Array;
  /** Every level from here to the best one is there; −Infinity: the whole side is. */
  readonly lowestKnown: number;
  readonly highestKnown: number;
};

/** A book at one moment. `levels` is undefined when it was not synced, or was not there. */
export type DepthColumn = {
  /** The time in units of COLUMN_MS. */
  readonly slot: number;
  /** When it was read: `slot`, or earlier when it stands for a missed one. */
  readonly readAt: number;
  readonly version: string;
  readonly levels: DepthLevels | undefined;
};

/** The recent columns of one book. */
export class DepthHistory {
  readonly #columns: (DepthColumn | undefined)[] = new Array(COLUMNS_MAX);
  #exponents: DepthExponents = { price: -1, quantity: -1, levelsMax: 0 };
  #newest: DepthColumn | undefined;
  #newestKnown: DepthColumn | undefined;

  /** The exponents that all columns have; −1 before the first. */
  get exponents(): DepthExponents {
    return this.#exponents;
  }

  /** The last column; undefined before the first. */
  get newest(): DepthColumn | undefined {
    return this.#newest;
  }

  /** The last column with levels. */
  get newestKnown(): DepthColumn | undefined {
    return this.#newestKnown;
  }

  /** The column of a time; undefined when there is none. @param slot time in units of COLUMN_MS */
  at(slot: number): DepthColumn | undefined {
    const column = this.#columns[slot % COLUMNS_MAX];
    return column?.slot === slot ? column : undefined;
  }

  /**
   * Adds the book as it stands, at most one column per COLUMN_MS.
   * @param atMs wall clock, milliseconds
   * @param top undefined when there is no book that is known to be right
   * @returns whether a column was added
   */
  record(atMs: number, top: BookTop | undefined, exponents: DepthExponents): boolean {
    const slot = Math.floor(atMs / COLUMN_MS);
    if (this.#newest !== undefined && slot <= this.#newest.slot) {
      return false;
    }
    const { price, quantity } = this.#exponents;
    if (exponents.price !== price || exponents.quantity !== quantity) {
      this.#columns.fill(undefined);
      this.#newestKnown = undefined;
      this.#exponents = exponents;
    }
    const before = this.#newest;
    const isSame = top !== undefined && before?.levels !== undefined && before.version === top.version;
    const levels = isSame ? before.levels : top === undefined ? undefined : depthLevels(top, exponents);
    if (before !== undefined && slot - before.slot <= HELD_MAX) {
      for (let missed = before.slot + 1; missed < slot; missed += 1) {
        this.#columns[missed % COLUMNS_MAX] = { ...before, slot: missed };
      }
    }
    const column = { slot, readAt: slot, version: top?.version ?? "", levels };
    this.#columns[slot % COLUMNS_MAX] = column;
    this.#newest = column;
    this.#newestKnown = levels === undefined ? this.#newestKnown : column;
    return true;
  }

  /** Forgets everything. */
  clear(): void {
    this.#columns.fill(undefined);
    this.#newest = undefined;
    this.#newestKnown = undefined;
  }
}

/**
 * The levels of a book in ticks and lots.
 * @returns undefined when a number does not fit: a price of more than 15 digits or more decimals than the tick has
 */
export function depthLevels(top: BookTop, exponents: DepthExponents): DepthLevels | undefined {
  const bidCount = top.bids.length;
  const count = bidCount + top.asks.length;
  const lots = new BigUint64Array(count);
  const levels = { ticks: new Float64Array(count), lots, words: new Uint32Array(lots.buffer) };
  if (exponents.price < 0 || exponents.quantity < 0) {
    return undefined;
  }
  for (let index = 0; index < count; index += 1) {
    const level = index < bidCount ? top.bids[index] : top.asks[index - bidCount];
    if (level === undefined || !writeLevel(levels, index, { level, exponents })) {
      return undefined;
    }
  }
  const isWhole = (shown: number, all: number) =>
    all <= shown && (exponents.levelsMax === 0 || all < exponents.levelsMax);
  const [lowest, highest] = [levels.ticks[bidCount - 1], levels.ticks[count - 1]];
  return {
    ...levels,
    bidCount,
    lowestKnown: isWhole(bidCount, top.bidLevels) ? Number.NEGATIVE_INFINITY : (lowest ?? 0),
    highestKnown: isWhole(count - bidCount, top.askLevels) ? Number.POSITIVE_INFINITY : (highest ?? 0),
  };
}

/** The lots of a level as a double: for lengths and colours. */
export function lotsValue({ words }: DepthLevels, index: number): number {
  return (words[2 * index + 1] ?? 0) * TWO_32 + (words[2 * index] ?? 0);
}

/**
 * A plain decimal in units of 10^-exponent, when that is exact in a double.
 * @returns undefined when it has more than 15 digits or too many decimals
 */
export function safeUnits(text: string, exponent: number): number | undefined {
  const point = text.indexOf(".");
  const whole = point < 0 ? text : text.slice(0, point);
  const fraction = point < 0 ? "" : text.slice(point + 1);
  if (whole.length + exponent > DIGITS_SAFE || fraction.length > exponent) {
    return undefined;
  }
  const rest = fraction === "" ? 0 : Number(fraction) * (POWERS[exponent - fraction.length] ?? 0);
  return Number(whole) * (POWERS[exponent] ?? 0) + rest;
}

function writeLevel(
  { ticks, lots, words }: Pick<DepthLevels, "ticks" | "lots" | "words">,
  index: number,
  { level, exponents }: { level: Level; exponents: DepthExponents },
): boolean {
  const tick = safeUnits(level[0], exponents.price);
  const amount = safeUnits(level[1], exponents.quantity);
  if (tick === undefined) {
    return false;
  }
  ticks[index] = tick;
  if (amount !== undefined) {
    words[2 * index] = amount % TWO_32;
    words[2 * index + 1] = Math.floor(amount / TWO_32);
    return true;
  }
  const large = decimalUnits(level[1], exponents.quantity);
  lots[index] = large ?? 0n;
  return large !== undefined;
}
