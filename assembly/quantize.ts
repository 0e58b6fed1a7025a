/**
 * Exact decimal text ↔ integers. A token becomes a mantissa and two digit counts: decimals as written and decimals
 * needed (without trailing zeros); the instrument's exponent is applied later, so that a token can be read before the
 * instrument is known. Up to 18 digits take the fast path; more digits, leading zeros and exponents the slow one.
 * Bad case: a number that needs more than 18 decimals or does not fit i64: an overflow, never a rounding.
 */
import { powerLimit, powerOfTen } from "./arena";
import {
  DECIMAL_DECIMALS,
  DECIMAL_MANTISSA,
  DECIMAL_NEEDED,
  DECIMAL_OK,
  DECIMAL_OVERFLOW,
  DECIMAL_SYNTAX,
  EXPONENT_MAX,
} from "./layout";

const MINUS: u32 = 0x2d;
const POINT: u32 = 0x2e;
const ZERO: u32 = 0x30;
const DIGITS_FAST: usize = 18;

let mantissa: i64 = 0;
let decimals: i32 = 0;
let needed: i32 = 0;
let overflow: bool = false;

/** Mantissa of the last token. */
export function decimalMantissa(): i64 {
  return mantissa;
}
/** Digits after the point as written. */
export function decimalDecimals(): i32 {
  return decimals;
}
/** Digits after the point that matter. */
export function decimalNeeded(): i32 {
  return needed;
}
/** True when the last token was a number that no i64 mantissa holds. */
export function decimalOverflow(): bool {
  return overflow;
}

/**
 * Reads a decimal that starts at `at`; stops at the first byte that cannot belong to it.
 * @returns the address after it, 0 when there is no number
 */
export function scanDecimal(at: usize, end: usize): usize {
  const start = at;
  overflow = false;
  let negative = false;
  if (at < end && <u32>load<u8>(at) == MINUS) {
    negative = true;
    at++;
  }
  let value: u64 = 0;
  const whole = at;
  let digit: u32 = 0;
  while (at < end) {
    digit = <u32>load<u8>(at) - ZERO;
    if (digit > 9) break;
    value = value * 10 + digit;
    at++;
  }
  let digits = at - whole;
  if (digits == 0) return 0;
  let fraction: usize = 0;
  let significant: usize = 0;
  if (at < end && <u32>load<u8>(at) == POINT) {
    at++;
    const first = at;
    while (at < end) {
      digit = <u32>load<u8>(at) - ZERO;
      if (digit > 9) break;
      value = value * 10 + digit;
      at++;
    }
    fraction = at - first;
    if (fraction == 0) return 0;
    digits += fraction;
    significant = fraction;
    while (significant > 0 && <u32>load<u8>(first + significant - 1) == ZERO) significant--;
  }
  if (digits > DIGITS_FAST || (at < end && (<u32>load<u8>(at) | 0x20) == 0x65)) return scanSlow(start, end);
  mantissa = negative ? -(<i64>value) : <i64>value;
  decimals = <i32>fraction;
  needed = <i32>significant;
  return at;
}

/** Exponents, leading zeros, and mantissas of more than 18 digits. The grammar up to here is known to hold. */
function scanSlow(start: usize, end: usize): usize {
  let at = start;
  const negative = <u32>load<u8>(at) == MINUS;
  if (negative) at++;
  const whole = at;
  let point: usize = 0;
  while (at < end) {
    const byte = <u32>load<u8>(at);
    if (byte == POINT && point == 0) point = at;
    else if (byte - ZERO > 9) break;
    at++;
  }
  const stop = at;
  let power: i64 = 0;
  if (at < end && (<u32>load<u8>(at) | 0x20) == 0x65) {
    at = scanExponent(at + 1, end);
    if (at == 0) return 0;
    power = exponent;
  }
  const written: i64 = point == 0 ? 0 : <i64>(stop - point - 1);
  gather(whole, stop, negative, written - power);
  return at;
}

let exponent: i64 = 0;

/** Reads the digits after `e`, saturating. */
function scanExponent(at: usize, end: usize): usize {
  let negative = false;
  if (at < end && (<u32>load<u8>(at) == MINUS || <u32>load<u8>(at) == 0x2b)) {
    negative = <u32>load<u8>(at) == MINUS;
    at++;
  }
  const first = at;
  exponent = 0;
  while (at < end && <u32>load<u8>(at) - ZERO <= 9) {
    if (exponent < 100000) exponent = exponent * 10 + (load<u8>(at) - ZERO);
    at++;
  }
  if (negative) exponent = -exponent;
  return at == first ? 0 : at;
}

/**
 * Builds mantissa and digit counts from the digits in [whole, stop), of which `scale` stand behind the point
 * (negative: zeros to append).
 */
function gather(whole: usize, stop: usize, negative: bool, scale: i64): void {
  let last = stop;
  let dropped: i64 = 0;
  while (last > whole) {
    const byte = <u32>load<u8>(last - 1);
    if (byte == POINT) last--;
    else if (byte == ZERO) {
      last--;
      dropped++;
    } else break;
  }
  let value: u64 = 0;
  let count = 0;
  for (let at = whole; at < last; at++) {
    const digit = <u32>load<u8>(at) - ZERO;
    if (digit > 9) continue;
    if (count > 0 || digit != 0) count++;
    if (count > 19) break;
    value = value * 10 + digit;
  }
  decimals = <i32>min<i64>(max<i64>(scale, 0), 1000);
  if (count == 0) {
    mantissa = 0;
    decimals = min(decimals, EXPONENT_MAX);
    needed = 0;
    return;
  }
  const bound: u64 = negative ? 0x8000000000000000 : 0x7fffffffffffffff;
  if (count > 19 || value > bound) {
    overflow = true;
    return;
  }
  const want = scale - dropped;
  if (want > EXPONENT_MAX || want < -EXPONENT_MAX) {
    overflow = true;
    return;
  }
  if (want < 0) {
    if (value > <u64>powerLimit(<i32>-want)) {
      overflow = true;
      return;
    }
    value *= powerOfTen(<i32>-want);
    finishGather(negative ? -(<i64>value) : <i64>value, 0);
    return;
  }
  finishGather(negative ? -(<i64>value) : <i64>value, <i32>want);
}

/** Keeps the written decimals when the mantissa can carry them, else the needed ones. */
function finishGather(value: i64, want: i32): void {
  needed = want;
  const extra = decimals - want;
  const size = value < 0 ? 0 - <u64>value : <u64>value;
  if (extra <= EXPONENT_MAX && decimals <= EXPONENT_MAX && size <= <u64>powerLimit(extra)) {
    mantissa = value * powerOfTen(extra);
    return;
  }
  mantissa = value;
  decimals = want;
}

export function parseDecimal(text: usize, length: usize, out: usize): i32 {
  const end = text + length;
  const stop = scanDecimal(text, end);
  if (stop != end || stop == 0) return DECIMAL_SYNTAX;
  if (overflow) return DECIMAL_OVERFLOW;
  store<i64>(out, mantissa, DECIMAL_MANTISSA);
  store<i32>(out, decimals, DECIMAL_DECIMALS);
  store<i32>(out, needed, DECIMAL_NEEDED);
  return DECIMAL_OK;
}

let scaled: i64 = 0;

/** Result of the last scaleMantissa. */
export function scaledValue(): i64 {
  return scaled;
}

/** Brings a mantissa of `from` decimals to `to`; the digits that leave are zeros. @returns false when i64 overflows */
export function scaleMantissa(value: i64, from: i32, to: i32): bool {
  if (from == to) {
    scaled = value;
    return true;
  }
  if (from > to) {
    scaled = value / powerOfTen(from - to);
    return true;
  }
  const size = value < 0 ? 0 - <u64>value : <u64>value;
  if (to - from > EXPONENT_MAX || size > <u64>powerLimit(to - from)) return value == 0 ? zeroScaled() : false;
  scaled = value * powerOfTen(to - from);
  return true;
}

function zeroScaled(): bool {
  scaled = 0;
  return true;
}

/** Writes the digits of an unsigned number. @returns bytes */
export function writeDigits(value: u64, out: usize): i32 {
  let count = 1;
  let probe = value;
  while (probe >= 10) {
    probe /= 10;
    count++;
  }
  let at = out + count - 1;
  while (value >= 10) {
    const rest = value / 10;
    store<u8>(at, <u8>(ZERO + <u32>(value - rest * 10)));
    value = rest;
    at--;
  }
  store<u8>(at, <u8>(ZERO + <u32>value));
  return count;
}

export function formatDecimal(valueAddress: usize, exp: i32, out: usize): i32 {
  const value = load<i64>(valueAddress);
  let at = out;
  let size = <u64>value;
  if (value < 0) {
    store<u8>(at, <u8>MINUS);
    at++;
    size = 0 - size;
  }
  let scale = exp;
  while (scale > 0 && size % 10 == 0) {
    size /= 10;
    scale--;
  }
  const factor = <u64>powerOfTen(scale);
  const whole = size / factor;
  at += writeDigits(whole, at);
  if (scale > 0) {
    store<u8>(at, <u8>POINT);
    at++;
    let rest = size - whole * factor;
    for (let i = scale - 1; i >= 0; i--) {
      const next = rest / 10;
      store<u8>(at + i, <u8>(ZERO + <u32>(rest - next * 10)));
      rest = next;
    }
    at += scale;
  }
  return <i32>(at - out);
}
