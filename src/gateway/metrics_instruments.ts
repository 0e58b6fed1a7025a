/**
 * The metrics of instruments: what their producers counted, read from shared memory, and what the gateway alone knows, from its
 * sample. Counts of all table entries of a name are summed, over the shards of its exchange too.
 * Bad case: an instrument whose producer is gone; its last state stands in the table, and the time not synced goes on.
 */
import { INSTRUMENT_METRICS_REASONS_MAX, STATE_RETIRED, STATE_SYNCED } from "../../assembly/layout.ts";
import { REASON_WORDS, wordOf } from "../model/states.ts";
import { type InstrumentCounters, mapCounters, NO_COUNTERS, type SegmentMetrics } from "../segment/metrics.ts";
import type { InstrumentEntry, SegmentView } from "../segment/view.ts";
import type { Labels, MetricName, MetricValues } from "./metric_families.ts";
import { INSTRUMENT_COLUMNS, type InstrumentColumn } from "./metrics_sample.ts";

const NANOSECONDS = 1e9;

/** What was counted of one instrument. */
type Sums = {
  counters: InstrumentCounters;
  resyncs: number[];
  latencyNs: number | undefined;
  /** Since the last event was received; undefined = none came. */
  ageNs: number | undefined;
};

/** Instruments by `exchange:BASE-QUOTE`. */
export class InstrumentSums {
  readonly #byName = new Map<string, Sums>();

  /** Repairs of a segment by REASON_*, summed over its instruments. */
  readonly resyncs = new Array<number>(INSTRUMENT_METRICS_REASONS_MAX).fill(0);

  /** Takes in every entry of a segment. @param nowNs Unix ns by the producer's clock */
  add(view: SegmentView, metrics: SegmentMetrics, nowNs: bigint): number[] {
    const ofSegment = new Array<number>(INSTRUMENT_METRICS_REASONS_MAX).fill(0);
    for (const entry of view.instruments()) {
      const name = `${view.header.exchange}:${entry.canonical}`;
      const sums = this.#byName.get(name) ?? emptySums();
      this.#byName.set(name, sums);
      const counters = metrics.counters(entry.index);
      const open = openNs(entry, nowNs);
      sums.counters = mapCounters(
        (field) => sums.counters[field] + counters[field] + (field === "notSyncedNs" ? open : 0),
      );
      metrics.resyncs(entry.index).forEach((count, reason) => {
        sums.resyncs[reason] = (sums.resyncs[reason] ?? 0) + count;
        ofSegment[reason] = (ofSegment[reason] ?? 0) + count;
      });
      if (entry.state !== STATE_RETIRED) {
        const receivedAtNs = view.topOfBook(entry.index)?.receivedAtNs ?? 0n;
        sums.ageNs = receivedAtNs === 0n ? undefined : Math.max(Number(nowNs - receivedAtNs), 0);
        sums.latencyNs = metrics.latencyNs(entry.index);
      }
    }
    return ofSegment;
  }

  /** Puts in what was counted. */
  put(values: MetricValues): void {
    for (const [name, { counters, resyncs, latencyNs, ageNs }] of this.#byName) {
      const labels = labelsOf(name);
      const put = (metric: MetricName, value: number | undefined) =>
        values.put(metric, labels, { value: value ?? Number.NaN });
      put("instrument_not_synced_seconds_total", counters.notSyncedNs / NANOSECONDS);
      put("instrument_event_age_seconds", ageNs === undefined ? undefined : ageNs / NANOSECONDS);
      put("instrument_frames_total", counters.frames);
      put("instrument_frame_bytes_total", counters.frameBytes);
      put("instrument_snapshot_bytes_total", counters.snapshotBytes);
      put("instrument_updates_total", counters.updates);
      put("instrument_changes_total", counters.changes);
      put("instrument_records_total", counters.records);
      put("instrument_snapshots_total", counters.snapshots);
      put("instrument_gaps_total", counters.gaps);
      put("instrument_whole_book_bytes_total", counters.wholeBookBytes);
      put("instrument_latency_seconds", latencyNs === undefined ? undefined : Math.max(latencyNs, 0) / NANOSECONDS);
      putResyncs(values, "instrument_resyncs_total", { labels, resyncs });
    }
  }
}

/** Puts in repairs by reason: those that happened, so that the series are few. */
export function putResyncs(
  values: MetricValues,
  name: "instrument_resyncs_total" | "resyncs_total",
  { labels, resyncs }: { labels: Labels; resyncs: readonly number[] },
): void {
  resyncs.forEach((value, reason) => {
    if (value > 0) {
      values.put(name, { ...labels, reason: wordOf(REASON_WORDS, reason) }, { value });
    }
  });
}

/** Puts in what the gateway alone knows. @param rows INSTRUMENT_COLUMNS for each name */
export function putServed(values: MetricValues, names: readonly string[], rows: Float64Array): void {
  const failures = new Map<string, { metric: MetricName; labels: Labels; value: number }>();
  names.forEach((name, index) => {
    const column = (which: InstrumentColumn) =>
      rows[index * INSTRUMENT_COLUMNS.length + INSTRUMENT_COLUMNS.indexOf(which)] ?? 0;
    const labels = labelsOf(name);
    const put = (metric: MetricName, value: number, more: Labels = {}) =>
      values.put(metric, { ...labels, ...more }, { value });
    put("instrument_synced", column("isSynced"));
    put("instrument_levels", column("bids"), { side: "bid" });
    put("instrument_levels", column("asks"), { side: "ask" });
    put("instrument_encoded_bytes_total", column("wireBytes"));
    for (const [baseline, which] of [
      ["exchange_json", "exchangeBytes"],
      ["whole_book", "wholeBookBytes"],
    ] as const) {
      if (column("wireBytes") > 0) {
        put("compression_ratio", column(which) / column("wireBytes"), { baseline });
        put("record_ratio", column(which) / column("recordBytes"), { baseline });
      }
    }
    for (const which of INSTRUMENT_COLUMNS.filter((one) => one.startsWith("failed") || one.startsWith("told"))) {
      const metric = which.startsWith("failed") ? "replica_failures_total" : "client_failures_total";
      const kind = which.replace(/^(failed|told)/, "").toLowerCase();
      const key = `${metric} ${labels.exchange} ${kind}`;
      const before = failures.get(key)?.value ?? 0;
      failures.set(key, { metric, labels: { exchange: labels.exchange, kind }, value: before + column(which) });
    }
  });
  for (const { metric, labels, value } of failures.values()) {
    values.put(metric, labels, { value });
  }
}

function labelsOf(name: string): { exchange: string; symbol: string } {
  const colon = name.indexOf(":");
  return { exchange: name.slice(0, colon), symbol: name.slice(colon + 1) };
}

function emptySums(): Sums {
  const resyncs = new Array<number>(INSTRUMENT_METRICS_REASONS_MAX).fill(0);
  return { counters: NO_COUNTERS, resyncs, latencyNs: undefined, ageNs: undefined };
}

/** Time not synced since the last change of state. */
function openNs({ state, sinceNs }: InstrumentEntry, nowNs: bigint): number {
  const isOpen = state !== STATE_SYNCED && state !== STATE_RETIRED && sinceNs > 0n;
  return isOpen ? Math.max(Number(nowNs - sinceNs), 0) : 0;
}
