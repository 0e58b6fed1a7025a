/**
 * Instrument blocks: creation, lookup by the exchange's spelling, sync state, retirement and rescaling.
 * Lookup is a hash table of addresses in the arena; names are compared byte by byte.
 * Bad case: more than 3,072 instruments on one producer; creation then returns 0.
 */
import { arenaAllocate } from "./arena";
import { bookCount, bookCreate, bookScale } from "./book";
import { emptyRecord, resetEvent } from "./delta";
import {
  CELL_STATE,
  COUNTER_RESCALES,
  EXPONENT_MAX,
  INSTRUMENT_BOOK,
  INSTRUMENT_BYTES,
  INSTRUMENT_CELL_ADDRESS,
  INSTRUMENT_FLAG_IMAGE_FULL,
  INSTRUMENT_FLAG_OPENED,
  INSTRUMENT_FLAG_SPLICING,
  INSTRUMENT_FLAGS,
  INSTRUMENT_IMAGE_AT,
  INSTRUMENT_NAME,
  INSTRUMENT_NAME_BYTES_MAX,
  INSTRUMENT_NAME_LENGTH,
  INSTRUMENT_PRICE_EXPONENT,
  INSTRUMENT_QUANTITY_EXPONENT,
  INSTRUMENT_REASON,
  INSTRUMENT_RECORDS_SINCE_IMAGE,
  INSTRUMENT_STATE,
  INSTRUMENT_TABLE_ADDRESS,
  INSTRUMENT_TRADE_VERSION,
  INSTRUMENT_VERSION,
  INSTRUMENT_WATCH,
  REASON_NONE,
  REASON_RESCALED,
  STATE_RETIRED,
  STATE_SYNCED,
  TABLE_PRICE_EXPONENT,
  TABLE_QUANTITY_EXPONENT,
  TABLE_REASON,
  TABLE_SINCE,
  TABLE_STATE,
  WATCH_FLAG_BROKEN,
  WATCH_FLAGS,
} from "./layout";
import { noteState } from "./metrics";
import { count, unixTime } from "./producer";

const SLOTS: u32 = 4096;
const INSTRUMENTS_MAX: u32 = 3072;
let table: usize = 0;
let order: usize = 0;
let total: u32 = 0;

/** The last eight bytes of a name, or all of them when it is shorter. */
function nameTail(name: usize, length: usize): u64 {
  if (length >= 8) return load<u64>(name + length - 8);
  if (length >= 4) return ((<u64>load<u32>(name)) << 32) | <u64>load<u32>(name + length - 4);
  let word: u64 = 0;
  for (let i: usize = 0; i < length; i++) word = (word << 8) | <u64>load<u8>(name + i);
  return word;
}

function nameHash(name: usize, length: usize): u32 {
  let h = <u64>length;
  for (let i: usize = 0; i + 8 < length; i += 8) {
    h = (h ^ load<u64>(name + i)) * 0x9e3779b97f4a7c15;
    h ^= h >> 32;
  }
  return <u32>(((h ^ nameTail(name, length)) * 0x9e3779b97f4a7c15) >> 40);
}

function sameName(instrument: usize, name: usize, length: usize): bool {
  if (<usize>load<u32>(instrument, INSTRUMENT_NAME_LENGTH) != length) return false;
  const own = instrument + INSTRUMENT_NAME;
  for (let i: usize = 0; i + 8 < length; i += 8) {
    if (load<u64>(own + i) != load<u64>(name + i)) return false;
  }
  return nameTail(own, length) == nameTail(name, length);
}

export function instrumentFind(name: usize, length: usize): usize {
  if (table == 0) return 0;
  let slot = nameHash(name, length) & (SLOTS - 1);
  while (true) {
    const instrument = <usize>load<u32>(table + (slot << 2));
    if (instrument == 0) return 0;
    if (sameName(instrument, name, length)) return instrument;
    slot = (slot + 1) & (SLOTS - 1);
  }
}

export function instrumentCreate(name: usize, length: usize): usize {
  if (table == 0) {
    table = arenaAllocate(SLOTS << 2);
    order = arenaAllocate(INSTRUMENTS_MAX << 2);
    if (table == 0 || order == 0) return 0;
  }
  const known = instrumentFind(name, length);
  if (known != 0) return known;
  if (length > <usize>INSTRUMENT_NAME_BYTES_MAX || total >= INSTRUMENTS_MAX) return 0;
  const instrument = arenaAllocate(INSTRUMENT_BYTES);
  const book = bookCreate();
  if (instrument == 0 || book == 0) return 0;
  store<u32>(instrument, <u32>book, INSTRUMENT_BOOK);
  store<i32>(instrument, -1, INSTRUMENT_PRICE_EXPONENT);
  store<i32>(instrument, -1, INSTRUMENT_QUANTITY_EXPONENT);
  store<u32>(instrument, <u32>length, INSTRUMENT_NAME_LENGTH);
  memory.copy(instrument + INSTRUMENT_NAME, name, length);
  let slot = nameHash(name, length) & (SLOTS - 1);
  while (load<u32>(table + (slot << 2)) != 0) slot = (slot + 1) & (SLOTS - 1);
  store<u32>(table + (slot << 2), <u32>instrument);
  store<u32>(order + (total << 2), <u32>instrument);
  total++;
  return instrument;
}

/** Instruments made so far. */
export function instrumentTotal(): u32 {
  return total;
}
/** The i-th instrument in the order of creation. */
export function instrumentAt(i: u32): usize {
  return load<u32>(order + (i << 2));
}

/** Sets state and reason in the block, the table and the cell. */
export function setState(instrument: usize, state: u32, reason: u32, at: i64): void {
  if (load<u32>(instrument, INSTRUMENT_STATE) == state && load<u32>(instrument, INSTRUMENT_REASON) == reason) return;
  store<u32>(instrument, state, INSTRUMENT_STATE);
  store<u32>(instrument, reason, INSTRUMENT_REASON);
  mirrorState(instrument, at);
}

function mirrorState(instrument: usize, at: i64): void {
  const entry = <usize>load<u32>(instrument, INSTRUMENT_TABLE_ADDRESS);
  if (entry != 0) {
    noteState(instrument, entry, at);
    atomic.store<u32>(entry, load<u32>(instrument, INSTRUMENT_REASON), TABLE_REASON);
    store<i64>(entry, at, TABLE_SINCE);
    atomic.store<u32>(entry, load<u32>(instrument, INSTRUMENT_STATE), TABLE_STATE);
  }
  const cell = <usize>load<u32>(instrument, INSTRUMENT_CELL_ADDRESS);
  if (cell != 0) atomic.store<u32>(cell, load<u32>(instrument, INSTRUMENT_STATE), CELL_STATE);
}

export function instrumentUnsync(instrument: usize, state: u32, reason: u32, receivedAt: f64): void {
  const at = unixTime(receivedAt);
  const wasSynced = load<u32>(instrument, INSTRUMENT_STATE) == STATE_SYNCED;
  breakWatch(instrument);
  clearFlag(instrument, INSTRUMENT_FLAG_SPLICING);
  setState(instrument, state, reason, at);
  if (wasSynced) emptyRecord(instrument, at, receivedAt);
}

/** What a watch noted of this instrument so far does not tell all. */
export function breakWatch(instrument: usize): void {
  const watch = <usize>load<u32>(instrument, INSTRUMENT_WATCH);
  if (watch != 0) store<u32>(watch, WATCH_FLAG_BROKEN, WATCH_FLAGS);
}

export function setFlag(instrument: usize, flag: u32): void {
  store<u32>(instrument, load<u32>(instrument, INSTRUMENT_FLAGS) | flag, INSTRUMENT_FLAGS);
}
export function clearFlag(instrument: usize, flag: u32): void {
  store<u32>(instrument, load<u32>(instrument, INSTRUMENT_FLAGS) & ~flag, INSTRUMENT_FLAGS);
}
export function hasFlag(instrument: usize, flag: u32): bool {
  return (load<u32>(instrument, INSTRUMENT_FLAGS) & flag) != 0;
}

export function instrumentRetire(instrument: usize, receivedAt: f64): void {
  const at = unixTime(receivedAt);
  const state = load<u32>(instrument, INSTRUMENT_STATE);
  const reason = load<u32>(instrument, INSTRUMENT_REASON);
  breakWatch(instrument);
  setState(instrument, STATE_RETIRED, REASON_RESCALED, at);
  if (hasFlag(instrument, INSTRUMENT_FLAG_OPENED)) emptyRecord(instrument, at, receivedAt);
  store<u32>(instrument, state, INSTRUMENT_STATE);
  store<u32>(instrument, reason, INSTRUMENT_REASON);
  clearFlag(instrument, INSTRUMENT_FLAG_OPENED | INSTRUMENT_FLAG_IMAGE_FULL);
  store<u64>(instrument, 0, INSTRUMENT_VERSION);
  store<u64>(instrument, 0, INSTRUMENT_TRADE_VERSION);
  store<u32>(instrument, 0, INSTRUMENT_RECORDS_SINCE_IMAGE);
  store<u64>(instrument, 0, INSTRUMENT_IMAGE_AT);
}

export function instrumentRescale(instrument: usize, priceExponent: i32, quantityExponent: i32, receivedAt: f64): i32 {
  if (priceExponent < 0 || priceExponent > EXPONENT_MAX || quantityExponent < 0 || quantityExponent > EXPONENT_MAX)
    return 1;
  const book = <usize>load<u32>(instrument, INSTRUMENT_BOOK);
  const levels = bookCount(book, 0) + bookCount(book, 1);
  const pricePower = priceExponent - max(load<i32>(instrument, INSTRUMENT_PRICE_EXPONENT), 0);
  const quantityPower = quantityExponent - max(load<i32>(instrument, INSTRUMENT_QUANTITY_EXPONENT), 0);
  if (levels > 0) {
    if (pricePower < 0 || quantityPower < 0 || bookScale(book, pricePower, quantityPower) != 0) return 1;
    count(COUNTER_RESCALES, 1);
  }
  breakWatch(instrument);
  store<i32>(instrument, priceExponent, INSTRUMENT_PRICE_EXPONENT);
  store<i32>(instrument, quantityExponent, INSTRUMENT_QUANTITY_EXPONENT);
  const at = unixTime(receivedAt);
  const entry = <usize>load<u32>(instrument, INSTRUMENT_TABLE_ADDRESS);
  if (entry != 0) {
    store<i32>(entry, priceExponent, TABLE_PRICE_EXPONENT);
    store<i32>(entry, quantityExponent, TABLE_QUANTITY_EXPONENT);
  }
  mirrorState(instrument, at);
  const fresh = load<u64>(instrument, INSTRUMENT_VERSION) == 0;
  // In any state: what follows under the fresh id is told as a difference to these levels.
  if (fresh && levels > 0) resetEvent(instrument, at, receivedAt);
  return 0;
}

/** The instrument is right again. */
export function setSynced(instrument: usize, at: i64): void {
  setState(instrument, STATE_SYNCED, REASON_NONE, at);
}
