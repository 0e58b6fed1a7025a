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
} from "./layout";

/** Adds to a u64. */
export function bump(at: usize, by: u64): void {
  store<u64>(at, load<u64>(at) + by);
}

/** Records a span in ns. */
export function spanRecord(histogram: usize, span: i64): void {
  if (span < 0) {
    bump(histogram + HISTOGRAM_NEGATIVE, 1);
    return;
  }
  const value = min<u64>(<u64>span, HISTOGRAM_VALUE_MAX);
  const shift = <u64>(63 - HISTOGRAM_LINEAR_SHIFT) - clz<u64>(value | HISTOGRAM_LINEAR);
  const place = <usize>((shift << HISTOGRAM_LINEAR_SHIFT) + (value >> shift));
  bump(histogram + HISTOGRAM_FIRST_COUNT + (place << 3), 1);
  store<u64>(histogram, load<u64>(histogram, HISTOGRAM_SUM) + value, HISTOGRAM_SUM);
  if (value > load<u64>(histogram, HISTOGRAM_MAX)) store<u64>(histogram, value, HISTOGRAM_MAX);
}

/** Counts a value that could not be had. */
export function spanUnknown(histogram: usize): void {
  bump(histogram + HISTOGRAM_UNKNOWN, 1);
}

export function histogramRecord(histogram: usize, nanoseconds: f64): void {
  if (nanoseconds >= 0) spanRecord(histogram, <i64>min<f64>(nanoseconds, <f64>HISTOGRAM_VALUE_MAX));
  else if (nanoseconds < 0) spanRecord(histogram, -1);
  else spanUnknown(histogram);
}

export function histogramSpans(
  histogram: usize,
  records: usize,
  count: u32,
  anchorLow: u32,
  anchorHigh: u32,
  now: f64,
): void {
  const at = (((<i64>anchorHigh) << 32) | <i64>anchorLow) + <i64>now;
  for (let i: u32 = 0; i < count; i++, records += DELTA_BYTES) {
    if ((load<u16>(records, DELTA_FLAGS) & FLAG_LAST) == 0) continue;
    const published = load<i64>(records, DELTA_PUBLISHED_AT);
    if (published == 0) spanUnknown(histogram);
    else spanRecord(histogram, at - published);
  }
}
