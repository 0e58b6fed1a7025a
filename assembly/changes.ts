/**
 * The levels of an event become changes of the book, one after the other. Where the depth is limited, the book takes all
 * of them first and is cut, what each of them weighs in the book hash is computed, and only then the records are written.
 * Bad case: an event of one or two levels; four at a time would cost more than they do, so they are weighed one by one.
 */
import { arenaAllocate } from "./arena";
import { bookCount, bookHash, bookPut, hashSet, quantityBefore, worstPrice } from "./book";
import { append, noteFull, noteUnchanged, setLevel } from "./delta";
import { levelHash } from "./hash";
import { BOOK_FULL, FRAME_LEVELS_MAX, INSTRUMENT_BOOK, INSTRUMENT_DEPTH, SIDE_ASK, SIDE_BID } from "./layout";
import { ENTRY_BEFORE, ENTRY_BYTES, ENTRY_QUANTITY, ENTRY_SIDE, ENTRY_WEIGHT, levelAt } from "./levels";
import { dropSuperseded, eventEntry, SIDE_DROPPED } from "./superseded";

/** A level that was cut: price i64 · quantity i64 · side u32. */
const CUT_BYTES: usize = 24;
/** Levels that one event can cut: all that it added, or a whole book when the depth shrinks. */
const CUTS_MAX: usize = FRAME_LEVELS_MAX;
/** Fewer entries are weighed one by one. */
const WEIGH_MIN: usize = 3 * ENTRY_BYTES;

let cuts: usize = 0;
let cutCount: u32 = 0;

/** Applies each level of the event [first, last) once, cuts the depth, and records what changed. */
export function applyLevels(instrument: usize, first: u32, last: u32): void {
  dropSuperseded(first, last);
  const depth = load<u32>(instrument, INSTRUMENT_DEPTH);
  if (depth == 0) applyWhole(levelAt(first), levelAt(last));
  else applyCut(<usize>load<u32>(instrument, INSTRUMENT_BOOK), levelAt(first), levelAt(last), depth);
}

function applyWhole(start: usize, stop: usize): void {
  for (let entry = start; entry < stop; entry += ENTRY_BYTES) {
    const side = <u32>load<u8>(entry, ENTRY_SIDE);
    if (side == SIDE_DROPPED) noteUnchanged();
    else setLevel(side, load<i64>(entry), load<i64>(entry, ENTRY_QUANTITY));
  }
}

/** Levels and cut first, then the records, so that a level which comes and is cut in the same event leaves no trace. */
function applyCut(book: usize, start: usize, stop: usize, depth: u32): void {
  if (cuts == 0) cuts = arenaAllocate(CUTS_MAX * CUT_BYTES);
  if (cuts == 0) unreachable();
  for (let entry = start; entry < stop; entry += ENTRY_BYTES) takeEntry(book, entry);
  cutCount = 0;
  cutSide(book, SIDE_BID, depth);
  cutSide(book, SIDE_ASK, depth);
  if (stop - start < WEIGH_MIN) for (let entry = start; entry < stop; entry += ENTRY_BYTES) weighOne(entry);
  else for (let entry = start; entry < stop; entry += 4 * ENTRY_BYTES) weighFour(entry);
  recordEntries(book, start, stop);
  if (cutCount > 0) recordCuts(book);
}

function recordEntries(book: usize, start: usize, end: usize): void {
  let hash = bookHash(book);
  for (let entry = start; entry < end; entry += ENTRY_BYTES) {
    const was = load<i64>(entry, ENTRY_BEFORE);
    const is = load<i64>(entry, ENTRY_QUANTITY);
    if (is == was) {
      noteUnchanged();
      continue;
    }
    append(load<u8>(entry, ENTRY_SIDE), load<i64>(entry), is, was == 0, hash);
    hash += load<u32>(entry, ENTRY_WEIGHT);
  }
  hashSet(book, hash);
}

function recordCuts(book: usize): void {
  let hash = bookHash(book);
  for (let i: u32 = 0; i < cutCount; i++) {
    const cut = cuts + <usize>i * CUT_BYTES;
    append(load<u32>(cut, 16), load<i64>(cut), 0, false, hash);
    hash -= levelHash(load<u32>(cut, 16), load<i64>(cut), load<i64>(cut, 8));
  }
  hashSet(book, hash);
}

/** Lets the book take one level; an entry that does not count says that nothing was and nothing is. */
function takeEntry(book: usize, entry: usize): void {
  const side = <u32>load<u8>(entry, ENTRY_SIDE);
  if (side == SIDE_DROPPED) {
    store<i64>(entry, 0, ENTRY_QUANTITY);
    store<i64>(entry, 0, ENTRY_BEFORE);
    return;
  }
  if (bookPut(book, side, load<i64>(entry), load<i64>(entry, ENTRY_QUANTITY)) == BOOK_FULL) {
    noteFull();
    store<i64>(entry, 0, ENTRY_QUANTITY);
  }
  store<i64>(entry, quantityBefore(), ENTRY_BEFORE);
}

/** Drops the worst levels of a side beyond the depth and remembers them, unless the event itself named them. */
function cutSide(book: usize, side: u32, depth: u32): void {
  while (bookCount(book, side) > depth && cutCount < <u32>CUTS_MAX) {
    const price = worstPrice(book, side);
    bookPut(book, side, price, 0);
    const entry = eventEntry(side, price);
    if (entry != 0) store<i64>(entry, 0, ENTRY_QUANTITY);
    else noteCut(side, price, quantityBefore());
  }
}

function noteCut(side: u32, price: i64, quantity: i64): void {
  const cut = cuts + <usize>cutCount * CUT_BYTES;
  store<i64>(cut, price);
  store<i64>(cut, quantity, 8);
  store<u32>(cut, side, 16);
  cutCount++;
}

/** What the book hash gains by one entry. */
function weighOne(entry: usize): void {
  const side = <u32>load<u8>(entry, ENTRY_SIDE);
  const was = load<i64>(entry, ENTRY_BEFORE);
  const is = load<i64>(entry, ENTRY_QUANTITY);
  let weight: u32 = 0;
  if (is != 0) weight = levelHash(side, load<i64>(entry), is);
  if (was != 0) weight -= levelHash(side, load<i64>(entry), was);
  store<u32>(entry, weight, ENTRY_WEIGHT);
}

/** The same for four entries; those behind the event's last one gain a weight that nobody reads. */
function weighFour(entry: usize): void {
  const a = v128.load(entry);
  const b = v128.load(entry, 32);
  const c = v128.load(entry, 64);
  const d = v128.load(entry, 96);
  const prices = v128.shuffle<i32>(a, b, 0, 4, 1, 5);
  const prices2 = v128.shuffle<i32>(c, d, 0, 4, 1, 5);
  const is = v128.shuffle<i32>(a, b, 2, 6, 3, 7);
  const is2 = v128.shuffle<i32>(c, d, 2, 6, 3, 7);
  const e = v128.load(entry, 16);
  const f = v128.load(entry, 48);
  const g = v128.load(entry, 80);
  const h = v128.load(entry, 112);
  const was = v128.shuffle<i32>(e, f, 0, 4, 1, 5);
  const was2 = v128.shuffle<i32>(g, h, 0, 4, 1, 5);
  const sides = v128.shuffle<i32>(e, f, 2, 6, 3, 7);
  const sides2 = v128.shuffle<i32>(g, h, 2, 6, 3, 7);
  const side = v128.and(v128.shuffle<i64>(sides, sides2, 0, 2), i32x4.splat(0xff));
  let shared = mixFour(i32x4.splat(0), side);
  shared = mixFour(shared, v128.shuffle<i64>(prices, prices2, 0, 2));
  shared = mixFour(shared, v128.shuffle<i64>(prices, prices2, 1, 3));
  const gained = endFour(shared, v128.shuffle<i64>(is, is2, 0, 2), v128.shuffle<i64>(is, is2, 1, 3));
  const lost = endFour(shared, v128.shuffle<i64>(was, was2, 0, 2), v128.shuffle<i64>(was, was2, 1, 3));
  const weights = i32x4.sub(gained, lost);
  v128.store_lane<i32>(entry, weights, 0, ENTRY_WEIGHT);
  v128.store_lane<i32>(entry, weights, 1, ENTRY_WEIGHT + 32);
  v128.store_lane<i32>(entry, weights, 2, ENTRY_WEIGHT + 64);
  v128.store_lane<i32>(entry, weights, 3, ENTRY_WEIGHT + 96);
}

function mixFour(hash: v128, word: v128): v128 {
  let k = i32x4.mul(word, i32x4.splat(0xcc9e2d51));
  k = v128.or(i32x4.shl(k, 15), i32x4.shr_u(k, 17));
  let h = v128.xor(hash, i32x4.mul(k, i32x4.splat(0x1b873593)));
  h = v128.or(i32x4.shl(h, 13), i32x4.shr_u(h, 19));
  return i32x4.add(i32x4.add(i32x4.shl(h, 2), h), i32x4.splat(0xe6546b64));
}

/** Hash of four levels from what their sides and prices gave and their quantities; 0 for those without quantity. */
function endFour(shared: v128, low: v128, high: v128): v128 {
  let h = v128.xor(mixFour(mixFour(shared, low), high), i32x4.splat(20));
  h = i32x4.mul(v128.xor(h, i32x4.shr_u(h, 16)), i32x4.splat(0x85ebca6b));
  h = i32x4.mul(v128.xor(h, i32x4.shr_u(h, 13)), i32x4.splat(0xc2b2ae35));
  h = v128.xor(h, i32x4.shr_u(h, 16));
  return v128.andnot(h, i32x4.eq(v128.or(low, high), i32x4.splat(0)));
}
