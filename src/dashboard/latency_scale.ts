/**
 * Where a latency stands on the scale that all hops share, a decade as wide as the next, and how it is written. Pure.
 * Bad case: a latency outside the scale; it stands at its end, and the text says the true figure.
 */

/** Ends of the scale, µs. */
const LEAST_US = 0.1;
const MOST_US = 10_000_000;
const DECADES = Math.log10(MOST_US / LEAST_US);

/** Decades with a line, µs. */
export const SCALE_LINES: readonly number[] = [1, 10, 100, 1000, 10_000, 100_000, 1_000_000];

/** Where a latency stands. @param us microseconds @returns 0 … 1 */
export function scalePlace(us: number): number {
  return Math.min(Math.max(Math.log10(Math.max(us, LEAST_US) / LEAST_US) / DECADES, 0), 1);
}

/** A latency with three digits. @param us microseconds */
export function latencyText(us: number): string {
  if (us < 1000) {
    return `${digits(us)} µs`;
  }
  return us < 1_000_000 ? `${digits(us / 1000)} ms` : `${digits(us / 1_000_000)} s`;
}

function digits(value: number): string {
  return value < 10 ? value.toFixed(2) : value < 100 ? value.toFixed(1) : value.toFixed(0);
}
