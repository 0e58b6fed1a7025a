/**
 * Quantiles of the recent past from a histogram that only grows: a look is kept every ten seconds, and what came since the
 * one before the last is told, so that a figure stands for the last ten to twenty seconds. Pure: looks and times are arguments.
 * Bad case: nothing came lately; count is 0 and so are the quantiles.
 */
import { HistogramLook } from "../segment/histogram.ts";

const KEEP_MS = 10_000;

/** The quantiles that are told. */
export const QUANTILES = [0.5, 0.95, 0.99, 0.999] as const;

/** What a window says. Times in ns. */
export type LatencyFigures = {
  readonly count: number;
  /** In the order of QUANTILES. */
  readonly quantilesNs: readonly number[];
  readonly maxNs: number;
};

/** The recent past of one histogram. */
export class LatencyWindow {
  #older = new HistogramLook();
  #newer = new HistogramLook();
  #keptAtMs: number | undefined;

  /** The figures as of a look. @param atMs monotonic enough; a clock that goes back begins anew */
  read(look: HistogramLook, atMs: number): LatencyFigures {
    if (this.#keptAtMs === undefined || Math.abs(atMs - this.#keptAtMs) >= KEEP_MS) {
      this.#older = this.#keptAtMs === undefined ? look : this.#newer;
      this.#newer = look;
      this.#keptAtMs = atMs;
    }
    const recent = look.since(this.#older);
    return {
      count: recent.count,
      quantilesNs: QUANTILES.map((part) => recent.quantile(part)),
      maxNs: recent.maxNs,
    };
  }
}
