/**
 * Full-depth book: per side one sorted array with the best level at the end, so that work near the touch moves a few
 * words. Asks are kept by the complement of their price, which turns "best last" into one rule for both sides and is
 * defined for every i64. Free room lies at both ends: an insertion moves the shorter part, and dropping the worst level
 * is one addition. Bad case: an insertion in the middle of 46,000 levels moves half of one side, 180 KB.
 */
import {
  BOOK_ADDED,
  BOOK_CHANGED,
  BOOK_REMOVED,
  BOOK_UNCHANGED,
  LEVEL_BYTES,
  SIDE_ASK,
  SIDE_BID,
} from "../../../assembly/layout.ts";
import { levelHash } from "./hash.ts";
import { compare, multiplyByPower, resultHigh, resultLow } from "./int64.ts";
import { wordAt } from "./memory.ts";

/** Words of a level: key low (biased, so that a signed comparison orders it) · key high · quantity low · high. */
const STRIDE = 4;
const FIRST_LEVELS = 64;
const LOOP_LEVELS = 24;
const BIAS = -0x80000000;

/** One side: levels in [start, end), worst first. */
export class BookSide {
  /** −1 for asks: keys are complements. */
  readonly mask: number;
  levels = new Int32Array(FIRST_LEVELS * STRIDE);
  start = FIRST_LEVELS >>> 1;
  end = FIRST_LEVELS >>> 1;

  constructor(side: number) {
    this.mask = side === SIDE_ASK ? -1 : 0;
  }

  /** Levels held. */
  get count(): number {
    return this.end - this.start;
  }

  /** Low word of the price at a place. */
  priceLow(place: number): number {
    return wordAt(this.levels, place * STRIDE) ^ BIAS ^ this.mask;
  }

  /** High word of the price at a place. */
  priceHigh(place: number): number {
    return wordAt(this.levels, place * STRIDE + 1) ^ this.mask;
  }

  /** Low word of the quantity at a place. */
  quantityLow(place: number): number {
    return wordAt(this.levels, place * STRIDE + 2);
  }

  /** High word of the quantity at a place. */
  quantityHigh(place: number): number {
    return wordAt(this.levels, place * STRIDE + 3);
  }

  /** Empties the side and keeps its room. */
  clear(): void {
    this.start = (this.levels.length / STRIDE) >>> 1;
    this.end = this.start;
  }

  /** First place whose key is not below the key. The end is looked at first: there lies the touch. */
  find(low: number, high: number): number {
    const levels = this.levels;
    let below = this.start - 1;
    let above = this.end;
    for (let step = 1; above - step > below; step <<= 1) {
      const place = above - step;
      const at = place * STRIDE;
      const levelHigh = levels[at + 1] as number;
      if (levelHigh < high || (levelHigh === high && (levels[at] as number) < low)) {
        below = place;
        break;
      }
      above = place;
    }
    while (above - below > 1) {
      const middle = (below + above) >> 1;
      const at = middle * STRIDE;
      const levelHigh = levels[at + 1] as number;
      if (levelHigh < high || (levelHigh === high && (levels[at] as number) < low)) {
        below = middle;
      } else {
        above = middle;
      }
    }
    return above;
  }

  /** Opens a place for a level; the places from there on move up, or those before it down. @returns the place */
  open(place: number): number {
    const room = this.levels.length / STRIDE;
    const isUpper = this.end - place <= place - this.start;
    if (isUpper ? this.end === room : this.start === 0) {
      const shift = this.#regrow();
      return this.open(place + shift);
    }
    if (isUpper) {
      move(this.levels, { from: place, to: place + 1, count: this.end - place });
      this.end++;
      return place;
    }
    move(this.levels, { from: this.start, to: this.start - 1, count: place - this.start });
    this.start--;
    return place - 1;
  }

  /** Closes a place. */
  close(place: number): void {
    if (this.end - place <= place - this.start + 1) {
      move(this.levels, { from: place + 1, to: place, count: this.end - place - 1 });
      this.end--;
    } else {
      move(this.levels, { from: this.start, to: this.start + 1, count: place - this.start });
      this.start++;
    }
  }

  /** Moves the levels to the middle, of a larger array when they fill more than half. @returns by how many places */
  #regrow(): number {
    const { levels, start, count } = this;
    const room = levels.length / STRIDE;
    const wanted = count * 2 > room ? room * 2 : room;
    const target = (wanted - count) >>> 1;
    if (wanted === room) {
      levels.copyWithin(target * STRIDE, start * STRIDE, this.end * STRIDE);
    } else {
      this.levels = new Int32Array(wanted * STRIDE);
      this.levels.set(levels.subarray(start * STRIDE, this.end * STRIDE), target * STRIDE);
    }
    this.start = target;
    this.end = target + count;
    return target - start;
  }
}

function move(levels: Int32Array, range: { from: number; to: number; count: number }): void {
  const { from, to, count } = range;
  if (count > LOOP_LEVELS) {
    levels.copyWithin(to * STRIDE, from * STRIDE, (from + count) * STRIDE);
  } else if (to > from) {
    for (let at = (from + count) * STRIDE - 1, shift = (to - from) * STRIDE; at >= from * STRIDE; at--) {
      levels[at + shift] = levels[at] as number;
    }
  } else {
    for (let at = from * STRIDE, shift = (from - to) * STRIDE; at < (from + count) * STRIDE; at++) {
      levels[at - shift] = levels[at] as number;
    }
  }
}

/** A book: both sides and the sum of its level hashes. */
export class Book {
  readonly bids = new BookSide(SIDE_BID);
  readonly asks = new BookSide(SIDE_ASK);
  /** Sum of the level hashes as a signed word. */
  hash = 0;
  /** Quantity that the level of the last `set` had, 0 when absent. */
  beforeLow = 0;
  beforeHigh = 0;

  /** A side. @param side SIDE_* */
  side(side: number): BookSide {
    return side === SIDE_BID ? this.bids : this.asks;
  }

  /** Levels of both sides. */
  get count(): number {
    return this.bids.count + this.asks.count;
  }

  /** Removes every level. */
  clear(): void {
    this.bids.clear();
    this.asks.clear();
    this.hash = 0;
  }

  /** Sets a level to an absolute quantity (0 removes). @returns BOOK_* */
  set(side: number, priceLow: number, priceHigh: number, lotsLow: number, lotsHigh: number): number {
    const levels = this.side(side);
    const keyLow = priceLow ^ BIAS ^ levels.mask;
    const keyHigh = priceHigh ^ levels.mask;
    const place = levels.find(keyLow, keyHigh);
    let at = place * STRIDE;
    const words = levels.levels;
    this.beforeLow = 0;
    this.beforeHigh = 0;
    if (place < levels.end && words[at] === keyLow && words[at + 1] === keyHigh) {
      const oldLow = words[at + 2] as number;
      const oldHigh = words[at + 3] as number;
      this.beforeLow = oldLow;
      this.beforeHigh = oldHigh;
      if (oldLow === lotsLow && oldHigh === lotsHigh) {
        return BOOK_UNCHANGED;
      }
      const hash = this.hash - levelHash(side, priceLow, priceHigh, oldLow, oldHigh);
      if ((lotsLow | lotsHigh) === 0) {
        this.hash = hash | 0;
        levels.close(place);
        return BOOK_REMOVED;
      }
      this.hash = (hash + levelHash(side, priceLow, priceHigh, lotsLow, lotsHigh)) | 0;
      words[at + 2] = lotsLow;
      words[at + 3] = lotsHigh;
      return BOOK_CHANGED;
    }
    if ((lotsLow | lotsHigh) === 0) {
      return BOOK_UNCHANGED;
    }
    at = levels.open(place) * STRIDE;
    const room = levels.levels;
    room[at] = keyLow;
    room[at + 1] = keyHigh;
    room[at + 2] = lotsLow;
    room[at + 3] = lotsHigh;
    this.hash = (this.hash + levelHash(side, priceLow, priceHigh, lotsLow, lotsHigh)) | 0;
    return BOOK_ADDED;
  }

  /** The place of a price in its side. @returns −1 when no level stands there */
  place(side: number, priceLow: number, priceHigh: number): number {
    const levels = this.side(side);
    const place = levels.find(priceLow ^ BIAS ^ levels.mask, priceHigh ^ levels.mask);
    const isThere = place < levels.end && levels.priceLow(place) === priceLow && levels.priceHigh(place) === priceHigh;
    return isThere ? place : -1;
  }

  /** True when both sides have levels and the best bid is above the best ask. */
  isCrossed(): boolean {
    const { bids, asks } = this;
    if (bids.count === 0 || asks.count === 0) {
      return false;
    }
    const bid = bids.end - 1;
    const ask = asks.end - 1;
    return compare(bids.priceLow(bid), bids.priceHigh(bid), asks.priceLow(ask), asks.priceHigh(ask)) > 0;
  }

  /** Drops the worst levels of a side beyond `depth`. @returns how many */
  truncate(side: number, depth: number): number {
    const levels = this.side(side);
    const dropped = Math.max(0, levels.count - depth);
    for (let i = 0; i < dropped; i++) {
      this.dropWorst(side);
    }
    return dropped;
  }

  /** Drops the worst level of a side that has one. */
  dropWorst(side: number): void {
    const levels = this.side(side);
    const place = levels.start;
    const quantity = [levels.quantityLow(place), levels.quantityHigh(place)] as const;
    const hash = levelHash(side, levels.priceLow(place), levels.priceHigh(place), ...quantity);
    this.hash = (this.hash - hash) | 0;
    levels.start++;
  }

  /** Writes up to `limit` levels, best first, beginning with the `from`-th. @param out address in `words` @returns how many */
  walk(side: number, from: number, limit: number, words: Int32Array, out: number): number {
    const levels = this.side(side);
    const count = Math.max(0, Math.min(limit, levels.count - from));
    const mask = levels.mask;
    const source = levels.levels;
    let at = (levels.end - 1 - from) * STRIDE;
    let to = out >>> 2;
    for (let i = 0; i < count; i++) {
      words[to] = (source[at] as number) ^ BIAS ^ mask;
      words[to + 1] = (source[at + 1] as number) ^ mask;
      words[to + 2] = source[at + 2] as number;
      words[to + 3] = source[at + 3] as number;
      at -= STRIDE;
      to += LEVEL_BYTES >>> 2;
    }
    return count;
  }

  /** Whether every level stays within i64 when prices and quantities are multiplied by powers of ten. */
  canScale(pricePower: number, quantityPower: number): boolean {
    return [this.bids, this.asks].every((side) => scaledLevels(side, pricePower, quantityPower) !== undefined);
  }

  /** Multiplies every price and quantity by a power of ten, exactly. @returns false when i64 would overflow; unchanged then */
  scale(pricePower: number, quantityPower: number): boolean {
    const bids = scaledLevels(this.bids, pricePower, quantityPower);
    const asks = scaledLevels(this.asks, pricePower, quantityPower);
    if (bids === undefined || asks === undefined) {
      return false;
    }
    this.bids.levels.set(bids, this.bids.start * STRIDE);
    this.asks.levels.set(asks, this.asks.start * STRIDE);
    this.hash = (sideHash(this.bids, SIDE_BID) + sideHash(this.asks, SIDE_ASK)) | 0;
    return true;
  }
}

function scaledLevels(side: BookSide, pricePower: number, quantityPower: number): Int32Array | undefined {
  const scaled = side.levels.slice(side.start * STRIDE, side.end * STRIDE);
  for (let place = side.start, at = 0; place < side.end; place++, at += STRIDE) {
    const isMinimum = side.priceHigh(place) === BIAS && side.priceLow(place) === 0;
    if (isMinimum || !multiplyByPower(side.priceLow(place), side.priceHigh(place), pricePower)) {
      return undefined;
    }
    scaled[at] = resultLow() ^ BIAS ^ side.mask;
    scaled[at + 1] = resultHigh() ^ side.mask;
    if (!multiplyByPower(side.quantityLow(place), side.quantityHigh(place), quantityPower)) {
      return undefined;
    }
    scaled[at + 2] = resultLow();
    scaled[at + 3] = resultHigh();
  }
  return scaled;
}

function sideHash(levels: BookSide, side: number): number {
  let hash = 0;
  for (let place = levels.start; place < levels.end; place++) {
    const quantity = [levels.quantityLow(place), levels.quantityHigh(place)] as const;
    hash = (hash + levelHash(side, levels.priceLow(place), levels.priceHigh(place), ...quantity)) | 0;
  }
  return hash;
}

/** The books of one kernel instance by handle. */
export class Books {
  readonly #books: Book[] = [];
  readonly #free: number[] = [];

  /** @returns a handle, 1 … */
  create(): number {
    return this.#free.pop() ?? this.#books.push(new Book());
  }

  /** Gives a book back; its handle and its room are used again. */
  release(handle: number): void {
    this.get(handle).clear();
    this.#free.push(handle);
  }

  /** The book of a handle. @throws RangeError when this instance has no such book */
  get(handle: number): Book {
    const book = this.#books[handle - 1];
    if (book === undefined) {
      throw new RangeError(`Cannot use a book: the handle is unknown here, was ${handle}`);
    }
    return book;
  }
}
