/**
 * The recent past of every hop, by exchange: those of the collectors from their segments, those of this gateway from its own
 * histograms; shards of one exchange are one. Looked at once a second, whoever asks gets the last look.
 * Bad case: a segment that is replaced; its histograms begin anew, and the window with them.
 */
import { HistogramLook, HistogramView } from "../segment/histogram.ts";
import { SegmentMetrics } from "../segment/metrics.ts";
import type { SegmentView } from "../segment/view.ts";
import { HOPS, type HopStats, type HopWord } from "../wire/statistics.ts";
import type { HopMeters } from "./hop_meter.ts";
import { type LatencyFigures, LatencyWindow } from "./latency_window.ts";
import type { RecentSample } from "./metrics_sample.ts";

const SEGMENT_HOPS = ["exchange_received", "decode", "received_published"] as const;

/** The figures of one gateway. */
export class HopFigures {
  readonly #buffer: ArrayBufferLike;
  readonly #meters: HopMeters | undefined;
  readonly #windows = new Map<string, LatencyWindow>();
  readonly #figures = new Map<string, Map<HopWord, LatencyFigures>>();

  constructor(buffer: ArrayBufferLike, meters: HopMeters | undefined) {
    this.#buffer = buffer;
    this.#meters = meters;
  }

  /** Looks at every histogram. Cost: some microseconds for each. @param nowMs Unix ms */
  look(views: readonly SegmentView[], nowMs: number): void {
    const looks = new Map<string, Map<HopWord, HistogramLook>>();
    const note = (exchange: string, hop: HopWord, look: HistogramLook) => {
      const hops = looks.get(exchange) ?? new Map<HopWord, HistogramLook>();
      const sum = hops.get(hop) ?? new HistogramLook();
      sum.add(look);
      looks.set(exchange, hops.set(hop, sum));
    };
    for (const view of views) {
      const metrics = SegmentMetrics.of(this.#buffer, view);
      for (const hop of metrics === undefined ? [] : SEGMENT_HOPS) {
        note(view.header.exchange, hop, metrics?.histogram(hop).look() ?? new HistogramLook());
      }
    }
    for (const [exchange, meter] of this.#meters?.all() ?? []) {
      note(exchange, "published_read", new HistogramView(this.#buffer, meter.publishedRead).look());
      note(exchange, "read_sent", new HistogramView(this.#buffer, meter.readSent).look());
    }
    this.#figures.clear();
    for (const [exchange, hops] of looks) {
      const figures = [...hops].map(([hop, look]) => [hop, this.#window(exchange, hop).read(look, nowMs)] as const);
      this.#figures.set(exchange, new Map(figures));
    }
  }

  /** What was measured of an exchange lately. */
  of(exchange: string): HopStats[] {
    const hops = this.#figures.get(exchange);
    return HOPS.flatMap((hop) => {
      const figures = hops?.get(hop);
      return figures === undefined || figures.count === 0 ? [] : [statsOf(hop, figures)];
    });
  }

  /** The same for metrics; hops without events lately are left out. */
  recent(): RecentSample[] {
    return [...this.#figures].flatMap(([exchange, hops]) =>
      [...hops]
        .filter(([, { count }]) => count > 0)
        .map(([hop, { quantilesNs }]) => ({ exchange, hop, quantilesNs: [...quantilesNs] })),
    );
  }

  #window(exchange: string, hop: HopWord): LatencyWindow {
    const key = `${exchange} ${hop}`;
    const window = this.#windows.get(key) ?? new LatencyWindow();
    this.#windows.set(key, window);
    return window;
  }
}

function statsOf(hop: HopWord, { count, quantilesNs, maxNs }: LatencyFigures): HopStats {
  const [p50 = 0, p95 = 0, p99 = 0, p999 = 0] = quantilesNs.map(microseconds);
  return { hop, count, p50, p95, p99, p999, max: microseconds(maxNs) };
}

/** To a hundredth. */
function microseconds(nanoseconds: number): number {
  return Math.round(nanoseconds / 10) / 100;
}
