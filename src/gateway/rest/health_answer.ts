/**
 * The system's health as REST tells it: each role, segment and instrument, what the process uses, the clients.
 * Bad case: taking "ok" of a moment for a promise; the reasons tell what is not well, the counters what was not.
 */
import { HEADER_DELTA_TAIL, HEADER_TRADE_TAIL, READER_CURSOR, SIDE_ASK, SIDE_BID } from "../../../assembly/layout.ts";
import type { AnswerOf } from "../../rest/operations.ts";
import { SegmentMetrics } from "../../segment/metrics.ts";
import { readCount } from "../../wire/numbers.ts";
import type { StatsMessage } from "../../wire/statistics.ts";
import { failureCount } from "../book_view.ts";
import type { ServedInstrument } from "../instrument.ts";
import { type ReadinessGround, reasonsOf } from "../readiness.ts";
import type { SegmentSource } from "../segment_source.ts";
import { connectionWord } from "../statistics.ts";
import type { Workspace } from "../workspace.ts";
import type { DeltaWindows } from "./delta_windows.ts";
import { endpointAnswers } from "./endpoint_answers.ts";
import { heartbeatAgeMs, quantilesOf } from "./exchange_answers.ts";
import { namesOf, statusOf } from "./market_answers.ts";
import type { ProcessProbe, QuantileFigures } from "./parts.ts";

type Health = AnswerOf<"getHealth">;

const NS_PER_MS = 1_000_000;

/** What it is made from. */
export type HealthGround = ReadinessGround & {
  readonly server: string;
  readonly workspace: Workspace;
  readonly instruments: readonly ServedInstrument[];
  readonly stats: StatsMessage;
  readonly refusals: Readonly<Record<string, number>>;
  readonly windows: DeltaWindows;
  readonly probe: ProcessProbe | undefined;
  /** Of this thread's event loop. */
  readonly delay: QuantileFigures;
};

/** The answer. */
export function healthAnswer(ground: HealthGround): Health {
  const { sources, instruments, nowMs } = ground;
  const reasons = allReasons(ground);
  const isDown = sources.length === 0 || instruments.every(({ isSynced }) => !isSynced);
  return {
    status: reasons.length === 0 ? "ok" : isDown ? "down" : "degraded",
    at_ms: Math.round(nowMs),
    reasons,
    roles: [gatewayRole(ground), ...sources.map((source) => collectorRole(source, ground))],
    segments: sources.map((source) => segmentAnswer(source, ground.workspace)),
    instruments: instruments.map((instrument) => instrumentAnswer(instrument, ground)),
    clients: clientsAnswer(ground),
  };
}

/** What keeps traffic away, and addresses of exchanges that are left alone for a while: only that is degraded, not unready. */
function allReasons(ground: HealthGround): string[] {
  const endpoints = ground.sources.flatMap((source) =>
    endpointAnswers(ground.workspace.kernel.buffer, source)
      .filter(({ state }) => state === "open")
      .map(({ address, last_failure }) => `${source.view.header.exchange}: ${address} is left alone, ${last_failure}`),
  );
  return [...reasonsOf(ground), ...endpoints];
}

function gatewayRole({ server, stats, probe, delay, nowMs }: HealthGround): Health["roles"][number] {
  const { kernel, transport, uptimeMs } = stats.gateway;
  return {
    role: "gateway",
    server,
    kernel,
    transport,
    uptime_ms: Math.max(Math.round(uptimeMs + nowMs - stats.atMs), 0),
    process: probe?.figures() ?? null,
    event_loop_delay_us: delay,
  };
}

function collectorRole(source: SegmentSource, { workspace, nowMs }: HealthGround): Health["roles"][number] {
  const { header } = source.view;
  const metrics = SegmentMetrics.of(workspace.kernel.buffer, source.view);
  return {
    role: "collector",
    exchange: header.exchange,
    shard: header.shardIndex,
    pid: header.pid,
    connection: connectionWord(source, nowMs),
    heartbeat_age_ms: heartbeatAgeMs(source, nowMs),
    uptime_ms: Math.max(Math.round(nowMs - Number(header.wallAnchorNs) / NS_PER_MS), 0),
    endpoints: endpointAnswers(workspace.kernel.buffer, source),
    heap_used_bytes: metrics?.head().heapUsedBytes ?? null,
    event_loop_delay_us: metrics === undefined ? null : quantilesOf(metrics.histogram("loop_delay").look()),
    gc_pause_us: metrics === undefined ? null : quantilesOf(metrics.histogram("gc_pause").look()),
  };
}

function segmentAnswer(source: SegmentSource, { memory }: Workspace): Health["segments"][number] {
  const { header, address } = source.view;
  const ring = (capacity: number, { tail, reader, lost }: { tail: number; reader: number; lost: number }) => {
    const published = readCount(memory, address + tail);
    const read = readCount(memory, reader + READER_CURSOR);
    return { capacity, published, unread: Math.max(published - read, 0), lost };
  };
  const { lostDeltas, lostTrades, unknownIds, joins, joinFailures } = source.counts;
  return {
    exchange: header.exchange,
    shard: header.shardIndex,
    epoch: header.epoch.toString(),
    layout: header.layoutVersion,
    bytes: header.segmentBytes,
    instruments: source.bindings().length,
    deltas: ring(header.deltaCapacity, { tail: HEADER_DELTA_TAIL, reader: source.readers.deltas, lost: lostDeltas }),
    trades: ring(header.tradeCapacity, { tail: HEADER_TRADE_TAIL, reader: source.readers.trades, lost: lostTrades }),
    unknown_ids: unknownIds,
    joins,
    join_failures: joinFailures,
  };
}

function instrumentAnswer(
  instrument: ServedInstrument,
  { windows, nowMs }: HealthGround,
): Health["instruments"][number] {
  const { book } = instrument;
  const { receivedAtNs } = book.replica.times;
  const counters = windows.counters(instrument);
  return {
    ...namesOf(instrument),
    ...statusOf(instrument),
    synced: instrument.isSynced,
    version: String(book.replica.version),
    last_event_age_ms: receivedAtNs === "0" ? null : Math.round(nowMs - Number(receivedAtNs) / NS_PER_MS),
    bid_levels: book.replica.count(SIDE_BID),
    ask_levels: book.replica.count(SIDE_ASK),
    gaps: counters?.gaps ?? null,
    not_synced_ms: counters === undefined ? null : counters.notSyncedNs / NS_PER_MS,
    replica_failures: failureCount(book.failures),
    client_failures: instrument.clientFailureCount,
  };
}

function clientsAnswer({ stats, refusals }: HealthGround): Health["clients"] {
  const { clients, slowClients, totals } = stats.gateway;
  return {
    connected: clients,
    slow: slowClients,
    bytes_out: totals.bytesOut,
    frames_out: totals.framesOut,
    slow_times: totals.slowTimes,
    conflated_updates: totals.conflatedUpdates,
    resumes: totals.resumes,
    resets: totals.resets,
    dropped: totals.dropped,
    protocol_errors: totals.protocolErrors,
    refusals: { ...refusals },
  };
}
