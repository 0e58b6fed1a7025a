/**
 * The recent past of one pair across its exchanges: each one's midpoint, and what lies between the best bid and the best
 * ask of all. Columns for a chart: doubles that place pixels; the exact texts of the gap stay beside them.
 * Bad case: an exchange appears or goes: another series begins, for a chart has a fixed number of lines.
 */
import { bestOffers } from "./cross_prices.ts";
import { formatDecimal, midpoint, pixelValue, spreadBasisPoints } from "./decimal_text.ts";
import type { InstrumentStore } from "./instrument_store.ts";

/** Points kept: five minutes at four a second. */
const POINTS_MAX = 1_200;
const POINTS_SLACK = 120;
const DECIMALS = 3;

/** Columns: seconds, then one per line; null is a hole. */
export type Columns = [seconds: number[], ...lines: (number | null)[][]];

/** What the lines of a point say, exact; empty where there is a hole. */
export type PointTexts = { readonly middles: readonly string[]; readonly gap: string };

/** A bounded series of one pair. */
export class PairSeries {
  readonly #exchanges: string;
  readonly #middles: Columns;
  readonly #gaps: Columns = [[], []];
  readonly #texts: PointTexts[] = [];
  #count = 0;

  /** @param instruments those of every point, one line each from the first moment on */
  constructor(instruments: readonly InstrumentStore[]) {
    this.#exchanges = namesOf(instruments);
    this.#middles = [[], ...instruments.map(() => [])];
  }

  /** Whether its lines are those of these instruments. */
  isOf(instruments: readonly InstrumentStore[]): boolean {
    return namesOf(instruments) === this.#exchanges;
  }

  /** Midpoints, one line per exchange in the order of the group. */
  get middles(): Columns {
    return this.#middles;
  }

  /** Best ask less best bid across the exchanges, basis points; below 0 when crossed. */
  get gaps(): Columns {
    return this.#gaps;
  }

  /** The exact texts of a point. */
  texts(index: number): PointTexts | undefined {
    return this.#texts[index];
  }

  /** Points ever added. */
  get count(): number {
    return this.#count;
  }

  /** Adds a point. @param atMs wall clock, milliseconds @param instruments those that it was made for */
  sample(atMs: number, instruments: readonly InstrumentStore[]): void {
    this.#count += 1;
    const offers = bestOffers(instruments);
    const gap = offers === undefined ? undefined : spreadBasisPoints(offers.bid.price, offers.ask.price, DECIMALS);
    const middles = instruments.map(middleOf);
    append(this.#middles, atMs / 1000, middles.map(position));
    append(this.#gaps, atMs / 1000, [position(gap ?? "")]);
    this.#texts.push({ middles, gap: gap ?? "" });
    if (this.#texts.length > this.#gaps[0].length) {
      this.#texts.splice(0, this.#texts.length - this.#gaps[0].length);
    }
  }
}

function namesOf(instruments: readonly InstrumentStore[]): string {
  return instruments.map((store) => store.exchange).join();
}

function append([seconds, ...lines]: Columns, at: number, values: (number | null)[]): void {
  seconds.push(at);
  for (const [index, line] of lines.entries()) {
    line.push(values[index] ?? null);
  }
  if (seconds.length > POINTS_MAX + POINTS_SLACK) {
    for (const column of [seconds, ...lines]) {
      column.splice(0, POINTS_SLACK);
    }
  }
}

function position(text: string): number | null {
  return text === "" ? null : pixelValue(text);
}

function middleOf(store: InstrumentStore): string {
  const best = store.best();
  const [bid, ask] = [best?.bid?.[0], best?.ask?.[0]];
  return store.isLive && bid !== undefined && ask !== undefined ? formatDecimal(midpoint(bid, ask)) : "";
}
