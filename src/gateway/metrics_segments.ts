/**
 * The metrics of segments and of the instruments in them, read from shared memory on the rendering thread. An instrument that
 * was given another id goes on: the counts of all its entries are summed.
 * Bad case: a segment that is replaced while it is read; its header no longer holds, and it is left out of this answer.
 */
import {
  COUNTER_AUDIT_FAILURES,
  COUNTER_AUDIT_MISMATCHES,
  COUNTER_AUDITS,
  COUNTER_AUDITS_INCONCLUSIVE,
  COUNTER_BOOK_UPDATES,
  COUNTER_BUFFER_OVERFLOWS,
  COUNTER_BUFFERED_FRAMES,
  COUNTER_CHANGES,
  COUNTER_CHECKSUM_BAD,
  COUNTER_CHECKSUM_OK,
  COUNTER_CONTROL_FRAMES,
  COUNTER_CROSSED,
  COUNTER_DECODE_ERRORS,
  COUNTER_DRIFTS,
  COUNTER_FRAME_BYTES,
  COUNTER_FRAMES,
  COUNTER_GAPS,
  COUNTER_HEARTBEATS,
  COUNTER_IGNORED_FRAMES,
  COUNTER_IMAGES,
  COUNTER_LEVEL_ENTRIES,
  COUNTER_LIMITS,
  COUNTER_NO_CHANGES,
  COUNTER_NOT_SYNCED_FRAMES,
  COUNTER_OVERFLOWS,
  COUNTER_RECONNECTS,
  COUNTER_RECORDS,
  COUNTER_RESCALES,
  COUNTER_REST_FAILURES,
  COUNTER_REST_REQUESTS,
  COUNTER_SNAPSHOTS,
  COUNTER_STALE_FRAMES,
  COUNTER_TRADE_DUPLICATES,
  COUNTER_TRADE_GAPS,
  COUNTER_TRADES,
  COUNTER_UNKNOWN_INSTRUMENTS,
  COUNTER_UNKNOWN_KINDS,
} from "../../assembly/layout.ts";
import { readEndpoints } from "../segment/endpoints.ts";
import type { SegmentMetrics } from "../segment/metrics.ts";
import type { SegmentView } from "../segment/view.ts";
import { CONNECTION_WORDS } from "../wire/statistics.ts";
import type { Labels, MetricName, MetricValues } from "./metric_families.ts";
import { putHistogram } from "./metric_histograms.ts";
import type { SegmentSample } from "./metrics_sample.ts";

const NANOSECONDS = 1e9;

const COUNTERS: readonly (readonly [MetricName, number, Labels?])[] = [
  ["frames_total", COUNTER_FRAMES],
  ["frame_bytes_total", COUNTER_FRAME_BYTES],
  ["frames_set_aside_total", COUNTER_IGNORED_FRAMES, { why: "ignored" }],
  ["frames_set_aside_total", COUNTER_HEARTBEATS, { why: "heartbeat" }],
  ["frames_set_aside_total", COUNTER_CONTROL_FRAMES, { why: "control" }],
  ["frames_set_aside_total", COUNTER_BUFFERED_FRAMES, { why: "buffered" }],
  ["frames_set_aside_total", COUNTER_STALE_FRAMES, { why: "stale" }],
  ["frames_set_aside_total", COUNTER_NOT_SYNCED_FRAMES, { why: "not_synced" }],
  ["frames_set_aside_total", COUNTER_UNKNOWN_KINDS, { why: "unknown_kind" }],
  ["frames_set_aside_total", COUNTER_UNKNOWN_INSTRUMENTS, { why: "unknown_instrument" }],
  ["frames_set_aside_total", COUNTER_DECODE_ERRORS, { why: "decode_error" }],
  ["frames_set_aside_total", COUNTER_LIMITS, { why: "limit" }],
  ["book_updates_total", COUNTER_BOOK_UPDATES],
  ["snapshots_total", COUNTER_SNAPSHOTS],
  ["trades_total", COUNTER_TRADES],
  ["level_entries_total", COUNTER_LEVEL_ENTRIES],
  ["changes_total", COUNTER_CHANGES],
  ["no_changes_total", COUNTER_NO_CHANGES],
  ["records_total", COUNTER_RECORDS],
  ["checksums_total", COUNTER_CHECKSUM_OK, { result: "ok" }],
  ["checksums_total", COUNTER_CHECKSUM_BAD, { result: "bad" }],
  ["gaps_total", COUNTER_GAPS],
  ["trade_gaps_total", COUNTER_TRADE_GAPS],
  ["trade_duplicates_total", COUNTER_TRADE_DUPLICATES],
  ["crossed_total", COUNTER_CROSSED],
  ["rescales_total", COUNTER_RESCALES],
  ["overflows_total", COUNTER_OVERFLOWS],
  ["drifts_total", COUNTER_DRIFTS],
  ["images_total", COUNTER_IMAGES],
  ["buffer_overflows_total", COUNTER_BUFFER_OVERFLOWS],
  ["reconnects_total", COUNTER_RECONNECTS],
  ["rest_requests_total", COUNTER_REST_REQUESTS],
  ["rest_failures_total", COUNTER_REST_FAILURES],
  ["audits_total", COUNTER_AUDIT_MISMATCHES, { result: "mismatch" }],
  ["audits_total", COUNTER_AUDITS_INCONCLUSIVE, { result: "inconclusive" }],
  ["audits_total", COUNTER_AUDIT_FAILURES, { result: "failed" }],
];

/** Puts in what a segment counted, and how the gateway reads it. */
export function putSegment(values: MetricValues, view: SegmentView, sample: SegmentSample): void {
  const { exchange, shardIndex, deltaCapacity, tradeCapacity } = view.header;
  const labels = { exchange, shard: shardIndex };
  const put = (name: MetricName, value: number, more: Labels = {}) =>
    values.put(name, { ...labels, ...more }, { value });
  for (const [name, counter, more] of COUNTERS) {
    put(name, view.counter(counter), more);
  }
  // The counter holds every verdict.
  const matches = view.counter(COUNTER_AUDITS) - view.counter(COUNTER_AUDIT_MISMATCHES);
  put("audits_total", Math.max(matches, 0), { result: "match" });
  put("segment_up", sample.isUp ? 1 : 0);
  for (const state of CONNECTION_WORDS) {
    put("connection_state", sample.connection === state ? 1 : 0, { state });
  }
  put("instruments", sample.instruments, { state: "all" });
  put("instruments", sample.synced, { state: "synced" });
  const rings = [
    { ring: "deltas", capacity: deltaCapacity, tail: view.deltaTail },
    { ring: "trades", capacity: tradeCapacity, tail: view.tradeTail },
  ] as const;
  for (const { ring, capacity, tail } of rings) {
    put("ring_capacity_records", capacity, { ring });
    put("ring_published_total", tail, { ring });
    put("ring_utilisation_ratio", sample.behind[ring] / capacity, { ring });
    put("ring_lost_records_total", sample.lost[ring], { ring });
  }
  put("joins_total", sample.joins);
  put("join_failures_total", sample.joinFailures);
  put("readers", sample.readers ?? Number.NaN);
}

/** Puts in how the circuit breakers of the exchange's addresses stand. @param buffer of the memory that the segment lies in */
export function putBreakers(values: MetricValues, buffer: ArrayBufferLike, view: SegmentView): void {
  const { exchange, shardIndex: shard } = view.header;
  for (const { address: endpoint, state, openings, attempts, failures } of readEndpoints(buffer, view.address)) {
    const labels = { exchange, shard, endpoint };
    values.put("breaker_state", labels, { value: state });
    values.put("breaker_openings_total", labels, { value: openings });
    values.put("breaker_attempts_total", labels, { value: attempts });
    values.put("breaker_failures_total", labels, { value: failures });
  }
}

/** Puts in the clock, the thread and its pauses. @param thread a name that no other segment has */
export function putProducer(
  values: MetricValues,
  { view, metrics, thread }: { view: SegmentView; metrics: SegmentMetrics; thread: string },
): void {
  const labels = { exchange: view.header.exchange, shard: view.header.shardIndex };
  const { offsetNs, lowNs, highNs, heapUsedBytes } = metrics.head();
  values.put("clock_offset_seconds", labels, { value: offsetNs / NANOSECONDS });
  const bound = (word: string, value: number | undefined) =>
    values.put(
      "clock_offset_bound_seconds",
      { ...labels, bound: word },
      { value: (value ?? Number.NaN) / NANOSECONDS },
    );
  bound("lower", lowNs);
  bound("upper", highNs);
  if (heapUsedBytes > 0) {
    values.put("heap_used_bytes", { thread }, { value: heapUsedBytes });
    putHistogram(values, "gc_pause_seconds", { labels: { thread }, look: metrics.histogram("gc_pause").look() });
    putHistogram(values, "event_loop_delay_seconds", {
      labels: { thread },
      look: metrics.histogram("loop_delay").look(),
    });
  }
}
