/**
 * Latencies of one thread, to be merged over processes: the histogram of segments, nanoseconds in log-linear counts, filled
 * without shared memory. A quantile is the middle of its count and errs by at most 1.6 % up or down, hence a threshold that
 * is as near as that may be judged either way; the maximum is exact. Counts only; nothing grows with the number of samples.
 * Bad case: clocks of two processes that differ; a negative span counts as 0 and is told apart.
 */
import { HISTOGRAM_VALUE_MAX } from "../../assembly/layout.ts";
import { histogramPlace } from "../kernel/twin/histogram.ts";
import { HistogramLook } from "../segment/histogram.ts";

const NS_PER_US = 1000;
const NS_PER_MS = 1_000_000;

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

/** A histogram as it travels between processes: its counts by place as far as there are any. */
export type LatencyCounts = { readonly counts: readonly number[]; readonly maxNs: number; readonly negative: number };

/** Longer spans count as this, ms; no threshold may lie beyond it. */
export const LATENCY_MS_MAX = Math.floor(HISTOGRAM_VALUE_MAX / NS_PER_MS);

/** Counts of spans. */
export class Latencies {
  readonly #look = new HistogramLook();

  /** @param ms a span; a longer one than LATENCY_MS_MAX counts as that */
  record(ms: number): void {
    const ns = Math.min(Math.max(0, Math.floor(ms * NS_PER_MS)), HISTOGRAM_VALUE_MAX);
    const look = this.#look;
    const place = histogramPlace(ns);
    look.counts[place] = (look.counts[place] ?? 0) + 1;
    look.count += 1;
    look.maxNs = Math.max(look.maxNs, ns);
    look.negative += ms < 0 ? 1 : 0;
  }

  /** Adds what another process counted. */
  merge({ counts, maxNs, negative }: LatencyCounts): void {
    const other = new HistogramLook();
    other.counts.set(counts);
    other.count = counts.reduce((sum, count) => sum + count, 0);
    other.maxNs = maxNs;
    other.negative = negative;
    this.#look.add(other);
  }

  /** For another process. */
  counts(): LatencyCounts {
    const { counts, maxNs, negative } = this.#look;
    return { counts: [...counts.subarray(0, counts.findLastIndex((count) => count > 0) + 1)], maxNs, negative };
  }

  /** @param part 0 … 1 @returns ms, whole microseconds: the middle of the count that holds it; 0 when nothing came */
  quantile(part: number): number {
    return milliseconds(this.#look.quantile(part));
  }

  /** What a report says. */
  report(): LatencyReport {
    return {
      count: this.#look.count,
      p50: this.quantile(0.5),
      p90: this.quantile(0.9),
      p99: this.quantile(0.99),
      p999: this.quantile(0.999),
      max: milliseconds(this.#look.maxNs),
      negative: this.#look.negative,
    };
  }
}

function milliseconds(ns: number): number {
  return Math.round(ns / NS_PER_US) / (NS_PER_MS / NS_PER_US);
}
