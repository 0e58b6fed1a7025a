/**
 * What producers counted of one instrument since this gateway serves it, over every table entry and epoch that it had
 * meanwhile: the same period as the gateway's own counts, so that bytes on the wire and bytes from the exchange compare.
 * Bad case: a segment that vanished between two looks; what it counted since the last one is missing.
 */
import { type InstrumentCounters, mapCounters, NO_COUNTERS, SegmentMetrics } from "../segment/metrics.ts";
import type { SegmentView } from "../segment/view.ts";

/** The table entry that counts at present. */
type Entry = { readonly metrics: SegmentMetrics; readonly index: number };

/** The counts of one instrument. */
export class InstrumentTally {
  readonly #buffer: ArrayBufferLike;
  #entry: Entry | undefined;
  /** Of the entry: what it had counted when it began to count here, and when it was last looked at. */
  #base = NO_COUNTERS;
  #seen = NO_COUNTERS;
  /** Of the entries before. */
  #past = NO_COUNTERS;
  #hasBegun = false;

  /** @param buffer of the memory that the segments lie in */
  constructor(buffer: ArrayBufferLike) {
    this.#buffer = buffer;
  }

  /**
   * Another entry counts from here on, or none does. The first one counts from now; a later one from its beginning.
   * @param isThere false when the memory of the entry before may hold something else by now
   */
  bind(entry: { segment: SegmentView; index: number } | undefined, { isThere }: { isThere: boolean }): void {
    this.#entry = isThere ? this.#entry : undefined;
    this.#past = this.read();
    const metrics = entry && SegmentMetrics.of(this.#buffer, entry.segment);
    this.#entry = entry && metrics && { metrics, index: entry.index };
    this.#seen = this.#entry?.metrics.counters(this.#entry.index) ?? NO_COUNTERS;
    this.#base = this.#hasBegun ? NO_COUNTERS : this.#seen;
    this.#hasBegun ||= this.#entry !== undefined;
  }

  /** Takes in what was counted since the last look. */
  look(): void {
    if (this.#entry !== undefined) {
      this.#seen = this.#entry.metrics.counters(this.#entry.index);
    }
  }

  /** The counts up to now; never below zero: an entry whose memory began anew counts nothing. */
  read(): InstrumentCounters {
    this.look();
    const [past, seen, base] = [this.#past, this.#seen, this.#base];
    return mapCounters((name) => past[name] + Math.max(seen[name] - base[name], 0));
  }

  /** Exchange → published of the last update, ns, clock offset taken off; undefined = unknown. */
  get latencyNs(): number | undefined {
    const latencyNs = this.#entry?.metrics.latencyNs(this.#entry.index);
    return latencyNs === undefined ? undefined : Math.max(latencyNs, 0);
  }
}
