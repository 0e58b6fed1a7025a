/**
 * The metrics of the gateway's thread: hops of events, pauses and delays of the thread, and for every scrape a sample of what only
 * this thread knows; the text is made elsewhere, so that clients never wait for a scrape. Scrapes that come while one is
 * under way share its answer.
 * Bad case: whoever renders fails; the scrape is answered 503, and the next one tries again.
 */
import { HISTOGRAM_BYTES, READER_CURSOR, SIDE_ASK, SIDE_BID } from "../../assembly/layout.ts";
import { HistogramView } from "../segment/histogram.ts";
import { SegmentMetrics } from "../segment/metrics.ts";
import { readCount } from "../wire/numbers.ts";
import type { HopStats, StatsMessage } from "../wire/statistics.ts";
import type { Refusal } from "./access.ts";
import { HopFigures } from "./hop_figures.ts";
import type { ServedInstrument } from "./instrument.ts";
import type { BrokerSample } from "./metrics_broker.ts";
import {
  type ArbitrageSample,
  type GatewaySample,
  INSTRUMENT_COLUMNS,
  type InstrumentColumn,
  type MetricsSample,
  type SegmentSample,
} from "./metrics_sample.ts";
import { deltaStatsOf } from "./metrics_stats.ts";
import type { OutletTotals } from "./outlet.ts";
import { quantilesOf } from "./rest/exchange_answers.ts";
import type { QuantileFigures } from "./rest/parts.ts";
import type { SegmentSource } from "./segment_source.ts";
import type { Sessions } from "./sessions.ts";
import { connectionWord } from "./statistics.ts";
import type { Workspace } from "./workspace.ts";

/** Makes text of samples, on whatever thread. */
export interface MetricsRenderer {
  /** @returns the exposition as UTF-8 */
  render(sample: MetricsSample): Promise<Uint8Array>;
  /** Ends it; nothing is rendered after this. */
  close(): void;
}

/** Where a thread that is watched tells what it sees. */
export type ThreadFigures = {
  pause(nanoseconds: number): void;
  late(nanoseconds: number): void;
  heap(usedBytes: number): void;
};

/** What metrics are made from. */
export type MetricsParts = {
  readonly kernel: string;
  readonly transport: string;
  readonly server: string;
  readonly startedAtMs: number;
  now(): number;
  sources(): readonly SegmentSource[];
  instruments(): Iterable<ServedInstrument>;
  readonly sessions: Sessions;
  refusals(): Readonly<Record<Refusal, number>>;
  outlet(): OutletTotals;
  /** Undefined = it is not looked for. */
  arbitrage(): ArbitrageSample | undefined;
  /** Absent = segments are read. */
  readonly broker?: (() => BrokerSample) | undefined;
  /** What the `stats` channel said last; undefined before its first message. */
  told(): StatsMessage | undefined;
  /** Undefined = there is no `/metrics`. */
  readonly renderer: MetricsRenderer | undefined;
};

/** The metrics of one gateway. Thread: the gateway's. */
export class GatewayMetrics {
  readonly #workspace: Workspace;
  readonly #parts: MetricsParts;
  readonly #figures: HopFigures;
  /** Addresses of the histograms of this thread. */
  #thread = { pauses: 0, delays: 0, heapUsedBytes: 0 };
  #underWay: Promise<Uint8Array> | undefined;
  #told = "";

  constructor(workspace: Workspace, parts: MetricsParts) {
    this.#workspace = workspace;
    this.#parts = parts;
    this.#figures = new HopFigures(workspace.kernel.buffer, workspace.meters);
  }

  /** Whether there is something that renders. */
  get isOffered(): boolean {
    return this.#parts.renderer !== undefined;
  }

  /** Where this thread is told of its pauses and delays. @throws RangeError when the arena is exhausted */
  watched(): ThreadFigures {
    const { kernel } = this.#workspace;
    const address = this.#workspace.allocate(2 * HISTOGRAM_BYTES);
    const thread = { pauses: address, delays: address + HISTOGRAM_BYTES, heapUsedBytes: 0 };
    this.#thread = thread;
    return {
      pause: (nanoseconds) => kernel.histogramRecord(thread.pauses, nanoseconds),
      late: (nanoseconds) => kernel.histogramRecord(thread.delays, nanoseconds),
      heap: (usedBytes) => {
        thread.heapUsedBytes = usedBytes;
      },
    };
  }

  /** How late this thread serves its timers; null = it is not watched. */
  delays(): QuantileFigures {
    const { delays } = this.#thread;
    return delays === 0 ? null : quantilesOf(new HistogramView(this.#workspace.kernel.buffer, delays).look());
  }

  /** Looks at histograms and counters. Call once a second. */
  keep(nowMs: number): void {
    const views = this.#parts.sources().map(({ view }) => view);
    this.#figures.look(views, nowMs);
    for (const { tally } of this.#parts.instruments()) {
      tally.look();
    }
  }

  /** The recent hops of a source's exchange and what is known of its clock, for the `stats` channel. */
  hops({ view }: SegmentSource): { clockOffsetUs: number; hops: HopStats[] } {
    const head = SegmentMetrics.of(this.#workspace.kernel.buffer, view)?.head();
    return {
      clockOffsetUs: Math.round((head?.offsetNs ?? 0) / 1000),
      hops: this.#figures.of(view.header.exchange),
    };
  }

  /**
   * The exposition as it is now.
   * @returns UTF-8; rejects when the renderer fails or there is none
   * Cost: on this thread some microseconds for each instrument.
   */
  render(): Promise<Uint8Array> {
    const { renderer } = this.#parts;
    if (renderer === undefined) {
      return Promise.reject(new RangeError("Cannot render metrics: nothing was set up that does, was undefined"));
    }
    this.#underWay ??= renderer.render(this.sample()).then(
      (text) => {
        this.#underWay = undefined;
        return text;
      },
      (error: unknown) => {
        this.#underWay = undefined;
        this.#told = "";
        throw error;
      },
    );
    return this.#underWay;
  }

  /** What a renderer is given now. */
  sample(): MetricsSample {
    const instruments = [...this.#parts.instruments()];
    const names = instruments.map(({ name }) => name.instrument);
    const told = names.join();
    const isSame = told === this.#told;
    this.#told = told;
    return {
      gateway: this.#gateway(),
      segments: this.#parts.sources().map((source) => this.#segment(source)),
      hops: [...(this.#workspace.meters?.all() ?? [])].map(([exchange, { publishedRead, readSent }]) => {
        return { exchange, publishedRead, readSent };
      }),
      recent: this.#figures.recent(),
      names: isSame ? undefined : names,
      rows: rowsOf(instruments),
      arbitrage: this.#parts.arbitrage(),
      broker: this.#parts.broker?.(),
    };
  }

  #gateway(): GatewaySample {
    const { kernel, transport, server, startedAtMs, sessions, now } = this.#parts;
    const { bytesIn, slowTimes, conflatedUpdates, resumes, resets, protocolErrors } = sessions.totals;
    return {
      uptimeMs: now() - startedAtMs,
      kernel,
      transport,
      server,
      ...sessions.backlogs(),
      totals: { bytesIn, slowTimes, conflatedUpdates, resumes, resets, protocolErrors, ...this.#parts.outlet() },
      drops: { ...sessions.drops },
      refusals: { ...this.#parts.refusals() },
      ...this.#thread,
    };
  }

  #segment(source: SegmentSource): SegmentSample {
    const { view, counts, readers } = source;
    const nowMs = this.#parts.now();
    const { exchange, shardIndex } = view.header;
    const told = this.#parts.told()?.exchanges.find((one) => one.exchange === exchange && one.shard === shardIndex);
    const cursor = (reader: number) => readCount(this.#workspace.memory, reader + READER_CURSOR);
    return {
      address: view.address,
      isUp: source.isAlive(nowMs),
      connection: told?.connection ?? connectionWord(source, nowMs),
      instruments: told?.instruments ?? 0,
      synced: told?.synced ?? 0,
      behind: {
        deltas: Math.max(view.deltaTail - cursor(readers.deltas), 0),
        trades: Math.max(view.tradeTail - cursor(readers.trades), 0),
      },
      lost: { deltas: counts.lostDeltas, trades: counts.lostTrades },
      joins: counts.joins,
      joinFailures: counts.joinFailures,
      readers: source.countReaders?.(),
    };
  }
}

function rowsOf(instruments: readonly ServedInstrument[]): Float64Array<ArrayBuffer> {
  const rows = new Float64Array(instruments.length * INSTRUMENT_COLUMNS.length);
  instruments.forEach((instrument, index) => {
    const row = rowOf(instrument);
    let place = index * INSTRUMENT_COLUMNS.length;
    for (const column of INSTRUMENT_COLUMNS) {
      rows[place] = row[column];
      place += 1;
    }
  });
  return rows;
}

function rowOf(instrument: ServedInstrument): Record<InstrumentColumn, number> {
  const { book, clientFailures } = instrument;
  const { wireBytes, exchangeBytes, wholeBookBytes, recordBytes } = deltaStatsOf(instrument);
  const { failures, replica } = book;
  const isThere = replica.isFollowing;
  return {
    isSynced: instrument.isSynced ? 1 : 0,
    bids: isThere ? replica.count(SIDE_BID) : 0,
    asks: isThere ? replica.count(SIDE_ASK) : 0,
    wireBytes,
    exchangeBytes,
    wholeBookBytes,
    recordBytes,
    failedChain: failures.chain,
    failedHash: failures.hash,
    failedInconsistent: failures.inconsistent,
    failedImage: failures.image,
    failedLimits: failures.limits,
    toldChain: clientFailures.chain,
    toldHash: clientFailures.hash,
    toldInconsistent: clientFailures.inconsistent,
    toldMalformed: clientFailures.malformed,
    toldExponents: clientFailures.exponents,
  };
}
