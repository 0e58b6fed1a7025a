/**
 * Log-linear histograms of nanoseconds in shared memory: one writer each, any number of readers, no allocation. The place
 * of a value is its octave and the five bits behind its first one; counts, sum and maximum are u64 and only grow, so that
 * a reader takes differences of two looks. Bad case: two threads recording into one histogram; counts would be lost.
 */
import {
  DELTA_BYTES,
  DELTA_FLAGS,
  DELTA_PUBLISHED_AT,
  FLAG_LAST,
  HISTOGRAM_FIRST_COUNT,
  HISTOGRAM_LINEAR,
  HISTOGRAM_LINEAR_SHIFT,
  HISTOGRAM_MAX,
  HISTOGRAM_NEGATIVE,
  HISTOGRAM_SUM,
  HISTOGRAM_UNKNOWN,
  HISTOGRAM_VALUE_MAX,
} from "../../../assembly/layout.ts";
import { add, fromNumber, isSafe, resultHigh, resultLow, subtract, toNumber } from "./int64.ts";
import { fieldOf, type Memory, readU64, wordAt } from "./memory.ts";

const TWO_32 = 4294967296;
const LINEAR_BITS = HISTOGRAM_LINEAR_SHIFT + 1;

/** Adds to a u64 in place, so that no reader sees one half moved. @param amount 0 … 2^53 */
export function bump(memory: Memory, address: number, amount: number): void {
  const { words } = memory;
  const index = address >>> 2;
  const low = (wordAt(words, index) >>> 0) + (amount % TWO_32);
  const high = Math.floor(amount / TWO_32) + (low >= TWO_32 ? 1 : 0);
  if (high === 0) {
    words[index] = low;
    return;
  }
  const whole = new BigUint64Array(memory.buffer, address, 1);
  Atomics.store(whole, 0, BigInt.asUintN(64, Atomics.load(whole, 0) + BigInt(amount)));
}

/** The count that a value belongs to. @param value a whole number of ns, 0 … HISTOGRAM_VALUE_MAX */
export function histogramPlace(value: number): number {
  if (value < HISTOGRAM_LINEAR) {
    return value;
  }
  const high = Math.floor(value / TWO_32);
  const bits = high > 0 ? 64 - Math.clz32(high) : 32 - Math.clz32(value);
  const shift = bits - LINEAR_BITS;
  return shift * HISTOGRAM_LINEAR + Math.floor(value / 2 ** shift);
}

/** Records a span in whole ns. */
export function recordSpan(memory: Memory, histogram: number, span: number): void {
  if (span < 0) {
    bump(memory, histogram + HISTOGRAM_NEGATIVE, 1);
    return;
  }
  const value = Math.min(span, HISTOGRAM_VALUE_MAX);
  bump(memory, histogram + HISTOGRAM_FIRST_COUNT + histogramPlace(value) * 8, 1);
  bump(memory, histogram + HISTOGRAM_SUM, value);
  const max = readU64(memory.words, histogram + HISTOGRAM_MAX);
  if (value > max) {
    bump(memory, histogram + HISTOGRAM_MAX, value - max);
  }
}

/** Counts a value that could not be had. */
export function recordUnknown(memory: Memory, histogram: number): void {
  bump(memory, histogram + HISTOGRAM_UNKNOWN, 1);
}

/** KernelHistogram.histogramRecord. */
export function recordNanoseconds(memory: Memory, histogram: number, nanoseconds: number): void {
  if (nanoseconds >= 0) {
    recordSpan(memory, histogram, Math.trunc(Math.min(nanoseconds, HISTOGRAM_VALUE_MAX)));
  } else if (nanoseconds < 0) {
    recordSpan(memory, histogram, -1);
  } else {
    recordUnknown(memory, histogram);
  }
}

/** The difference of two i64 as a double: exact where it can be, else of its sign and far beyond any span. */
export function spanBetween(fromLow: number, fromHigh: number, toLow: number, toHigh: number): number {
  subtract(toLow, toHigh, fromLow, fromHigh);
  const high = resultHigh();
  return isSafe(high) ? toNumber(resultLow(), high) : high < 0 ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
}

/** Delta records in memory, and the moment at which they are looked at. */
export type SpanBatch = {
  readonly records: number;
  readonly count: number;
  /** Unix ns that `now` is relative to. */
  readonly anchorLow: number;
  readonly anchorHigh: number;
  /** ns since the anchor. */
  readonly now: number;
};

/** KernelHistogram.histogramSpans. */
export function recordSpans(memory: Memory, histogram: number, batch: SpanBatch): void {
  const { words } = memory;
  fromNumber(Math.trunc(batch.now));
  add(batch.anchorLow, batch.anchorHigh, resultLow(), resultHigh());
  const low = resultLow();
  const high = resultHigh();
  for (let index = 0, record = batch.records; index < batch.count; index++, record += DELTA_BYTES) {
    if ((fieldOf(words, record, DELTA_FLAGS) & FLAG_LAST) === 0) {
      continue;
    }
    const publishedLow = fieldOf(words, record, DELTA_PUBLISHED_AT);
    const publishedHigh = fieldOf(words, record, DELTA_PUBLISHED_AT + 4);
    if ((publishedLow | publishedHigh) === 0) {
      recordUnknown(memory, histogram);
    } else {
      recordSpan(memory, histogram, spanBetween(publishedLow, publishedHigh, low, high));
    }
  }
}
