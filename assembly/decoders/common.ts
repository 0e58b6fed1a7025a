/**
 * What every decoder does the same way: resolving the instrument, reading its fields, turning problems into outcomes.
 * Bad case: judging a field before kind and instrument are known; a frame of an unknown kind must never be an error.
 */
import {
  fieldEnd,
  fieldEscaped,
  fieldStart,
  fieldType,
  integerProblem,
  isText,
  textLength,
  textStart,
} from "../fields";
import { byteAt, integerValue, skipSpace, skipValue, TYPE_NONE, TYPE_NUMBER, TYPE_STRING } from "../json";
import { instrumentFind, instrumentUnsync } from "../instrument";
import {
  APPLY_DECODE_ERROR,
  APPLY_LIMIT,
  APPLY_NOT_SYNCED,
  APPLY_OVERFLOW,
  APPLY_RESCALE,
  APPLY_UNKNOWN_INSTRUMENT,
  APPLY_UNKNOWN_KIND,
  DECODE_FIELD_MISSING,
  DECODE_FIELD_TYPE,
  DECODE_NEGATIVE,
  DECODE_NUMBER,
  DECODE_RANGE,
  DECODE_SYNTAX,
  DECODE_TIME,
  INSTRUMENT_REASON,
  INSTRUMENT_STATE,
  LIMIT_FRAME_LEVELS,
  OUTCOME_SYMBOL_ADDRESS,
  OUTCOME_SYMBOL_LENGTH,
  REASON_DRIFT,
  REASON_OVERFLOW,
  STATE_OUT_OF_SERVICE,
  STATE_RETIRED,
} from "../layout";
import { levelsMalformed, levelsTooMany, SCALE_RESCALE } from "../levels";
import { finish, outcomeAddress } from "../producer";
import { decimalDecimals, decimalMantissa, decimalNeeded, decimalOverflow, scanDecimal } from "../quantize";
import { readRfc3339, timeValue } from "../time";
import { tradePrice, tradeQuantity } from "../trade";

/** Code of a step that found nothing wrong. */
export const FINE: i32 = -1;

let instrument: usize = 0;

/** The instrument that resolveInstrument found. */
export function resolved(): usize {
  return instrument;
}

export function decodeError(detail: i32): i32 {
  return finish(APPLY_DECODE_ERROR, instrument, detail);
}

/** Nothing is known of this frame yet. */
export function forgetInstrument(): void {
  instrument = 0;
}

/** A frame whose top-level value is not what the exchange sends: unknown when it is JSON, an error otherwise. */
export function notAnObject(at: usize, end: usize): i32 {
  instrument = 0;
  const stop = skipValue(at, end, 0);
  if (stop == 0 || skipSpace(stop, end) != end) return decodeError(DECODE_SYNTAX);
  return finish(APPLY_UNKNOWN_KIND, 0, 0);
}

/** Finds the instrument that a field names. @returns FINE or the code of the finished outcome */
export function resolveInstrument(field: usize): i32 {
  instrument = 0;
  const type = fieldType(field);
  if (type == TYPE_NONE) return decodeError(DECODE_FIELD_MISSING);
  if (type != TYPE_STRING) return decodeError(DECODE_FIELD_TYPE);
  if (!fieldEscaped(field)) instrument = instrumentFind(textStart(field), textLength(field));
  if (instrument != 0) return FINE;
  store<u32>(outcomeAddress(), <u32>textStart(field), OUTCOME_SYMBOL_ADDRESS);
  store<u32>(outcomeAddress(), <u32>textLength(field), OUTCOME_SYMBOL_LENGTH);
  return finish(APPLY_UNKNOWN_INSTRUMENT, 0, 0);
}

/** Limits and malformed levels of the frame. */
export function levelsProblem(): i32 {
  if (levelsTooMany()) return finish(APPLY_LIMIT, instrument, LIMIT_FRAME_LEVELS);
  return levelsMalformed() != 0 ? decodeError(levelsMalformed()) : FINE;
}

/** True when the instrument takes no frames any more. */
export function outOfService(target: usize): bool {
  const state = load<u32>(target, INSTRUMENT_STATE);
  return state == STATE_OUT_OF_SERVICE || state == STATE_RETIRED;
}

/** True when it takes no trades either; while only its book has another form, they go on and their ids are followed. */
export function refusesTrades(target: usize): bool {
  const drifts = load<u32>(target, INSTRUMENT_STATE) == STATE_OUT_OF_SERVICE;
  return outOfService(target) && !(drifts && load<u32>(target, INSTRUMENT_REASON) == REASON_DRIFT);
}

export function notSynced(target: usize): i32 {
  return finish(APPLY_NOT_SYNCED, target, 0);
}

/** Turns a failed scaling into its outcome. */
export function scaleProblem(target: usize, scale: i32, relative: f64): i32 {
  if (scale == SCALE_RESCALE) return finish(APPLY_RESCALE, target, 0);
  instrumentUnsync(target, STATE_OUT_OF_SERVICE, REASON_OVERFLOW, relative);
  return finish(APPLY_OVERFLOW, target, 0);
}

let eventTime: i64 = 0;

/** The time that a time reader read; 0 = unknown. */
export function eventTimeValue(): i64 {
  return eventTime;
}

/** Reads an RFC 3339 field; a missing one is unknown. */
export function readTimeField(field: usize): i32 {
  eventTime = 0;
  if (fieldType(field) == TYPE_NONE) return FINE;
  if (!isText(field) || !readRfc3339(textStart(field), textLength(field))) return decodeError(DECODE_TIME);
  eventTime = timeValue();
  return FINE;
}

/** Reads a required integer. */
export function readIntegerField(field: usize): i32 {
  const problem = integerProblem(field);
  return problem == 0 ? FINE : decodeError(problem);
}

/** Reads a required decimal (string or bare number); its parts are in quantize. */
function readDecimalField(field: usize): i32 {
  const type = fieldType(field);
  if (type == TYPE_NONE) return decodeError(DECODE_FIELD_MISSING);
  if (type == TYPE_NUMBER)
    return scanDecimal(fieldStart(field), fieldEnd(field)) == fieldEnd(field) ? FINE : decodeError(DECODE_NUMBER);
  if (type != TYPE_STRING) return decodeError(DECODE_FIELD_TYPE);
  const stop = scanDecimal(textStart(field), fieldEnd(field));
  return stop != 0 && stop == fieldEnd(field) - 1 ? FINE : decodeError(DECODE_NUMBER);
}

/** Reads price and quantity of a trade into a pending trade. */
export function readTradeNumbers(trade: usize, priceField: usize, quantityField: usize): i32 {
  let code = readDecimalField(priceField);
  if (code != FINE) return code;
  if (!decimalOverflow() && decimalMantissa() <= 0) return decodeError(DECODE_RANGE);
  tradePrice(trade, decimalOverflow() ? 1 : decimalMantissa(), decimalDecimals(), decimalNeeded(), decimalOverflow());
  code = readDecimalField(quantityField);
  if (code != FINE) return code;
  if (!decimalOverflow() && decimalMantissa() <= 0)
    return decodeError(decimalMantissa() < 0 ? DECODE_NEGATIVE : DECODE_RANGE);
  tradeQuantity(
    trade,
    decimalOverflow() ? 1 : decimalMantissa(),
    decimalDecimals(),
    decimalNeeded(),
    decimalOverflow(),
  );
  return FINE;
}

/** First byte of an integer field's digits. */
export function digitsStart(field: usize): usize {
  return fieldType(field) == TYPE_STRING ? textStart(field) : fieldStart(field);
}
/** Bytes of an integer field's digits. */
export function digitsLength(field: usize): usize {
  return fieldType(field) == TYPE_STRING ? textLength(field) : fieldEnd(field) - fieldStart(field);
}

/** Reads an optional integer, 0 when it is missing or unreadable. */
export function optionalInteger(field: usize): u64 {
  return integerProblem(field) == 0 ? integerValue() : 0;
}

/** True when only white space follows. */
export function frameEnds(at: usize, end: usize): bool {
  return at != 0 && skipSpace(at, end) == end;
}

/** True when an array starts at `at`. */
export function arrayStarts(at: usize, end: usize): bool {
  return byteAt(at, end) == 0x5b;
}
