/**
 * Exchanges as REST tells them: the segments of an exchange together, what it offers, how fast it is.
 * Bad case: a segment of an exchange that this build does not know; its features are then not known either.
 */
import { ASSURANCE_CHECKSUM, ASSURANCE_INFERRED, ASSURANCE_SEQUENCE } from "../../../assembly/layout.ts";
import { EXCHANGES } from "../../exchanges/mod.ts";
import { resolveExchangeId } from "../../model/exchange_id.ts";
import type { AnswerOf } from "../../rest/operations.ts";
import { HistogramLook } from "../../segment/histogram.ts";
import { type SegmentHistogram, SegmentMetrics } from "../../segment/metrics.ts";
import { CONNECTION_WORDS, type ConnectionWord, type ExchangeStats, type StatsMessage } from "../../wire/statistics.ts";
import type { SegmentSource } from "../segment_source.ts";
import { connectionWord } from "../statistics.ts";
import { endpointAnswers } from "./endpoint_answers.ts";
import type { QuantileFigures } from "./parts.ts";

type ExchangeAnswer = AnswerOf<"listExchanges">["exchanges"][number];

const NS_PER_US = 1000;
const NS_PER_MS = 1_000_000n;
/** How bad a connection is, worst first. */
const WORST_FIRST: readonly ConnectionWord[] = [
  "closed",
  "superseded",
  "stale",
  "disconnected",
  "initialising",
  "connecting",
  "connected",
];

/** What they are made from. */
export type ExchangeGround = {
  readonly buffer: ArrayBufferLike;
  readonly sources: readonly SegmentSource[];
  readonly stats: StatsMessage;
  readonly nowMs: number;
};

/** All exchanges, in the order of their segments. */
export function exchangeAnswers(ground: ExchangeGround): AnswerOf<"listExchanges"> {
  const names = [...new Set(ground.sources.map(({ view }) => view.header.exchange))];
  return { exchanges: names.map((name) => exchangeAnswer(name, ground)) };
}

function exchangeAnswer(exchange: string, { buffer, sources, stats, nowMs }: ExchangeGround): ExchangeAnswer {
  const own = sources.filter(({ view }) => view.header.exchange === exchange);
  const figures = stats.exchanges.filter((one) => one.exchange === exchange);
  const sum = (read: (one: ExchangeStats) => number) => figures.reduce((total, one) => total + read(one), 0);
  const bound = own.flatMap((source) => source.bindings().map(({ instrument }) => instrument));
  const words = own.map((source) => connectionWord(source, nowMs));
  return {
    exchange,
    title: known(exchange)?.header.title ?? exchange,
    connection: WORST_FIRST.find((word) => words.includes(word)) ?? CONNECTION_WORDS[0],
    instruments: bound.map(({ name }) => name.symbol),
    synced: bound.filter(({ isSynced }) => isSynced).length,
    features: featuresOf(exchange),
    shards: own.map((source) => shardAnswer(source, { buffer, nowMs })),
    rates: {
      frames_per_second: sum((one) => one.framesPerSecond),
      bytes_in_per_second: sum((one) => one.bytesInPerSecond),
      records_per_second: sum((one) => one.recordsPerSecond),
    },
    totals: {
      frames: sum(({ totals }) => totals.frames),
      bytes_in: sum(({ totals }) => totals.bytesIn),
      records: sum(({ totals }) => totals.records),
      book_updates: sum(({ totals }) => totals.bookUpdates),
      trades: sum(({ totals }) => totals.trades),
      checksum_ok: sum(({ totals }) => totals.checksumOk),
      checksum_bad: sum(({ totals }) => totals.checksumBad),
      gaps: sum(({ totals }) => totals.gaps),
      resyncs: sum(({ totals }) => totals.resyncs),
      reconnects: sum(({ totals }) => totals.reconnects),
      decode_errors: sum(({ totals }) => totals.decodeErrors),
      lost: sum(({ totals }) => totals.lost),
      replica_failures: sum(({ totals }) => totals.replicaFailures),
      client_failures: sum(({ totals }) => totals.clientFailures),
    },
    latency_us: latencyAnswer(buffer, own),
  };
}

function shardAnswer(
  source: SegmentSource,
  { buffer, nowMs }: Pick<ExchangeGround, "buffer" | "nowMs">,
): ExchangeAnswer["shards"][number] {
  const { header } = source.view;
  const bindings = source.bindings();
  return {
    shard: header.shardIndex,
    epoch: header.epoch.toString(),
    pid: header.pid,
    connection: connectionWord(source, nowMs),
    heartbeat_age_ms: heartbeatAgeMs(source, nowMs),
    instruments: bindings.length,
    synced: bindings.filter(({ instrument }) => instrument.isSynced).length,
    endpoints: endpointAnswers(buffer, source),
  };
}

/** Since the producer's last sign of life. */
export function heartbeatAgeMs({ view }: SegmentSource, nowMs: number): number {
  return Math.round(nowMs - Number(view.heartbeatNs / NS_PER_MS));
}

function featuresOf(name: string): ExchangeAnswer["features"] {
  const exchange = known(name);
  if (exchange === undefined) {
    return { sequence: false, checksum: false, inferred: false, audit: null, snapshot: null, depths: [] };
  }
  const { depths, audit, snapshot } = exchange.header;
  const assurances = depths.map((depth) => exchange.assurance(depth));
  return {
    sequence: assurances.includes(ASSURANCE_SEQUENCE),
    checksum: assurances.includes(ASSURANCE_CHECKSUM),
    inferred: assurances.includes(ASSURANCE_INFERRED),
    audit: audit.freshness,
    snapshot,
    depths: [...depths],
  };
}

function latencyAnswer(buffer: ArrayBufferLike, sources: readonly SegmentSource[]): ExchangeAnswer["latency_us"] {
  const metrics = sources.map(({ view }) => SegmentMetrics.of(buffer, view)).filter((one) => one !== undefined);
  const [first] = metrics;
  const quantiles = (name: SegmentHistogram) => {
    const total = new HistogramLook();
    for (const one of metrics) {
      total.add(one.histogram(name).look());
    }
    return quantilesOf(total);
  };
  return {
    exchange_to_received: quantiles("exchange_received"),
    received_to_published: quantiles("received_published"),
    decode: quantiles("decode"),
    clock_offset: first === undefined ? null : first.head().offsetNs / NS_PER_US,
  };
}

/** Quantiles in microseconds; null when there are no values. */
export function quantilesOf(look: HistogramLook): QuantileFigures {
  if (look.count === 0) {
    return null;
  }
  const at = (part: number) => look.quantile(part) / NS_PER_US;
  return {
    count: look.count,
    p50: at(0.5),
    p95: at(0.95),
    p99: at(0.99),
    p999: at(0.999),
    max: look.maxNs / NS_PER_US,
  };
}

function known(name: string) {
  const id = resolveExchangeId(name);
  return id === undefined ? undefined : EXCHANGES[id];
}
