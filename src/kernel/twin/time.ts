/**
 * Times of exchanges as Unix nanoseconds in RESULT: RFC 3339 in UTC, and decimal seconds. Years before 1970 are "unknown"
 * (0), as Coinbase sends 0001-01-01 on otherwise good messages.
 * Bad case: leap seconds (":60") are refused as unreadable.
 */
import { fromNumber, multiplyByPower, RESULT, resultHigh, resultLow } from "./int64.ts";
import { byteAt } from "./memory.ts";

const ZERO = 0x30;
const POINT = 0x2e;
const NANO_DIGITS = 9;
const YEAR_MAX = 2261;
const SECONDS_MAX = 9200000000;
const SECONDS_DIGITS_MAX = 10;
const UNREADABLE = -1;
const TWO_32 = 4294967296;

/** Two digits as a number; 1000 when they are not. */
function pair(bytes: Uint8Array, at: number): number {
  const tens = byteAt(bytes, at) - ZERO;
  const ones = byteAt(bytes, at + 1) - ZERO;
  return tens < 0 || tens > 9 || ones < 0 || ones > 9 ? 1000 : tens * 10 + ones;
}

/** Digits behind a point as nanoseconds; −1 when they are not. */
function nanoseconds(bytes: Uint8Array, start: number, count: number): number {
  let value = 0;
  for (let i = 0; i < NANO_DIGITS; i++) {
    const digit = i < count ? byteAt(bytes, start + i) - ZERO : 0;
    if (digit < 0 || digit > 9) {
      return UNREADABLE;
    }
    value = value * 10 + digit;
  }
  return value;
}

/** RESULT = seconds × 10^9 + nanoseconds. */
function setTime(seconds: number, nanos: number): void {
  fromNumber(seconds);
  multiplyByPower(resultLow(), resultHigh(), NANO_DIGITS);
  const low = (resultLow() >>> 0) + nanos;
  RESULT[0] = low;
  RESULT[1] = resultHigh() + (low >= TWO_32 ? 1 : 0);
}

/** Reads `YYYY-MM-DDTHH:MM:SS[.f{1,9}]Z`. @returns false when the text is anything else */
export function readRfc3339(bytes: Uint8Array, at: number, length: number): boolean {
  if (length < 20 || length > 30 || length === 21) {
    return false;
  }
  const hasMarks =
    byteAt(bytes, at + 4) === 0x2d &&
    byteAt(bytes, at + 7) === 0x2d &&
    byteAt(bytes, at + 10) === 0x54 &&
    byteAt(bytes, at + 13) === 0x3a &&
    byteAt(bytes, at + 16) === 0x3a &&
    byteAt(bytes, at + length - 1) === 0x5a;
  const century = pair(bytes, at);
  const rest = pair(bytes, at + 2);
  const month = pair(bytes, at + 5);
  const day = pair(bytes, at + 8);
  const hour = pair(bytes, at + 11);
  const minute = pair(bytes, at + 14);
  const second = pair(bytes, at + 17);
  if (!hasMarks || century > 99 || rest > 99 || month < 1 || month > 12 || day < 1 || day > 31) {
    return false;
  }
  if (hour > 23 || minute > 59 || second > 59 || (length > 20 && byteAt(bytes, at + 19) !== POINT)) {
    return false;
  }
  const fraction = length > 20 ? nanoseconds(bytes, at + 20, length - 21) : 0;
  const year = century * 100 + rest;
  if (fraction === UNREADABLE || year > YEAR_MAX) {
    return false;
  }
  if (year < 1970) {
    fromNumber(0);
    return true;
  }
  setTime(daysFromCivil(year, month, day) * 86400 + hour * 3600 + minute * 60 + second, fraction);
  return true;
}

/** Days from 1970-01-01, proleptic Gregorian calendar. @see Howard Hinnant, chrono-compatible date algorithms */
function daysFromCivil(year: number, month: number, day: number): number {
  const y = month <= 2 ? year - 1 : year;
  const era = Math.floor(y / 400);
  const yearOfEra = y - era * 400;
  const shifted = month > 2 ? month - 3 : month + 9;
  const dayOfYear = Math.floor((153 * shifted + 2) / 5) + day - 1;
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return era * 146097 + dayOfEra - 719468;
}

/** Reads `seconds[.f{1,9}]`. @returns false when the text is anything else */
export function readSeconds(bytes: Uint8Array, at: number, length: number): boolean {
  let whole = 0;
  let i = 0;
  for (; i < length && byteAt(bytes, at + i) !== POINT; i++) {
    const digit = byteAt(bytes, at + i) - ZERO;
    if (digit < 0 || digit > 9 || i >= SECONDS_DIGITS_MAX) {
      return false;
    }
    whole = whole * 10 + digit;
  }
  if (i === 0 || whole > SECONDS_MAX) {
    return false;
  }
  let fraction = 0;
  if (i < length) {
    const digits = length - i - 1;
    fraction = digits > 0 && digits <= NANO_DIGITS ? nanoseconds(bytes, at + i + 1, digits) : UNREADABLE;
  }
  if (fraction === UNREADABLE) {
    return false;
  }
  setTime(whole, fraction);
  return true;
}

/** RESULT = Unix ns of a number of Unix ms or µs; 0 when it is out of range. */
export function fromEpochInteger(low: number, high: number): void {
  const value = (high >>> 0) * TWO_32 + (low >>> 0);
  const power = value >= 1e14 ? 3 : 6;
  if (value > (power === 3 ? 9e15 : 9e12)) {
    fromNumber(0);
  } else {
    multiplyByPower(low, high, power);
  }
}
