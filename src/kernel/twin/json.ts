/**
 * JSON byte cursor: strict RFC 8259 over bytes in memory, without building anything.
 * Every function takes the position to read at and returns the position after what it read, −1 for a syntax error; none
 * reads at or past `end`. A value that is wanted later is remembered as a span (type and byte range).
 * Bad case: deep nesting; it is cut at JSON_DEPTH_MAX containers and reported as a syntax error.
 */
import { JSON_DEPTH_MAX } from "../../../assembly/layout.ts";
import { RESULT, resultHigh } from "./int64.ts";
import { byteAt } from "./memory.ts";

/** Types of a value, told by its first byte. */
export const TYPE_NONE = 0;
export const TYPE_OBJECT = 1;
export const TYPE_ARRAY = 2;
export const TYPE_STRING = 3;
export const TYPE_NUMBER = 4;
export const TYPE_TRUE = 5;
export const TYPE_FALSE = 6;
export const TYPE_NULL = 7;

const QUOTE = 0x22;
const COMMA = 0x2c;
const MINUS = 0x2d;
const PLUS = 0x2b;
const POINT = 0x2e;
const ZERO = 0x30;
const COLON = 0x3a;
const BACKSLASH = 0x5c;
const ARRAY_OPEN = 0x5b;
const ARRAY_CLOSE = 0x5d;
const OBJECT_OPEN = 0x7b;
const OBJECT_CLOSE = 0x7d;
const LETTER_E = 0x65;
const LETTER_U = 0x75;
const ESCAPES = bytesOf('"\\/bfnrt');
const TRUE = bytesOf("true");
const FALSE = bytesOf("false");
const NULL = bytesOf("null");
const INTEGER_DIGITS_MAX = 19;
const TEN_DIGITS = 10000000000;

let isEscaped = false;

/** The bytes of an ASCII text. */
export function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(text, (letter) => letter.charCodeAt(0));
}

/** Skips white space. */
export function skipSpace(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at < end) {
    const byte = byteAt(bytes, at);
    if (byte > 0x20 || (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09)) {
      break;
    }
    at++;
  }
  return at;
}

/** The byte at a position, 0 at the end. */
export function peek(bytes: Uint8Array, at: number, end: number): number {
  return at < end ? byteAt(bytes, at) : 0;
}

/** Reads white space and the expected byte. */
export function expectByte(bytes: Uint8Array, start: number, end: number, byte: number): number {
  if (start < end && byteAt(bytes, start) === byte) {
    return start + 1;
  }
  const at = skipSpace(bytes, start, end);
  return at < end && byteAt(bytes, at) === byte ? at + 1 : -1;
}

/** Reads a string whose opening quote stands at `start`. */
export function skipString(bytes: Uint8Array, start: number, end: number): number {
  isEscaped = false;
  let at = start + 1;
  while (at < end) {
    const byte = byteAt(bytes, at);
    if (byte === QUOTE) {
      return at + 1;
    }
    if (byte < 0x20) {
      return -1;
    }
    if (byte === BACKSLASH) {
      isEscaped = true;
      at = skipEscape(bytes, at + 1, end);
      if (at < 0) {
        return -1;
      }
    } else {
      at++;
    }
  }
  return -1;
}

/** True when the last string held an escape: its bytes are not its text. */
export function lastStringEscaped(): boolean {
  return isEscaped;
}

function skipEscape(bytes: Uint8Array, at: number, end: number): number {
  if (at >= end) {
    return -1;
  }
  if (byteAt(bytes, at) !== LETTER_U) {
    return ESCAPES.includes(byteAt(bytes, at)) ? at + 1 : -1;
  }
  for (let i = 1; i <= 4; i++) {
    const byte = peek(bytes, at + i, end);
    const letter = byte | 0x20;
    if (!(isDigit(byte) || (letter >= 0x61 && letter <= 0x66))) {
      return -1;
    }
  }
  return at + 5;
}

function isDigit(byte: number): boolean {
  return byte >= ZERO && byte <= ZERO + 9;
}

/** Reads a number by the grammar of JSON. */
export function skipNumber(bytes: Uint8Array, start: number, end: number): number {
  let at = peek(bytes, start, end) === MINUS ? start + 1 : start;
  const first = peek(bytes, at, end);
  if (!isDigit(first)) {
    return -1;
  }
  at = first === ZERO ? at + 1 : skipDigits(bytes, at + 1, end);
  if (peek(bytes, at, end) === POINT) {
    const fraction = at + 1;
    at = skipDigits(bytes, fraction, end);
    if (at === fraction) {
      return -1;
    }
  }
  if ((peek(bytes, at, end) | 0x20) === LETTER_E) {
    const sign = peek(bytes, at + 1, end);
    const power = sign === PLUS || sign === MINUS ? at + 2 : at + 1;
    at = skipDigits(bytes, power, end);
    if (at === power) {
      return -1;
    }
  }
  return at;
}

function skipDigits(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at < end && isDigit(byteAt(bytes, at))) {
    at++;
  }
  return at;
}

/** Type of the value that starts at a position, TYPE_NONE when nothing can start so. */
export function typeAt(bytes: Uint8Array, at: number, end: number): number {
  const byte = peek(bytes, at, end);
  switch (byte) {
    case QUOTE:
      return TYPE_STRING;
    case OBJECT_OPEN:
      return TYPE_OBJECT;
    case ARRAY_OPEN:
      return TYPE_ARRAY;
    case 0x74:
      return TYPE_TRUE;
    case 0x66:
      return TYPE_FALSE;
    case 0x6e:
      return TYPE_NULL;
    default:
      return byte === MINUS || isDigit(byte) ? TYPE_NUMBER : TYPE_NONE;
  }
}

/** Reads any value. @param depth containers around it */
export function skipValue(bytes: Uint8Array, at: number, end: number, depth: number): number {
  switch (typeAt(bytes, at, end)) {
    case TYPE_STRING:
      return skipString(bytes, at, end);
    case TYPE_NUMBER:
      return skipNumber(bytes, at, end);
    case TYPE_OBJECT:
      return depth < JSON_DEPTH_MAX ? skipObject(bytes, at, end, depth + 1) : -1;
    case TYPE_ARRAY:
      return depth < JSON_DEPTH_MAX ? skipArray(bytes, at, end, depth + 1) : -1;
    case TYPE_TRUE:
      return skipWord(bytes, at, end, TRUE);
    case TYPE_FALSE:
      return skipWord(bytes, at, end, FALSE);
    case TYPE_NULL:
      return skipWord(bytes, at, end, NULL);
    default:
      return -1;
  }
}

function skipWord(bytes: Uint8Array, at: number, end: number, word: Uint8Array): number {
  return end - at >= word.length && equals(bytes, at, word) ? at + word.length : -1;
}

/** Whether the bytes at a position are a word; all of them must lie in the array. */
export function equals(bytes: Uint8Array, at: number, word: Uint8Array): boolean {
  for (let i = 0; i < word.length; i++) {
    if (byteAt(bytes, at + i) !== byteAt(word, i)) {
      return false;
    }
  }
  return true;
}

function skipArray(bytes: Uint8Array, start: number, end: number, depth: number): number {
  let at = skipSpace(bytes, start + 1, end);
  if (peek(bytes, at, end) === ARRAY_CLOSE) {
    return at + 1;
  }
  for (;;) {
    at = skipValue(bytes, skipSpace(bytes, at, end), end, depth);
    if (at < 0) {
      return -1;
    }
    at = skipSpace(bytes, at, end);
    const byte = peek(bytes, at, end);
    if (byte !== COMMA) {
      return byte === ARRAY_CLOSE ? at + 1 : -1;
    }
    at++;
  }
}

function skipObject(bytes: Uint8Array, start: number, end: number, depth: number): number {
  let at = skipSpace(bytes, start + 1, end);
  if (peek(bytes, at, end) === OBJECT_CLOSE) {
    return at + 1;
  }
  for (;;) {
    at = skipSpace(bytes, at, end);
    at = peek(bytes, at, end) === QUOTE ? skipString(bytes, at, end) : -1;
    at = at < 0 ? -1 : expectByte(bytes, at, end, COLON);
    at = at < 0 ? -1 : skipValue(bytes, skipSpace(bytes, at, end), end, depth);
    if (at < 0) {
      return -1;
    }
    at = skipSpace(bytes, at, end);
    const byte = peek(bytes, at, end);
    if (byte !== COMMA) {
      return byte === OBJECT_CLOSE ? at + 1 : -1;
    }
    at++;
  }
}

/** Reads a range of 1 … 19 digits into RESULT. @returns false when it is anything else or does not fit i64 */
export function readInteger(bytes: Uint8Array, start: number, length: number): boolean {
  if (length <= 0 || length > INTEGER_DIGITS_MAX) {
    return false;
  }
  let upper = 0;
  let lower = 0;
  for (let i = 0; i < length; i++) {
    const byte = byteAt(bytes, start + i);
    if (!isDigit(byte)) {
      return false;
    }
    if (length - i > 10) {
      upper = upper * 10 + byte - ZERO;
    } else {
      lower = lower * 10 + byte - ZERO;
    }
  }
  const low = (upper % 0x10000) * TEN_DIGITS + lower;
  const high = Math.floor(upper / 0x10000) * TEN_DIGITS + Math.floor(low / 0x10000);
  RESULT[0] = (high % 0x10000) * 0x10000 + (low % 0x10000);
  RESULT[1] = Math.floor(high / 0x10000);
  return resultHigh() >= 0;
}
