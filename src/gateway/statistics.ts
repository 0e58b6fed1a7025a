/**
 * Rates and totals: once a second the counters of segments, books and clients are read and their differences become the
 * `stats` message. Nothing is counted per record here; the counters stand in shared memory or in the views already.
 * Bad case: a segment that is replaced; its counters begin at zero again and its first rate would be negative, so a
 * source is compared with itself only.
 */
import {
  COUNTER_BOOK_UPDATES,
  COUNTER_CHECKSUM_BAD,
  COUNTER_CHECKSUM_OK,
  COUNTER_DECODE_ERRORS,
  COUNTER_FRAME_BYTES,
  COUNTER_FRAMES,
  COUNTER_GAPS,
  COUNTER_RECONNECTS,
  COUNTER_RECORDS,
  COUNTER_RESYNCS,
  COUNTER_TRADES,
  SEGMENT_STATE_CLOSED,
  SEGMENT_STATE_INITIALISING,
  SEGMENT_STATE_SUPERSEDED,
} from "../../assembly/layout.ts";
import type { ClientStats, ConnectionWord, ExchangeStats, InstrumentStats, StatsMessage } from "../wire/protocol.ts";
import type { HopStats } from "../wire/statistics.ts";
import { failureCount } from "./book_view.ts";
import type { ServedInstrument } from "./instrument.ts";
import type { SegmentSource } from "./segment_source.ts";

/** Totals of the gateway itself, since start. */
export type GatewayTotals = StatsMessage["gateway"]["totals"] & { wireFrames: number };

/** What statistics are made from. */
export type StatisticsParts = {
  readonly kernel: string;
  readonly transport: string;
  readonly startedAtMs: number;
  sources(): readonly SegmentSource[];
  instruments(): Iterable<ServedInstrument>;
  clients(): number;
  totals(): GatewayTotals;
  /** Recent hops of the exchange of a segment, and its clock. */
  hops(source: SegmentSource): { readonly clockOffsetUs: number; readonly hops: HopStats[] };
  /** Clients that do not read as fast as they are sent, and the ones that fare worst. */
  slow(): { readonly count: number; readonly worst: ClientStats[] };
};

type Sample = Record<string, number>;

/** Makes `stats` messages from the differences since the last one taken. */
export class Statistics {
  readonly #parts: StatisticsParts;
  #sampledAtMs: number;
  #samples = new Map<object, Sample>();

  constructor(parts: StatisticsParts) {
    this.#parts = parts;
    this.#sampledAtMs = parts.startedAtMs;
  }

  /** The message for the time since the last one; the next one begins here. @param nowMs Unix ms */
  take(nowMs: number): StatsMessage {
    const { message, samples } = this.#measure(nowMs);
    this.#samples = samples;
    this.#sampledAtMs = nowMs;
    return message;
  }

  /** The message for the time since the last one taken, which stays where it is. @param nowMs Unix ms */
  read(nowMs: number): StatsMessage {
    return this.#measure(nowMs).message;
  }

  #measure(nowMs: number): { message: StatsMessage; samples: Map<object, Sample> } {
    const seconds = Math.max((nowMs - this.#sampledAtMs) / 1000, 0.001);
    const samples = new Map<object, Sample>();
    const rates = (owner: object, sample: Sample): Sample => {
      const before = this.#samples.get(owner);
      samples.set(owner, sample);
      const entries = Object.entries(sample).map(([name, value]) => [name, (value - (before?.[name] ?? 0)) / seconds]);
      return Object.fromEntries(entries) as Sample;
    };
    const { count, worst } = this.#parts.slow();
    const message: StatsMessage = {
      type: "stats",
      atMs: Math.round(nowMs),
      gateway: { ...this.#gateway(nowMs, rates), slowClients: count },
      clients: worst,
      exchanges: this.#parts
        .sources()
        .map((source) => ({ ...exchangeStats(source, { nowMs, rates }), ...this.#parts.hops(source) })),
      instruments: [...this.#parts.instruments()].map((instrument) => instrumentStats(instrument, rates)),
    };
    return { message, samples };
  }

  #gateway(
    nowMs: number,
    rates: (owner: object, sample: Sample) => Sample,
  ): Omit<StatsMessage["gateway"], "slowClients"> {
    const { wireFrames, ...totals } = this.#parts.totals();
    const { bytesIn, bytesOut, framesOut } = totals;
    const rate = rates(this, { bytesIn, bytesOut, framesOut, wireFrames });
    return {
      uptimeMs: Math.round(nowMs - this.#parts.startedAtMs),
      kernel: this.#parts.kernel,
      transport: this.#parts.transport,
      clients: this.#parts.clients(),
      bytesInPerSecond: rounded(rate.bytesIn),
      bytesOutPerSecond: rounded(rate.bytesOut),
      framesOutPerSecond: rounded(rate.framesOut),
      wireFramesPerSecond: rounded(rate.wireFrames),
      totals,
    };
  }
}

/** How the collector of a segment stands. */
export function connectionWord(source: SegmentSource, nowMs: number): ConnectionWord {
  const { state } = source.view;
  if (state === SEGMENT_STATE_INITIALISING) {
    return "initialising";
  }
  if (state === SEGMENT_STATE_SUPERSEDED) {
    return "superseded";
  }
  if (state === SEGMENT_STATE_CLOSED) {
    return "closed";
  }
  if (!source.isAlive(nowMs)) {
    return "stale";
  }
  const statuses = source.bindings().map((binding) => binding.instrument.status());
  if (statuses.length > 0 && statuses.every(({ reason }) => reason === "disconnected")) {
    return "disconnected";
  }
  const isConnecting = statuses.length > 0 && statuses.every(({ state: word }) => word === "connecting");
  return isConnecting ? "connecting" : "connected";
}

function exchangeStats(
  source: SegmentSource,
  { nowMs, rates }: { nowMs: number; rates: (owner: object, sample: Sample) => Sample },
): Omit<ExchangeStats, "clockOffsetUs" | "hops"> {
  const { view, counts } = source;
  const frames = view.counter(COUNTER_FRAMES);
  const bytesIn = view.counter(COUNTER_FRAME_BYTES);
  const records = view.counter(COUNTER_RECORDS);
  const rate = rates(source, { frames, bytesIn, records });
  const bindings = source.bindings();
  const sum = (read: (instrument: ServedInstrument) => number) =>
    bindings.reduce((total, { instrument }) => total + read(instrument), 0);
  return {
    exchange: view.header.exchange,
    shard: view.header.shardIndex,
    connection: connectionWord(source, nowMs),
    framesPerSecond: rounded(rate.frames),
    bytesInPerSecond: rounded(rate.bytesIn),
    recordsPerSecond: rounded(rate.records),
    instruments: bindings.length,
    synced: bindings.filter((binding) => binding.instrument.isSynced).length,
    totals: {
      frames,
      bytesIn,
      records,
      bookUpdates: view.counter(COUNTER_BOOK_UPDATES),
      trades: view.counter(COUNTER_TRADES),
      checksumOk: view.counter(COUNTER_CHECKSUM_OK),
      checksumBad: view.counter(COUNTER_CHECKSUM_BAD),
      gaps: view.counter(COUNTER_GAPS),
      resyncs: view.counter(COUNTER_RESYNCS),
      reconnects: view.counter(COUNTER_RECONNECTS),
      decodeErrors: view.counter(COUNTER_DECODE_ERRORS),
      lost: counts.lostDeltas + counts.lostTrades,
      replicaFailures: sum(({ book }) => failureCount(book.failures)),
      clientFailures: sum((instrument) => instrument.clientFailureCount),
    },
  };
}

function instrumentStats(
  instrument: ServedInstrument,
  rates: (owner: object, sample: Sample) => Sample,
): InstrumentStats {
  const { book, trades, name } = instrument;
  const sample = { events: book.events, trades: trades.count, bytes: book.output.wireBytes + trades.wireBytes };
  const rate = rates(instrument, sample);
  return {
    instrument: name.instrument,
    updatesPerSecond: rounded(rate.events),
    tradesPerSecond: rounded(rate.trades),
    wireBytesPerSecond: rounded(rate.bytes),
    replicaFailures: failureCount(book.failures),
    clientFailures: instrument.clientFailureCount,
  };
}

function rounded(value: number | undefined): number {
  return Math.round((value ?? 0) * 10) / 10;
}
