/**
 * Level tokens of a frame in scratch: price and quantity as mantissas with digit counts, before any instrument is known;
 * then scaled to an instrument's ticks and lots in place. One frame's levels lie in one array; events are ranges of it.
 *
 * Entry, 32 bytes: priceMantissa i64 · quantityMantissa i64 · priceDecimals u8 · priceNeeded u8 · quantityDecimals u8 ·
 * quantityNeeded u8 · overflow u8 · side u8 at 24. After scaling the mantissas are ticks and lots; when the entry is applied
 * to a book of limited depth, the quantity before replaces the digit counts, and what the hash gains stands at 28.
 * Bad case: a well-formed array that is not an array of levels; it is skipped as JSON and remembered as malformed.
 */
import { arenaAllocate } from "./arena";
import {
  DECODE_FIELD_MISSING,
  DECODE_FIELD_TYPE,
  DECODE_NEGATIVE,
  DECODE_NUMBER,
  DECODE_RANGE,
  DECODE_TIME,
  EXPONENT_MAX,
  FRAME_LEVELS_MAX,
  INSTRUMENT_PRICE_EXPONENT,
  INSTRUMENT_QUANTITY_EXPONENT,
  OUTCOME_NEED_PRICE_EXPONENT,
  OUTCOME_NEED_QUANTITY_EXPONENT,
  SIDE_ASK,
  SIDE_BID,
} from "./layout";
import { byteAt, expect, lastStringEscaped, skipSpace, skipString, skipValue } from "./json";
import { word8 } from "./fields";
import { outcomeAddress } from "./producer";
import {
  decimalDecimals,
  decimalMantissa,
  decimalNeeded,
  decimalOverflow,
  scaledValue,
  scaleMantissa,
  scanDecimal,
} from "./quantize";
import { readSeconds, timeValue } from "./time";
import { PRICE, QTY } from "./words";

export const ENTRY_BYTES: usize = 32;
export const ENTRY_QUANTITY: usize = 8;
/** Quantity that the book held before; until the entry is applied, its digit counts stand here. */
export const ENTRY_BEFORE: usize = 16;
export const ENTRY_SIDE: usize = 24;
/** What the book hash gains by the entry. */
export const ENTRY_WEIGHT: usize = 28;
const PRICE_DECIMALS: usize = 16;
const PRICE_NEEDED: usize = 17;
const QUANTITY_DECIMALS: usize = 18;
const QUANTITY_NEEDED: usize = 19;
const OVERFLOW: usize = 20;

/** Results of scaleLevels. */
export const SCALE_OK: i32 = 0;
export const SCALE_RESCALE: i32 = 1;
export const SCALE_OVERFLOW: i32 = 2;

let scratch: usize = 0;
let count: u32 = 0;
let malformed: i32 = 0;
let tooMany: bool = false;
let latest: i64 = 0;

/** Forgets the levels of the frame before. */
export function levelsClear(): void {
  if (scratch == 0) scratch = arenaAllocate(<usize>(FRAME_LEVELS_MAX + 4) * ENTRY_BYTES);
  if (scratch == 0) unreachable();
  count = 0;
  malformed = 0;
  tooMany = false;
  latest = 0;
}

/** Levels read so far in this frame. */
export function levelsCount(): u32 {
  return count;
}
/** DECODE_* of the first malformed level since the last reset, 0 when all are good. */
export function levelsMalformed(): i32 {
  return malformed;
}
/** Starts judging malformedness afresh (the next event of the frame). */
export function malformedReset(): void {
  malformed = 0;
}
/** True when the frame held more levels than FRAME_LEVELS_MAX. */
export function levelsTooMany(): bool {
  return tooMany;
}
/** Latest level time (Kraken v1), Unix ns. */
export function levelsLatest(): i64 {
  return latest;
}
/** Address of the i-th level. */
export function levelAt(i: u32): usize {
  return scratch + <usize>i * ENTRY_BYTES;
}

/** Remembers that an array is malformed and reads on past it as JSON. */
function giveUp(start: usize, end: usize, depth: i32, detail: i32): usize {
  if (malformed == 0) malformed = detail;
  return skipValue(start, end, depth - 1);
}

let tokenProblem: i32 = 0;

/** Reads a decimal in a string or a bare JSON number. @returns the address after it, 0 when it is none */
function scanToken(at: usize, end: usize): usize {
  const byte = byteAt(at, end);
  tokenProblem = DECODE_NUMBER;
  if (byte == 0x22) {
    const stop = scanDecimal(at + 1, end);
    return stop != 0 && byteAt(stop, end) == 0x22 ? stop + 1 : 0;
  }
  if (byte == 0x2d || byte - 0x30 <= 9) {
    const lead = byte == 0x2d ? at + 1 : at;
    if (byteAt(lead, end) == 0x30 && byteAt(lead + 1, end) - 0x30 <= 9) return 0;
    return scanDecimal(at, end);
  }
  tokenProblem = DECODE_FIELD_TYPE;
  return 0;
}

function putPrice(entry: usize): bool {
  const over = decimalOverflow();
  store<i64>(entry, over ? 1 : decimalMantissa());
  store<u8>(entry, <u8>(over ? 0 : decimalDecimals()), PRICE_DECIMALS);
  store<u8>(entry, <u8>(over ? 0 : decimalNeeded()), PRICE_NEEDED);
  store<u8>(entry, over ? 1 : 0, OVERFLOW);
  if (over || decimalMantissa() > 0) return true;
  tokenProblem = DECODE_RANGE;
  return false;
}

function putQuantity(entry: usize): bool {
  const over = decimalOverflow();
  store<i64>(entry, over ? 1 : decimalMantissa(), ENTRY_QUANTITY);
  store<u8>(entry, <u8>(over ? 0 : decimalDecimals()), QUANTITY_DECIMALS);
  store<u8>(entry, <u8>(over ? 0 : decimalNeeded()), QUANTITY_NEEDED);
  if (over) store<u8>(entry, 1, OVERFLOW);
  if (over || decimalMantissa() >= 0) return true;
  tokenProblem = DECODE_NEGATIVE;
  return false;
}

/**
 * Reads `[price, quantity, …]` elements; `at` is behind the opening bracket of one level.
 * @returns the address behind its closing bracket, 0 when it is not such a level (tokenProblem says why)
 */
function scanPair(at: usize, end: usize, depth: i32, timed: bool): usize {
  const entry = levelAt(count);
  at = scanToken(skipSpace(at, end), end);
  if (at == 0 || !putPrice(entry)) return 0;
  at = expect(at, end, 0x2c);
  if (at == 0) return shapeProblem();
  at = scanToken(skipSpace(at, end), end);
  if (at == 0 || !putQuantity(entry)) return 0;
  if (timed) {
    at = scanTime(at, end);
    if (at == 0) return 0;
  }
  return closeLevel(at, end, depth);
}

function shapeProblem(): usize {
  tokenProblem = DECODE_FIELD_TYPE;
  return 0;
}

/** Skips further elements up to the closing bracket. */
function closeLevel(at: usize, end: usize, depth: i32): usize {
  while (true) {
    at = skipSpace(at, end);
    const byte = byteAt(at, end);
    if (byte == 0x5d) return at + 1;
    if (byte != 0x2c) return shapeProblem();
    at = skipValue(skipSpace(at + 1, end), end, depth + 1);
    if (at == 0) return shapeProblem();
  }
}

/** Reads `, "seconds.fraction"`. */
function scanTime(at: usize, end: usize): usize {
  at = expect(at, end, 0x2c);
  if (at == 0) return shapeProblem();
  at = skipSpace(at, end);
  if (byteAt(at, end) != 0x22) return shapeProblem();
  const stop = skipString(at, end);
  if (stop == 0) return shapeProblem();
  if (lastStringEscaped() || !readSeconds(at + 1, stop - at - 2)) {
    tokenProblem = DECODE_TIME;
    return 0;
  }
  latest = max(latest, timeValue());
  return stop;
}

function admit(): bool {
  if (count < <u32>FRAME_LEVELS_MAX) return true;
  tooMany = true;
  tokenProblem = DECODE_RANGE;
  return false;
}

/**
 * Reads an array of `[price, quantity, …]`, all of one side.
 * @param depth containers around the elements (the array included)
 * @param timed the third element is a time in seconds (Kraken v1)
 */
export function scanPairs(start: usize, end: usize, side: u32, depth: i32, timed: bool): usize {
  let at = skipSpace(start + 1, end);
  if (byteAt(at, end) == 0x5d) return at + 1;
  while (true) {
    at = expect(at, end, 0x5b);
    if (at == 0) return giveUp(start, end, depth, DECODE_FIELD_TYPE);
    if (!admit()) return giveUp(start, end, depth, tokenProblem);
    at = scanPair(at, end, depth, timed);
    if (at == 0) return giveUp(start, end, depth, tokenProblem);
    store<u8>(levelAt(count), <u8>side, ENTRY_SIDE);
    count++;
    if (byteAt(at, end) != 0x2c && byteAt(at, end) != 0x5d) at = skipSpace(at, end);
    const byte = byteAt(at, end);
    if (byte == 0x5d) return at + 1;
    if (byte != 0x2c) return 0;
    at++;
  }
}

/** Reads Coinbase's `[["buy"|"sell", price, size], …]`. */
export function scanChanges(start: usize, end: usize, depth: i32): usize {
  let at = skipSpace(start + 1, end);
  if (byteAt(at, end) == 0x5d) return at + 1;
  while (true) {
    at = expect(at, end, 0x5b);
    if (at == 0) return giveUp(start, end, depth, DECODE_FIELD_TYPE);
    if (!admit()) return giveUp(start, end, depth, tokenProblem);
    at = skipSpace(at, end);
    const side = sideAt(at, end);
    if (side > <u32>SIDE_ASK) return giveUp(start, end, depth, DECODE_FIELD_TYPE);
    at = expect(at + (side == SIDE_BID ? 5 : 6), end, 0x2c);
    if (at == 0) return giveUp(start, end, depth, DECODE_FIELD_TYPE);
    at = scanPair(at, end, depth, false);
    if (at == 0) return giveUp(start, end, depth, tokenProblem);
    store<u8>(levelAt(count), <u8>side, ENTRY_SIDE);
    count++;
    if (byteAt(at, end) != 0x2c && byteAt(at, end) != 0x5d) at = skipSpace(at, end);
    const byte = byteAt(at, end);
    if (byte == 0x5d) return at + 1;
    if (byte != 0x2c) return 0;
    at++;
  }
}

/** `"buy"` → bid, `"sell"` → ask, else 2. */
function sideAt(at: usize, end: usize): u32 {
  if (end - at >= 6) {
    const word = load<u32>(at);
    if (word == 0x79756222 && load<u8>(at, 4) == 0x22) return SIDE_BID;
    if (word == 0x6c657322 && load<u16>(at, 4) == 0x226c) return SIDE_ASK;
  }
  return 2;
}

/** Reads Kraken's array of `{"price": …, "qty": …}`, all of one side. */
export function scanObjects(start: usize, end: usize, side: u32, depth: i32): usize {
  let at = skipSpace(start + 1, end);
  if (byteAt(at, end) == 0x5d) return at + 1;
  while (true) {
    at = expect(at, end, 0x7b);
    if (at == 0) return giveUp(start, end, depth, DECODE_FIELD_TYPE);
    if (!admit()) return giveUp(start, end, depth, tokenProblem);
    at = scanObject(at, end, depth);
    if (at == 0) return giveUp(start, end, depth, tokenProblem);
    store<u8>(levelAt(count), <u8>side, ENTRY_SIDE);
    count++;
    if (byteAt(at, end) != 0x2c && byteAt(at, end) != 0x5d) at = skipSpace(at, end);
    const byte = byteAt(at, end);
    if (byte == 0x5d) return at + 1;
    if (byte != 0x2c) return 0;
    at++;
  }
}

/** Reads the inside of one level object; `at` is behind its opening brace. */
function scanObject(at: usize, end: usize, depth: i32): usize {
  const entry = levelAt(count);
  let seen: u32 = 0;
  at = skipSpace(at, end);
  if (byteAt(at, end) == 0x7d) return missing();
  while (true) {
    at = skipSpace(at, end);
    if (byteAt(at, end) != 0x22) return shapeProblem();
    const key = at + 1;
    at = skipString(at, end);
    if (at == 0) return shapeProblem();
    const length = at - key - 1;
    const known = lastStringEscaped() ? 0 : keyBit(key, length);
    at = expect(at, end, 0x3a);
    if (at == 0) return shapeProblem();
    at = skipSpace(at, end);
    if (known == 0) at = skipValue(at, end, depth + 1);
    else {
      if (seen & known) return shapeProblem();
      at = scanToken(at, end);
      if (at == 0 || !(known == 1 ? putPriceOf(entry) : putQuantityOf(entry))) return 0;
      seen |= known;
    }
    if (at == 0) return shapeProblem();
    at = skipSpace(at, end);
    const byte = byteAt(at, end);
    if (byte == 0x7d) return seen == 3 ? settle(entry, at + 1) : missing();
    if (byte != 0x2c) return shapeProblem();
    at++;
  }
}

function missing(): usize {
  tokenProblem = DECODE_FIELD_MISSING;
  return 0;
}

function keyBit(key: usize, length: usize): u32 {
  if (length == 5) return word8(key, 5) == PRICE ? 1 : 0;
  return length == 3 && word8(key, 3) == QTY ? 2 : 0;
}

let overPrice: u8 = 0;
let overQuantity: u8 = 0;

/** As putPrice and putQuantity, for keys in any order. */
function putPriceOf(entry: usize): bool {
  const good = putPrice(entry);
  overPrice = load<u8>(entry, OVERFLOW);
  return good;
}
function putQuantityOf(entry: usize): bool {
  store<u8>(entry, 0, OVERFLOW);
  const good = putQuantity(entry);
  overQuantity = load<u8>(entry, OVERFLOW);
  return good;
}
function settle(entry: usize, at: usize): usize {
  store<u8>(entry, overPrice | overQuantity, OVERFLOW);
  return at;
}

let priceDecimalsMax: u32 = 0;
let quantityDecimalsMax: u32 = 0;

/** Most decimals as written among the prices of the last scaled range. */
export function writtenPriceDecimals(): u32 {
  return priceDecimalsMax;
}
/** Most decimals as written among the quantities of the last scaled range. */
export function writtenQuantityDecimals(): u32 {
  return quantityDecimalsMax;
}

/**
 * Scales the levels [first, last) to the instrument's exponents in place.
 * @returns SCALE_OK; SCALE_RESCALE (needs are in the outcome); SCALE_OVERFLOW
 */
export function scaleLevels(instrument: usize, first: u32, last: u32): i32 {
  const priceExponent = load<i32>(instrument, INSTRUMENT_PRICE_EXPONENT);
  const quantityExponent = load<i32>(instrument, INSTRUMENT_QUANTITY_EXPONENT);
  let needPrice = max(priceExponent, 0);
  let needQuantity = max(quantityExponent, 0);
  priceDecimalsMax = 0;
  quantityDecimalsMax = 0;
  const stop = levelAt(last);
  for (let entry = levelAt(first); entry < stop; entry += ENTRY_BYTES) {
    if (load<u8>(entry, OVERFLOW)) return SCALE_OVERFLOW;
    needPrice = max(needPrice, <i32>load<u8>(entry, PRICE_NEEDED));
    needQuantity = max(needQuantity, <i32>load<u8>(entry, QUANTITY_NEEDED));
    priceDecimalsMax = max(priceDecimalsMax, <u32>load<u8>(entry, PRICE_DECIMALS));
    quantityDecimalsMax = max(quantityDecimalsMax, <u32>load<u8>(entry, QUANTITY_DECIMALS));
  }
  if (needPrice > EXPONENT_MAX || needQuantity > EXPONENT_MAX) return SCALE_OVERFLOW;
  if (needPrice > priceExponent || needQuantity > quantityExponent) return askRescale(needPrice, needQuantity);
  for (let entry = levelAt(first); entry < stop; entry += ENTRY_BYTES) {
    if (!scaleMantissa(load<i64>(entry), load<u8>(entry, PRICE_DECIMALS), priceExponent)) return SCALE_OVERFLOW;
    store<i64>(entry, scaledValue());
    if (!scaleMantissa(load<i64>(entry, ENTRY_QUANTITY), load<u8>(entry, QUANTITY_DECIMALS), quantityExponent))
      return SCALE_OVERFLOW;
    store<i64>(entry, scaledValue(), ENTRY_QUANTITY);
  }
  return SCALE_OK;
}

/** Puts the needed exponents into the outcome. */
export function askRescale(price: i32, quantity: i32): i32 {
  store<i32>(outcomeAddress(), price, OUTCOME_NEED_PRICE_EXPONENT);
  store<i32>(outcomeAddress(), quantity, OUTCOME_NEED_QUANTITY_EXPONENT);
  return SCALE_RESCALE;
}
