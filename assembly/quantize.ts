/**
 * Exact decimal text ↔ integers. A token becomes a mantissa and two digit counts: decimals as written and decimals
 * needed (without trailing zeros); the instrument's exponent is applied later, so that a token can be read before the
 * instrument is known. Up to 18 digits take the fast path; more digits, leading zeros and exponents the slow one.
 * Bad case: a number that needs more than 18 decimals or does not fit i64: an overflow, never a rounding.
 */
import { divideExactly, powerLimit, powerOfTen } from "./arena";
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

/** Value of up to eight ASCII digits in a little-endian word whose unused low bytes are zero. */
export function eightDigits(digits: u64): u64 {
  let v = ((digits & 0x0f0f0f0f0f0f0f0f) * 2561) >> 8;
  v = ((v & 0x00ff00ff00ff00ff) * 6553601) >> 16;
  return ((v & 0x0000ffff0000ffff) * 42949672960001) >> 32;
}

/** Bytes that scanDecimal may look at beyond the token on its fast path. */
const FAST_BYTES: usize = 26;

/**
 * Reads a decimal that starts at `at`; stops at the first byte that cannot belong to it.
 * Numbers of at most eight digits on either side of the point are read eight digits at a time.
 * @returns the address after it, 0 when there is no number
 */
export function scanDecimal(at: usize, end: usize): usize {
  if (end - at >= FAST_BYTES && at < end) {
    const bytes = v128.load(at);
    const isDigit = i8x16.lt_u(i8x16.sub(bytes, i8x16.splat(0x30)), i8x16.splat(10));
    const others = <u32>~i8x16.bitmask(isDigit) & 0xffff;
    const whole = ctz<u32>(others);
    if (whole - 1 < 8 && <u32>load<u8>(at + whole) == POINT) {
      const rest = others & (others - 1);
      const fraction = ctz<u32>(rest) - whole - 1;
      if (rest != 0 && fraction - 1 < 8) return scanFraction(at, whole, fraction, end);
    }
  }
  return scanPlain(at, end);
}

/** The fast path: `whole` and `fraction` are 1 … 8 digits, and a byte that is no digit follows. */
function scanFraction(at: usize, whole: u32, fraction: u32, end: usize): usize {
  const stop = at + whole + 1 + fraction;
  if ((<u32>load<u8>(stop) | 0x20) == 0x65) return scanPlain(at, end);
  const high = load<u64>(at) << (64 - ((<u64>whole) << 3));
  const low = (load<u64>(at + whole + 1) << (64 - ((<u64>fraction) << 3))) & 0x0f0f0f0f0f0f0f0f;
  const value = eightDigits(high) * <u64>powerOfTen(fraction) + eightDigits(low);
  overflow = false;
  mantissa = <i64>value;
  decimals = <i32>fraction;
  needed = low == 0 ? 0 : <i32>fraction - <i32>(clz<u64>(low) >> 3);
  return stop;
}

function scanPlain(at: usize, end: usize): usize {
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
    scaled = divideExactly(value, from - to);
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

export const HUNDRED_MILLION: u64 = 100_000_000;
export const ZEROS: u64 = 0x3030303030303030;

/** The eight digits of a number below 10^8, first digit in the lowest byte, without the ASCII offset. */
export function digitsOf(value: u32): u64 {
  let v = <u64>(value / 10000) | ((<u64>(value % 10000)) << 32);
  let high = ((v * 10486) >> 20) & 0x0000007f0000007f;
  v = high | ((v - 100 * high) << 16);
  high = ((v * 103) >> 10) & 0x000f000f000f000f;
  return high | ((v - 10 * high) << 8);
}

/** Writes the digits of an unsigned number; up to seven bytes behind them are overwritten. @returns bytes */
export function writeDigits(value: u64, out: usize): i32 {
  if (value < HUNDRED_MILLION) {
    const digits = digitsOf(<u32>value);
    const skip = min<u64>(ctz<u64>(digits | 0x0100000000000000) >> 3, 7);
    store<u64>(out, (digits + ZEROS) >> (skip << 3));
    return 8 - <i32>skip;
  }
  const high = value / HUNDRED_MILLION;
  const written = writeDigits(high, out);
  store<u64>(out + written, digitsOf(<u32>(value - high * HUNDRED_MILLION)) + ZEROS);
  return written + 8;
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
