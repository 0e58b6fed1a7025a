/**
 * What a collector measures beside the kernel: how long frames take, and how far the exchange's clock is from ours. Figures go
 * into the metrics part of its segment, where whoever reads the segment finds them.
 * Bad case: a clock without fine steps; decode times are then whole microseconds.
 */
import { METRICS_DECODE } from "../../assembly/layout.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { MetricsHead } from "../segment/metrics_head.ts";
import type { SegmentWriter } from "../segment/writer.ts";
import type { FeedClock } from "./clock.ts";
import { ClockOffset } from "./clock_offset.ts";

/** The figures of one collector. Thread: the collector's. */
export class FeedMetrics {
  readonly #kernel: Kernel;
  readonly #clock: FeedClock;
  readonly #head: MetricsHead;
  readonly #decode: number;
  readonly #offset = new ClockOffset();

  constructor(options: { kernel: Kernel; segment: SegmentWriter; clock: FeedClock }) {
    this.#kernel = options.kernel;
    this.#clock = options.clock;
    this.#head = new MetricsHead(options.kernel.buffer, options.segment.metricsAddress);
    this.#decode = options.segment.metricsAddress + METRICS_DECODE;
  }

  /** A frame was decoded, applied and settled. @param elapsedNs since it arrived */
  decoded(elapsedNs: number): void {
    this.#kernel.histogramRecord(this.#decode, elapsedNs);
  }

  /** A REST answer came. @param askedAt ns of the clock @param date its `date` header, null when there was none */
  answered(askedAt: number, date: string | null): void {
    const datedMs = date === null ? Number.NaN : Date.parse(date);
    if (Number.isFinite(datedMs)) {
      const arrivedAt = this.#clock.now();
      // Of Unix ns a double would lose what is compared here: everything is relative to the anchor.
      const datedNs = Number(BigInt(datedMs) * 1_000_000n - this.#clock.anchorNs);
      this.#offset.answered(arrivedAt / 1e6, { askedNs: askedAt, arrivedNs: arrivedAt, datedNs });
      this.#apply(arrivedAt / 1e6);
    }
  }

  /** Takes in what the kernel saw since the last call. @param now ns of the clock */
  tick(now: number): void {
    const leastNs = this.#head.takeLeastDelay();
    if (leastNs !== undefined) {
      this.#offset.delayed(now / 1e6, leastNs);
      this.#apply(now / 1e6);
    }
  }

  #apply(atMs: number): void {
    this.#head.setClock(this.#offset.bounds(atMs));
  }
}
