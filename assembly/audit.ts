/**
 * The audit: a watch notes every level that an instrument's events name, altered or not, and a REST depth body is compared
 * with the book level by level, leaving out what was named meanwhile. Bodies of all exchanges have one form: `bids` and
 * `asks` as lists of `[price, quantity, …]`, best first, beside `lastUpdateId` or `time`, in objects of any depth.
 * Bad case: a level that the exchange adds and removes without a word in between; only a second look tells it from a loss.
 */
import { arenaAllocate, powerOfTen } from "./arena";
import { bookClear, bookCount, bookCreate, bookSet, bookWalk, quantityAt, worstPrice } from "./book";
import { keyAt, keyBytes, nextMember, objectClosed, objectEmpty, readKey, word8 } from "./fields";
import {
  byteAt,
  integerValue,
  lastStringEscaped,
  readInteger,
  skipSpace,
  skipValue,
  TYPE_NUMBER,
  TYPE_STRING,
  typeAt,
} from "./json";
import {
  BOOK_FULL,
  COMPARE_BROKEN,
  COMPARE_OK,
  COMPARE_UNREADABLE,
  INSTRUMENT_BOOK,
  INSTRUMENT_DEPTH,
  INSTRUMENT_QUANTITY_EXPONENT,
  INSTRUMENT_WATCH,
  JSON_DEPTH_MAX,
  LEVEL_QUANTITY,
  SIDE_ASK,
  SIDE_BID,
  WATCH_AGREEING,
  WATCH_ASK_COUNT,
  WATCH_BID_COUNT,
  WATCH_BODY_SEQUENCE,
  WATCH_BODY_TIME,
  WATCH_BYTES,
  WATCH_COMPARED,
  WATCH_DISAGREEING,
  WATCH_FLAG_BROKEN,
  WATCH_FLAGS,
  WATCH_HIGH,
  WATCH_INSTRUMENT,
  WATCH_LATE,
  WATCH_LIST,
  WATCH_LOW,
  WATCH_MISMATCH_BYTES,
  WATCH_MISMATCH_OURS,
  WATCH_MISMATCH_PRICE,
  WATCH_MISMATCH_SIDE,
  WATCH_MISMATCH_THEIRS,
  WATCH_MISMATCHES,
  WATCH_MISMATCHES_MAX,
  WATCH_NARROW_ASK,
  WATCH_NARROW_BID,
  WATCH_NARROWED,
  WATCH_PHASE,
  WATCH_PHASE_ASKED,
  WATCH_PHASE_CLOSED,
  WATCH_PHASE_OPEN,
  WATCH_REST_DECIMALS,
  WATCH_REST_LEVELS,
  WATCH_TOUCHED,
  WATCH_TOUCHED_LEVELS,
} from "./layout";
import {
  ENTRY_BYTES,
  ENTRY_QUANTITY,
  ENTRY_SIDE,
  levelAt,
  levelsClear,
  levelsCount,
  levelsMalformed,
  levelsTooMany,
  scaleLevels,
  SCALE_OK,
  scanPairs,
} from "./levels";
import { readRfc3339, timeValue } from "./time";
import { ASKS, BIDS, LAST_UPDATE_ID, LAST_UPDATE_ID_LENGTH, LAST_UPDATE_ID_TAIL, TIME } from "./words";

const ABSENT: i64 = -1;
const WALK_LEVELS: u32 = 256;
const WALK_SHIFT: u32 = 4;
const BOTH_SIDES: u32 = 3;

let walked: usize = 0;
let sidesSeen: u32 = 0;
let bidFirst: u32 = 0;
let bidLast: u32 = 0;
let askFirst: u32 = 0;
let askLast: u32 = 0;
let sequence: u64 = 0;
let time: i64 = 0;
let tolerance: i64 = 0;

/** Makes the watch of an instrument. @returns its address, 0 when the arena is exhausted */
export function watchCreate(instrument: usize): usize {
  if (walked == 0) walked = arenaAllocate(WALK_LEVELS << WALK_SHIFT);
  const watch = walked == 0 ? <usize>0 : arenaAllocate(WATCH_BYTES);
  const touched = watch == 0 ? <usize>0 : bookCreate();
  const late = touched == 0 ? <usize>0 : bookCreate();
  if (late == 0) return 0;
  store<u32>(watch, <u32>instrument, WATCH_INSTRUMENT);
  store<u32>(watch, <u32>touched, WATCH_TOUCHED);
  store<u32>(watch, <u32>late, WATCH_LATE);
  store<i64>(watch, i64.MIN_VALUE, WATCH_LOW);
  store<i64>(watch, i64.MAX_VALUE, WATCH_HIGH);
  store<i32>(watch, -1, WATCH_REST_DECIMALS);
  return watch;
}

/** Begins to note what the instrument's events name; whatever was noted before is forgotten. */
export function watchOpen(watch: usize): void {
  forget(watch);
  store<u32>(watch, 0, WATCH_FLAGS);
  store<u32>(watch, 0, WATCH_NARROWED);
  store<u32>(watch, WATCH_PHASE_OPEN, WATCH_PHASE);
  const instrument = <usize>load<u32>(watch, WATCH_INSTRUMENT);
  store<u32>(instrument, <u32>watch, INSTRUMENT_WATCH);
  watchNarrow(instrument);
}

/** Ends the noting and gives its memory back. */
export function watchClose(watch: usize): void {
  forget(watch);
  store<u32>(watch, WATCH_PHASE_CLOSED, WATCH_PHASE);
  store<u32>(<usize>load<u32>(watch, WATCH_INSTRUMENT), 0, INSTRUMENT_WATCH);
}

function forget(watch: usize): void {
  bookClear(load<u32>(watch, WATCH_TOUCHED));
  bookClear(load<u32>(watch, WATCH_LATE));
}

/** Notes the levels [first, last) of an event that is about to be applied to a watched instrument. */
export function watchLevels(instrument: usize, first: u32, last: u32): void {
  const watch = <usize>load<u32>(instrument, INSTRUMENT_WATCH);
  const book = <usize>load<u32>(instrument, INSTRUMENT_BOOK);
  const touched = <usize>load<u32>(watch, WATCH_TOUCHED);
  const late = <usize>load<u32>(watch, WATCH_LATE);
  const asked = load<u32>(watch, WATCH_PHASE) == WATCH_PHASE_ASKED;
  const stop = levelAt(last);
  let full = false;
  for (let entry = levelAt(first); entry < stop; entry += ENTRY_BYTES) {
    const side = <u32>load<u8>(entry, ENTRY_SIDE);
    const price = load<i64>(entry);
    if (quantityAt(touched, side, price) == 0) {
      // The quantity from before stands here plus one, because a level of zero would be none.
      if (bookSet(touched, side, price, quantityAt(book, side, price) + 1) == BOOK_FULL) full = true;
    }
    if (asked && bookSet(late, side, price, 1) == BOOK_FULL) full = true;
  }
  if (full) store<u32>(watch, WATCH_FLAG_BROKEN, WATCH_FLAGS);
}

/** After an event: levels beyond the worst one of a full side are out of scope from here on. */
export function watchNarrow(instrument: usize): void {
  const depth = load<u32>(instrument, INSTRUMENT_DEPTH);
  if (depth == 0) return;
  const watch = <usize>load<u32>(instrument, INSTRUMENT_WATCH);
  const book = <usize>load<u32>(instrument, INSTRUMENT_BOOK);
  for (let side: u32 = 0; side < 2; side++) {
    if (bookCount(book, side) < depth) continue;
    const at = watch + (side == SIDE_ASK ? WATCH_NARROW_ASK : WATCH_NARROW_BID);
    const worst = worstPrice(book, side);
    const narrowed = load<u32>(watch, WATCH_NARROWED);
    if ((narrowed & (1 << side)) == 0 || isBetter(side, worst, load<i64>(at))) store<i64>(at, worst);
    store<u32>(watch, narrowed | (1 << side), WATCH_NARROWED);
  }
}

/**
 * Compares the watched book with a REST body.
 * @returns COMPARE_*; the findings stand in the watch
 */
export function auditCompare(watch: usize, body: usize, length: usize): i32 {
  for (let at = watch + WATCH_BODY_SEQUENCE; at < watch + WATCH_LIST; at += 16) v128.store(at, i64x2.splat(0));
  const closed = load<u32>(watch, WATCH_PHASE) == WATCH_PHASE_CLOSED;
  if (closed || (load<u32>(watch, WATCH_FLAGS) & WATCH_FLAG_BROKEN) != 0) return COMPARE_BROKEN;
  const instrument = <usize>load<u32>(watch, WATCH_INSTRUMENT);
  if (!readBody(body, body + length)) return COMPARE_UNREADABLE;
  if (scaleLevels(instrument, 0, levelsCount()) != SCALE_OK) return COMPARE_UNREADABLE;
  if (!isSorted(SIDE_BID, bidFirst, bidLast) || !isSorted(SIDE_ASK, askFirst, askLast)) return COMPARE_UNREADABLE;
  store<u64>(watch, sequence, WATCH_BODY_SEQUENCE);
  store<i64>(watch, time, WATCH_BODY_TIME);
  store<u32>(watch, bidLast - bidFirst, WATCH_BID_COUNT);
  store<u32>(watch, askLast - askFirst, WATCH_ASK_COUNT);
  tolerance = toleranceOf(watch, instrument);
  compareSide(watch, instrument, SIDE_BID, bidFirst, bidLast);
  compareSide(watch, instrument, SIDE_ASK, askFirst, askLast);
  return COMPARE_OK;
}

/** Two quantities are the same when they differ by less than this; 0 = they must be equal. */
function toleranceOf(watch: usize, instrument: usize): i64 {
  const decimals = load<i32>(watch, WATCH_REST_DECIMALS);
  const coarse = load<i32>(instrument, INSTRUMENT_QUANTITY_EXPONENT) - decimals;
  return decimals >= 0 && coarse > 0 ? powerOfTen(coarse) : 0;
}

function readBody(body: usize, end: usize): bool {
  levelsClear();
  sidesSeen = 0;
  sequence = 0;
  time = 0;
  const at = skipSpace(body, end);
  if (byteAt(at, end) != 0x7b) return false;
  const stop = scanMembers(at + 1, end, 1);
  if (stop == 0 || skipSpace(stop, end) != end) return false;
  return sidesSeen == BOTH_SIDES && levelsMalformed() == 0 && !levelsTooMany();
}

function scanMembers(at: usize, end: usize, depth: i32): usize {
  if (objectEmpty(at, end)) return skipSpace(at, end) + 1;
  while (true) {
    at = readKey(at, end);
    if (at == 0) return 0;
    at = scanMember(keyAt(), keyBytes(), at, end, depth);
    if (at == 0) return 0;
    at = nextMember(at, end);
    if (at == 0 || objectClosed()) return at;
  }
}

function scanMember(key: usize, length: usize, at: usize, end: usize, depth: i32): usize {
  const byte = byteAt(at, end);
  if (byte == 0x7b) return depth < JSON_DEPTH_MAX ? scanMembers(at + 1, end, depth + 1) : 0;
  const word: u64 = length == 4 ? word8(key, 4) : 0;
  if (byte == 0x5b && (word == BIDS || word == ASKS))
    return scanSide(word == ASKS ? SIDE_ASK : SIDE_BID, at, end, depth);
  const type = typeAt(at, end);
  const stop = skipValue(at, end, depth);
  if (stop == 0 || depth != 1) return stop;
  if (word == TIME && type == TYPE_STRING && !lastStringEscaped() && readRfc3339(at + 1, stop - at - 2))
    time = timeValue();
  if (length == <usize>LAST_UPDATE_ID_LENGTH && type == TYPE_NUMBER) {
    const isId = load<u64>(key) == LAST_UPDATE_ID && load<u64>(key + 4) == LAST_UPDATE_ID_TAIL;
    if (isId && readInteger(at, stop - at)) sequence = integerValue();
  }
  return stop;
}

/** Reads the levels of a side; a side that comes twice is no body. */
function scanSide(side: u32, at: usize, end: usize, depth: i32): usize {
  if ((sidesSeen & (1 << side)) != 0) return 0;
  sidesSeen |= 1 << side;
  const first = levelsCount();
  const stop = scanPairs(at, end, side, depth + 1, false);
  if (side == SIDE_BID) {
    bidFirst = first;
    bidLast = levelsCount();
  } else {
    askFirst = first;
    askLast = levelsCount();
  }
  return stop;
}

function isBetter(side: u32, one: i64, other: i64): bool {
  return side == SIDE_BID ? one > other : one < other;
}

function isSorted(side: u32, first: u32, last: u32): bool {
  for (let i = first + 1; i < last; i++) {
    if (!isBetter(side, load<i64>(levelAt(i - 1)), load<i64>(levelAt(i)))) return false;
  }
  return true;
}

/** The worst price of a side that both book and body assert. */
function boundOf(watch: usize, side: u32, first: u32, last: u32): i64 {
  let bound = load<i64>(watch + (side == SIDE_BID ? WATCH_LOW : WATCH_HIGH));
  const narrow = load<i64>(watch + (side == SIDE_BID ? WATCH_NARROW_BID : WATCH_NARROW_ASK));
  if ((load<u32>(watch, WATCH_NARROWED) & (1 << side)) != 0 && isBetter(side, narrow, bound)) bound = narrow;
  const asked = load<u32>(watch, WATCH_REST_LEVELS);
  if (asked == 0 || last - first < asked) return bound;
  const worst = load<i64>(levelAt(last - 1));
  return isBetter(side, worst, bound) ? worst : bound;
}

/** Walks both sides of the same kind, best first, and judges every price that one of them has. */
function compareSide(watch: usize, instrument: usize, side: u32, first: u32, last: u32): void {
  const book = <usize>load<u32>(instrument, INSTRUMENT_BOOK);
  const touched = <usize>load<u32>(watch, WATCH_TOUCHED);
  const bound = boundOf(watch, side, first, last);
  const held = bookCount(book, side);
  let compared: u32 = 0;
  let rank: u32 = 0;
  let body = first;
  while (rank < held || body < last) {
    if ((rank & (WALK_LEVELS - 1)) == 0 && rank < held) bookWalk(book, side, rank, WALK_LEVELS, walked);
    const ours = walked + ((<usize>(rank & (WALK_LEVELS - 1))) << WALK_SHIFT);
    const theirs = levelAt(body);
    const takesOurs = rank < held && (body == last || !isBetter(side, load<i64>(theirs), load<i64>(ours)));
    const takesTheirs = body < last && (rank >= held || !isBetter(side, load<i64>(ours), load<i64>(theirs)));
    const price = takesOurs ? load<i64>(ours) : load<i64>(theirs);
    if (isBetter(side, bound, price)) break;
    const ourQuantity: i64 = takesOurs ? load<i64>(ours, LEVEL_QUANTITY) : 0;
    const theirQuantity: i64 = takesTheirs ? load<i64>(theirs, ENTRY_QUANTITY) : ABSENT;
    if (takesOurs) rank++;
    if (takesTheirs) body++;
    compared++;
    if (!isSame(ourQuantity, theirQuantity) && quantityAt(touched, side, price) == 0)
      noteMismatch(watch, side, price, ourQuantity, theirQuantity);
  }
  store<u32>(watch, load<u32>(watch, WATCH_COMPARED) + compared, WATCH_COMPARED);
  weighTouched(watch, book, side, bound, first, last);
}

/** @param ours 0 = absent @param theirs ABSENT = absent */
function isSame(ours: i64, theirs: i64): bool {
  if (theirs == ABSENT) return ours == 0;
  if (tolerance == 0) return ours == theirs;
  if (ours == 0) return false;
  const difference = ours - theirs;
  return difference < tolerance && difference > -tolerance;
}

function noteMismatch(watch: usize, side: u32, price: i64, ours: i64, theirs: i64): void {
  const count = load<u32>(watch, WATCH_MISMATCHES);
  store<u32>(watch, count + 1, WATCH_MISMATCHES);
  if (count >= <u32>WATCH_MISMATCHES_MAX) return;
  const at = watch + WATCH_LIST + <usize>count * WATCH_MISMATCH_BYTES;
  store<i64>(at, price, WATCH_MISMATCH_PRICE);
  store<i64>(at, ours, WATCH_MISMATCH_OURS);
  store<i64>(at, theirs, WATCH_MISMATCH_THEIRS);
  store<u32>(at, side, WATCH_MISMATCH_SIDE);
}

/** How fresh the body is: does it know the changes that were over before it was asked for? */
function weighTouched(watch: usize, book: usize, side: u32, bound: i64, first: u32, last: u32): void {
  const touched = <usize>load<u32>(watch, WATCH_TOUCHED);
  const late = <usize>load<u32>(watch, WATCH_LATE);
  const total = bookCount(touched, side);
  let agreeing: u32 = 0;
  let disagreeing: u32 = 0;
  for (let rank: u32 = 0; rank < total; rank++) {
    if ((rank & (WALK_LEVELS - 1)) == 0) bookWalk(touched, side, rank, WALK_LEVELS, walked);
    const mark = walked + ((<usize>(rank & (WALK_LEVELS - 1))) << WALK_SHIFT);
    const price = load<i64>(mark);
    if (isBetter(side, bound, price)) break;
    if (quantityAt(late, side, price) != 0) continue;
    const now = quantityAt(book, side, price);
    const before = load<i64>(mark, LEVEL_QUANTITY) - 1;
    const theirs = bodyQuantity(side, price, first, last);
    if (now == before) continue;
    if (!isSame(now, theirs)) disagreeing++;
    else if (!isSame(before, theirs)) agreeing++;
  }
  store<u32>(watch, load<u32>(watch, WATCH_TOUCHED_LEVELS) + total, WATCH_TOUCHED_LEVELS);
  store<u32>(watch, load<u32>(watch, WATCH_AGREEING) + agreeing, WATCH_AGREEING);
  store<u32>(watch, load<u32>(watch, WATCH_DISAGREEING) + disagreeing, WATCH_DISAGREEING);
}

/** The body's quantity at a price, ABSENT when it has none. */
function bodyQuantity(side: u32, price: i64, first: u32, last: u32): i64 {
  let low = first;
  let high = last;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (isBetter(side, load<i64>(levelAt(middle)), price)) low = middle + 1;
    else high = middle;
  }
  return low < last && load<i64>(levelAt(low)) == price ? load<i64>(levelAt(low), ENTRY_QUANTITY) : ABSENT;
}
