/**
 * A decoded book event meets the book: levels are applied and recorded, the depth is cut, checksum and crossing are
 * judged, the state follows. The same for every exchange; what differs is passed in.
 * Bad case: a book that is crossed straight from a snapshot; it is published as Crossed and not resynced for it.
 */
import {
  bookClear,
  bookCount,
  bookCreate,
  bookCrossed,
  bookHash,
  bookSet,
  bookTruncate,
  bookWalk,
  quantityAt,
} from "./book";
import { arenaAllocate } from "./arena";
import { watchLevels, watchNarrow } from "./audit";
import { applyLevels } from "./changes";
import { checksumOf } from "./checksum";
import { eventBegin, eventEnd, eventFull, resetEvent, setLevel } from "./delta";
import { imageWanted } from "./image";
import { breakWatch, clearFlag, hasFlag, setFlag, setState, setSynced } from "./instrument";
import {
  APPLY_BOOK,
  APPLY_CHECKSUM_BAD,
  APPLY_CROSSED,
  APPLY_LIMIT,
  APPLY_SNAPSHOT,
  COUNTER_BOOK_UPDATES,
  COUNTER_CHECKSUM_BAD,
  COUNTER_CHECKSUM_OK,
  COUNTER_CROSSED,
  COUNTER_LEVEL_ENTRIES,
  COUNTER_SNAPSHOTS,
  FLAG_CROSSED,
  FLAG_SNAPSHOT,
  INLINE_SNAPSHOT_LEVELS,
  INSTRUMENT_BOOK,
  INSTRUMENT_DEPTH,
  INSTRUMENT_FLAG_ALLOW_CROSSED,
  INSTRUMENT_IMAGE_ADDRESS,
  INSTRUMENT_LAST_SEQUENCE,
  INSTRUMENT_METRICS_SNAPSHOTS,
  INSTRUMENT_WATCH,
  LEVEL_BYTES,
  LEVEL_QUANTITY,
  LIMIT_ARENA,
  LIMIT_IMAGE,
  OUTCOME_CHECKSUM_COMPUTED,
  OUTCOME_CHECKSUM_EXPECTED,
  OUTCOME_ENTRIES,
  OUTCOME_EVENTS,
  REASON_CHECKSUM,
  REASON_CROSSED,
  REASON_LIMIT,
  SIDE_ASK,
  SIDE_BID,
  STATE_OUT_OF_SERVICE,
  STATE_RESYNCING,
} from "./layout";
import { ENTRY_BYTES, ENTRY_QUANTITY, ENTRY_SIDE, levelAt } from "./levels";
import { noteDelay, noteInstrument, noteUpdate } from "./metrics";
import { count, finish, outcomeAddress, outcomeBegin, unixTime } from "./producer";

let spare: usize = 0;
let level: usize = 0;
let checksumWanted: bool = false;
let checksumExpected: u32 = 0;

/** The next event carries this checksum. */
export function expectChecksum(value: u32): void {
  checksumWanted = true;
  checksumExpected = value;
}

/** The next event carries no checksum. */
export function expectNoChecksum(): void {
  checksumWanted = false;
}

/** Applies the scaled levels [first, last) as changes. @returns APPLY_* (the outcome is filled) */
export function applyDelta(instrument: usize, first: u32, last: u32, at: i64, sequence: u64, relative: f64): i32 {
  const received = unixTime(relative);
  eventBegin(instrument, at, received, sequence, 0, last - first);
  const watched = load<u32>(instrument, INSTRUMENT_WATCH) != 0;
  if (watched) watchLevels(instrument, first, last);
  applyLevels(instrument, first, last);
  if (watched) watchNarrow(instrument);
  noteEvent(first, last);
  const book = <usize>load<u32>(instrument, INSTRUMENT_BOOK);
  noteUpdate(instrument, bookCount(book, SIDE_BID) + bookCount(book, SIDE_ASK));
  noteDelay(at, received);
  return settle(instrument, APPLY_BOOK, received, relative);
}

/** Counts an in-band book message. */
function noteEvent(first: u32, last: u32): void {
  count(COUNTER_BOOK_UPDATES, 1);
  const outcome = outcomeAddress();
  store<u32>(outcome, load<u32>(outcome, OUTCOME_EVENTS) + 1, OUTCOME_EVENTS);
  noteEntries(first, last);
}

function noteEntries(first: u32, last: u32): void {
  count(COUNTER_LEVEL_ENTRIES, last - first);
  const outcome = outcomeAddress();
  store<u32>(outcome, load<u32>(outcome, OUTCOME_ENTRIES) + (last - first), OUTCOME_ENTRIES);
}

/** Judges checksum and crossing, sets the state and closes the event. */
function settle(instrument: usize, good: i32, received: i64, relative: f64): i32 {
  const book = <usize>load<u32>(instrument, INSTRUMENT_BOOK);
  if (eventFull()) return outOfMemory(instrument, received, relative);
  let code = judge(instrument, book, good, received);
  const flags: u32 = code != APPLY_CHECKSUM_BAD && bookCrossed(book) ? FLAG_CROSSED : 0;
  eventEnd(flags, relative);
  return finish(code, instrument, detailOf(code));
}

function detailOf(code: i32): i32 {
  if (code == APPLY_CHECKSUM_BAD) return REASON_CHECKSUM;
  return code == APPLY_CROSSED ? REASON_CROSSED : 0;
}

/** @returns the code that the event ends in; the state is set */
function judge(instrument: usize, book: usize, good: i32, received: i64): i32 {
  if (checksumWanted && !checksumHolds(instrument, book)) {
    setState(instrument, STATE_RESYNCING, REASON_CHECKSUM, received);
    return APPLY_CHECKSUM_BAD;
  }
  if (!bookCrossed(book)) {
    if (hasFlag(instrument, INSTRUMENT_FLAG_ALLOW_CROSSED)) clearFlag(instrument, INSTRUMENT_FLAG_ALLOW_CROSSED);
    setSynced(instrument, received);
    return good;
  }
  count(COUNTER_CROSSED, 1);
  if (good == APPLY_SNAPSHOT) setFlag(instrument, INSTRUMENT_FLAG_ALLOW_CROSSED);
  if (hasFlag(instrument, INSTRUMENT_FLAG_ALLOW_CROSSED)) {
    setSynced(instrument, received);
    return good;
  }
  setState(instrument, STATE_RESYNCING, REASON_CROSSED, received);
  return APPLY_CROSSED;
}

function checksumHolds(instrument: usize, book: usize): bool {
  const computed = checksumOf(instrument, book);
  const outcome = outcomeAddress();
  store<u32>(outcome, checksumExpected, OUTCOME_CHECKSUM_EXPECTED);
  store<u32>(outcome, computed, OUTCOME_CHECKSUM_COMPUTED);
  const holds = computed == checksumExpected;
  count(holds ? COUNTER_CHECKSUM_OK : COUNTER_CHECKSUM_BAD, 1);
  return holds;
}

function outOfMemory(instrument: usize, received: i64, relative: f64): i32 {
  setState(instrument, STATE_OUT_OF_SERVICE, REASON_LIMIT, received);
  eventEnd(0, relative);
  return finish(APPLY_LIMIT, instrument, LIMIT_ARENA);
}

/**
 * Replaces the book by the scaled levels [first, last).
 * @param inBand 1 when it came over the socket and counts as a book update
 */
export function applyFull(
  instrument: usize,
  first: u32,
  last: u32,
  at: i64,
  sequence: u64,
  inBand: bool,
  relative: f64,
): i32 {
  const book = <usize>load<u32>(instrument, INSTRUMENT_BOOK);
  const held = bookCount(book, SIDE_BID) + bookCount(book, SIDE_ASK);
  breakWatch(instrument);
  count(COUNTER_SNAPSHOTS, 1);
  if (inBand) noteEvent(first, last);
  else noteEntries(first, last);
  noteInstrument(instrument, INSTRUMENT_METRICS_SNAPSHOTS, 1);
  const isSmall = held + (last - first) <= <u32>INLINE_SNAPSHOT_LEVELS;
  return load<u32>(instrument, INSTRUMENT_IMAGE_ADDRESS) == 0 || isSmall
    ? applyDifference(instrument, first, last, at, sequence, relative)
    : applyReplacement(instrument, first, last, at, relative);
}

/** Publishes a snapshot as its true difference from the held book. */
function applyDifference(instrument: usize, first: u32, last: u32, at: i64, sequence: u64, relative: f64): i32 {
  const received = unixTime(relative);
  const book = <usize>load<u32>(instrument, INSTRUMENT_BOOK);
  if (spare == 0) {
    spare = bookCreate();
    level = arenaAllocate(LEVEL_BYTES);
    if (spare == 0 || level == 0) unreachable();
  }
  bookClear(spare);
  fillBook(spare, first, last);
  eventBegin(instrument, at, received, sequence, FLAG_SNAPSHOT, last - first);
  removeAbsent(book, SIDE_BID);
  removeAbsent(book, SIDE_ASK);
  applyLevels(instrument, first, last);
  bookClear(spare);
  const code = settle(instrument, APPLY_SNAPSHOT, received, relative);
  if (load<u32>(instrument, INSTRUMENT_IMAGE_ADDRESS) != 0) imageWanted(instrument);
  return code;
}

/** Removes the held levels of a side that the spare book lacks, best first. */
function removeAbsent(book: usize, side: u32): void {
  let i: u32 = 0;
  while (bookWalk(book, side, i, 1, level) == 1) {
    const price = load<i64>(level);
    if (quantityAt(spare, side, price) != 0) i++;
    else setLevel(side, price, 0);
  }
}

function fillBook(book: usize, first: u32, last: u32): bool {
  let good = true;
  const stop = levelAt(last);
  for (let entry = levelAt(first); entry < stop; entry += ENTRY_BYTES) {
    if (bookSet(book, load<u8>(entry, ENTRY_SIDE), load<i64>(entry), load<i64>(entry, ENTRY_QUANTITY)) < 0)
      good = false;
  }
  return good;
}

/** Publishes a snapshot as an image and a Reset record. */
function applyReplacement(instrument: usize, first: u32, last: u32, at: i64, relative: f64): i32 {
  const received = unixTime(relative);
  const book = <usize>load<u32>(instrument, INSTRUMENT_BOOK);
  bookClear(book);
  const good = fillBook(book, first, last);
  const depth = load<u32>(instrument, INSTRUMENT_DEPTH);
  if (depth > 0) {
    bookTruncate(book, SIDE_BID, depth);
    bookTruncate(book, SIDE_ASK, depth);
  }
  if (!good) {
    eventBegin(instrument, at, received, 0, 0, 0);
    return outOfMemory(instrument, received, relative);
  }
  const code = judge(instrument, book, APPLY_SNAPSHOT, received);
  const flags: u32 = code != APPLY_CHECKSUM_BAD && bookCrossed(book) ? FLAG_CROSSED : 0;
  if (!resetEvent(instrument, received, relative, at, flags)) return finish(APPLY_LIMIT, instrument, LIMIT_IMAGE);
  return finish(code, instrument, detailOf(code));
}

/**
 * Sets one level and publishes the change as if the exchange had said it, for tests that need a book which is wrong in a
 * known place. No watch notes it.
 */
export function levelForce(instrument: usize, side: u32, at: usize, relative: f64): void {
  outcomeBegin();
  const sequence = load<u64>(instrument, INSTRUMENT_LAST_SEQUENCE);
  eventBegin(instrument, 0, unixTime(relative), sequence, 0, 1);
  setLevel(side, load<i64>(at), load<i64>(at, LEVEL_QUANTITY));
  eventEnd(bookCrossed(<usize>load<u32>(instrument, INSTRUMENT_BOOK)) ? FLAG_CROSSED : 0, relative);
}
