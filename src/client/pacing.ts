/** When a book may be asked for again after a failed check: at once the first time, then later and later. */

const FIRST_DELAY_MS = 250;
const DELAY_MS_MAX = 10_000;
/** A book that held for so long starts over. */
const CALM_MS = 30_000;

/**
 * The delay before the next request.
 * @param failures checks that failed before this one without a calm time between
 * @param random 0 ≤ x < 1
 * @returns ms; 0 for the first failure
 */
export function resyncDelayMs(failures: number, random: number): number {
  return failures === 0 ? 0 : Math.min(FIRST_DELAY_MS * 2 ** (failures - 1), DELAY_MS_MAX) * (0.5 + random / 2);
}

/** Failures that still count, `sinceMs` after the last one. */
export function failuresLeft(failures: number, sinceMs: number): number {
  return sinceMs >= CALM_MS ? 0 : failures;
}
