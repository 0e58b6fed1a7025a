/**
 * The hash of a book added up anew from every level that is held, and whether these stand in order: what a book's own
 * hash says of it, which is kept up change by change, must be said by its levels, too.
 * Bad case: two levels of one price; they are out of order.
 */
import { SIDE_ASK, SIDE_BID } from "../../../assembly/layout.ts";
import { highWord, lowWord } from "../../../src/client/exact.ts";
import type { LevelBook } from "../../../src/client/level_book.ts";
import type { ViewSlot } from "../../../src/client/view_slot.ts";
import { levelHash } from "../../../src/kernel/twin/hash.ts";

/** Every check held up to the version held, and client and server call it right. */
export function isProved({ isSynced, book: { version }, provedVersion }: ViewSlot): boolean {
  return isSynced && version.low === provedVersion.low && version.high === provedVersion.high;
}

/** @returns u32; undefined when levels are not in order, best first */
export function levelSum(book: LevelBook): number | undefined {
  const bids = sideSum(book, SIDE_BID);
  const asks = sideSum(book, SIDE_ASK);
  return bids === undefined || asks === undefined ? undefined : (bids + asks) >>> 0;
}

function sideSum(book: LevelBook, side: number): number | undefined {
  const levels = book.side(side);
  let sum = 0;
  for (let rank = 0; rank < levels.count; rank++) {
    const price = levels.price(rank);
    const quantity = levels.quantity(rank);
    if (rank > 0 && (side === SIDE_BID ? price >= levels.price(rank - 1) : price <= levels.price(rank - 1))) {
      return undefined;
    }
    sum = (sum + levelHash(side, lowWord(price), highWord(price), lowWord(quantity), highWord(quantity))) | 0;
  }
  return sum;
}
