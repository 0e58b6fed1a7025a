/**
 * The recent best bid and ask of one instrument, for its charts: at most one point per SAMPLE_MS, a fixed number kept.
 * The exact texts stay beside the doubles, for the chart draws with doubles and its reading shows the texts.
 * Bad case: a book that is not synced adds a hole instead of a line across a time nobody knows.
 */
import { formatDecimal, midpoint, pixelValue, spreadBasisPoints, subtractDecimals } from "./decimal_text.ts";

/** Least time between two points, milliseconds. */
export const SAMPLE_MS = 200;
/** Points kept: five minutes at four a second, as the page samples. */
export const SAMPLES_MAX = 1_200;
/** Points kept beyond SAMPLES_MAX before the oldest are cut, so that cutting is rare. */
const SAMPLES_SLACK = 120;

/** Columns for a chart: seconds, then doubles for positions; `null` is a hole. */
export type ChartColumns = [
  seconds: number[],
  bid: (number | null)[],
  ask: (number | null)[],
  mid: (number | null)[],
  spread: (number | null)[],
];

/** One exact point. */
export type PricePoint = { bid: string; ask: string };

/** A bounded series of best bid and ask over time. */
export class PriceSeries {
  readonly #columns: ChartColumns = [[], [], [], [], []];
  readonly #points: (PricePoint | undefined)[] = [];
  #sampledAtMs = Number.NEGATIVE_INFINITY;
  #count = 0;

  /** The columns as the chart takes them. The arrays are this object's own: read, do not keep. */
  get columns(): ChartColumns {
    return this.#columns;
  }

  /** Points ever added: grows with each, however many are kept. */
  get count(): number {
    return this.#count;
  }

  /**
   * Adds a point when SAMPLE_MS have passed since the last.
   * @param atMs wall clock, milliseconds
   * @param point undefined when there is no synced book with both sides: a hole
   * @returns whether a point was added
   */
  sample(atMs: number, point: PricePoint | undefined): boolean {
    if (atMs - this.#sampledAtMs < SAMPLE_MS || (point === undefined && this.#points.at(-1) === undefined)) {
      return false;
    }
    this.#sampledAtMs = atMs;
    this.#count += 1;
    const [seconds, bids, asks, mids, spreads] = this.#columns;
    seconds.push(atMs / 1000);
    bids.push(point === undefined ? null : pixelValue(point.bid));
    asks.push(point === undefined ? null : pixelValue(point.ask));
    mids.push(point === undefined ? null : midValue(point));
    spreads.push(point === undefined ? null : pixelValue(formatDecimal(subtractDecimals(point.ask, point.bid))));
    this.#points.push(point);
    if (this.#points.length > SAMPLES_MAX + SAMPLES_SLACK) {
      for (const column of [...this.#columns, this.#points]) {
        column.splice(0, SAMPLES_SLACK);
      }
    }
    return true;
  }

  /**
   * How far the midpoint moved over the series, exact.
   * @returns basis points with a sign, e.g. `+1.25`; undefined with fewer than two known points
   */
  change(): string | undefined {
    const first = this.#points.find((point) => point !== undefined);
    const last = this.#points.findLast((point) => point !== undefined);
    if (first === undefined || last === undefined || first === last) {
      return undefined;
    }
    const [before, now] = [first, last].map((point) => formatDecimal(midpoint(point.bid, point.ask)));
    const moved = before === undefined || now === undefined ? undefined : spreadBasisPoints(before, now, 2);
    return moved === undefined || moved.startsWith("-") ? moved : `+${moved}`;
  }

  /** The exact point at an index; undefined for a hole or outside. */
  at(index: number): PricePoint | undefined {
    return this.#points[index];
  }
}

function midValue(point: PricePoint): number {
  const { units, decimals } = midpoint(point.bid, point.ask);
  return Number(units) / 10 ** decimals;
}
