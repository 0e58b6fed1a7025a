/**
 * Whether a side kept the rate that its goal is stated for. Bad case: a side that is slower than what it is fed with; its
 * latencies are those of its queue, its garbage that of fewer frames, and neither is what the goal asks.
 */

/** A side that delivers less of the rate than this did not keep it. */
const KEPT = 0.98;

/**
 * What is to be said of a side that did not keep the rate.
 * @param delivered frames/s @param asked frames/s @returns nothing when it kept it
 */
export function rateNotes(name: string, { delivered, asked }: { delivered: number; asked: number }): string[] {
  return delivered < asked * KEPT
    ? [`${name} did not keep the rate: it delivered ${Math.round(delivered)} of ${asked} frames/s`]
    : [];
}
