/**
 * The record writer: an event of any number of changes becomes one or more 256-byte delta records behind the tail.
 * `eventBegin`, then `setLevel` for each level in the exchange's order, then `eventEnd`. Only changes that alter the book
 * are recorded; an event that alters nothing still writes one record, so that sequence and freshness advance.
 * Bad case: an event with changes more than 2^31 ticks apart: every such jump opens a record of its own.
 */
import { bestPrice, bestQuantity, bookCount, bookHash, bookSet } from "./book";
import { imageWanted, imageWrite } from "./image";
import { setFlag, setState } from "./instrument";
import {
  BOOK_ADDED,
  BOOK_FULL,
  BOOK_UNCHANGED,
  CELL_ASK_PRICE,
  CELL_ASK_QUANTITY,
  CELL_BID_PRICE,
  CELL_BID_QUANTITY,
  CELL_EVENT_AT,
  CELL_FLAG_ASK,
  CELL_FLAG_BID,
  CELL_FLAG_CROSSED,
  CELL_FLAG_TRADE,
  CELL_FLAGS,
  CELL_INSTRUMENT_ID,
  CELL_RECEIVED_AT,
  CELL_SEQUENCE,
  CELL_STATE,
  CELL_VERSION,
  COUNTER_CHANGES,
  COUNTER_NO_CHANGES,
  DELTA_ADD_MASK,
  DELTA_BASE_PRICE,
  DELTA_BOOK_HASH,
  DELTA_BYTES,
  DELTA_CHANGE_COUNT,
  DELTA_CHANGES_MAX,
  DELTA_EVENT_AT,
  DELTA_FLAGS,
  DELTA_INSTRUMENT_ID,
  DELTA_PRICE_OFFSETS,
  DELTA_QUANTITIES,
  DELTA_RECEIVED_AT,
  DELTA_SIDE_MASK,
  DELTA_SOURCE_SEQUENCE,
  DELTA_VERSION,
  FLAG_CROSSED,
  FLAG_LAST,
  FLAG_NOT_SYNCED,
  FLAG_RESET,
  FLAG_SNAPSHOT,
  INSTRUMENT_BOOK,
  INSTRUMENT_CELL_ADDRESS,
  INSTRUMENT_EVENT_AT,
  INSTRUMENT_FLAG_OPENED,
  INSTRUMENT_ID,
  INSTRUMENT_IMAGE_ADDRESS,
  INSTRUMENT_IMAGE_EVERY,
  INSTRUMENT_LAST_SEQUENCE,
  INSTRUMENT_RECEIVED_AT,
  INSTRUMENT_RECORDS_SINCE_IMAGE,
  INSTRUMENT_STATE,
  INSTRUMENT_VERSION,
  OUTCOME_CHANGES,
  OUTCOME_EVENT_AT,
  OUTCOME_FLAGS,
  OUTCOME_RECORDS,
  REASON_LIMIT,
  SIDE_ASK,
  SIDE_BID,
  STATE_OUT_OF_SERVICE,
  STATE_SYNCED,
} from "./layout";
import { noteRecords } from "./metrics";
import { count, deltaClaim, deltaNext, deltaPublished, deltaRecords, deltaRoom, outcomeAddress } from "./producer";
import { publish } from "./ring";

let instrument: usize = 0;
let book: usize = 0;
let eventAt: i64 = 0;
let receivedAt: i64 = 0;
let sourceSequence: u64 = 0;
let eventFlags: u32 = 0;
let version: u64 = 0;
let record: usize = 0;
let changes: u32 = 0;
let sideMask: u32 = 0;
let addMask: u32 = 0;
let basePrice: i64 = 0;
let records: u32 = 0;
let totalChanges: u32 = 0;
let unchanged: u32 = 0;
let full: bool = false;

/**
 * Opens an event.
 * @param at exchange time, Unix ns; 0 = unknown, then the instrument's last one stands
 * @param entries upper bound of the changes to come, for the claim
 */
export function eventBegin(target: usize, at: i64, received: i64, sequence: u64, flags: u32, entries: u32): void {
  instrument = target;
  book = <usize>load<u32>(target, INSTRUMENT_BOOK);
  eventAt = at != 0 ? at : load<i64>(target, INSTRUMENT_EVENT_AT);
  receivedAt = received;
  sourceSequence = sequence;
  eventFlags = flags;
  version = load<u64>(target, INSTRUMENT_VERSION);
  record = 0;
  changes = 0;
  records = 0;
  totalChanges = 0;
  unchanged = 0;
  full = false;
  if (entries > <u32>DELTA_CHANGES_MAX) deltaClaim(min<u64>(<u64>((entries + 15) >> 4), deltaRoom() >> 2));
}

/** Sets one level and records the change, if it is one. */
export function setLevel(side: u32, price: i64, quantity: i64): void {
  const hashBefore = bookHash(book);
  const result = bookSet(book, side, price, quantity);
  if (result == BOOK_UNCHANGED) unchanged++;
  else if (result == BOOK_FULL) full = true;
  else append(side, price, quantity, result == BOOK_ADDED, hashBefore);
}

/** Counts an entry that altered nothing. */
export function noteUnchanged(): void {
  unchanged++;
}

/** Notes that the arena could not hold a level. */
export function noteFull(): void {
  full = true;
}

/** Records a change that the book already has. @param hashBefore book hash without this change and those recorded after it */
export function append(side: u32, price: i64, quantity: i64, added: bool, hashBefore: u32): void {
  let offset = price - basePrice;
  if (record == 0 || changes == DELTA_CHANGES_MAX || offset != <i64>(<i32>offset)) {
    if (record != 0) recordClose(hashBefore, eventFlags);
    recordOpen(price);
    offset = 0;
  }
  store<i64>(record + ((<usize>changes) << 3), quantity, DELTA_QUANTITIES);
  store<i32>(record + ((<usize>changes) << 2), <i32>offset, DELTA_PRICE_OFFSETS);
  sideMask |= side << changes;
  addMask |= (<u32>added) << changes;
  changes++;
}

/** True when the arena could not hold a level of this event: the book is not right. */
export function eventFull(): bool {
  return full;
}

function recordOpen(price: i64): void {
  record = deltaNext();
  for (let at = record; at < record + DELTA_BYTES; at += 32) {
    v128.store(at, i64x2.splat(0));
    v128.store(at, i64x2.splat(0), 16);
  }
  version++;
  store<i64>(record, eventAt, DELTA_EVENT_AT);
  store<i64>(record, receivedAt, DELTA_RECEIVED_AT);
  store<u64>(record, version, DELTA_VERSION);
  store<u64>(record, sourceSequence, DELTA_SOURCE_SEQUENCE);
  store<i64>(record, price, DELTA_BASE_PRICE);
  store<u32>(record, load<u32>(instrument, INSTRUMENT_ID), DELTA_INSTRUMENT_ID);
  basePrice = price;
  changes = 0;
  sideMask = 0;
  addMask = 0;
  records++;
}

function recordClose(hash: u32, flags: u32): void {
  store<u16>(record, <u16>flags, DELTA_FLAGS);
  store<u8>(record, <u8>changes, DELTA_CHANGE_COUNT);
  store<u16>(record, <u16>sideMask, DELTA_SIDE_MASK);
  store<u16>(record, <u16>addMask, DELTA_ADD_MASK);
  store<u32>(record, hash, DELTA_BOOK_HASH);
  totalChanges += changes;
}

/** Closes the event; `flags` join the last record. The state must be set before. */
export function eventEnd(flags: u32, relative: f64): void {
  if (record == 0) recordOpen(0);
  let last = eventFlags | flags | FLAG_LAST;
  if (load<u32>(instrument, INSTRUMENT_STATE) != STATE_SYNCED) last |= FLAG_NOT_SYNCED;
  recordClose(bookHash(book), last);
  store<u64>(instrument, version, INSTRUMENT_VERSION);
  store<i64>(instrument, eventAt, INSTRUMENT_EVENT_AT);
  store<i64>(instrument, receivedAt, INSTRUMENT_RECEIVED_AT);
  setFlag(instrument, INSTRUMENT_FLAG_OPENED);
  count(COUNTER_CHANGES, totalChanges);
  count(COUNTER_NO_CHANGES, unchanged);
  noteRecords(instrument, totalChanges, records);
  const outcome = outcomeAddress();
  store<u32>(outcome, load<u32>(outcome, OUTCOME_RECORDS) + records, OUTCOME_RECORDS);
  store<u32>(outcome, load<u32>(outcome, OUTCOME_CHANGES) + totalChanges, OUTCOME_CHANGES);
  store<u32>(outcome, last, OUTCOME_FLAGS);
  store<i64>(outcome, eventAt, OUTCOME_EVENT_AT);
  cellWrite(last);
  const since = load<u32>(instrument, INSTRUMENT_RECORDS_SINCE_IMAGE) + records;
  store<u32>(instrument, since, INSTRUMENT_RECORDS_SINCE_IMAGE);
  if (load<u32>(instrument, INSTRUMENT_IMAGE_ADDRESS) != 0 && since >= load<u32>(instrument, INSTRUMENT_IMAGE_EVERY))
    imageWanted(instrument);
  if (deltaRecords() - deltaPublished() > deltaRoom() >> 2) publish(relative);
}

function cellWrite(flags: u32): void {
  const cell = <usize>load<u32>(instrument, INSTRUMENT_CELL_ADDRESS);
  if (cell == 0) return;
  const sequence = load<u32>(cell, CELL_SEQUENCE);
  atomic.store<u32>(cell, sequence + 1, CELL_SEQUENCE);
  let cellFlags = load<u32>(cell, CELL_FLAGS) & CELL_FLAG_TRADE;
  if (bookCount(book, SIDE_BID) > 0) {
    cellFlags |= CELL_FLAG_BID;
    store<i64>(cell, bestPrice(book, SIDE_BID), CELL_BID_PRICE);
    store<i64>(cell, bestQuantity(book, SIDE_BID), CELL_BID_QUANTITY);
  }
  if (bookCount(book, SIDE_ASK) > 0) {
    cellFlags |= CELL_FLAG_ASK;
    store<i64>(cell, bestPrice(book, SIDE_ASK), CELL_ASK_PRICE);
    store<i64>(cell, bestQuantity(book, SIDE_ASK), CELL_ASK_QUANTITY);
  }
  if (flags & FLAG_CROSSED) cellFlags |= CELL_FLAG_CROSSED;
  store<u32>(cell, load<u32>(instrument, INSTRUMENT_STATE), CELL_STATE);
  store<u64>(cell, version, CELL_VERSION);
  store<i64>(cell, eventAt, CELL_EVENT_AT);
  store<i64>(cell, receivedAt, CELL_RECEIVED_AT);
  store<u32>(cell, load<u32>(instrument, INSTRUMENT_ID), CELL_INSTRUMENT_ID);
  store<u32>(cell, cellFlags, CELL_FLAGS);
  atomic.store<u32>(cell, sequence + 2, CELL_SEQUENCE);
}

/** One record without changes: says the instrument's state. */
export function emptyRecord(target: usize, received: i64, relative: f64): void {
  eventBegin(target, 0, received, load<u64>(target, INSTRUMENT_LAST_SEQUENCE), 0, 0);
  eventEnd(0, relative);
}

/**
 * Publishes the whole book as an image and one Reset record.
 * @returns false when the image does not hold it; the instrument is out of service then
 */
export function resetEvent(target: usize, received: i64, relative: f64, at: i64 = 0, flags: u32 = 0): bool {
  eventBegin(target, at, received, load<u64>(target, INSTRUMENT_LAST_SEQUENCE), FLAG_SNAPSHOT, 0);
  store<i64>(target, eventAt, INSTRUMENT_EVENT_AT);
  if (!imageWrite(target, version + 1, deltaRecords() + 1)) {
    setState(target, STATE_OUT_OF_SERVICE, REASON_LIMIT, received);
    eventFlags = 0;
    eventEnd(0, relative);
    return false;
  }
  eventEnd(FLAG_RESET | flags, relative);
  return true;
}
