/**
 * Primitive codings of the stream (src/wire/PROTOCOL.md): varint, zigzag, quantity, price, time. Writers return the
 * position after what they wrote; readers return the position after what they read, −1 when the bytes are malformed or
 * not minimal, and leave the value in RESULT.
 * Bad case: two byte strings for one value; readers refuse every coding but the shortest.
 */
import {
  divideByPower,
  divideUnsigned,
  isSafe,
  multiplyByPower,
  RESULT,
  resultHigh,
  resultLow,
  toNumber,
} from "./int64.ts";
import { byteAt } from "./memory.ts";

const MORE = 128;
const HUNDRED = 100;
const FACTORS_MAX = 3;
const SIGN_BIT = 0x80000000;

let bits = 0;

/** Two low bits that readChange found: removed << 1 | side. */
export function changeBits(): number {
  return bits;
}

/** RESULT = zigzag of a signed number. */
export function zigzag(low: number, high: number): void {
  const sign = high >> 31;
  RESULT[0] = (low << 1) ^ sign;
  RESULT[1] = ((high << 1) | (low >>> 31)) ^ sign;
}

/** RESULT = the signed number of a zigzag. */
export function unzigzag(low: number, high: number): void {
  const sign = -(low & 1);
  RESULT[0] = ((low >>> 1) | (high << 31)) ^ sign;
  RESULT[1] = (high >>> 1) ^ sign;
}

/** Writes an unsigned number of 64 bits. */
export function writeVarint(bytes: Uint8Array, start: number, low: number, high: number): number {
  let at = start;
  let rest = low;
  let upper = high;
  while (upper !== 0) {
    bytes[at++] = rest | MORE;
    rest = (rest >>> 7) | (upper << 25);
    upper >>>= 7;
  }
  while (rest > 127 || rest < 0) {
    bytes[at++] = rest | MORE;
    rest >>>= 7;
  }
  bytes[at] = rest;
  return at + 1;
}

/** Writes the zigzag of a signed number. */
export function writeZigzag(bytes: Uint8Array, at: number, low: number, high: number): number {
  zigzag(low, high);
  return writeVarint(bytes, at, resultLow(), resultHigh());
}

/** Reads an unsigned number of 64 bits. */
export function readVarint(bytes: Uint8Array, start: number, end: number): number {
  let low = 0;
  let high = 0;
  let at = start;
  for (let shift = 0; at < end && shift <= 63; shift += 7) {
    const byte = byteAt(bytes, at++);
    const part = byte & 127;
    if (shift < 32) {
      low |= part << shift;
      high |= shift > 24 ? part >>> (32 - shift) : 0;
    } else {
      high |= part << (shift - 32);
    }
    if (byte < MORE) {
      if ((byte === 0 && shift > 0) || (shift === 63 && byte > 1)) {
        return -1;
      }
      RESULT[0] = low;
      RESULT[1] = high;
      return at;
    }
  }
  return -1;
}

/** Reads a zigzag. */
export function readZigzag(bytes: Uint8Array, start: number, end: number): number {
  const at = readVarint(bytes, start, end);
  if (at >= 0) {
    unzigzag(resultLow(), resultHigh());
  }
  return at;
}

/** First byte holds the low five bits under `tag`, a varint the rest. */
function writeTagged(bytes: Uint8Array, at: number, low: number, high: number, tag: number, shift: number): number {
  const restLow = (low >>> 5) | (high << 27);
  const restHigh = high >>> 5;
  const first = ((low & 31) << shift) | tag;
  if ((restLow | restHigh) === 0) {
    bytes[at] = first;
    return at + 1;
  }
  bytes[at] = first | MORE;
  return writeVarint(bytes, at + 1, restLow, restHigh);
}

/** Writes the head of a change. @param bits removed << 1 | side @param low of price − reference @param high of it */
export function writeChange(bytes: Uint8Array, at: number, bits: number, low: number, high: number): number {
  zigzag(low, high);
  return writeTagged(bytes, at, resultLow(), resultHigh(), bits, 2);
}

/** Reads the head of a change: RESULT = price − reference, changeBits() = removed << 1 | side. */
export function readChange(bytes: Uint8Array, start: number, end: number): number {
  if (start >= end) {
    return -1;
  }
  const byte = byteAt(bytes, start);
  bits = byte & 3;
  const at = readTagged(bytes, start + 1, end, (byte >> 2) & 31, byte >= MORE);
  if (at >= 0) {
    unzigzag(resultLow(), resultHigh());
  }
  return at;
}

/** Completes a tagged number whose low five bits are known. */
function readTagged(bytes: Uint8Array, start: number, end: number, five: number, hasMore: boolean): number {
  if (!hasMore) {
    RESULT[0] = five;
    RESULT[1] = 0;
    return start;
  }
  const at = readVarint(bytes, start, end);
  const low = resultLow();
  const high = resultHigh();
  if (at < 0 || (low | high) === 0 || high >>> 27 !== 0) {
    return -1;
  }
  RESULT[0] = (low << 5) | five;
  RESULT[1] = (high << 5) | (low >>> 27);
  return at;
}

/** Writes a quantity, shortened by up to three factors of 100. */
export function writeQuantity(bytes: Uint8Array, at: number, low: number, high: number): number {
  if (high < 0 || !isSafe(high)) {
    return writeLargeQuantity(bytes, at, low, high);
  }
  let value = toNumber(low, high);
  let factors = 0;
  if (value === 0) {
    return writeTagged(bytes, at, 0, 0, 0, 0);
  }
  while (factors < FACTORS_MAX) {
    const quotient = Math.floor(value / HUNDRED);
    if (quotient * HUNDRED !== value) {
      break;
    }
    value = quotient;
    factors++;
  }
  return writeTagged(bytes, at, value | 0, (value / 4294967296) | 0, factors << 5, 0);
}

function writeLargeQuantity(bytes: Uint8Array, at: number, low: number, high: number): number {
  let restLow = low;
  let restHigh = high;
  let factors = 0;
  RESULT[0] = low;
  RESULT[1] = high;
  while (factors < FACTORS_MAX && divideUnsigned(HUNDRED) === 0) {
    restLow = resultLow();
    restHigh = resultHigh();
    factors++;
  }
  return writeTagged(bytes, at, restLow, restHigh, factors << 5, 0);
}

/** Reads a quantity; zero is refused: a removal is a bit, not a quantity. */
export function readQuantity(bytes: Uint8Array, start: number, end: number): number {
  if (start >= end) {
    return -1;
  }
  const byte = byteAt(bytes, start);
  const at = readTagged(bytes, start + 1, end, byte & 31, byte >= MORE);
  const low = resultLow();
  const high = resultHigh();
  const factors = (byte >> 5) & FACTORS_MAX;
  if (at < 0 || high < 0 || (low | high) === 0 || (factors < FACTORS_MAX && isHundredfold(low, high))) {
    return -1;
  }
  if (factors === 0) {
    RESULT[0] = low;
    RESULT[1] = high;
    return at;
  }
  return multiplyByPower(low, high, factors * 2) ? at : -1;
}

function isHundredfold(low: number, high: number): boolean {
  if (high === 0) {
    return (low >>> 0) % HUNDRED === 0;
  }
  RESULT[0] = low;
  RESULT[1] = high;
  return divideUnsigned(HUNDRED) === 0;
}

/** Decimal digits of a time unit of 1, 1000 or 1000000 ns. */
export function unitPower(unit: number): number {
  if (unit === 1) {
    return 0;
  }
  return unit === 1000 ? 3 : 6;
}

/** Writes a time difference in ns, in units of 10^power ns when it is a whole number of them. */
export function writeTime(bytes: Uint8Array, at: number, low: number, high: number, power: number): number {
  const isWhole = divideByPower(low, high, power);
  if (isWhole) {
    zigzag(resultLow(), resultHigh());
  } else {
    zigzag(low, high);
  }
  const codeLow = resultLow();
  return writeVarint(bytes, at, (codeLow << 1) | (isWhole ? 0 : 1), (resultHigh() << 1) | (codeLow >>> 31));
}

/** Reads a time difference: RESULT in ns, wrapping. */
export function readTime(bytes: Uint8Array, start: number, end: number, power: number): number {
  const at = readVarint(bytes, start, end);
  if (at < 0) {
    return -1;
  }
  const low = resultLow();
  const high = resultHigh();
  unzigzag((low >>> 1) | (high << 31), high >>> 1);
  if ((low & 1) === 0 && power > 0) {
    multiplyWrapping(power === 3 ? 1000 : 1000000);
  }
  return at;
}

/** RESULT = RESULT × factor modulo 2^64. */
function multiplyWrapping(factor: number): void {
  const low = (resultLow() >>> 0) * factor;
  RESULT[0] = low % (2 * SIGN_BIT);
  RESULT[1] = Math.imul(resultHigh(), factor) + Math.floor(low / (2 * SIGN_BIT));
}
