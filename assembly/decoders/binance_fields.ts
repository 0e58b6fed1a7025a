/**
 * Phase one of Binance's frames: fields and levels, of the frame itself or of the object under `data`.
 * Bad case: levels beside `data`; they belong to the wrapper and are ignored.
 */
import { arenaAllocate } from "../arena";
import {
  FIELD_BYTES,
  fieldRead,
  fieldsBegin,
  fieldsDuplicate,
  fieldSet,
  fieldsOpen,
  fieldsSelect,
  keyAt,
  keyBytes,
  nextMember,
  objectClosed,
  objectEmpty,
  readKey,
  word8,
} from "../fields";
import { byteAt, skipSpace, skipValue, TYPE_ARRAY } from "../json";
import { DECODE_DUPLICATE_FIELD, DECODE_SYNTAX, SIDE_ASK, SIDE_BID } from "../layout";
import { levelsClear, levelsCount, levelsMalformed, malformedReset, scanPairs } from "../levels";
import {
  ASKS,
  BIDS,
  CODE,
  ERROR,
  ID,
  LAST_UPDATE_ID,
  LAST_UPDATE_ID_LENGTH,
  LAST_UPDATE_ID_TAIL,
  PAYLOAD,
  PU,
  RESULT,
} from "../words";
import { arrayStarts, decodeError, FINE, forgetInstrument, frameEnds, notAnObject } from "./common";

export const F_KIND: usize = 0;
export const F_EVENT_TIME: usize = 1;
export const F_SYMBOL: usize = 2;
export const F_FIRST: usize = 3;
export const F_LAST: usize = 4;
export const F_PREVIOUS: usize = 5;
export const F_BIDS: usize = 6;
export const F_ASKS: usize = 7;
export const F_TRADE: usize = 8;
export const F_PRICE: usize = 9;
export const F_QUANTITY: usize = 10;
export const F_TRADE_TIME: usize = 11;
export const F_MAKER: usize = 12;
export const F_EXECUTION: usize = 13;
export const F_BEST_BID_QUANTITY: usize = 14;
export const F_BEST_ASK_QUANTITY: usize = 15;
export const F_LAST_UPDATE: usize = 16;
export const F_RESULT: usize = 17;
export const F_ID: usize = 18;
export const F_ERROR: usize = 19;
export const F_CODE: usize = 20;
export const F_PAYLOAD: usize = 21;
export const F_REST_BIDS: usize = 22;
export const F_REST_ASKS: usize = 23;
const FIELDS: usize = 24;
const NONE: usize = 255;

let outer: usize = 0;
let inner: usize = 0;
let wrapped: bool = false;
let firstLevel: u32 = 0;
let lastLevel: u32 = 0;
let malformed: i32 = 0;
let rest: bool = false;

/** First level of the frame in scratch. */
export function levelsFirst(): u32 {
  return firstLevel;
}
/** Behind the last level of the frame in scratch. */
export function levelsLast(): u32 {
  return lastLevel;
}
/** DECODE_* of the first malformed level, 0 when all are good. */
export function frameMalformed(): i32 {
  return malformed;
}

/** Phase one. @returns FINE with the fields selected, else the finished outcome */
export function scanFrame(frame: usize, end: usize, isRest: bool): i32 {
  rest = isRest;
  if (outer == 0) {
    outer = arenaAllocate(FIELDS * FIELD_BYTES);
    inner = arenaAllocate(FIELDS * FIELD_BYTES);
  }
  fieldsBegin();
  fieldsOpen(outer, FIELDS);
  levelsClear();
  wrapped = false;
  forgetInstrument();
  const at = skipSpace(frame, end);
  if (byteAt(at, end) != 0x7b) return notAnObject(at, end);
  if (!frameEnds(scanMembers(at + 1, end, 1), end)) return decodeError(DECODE_SYNTAX);
  if (fieldsDuplicate()) return decodeError(DECODE_DUPLICATE_FIELD);
  if (!wrapped) {
    firstLevel = 0;
    lastLevel = levelsCount();
    malformed = levelsMalformed();
  }
  fieldsSelect(wrapped ? inner : outer);
  return FINE;
}

function scanMembers(at: usize, end: usize, depth: i32): usize {
  if (objectEmpty(at, end)) return skipSpace(at, end) + 1;
  while (true) {
    at = readKey(at, end);
    if (at == 0) return 0;
    at = scanMember(fieldOf(keyAt(), keyBytes()), at, end, depth);
    if (at == 0) return 0;
    at = nextMember(at, end);
    if (at == 0 || objectClosed()) return at;
  }
}

function scanMember(field: usize, at: usize, end: usize, depth: i32): usize {
  if (field == NONE) return skipValue(at, end, depth);
  if (field == F_PAYLOAD && depth == 1 && byteAt(at, end) == 0x7b) return scanWrapped(at, end);
  const levels = rest ? field == F_REST_BIDS || field == F_REST_ASKS : field == F_BIDS || field == F_ASKS;
  if (!levels || !arrayStarts(at, end)) return fieldRead(field, at, end, depth);
  fieldSet(field, at, at, TYPE_ARRAY, false);
  return scanPairs(at, end, field == F_BIDS || field == F_REST_BIDS ? SIDE_BID : SIDE_ASK, depth + 1, false);
}

/** Reads the object under `data`; its fields and levels are the frame's. */
function scanWrapped(at: usize, end: usize): usize {
  fieldSet(F_PAYLOAD, at, at, TYPE_ARRAY, false);
  wrapped = true;
  fieldsOpen(inner, FIELDS);
  malformedReset();
  firstLevel = levelsCount();
  at = scanMembers(at + 1, end, 2);
  lastLevel = levelsCount();
  malformed = levelsMalformed();
  fieldsSelect(outer);
  return at;
}

function fieldOf(key: usize, length: usize): usize {
  if (length == 1) return letterField(<u32>load<u8>(key));
  if (length == <usize>LAST_UPDATE_ID_LENGTH)
    return load<u64>(key) == LAST_UPDATE_ID && load<u64>(key + 4) == LAST_UPDATE_ID_TAIL ? F_LAST_UPDATE : NONE;
  if (length == 0 || length > 6) return NONE;
  const word = word8(key, length);
  if (word == PU) return F_PREVIOUS;
  if (word == PAYLOAD) return F_PAYLOAD;
  if (word == RESULT) return F_RESULT;
  if (word == ID) return F_ID;
  if (word == ERROR) return F_ERROR;
  if (word == CODE) return F_CODE;
  if (word == BIDS) return F_REST_BIDS;
  return word == ASKS ? F_REST_ASKS : NONE;
}

function letterField(letter: u32): usize {
  switch (letter) {
    case 0x65:
      return F_KIND;
    case 0x45:
      return F_EVENT_TIME;
    case 0x73:
      return F_SYMBOL;
    case 0x55:
      return F_FIRST;
    case 0x75:
      return F_LAST;
    case 0x62:
      return F_BIDS;
    case 0x61:
      return F_ASKS;
    case 0x74:
      return F_TRADE;
    case 0x70:
      return F_PRICE;
    case 0x71:
      return F_QUANTITY;
    case 0x54:
      return F_TRADE_TIME;
    case 0x6d:
      return F_MAKER;
    case 0x58:
      return F_EXECUTION;
    case 0x42:
      return F_BEST_BID_QUANTITY;
    case 0x41:
      return F_BEST_ASK_QUANTITY;
    default:
      return NONE;
  }
}
