/**
 * Every metric by name: its type, its unit and what it means; and the registry of prom-client that writes them out. Values are
 * put in for one answer and forgotten with it, because they stand in shared memory. Runs on the rendering thread.
 * Bad case: a name that is not declared here; the compiler refuses it.
 */
import { Gauge, Registry } from "prom-client";

type Kind = "counter" | "gauge" | "histogram";

/** Of instruments: labels exchange and symbol. */
const INSTRUMENT_METRICS = {
  instrument_synced: [
    "gauge",
    "1 = the book is right by the exchange's rule, and here it equals the producer's",
    "exchange, symbol",
  ],
  instrument_not_synced_seconds_total: [
    "counter",
    "Time that the book was not synced at its producer",
    "exchange, symbol",
  ],
  instrument_event_age_seconds: ["gauge", "Since the last event of the book was received", "exchange, symbol"],
  instrument_levels: ["gauge", "Levels of the book, by side", "exchange, symbol, side"],
  instrument_frames_total: ["counter", "Frames of the exchange that named the instrument", "exchange, symbol"],
  instrument_frame_bytes_total: ["counter", "Bytes of those frames", "exchange, symbol"],
  instrument_updates_total: ["counter", "Book messages of the exchange, snapshots left out", "exchange, symbol"],
  instrument_snapshot_bytes_total: ["counter", "The part of the frames' bytes that was snapshots", "exchange, symbol"],
  instrument_changes_total: ["counter", "Levels that changed", "exchange, symbol"],
  instrument_records_total: ["counter", "Delta records", "exchange, symbol"],
  instrument_snapshots_total: ["counter", "Snapshots of the exchange that were applied", "exchange, symbol"],
  instrument_gaps_total: ["counter", "Losses that the exchange's sequence showed", "exchange, symbol"],
  instrument_resyncs_total: ["counter", "Repairs of the book, by reason", "exchange, symbol, reason"],
  instrument_latency_seconds: [
    "gauge",
    "Exchange to published of the last update, clock offset taken off",
    "exchange, symbol",
  ],
  instrument_encoded_bytes_total: [
    "counter",
    "Binary stream of all levels for one client, WebSocket headers included",
    "exchange, symbol",
  ],
  instrument_whole_book_bytes_total: [
    "counter",
    "What it would have cost to send the whole book at every update",
    "exchange, symbol",
  ],
  compression_ratio: [
    "gauge",
    "Bytes of a baseline divided by bytes of the binary stream, since the gateway serves it",
    "exchange, symbol, baseline",
  ],
  record_ratio: [
    "gauge",
    "Bytes of a baseline divided by bytes of delta records, since the gateway serves it",
    "exchange, symbol, baseline",
  ],
} as const;

/** Of segments: labels exchange and shard. */
const SEGMENT_METRICS = {
  segment_up: ["gauge", "1 = the producer lives", "exchange, shard"],
  connection_state: ["gauge", "1 for the state that the collector's connection is in", "exchange, shard, state"],
  instruments: ["gauge", "Instruments served, all and those that are synced", "exchange, shard, state"],
  frames_total: [
    "counter",
    "Frames of the exchange that were decoded; one that waited for its snapshot twice",
    "exchange, shard",
  ],
  frame_bytes_total: ["counter", "Bytes of those frames", "exchange, shard"],
  frames_set_aside_total: ["counter", "Frames that changed no book, by why", "exchange, shard, why"],
  book_updates_total: ["counter", "Book messages of the exchange", "exchange, shard"],
  snapshots_total: ["counter", "Snapshots of the exchange that were applied", "exchange, shard"],
  trades_total: ["counter", "Trades recorded", "exchange, shard"],
  level_entries_total: ["counter", "Levels that messages named", "exchange, shard"],
  changes_total: ["counter", "Levels that changed", "exchange, shard"],
  no_changes_total: ["counter", "Levels that messages named and that were so already", "exchange, shard"],
  records_total: ["counter", "Delta records", "exchange, shard"],
  checksums_total: ["counter", "Checksums of the exchange that were compared, by result", "exchange, shard, result"],
  gaps_total: ["counter", "Losses that the exchange's sequence showed", "exchange, shard"],
  trade_gaps_total: ["counter", "Jumps of trade ids", "exchange, shard"],
  trade_duplicates_total: ["counter", "Trades that came again", "exchange, shard"],
  crossed_total: ["counter", "Events that left a book crossed", "exchange, shard"],
  rescales_total: ["counter", "Books that were given more decimals", "exchange, shard"],
  overflows_total: ["counter", "Numbers that no 64-bit integer holds", "exchange, shard"],
  drifts_total: ["counter", "Times that an exchange's frames took another form", "exchange, shard"],
  images_total: ["counter", "Book images written", "exchange, shard"],
  buffer_overflows_total: ["counter", "Events that waited for a snapshot and found no room", "exchange, shard"],
  reconnects_total: ["counter", "Connections that were replaced", "exchange, shard"],
  rest_requests_total: ["counter", "Requests to the exchange's REST interface", "exchange, shard"],
  rest_failures_total: ["counter", "Requests without a usable answer", "exchange, shard"],
  breaker_state: ["gauge", "Of an address: 0 = closed, 1 = half-open, 2 = open", "exchange, shard, endpoint"],
  breaker_openings_total: ["counter", "Times that an address was left alone", "exchange, shard, endpoint"],
  breaker_attempts_total: ["counter", "Connections and requests begun at an address", "exchange, shard, endpoint"],
  breaker_failures_total: ["counter", "Those that the address refused or left", "exchange, shard, endpoint"],
  audits_total: ["counter", "Audits of books against REST, by result", "exchange, shard, result"],
  resyncs_total: ["counter", "Repairs of books, by reason", "exchange, shard, reason"],
  clock_offset_seconds: ["gauge", "Our clock minus the exchange's as far as it is proved", "exchange, shard"],
  clock_offset_bound_seconds: [
    "gauge",
    "Between these bounds our clock minus the exchange's is proved to be",
    "exchange, shard, bound",
  ],
  ring_capacity_records: ["gauge", "Records that a ring holds", "exchange, shard, ring"],
  ring_published_total: ["counter", "Records published", "exchange, shard, ring"],
  ring_utilisation_ratio: [
    "gauge",
    "What this gateway has not read yet, as a part of the ring",
    "exchange, shard, ring",
  ],
  ring_lost_records_total: ["counter", "Records that this gateway lost by being overtaken", "exchange, shard, ring"],
  readers: ["gauge", "Readers in other processes", "exchange, shard"],
  joins_total: ["counter", "Books that this gateway loaded from images", "exchange, shard"],
  join_failures_total: ["counter", "Images or records that did not hold", "exchange, shard"],
} as const;

/** Of the broker that is read in place of segments, and of the collectors that publish there. */
const BROKER_METRICS = {
  nats_connected: ["gauge", "1 = the broker answers", ""],
  nats_attempts_total: ["counter", "Attempts to connect to the broker, from the first on", ""],
  nats_disconnects_total: ["counter", "Times that the broker was away", ""],
  nats_reconnects_total: ["counter", "Times that it came back", ""],
  nats_messages_total: ["counter", "Messages read", ""],
  nats_bytes_total: ["counter", "Bytes of those messages", ""],
  nats_missed_total: ["counter", "Messages that the broker had forgotten when they were read", ""],
  nats_read_restarts_total: ["counter", "Reads that were begun again", ""],
  nats_lag_messages: ["gauge", "Messages that collectors know to be stored and that were not read yet", ""],
  nats_refused_total: ["counter", "Messages that could not be used", "exchange"],
  nats_collectors: ["gauge", "Collectors that are heard and whose records are not behind", "exchange"],
  nats_records_total: ["counter", "Records read, from all collectors", "exchange, ring"],
  nats_merged_total: ["counter", "What became of them, by kind", "exchange, kind"],
  nats_publisher_messages_total: [
    "counter",
    "Messages sent by a collector, whole books included",
    "exchange, collector",
  ],
  nats_publisher_bytes_total: ["counter", "Bytes of those messages", "exchange, collector"],
  nats_publisher_records_total: [
    "counter",
    "Records sent; those read from the ring again count again",
    "exchange, collector, ring",
  ],
  nats_publisher_snapshots_total: ["counter", "Whole books sent", "exchange, collector"],
  nats_publisher_lost_records_total: [
    "counter",
    "Records that the ring forgot before the broker stored them",
    "exchange, collector, ring",
  ],
  nats_publisher_rewinds_total: [
    "counter",
    "Times that the ring was read again from what was stored",
    "exchange, collector",
  ],
  nats_publisher_attempts_total: [
    "counter",
    "Attempts of the collector to come back to the broker",
    "exchange, collector",
  ],
  nats_publisher_reconnects_total: ["counter", "Times that it came back", "exchange, collector"],
  nats_publisher_under_way_bytes: ["gauge", "Bytes sent that the broker has not stored yet", "exchange, collector"],
} as const;

/** Of hops, threads, clients and the gateway. */
const OTHER_METRICS = {
  build_info: ["gauge", "1; the labels say what runs", "version, node, kernel, transport, layout"],
  uptime_seconds: ["gauge", "Since the gateway started", ""],
  process_cpu_seconds_total: ["counter", "Of the gateway's process", "mode"],
  process_resident_bytes: ["gauge", "Of the gateway's process", ""],
  heap_used_bytes: ["gauge", "V8 heap of a thread", "thread"],
  gc_pause_seconds: ["histogram", "Garbage collector pauses of a thread", "thread"],
  event_loop_delay_seconds: ["histogram", "How late a thread serves a timer of 100 ms", "thread"],
  hop_seconds: ["histogram", "How long events take from hop to hop", "exchange, hop"],
  hop_quantile_seconds: [
    "gauge",
    "The same as quantiles of the last 10 to 20 seconds, within 2 %",
    "exchange, hop, quantile",
  ],
  hop_max_seconds: ["gauge", "The largest since segment or gateway began; at most 275", "exchange, hop"],
  hop_negative_total: ["counter", "Events that went backwards in time: clocks disagree", "exchange, hop"],
  hop_unknown_total: ["counter", "Events without the time that is needed", "exchange, hop"],
  clients: ["gauge", "Clients connected", ""],
  clients_by_state: ["gauge", "Clients by how they keep up", "state"],
  client_backlog_bytes: ["gauge", "What waits for all clients together", ""],
  client_backlog_bytes_max: ["gauge", "What waits for the one that waits most", ""],
  gateway_bytes_in_total: ["counter", "Payload bytes of clients", ""],
  gateway_bytes_out_total: ["counter", "Payload bytes to clients", ""],
  gateway_frames_out_total: ["counter", "Frames delivered, once per client", ""],
  gateway_wire_frames_total: ["counter", "Frames published, whatever the number of clients", ""],
  client_slow_total: ["counter", "Times that a client was taken off its topics", ""],
  client_conflated_updates_total: ["counter", "Updates that merged what a client missed", ""],
  client_resumes_total: ["counter", "Reconnects that went on where they had stopped", ""],
  client_resets_total: ["counter", "Subscriptions that began anew", ""],
  client_protocol_errors_total: ["counter", "Messages of clients that break the protocol", ""],
  client_drops_total: ["counter", "Messages that the transport dropped, by the client's state", "state"],
  client_refusals_total: ["counter", "Connections and requests refused, by reason", "reason"],
  replica_failures_total: ["counter", "Checks that failed in this gateway's books, by kind", "exchange, kind"],
  client_failures_total: ["counter", "Checks that failed in books of clients, by what they said", "exchange, kind"],
  arbitrage_events_total: ["counter", "What the arbitrage detector did, by kind", "event"],
  arbitrage_open: ["gauge", "Opportunities open", ""],
  metrics_render_seconds: ["gauge", "How long the rendering thread took to collect this answer", ""],
} as const;

const DECLARATIONS = { ...INSTRUMENT_METRICS, ...SEGMENT_METRICS, ...BROKER_METRICS, ...OTHER_METRICS };
/** A metric without the prefix. */
export type MetricName = keyof typeof DECLARATIONS;
/** Labels of one value. */
export type Labels = Readonly<Record<string, string | number>>;

/** All of them, with their names as they are exposed. */
export const METRICS: readonly { name: string; kind: Kind; meaning: string; labels: string }[] = Object.entries(
  DECLARATIONS,
).map(([name, [kind, meaning, labels]]) => ({ name: `alphapulse_${name}`, kind, meaning, labels }));

/** All names, as they are exposed. */
export const METRIC_NAMES: readonly string[] = METRICS.map(({ name }) => name);

type Value = { readonly metricName: string; readonly labels: Labels; readonly value: number };

/** The values of one answer. */
export class MetricValues {
  readonly #values = new Map<MetricName, Value[]>();

  /** Puts a value in. What is no finite number is left out. @param suffix of histograms: `_bucket`, `_sum`, `_count` */
  put(name: MetricName, labels: Labels, { value, suffix = "" }: { value: number; suffix?: string }): void {
    if (Number.isFinite(value)) {
      const values = this.#values.get(name) ?? [];
      values.push({ metricName: `alphapulse_${name}${suffix}`, labels, value });
      this.#values.set(name, values);
    }
  }

  /** The exposition, in the order of the declarations. */
  text(): Promise<string> {
    const registry = new Registry();
    for (const name of Object.keys(DECLARATIONS) as MetricName[]) {
      const values = this.#values.get(name);
      if (values !== undefined) {
        const [kind, help] = DECLARATIONS[name];
        registry.registerMetric(new ShownMetric({ name: `alphapulse_${name}`, help, kind, values }));
      }
    }
    return registry.metrics();
  }
}

/** A metric whose values were counted elsewhere: prom-client writes it out. */
class ShownMetric extends Gauge {
  readonly #shown: { readonly kind: Kind; readonly values: readonly Value[] };
  readonly #names: { readonly name: string; readonly help: string };

  constructor(options: { name: string; help: string; kind: Kind; values: readonly Value[] }) {
    const { name, help, kind, values } = options;
    super({ name, help, registers: [] });
    this.#names = { name, help };
    this.#shown = { kind, values };
  }

  override get(): ReturnType<Gauge["get"]> {
    const { kind, values } = this.#shown;
    const shown = { ...this.#names, type: kind, values, aggregator: "sum" };
    // The library declares its kinds as numbers and writes what stands there: words, as its own metrics have them.
    return Promise.resolve(shown) as unknown as ReturnType<Gauge["get"]>;
  }
}
