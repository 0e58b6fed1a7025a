/**
 * Reads the metrics part of a segment: clock, histograms, the counters of each table entry. Numbers are exact below 2^53.
 * Bad case: a segment of layout 2; it has no metrics, and `SegmentMetrics.of` says so with undefined.
 */
import {
  INSTRUMENT_METRICS_BYTES,
  INSTRUMENT_METRICS_CHANGES,
  INSTRUMENT_METRICS_FRAME_BYTES,
  INSTRUMENT_METRICS_FRAMES,
  INSTRUMENT_METRICS_GAPS,
  INSTRUMENT_METRICS_LATENCY,
  INSTRUMENT_METRICS_NOT_SYNCED,
  INSTRUMENT_METRICS_REASONS_MAX,
  INSTRUMENT_METRICS_RECORDS,
  INSTRUMENT_METRICS_RESYNCS,
  INSTRUMENT_METRICS_SNAPSHOT_BYTES,
  INSTRUMENT_METRICS_SNAPSHOTS,
  INSTRUMENT_METRICS_UPDATES,
  INSTRUMENT_METRICS_WHOLE_BOOK,
  METRICS_DECODE,
  METRICS_EXCHANGE,
  METRICS_INSTRUMENTS,
  METRICS_LOOP,
  METRICS_PAUSE,
  METRICS_PUBLISH,
} from "../../assembly/layout.ts";
import { HistogramView } from "./histogram.ts";
import { type ClockBounds, readMetricsHead } from "./metrics_head.ts";
import type { SegmentView } from "./view.ts";

const TWO_32 = 4_294_967_296;

/** Counters of one table entry since the entry was made. */
export type InstrumentCounters = {
  /** Frames that named it, and their bytes. */
  readonly frames: number;
  readonly frameBytes: number;
  /** The part of frameBytes that was snapshots. */
  readonly snapshotBytes: number;
  /** Book messages of the socket, snapshots left out. */
  readonly updates: number;
  readonly changes: number;
  /** Delta records, those that say a state included. */
  readonly records: number;
  /** What it would have cost to send the whole book at every update, 16 bytes a level. */
  readonly wholeBookBytes: number;
  readonly snapshots: number;
  readonly gaps: number;
  /** Time not synced, up to the last change of state. */
  readonly notSyncedNs: number;
};

/** Makes counters by asking for each of them. Written out: it runs for every instrument of a scrape. */
export function mapCounters(make: (name: keyof InstrumentCounters) => number): InstrumentCounters {
  return {
    frames: make("frames"),
    frameBytes: make("frameBytes"),
    snapshotBytes: make("snapshotBytes"),
    updates: make("updates"),
    changes: make("changes"),
    records: make("records"),
    wholeBookBytes: make("wholeBookBytes"),
    snapshots: make("snapshots"),
    gaps: make("gaps"),
    notSyncedNs: make("notSyncedNs"),
  };
}

/** Where they stand. */
const OFFSETS: Readonly<Record<keyof InstrumentCounters, number>> = {
  frames: INSTRUMENT_METRICS_FRAMES,
  frameBytes: INSTRUMENT_METRICS_FRAME_BYTES,
  snapshotBytes: INSTRUMENT_METRICS_SNAPSHOT_BYTES,
  updates: INSTRUMENT_METRICS_UPDATES,
  changes: INSTRUMENT_METRICS_CHANGES,
  records: INSTRUMENT_METRICS_RECORDS,
  wholeBookBytes: INSTRUMENT_METRICS_WHOLE_BOOK,
  snapshots: INSTRUMENT_METRICS_SNAPSHOTS,
  gaps: INSTRUMENT_METRICS_GAPS,
  notSyncedNs: INSTRUMENT_METRICS_NOT_SYNCED,
};

/** Nothing counted. */
export const NO_COUNTERS: InstrumentCounters = mapCounters(() => 0);

/** The histograms of a segment by what they measure. */
export const SEGMENT_HISTOGRAMS = {
  exchange_received: METRICS_EXCHANGE,
  decode: METRICS_DECODE,
  received_published: METRICS_PUBLISH,
  gc_pause: METRICS_PAUSE,
  loop_delay: METRICS_LOOP,
} as const;

/** A histogram of a segment. */
export type SegmentHistogram = keyof typeof SEGMENT_HISTOGRAMS;

/** The metrics of one segment. It stores nothing: every call reads the memory. */
export class SegmentMetrics {
  readonly #memory: DataView;
  readonly #words: Int32Array;
  readonly #address: number;
  readonly #histograms: Readonly<Record<SegmentHistogram, HistogramView>>;

  /** @param address of the metrics part, of a segment that was validated */
  constructor(buffer: ArrayBufferLike, address: number) {
    this.#memory = new DataView(buffer);
    this.#words = new Int32Array(buffer, 0, buffer.byteLength >>> 2);
    this.#address = address;
    const entries = Object.entries(SEGMENT_HISTOGRAMS);
    this.#histograms = Object.fromEntries(
      entries.map(([name, offset]) => [name, new HistogramView(buffer, address + offset)]),
    ) as Record<SegmentHistogram, HistogramView>;
  }

  /** The metrics of a segment that was validated; undefined when its layout has none. */
  static of(buffer: ArrayBufferLike, view: SegmentView): SegmentMetrics | undefined {
    const { metricsOffset } = view.header;
    return metricsOffset === undefined ? undefined : new SegmentMetrics(buffer, view.address + metricsOffset);
  }

  /** A histogram in memory. */
  histogram(name: SegmentHistogram): HistogramView {
    return this.#histograms[name];
  }

  /** Clock offset and heap of the producer. */
  head(): ClockBounds & { readonly heapUsedBytes: number } {
    return readMetricsHead(this.#memory, this.#address);
  }

  /** Counters of a table entry. @param index of the entry */
  counters(index: number): InstrumentCounters {
    const row = this.#row(index);
    return mapCounters((name) => this.#read(row + OFFSETS[name]));
  }

  /** Exchange → published of the last update, ns, clock offset taken off; undefined before one came. */
  latencyNs(index: number): number | undefined {
    const latency = this.#memory.getBigInt64(this.#row(index) + INSTRUMENT_METRICS_LATENCY, true);
    return latency === 0n ? undefined : Number(latency);
  }

  /** Repairs by REASON_*. */
  resyncs(index: number): number[] {
    const first = this.#row(index) + INSTRUMENT_METRICS_RESYNCS;
    return Array.from({ length: INSTRUMENT_METRICS_REASONS_MAX }, (_, reason) => this.#read(first + reason * 8));
  }

  #row(index: number): number {
    return this.#address + METRICS_INSTRUMENTS + index * INSTRUMENT_METRICS_BYTES;
  }

  /** A u64 that another thread may be moving: read again while its high word changes. */
  #read(address: number): number {
    const index = address >>> 2;
    for (;;) {
      const high = Atomics.load(this.#words, index + 1);
      const low = Atomics.load(this.#words, index);
      if (Atomics.load(this.#words, index + 1) === high) {
        return (high >>> 0) * TWO_32 + (low >>> 0);
      }
    }
  }
}
