/**
 * How long events take from their publication until this gateway has read them, and from there until they were handed to
 * the transport: two histograms for each exchange in the gateway's own arena, recorded by the kernel. Producers publish
 * by their own wall anchors; all are brought to the monotonic clock of the machine, which processes share.
 * Bad case: no memory left for the histograms of one more exchange; it is served all the same, its hops are not measured.
 */
import { HISTOGRAM_BYTES } from "../../assembly/layout.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { SegmentHeader } from "../segment/header.ts";

const LOOKS = 16;

/** The machine's monotonic clock in fine steps. */
export type Stopwatch = {
  /** The monotonic clock when `now` was 0, ns. */
  readonly baseNs: bigint;
  /** ns since then. */
  readonly now: () => number;
};

/** The stopwatch of this process. */
export function systemStopwatch(): Stopwatch {
  const startMs = performance.now();
  const now = () => (performance.now() - startMs) * 1e6;
  // The least of some looks: between two calls a thread may be stopped.
  const looks = Array.from({ length: LOOKS }, () => {
    const elapsed = BigInt(Math.round(now()));
    return process.hrtime.bigint() - elapsed;
  });
  return { baseNs: looks.reduce((least, look) => (look < least ? look : least)), now };
}

/** The hops of one exchange. Thread: the gateway's. */
export class HopMeter {
  /** Addresses of the histograms. */
  readonly publishedRead: number;
  readonly readSent: number;
  readonly #kernel: Kernel;
  readonly #stopwatch: Stopwatch;
  #readAt = 0;

  constructor(kernel: Kernel, stopwatch: Stopwatch, addresses: { publishedRead: number; readSent: number }) {
    this.#kernel = kernel;
    this.#stopwatch = stopwatch;
    this.publishedRead = addresses.publishedRead;
    this.readSent = addresses.readSent;
  }

  /** A batch of delta records was read. @param batch.anchorNs Unix ns by the producer when the stopwatch showed 0 */
  noteRead(batch: { records: number; count: number; anchorLow: number; anchorHigh: number }): void {
    const { records, count, anchorLow, anchorHigh } = batch;
    this.#readAt = this.#stopwatch.now();
    this.#kernel.histogramSpans(this.publishedRead, records, count, anchorLow, anchorHigh, this.#readAt);
  }

  /** Whole events were handed to the transport, in one frame. */
  noteSent(events: number): void {
    const elapsed = this.#stopwatch.now() - this.#readAt;
    for (let event = 0; event < events; event++) {
      this.#kernel.histogramRecord(this.readSent, elapsed);
    }
  }
}

/** A segment's records as they are read. */
export class SourceMeter {
  readonly #meter: HopMeter;
  readonly #anchorLow: number;
  readonly #anchorHigh: number;

  constructor(meter: HopMeter, anchorNs: bigint) {
    this.#meter = meter;
    this.#anchorLow = Number(BigInt.asUintN(32, anchorNs));
    this.#anchorHigh = Number(BigInt.asUintN(32, anchorNs >> 32n));
  }

  /** A batch was read. @param records address of the first */
  noteRead(records: number, count: number): void {
    this.#meter.noteRead({ records, count, anchorLow: this.#anchorLow, anchorHigh: this.#anchorHigh });
  }
}

/** The meters of one gateway, by exchange: an exchange keeps its histograms for good. */
export class HopMeters {
  readonly #kernel: Kernel;
  readonly #stopwatch: Stopwatch;
  readonly #byExchange = new Map<string, HopMeter>();

  constructor(kernel: Kernel, stopwatch: Stopwatch) {
    this.#kernel = kernel;
    this.#stopwatch = stopwatch;
  }

  /** Every exchange that was met, with its meter. */
  all(): Iterable<[string, HopMeter]> {
    return this.#byExchange.entries();
  }

  /** The meter of an exchange; undefined when there is no memory for it. */
  of(exchange: string): HopMeter | undefined {
    const known = this.#byExchange.get(exchange);
    if (known !== undefined) {
      return known;
    }
    const address = this.#kernel.arenaAllocate(2 * HISTOGRAM_BYTES);
    if (address === 0) {
      return undefined;
    }
    const addresses = { publishedRead: address, readSent: address + HISTOGRAM_BYTES };
    const meter = new HopMeter(this.#kernel, this.#stopwatch, addresses);
    this.#byExchange.set(exchange, meter);
    return meter;
  }

  /** The meter of a segment's records. */
  source({ exchange, wallAnchorNs, monotonicAnchorNs }: SegmentHeader): SourceMeter | undefined {
    const meter = this.of(exchange);
    return meter && new SourceMeter(meter, wallAnchorNs + this.#stopwatch.baseNs - monotonicAnchorNs);
  }
}
