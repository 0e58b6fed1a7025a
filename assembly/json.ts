/**
 * JSON byte cursor: strict RFC 8259 over bytes in memory, without building anything.
 * Every function takes the address to read at and returns the address after what it read, 0 for a syntax error; none
 * reads at or past `end`. A value that is wanted later is remembered as a span (type and byte range).
 * Bad case: deep nesting; it is cut at JSON_DEPTH_MAX containers and reported as a syntax error.
 */
import { JSON_DEPTH_MAX } from "./layout";

/** Types of a value, told by its first byte. */
export const TYPE_NONE: u32 = 0;
export const TYPE_OBJECT: u32 = 1;
export const TYPE_ARRAY: u32 = 2;
export const TYPE_STRING: u32 = 3;
export const TYPE_NUMBER: u32 = 4;
export const TYPE_TRUE: u32 = 5;
export const TYPE_FALSE: u32 = 6;
export const TYPE_NULL: u32 = 7;

let stringEscaped: bool = false;

/** Skips white space. */
export function skipSpace(at: usize, end: usize): usize {
  while (at < end) {
    const byte = <u32>load<u8>(at);
    if (byte > 0x20 || (byte != 0x20 && byte != 0x0a && byte != 0x0d && byte != 0x09)) break;
    at++;
  }
  return at;
}

/** Byte at an address, 0 at the end. */
export function byteAt(at: usize, end: usize): u32 {
  return at < end ? <u32>load<u8>(at) : 0;
}

/** Reads white space and the expected byte. */
export function expect(at: usize, end: usize, byte: u32): usize {
  if (at < end && <u32>load<u8>(at) == byte) return at + 1;
  at = skipSpace(at, end);
  return at < end && <u32>load<u8>(at) == byte ? at + 1 : 0;
}

/** Reads a string whose opening quote stands at `at`, sixteen bytes at a time while the frame has so many. */
export function skipString(at: usize, end: usize): usize {
  stringEscaped = false;
  at++;
  while (at + 16 <= end) {
    const bytes = v128.load(at);
    const quotes = v128.or(i8x16.eq(bytes, i8x16.splat(0x22)), i8x16.eq(bytes, i8x16.splat(0x5c)));
    const stops = <u32>i8x16.bitmask(v128.or(quotes, i8x16.lt_u(bytes, i8x16.splat(0x20))));
    if (stops == 0) {
      at += 16;
      continue;
    }
    at += ctz<u32>(stops);
    const byte = <u32>load<u8>(at);
    if (byte == 0x22) return at + 1;
    if (byte != 0x5c) return 0;
    at = skipEscape(at + 1, end);
    if (at == 0) return 0;
  }
  return skipTail(at, end);
}

/** The last bytes of a frame, one by one. */
function skipTail(at: usize, end: usize): usize {
  while (at < end) {
    const byte = <u32>load<u8>(at);
    if (byte == 0x22) return at + 1;
    if (byte < 0x20) return 0;
    if (byte == 0x5c) {
      at = skipEscape(at + 1, end);
      if (at == 0) return 0;
    } else at++;
  }
  return 0;
}

/** True when the last string held an escape: its bytes are not its text. */
export function lastStringEscaped(): bool {
  return stringEscaped;
}

function skipEscape(at: usize, end: usize): usize {
  stringEscaped = true;
  if (at >= end) return 0;
  const byte = <u32>load<u8>(at);
  if (byte == 0x75) {
    for (let i: usize = 1; i <= 4; i++) {
      if (at + i >= end) return 0;
      const digit = <u32>load<u8>(at + i) | 0x20;
      if (digit - 0x30 > 9 && digit - 0x61 > 5) return 0;
      if (digit - 0x30 <= 9 && <u32>load<u8>(at + i) < 0x30) return 0;
    }
    return at + 5;
  }
  const known =
    byte == 0x22 ||
    byte == 0x5c ||
    byte == 0x2f ||
    byte == 0x62 ||
    byte == 0x66 ||
    byte == 0x6e ||
    byte == 0x72 ||
    byte == 0x74;
  return known ? at + 1 : 0;
}

/** Reads a number by the grammar of JSON. */
export function skipNumber(at: usize, end: usize): usize {
  if (byteAt(at, end) == 0x2d) at++;
  const first = byteAt(at, end);
  if (first - 0x30 > 9) return 0;
  at++;
  if (first != 0x30) at = skipDigits(at, end);
  if (byteAt(at, end) == 0x2e) {
    const fraction = at + 1;
    at = skipDigits(fraction, end);
    if (at == fraction) return 0;
  }
  if ((byteAt(at, end) | 0x20) == 0x65) {
    at++;
    const sign = byteAt(at, end);
    if (sign == 0x2b || sign == 0x2d) at++;
    const power = at;
    at = skipDigits(power, end);
    if (at == power) return 0;
  }
  return at;
}

function skipDigits(at: usize, end: usize): usize {
  while (at < end && <u32>load<u8>(at) - 0x30 <= 9) at++;
  return at;
}

/** Type of the value that starts at `at`, TYPE_NONE when nothing can start so. */
export function typeAt(at: usize, end: usize): u32 {
  const byte = byteAt(at, end);
  if (byte == 0x22) return TYPE_STRING;
  if (byte == 0x7b) return TYPE_OBJECT;
  if (byte == 0x5b) return TYPE_ARRAY;
  if (byte == 0x2d || byte - 0x30 <= 9) return TYPE_NUMBER;
  if (byte == 0x74) return TYPE_TRUE;
  if (byte == 0x66) return TYPE_FALSE;
  return byte == 0x6e ? TYPE_NULL : TYPE_NONE;
}

/** Reads any value. @param depth containers around it */
export function skipValue(at: usize, end: usize, depth: i32): usize {
  switch (typeAt(at, end)) {
    case TYPE_STRING:
      return skipString(at, end);
    case TYPE_NUMBER:
      return skipNumber(at, end);
    case TYPE_OBJECT:
      return depth < JSON_DEPTH_MAX ? skipObject(at, end, depth + 1) : 0;
    case TYPE_ARRAY:
      return depth < JSON_DEPTH_MAX ? skipArray(at, end, depth + 1) : 0;
    case TYPE_TRUE:
      return end - at >= 4 && load<u32>(at) == 0x65757274 ? at + 4 : 0;
    case TYPE_FALSE:
      return end - at >= 5 && load<u32>(at, 1) == 0x65736c61 ? at + 5 : 0;
    case TYPE_NULL:
      return end - at >= 4 && load<u32>(at) == 0x6c6c756e ? at + 4 : 0;
    default:
      return 0;
  }
}

function skipArray(at: usize, end: usize, depth: i32): usize {
  at = skipSpace(at + 1, end);
  if (byteAt(at, end) == 0x5d) return at + 1;
  while (true) {
    at = skipValue(skipSpace(at, end), end, depth);
    if (at == 0) return 0;
    at = skipSpace(at, end);
    const byte = byteAt(at, end);
    if (byte == 0x5d) return at + 1;
    if (byte != 0x2c) return 0;
    at++;
  }
}

function skipObject(at: usize, end: usize, depth: i32): usize {
  at = skipSpace(at + 1, end);
  if (byteAt(at, end) == 0x7d) return at + 1;
  while (true) {
    at = skipSpace(at, end);
    if (byteAt(at, end) != 0x22) return 0;
    at = skipString(at, end);
    if (at == 0) return 0;
    at = expect(at, end, 0x3a);
    if (at == 0) return 0;
    at = skipValue(skipSpace(at, end), end, depth);
    if (at == 0) return 0;
    at = skipSpace(at, end);
    const byte = byteAt(at, end);
    if (byte == 0x7d) return at + 1;
    if (byte != 0x2c) return 0;
    at++;
  }
}

let integer: u64 = 0;

/** The number that the last readInteger read. */
export function integerValue(): u64 {
  return integer;
}

/** Reads a range of 1 … 19 digits as an unsigned integer. @returns false when it is anything else or does not fit i64 */
export function readInteger(at: usize, length: usize): bool {
  if (length == 0 || length > 19) return false;
  let value: u64 = 0;
  for (let i: usize = 0; i < length; i++) {
    const digit = <u32>load<u8>(at + i) - 0x30;
    if (digit > 9) return false;
    value = value * 10 + digit;
  }
  integer = value;
  return value <= <u64>i64.MAX_VALUE;
}
