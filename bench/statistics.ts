/**
 * Medians and the bootstrap over paired rounds. Seeded, so that a result file can be recomputed to the last digit.
 * Bad case: a mean over noisy rounds; one disturbed round would move it, hence medians everywhere.
 */

/** Resamples of one bootstrap. */
const RESAMPLES = 2000;
/** Share of the bootstrap distribution below the lower bound, and above the upper one: a 95 % interval. */
const TAIL = 0.025;
const SEED = 0x9e3779b9;

/** A ratio over paired rounds, or a value over rounds. */
export type RatioEstimate = {
  /** Median of the rounds. */
  median: number;
  /** Bounds of its 95 % bootstrap interval. */
  low: number;
  high: number;
};

/**
 * The median.
 * @param values at least one
 * @throws RangeError when there is none
 */
export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/**
 * A quantile by linear interpolation.
 * @param values at least one @param share 0 … 1
 * @throws RangeError when there is none
 */
export function quantile(values: readonly number[], share: number): number {
  if (values.length === 0) {
    throw new RangeError("Cannot take a quantile: there must be at least one value, was none");
  }
  return quantileOfSorted(
    [...values].sort((a, b) => a - b),
    share,
  );
}

/**
 * The median of the paired ratios `other ÷ ours` with its bootstrap interval.
 * @param other samples of the other side, one per round @param ours samples of ours, of the same rounds
 * @throws RangeError when the sides have different numbers of rounds, or none
 */
export function pairedRatio(other: readonly number[], ours: readonly number[]): RatioEstimate {
  if (other.length !== ours.length || ours.length === 0) {
    throw new RangeError(
      `Cannot pair rounds: both sides need the same number and at least one, was ${other.length} and ${ours.length}`,
    );
  }
  return medianInterval(ours.map((own, round) => (other[round] ?? 0) / own));
}

/**
 * The median of values with its bootstrap interval.
 * @param values one per round, at least one
 * @throws RangeError when there is none
 */
export function medianInterval(values: readonly number[]): RatioEstimate {
  const random = seededRandom(SEED);
  const medians = Array.from({ length: RESAMPLES }, () => median(resample(values, random))).sort((a, b) => a - b);
  return { median: median(values), low: quantileOfSorted(medians, TAIL), high: quantileOfSorted(medians, 1 - TAIL) };
}

/** Uniform numbers in [0, 1) from a 32-bit seed (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

function resample(values: readonly number[], random: () => number): number[] {
  return values.map(() => values[Math.floor(random() * values.length)] ?? 0);
}

function quantileOfSorted(sorted: readonly number[], share: number): number {
  const place = (sorted.length - 1) * share;
  const below = Math.floor(place);
  const low = sorted[below] ?? 0;
  const high = sorted[Math.min(below + 1, sorted.length - 1)] ?? low;
  return low + (high - low) * (place - below);
}
