/**
 * A full-depth book in plain JavaScript: per side sorted chunks of prices and quantities with the best level at the end, so
 * that a change moves a few kilobytes at most, also in the middle of 46,000 levels. Doubles, until a value needs more than
 * 53 bits: then its chunk becomes one of BigInts, exact and slower. The hash is the kernel's, kept by every change.
 * Bad case: a rank far from the best; chunks are walked to it, one after the other.
 */
import { BOOK_ADDED, BOOK_CHANGED, BOOK_REMOVED, BOOK_UNCHANGED, SIDE_ASK, SIDE_BID } from "../../assembly/layout.ts";
import { levelHash } from "../kernel/twin/hash.ts";
import { CHUNK_LEVELS, STRIDE } from "./constants.ts";
import { type Exact, highWord, lowWord, normal } from "./exact.ts";

type Numbers = Float64Array<ArrayBuffer> | BigInt64Array<ArrayBuffer>;

/** Neighbouring levels, worst first, price and quantity by turns; empty only when the side is. */
type Chunk = { numbers: Numbers; count: number };

/** One side, worst level first, in chunks. `find` sets a cursor that the others use. */
export class BookSide {
  /** Levels held. */
  count = 0;
  readonly #isAsk: boolean;
  #chunks: Chunk[] = [emptyChunk()];
  /** The cursor: a chunk, and a level in it or the place behind its last. */
  #index = 0;
  #place = 0;

  /** @param side SIDE_* */
  constructor(side: number) {
    this.#isAsk = side === SIDE_ASK;
  }

  /** Price of a level. @param rank 0 = best … count − 1 */
  price(rank: number): Exact {
    return this.#ranked(rank, 0);
  }

  /** Quantity of a level. @param rank 0 = best … count − 1 */
  quantity(rank: number): Exact {
    return this.#ranked(rank, 1);
  }

  /** Quantity at a price; 0 when no level stands there. */
  quantityAt(price: Exact): Exact {
    return this.find(price) ? this.found : 0;
  }

  /** Removes every level. */
  clear(): void {
    this.count = 0;
    this.#chunks = [emptyChunk()];
  }

  /** Puts the cursor on the first level that is not worse than the price. @returns it has that price */
  find(price: Exact): boolean {
    const chunks = this.#chunks;
    const isAsk = this.#isAsk;
    // The first chunk that does not end with a worse level, else the best one.
    let index = 0;
    for (let high = chunks.length - 1; index < high; ) {
      const middle = (index + high) >> 1;
      if (isWorse(lastOf(chunks[middle] as Chunk), price, isAsk)) {
        index = middle + 1;
      } else {
        high = middle;
      }
    }
    const { numbers, count } = chunks[index] as Chunk;
    let place = 0;
    for (let high = count; place < high; ) {
      const middle = (place + high) >> 1;
      if (isWorse(numbers[middle * STRIDE] as Exact, price, isAsk)) {
        place = middle + 1;
      } else {
        high = middle;
      }
    }
    this.#index = index;
    this.#place = place;
    // A double is never === an equal BigInt; that neither is the larger says that they are equal.
    const held = numbers[place * STRIDE] as Exact;
    return place < count && held <= price && held >= price;
  }

  /** Quantity of the level that was found. */
  get found(): Exact {
    return read((this.#chunks[this.#index] as Chunk).numbers, this.#place * STRIDE + 1);
  }

  /** Replaces the quantity of the level that was found. */
  replace(quantity: Exact): void {
    const chunk = this.#chunks[this.#index] as Chunk;
    widen(chunk, quantity, quantity);
    write(chunk.numbers, this.#place * STRIDE + 1, quantity);
  }

  /** Puts a level before the cursor. */
  insert(price: Exact, quantity: Exact): void {
    const chunk = this.#roomy();
    widen(chunk, price, quantity);
    const { numbers } = chunk;
    const at = this.#place * STRIDE;
    numbers.copyWithin(at + STRIDE, at, chunk.count * STRIDE);
    write(numbers, at, price);
    write(numbers, at + 1, quantity);
    chunk.count++;
    this.count++;
  }

  /** Adds a level that is worse than all. */
  append(price: Exact, quantity: Exact): void {
    this.#index = 0;
    this.#place = 0;
    if (this.#chunks[0]?.count === CHUNK_LEVELS) {
      this.#chunks.unshift(emptyChunk());
    }
    this.insert(price, quantity);
  }

  /** Takes out the level that was found. */
  remove(): void {
    const chunk = this.#chunks[this.#index] as Chunk;
    const at = this.#place * STRIDE;
    chunk.numbers.copyWithin(at, at + STRIDE, chunk.count * STRIDE);
    chunk.count--;
    this.count--;
    if (chunk.count === 0 && this.count > 0) {
      this.#chunks.splice(this.#index, 1);
    }
  }

  /** The cursor's chunk, with room for one more level: a full one is halved. */
  #roomy(): Chunk {
    const chunks = this.#chunks;
    const chunk = chunks[this.#index] as Chunk;
    if (chunk.count < CHUNK_LEVELS) {
      return chunk;
    }
    const half = CHUNK_LEVELS >> 1;
    const upper = { numbers: chunk.numbers.slice(), count: half };
    upper.numbers.copyWithin(0, CHUNK_LEVELS);
    chunk.count = half;
    chunks.splice(this.#index + 1, 0, upper);
    if (this.#place > half) {
      this.#index++;
      this.#place -= half;
    }
    return chunks[this.#index] as Chunk;
  }

  #ranked(rank: number, part: number): Exact {
    let left = rank;
    let index = this.#chunks.length - 1;
    let chunk = this.#chunks[index] as Chunk;
    while (left >= chunk.count) {
      left -= chunk.count;
      chunk = this.#chunks[--index] as Chunk;
    }
    return read(chunk.numbers, (chunk.count - 1 - left) * STRIDE + part);
  }
}

function emptyChunk(): Chunk {
  return { numbers: new Float64Array(CHUNK_LEVELS * STRIDE), count: 0 };
}

/** Price of the best level of a chunk. */
function lastOf({ numbers, count }: Chunk): Exact {
  return numbers[(count - 1) * STRIDE] as Exact;
}

function isWorse(held: Exact, price: Exact, isAsk: boolean): boolean {
  return isAsk ? held > price : held < price;
}

/** Makes BigInts of a chunk's numbers when one of the values needs it. */
function widen(chunk: Chunk, price: Exact, quantity: Exact): void {
  if ((typeof price === "bigint" || typeof quantity === "bigint") && chunk.numbers instanceof Float64Array) {
    chunk.numbers = BigInt64Array.from(chunk.numbers, BigInt);
  }
}

/** A book: both sides and the sum of its level hashes. */
export class LevelBook {
  readonly bids = new BookSide(SIDE_BID);
  readonly asks = new BookSide(SIDE_ASK);
  /** Sum of the level hashes as a signed word; 0 while it is not kept. */
  hash = 0;
  /** Prices whose levels were set since the owner looked, by side; undefined while nobody wants to know. */
  touched: readonly Set<Exact>[] | undefined;
  readonly #isHashed: boolean;

  /** @param options.isVerified false: the hash stays 0 and costs nothing */
  constructor(options: { isVerified: boolean }) {
    this.#isHashed = options.isVerified;
  }

  /** A side. @param side SIDE_* */
  side(side: number): BookSide {
    return side === SIDE_BID ? this.bids : this.asks;
  }

  /** Removes every level. */
  clear(): void {
    this.bids.clear();
    this.asks.clear();
    this.hash = 0;
  }

  /** Sets a level to an absolute quantity, 0 removes it. @returns BOOK_* */
  set(side: number, price: Exact, quantity: Exact): number {
    const levels = this.side(side);
    const isHeld = levels.find(price);
    this.touched?.[side]?.add(price);
    if (!isHeld) {
      if (quantity === 0) {
        return BOOK_UNCHANGED;
      }
      levels.insert(price, quantity);
      this.hash = (this.hash + this.#hashOf(side, price, quantity)) | 0;
      return BOOK_ADDED;
    }
    const before = levels.found;
    if (before === quantity) {
      return BOOK_UNCHANGED;
    }
    this.hash = (this.hash - this.#hashOf(side, price, before)) | 0;
    if (quantity === 0) {
      levels.remove();
      return BOOK_REMOVED;
    }
    levels.replace(quantity);
    this.hash = (this.hash + this.#hashOf(side, price, quantity)) | 0;
    return BOOK_CHANGED;
  }

  /** Adds a level that is worse than all of its side. */
  append(side: number, price: Exact, quantity: Exact): void {
    this.side(side).append(price, quantity);
    this.hash = (this.hash + this.#hashOf(side, price, quantity)) | 0;
  }

  /** True when both sides have levels and the best bid is above the best ask. */
  get isCrossed(): boolean {
    const { bids, asks } = this;
    return bids.count > 0 && asks.count > 0 && bids.price(0) > asks.price(0);
  }

  #hashOf(side: number, price: Exact, quantity: Exact): number {
    return this.#isHashed ? levelHash(side, lowWord(price), highWord(price), lowWord(quantity), highWord(quantity)) : 0;
  }
}

function read(numbers: Numbers, at: number): Exact {
  const value = numbers[at] as Exact;
  return typeof value === "number" ? value : normal(value);
}

function write(numbers: Numbers, at: number, value: Exact): void {
  if (numbers instanceof Float64Array) {
    numbers[at] = value as number;
  } else {
    numbers[at] = BigInt(value);
  }
}
