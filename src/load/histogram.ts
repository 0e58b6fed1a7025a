/**
 * A latency histogram for one thread, to be merged over processes: a log-linear one of microseconds whose buckets are at
 * most 1/64 wide, so that a quantile is off by less than 1.6 %. Counts only; nothing grows with the number of samples.
 * Bad case: clocks of two processes that differ; a negative span counts as 0 and is told apart.
 */
const SUB = 64;
const SUB_BITS = 6;
const OCTAVES = 34;

/** Latencies as a report tells them, ms. */
export type LatencyReport = {
  readonly count: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
  /** Spans below zero, counted as 0. */
  readonly negative: number;
};

/** A histogram as it travels between processes. */
export type LatencyCounts = { readonly counts: readonly number[]; readonly maxUs: number; readonly negative: number };

/** Counts of spans. */
export class Latencies {
  readonly #counts = new Float64Array(SUB * OCTAVES);
  #count = 0;
  #maxUs = 0;
  #negative = 0;

  /** @param ms a span */
  record(ms: number): void {
    const us = Math.max(0, Math.floor(ms * 1000));
    this.#negative += ms < 0 ? 1 : 0;
    this.#maxUs = Math.max(this.#maxUs, us);
    this.#count += 1;
    const place = bucketOf(us);
    this.#counts[place] = (this.#counts[place] ?? 0) + 1;
  }

  /** Adds what another process counted. */
  merge({ counts, maxUs, negative }: LatencyCounts): void {
    for (const [place, count] of counts.entries()) {
      this.#counts[place] = (this.#counts[place] ?? 0) + count;
      this.#count += count;
    }
    this.#maxUs = Math.max(this.#maxUs, maxUs);
    this.#negative += negative;
  }

  /** For another process. */
  counts(): LatencyCounts {
    let last = this.#counts.length;
    while (last > 0 && this.#counts[last - 1] === 0) {
      last -= 1;
    }
    return { counts: [...this.#counts.subarray(0, last)], maxUs: this.#maxUs, negative: this.#negative };
  }

  /** @param part 0 … 1 @returns ms: the upper end of the bucket that holds it, at most the largest; 0 when nothing came */
  quantile(part: number): number {
    const rank = Math.max(1, Math.ceil(part * this.#count));
    let seen = 0;
    for (const [place, count] of this.#counts.entries()) {
      seen += count;
      if (count > 0 && seen >= rank) {
        return Math.min(upperEnd(place), this.#maxUs) / 1000;
      }
    }
    return this.#maxUs / 1000;
  }

  /** What a report says. */
  report(): LatencyReport {
    return {
      count: this.#count,
      p50: this.quantile(0.5),
      p90: this.quantile(0.9),
      p99: this.quantile(0.99),
      p999: this.quantile(0.999),
      max: this.#maxUs / 1000,
      negative: this.#negative,
    };
  }
}

/** Below 2 × SUB every microsecond has its own; then SUB buckets per doubling. */
function bucketOf(us: number): number {
  if (us < 2 * SUB) {
    return us;
  }
  const octave = Math.floor(Math.log2(us)) - SUB_BITS;
  const place = octave * SUB + Math.floor(us / 2 ** octave);
  return Math.min(place, SUB * OCTAVES - 1);
}

function upperEnd(place: number): number {
  if (place < 2 * SUB) {
    return place;
  }
  const octave = Math.floor(place / SUB) - 1;
  return (place - octave * SUB + 1) * 2 ** octave - 1;
}
