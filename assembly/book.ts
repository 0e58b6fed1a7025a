/**
 * Full-depth book: per side a directory of chunks of up to 32 levels, sorted so that the best level is the very last.
 * Work near the touch moves a few bytes at the end; a level anywhere costs one counting search in the directory, one in a
 * chunk and a move of at most 512 bytes. Asks are kept by the complement of their price, which turns "best last" into one
 * rule for both sides and is defined for every i64.
 * Bad case: a book swept from the far end: each chunk that empties moves the whole directory (16 bytes a chunk).
 *
 * Book, 64 bytes: side 0 at 0, side 1 at 16 (directory u32 · chunks u32 · directoryCapacity u32 · levels u32), hash u32 at 32.
 */
import { blockRelease, blockTake, powerLimit, powerOfTen } from "./arena";
import {
  CAPACITY,
  CHUNKS,
  CHUNK_LEVELS,
  ENTRY_BYTES,
  ENTRY_CHUNK,
  ENTRY_COUNT,
  fillHighest,
  findEntry,
  insertAt,
  insertSplit,
  LEVELS,
  LEVEL_SHIFT,
  lowerBound,
  QUANTITY,
  releaseChunk,
  removeAt,
  takeChunk,
  writeEntry,
} from "./book_chunks";
import { hashEnd, hashStart, levelHash } from "./hash";
import {
  BOOK_ADDED,
  BOOK_CHANGED,
  BOOK_FULL,
  BOOK_REMOVED,
  BOOK_UNCHANGED,
  LEVEL_BYTES,
  LEVEL_PRICE,
  LEVEL_QUANTITY,
  SIDE_ASK,
  SIDE_BID,
} from "./layout";

const BOOK_BYTES: u32 = 64;
const SIDE_BYTES: usize = 16;
const HASH: usize = 32;
/** Searches read a directory by 64 entries. */
const DIRECTORY_FIRST: u32 = 64;

export function bookCreate(): usize {
  const book = blockTake(BOOK_BYTES);
  if (book == 0) return 0;
  if (sideCreate(book) && sideCreate(book + SIDE_BYTES)) return book;
  bookRelease(book);
  return 0;
}

/** Gives a book back. */
export function bookRelease(book: usize): void {
  bookClear(book);
  for (let side: u32 = 0; side < 2; side++) {
    const s = sideAt(book, side);
    blockRelease(load<u32>(s), load<u32>(s, CAPACITY) * ENTRY_BYTES);
  }
  blockRelease(book, BOOK_BYTES);
}

function sideCreate(side: usize): bool {
  const directory = blockTake(DIRECTORY_FIRST * ENTRY_BYTES);
  if (directory == 0) return false;
  fillHighest(directory, DIRECTORY_FIRST);
  store<u32>(side, <u32>directory);
  store<u32>(side, DIRECTORY_FIRST, CAPACITY);
  return true;
}

function sideAt(book: usize, side: u32): usize {
  return book + ((<usize>side) << 4);
}

export function bookHash(book: usize): u32 {
  return load<u32>(book, HASH);
}

export function bookCount(book: usize, side: u32): u32 {
  return load<u32>(sideAt(book, side), LEVELS);
}

export function bookClear(book: usize): void {
  for (let side: u32 = 0; side < 2; side++) {
    const s = sideAt(book, side);
    const directory = <usize>load<u32>(s);
    const chunks = load<u32>(s, CHUNKS);
    for (let i: u32 = 0; i < chunks; i++) releaseChunk(load<u32>(directory + i * ENTRY_BYTES, ENTRY_CHUNK));
    fillHighest(directory, chunks);
    store<u32>(s, 0, CHUNKS);
    store<u32>(s, 0, LEVELS);
  }
  store<u32>(book, 0, HASH);
}

let before: i64 = 0;

/** Quantity that the level of the last bookSet had (0 when absent). */
export function quantityBefore(): i64 {
  return before;
}

export function bookApply(book: usize, side: u32, level: usize): i32 {
  return bookSet(book, side, load<i64>(level, LEVEL_PRICE), load<i64>(level, LEVEL_QUANTITY));
}

/** Sets a level to an absolute quantity. @returns BOOK_* */
export function bookSet(book: usize, side: u32, price: i64, quantity: i64): i32 {
  const code = bookPut(book, side, price, quantity);
  if (code == BOOK_UNCHANGED || code == BOOK_FULL) return code;
  const start = hashStart(side, price);
  let hash = load<u32>(book, HASH);
  if (code != BOOK_ADDED) hash -= hashEnd(start, before);
  if (code != BOOK_REMOVED) hash += hashEnd(start, quantity);
  store<u32>(book, hash, HASH);
  return code;
}

/** The same without the hash, which the caller must set when all levels are in. @returns BOOK_* */
export function bookPut(book: usize, side: u32, price: i64, quantity: i64): i32 {
  const s = sideAt(book, side);
  const key = side == SIDE_ASK ? ~price : price;
  const chunks = load<u32>(s, CHUNKS);
  before = 0;
  if (chunks == 0) return quantity == 0 ? BOOK_UNCHANGED : addFirst(s, key, quantity);
  const directory = <usize>load<u32>(s);
  let index = chunks - 1;
  if (index > 0 && key < load<i64>(directory + index * ENTRY_BYTES)) index = findEntry(directory, key, index);
  const entry = directory + index * ENTRY_BYTES;
  const chunk = <usize>load<u32>(entry, ENTRY_CHUNK);
  const count = load<u32>(entry, ENTRY_COUNT);
  const place = lowerBound(chunk, key);
  const at = chunk + (place << LEVEL_SHIFT);
  if (place < count && load<i64>(at) == key) {
    const old = load<i64>(at, QUANTITY);
    before = old;
    if (old == quantity) return BOOK_UNCHANGED;
    if (quantity == 0) {
      removeAt(s, index, place);
      return BOOK_REMOVED;
    }
    store<i64>(at, quantity, QUANTITY);
    return BOOK_CHANGED;
  }
  if (quantity == 0) return BOOK_UNCHANGED;
  if (count < CHUNK_LEVELS) insertAt(entry, place, key, quantity);
  else if (!insertSplit(s, index, place, key, quantity)) return BOOK_FULL;
  store<u32>(s, load<u32>(s, LEVELS) + 1, LEVELS);
  return BOOK_ADDED;
}

function addFirst(side: usize, key: i64, quantity: i64): i32 {
  const chunk = takeChunk();
  if (chunk == 0) return BOOK_FULL;
  const directory = <usize>load<u32>(side);
  writeEntry(directory, chunk, 1);
  store<i64>(directory, i64.MIN_VALUE);
  store<i64>(chunk, key);
  store<i64>(chunk, quantity, QUANTITY);
  store<u32>(side, 1, CHUNKS);
  store<u32>(side, 1, LEVELS);
  return BOOK_ADDED;
}

/** Sets the hash after levels were put. */
export function hashSet(book: usize, hash: u32): void {
  store<u32>(book, hash, HASH);
}

/** Best price of a side; undefined when the side is empty. */
export function bestPrice(book: usize, side: u32): i64 {
  const s = sideAt(book, side);
  const entry = <usize>load<u32>(s) + (load<u32>(s, CHUNKS) - 1) * ENTRY_BYTES;
  const key = load<i64>(<usize>load<u32>(entry, ENTRY_CHUNK) + ((load<u32>(entry, ENTRY_COUNT) - 1) << LEVEL_SHIFT));
  return side == SIDE_ASK ? ~key : key;
}

/** Quantity at the best price of a side; undefined when the side is empty. */
export function bestQuantity(book: usize, side: u32): i64 {
  const s = sideAt(book, side);
  const entry = <usize>load<u32>(s) + (load<u32>(s, CHUNKS) - 1) * ENTRY_BYTES;
  return load<i64>(
    <usize>load<u32>(entry, ENTRY_CHUNK) + ((load<u32>(entry, ENTRY_COUNT) - 1) << LEVEL_SHIFT),
    QUANTITY,
  );
}

/** Worst price of a side; undefined when the side is empty. */
export function worstPrice(book: usize, side: u32): i64 {
  const s = sideAt(book, side);
  const key = load<i64>(<usize>load<u32>(<usize>load<u32>(s), ENTRY_CHUNK));
  return side == SIDE_ASK ? ~key : key;
}

/** True when both sides have levels and the best bid is above the best ask. */
export function bookCrossed(book: usize): bool {
  return (
    bookCount(book, SIDE_BID) > 0 &&
    bookCount(book, SIDE_ASK) > 0 &&
    bestPrice(book, SIDE_BID) > bestPrice(book, SIDE_ASK)
  );
}

/** Quantity at a price, 0 when there is no such level. */
export function quantityAt(book: usize, side: u32, price: i64): i64 {
  const s = sideAt(book, side);
  const chunks = load<u32>(s, CHUNKS);
  if (chunks == 0) return 0;
  const key = side == SIDE_ASK ? ~price : price;
  const directory = <usize>load<u32>(s);
  let index = chunks - 1;
  if (index > 0 && key < load<i64>(directory + index * ENTRY_BYTES)) index = findEntry(directory, key, index);
  const entry = directory + index * ENTRY_BYTES;
  const chunk = <usize>load<u32>(entry, ENTRY_CHUNK);
  const count = load<u32>(entry, ENTRY_COUNT);
  const place = lowerBound(chunk, key);
  if (place == count || load<i64>(chunk + (place << LEVEL_SHIFT)) != key) return 0;
  return load<i64>(chunk + (place << LEVEL_SHIFT), QUANTITY);
}

export function bookTruncate(book: usize, side: u32, depth: u32): u32 {
  let dropped: u32 = 0;
  while (bookCount(book, side) > depth) {
    bookSet(book, side, worstPrice(book, side), 0);
    dropped++;
  }
  return dropped;
}

export function bookWalk(book: usize, side: u32, from: u32, limit: u32, out: usize): u32 {
  const s = sideAt(book, side);
  const directory = <usize>load<u32>(s);
  let index = load<u32>(s, CHUNKS);
  let skip = from;
  let written: u32 = 0;
  while (index > 0 && written < limit) {
    index--;
    const entry = directory + index * ENTRY_BYTES;
    const count = load<u32>(entry, ENTRY_COUNT);
    if (skip >= count) {
      skip -= count;
      continue;
    }
    let at = <usize>load<u32>(entry, ENTRY_CHUNK) + ((count - 1 - skip) << LEVEL_SHIFT);
    let take = min(count - skip, limit - written);
    skip = 0;
    written += take;
    while (take > 0) {
      const key = load<i64>(at);
      store<i64>(out, side == SIDE_ASK ? ~key : key, LEVEL_PRICE);
      store<i64>(out, load<i64>(at, QUANTITY), LEVEL_QUANTITY);
      out += LEVEL_BYTES;
      at -= 16;
      take--;
    }
  }
  return written;
}

export function bookCanScale(book: usize, pricePower: i32, quantityPower: i32): i32 {
  for (let side: u32 = 0; side < 2; side++) {
    if (!scaleFits(book, side, powerLimit(pricePower), powerLimit(quantityPower))) return 0;
  }
  return 1;
}

export function bookScale(book: usize, pricePower: i32, quantityPower: i32): i32 {
  if (bookCanScale(book, pricePower, quantityPower) == 0) return 1;
  store<u32>(book, 0, HASH);
  for (let side: u32 = 0; side < 2; side++) scaleSide(book, side, powerOfTen(pricePower), powerOfTen(quantityPower));
  return 0;
}

function scaleFits(book: usize, side: u32, priceLimit: i64, quantityLimit: i64): bool {
  const s = sideAt(book, side);
  const directory = <usize>load<u32>(s);
  const chunks = load<u32>(s, CHUNKS);
  for (let i: u32 = 0; i < chunks; i++) {
    const entry = directory + i * ENTRY_BYTES;
    const chunk = <usize>load<u32>(entry, ENTRY_CHUNK);
    const count = load<u32>(entry, ENTRY_COUNT);
    for (let j: u32 = 0; j < count; j++) {
      const key = load<i64>(chunk + (j << LEVEL_SHIFT));
      const price = side == SIDE_ASK ? ~key : key;
      if (price > priceLimit || price < -priceLimit) return false;
      if (load<i64>(chunk + (j << LEVEL_SHIFT), QUANTITY) > quantityLimit) return false;
    }
  }
  return true;
}

function scaleSide(book: usize, side: u32, priceFactor: i64, quantityFactor: i64): void {
  const s = sideAt(book, side);
  const directory = <usize>load<u32>(s);
  const chunks = load<u32>(s, CHUNKS);
  let hash = load<u32>(book, HASH);
  for (let i: u32 = 0; i < chunks; i++) {
    const entry = directory + i * ENTRY_BYTES;
    const chunk = <usize>load<u32>(entry, ENTRY_CHUNK);
    const count = load<u32>(entry, ENTRY_COUNT);
    for (let j: u32 = 0; j < count; j++) {
      const at = chunk + (j << LEVEL_SHIFT);
      const key = load<i64>(at);
      const price = (side == SIDE_ASK ? ~key : key) * priceFactor;
      const quantity = load<i64>(at, QUANTITY) * quantityFactor;
      store<i64>(at, side == SIDE_ASK ? ~price : price);
      store<i64>(at, quantity, QUANTITY);
      hash += levelHash(side, price, quantity);
    }
    if (i > 0) store<i64>(entry, load<i64>(chunk));
  }
  store<u32>(book, hash, HASH);
}
