/**
 * A synthetic book of 45,000 levels as Coinbase's BTC-USD is (cents, lots of 10^-8, dense near the touch, a long tail) and
 * operations on it, near the touch or anywhere. The second half of the operations undoes the first, so that a run ends
 * where it began and needs no reset. Seeded. Bad case: a workload that only grows; it would measure the growth.
 */
import { seededRandom } from "./statistics.ts";

/** Ticks are cents, lots 10^-8; bids best first, asks best first. */
export type DeepBook = { bids: DeepSide; asks: DeepSide };
/** Ascending by distance from the touch. */
export type DeepSide = { ticks: number[]; lots: Map<number, number> };

/** Operations as columns. */
export type LevelOperations = {
  readonly sides: Uint8Array;
  readonly ticks: Float64Array;
  readonly lots: Float64Array;
  /** BOOK_CHANGED, BOOK_ADDED, BOOK_REMOVED as each must answer. */
  readonly codes: Uint8Array;
};

/** Where operations fall: a geometric rank from the touch, or any level. */
export type Spread = "touch" | "uniform";

/** Levels of both sides. */
export const DEEP_LEVELS = 45_000;
export const PRICE_EXPONENT = 2;
export const QUANTITY_EXPONENT = 8;

const BEST_BID = 6_350_000;
const TICK_LEAST = 1;
const DENSE_LEVELS = 4000;
const TOUCH_MEAN_RANK = 12;
const CHANGED = 1;
const ADDED = 2;
const REMOVED = 3;
const CHANGE_SHARE = 0.6;
const LOTS_MAX = 500_000_000;

/** @param levels of both sides together */
export function deepBook(levels = DEEP_LEVELS, seed = 1): DeepBook {
  const random = seededRandom(seed);
  return { bids: deepSide(levels / 2, -1, random), asks: deepSide(levels / 2, 1, random) };
}

function deepSide(levels: number, direction: 1 | -1, random: () => number): DeepSide {
  const ticks: number[] = [];
  const lots = new Map<number, number>();
  let tick = direction === 1 ? BEST_BID + 1 : BEST_BID;
  for (let rank = 0; rank < levels; rank++) {
    ticks.push(tick);
    lots.set(tick, someLots(random));
    const gap = rank < DENSE_LEVELS ? 12 : 220;
    tick += direction * (TICK_LEAST + Math.floor(random() * gap));
  }
  return { ticks, lots };
}

/**
 * Operations and their undoing.
 * @param count of operations, even; the book is left as it was
 */
export function levelOperations(
  book: DeepBook,
  { spread, count, seed = 2 }: { spread: Spread; count: number; seed?: number },
): LevelOperations {
  const random = seededRandom(seed);
  const half = count / 2;
  const sides = new Uint8Array(count);
  const ticks = new Float64Array(count);
  const lots = new Float64Array(count);
  const codes = new Uint8Array(count);
  for (let index = 0; index < half; index++) {
    const side = random() < 0.5 ? 0 : 1;
    const own = side === 0 ? book.bids : book.asks;
    const { tick, quantity } = pickOperation(own, spread, random);
    const before = own.lots.get(tick) ?? 0;
    const undo = count - 1 - index;
    sides[index] = side;
    sides[undo] = side;
    ticks[index] = tick;
    ticks[undo] = tick;
    lots[index] = quantity;
    lots[undo] = before;
    codes[index] = codeOf(before, quantity);
    codes[undo] = codeOf(quantity, before);
    place(own, tick, quantity);
  }
  for (let index = half; index < count; index++) {
    place(sides[index] === 0 ? book.bids : book.asks, ticks[index] ?? 0, lots[index] ?? 0);
  }
  return { sides, ticks, lots, codes };
}

function pickOperation(side: DeepSide, spread: Spread, random: () => number): { tick: number; quantity: number } {
  const rank = pickRank(side.ticks.length, spread, random);
  const tick = side.ticks[rank] ?? 0;
  const share = random();
  if (share < CHANGE_SHARE) {
    return { tick, quantity: someLots(random) };
  }
  const next = side.ticks[rank + 1] ?? tick;
  const between = Math.round((tick + next) / 2);
  const canAdd = !side.lots.has(between);
  // Removals and additions in equal numbers, so that the book keeps its size.
  return share < (1 + CHANGE_SHARE) / 2 && canAdd
    ? { tick: between, quantity: someLots(random) }
    : { tick, quantity: 0 };
}

function pickRank(levels: number, spread: Spread, random: () => number): number {
  const rank =
    spread === "touch" ? Math.floor(-Math.log(1 - random()) * TOUCH_MEAN_RANK) : Math.floor(random() * levels);
  return Math.min(rank, levels - 2);
}

function codeOf(before: number, after: number): number {
  if (before === 0) {
    return ADDED;
  }
  return after === 0 ? REMOVED : CHANGED;
}

function someLots(random: () => number): number {
  return 1 + Math.floor(random() * LOTS_MAX);
}

/** Sets a level of the model. */
function place({ ticks, lots }: DeepSide, tick: number, quantity: number): void {
  const isAscending = (ticks[1] ?? 0) > (ticks[0] ?? 0);
  if (quantity === 0) {
    lots.delete(tick);
    ticks.splice(find(ticks, tick, isAscending), 1);
    return;
  }
  if (!lots.has(tick)) {
    ticks.splice(find(ticks, tick, isAscending), 0, tick);
  }
  lots.set(tick, quantity);
}

function find(ticks: readonly number[], tick: number, isAscending: boolean): number {
  let low = 0;
  let high = ticks.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const at = ticks[middle] ?? 0;
    if (isAscending ? at < tick : at > tick) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

/** A whole number of `exponent` decimals as exchanges write it, e.g. 6350000 → `63500.00`. */
export function fixedDecimal(value: number, exponent: number): string {
  const digits = value.toString().padStart(exponent + 1, "0");
  return `${digits.slice(0, -exponent)}.${digits.slice(-exponent)}`;
}
