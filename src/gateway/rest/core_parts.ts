/**
 * The parts of the REST API over a gateway: instruments, segments, counters that are there anyway, read when asked.
 * Bad case: a book in the middle of an event; it is never ready then, and REST says that it is not synced.
 */
import { FLAG_CROSSED, LEVEL_BYTES, SIDE_ASK, SIDE_BID } from "../../../assembly/layout.ts";
import type { AnswerOf } from "../../rest/operations.ts";
import type { StatsMessage } from "../../wire/protocol.ts";
import type { Access } from "../access.ts";
import type { ArbitrageParts } from "../arbitrage.ts";
import type { ServedInstrument } from "../instrument.ts";
import type { Instruments } from "../instruments.ts";
import type { GatewayLimits } from "../limits.ts";
import type { GatewayLog } from "../log.ts";
import type { BrokerSample } from "../metrics_broker.ts";
import type { SegmentSource } from "../segment_source.ts";
import type { StaticFiles } from "../static_files.ts";
import { LEVELS_CHUNK, type Workspace } from "../workspace.ts";
import { DeltaWindows } from "./delta_windows.ts";
import { exchangeAnswers } from "./exchange_answers.ts";
import type { FeedControl } from "./feed_control.ts";
import { healthAnswer } from "./health_answer.ts";
import { exponentsOf, namesOf, statusOf } from "./market_answers.ts";
import type { BookHead, BookLevels, ProcessProbe, QuantileFigures, RestParts } from "./parts.ts";

/** What a gateway gives. */
export type CoreGround = {
  readonly workspace: Workspace;
  readonly instruments: Instruments;
  readonly access: Access;
  readonly limits: GatewayLimits;
  readonly files?: StaticFiles | undefined;
  readonly arbitrage?: ArbitrageParts | undefined;
  readonly feeds?: FeedControl | undefined;
  readonly probe?: ProcessProbe | undefined;
  readonly broker?: (() => BrokerSample) | undefined;
  /** How late this thread serves its timers; null where it is not watched. */
  delay(): QuantileFigures;
  readonly server: string;
  readonly log: GatewayLog;
  now(): number;
  sources(): readonly SegmentSource[];
  /** Clients are being sent away. */
  isDraining(): boolean;
  /** Rates over the last whole second. */
  stats(): StatsMessage;
};

/** The parts over a gateway. */
export class CoreParts implements RestParts {
  readonly instruments: Instruments;
  readonly access: Access;
  readonly limits: GatewayLimits;
  readonly files: StaticFiles | undefined;
  readonly arbitrage: ArbitrageParts | undefined;
  readonly feeds: FeedControl | undefined;
  readonly #ground: CoreGround;
  readonly #windows: DeltaWindows;

  constructor(ground: CoreGround) {
    this.#ground = ground;
    this.#windows = new DeltaWindows(ground.workspace.kernel.buffer, () => ground.now());
    this.instruments = ground.instruments;
    this.access = ground.access;
    this.limits = ground.limits;
    this.files = ground.files;
    this.arbitrage = ground.arbitrage;
    this.feeds = ground.feeds;
  }

  /** Begins to measure instruments that came. Called ten times a second. */
  keepHouse(): void {
    this.#windows.keep(this.instruments.all());
  }

  now(): number {
    return this.#ground.now();
  }

  exchanges(): AnswerOf<"listExchanges"> {
    const { workspace } = this.#ground;
    const { buffer } = workspace.kernel;
    return exchangeAnswers({ buffer, sources: this.#ground.sources(), stats: this.#ground.stats(), nowMs: this.now() });
  }

  book(instrument: ServedInstrument, depth: number): AnswerOf<"getOrderBook"> | undefined {
    const head = headOf(instrument);
    const { replica } = instrument.book;
    return head && { ...head, bids: replica.levels(SIDE_BID, depth), asks: replica.levels(SIDE_ASK, depth) };
  }

  fullBook(instrument: ServedInstrument): BookLevels | undefined {
    const head = headOf(instrument);
    return head && { head, bids: this.#copy(instrument, SIDE_BID), asks: this.#copy(instrument, SIDE_ASK) };
  }

  deltaStats(instrument: ServedInstrument): AnswerOf<"getDeltaStats"> {
    return this.#windows.stats(instrument);
  }

  deltaSummary(): AnswerOf<"getDeltaSummary"> {
    return this.#windows.summary(this.instruments.all());
  }

  health(): AnswerOf<"getHealth"> {
    const { server, workspace, probe, broker } = this.#ground;
    return healthAnswer({
      server,
      workspace,
      probe,
      broker,
      isDraining: this.#ground.isDraining(),
      delay: this.#ground.delay(),
      sources: this.#ground.sources(),
      instruments: this.instruments.all(),
      stats: this.#ground.stats(),
      refusals: this.access.refusals,
      windows: this.#windows,
      nowMs: this.now(),
    });
  }

  failed(path: string, error: unknown): void {
    const reason = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.#ground.log.error(`Cannot answer ${path.slice(0, 256)}: ${reason}`);
  }

  /** All levels of a side at this moment. */
  #copy({ book }: ServedInstrument, side: number): DataView {
    const { replica } = book;
    const { levels } = this.#ground.workspace;
    const copy = new Uint8Array(replica.count(side) * LEVEL_BYTES);
    for (let from = 0; from * LEVEL_BYTES < copy.byteLength; ) {
      const count = replica.walk(side, { from, count: LEVELS_CHUNK, into: levels });
      if (count === 0) {
        throw new RangeError(`Cannot copy a book: a side ends too early, was ${from} of ${replica.count(side)} levels`);
      }
      copy.set(this.#ground.workspace.view(levels, count * LEVEL_BYTES), from * LEVEL_BYTES);
      from += count;
    }
    return new DataView(copy.buffer);
  }
}

/** What is said of a book; undefined when it is not synced. */
function headOf(instrument: ServedInstrument): BookHead | undefined {
  const { state, ...status } = statusOf(instrument);
  if (state !== "synced" || !instrument.isSynced) {
    return undefined;
  }
  const { replica } = instrument.book;
  const { eventAtNs, receivedAtNs } = replica.times;
  return {
    ...namesOf(instrument),
    ...status,
    state,
    ...exponentsOf(instrument),
    crossed: (replica.flags & FLAG_CROSSED) !== 0,
    version: String(replica.version),
    hash: replica.hash,
    event_at_ns: eventAtNs,
    received_at_ns: receivedAtNs,
    bid_levels: replica.count(SIDE_BID),
    ask_levels: replica.count(SIDE_ASK),
  };
}
