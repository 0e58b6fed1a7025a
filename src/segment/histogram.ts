/**
 * Histograms of nanoseconds as others than their writer read them: one look copies the counts, two looks tell what came
 * between, and any quantile of either errs by at most half a count's width (1.6 %).
 * Bad case: a look while the writer records; each figure is whole, but sum and counts may be one value apart.
 */
import {
  HISTOGRAM_BYTES,
  HISTOGRAM_COUNTS,
  HISTOGRAM_FIRST_COUNT,
  HISTOGRAM_LINEAR,
  HISTOGRAM_MAX,
  HISTOGRAM_NEGATIVE,
  HISTOGRAM_SUM,
  HISTOGRAM_UNKNOWN,
} from "../../assembly/layout.ts";

const TWO_32 = 4_294_967_296;
const WORDS = HISTOGRAM_BYTES >>> 2;
const FIRST_WORD = HISTOGRAM_FIRST_COUNT >>> 2;

/** What a histogram held at one moment, or what came between two. ns; exact below 2^53. */
export class HistogramLook {
  /** By place. */
  readonly counts = new Float64Array(HISTOGRAM_COUNTS);
  /** Values. */
  count = 0;
  sumNs = 0;
  /** The largest since the histogram began. */
  maxNs = 0;
  /** Values below zero, kept out. */
  negative = 0;
  /** Values that could not be had. */
  unknown = 0;

  /** What came after an earlier look. A histogram that began anew meanwhile counts from its beginning. */
  since(earlier: HistogramLook): HistogramLook {
    if (this.count < earlier.count) {
      return this;
    }
    const between = new HistogramLook();
    for (let place = 0; place < HISTOGRAM_COUNTS; place++) {
      const count = Math.max((this.counts[place] ?? 0) - (earlier.counts[place] ?? 0), 0);
      between.counts[place] = count;
      between.count += count;
    }
    between.sumNs = Math.max(this.sumNs - earlier.sumNs, 0);
    between.maxNs = Math.min(this.maxNs, between.quantile(1));
    between.negative = Math.max(this.negative - earlier.negative, 0);
    between.unknown = Math.max(this.unknown - earlier.unknown, 0);
    return between;
  }

  /** Adds another histogram's values, e.g. those of the exchange's next shard. */
  add(other: HistogramLook): void {
    for (let place = 0; place < HISTOGRAM_COUNTS; place++) {
      this.counts[place] = (this.counts[place] ?? 0) + (other.counts[place] ?? 0);
    }
    this.count += other.count;
    this.sumNs += other.sumNs;
    this.maxNs = Math.max(this.maxNs, other.maxNs);
    this.negative += other.negative;
    this.unknown += other.unknown;
  }

  /**
   * The value below which a part of all values lies.
   * @param part 0 … 1
   * @returns ns, the middle of its count; 0 when there are no values
   */
  quantile(part: number): number {
    const rank = Math.max(Math.ceil(this.count * part), 1);
    let seen = 0;
    for (let place = 0; place < HISTOGRAM_COUNTS; place++) {
      seen += this.counts[place] ?? 0;
      if (seen >= rank) {
        const middle = (histogramFloor(place) + histogramFloor(place + 1) - 1) / 2;
        return this.maxNs > 0 ? Math.min(middle, this.maxNs) : middle;
      }
    }
    return 0;
  }
}

/** The least value of a place, ns. @param place 0 … HISTOGRAM_COUNTS */
export function histogramFloor(place: number): number {
  if (place < HISTOGRAM_LINEAR) {
    return place;
  }
  const octave = Math.floor(place / HISTOGRAM_LINEAR) - 1;
  return (place - octave * HISTOGRAM_LINEAR) * 2 ** octave;
}

/** A histogram in shared memory. */
export class HistogramView {
  readonly #words: Int32Array;

  /** @param address of HISTOGRAM_BYTES, 8-aligned */
  constructor(buffer: ArrayBufferLike, address: number) {
    this.#words = new Int32Array(buffer, address, WORDS);
  }

  /** What it holds now. Cost: about 2 µs. */
  look(): HistogramLook {
    const look = new HistogramLook();
    for (let place = 0; place < HISTOGRAM_COUNTS; place++) {
      const count = this.#read(FIRST_WORD + 2 * place);
      look.counts[place] = count;
      look.count += count;
    }
    look.sumNs = this.#read(HISTOGRAM_SUM >>> 2);
    look.maxNs = this.#read(HISTOGRAM_MAX >>> 2);
    look.negative = this.#read(HISTOGRAM_NEGATIVE >>> 2);
    look.unknown = this.#read(HISTOGRAM_UNKNOWN >>> 2);
    return look;
  }

  /** A u64 that another thread may be moving: read again while its high word changes. */
  #read(index: number): number {
    for (;;) {
      const high = Atomics.load(this.#words, index + 1);
      const low = Atomics.load(this.#words, index);
      if (Atomics.load(this.#words, index + 1) === high) {
        return (high >>> 0) * TWO_32 + (low >>> 0);
      }
    }
  }
}
