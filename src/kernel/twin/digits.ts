/**
 * Decimal digits of whole numbers, two at a time from a table. Numbers below 10^9 stay 32-bit integers on the way,
 * larger ones are cut into such parts.
 * Bad case: a number that no double holds; 64-bit numbers beyond 2^53 are cut by exact division first.
 */
import { divideUnsigned, isSafe, RESULT, resultHigh, resultLow, toNumber } from "./int64.ts";
import { byteAt } from "./memory.ts";

const ZERO = 0x30;
const BILLION = 1000000000;
const PART_DIGITS = 9;
const PAIRS = Uint8Array.from({ length: 200 }, (_, index) => {
  const pair = index >> 1;
  return ZERO + ((index & 1) === 0 ? Math.floor(pair / 10) : pair % 10);
});

/**
 * Writes the digits of an unsigned 64-bit number.
 * @returns the position after them
 */
export function writeDigits(low: number, high: number, bytes: Uint8Array, at: number): number {
  if (high >= 0 && isSafe(high)) {
    return writeNumber(toNumber(low, high), bytes, at);
  }
  RESULT[0] = low;
  RESULT[1] = high;
  const lower = divideUnsigned(100000);
  const upper = divideUnsigned(10000);
  const next = writeNumber(toNumber(resultLow(), resultHigh()), bytes, at);
  return writePadded(lower, writePadded(upper, next, bytes, 4), bytes, 5);
}

/** Writes the digits of a non-negative integer up to 2^53. @returns the position after them */
export function writeNumber(value: number, bytes: Uint8Array, at: number): number {
  if (value < BILLION) {
    return writePart(value | 0, bytes, at);
  }
  const upper = Math.floor(value / BILLION);
  return writePadded((value - upper * BILLION) | 0, writePart(upper | 0, bytes, at), bytes, PART_DIGITS);
}

/** Digits of an integer below 10^9. */
function writePart(value: number, bytes: Uint8Array, at: number): number {
  let count = 1;
  for (let bound = 10; value >= bound && count < PART_DIGITS; bound *= 10) {
    count++;
  }
  return writePadded(value, at, bytes, count);
}

/** The last `count` digits of an integer below 10^9. @returns the position after them */
function writePadded(value: number, at: number, bytes: Uint8Array, count: number): number {
  let rest = value | 0;
  let to = at + count;
  while (to - at > 1) {
    const next = (rest / 100) | 0;
    const pair = (rest - next * 100) * 2;
    bytes[to - 1] = byteAt(PAIRS, pair + 1);
    bytes[to - 2] = byteAt(PAIRS, pair);
    rest = next;
    to -= 2;
  }
  if (to > at) {
    bytes[at] = ZERO + (rest % 10);
  }
  return at + count;
}
