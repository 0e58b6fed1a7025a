/**
 * Kraken WebSocket v2 (objects) and v1 book frames (arrays): snapshot and update with a CRC-32 over the top ten levels,
 * silent truncation at the subscribed depth, trades with the taker's side.
 * A frame may hold several entries; all of them are read and scaled before any is applied.
 * Bad case: levels below the top ten: no checksum covers them.
 * Source: https://docs.kraken.com/api/docs/websocket-v2/book (read 2026-11), and captured frames.
 */
import { arenaAllocate } from "../arena";
import { applyDelta, applyFull, expectChecksum } from "../event";
import {
  FIELD_BYTES,
  fieldRead,
  fieldsBegin,
  fieldsDuplicate,
  fieldSet,
  fieldsOpen,
  fieldsSelect,
  fieldStart,
  fieldType,
  isText,
  keyAt,
  keyBytes,
  nextMember,
  objectClosed,
  objectEmpty,
  readKey,
  textIs,
  textIsLong,
  textIsLonger,
  word8,
} from "../fields";
import { byteAt, integerValue, skipSpace, skipValue, TYPE_ARRAY, TYPE_NONE } from "../json";
import {
  AGGRESSOR_BUY,
  AGGRESSOR_SELL,
  APPLY_BOOK,
  APPLY_CONTROL,
  APPLY_HEARTBEAT,
  APPLY_IGNORED,
  APPLY_LIMIT,
  APPLY_SNAPSHOT,
  APPLY_STALE,
  APPLY_TRADES,
  APPLY_UNKNOWN_KIND,
  DECODE_DUPLICATE_FIELD,
  DECODE_FIELD_MISSING,
  DECODE_FIELD_TYPE,
  DECODE_SYNTAX,
  FRAME_EVENTS_MAX,
  FRAME_TRADES_MAX,
  INSTRUMENT_STATE,
  INSTRUMENT_WIRE_PRICE_DECIMALS,
  INSTRUMENT_WIRE_QUANTITY_DECIMALS,
  LIMIT_FRAME_EVENTS,
  STATE_SUSPECT,
  STATE_SYNCED,
  TRADE_FLAG_HISTORY,
} from "../layout";
import { levelsClear, scaleLevels, SCALE_OK, writtenPriceDecimals, writtenQuantityDecimals } from "../levels";
import { finish, outcomeDetail, unixTime } from "../producer";
import {
  scaleTrade,
  TRADE_DUPLICATE,
  tradeId,
  tradeInstrument,
  tradeOpen,
  tradesClear,
  tradesPending,
  tradeSide,
  tradeTimes,
  tradeWrite,
} from "../trade";
import {
  BOOK,
  BUY,
  CHANNEL,
  ERROR,
  EVENT,
  HEARTBEAT,
  HEARTBEAT_LENGTH,
  HEARTBEAT_TAIL,
  INSTRUMENT,
  INSTRUMENT_LENGTH,
  INSTRUMENT_TAIL,
  LEVEL3,
  METHOD,
  OHLC,
  PAYLOAD,
  PONG,
  SELL,
  SNAPSHOT,
  STATUS,
  SUBSCRIPTION_STATUS,
  SUBSCRIPTION_STATUS_LENGTH,
  SUBSCRIPTION_STATUS_MIDDLE,
  SUBSCRIPTION_STATUS_TAIL,
  SYSTEM_STATUS,
  SYSTEM_STATUS_LENGTH,
  SYSTEM_STATUS_TAIL,
  TICKER,
  TRADE,
  TYPE,
  UPDATE,
  UPPER_ERROR,
} from "../words";
import {
  arrayStarts,
  decodeError,
  digitsLength,
  digitsStart,
  eventTimeValue,
  FINE,
  forgetInstrument,
  frameEnds,
  levelsProblem,
  notAnObject,
  notSynced,
  outOfService,
  readIntegerField,
  readTimeField,
  readTradeNumbers,
  refusesTrades,
  resolved,
  resolveInstrument,
  scaleProblem,
} from "./common";
import {
  E_ASKS,
  E_BIDS,
  E_CHECKSUM,
  E_PRICE,
  E_QTY,
  E_SIDE,
  E_SYMBOL,
  E_TIMESTAMP,
  E_TRADE_ID,
  entriesClear,
  entriesTooMany,
  entriesTotal,
  entryAt,
  FIRST,
  LAST,
  MALFORMED,
  scanEntries,
  SHAPE,
} from "./kraken_entries";
import { krakenArrayApply } from "./kraken_array";
import { usualArray } from "./kraken_array_usual";
import { usualUpdate } from "./kraken_usual";

const F_CHANNEL: usize = 0;
const F_TYPE: usize = 1;
const F_PAYLOAD: usize = 2;
const F_METHOD: usize = 3;
const F_ERROR: usize = 4;
const F_UPPER_ERROR: usize = 5;
const F_EVENT: usize = 6;
const FIELDS: usize = 7;
const NONE: usize = 255;

let table: usize = 0;

/** Decodes and applies one frame. @returns APPLY_* */
export function krakenApply(frame: usize, length: usize, relative: f64): i32 {
  if (table == 0) {
    table = arenaAllocate(FIELDS * FIELD_BYTES);
    if (table == 0) unreachable();
  }
  const end = frame + length;
  levelsClear();
  const isArray = length > 0 && load<u8>(frame) == 0x5b;
  const usual = isArray ? usualArray(frame, end, relative) : usualUpdate(frame, end, relative);
  if (usual != FINE) return usual;
  fieldsBegin();
  fieldsOpen(table, FIELDS);
  entriesClear();
  const at = skipSpace(frame, end);
  forgetInstrument();
  if (byteAt(at, end) == 0x5b) return krakenArrayApply(at, end, relative);
  if (byteAt(at, end) != 0x7b) return notAnObject(at, end);
  if (!frameEnds(scanMembers(at + 1, end), end)) return decodeError(DECODE_SYNTAX);
  fieldsSelect(table);
  const kind = classify();
  if (kind != FINE) return fieldsDuplicate() ? decodeError(DECODE_DUPLICATE_FIELD) : finish(kind, 0, 0);
  if (fieldType(F_PAYLOAD) == TYPE_ARRAY && entriesTotal() == 0 && !entriesTooMany())
    scanEntries(fieldStart(F_PAYLOAD), end);
  if (fieldsDuplicate()) return decodeError(DECODE_DUPLICATE_FIELD);
  fieldsSelect(table);
  return textIs(F_CHANNEL, BOOK, 4) ? applyBook(relative) : applyTrades(relative);
}

function scanMembers(at: usize, end: usize): usize {
  if (objectEmpty(at, end)) return skipSpace(at, end) + 1;
  while (true) {
    fieldsSelect(table);
    at = readKey(at, end);
    if (at == 0) return 0;
    at = scanMember(fieldOf(keyAt(), keyBytes()), at, end);
    if (at == 0) return 0;
    at = nextMember(at, end);
    if (at == 0 || objectClosed()) return at;
  }
}

/** `data` is read at once when the channel is known already, else it is skipped and read later. */
function scanMember(field: usize, at: usize, end: usize): usize {
  if (field == NONE) return skipValue(at, end, 1);
  const marked =
    field == F_PAYLOAD && arrayStarts(at, end) && (textIs(F_CHANNEL, BOOK, 4) || textIs(F_CHANNEL, TRADE, 5));
  if (!marked) return fieldRead(field, at, end, 1);
  fieldSet(field, at, at, TYPE_ARRAY, false);
  return scanEntries(at, end);
}

function fieldOf(key: usize, length: usize): usize {
  if (length < 4 || length > 7) return NONE;
  const word = word8(key, length);
  if (word == CHANNEL) return F_CHANNEL;
  if (word == TYPE) return F_TYPE;
  if (word == PAYLOAD) return F_PAYLOAD;
  if (word == METHOD) return F_METHOD;
  if (word == ERROR) return F_ERROR;
  if (word == UPPER_ERROR) return F_UPPER_ERROR;
  return word == EVENT ? F_EVENT : NONE;
}

/** @returns FINE for book and trade, else the code of the kind */
function classify(): i32 {
  if (fieldType(F_METHOD) != TYPE_NONE) return APPLY_CONTROL;
  if (fieldType(F_CHANNEL) != TYPE_NONE) {
    if (textIs(F_CHANNEL, BOOK, 4) || textIs(F_CHANNEL, TRADE, 5)) return FINE;
    if (textIsLong(F_CHANNEL, HEARTBEAT, HEARTBEAT_TAIL, HEARTBEAT_LENGTH)) return APPLY_HEARTBEAT;
    if (textIs(F_CHANNEL, STATUS, 6) || textIs(F_CHANNEL, PONG, 4)) return APPLY_CONTROL;
    if (textIsLong(F_CHANNEL, INSTRUMENT, INSTRUMENT_TAIL, INSTRUMENT_LENGTH)) return APPLY_CONTROL;
    const ignored = textIs(F_CHANNEL, TICKER, 6) || textIs(F_CHANNEL, OHLC, 4) || textIs(F_CHANNEL, LEVEL3, 6);
    return ignored ? APPLY_IGNORED : APPLY_UNKNOWN_KIND;
  }
  if (fieldType(F_EVENT) != TYPE_NONE) {
    if (textIsLong(F_EVENT, HEARTBEAT, HEARTBEAT_TAIL, HEARTBEAT_LENGTH)) return APPLY_HEARTBEAT;
    const control =
      textIsLong(F_EVENT, SYSTEM_STATUS, SYSTEM_STATUS_TAIL, SYSTEM_STATUS_LENGTH) ||
      textIsLonger(
        F_EVENT,
        SUBSCRIPTION_STATUS,
        SUBSCRIPTION_STATUS_MIDDLE,
        SUBSCRIPTION_STATUS_TAIL,
        SUBSCRIPTION_STATUS_LENGTH,
      ) ||
      textIs(F_EVENT, PONG, 4) ||
      textIs(F_EVENT, ERROR, 5);
    return control ? APPLY_CONTROL : APPLY_UNKNOWN_KIND;
  }
  return fieldType(F_ERROR) != TYPE_NONE || fieldType(F_UPPER_ERROR) != TYPE_NONE ? APPLY_CONTROL : APPLY_UNKNOWN_KIND;
}

/** 1 snapshot, 2 update, 0 neither. */
function messageType(): u32 {
  if (textIs(F_TYPE, UPDATE, 6)) return 2;
  return textIs(F_TYPE, SNAPSHOT, 8) ? 1 : 0;
}

function payloadProblem(limit: u32): i32 {
  if (messageType() == 0)
    return decodeError(isText(F_TYPE) || fieldType(F_TYPE) != TYPE_NONE ? DECODE_FIELD_TYPE : DECODE_FIELD_MISSING);
  if (fieldType(F_PAYLOAD) == TYPE_NONE) return decodeError(DECODE_FIELD_MISSING);
  if (fieldType(F_PAYLOAD) != TYPE_ARRAY) return decodeError(DECODE_FIELD_TYPE);
  return entriesTooMany() || entriesTotal() > limit ? finish(APPLY_LIMIT, 0, LIMIT_FRAME_EVENTS) : FINE;
}

/** Reads and judges one book entry without applying it. */
function readBookEntry(entry: usize): i32 {
  forgetInstrument();
  if (load<u32>(entry, SHAPE) == 0) return decodeError(DECODE_FIELD_TYPE);
  fieldsSelect(entry);
  const code = resolveInstrument(E_SYMBOL);
  if (code != FINE) return code;
  if (fieldType(E_BIDS) == TYPE_NONE || fieldType(E_ASKS) == TYPE_NONE) return decodeError(DECODE_FIELD_MISSING);
  if (fieldType(E_BIDS) != TYPE_ARRAY || fieldType(E_ASKS) != TYPE_ARRAY) return decodeError(DECODE_FIELD_TYPE);
  const levels = levelsProblem();
  if (levels != FINE) return levels;
  if (load<i32>(entry, MALFORMED) != 0) return decodeError(load<i32>(entry, MALFORMED));
  const checksum = readIntegerField(E_CHECKSUM);
  if (checksum != FINE) return checksum;
  if (integerValue() > 0xffffffff) return decodeError(DECODE_FIELD_TYPE);
  return readTimeField(E_TIMESTAMP);
}

function applyBook(relative: f64): i32 {
  const problem = payloadProblem(FRAME_EVENTS_MAX);
  if (problem != FINE) return problem;
  const snapshot = messageType() == 1;
  for (let i: u32 = 0; i < entriesTotal(); i++) {
    const entry = entryAt(i);
    const code = readBookEntry(entry);
    if (code != FINE) return code;
    const instrument = resolved();
    if (!acceptsBook(instrument, snapshot)) return notSynced(instrument);
    const scale = scaleLevels(instrument, load<u32>(entry, FIRST), load<u32>(entry, LAST));
    if (scale != SCALE_OK) return scaleProblem(instrument, scale, relative);
    noteDecimals(instrument, snapshot);
  }
  let worst: i32 = snapshot ? APPLY_SNAPSHOT : APPLY_BOOK;
  let worstInstrument: usize = 0;
  let worstDetail: i32 = 0;
  for (let i: u32 = 0; i < entriesTotal(); i++) {
    const entry = entryAt(i);
    readBookEntry(entry);
    const instrument = resolved();
    expectChecksum(<u32>checksumValue());
    const first = load<u32>(entry, FIRST);
    const last = load<u32>(entry, LAST);
    const code = snapshot
      ? applyFull(instrument, first, last, eventTimeValue(), 0, true, relative)
      : applyDelta(instrument, first, last, eventTimeValue(), 0, relative);
    if (code > worst || worstInstrument == 0) {
      worst = code;
      worstInstrument = instrument;
      worstDetail = outcomeDetail();
    }
  }
  return entriesTotal() == 0 ? finish(APPLY_IGNORED, 0, 0) : finish(worst, worstInstrument, worstDetail);
}

function checksumValue(): u64 {
  readIntegerField(E_CHECKSUM);
  return integerValue();
}

/** A snapshot is taken in any state that serves; an update needs a book to change. */
export function acceptsBook(instrument: usize, snapshot: bool): bool {
  if (outOfService(instrument)) return false;
  const state = load<u32>(instrument, INSTRUMENT_STATE);
  return snapshot || state == STATE_SYNCED || state == STATE_SUSPECT;
}

/** Remembers how many decimals the exchange writes for this instrument. */
export function noteDecimals(instrument: usize, snapshot: bool): void {
  const price = snapshot ? 0 : load<u32>(instrument, INSTRUMENT_WIRE_PRICE_DECIMALS);
  const quantity = snapshot ? 0 : load<u32>(instrument, INSTRUMENT_WIRE_QUANTITY_DECIMALS);
  store<u32>(instrument, max(price, writtenPriceDecimals()), INSTRUMENT_WIRE_PRICE_DECIMALS);
  store<u32>(instrument, max(quantity, writtenQuantityDecimals()), INSTRUMENT_WIRE_QUANTITY_DECIMALS);
}

function readTradeEntry(entry: usize, flags: u32): i32 {
  forgetInstrument();
  if (load<u32>(entry, SHAPE) == 0) return decodeError(DECODE_FIELD_TYPE);
  fieldsSelect(entry);
  let code = resolveInstrument(E_SYMBOL);
  if (code == FINE) code = readIntegerField(E_TRADE_ID);
  if (code != FINE) return code;
  const trade = tradeOpen();
  tradeInstrument(trade, resolved());
  tradeId(trade, integerValue(), digitsStart(E_TRADE_ID), digitsLength(E_TRADE_ID));
  code = readTradeNumbers(trade, E_PRICE, E_QTY);
  if (code == FINE) code = readTimeField(E_TIMESTAMP);
  if (code != FINE) return code;
  tradeTimes(trade, eventTimeValue(), 0);
  if (textIs(E_SIDE, BUY, 3)) tradeSide(trade, AGGRESSOR_BUY, flags);
  else if (textIs(E_SIDE, SELL, 4)) tradeSide(trade, AGGRESSOR_SELL, flags);
  else return decodeError(fieldType(E_SIDE) == TYPE_NONE ? DECODE_FIELD_MISSING : DECODE_FIELD_TYPE);
  return FINE;
}

function applyTrades(relative: f64): i32 {
  const problem = payloadProblem(FRAME_TRADES_MAX);
  if (problem != FINE) return problem;
  const flags: u32 = messageType() == 1 ? TRADE_FLAG_HISTORY : 0;
  tradesClear();
  for (let i: u32 = 0; i < entriesTotal(); i++) {
    const code = readTradeEntry(entryAt(i), flags);
    if (code != FINE) return code;
    if (refusesTrades(resolved())) return notSynced(resolved());
    const scale = scaleTrade(i);
    if (scale != SCALE_OK) return scaleProblem(resolved(), scale, relative);
  }
  let written: u32 = 0;
  for (let i: u32 = 0; i < tradesPending(); i++) {
    if (tradeWrite(i, unixTime(relative)) != TRADE_DUPLICATE) written++;
  }
  if (entriesTotal() == 0) return finish(APPLY_IGNORED, 0, 0);
  return finish(written > 0 ? APPLY_TRADES : APPLY_STALE, resolved(), 0);
}
