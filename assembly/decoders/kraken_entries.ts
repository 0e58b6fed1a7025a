/**
 * Phase one of Kraken's `data` array: each entry keeps a table of its own fields and the range of its levels, so that all
 * entries can be judged before any is applied.
 * Bad case: an entry that is not an object; it is kept with shape 0 and refused later.
 */
import { arenaAllocate } from "../arena";
import {
  FIELD_BYTES,
  fieldRead,
  fieldSet,
  fieldsOpen,
  keyAt,
  keyBytes,
  nextMember,
  objectClosed,
  objectEmpty,
  readKey,
  word8,
} from "../fields";
import { byteAt, skipSpace, skipValue, TYPE_ARRAY } from "../json";
import { FRAME_TRADES_MAX, SIDE_ASK, SIDE_BID } from "../layout";
import { levelsCount, levelsMalformed, malformedReset, scanObjects } from "../levels";
import {
  ASKS,
  BIDS,
  CHECKSUM,
  PRICE,
  QTY,
  SIDE,
  SYMBOL,
  TIMESTAMP,
  TIMESTAMP_LENGTH,
  TIMESTAMP_TAIL,
  TRADE_ID,
} from "../words";
import { arrayStarts } from "./common";

const NONE: usize = 255;

/** Fields of one entry of `data`. */
export const E_SYMBOL: usize = 0;
export const E_BIDS: usize = 1;
export const E_ASKS: usize = 2;
export const E_CHECKSUM: usize = 3;
export const E_TIMESTAMP: usize = 4;
export const E_SIDE: usize = 5;
export const E_PRICE: usize = 6;
export const E_QTY: usize = 7;
export const E_TRADE_ID: usize = 8;
const ENTRY_FIELDS: usize = 9;
/** Entry: its fields, then firstLevel u32 · lastLevel u32 · malformed i32 · shape u32 (0 = not an object). */
export const FIRST: usize = ENTRY_FIELDS * FIELD_BYTES;
export const LAST: usize = FIRST + 4;
export const MALFORMED: usize = FIRST + 8;
export const SHAPE: usize = FIRST + 12;
const ENTRY_BYTES: usize = FIRST + 16;

let entries: usize = 0;
let total: u32 = 0;
let tooMany: bool = false;

/** Forgets the entries of the frame before. */
export function entriesClear(): void {
  if (entries == 0) entries = arenaAllocate(<usize>FRAME_TRADES_MAX * ENTRY_BYTES);
  if (entries == 0) unreachable();
  total = 0;
  tooMany = false;
}

/** Entries read so far. */
export function entriesTotal(): u32 {
  return total;
}

/** True when the array held more entries than FRAME_TRADES_MAX. */
export function entriesTooMany(): bool {
  return tooMany;
}

/** Address of the i-th entry. */
export function entryAt(i: u32): usize {
  return entries + <usize>i * ENTRY_BYTES;
}

/** Reads the array of entries. @returns the address after it, 0 for a syntax error */
export function scanEntries(at: usize, end: usize): usize {
  at = skipSpace(at + 1, end);
  if (byteAt(at, end) == 0x5d) return at + 1;
  while (true) {
    at = skipSpace(at, end);
    if (total >= <u32>FRAME_TRADES_MAX) {
      tooMany = true;
      at = skipValue(at, end, 2);
    } else at = scanEntry(at, end);
    if (at == 0) return 0;
    at = skipSpace(at, end);
    const byte = byteAt(at, end);
    if (byte == 0x5d) return at + 1;
    if (byte != 0x2c) return 0;
    at++;
  }
}

function scanEntry(at: usize, end: usize): usize {
  const entry = entryAt(total);
  total++;
  fieldsOpen(entry, ENTRY_FIELDS);
  malformedReset();
  store<u32>(entry, levelsCount(), FIRST);
  const isObject = byteAt(at, end) == 0x7b;
  store<u32>(entry, isObject ? 1 : 0, SHAPE);
  at = isObject ? scanEntryMembers(at + 1, end) : skipValue(at, end, 2);
  store<u32>(entry, levelsCount(), LAST);
  store<i32>(entry, levelsMalformed(), MALFORMED);
  return at;
}

function scanEntryMembers(at: usize, end: usize): usize {
  if (objectEmpty(at, end)) return skipSpace(at, end) + 1;
  while (true) {
    at = readKey(at, end);
    if (at == 0) return 0;
    const field = entryFieldOf(keyAt(), keyBytes());
    if (field == NONE) at = skipValue(at, end, 3);
    else if ((field == E_BIDS || field == E_ASKS) && arrayStarts(at, end)) {
      fieldSet(field, at, at, TYPE_ARRAY, false);
      at = scanObjects(at, end, field == E_BIDS ? SIDE_BID : SIDE_ASK, 4);
    } else at = fieldRead(field, at, end, 3);
    if (at == 0) return 0;
    at = nextMember(at, end);
    if (at == 0 || objectClosed()) return at;
  }
}

function entryFieldOf(key: usize, length: usize): usize {
  if (length == <usize>TIMESTAMP_LENGTH)
    return load<u64>(key) == TIMESTAMP && load<u64>(key + 1) == TIMESTAMP_TAIL ? E_TIMESTAMP : NONE;
  if (length < 3 || length > 8) return NONE;
  const word = word8(key, length);
  if (word == SYMBOL) return E_SYMBOL;
  if (word == BIDS) return E_BIDS;
  if (word == ASKS) return E_ASKS;
  if (word == CHECKSUM) return E_CHECKSUM;
  if (word == SIDE) return E_SIDE;
  if (word == PRICE) return E_PRICE;
  if (word == QTY) return E_QTY;
  return word == TRADE_ID ? E_TRADE_ID : NONE;
}
