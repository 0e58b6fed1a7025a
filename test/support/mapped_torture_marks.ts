/**
 * What stands in the records of the torture so that each one can be judged by itself: the number of the record is its
 * time of receipt, and price and quantity follow from the number. Numbers lie far behind every real time of receipt.
 * Bad case: a record made of two; its first cache line and its second do not belong together, or the rest is not empty.
 */
import {
  DELTA_BASE_PRICE,
  DELTA_CHANGE_COUNT,
  DELTA_PRICE_OFFSETS,
  DELTA_QUANTITIES,
  DELTA_RECEIVED_AT,
} from "../../assembly/layout.ts";

/** Receipt of record 0, ns after the anchor; its low word is 0. */
export const MARK_BASE = 2 ** 50;

/** Prices of one instrument that are written, below a price that is a multiple of it. */
export const MARK_PRICES = 64;

const MARK_HIGH_MIN = 2 ** 17;
const TWO_32 = 2 ** 32;
const FACTOR = 0x9e3779b1;
const REMOVE_EVERY = 5;

/** Ticks below the highest price. */
export function markDepth(number: number): number {
  return number & (MARK_PRICES - 1);
}

/** Lots of a record; 0 = the level goes. @param price ticks, its low word counts */
export function markLots(number: number, price: number): number {
  const word = number >>> 0;
  return word % REMOVE_EVERY === 0 ? 0 : ((Math.imul(word, FACTOR) ^ price) >>> 1) + 1;
}

/** Lots of a trade, of one decimal. */
export function tradeLots(id: number): number {
  return (1 + (id % 1000)) * 10 + 5;
}

/** When records were received, by the anchor of their segment, in words. */
export type MarkAnchor = { readonly low: number; readonly high: number };

/** The anchor in words. */
export function markAnchor(wallAnchorNs: bigint): MarkAnchor {
  return { low: Number(BigInt.asUintN(32, wallAnchorNs)), high: Number(BigInt.asUintN(32, wallAnchorNs >> 32n)) };
}

/**
 * Whether a record is a numbered one that contradicts its number.
 * @param words of the memory @param record address of its copy
 */
export function isMarkBroken(words: Uint32Array, { record, anchor }: { record: number; anchor: MarkAnchor }): boolean {
  const at = (offset: number) => words[(record + offset) >>> 2] ?? 0;
  const low = at(DELTA_RECEIVED_AT);
  const high = at(DELTA_RECEIVED_AT + 4);
  if (high - anchor.high < MARK_HIGH_MIN) {
    return false;
  }
  const number = (low - anchor.low + (low < anchor.low ? TWO_32 : 0)) >>> 0;
  const count = (at(DELTA_CHANGE_COUNT & ~3) >>> 16) & 0xff;
  if (count === 0) {
    return at(DELTA_QUANTITIES) !== 0 || at(DELTA_BASE_PRICE) !== 0;
  }
  const price = at(DELTA_BASE_PRICE);
  let rest = at(DELTA_QUANTITIES + 4) | at(DELTA_PRICE_OFFSETS) | (count - 1);
  for (let index = 1; index < 16; index++) {
    rest |= at(DELTA_QUANTITIES + index * 8) | at(DELTA_PRICE_OFFSETS + index * 4);
  }
  const isPrice = ((price + markDepth(number)) & (MARK_PRICES - 1)) === 0;
  return rest !== 0 || !isPrice || at(DELTA_QUANTITIES) !== markLots(number, price);
}
