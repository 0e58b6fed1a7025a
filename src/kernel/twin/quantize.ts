/**
 * Exact decimal text ↔ integers. A token becomes a mantissa and two digit counts: decimals as written and decimals
 * needed (without trailing zeros); the instrument's exponent is applied later, so that a token can be read before the
 * instrument is known. Up to nine digits on each side of the point take the fast path; the rest, leading zeros and
 * exponents the slow one. Bad case: a number that needs more than 18 decimals or does not fit i64: an overflow, never
 * a rounding.
 */
import {
  DECIMAL_DECIMALS,
  DECIMAL_MANTISSA,
  DECIMAL_NEEDED,
  DECIMAL_OK,
  DECIMAL_OVERFLOW,
  DECIMAL_SYNTAX,
  EXPONENT_MAX,
} from "../../../assembly/layout.ts";
import { writeDigits } from "./digits.ts";
import {
  applySign,
  divideByPower,
  fromNumber,
  joinDigits,
  magnitude,
  multiplyByPower,
  multiplyUnsigned,
  powerOfTen,
  RESULT,
  resultHigh,
  resultLow,
} from "./int64.ts";
import { byteAt, type Memory, wordAt } from "./memory.ts";

const MINUS = 0x2d;
const PLUS = 0x2b;
const POINT = 0x2e;
const ZERO = 0x30;
const LETTER_E = 0x65;
const PART_DIGITS = 9;
const DIGITS_MAX = 19;
/** Decimals of a zero may be written without end; beyond this they say nothing. */
const WRITTEN_MAX = 1000;
const EXPONENT_SATURATION = 100000;
const BILLION = 1000000000;

/** The last token read: mantissa (low, high), decimals as written, decimals needed, 1 when no i64 mantissa holds it. */
export const TOKEN = new Int32Array(5);
const LOW = 0;
const HIGH = 1;
const WRITTEN = 2;
const NEEDED = 3;
const OVERFLOW = 4;

/** Low word of the last token's mantissa. */
export function tokenLow(): number {
  return wordAt(TOKEN, LOW);
}
/** High word of the last token's mantissa. */
export function tokenHigh(): number {
  return wordAt(TOKEN, HIGH);
}
/** Digits after the point as written. */
export function tokenDecimals(): number {
  return wordAt(TOKEN, WRITTEN);
}
/** Digits after the point that matter. */
export function tokenNeeded(): number {
  return wordAt(TOKEN, NEEDED);
}
/** True when the last token was a number that no i64 mantissa holds. */
export function tokenOverflows(): boolean {
  return wordAt(TOKEN, OVERFLOW) !== 0;
}

/**
 * Reads a decimal into TOKEN; stops at the first byte that cannot belong to it.
 * @param start first byte @param end after the last byte that may be read
 * @returns the position after it, −1 when there is no number
 */
export function scanDecimal(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  const isNegative = at < end && byteAt(bytes, at) === MINUS;
  if (isNegative) {
    at++;
  }
  const wholeStart = at;
  let whole = 0;
  for (; at < end; at++) {
    const digit = byteAt(bytes, at) - ZERO;
    if (digit < 0 || digit > 9) {
      break;
    }
    whole = (Math.imul(whole, 10) + digit) | 0;
  }
  const wholeDigits = at - wholeStart;
  if (wholeDigits === 0) {
    return -1;
  }
  let fraction = 0;
  let fractionDigits = 0;
  let needed = 0;
  if (at < end && byteAt(bytes, at) === POINT) {
    const fractionStart = ++at;
    for (; at < end; at++) {
      const digit = byteAt(bytes, at) - ZERO;
      if (digit < 0 || digit > 9) {
        break;
      }
      fraction = (Math.imul(fraction, 10) + digit) | 0;
    }
    fractionDigits = at - fractionStart;
    if (fractionDigits === 0) {
      return -1;
    }
    needed = fractionDigits;
    while (needed > 0 && byteAt(bytes, fractionStart + needed - 1) === ZERO) {
      needed--;
    }
  }
  if (
    wholeDigits > PART_DIGITS ||
    fractionDigits > PART_DIGITS ||
    (at < end && (byteAt(bytes, at) | 0x20) === LETTER_E)
  ) {
    return scanSlow(bytes, start, end);
  }
  setJoined(isNegative, whole, fractionDigits, fraction);
  TOKEN[WRITTEN] = fractionDigits;
  TOKEN[NEEDED] = needed;
  TOKEN[OVERFLOW] = 0;
  return at;
}

function setJoined(isNegative: boolean, whole: number, power: number, fraction: number): void {
  const rough = whole * powerOfTen(power);
  if (rough < Number.MAX_SAFE_INTEGER - BILLION) {
    const value = rough + fraction;
    fromNumber(isNegative ? -value : value);
  } else {
    joinDigits(whole, power, fraction);
    applySign(isNegative);
  }
  TOKEN[LOW] = resultLow();
  TOKEN[HIGH] = resultHigh();
}

/** Exponents, leading zeros, and parts of more than nine digits. The grammar up to the exponent is known to hold. */
function scanSlow(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  const isNegative = byteAt(bytes, at) === MINUS;
  if (isNegative) {
    at++;
  }
  const whole = at;
  let point = -1;
  for (; at < end; at++) {
    const byte = byteAt(bytes, at);
    if (byte === POINT && point < 0) {
      point = at;
    } else if (byte < ZERO || byte > ZERO + 9) {
      break;
    }
  }
  const stop = at;
  let power = 0;
  if (at < end && (byteAt(bytes, at) | 0x20) === LETTER_E) {
    at++;
    const isDivided = at < end && byteAt(bytes, at) === MINUS;
    if (isDivided || (at < end && byteAt(bytes, at) === PLUS)) {
      at++;
    }
    const first = at;
    for (; at < end && byteAt(bytes, at) >= ZERO && byteAt(bytes, at) <= ZERO + 9; at++) {
      power = power < EXPONENT_SATURATION ? power * 10 + byteAt(bytes, at) - ZERO : power;
    }
    if (at === first) {
      return -1;
    }
    power = isDivided ? -power : power;
  }
  const written = point < 0 ? 0 : stop - point - 1;
  gather(bytes, whole, stop, isNegative, written - power);
  return at;
}

/** Builds TOKEN from the digits in [whole, stop), of which `scale` stand behind the point (negative: zeros to append). */
function gather(bytes: Uint8Array, whole: number, stop: number, isNegative: boolean, scale: number): void {
  let last = stop;
  let dropped = 0;
  for (; last > whole; last--) {
    const byte = byteAt(bytes, last - 1);
    if (byte === ZERO) {
      dropped++;
    } else if (byte !== POINT) {
      break;
    }
  }
  RESULT[0] = 0;
  RESULT[1] = 0;
  let count = 0;
  let fits = true;
  for (let at = whole; at < last && fits; at++) {
    const digit = byteAt(bytes, at) - ZERO;
    if (digit >= 0 && digit <= 9 && (count > 0 || digit !== 0)) {
      count++;
      fits = count <= DIGITS_MAX && multiplyUnsigned(10);
      addDigit(digit);
    }
  }
  const written = Math.min(Math.max(scale, 0), WRITTEN_MAX);
  const want = scale - dropped;
  if (count === 0) {
    setToken(Math.min(written, EXPONENT_MAX), 0);
  } else if (!fits || !applySign(isNegative) || want > EXPONENT_MAX || want < -EXPONENT_MAX) {
    TOKEN[OVERFLOW] = 1;
  } else if (want >= 0) {
    finishToken(written, want);
  } else if (multiplyByPower(resultLow(), resultHigh(), -want)) {
    finishToken(written, 0);
  } else {
    TOKEN[OVERFLOW] = 1;
  }
}

function addDigit(digit: number): void {
  const low = (resultLow() >>> 0) + digit;
  RESULT[0] = low;
  if (low > 0xffffffff) {
    RESULT[1] = resultHigh() + 1;
  }
}

/** Keeps the written decimals when the mantissa can carry them, else the needed ones. */
function finishToken(written: number, needed: number): void {
  const low = resultLow();
  const high = resultHigh();
  if (written <= EXPONENT_MAX && multiplyByPower(low, high, written - needed)) {
    setToken(written, needed);
    return;
  }
  RESULT[0] = low;
  RESULT[1] = high;
  setToken(needed, needed);
}

function setToken(written: number, needed: number): void {
  TOKEN[LOW] = resultLow();
  TOKEN[HIGH] = resultHigh();
  TOKEN[WRITTEN] = written;
  TOKEN[NEEDED] = needed;
  TOKEN[OVERFLOW] = 0;
}

/**
 * Brings a mantissa of `from` decimals to `to`; the digits that leave are zeros.
 * @returns false when i64 overflows; the value stands in RESULT
 */
export function scaleMantissa(low: number, high: number, from: number, to: number): boolean {
  if (from > to) {
    divideByPower(low, high, from - to);
    return true;
  }
  if (from < to) {
    return multiplyByPower(low, high, to - from);
  }
  RESULT[0] = low;
  RESULT[1] = high;
  return true;
}

/**
 * KernelText.parseDecimal.
 * @param text address of the first byte @param out DECIMAL_BYTES, 8-aligned
 * @returns DECIMAL_OK, DECIMAL_SYNTAX or DECIMAL_OVERFLOW
 */
export function parseDecimal(memory: Memory, text: number, length: number, out: number): number {
  const end = text + length;
  if (scanDecimal(memory.bytes, text, end) !== end) {
    return DECIMAL_SYNTAX;
  }
  if (tokenOverflows()) {
    return DECIMAL_OVERFLOW;
  }
  const words = memory.words;
  words[(out + DECIMAL_MANTISSA) >>> 2] = tokenLow();
  words[(out + DECIMAL_MANTISSA + 4) >>> 2] = tokenHigh();
  words[(out + DECIMAL_DECIMALS) >>> 2] = tokenDecimals();
  words[(out + DECIMAL_NEEDED) >>> 2] = tokenNeeded();
  return DECIMAL_OK;
}

/**
 * KernelText.formatDecimal: plain decimal text without exponent and trailing zeros.
 * @param value address of the i64, 4-aligned @param exponent digits after the point, 0 … 18
 * @param out at least 24 bytes
 * @returns bytes written
 */
export function formatDecimal(memory: Memory, value: number, exponent: number, out: number): number {
  const { bytes, words } = memory;
  const high = wordAt(words, (value >>> 2) + 1);
  let at = out;
  if (high < 0) {
    bytes[at++] = MINUS;
  }
  magnitude(wordAt(words, value >>> 2), high);
  const digitsStart = at;
  at = writeDigits(resultLow(), resultHigh(), bytes, at);
  return placePoint(bytes, digitsStart, at, exponent) - out;
}

/** Inserts point and leading zeros into the digits in [start, end) and drops trailing zeros. @returns the end */
function placePoint(bytes: Uint8Array, start: number, end: number, exponent: number): number {
  let stop = end;
  let scale = exponent;
  while (scale > 0 && stop - start > 1 && byteAt(bytes, stop - 1) === ZERO) {
    stop--;
    scale--;
  }
  if (stop - start === 1 && byteAt(bytes, start) === ZERO) {
    return stop;
  }
  if (scale === 0) {
    return stop;
  }
  const missing = Math.max(0, scale + 1 - (stop - start));
  bytes.copyWithin(start + missing, start, stop);
  bytes.fill(ZERO, start, start + missing);
  stop += missing;
  const point = stop - scale;
  bytes.copyWithin(point + 1, point, stop);
  bytes[point] = POINT;
  return stop + 1;
}
