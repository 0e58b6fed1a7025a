/**
 * Binance and Binance.US: depthUpdate (spot U/u, futures pu), trade, aggTrade, raw or inside `{stream,data}`, and the
 * REST depth body that seeds a book.
 * Bad case: levels beyond the snapshot are unknown until an event touches them; the book is only asserted within its range.
 * Source: https://github.com/binance/binance-spot-api-docs web-socket-streams.md (read 2026-11), and captured frames.
 */

import { applyDelta, applyFull, expectNoChecksum } from "../event";
import { fieldType, isText, textIs, textIsLong } from "../fields";
import { clearFlag, hasFlag, instrumentUnsync, setFlag } from "../instrument";
import { integerValue, TYPE_ARRAY, TYPE_FALSE, TYPE_NONE, TYPE_TRUE } from "../json";
import {
  AGGRESSOR_BUY,
  AGGRESSOR_SELL,
  APPLY_BUFFER,
  APPLY_CONTROL,
  APPLY_GAP,
  APPLY_IGNORED,
  APPLY_LIMIT,
  APPLY_STALE,
  APPLY_TICKER,
  APPLY_TRADES,
  APPLY_UNKNOWN_KIND,
  DECODE_FIELD_MISSING,
  DECODE_FIELD_TYPE,
  DECODE_RANGE,
  INSTRUMENT_FLAG_SPLICING,
  INSTRUMENT_LAST_SEQUENCE,
  INSTRUMENT_STATE,
  LIMIT_FRAME_EVENTS,
  OUTCOME_FIRST_SEQUENCE,
  OUTCOME_LAST_SEQUENCE,
  REASON_GAP,
  STATE_RESYNCING,
  STATE_SUSPECT,
  STATE_SYNCED,
} from "../layout";
import { levelsClear, scaleLevels, SCALE_OK } from "../levels";
import { finish, outcomeAddress, unixTime } from "../producer";
import { fromEpochInteger } from "../time";
import {
  scaleTrade,
  TRADE_DUPLICATE,
  tradeId,
  tradeInstrument,
  tradeOpen,
  tradesClear,
  tradeSide,
  tradeTimes,
  tradeWrite,
} from "../trade";
import {
  AGG_TRADE,
  AVG_PRICE,
  BOOK_TICKER,
  BOOK_TICKER_LENGTH,
  BOOK_TICKER_TAIL,
  DEPTH_UPDATE,
  DEPTH_UPDATE_LENGTH,
  DEPTH_UPDATE_TAIL,
  FORCE_ORDER,
  FORCE_ORDER_LENGTH,
  FORCE_ORDER_TAIL,
  KLINE,
  MARK_PRICE_UPDATE,
  MARK_PRICE_UPDATE_LENGTH,
  MARK_PRICE_UPDATE_TAIL,
  MARKET,
  N1D_TICKER,
  N1H_TICKER,
  N24HR_MINI_TICKER,
  N24HR_MINI_TICKER_LENGTH,
  N24HR_MINI_TICKER_TAIL,
  N24HR_TICKER,
  N24HR_TICKER_LENGTH,
  N24HR_TICKER_TAIL,
  N4H_TICKER,
  SERVER_SHUTDOWN,
  SERVER_SHUTDOWN_LENGTH,
  SERVER_SHUTDOWN_TAIL,
  TRADE,
} from "../words";
import {
  F_ASKS,
  F_BEST_ASK_QUANTITY,
  F_BEST_BID_QUANTITY,
  F_BIDS,
  F_CODE,
  F_ERROR,
  F_EVENT_TIME,
  F_EXECUTION,
  F_FIRST,
  F_ID,
  F_KIND,
  F_LAST,
  F_LAST_UPDATE,
  F_MAKER,
  F_PREVIOUS,
  F_PRICE,
  F_QUANTITY,
  F_REST_ASKS,
  F_REST_BIDS,
  F_RESULT,
  F_SYMBOL,
  F_TRADE,
  F_TRADE_TIME,
  frameMalformed,
  levelsFirst,
  levelsLast,
  scanFrame,
} from "./binance_fields";
import { usualDepth } from "./binance_usual";
import {
  decodeError,
  digitsLength,
  digitsStart,
  FINE,
  levelsProblem,
  notSynced,
  outOfService,
  readIntegerField,
  readTradeNumbers,
  refusesTrades,
  resolved,
  resolveInstrument,
  scaleProblem,
} from "./common";

/** Decodes and applies one frame. @returns APPLY_* */
export function binanceApply(frame: usize, length: usize, relative: f64): i32 {
  levelsClear();
  const usual = usualDepth(frame, frame + length, relative);
  if (usual != FINE) return usual;
  const code = scanFrame(frame, frame + length, false);
  return code == FINE ? applyKind(relative) : code;
}

function has(field: usize): bool {
  return fieldType(field) != TYPE_NONE;
}

function applyKind(relative: f64): i32 {
  if (!has(F_KIND)) return applyNameless();
  if (!isText(F_KIND)) return finish(APPLY_UNKNOWN_KIND, 0, 0);
  if (textIsLong(F_KIND, DEPTH_UPDATE, DEPTH_UPDATE_TAIL, DEPTH_UPDATE_LENGTH)) return applyDepth(relative);
  if (textIs(F_KIND, TRADE, 5)) return applyTrade(F_TRADE, relative);
  if (textIs(F_KIND, AGG_TRADE, 8)) return applyTrade(F_ASKS, relative);
  if (textIsLong(F_KIND, BOOK_TICKER, BOOK_TICKER_TAIL, BOOK_TICKER_LENGTH)) return finish(APPLY_TICKER, 0, 0);
  if (textIsLong(F_KIND, SERVER_SHUTDOWN, SERVER_SHUTDOWN_TAIL, SERVER_SHUTDOWN_LENGTH))
    return finish(APPLY_CONTROL, 0, 0);
  return finish(isUnused() ? APPLY_IGNORED : APPLY_UNKNOWN_KIND, 0, 0);
}

/** Known kinds that carry nothing for the book. */
function isUnused(): bool {
  return (
    textIs(F_KIND, KLINE, 5) ||
    textIs(F_KIND, AVG_PRICE, 8) ||
    textIs(F_KIND, N1H_TICKER, 8) ||
    textIs(F_KIND, N4H_TICKER, 8) ||
    textIs(F_KIND, N1D_TICKER, 8) ||
    textIsLong(F_KIND, N24HR_TICKER, N24HR_TICKER_TAIL, N24HR_TICKER_LENGTH) ||
    textIsLong(F_KIND, N24HR_MINI_TICKER, N24HR_MINI_TICKER_TAIL, N24HR_MINI_TICKER_LENGTH) ||
    textIsLong(F_KIND, MARK_PRICE_UPDATE, MARK_PRICE_UPDATE_TAIL, MARK_PRICE_UPDATE_LENGTH) ||
    textIsLong(F_KIND, FORCE_ORDER, FORCE_ORDER_TAIL, FORCE_ORDER_LENGTH)
  );
}

function applyNameless(): i32 {
  const ticker =
    has(F_LAST) && has(F_SYMBOL) && has(F_BIDS) && has(F_ASKS) && has(F_BEST_BID_QUANTITY) && has(F_BEST_ASK_QUANTITY);
  if (ticker) return finish(APPLY_TICKER, 0, 0);
  if (has(F_LAST_UPDATE)) return finish(APPLY_IGNORED, 0, 0);
  const control = has(F_RESULT) || has(F_ERROR) || has(F_CODE) || has(F_ID);
  return finish(control ? APPLY_CONTROL : APPLY_UNKNOWN_KIND, 0, 0);
}

/** A required level array. */
function arrayProblem(field: usize): i32 {
  const type = fieldType(field);
  if (type == TYPE_NONE) return decodeError(DECODE_FIELD_MISSING);
  return type == TYPE_ARRAY ? FINE : decodeError(DECODE_FIELD_TYPE);
}

let updateFirst: u64 = 0;
let updateLast: u64 = 0;
let updatePrevious: u64 = 0;
let eventAt: i64 = 0;

/** Reads the fields of a depth update. */
function readDepth(): i32 {
  let code = resolveInstrument(F_SYMBOL);
  if (code == FINE) code = readIntegerField(F_FIRST);
  updateFirst = integerValue();
  if (code == FINE) code = readIntegerField(F_LAST);
  updateLast = integerValue();
  if (code == FINE && has(F_PREVIOUS)) code = readIntegerField(F_PREVIOUS);
  updatePrevious = integerValue();
  if (code == FINE) code = readIntegerField(F_EVENT_TIME);
  if (code != FINE) return code;
  eventAt = fromEpochInteger(integerValue());
  if (updateLast < updateFirst) return decodeError(DECODE_RANGE);
  code = arrayProblem(F_BIDS);
  if (code == FINE) code = arrayProblem(F_ASKS);
  if (code == FINE) code = levelsProblem();
  return code == FINE && frameMalformed() != 0 ? decodeError(frameMalformed()) : code;
}

function applyDepth(relative: f64): i32 {
  const code = readDepth();
  if (code != FINE) return code;
  const instrument = resolved();
  store<u64>(outcomeAddress(), updateFirst, OUTCOME_FIRST_SEQUENCE);
  store<u64>(outcomeAddress(), updateLast, OUTCOME_LAST_SEQUENCE);
  if (outOfService(instrument)) return notSynced(instrument);
  const state = load<u32>(instrument, INSTRUMENT_STATE);
  if (state != STATE_SYNCED && state != STATE_SUSPECT) return finish(APPLY_BUFFER, instrument, 0);
  const order = has(F_PREVIOUS) ? judgeFutures(instrument) : judgeSpot(instrument);
  if (order == APPLY_STALE) return finish(APPLY_STALE, instrument, 0);
  if (order == APPLY_GAP) {
    instrumentUnsync(instrument, STATE_RESYNCING, REASON_GAP, relative);
    return finish(APPLY_GAP, instrument, REASON_GAP);
  }
  const scale = scaleLevels(instrument, levelsFirst(), levelsLast());
  if (scale != SCALE_OK) return scaleProblem(instrument, scale, relative);
  clearFlag(instrument, INSTRUMENT_FLAG_SPLICING);
  store<u64>(instrument, updateLast, INSTRUMENT_LAST_SEQUENCE);
  expectNoChecksum();
  return applyDelta(instrument, levelsFirst(), levelsLast(), eventAt, updateLast, relative);
}

/** @returns FINE, APPLY_STALE or APPLY_GAP by the spot rule: the update holds the id after the last one */
function judgeSpot(instrument: usize): i32 {
  const last = load<u64>(instrument, INSTRUMENT_LAST_SEQUENCE);
  if (updateLast <= last) return APPLY_STALE;
  return updateFirst > last + 1 ? APPLY_GAP : FINE;
}

/** The futures rule: each update names its predecessor; the first one after the snapshot contains or follows it. */
function judgeFutures(instrument: usize): i32 {
  const last = load<u64>(instrument, INSTRUMENT_LAST_SEQUENCE);
  if (hasFlag(instrument, INSTRUMENT_FLAG_SPLICING)) {
    if (updateLast < last) return APPLY_STALE;
    return updateFirst <= last || updatePrevious == last ? FINE : APPLY_GAP;
  }
  if (updateLast <= last) return APPLY_STALE;
  return updatePrevious == last ? FINE : APPLY_GAP;
}

function applyTrade(idField: usize, relative: f64): i32 {
  let code = resolveInstrument(F_SYMBOL);
  if (code != FINE) return code;
  const instrument = resolved();
  if (has(F_EXECUTION) && !textIs(F_EXECUTION, MARKET, 6)) return finish(APPLY_IGNORED, 0, 0);
  code = readIntegerField(idField);
  if (code != FINE) return code;
  tradesClear();
  const trade = tradeOpen();
  if (trade == 0) return finish(APPLY_LIMIT, instrument, LIMIT_FRAME_EVENTS);
  tradeInstrument(trade, instrument);
  tradeId(trade, integerValue(), digitsStart(idField), digitsLength(idField));
  code = readTradeNumbers(trade, F_PRICE, F_QUANTITY);
  if (code == FINE) code = readIntegerField(F_TRADE_TIME);
  if (code != FINE) return code;
  tradeTimes(trade, fromEpochInteger(integerValue()), 0);
  const maker = fieldType(F_MAKER);
  if (maker != TYPE_TRUE && maker != TYPE_FALSE)
    return decodeError(maker == TYPE_NONE ? DECODE_FIELD_MISSING : DECODE_FIELD_TYPE);
  tradeSide(trade, maker == TYPE_TRUE ? AGGRESSOR_SELL : AGGRESSOR_BUY, 0);
  if (refusesTrades(instrument)) return notSynced(instrument);
  const scale = scaleTrade(0);
  if (scale != SCALE_OK) return scaleProblem(instrument, scale, relative);
  const written = tradeWrite(0, unixTime(relative));
  return finish(written == TRADE_DUPLICATE ? APPLY_STALE : APPLY_TRADES, instrument, 0);
}

/** Replaces a book by a REST depth body. @returns APPLY_* */
export function binanceSnapshot(instrument: usize, body: usize, length: usize, relative: f64): i32 {
  let code = scanFrame(body, body + length, true);
  if (code != FINE) return code;
  code = readIntegerField(F_LAST_UPDATE);
  if (code != FINE) return code;
  const lastUpdate = integerValue();
  code = arrayProblem(F_REST_BIDS);
  if (code == FINE) code = arrayProblem(F_REST_ASKS);
  if (code == FINE) code = levelsProblem();
  if (code == FINE && frameMalformed() != 0) code = decodeError(frameMalformed());
  if (code != FINE) return code;
  if (outOfService(instrument)) return notSynced(instrument);
  let at: i64 = 0;
  if (has(F_EVENT_TIME) && readIntegerField(F_EVENT_TIME) == FINE) at = fromEpochInteger(integerValue());
  const scale = scaleLevels(instrument, levelsFirst(), levelsLast());
  if (scale != SCALE_OK) return scaleProblem(instrument, scale, relative);
  store<u64>(instrument, lastUpdate, INSTRUMENT_LAST_SEQUENCE);
  setFlag(instrument, INSTRUMENT_FLAG_SPLICING);
  expectNoChecksum();
  return applyFull(instrument, levelsFirst(), levelsLast(), at, lastUpdate, false, relative);
}
