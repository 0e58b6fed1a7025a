/**
 * Coinbase Exchange: snapshot, l2update (level2_batch), match, last_match, heartbeat.
 * An l2update carries no sequence: loss is inferred from trade ids (a jump, or a heartbeat that is ahead) and crossing.
 * Bad case: a lost l2update without a lost match near it; only an audit finds that.
 * Source: https://docs.cdp.coinbase.com/exchange/websocket-feed/channels (read 2026-11), and captured frames.
 */
import { arenaAllocate } from "../arena";
import { applyDelta, applyFull, expectNoChecksum } from "../event";
import {
  FIELD_BYTES,
  fieldRead,
  fieldsBegin,
  fieldsDuplicate,
  fieldSet,
  fieldsOpen,
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
  word8,
} from "../fields";
import { instrumentUnsync } from "../instrument";
import { byteAt, integerValue, skipSpace, skipValue, TYPE_ARRAY, TYPE_NONE } from "../json";
import {
  AGGRESSOR_BUY,
  AGGRESSOR_SELL,
  APPLY_CONTROL,
  APPLY_GAP,
  APPLY_HEARTBEAT,
  APPLY_IGNORED,
  APPLY_LIMIT,
  APPLY_STALE,
  APPLY_TRADES,
  APPLY_UNKNOWN_KIND,
  COUNTER_TRADE_GAPS,
  DECODE_DUPLICATE_FIELD,
  DECODE_FIELD_MISSING,
  DECODE_FIELD_TYPE,
  DECODE_SYNTAX,
  INSTRUMENT_FLAG_TRADE_SEEN,
  INSTRUMENT_FLAGS,
  INSTRUMENT_LAST_TRADE_ID,
  INSTRUMENT_STATE,
  LIMIT_FRAME_EVENTS,
  OUTCOME_FIRST_SEQUENCE,
  OUTCOME_LAST_SEQUENCE,
  REASON_HEARTBEAT_AHEAD,
  REASON_TRADE_GAP,
  SIDE_ASK,
  SIDE_BID,
  STATE_RESYNCING,
  STATE_SYNCED,
  TRADE_FLAG_HISTORY,
} from "../layout";
import { levelsClear, levelsCount, scanChanges, scanPairs, scaleLevels, SCALE_OK } from "../levels";
import { count, finish, outcomeAddress, unixTime } from "../producer";
import {
  scaleTrade,
  TRADE_DUPLICATE,
  TRADE_JUMPED,
  tradeId,
  tradeInstrument,
  tradeOpen,
  tradesClear,
  tradeSide,
  tradeTimes,
  tradeWrite,
} from "../trade";
import {
  ASKS,
  BIDS,
  BUY,
  CHANGES,
  ERROR,
  HEARTBEAT,
  HEARTBEAT_LENGTH,
  HEARTBEAT_TAIL,
  L2UPDATE,
  LAST_MATCH,
  LAST_MATCH_LENGTH,
  LAST_MATCH_TAIL,
  LAST_TRADE_ID,
  LAST_TRADE_ID_LENGTH,
  LAST_TRADE_ID_TAIL,
  MATCH,
  PRICE,
  PRODUCT_ID,
  PRODUCT_ID_TAIL,
  SELL,
  SEQUENCE,
  SIDE,
  SIZE,
  SNAPSHOT,
  STATUS,
  SUBSCRIPTIONS,
  SUBSCRIPTIONS_LENGTH,
  SUBSCRIPTIONS_TAIL,
  TICKER,
  TIME,
  TRADE_ID,
  TYPE,
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
  optionalInteger,
  outOfService,
  readIntegerField,
  readTimeField,
  readTradeNumbers,
  refusesTrades,
  resolved,
  resolveInstrument,
  scaleProblem,
} from "./common";
import { usualChanges } from "./coinbase_usual";

const F_TYPE: usize = 0;
const F_PRODUCT: usize = 1;
const F_CHANGES: usize = 2;
const F_BIDS: usize = 3;
const F_ASKS: usize = 4;
const F_TIME: usize = 5;
const F_TRADE_ID: usize = 6;
const F_LAST_TRADE_ID: usize = 7;
const F_SIDE: usize = 8;
const F_SIZE: usize = 9;
const F_PRICE: usize = 10;
const F_SEQUENCE: usize = 11;
const FIELDS: usize = 12;
const NONE: usize = 255;

let table: usize = 0;

/** Decodes and applies one frame. @returns APPLY_* */
export function coinbaseExchangeApply(frame: usize, length: usize, relative: f64): i32 {
  if (table == 0) table = arenaAllocate(FIELDS * FIELD_BYTES);
  const end = frame + length;
  levelsClear();
  const usual = usualChanges(frame, end, relative);
  if (usual != FINE) return usual;
  fieldsBegin();
  fieldsOpen(table, FIELDS);
  const at = skipSpace(frame, end);
  if (byteAt(at, end) != 0x7b) return notAnObject(at, end);
  forgetInstrument();
  if (!frameEnds(scanMembers(at + 1, end), end)) return decodeError(DECODE_SYNTAX);
  if (fieldsDuplicate()) return decodeError(DECODE_DUPLICATE_FIELD);
  return applyKind(relative);
}

function scanMembers(at: usize, end: usize): usize {
  if (objectEmpty(at, end)) return skipSpace(at, end) + 1;
  while (true) {
    at = readKey(at, end);
    if (at == 0) return 0;
    at = scanMember(fieldOf(keyAt(), keyBytes()), at, end);
    if (at == 0) return 0;
    at = nextMember(at, end);
    if (at == 0 || objectClosed()) return at;
  }
}

function scanMember(field: usize, at: usize, end: usize): usize {
  if (field == NONE) return skipValue(at, end, 1);
  if (field < F_CHANGES || field > F_ASKS || !arrayStarts(at, end)) return fieldRead(field, at, end, 1);
  fieldSet(field, at, at, TYPE_ARRAY, false);
  if (field == F_CHANGES) return scanChanges(at, end, 2);
  return scanPairs(at, end, field == F_BIDS ? SIDE_BID : SIDE_ASK, 2, false);
}

function fieldOf(key: usize, length: usize): usize {
  if (length == 10) return load<u64>(key) == PRODUCT_ID && load<u64>(key + 2) == PRODUCT_ID_TAIL ? F_PRODUCT : NONE;
  if (length == <usize>LAST_TRADE_ID_LENGTH)
    return load<u64>(key) == LAST_TRADE_ID && load<u64>(key + 5) == LAST_TRADE_ID_TAIL ? F_LAST_TRADE_ID : NONE;
  if (length < 4 || length > 8) return NONE;
  const word = word8(key, length);
  if (length == 4) {
    if (word == TYPE) return F_TYPE;
    if (word == TIME) return F_TIME;
    if (word == BIDS) return F_BIDS;
    if (word == ASKS) return F_ASKS;
    if (word == SIDE) return F_SIDE;
    return word == SIZE ? F_SIZE : NONE;
  }
  if (word == CHANGES) return F_CHANGES;
  if (word == PRICE) return F_PRICE;
  if (word == SEQUENCE) return F_SEQUENCE;
  return word == TRADE_ID ? F_TRADE_ID : NONE;
}

function applyKind(relative: f64): i32 {
  if (!isText(F_TYPE)) return finish(APPLY_UNKNOWN_KIND, 0, 0);
  if (textIs(F_TYPE, L2UPDATE, 8)) return applyUpdate(relative);
  if (textIs(F_TYPE, MATCH, 5)) return applyMatch(0, relative);
  if (textIsLong(F_TYPE, HEARTBEAT, HEARTBEAT_TAIL, HEARTBEAT_LENGTH)) return applyHeartbeat(relative);
  if (textIs(F_TYPE, SNAPSHOT, 8)) return applySnapshotFrame(relative);
  if (textIsLong(F_TYPE, LAST_MATCH, LAST_MATCH_TAIL, LAST_MATCH_LENGTH))
    return applyMatch(TRADE_FLAG_HISTORY, relative);
  if (textIsLong(F_TYPE, SUBSCRIPTIONS, SUBSCRIPTIONS_TAIL, SUBSCRIPTIONS_LENGTH)) return finish(APPLY_CONTROL, 0, 0);
  if (textIs(F_TYPE, ERROR, 5)) return finish(APPLY_CONTROL, 0, 0);
  if (textIs(F_TYPE, TICKER, 6) || textIs(F_TYPE, STATUS, 6)) return finish(APPLY_IGNORED, 0, 0);
  return finish(APPLY_UNKNOWN_KIND, 0, 0);
}

/** A required level array: missing, or not an array. */
function arrayProblem(field: usize): i32 {
  const type = fieldType(field);
  if (type == TYPE_NONE) return decodeError(DECODE_FIELD_MISSING);
  return type == TYPE_ARRAY ? FINE : decodeError(DECODE_FIELD_TYPE);
}

/** Levels of the other kind of frame: the frame contradicts itself. */
function strayProblem(field: usize): i32 {
  return fieldType(field) == TYPE_ARRAY ? decodeError(DECODE_FIELD_TYPE) : FINE;
}

function applyUpdate(relative: f64): i32 {
  let code = resolveInstrument(F_PRODUCT);
  if (code == FINE) code = arrayProblem(F_CHANGES);
  if (code == FINE) code = strayProblem(F_BIDS);
  if (code == FINE) code = strayProblem(F_ASKS);
  if (code == FINE) code = levelsProblem();
  if (code == FINE) code = readTimeField(F_TIME);
  if (code != FINE) return code;
  const instrument = resolved();
  if (load<u32>(instrument, INSTRUMENT_STATE) != STATE_SYNCED) return notSynced(instrument);
  const scale = scaleLevels(instrument, 0, levelsCount());
  if (scale != SCALE_OK) return scaleProblem(instrument, scale, relative);
  expectNoChecksum();
  return applyDelta(instrument, 0, levelsCount(), eventTimeValue(), 0, relative);
}

function applySnapshotFrame(relative: f64): i32 {
  let code = resolveInstrument(F_PRODUCT);
  if (code == FINE) code = arrayProblem(F_BIDS);
  if (code == FINE) code = arrayProblem(F_ASKS);
  if (code == FINE) code = strayProblem(F_CHANGES);
  if (code == FINE) code = levelsProblem();
  if (code == FINE) code = readTimeField(F_TIME);
  if (code != FINE) return code;
  const instrument = resolved();
  if (outOfService(instrument)) return notSynced(instrument);
  const scale = scaleLevels(instrument, 0, levelsCount());
  if (scale != SCALE_OK) return scaleProblem(instrument, scale, relative);
  expectNoChecksum();
  return applyFull(instrument, 0, levelsCount(), eventTimeValue(), 0, true, relative);
}

function applyMatch(flags: u32, relative: f64): i32 {
  let code = resolveInstrument(F_PRODUCT);
  if (code == FINE) code = readIntegerField(F_TRADE_ID);
  if (code != FINE) return code;
  const instrument = resolved();
  const id = integerValue();
  tradesClear();
  const trade = tradeOpen();
  if (trade == 0) return finish(APPLY_LIMIT, instrument, LIMIT_FRAME_EVENTS);
  tradeInstrument(trade, instrument);
  tradeId(trade, id, digitsStart(F_TRADE_ID), digitsLength(F_TRADE_ID));
  code = readTradeNumbers(trade, F_PRICE, F_SIZE);
  if (code == FINE) code = readTimeField(F_TIME);
  if (code != FINE) return code;
  const maker = takerSide();
  if (maker == 0) return decodeError(fieldType(F_SIDE) == TYPE_NONE ? DECODE_FIELD_MISSING : DECODE_FIELD_TYPE);
  tradeSide(trade, maker, flags);
  tradeTimes(trade, eventTimeValue(), optionalInteger(F_SEQUENCE));
  if (refusesTrades(instrument)) return notSynced(instrument);
  const scale = scaleTrade(0);
  if (scale != SCALE_OK) return scaleProblem(instrument, scale, relative);
  const written = tradeWrite(0, unixTime(relative));
  if (written == TRADE_DUPLICATE) return finish(APPLY_STALE, instrument, 0);
  if (written == TRADE_JUMPED && flags == 0) return lost(instrument, REASON_TRADE_GAP, relative, APPLY_TRADES);
  return finish(APPLY_TRADES, instrument, 0);
}

/** The frame names the maker's side; the aggressor is the other one. */
function takerSide(): u32 {
  if (textIs(F_SIDE, SELL, 4)) return AGGRESSOR_BUY;
  return textIs(F_SIDE, BUY, 3) ? AGGRESSOR_SELL : 0;
}

/** Trades were missed, so book updates may be, too. */
function lost(instrument: usize, reason: u32, relative: f64, otherwise: i32): i32 {
  if (load<u32>(instrument, INSTRUMENT_STATE) != STATE_SYNCED) return finish(otherwise, instrument, 0);
  instrumentUnsync(instrument, STATE_RESYNCING, reason, relative);
  return finish(APPLY_GAP, instrument, reason);
}

function applyHeartbeat(relative: f64): i32 {
  let code = resolveInstrument(F_PRODUCT);
  if (code == FINE) code = readIntegerField(F_LAST_TRADE_ID);
  if (code != FINE) return code;
  const instrument = resolved();
  const id = integerValue();
  store<u64>(outcomeAddress(), id, OUTCOME_LAST_SEQUENCE);
  store<u64>(outcomeAddress(), load<u64>(instrument, INSTRUMENT_LAST_TRADE_ID), OUTCOME_FIRST_SEQUENCE);
  const seen = load<u32>(instrument, INSTRUMENT_FLAGS) & INSTRUMENT_FLAG_TRADE_SEEN;
  if (!seen || id <= load<u64>(instrument, INSTRUMENT_LAST_TRADE_ID)) return finish(APPLY_HEARTBEAT, instrument, 0);
  if (load<u32>(instrument, INSTRUMENT_STATE) != STATE_SYNCED) return finish(APPLY_HEARTBEAT, instrument, 0);
  store<u64>(instrument, id, INSTRUMENT_LAST_TRADE_ID);
  count(COUNTER_TRADE_GAPS, 1);
  return lost(instrument, REASON_HEARTBEAT_AHEAD, relative, APPLY_HEARTBEAT);
}
