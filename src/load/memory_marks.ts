/**
 * What stands in the records of the shared-memory load, so that each can be judged by itself: prices and quantities follow
 * from the version alone. Bad case: a record made of two; its price does not belong to its version.
 */

/** The books of the load, in Coinbase Exchange's spelling. */
export const MARKED_NATIVES = ["BTC-USD", "ETH-USD", "SOL-USD", "XRP-USD"] as const;

/** Prices of a book that are written; all lie below `MARK_CEILING`. */
export const MARK_PRICES = 64;
/** Ticks: nothing is asked for less. */
export const MARK_CEILING = 900_000;

const MIX = 0x9e3779b1;
const LOTS = 0x0fff_ffff;
const SIZES = 1000;

/** Ticks of the level that a version sets. @param version of the book, its low 32 bits count @param book its place in MARKED_NATIVES */
export function markPrice(version: number, book: number): number {
  return MARK_CEILING - (Math.imul(version + book, MIX) >>> 26);
}

/** Lots of the level that a version sets: never what stood there before, never those of another book. */
export function markLots(version: number, book: number): number {
  return 1 + (version & LOTS) * MARKED_NATIVES.length + book;
}

/** Lots of a trade of one decimal, by its version. */
export function markTradeLots(version: number): number {
  return (1 + (version % SIZES)) * 10 + 5;
}
