/**
 * A sample of the gateway and what stands in shared memory, as the text that Prometheus reads. Runs on the rendering thread; the
 * memory is only read. Bad case: a segment that cannot be trusted any more; it is left out, `segment_up` is missing then.
 */
import { LAYOUT_VERSION } from "../../assembly/layout.ts";
import { HistogramLook, HistogramView } from "../segment/histogram.ts";
import { SegmentMetrics } from "../segment/metrics.ts";
import { SegmentView } from "../segment/view.ts";
import { HOPS, type HopWord } from "../wire/statistics.ts";
import { QUANTILES } from "./latency_window.ts";
import { type MetricName, MetricValues } from "./metric_families.ts";
import { putHistogram } from "./metric_histograms.ts";
import { putBroker } from "./metrics_broker.ts";
import { InstrumentSums, putResyncs, putServed } from "./metrics_instruments.ts";
import type { GatewaySample, MetricsSample } from "./metrics_sample.ts";
import { putBreakers, putProducer, putSegment } from "./metrics_segments.ts";

const NANOSECONDS = 1e9;

/** What the rendering thread sees of its process. */
export type ProcessFigures = {
  readonly cpuUserSeconds: number;
  readonly cpuSystemSeconds: number;
  readonly residentBytes: number;
  readonly nodeVersion: string;
  /** The machine's monotonic clock, ns. */
  readonly monotonicNs: bigint;
  /** Any clock in ms that goes forward. */
  readonly nowMs: () => number;
};

/** Renders samples of one gateway, one after the other. */
export class MetricsText {
  readonly #buffer: ArrayBufferLike;
  #names: readonly string[] = [];

  /** @param buffer of the memory that segments and histograms lie in */
  constructor(buffer: ArrayBufferLike) {
    this.#buffer = buffer;
  }

  /** The exposition. */
  render(sample: MetricsSample, figures: ProcessFigures): Promise<string> {
    const startedAtMs = figures.nowMs();
    this.#names = sample.names ?? this.#names;
    const values = new MetricValues();
    putProcess(values, sample.gateway, figures);
    putClients(values, sample.gateway);
    this.#putSegments(values, sample, figures.monotonicNs);
    putServed(values, this.#names, sample.rows);
    this.#putThread(values, sample.gateway);
    putRecent(values, sample);
    for (const [event, value] of Object.entries(sample.arbitrage ?? {})) {
      values.put(...arbitrageName(event), { value });
    }
    if (sample.broker !== undefined) {
      putBroker(values, sample.broker);
    }
    values.put("metrics_render_seconds", {}, { value: (figures.nowMs() - startedAtMs) / 1000 });
    return values.text();
  }

  #putSegments(values: MetricValues, sample: MetricsSample, monotonicNs: bigint): void {
    const hops = new HopSums();
    const instruments = new InstrumentSums();
    for (const segment of sample.segments) {
      const view = this.#view(segment.address);
      if (view === undefined) {
        continue;
      }
      putSegment(values, view, segment);
      putBreakers(values, this.#buffer, view);
      const metrics = SegmentMetrics.of(this.#buffer, view);
      if (metrics === undefined) {
        continue;
      }
      const { exchange, shardIndex, shardCount, wallAnchorNs, monotonicAnchorNs } = view.header;
      const thread = shardCount > 1 ? `${exchange}.${shardIndex}` : exchange;
      putProducer(values, { view, metrics, thread });
      const resyncs = instruments.add(view, metrics, wallAnchorNs + monotonicNs - monotonicAnchorNs);
      putResyncs(values, "resyncs_total", { labels: { exchange, shard: shardIndex }, resyncs });
      for (const hop of ["exchange_received", "decode", "received_published"] as const) {
        hops.add(exchange, hop, metrics.histogram(hop).look());
      }
    }
    for (const { exchange, publishedRead, readSent } of sample.hops) {
      hops.add(exchange, "published_read", new HistogramView(this.#buffer, publishedRead).look());
      hops.add(exchange, "read_sent", new HistogramView(this.#buffer, readSent).look());
    }
    instruments.put(values);
    hops.put(values);
  }

  #view(address: number): SegmentView | undefined {
    try {
      return new SegmentView(this.#buffer, address);
    } catch (error) {
      if (error instanceof RangeError) {
        return undefined;
      }
      throw error;
    }
  }

  #putThread(values: MetricValues, { pauses, delays, heapUsedBytes }: GatewaySample): void {
    if (pauses !== 0) {
      const labels = { thread: "gateway" };
      values.put("heap_used_bytes", labels, { value: heapUsedBytes });
      putHistogram(values, "gc_pause_seconds", { labels, look: new HistogramView(this.#buffer, pauses).look() });
      putHistogram(values, "event_loop_delay_seconds", {
        labels,
        look: new HistogramView(this.#buffer, delays).look(),
      });
    }
  }
}

/** Hops by exchange; shards of one exchange are one. */
class HopSums {
  readonly #looks = new Map<string, { exchange: string; hop: HopWord; look: HistogramLook }>();

  add(exchange: string, hop: HopWord, look: HistogramLook): void {
    const key = `${exchange} ${HOPS.indexOf(hop)}`;
    const sum = this.#looks.get(key) ?? { exchange, hop, look: new HistogramLook() };
    sum.look.add(look);
    this.#looks.set(key, sum);
  }

  put(values: MetricValues): void {
    for (const { exchange, hop, look } of this.#looks.values()) {
      const labels = { exchange, hop };
      putHistogram(values, "hop_seconds", { labels, look });
      values.put("hop_max_seconds", labels, { value: look.maxNs / NANOSECONDS });
      values.put("hop_negative_total", labels, { value: look.negative });
      values.put("hop_unknown_total", labels, { value: look.unknown });
    }
  }
}

function putProcess(values: MetricValues, gateway: GatewaySample, figures: ProcessFigures): void {
  const { server, kernel, transport, uptimeMs } = gateway;
  const version = server.slice(server.indexOf("/") + 1);
  const build = { version, node: figures.nodeVersion, kernel, transport, layout: LAYOUT_VERSION };
  values.put("build_info", build, { value: 1 });
  values.put("uptime_seconds", {}, { value: uptimeMs / 1000 });
  values.put("process_cpu_seconds_total", { mode: "user" }, { value: figures.cpuUserSeconds });
  values.put("process_cpu_seconds_total", { mode: "system" }, { value: figures.cpuSystemSeconds });
  values.put("process_resident_bytes", {}, { value: figures.residentBytes });
}

function putClients(values: MetricValues, gateway: GatewaySample): void {
  const { clients, totals, drops, refusals } = gateway;
  const put = (name: MetricName, value: number) => values.put(name, {}, { value });
  put(
    "clients",
    Object.values(clients).reduce((sum, count) => sum + count, 0),
  );
  put("client_backlog_bytes", gateway.backlogBytes);
  put("client_backlog_bytes_max", gateway.backlogBytesMax);
  put("gateway_bytes_in_total", totals.bytesIn);
  put("gateway_bytes_out_total", totals.bytesOut);
  put("gateway_frames_out_total", totals.framesOut);
  put("gateway_wire_frames_total", totals.wireFrames);
  put("client_slow_total", totals.slowTimes);
  put("client_conflated_updates_total", totals.conflatedUpdates);
  put("client_resumes_total", totals.resumes);
  put("client_resets_total", totals.resets);
  put("client_protocol_errors_total", totals.protocolErrors);
  for (const [state, value] of Object.entries(clients)) {
    values.put("clients_by_state", { state }, { value });
  }
  for (const [state, value] of Object.entries(drops)) {
    values.put("client_drops_total", { state }, { value });
  }
  for (const [reason, value] of Object.entries(refusals)) {
    values.put("client_refusals_total", { reason }, { value });
  }
}

function putRecent(values: MetricValues, { recent }: MetricsSample): void {
  for (const { exchange, hop, quantilesNs } of recent) {
    quantilesNs.forEach((value, index) => {
      const quantile = String(QUANTILES[index]);
      values.put("hop_quantile_seconds", { exchange, hop, quantile }, { value: value / NANOSECONDS });
    });
  }
}

function arbitrageName(event: string): [MetricName, Record<string, string>] {
  return event === "open" ? ["arbitrage_open", {}] : ["arbitrage_events_total", { event }];
}
