/**
 * The gateway's side of one segment: two ring readers, the table entries bound to served instruments, and the joins that
 * are due. Records are routed by instrument id; a book that lost its way is joined again from its image while the others
 * go on. Bad case: the readers are overtaken; every book of the segment is emptied and joined anew, and what was lost is
 * counted exactly.
 */
import {
  DELTA_BYTES,
  DELTA_INSTRUMENT_ID,
  HEADER_DELTA_TAIL,
  HEADER_TRADE_TAIL,
  IMAGE_CORRUPT,
  POLL_LAPPED,
  READER_CURSOR,
  READER_LOST,
  RING_DELTAS,
  RING_TRADES,
  SEGMENT_STATE_LIVE,
  STATE_RETIRED,
} from "../../assembly/layout.ts";
import { ReplicaJoiner } from "../segment/join.ts";
import { type InstrumentEntry, SegmentView } from "../segment/view.ts";
import { readCount } from "../wire/numbers.ts";
import { RESET_REASONS, type ResetReason } from "../wire/protocol.ts";
import { HeartbeatWatch } from "./heartbeat_watch.ts";
import type { SourceMeter } from "./hop_meter.ts";
import { type Binding, isEntryRemoved, type ServedInstrument } from "./instrument.ts";
import type { Instruments } from "./instruments.ts";
import type { GatewayLimits } from "./limits.ts";
import type { GatewayLog } from "./log.ts";
import { producerVersion, QuietWatch } from "./quiet_watch.ts";
import { publishTrades } from "./trade_batch.ts";
import type { Workspace } from "./workspace.ts";

const JOIN_RETRY_MS = 20;
/** How long a joined book may wait for a record or its cell: a producer publishes what it wrote far sooner. */
const CONFIRM_MS = 1000;

/** What the source tells the gateway. */
export type SourceEvents = {
  /** The instrument's book has changed: flush it. */
  changed(instrument: ServedInstrument): void;
  /** Its book leads nowhere now; clients need a snapshot after the next join. No reason: the exchange's own new snapshot. */
  interrupted(instrument: ServedInstrument, reason: ResetReason | undefined): void;
  /** Trades of the instrument were lost or count from the beginning. */
  tradesInterrupted(instrument: ServedInstrument, reason: ResetReason): void;
};

/** What can be said about a source from outside. */
export type SourceCounts = Record<"lostDeltas" | "lostTrades" | "unknownIds" | "joins" | "joinFailures", number>;

/** One segment being consumed. */
export class SegmentSource {
  readonly view: SegmentView;
  /** Its readers in other processes, where they are known. */
  readonly countReaders: (() => number) | undefined;
  /** Addresses of the blocks of both readers. */
  readonly readers: { readonly deltas: number; readonly trades: number };
  readonly counts: SourceCounts = { lostDeltas: 0, lostTrades: 0, unknownIds: 0, joins: 0, joinFailures: 0 };
  readonly #workspace: Workspace;
  readonly #instruments: Instruments;
  readonly #events: SourceEvents;
  readonly #log: GatewayLog;
  readonly #limits: GatewayLimits;
  readonly #joiner: ReplicaJoiner;
  readonly #heartbeat: HeartbeatWatch;
  readonly #bindings = new Map<number, Binding>();
  readonly #joins = new Map<Binding, number>();
  /** Books whose image did not hold and that wait for another. */
  readonly #corrupt = new Set<Binding>();
  readonly #meter: SourceMeter | undefined;
  readonly #quiet = new QuietWatch();
  /** Books that were joined and whose version nothing confirms yet, and since when. */
  readonly #unconfirmed = new Map<Binding, number>();
  #entriesRead = 0;

  /**
   * Attaches to a segment: readers stand at the tails, every instrument is due to be joined.
   * @throws RangeError when the segment cannot be trusted or the arena is exhausted
   */
  constructor(
    workspace: Workspace,
    options: {
      address: number;
      /** Whether its producer lives, where something better than the heartbeat alone knows it. */
      isProducerAlive?: (() => boolean) | undefined;
      countReaders?: (() => number) | undefined;
      instruments: Instruments;
      events: SourceEvents;
      limits: GatewayLimits;
      log: GatewayLog;
    },
  ) {
    this.#workspace = workspace;
    this.#instruments = options.instruments;
    this.#events = options.events;
    this.#limits = options.limits;
    this.#heartbeat = new HeartbeatWatch(options.limits.heartbeatStaleMs, options.isProducerAlive);
    this.#log = options.log;
    this.countReaders = options.countReaders;
    this.view = new SegmentView(workspace.kernel.buffer, options.address);
    this.#meter = workspace.meters?.source(this.view.header);
    this.#joiner = new ReplicaJoiner(workspace.kernel, {
      segment: this.view,
      scratch: workspace.joinDeltas,
      scratchRecords: workspace.batchRecords,
    });
    this.readers = { deltas: this.#createReader(RING_DELTAS), trades: this.#createReader(RING_TRADES) };
    this.refresh();
  }

  /** Bindings in use, retired ones left out. */
  bindings(): Binding[] {
    return [...this.#bindings.values()].filter((binding) => binding.instrument.binding === binding);
  }

  /** Word index of the low half of the delta tail, for waiting on it. */
  get tailWord(): number {
    return (this.view.address + HEADER_DELTA_TAIL) >>> 2;
  }

  /** Records stand in the rings that were not read yet. */
  get isBehind(): boolean {
    const low = (address: number) => Atomics.load(this.#workspace.words, address >>> 2) >>> 0;
    return (
      low(this.view.address + HEADER_DELTA_TAIL) !== this.#workspace.u32(this.readers.deltas + READER_CURSOR) ||
      low(this.view.address + HEADER_TRADE_TAIL) !== this.#workspace.u32(this.readers.trades + READER_CURSOR)
    );
  }

  /** Reads and applies one batch of each ring. @returns true when more is waiting */
  poll(): boolean {
    this.#pollDeltas();
    this.#pollTrades();
    return this.isBehind;
  }

  /** Joins books that are due, a few at a time. @returns true when more could be joined at once */
  join(nowMs: number): boolean {
    for (const [binding, joinedAtMs] of this.#unconfirmed) {
      this.#confirm(binding, { joinedAtMs, nowMs });
    }
    let left = this.#limits.joinsPerTurn;
    for (const [binding, dueAtMs] of this.#joins) {
      if (dueAtMs > nowMs) {
        continue;
      }
      if (left-- === 0) {
        return true;
      }
      this.#join(binding, nowMs);
    }
    return false;
  }

  /** Takes in table entries that are new, and lets go of those that were removed. */
  refresh(): void {
    for (const binding of this.bindings().filter((one) => isEntryRemoved(this.#workspace, one))) {
      this.#remove(binding);
    }
    const count = this.view.instrumentCount;
    while (this.#entriesRead < count) {
      this.#bind(this.view.instrument(this.#entriesRead));
      this.#entriesRead += 1;
    }
  }

  /** Says of every binding whether its producer lives; statuses show it. */
  setAlive(isAlive: boolean): void {
    for (const binding of this.#bindings.values()) {
      binding.isAlive = isAlive;
    }
  }

  /** The segment is live by its own word, and its producer gives signs of life. */
  isAlive(nowMs: number): boolean {
    return this.#heartbeat.isFresh(this.view.heartbeatNs, nowMs) && this.view.state === SEGMENT_STATE_LIVE;
  }

  /** Finds books that lack a record although nothing waits to be read, and joins them anew. */
  checkQuiet(nowMs: number): void {
    if (this.isBehind || !this.isAlive(nowMs)) {
      return;
    }
    for (const binding of this.#quiet.check(this.bindings(), nowMs)) {
      this.#lose(binding);
    }
  }

  /** Lets go of every instrument: the segment is gone. */
  detach(): void {
    for (const binding of this.bindings()) {
      binding.instrument.bind(undefined);
      this.#events.interrupted(binding.instrument, RESET_REASONS.restarted);
    }
    this.#bindings.clear();
    this.#joins.clear();
    this.#corrupt.clear();
    this.#unconfirmed.clear();
    this.#quiet.clear();
  }

  #createReader(ring: number): number {
    const reader = this.#workspace.kernel.readerCreate(this.view.address, ring);
    if (reader === 0) {
      const used = this.#workspace.kernel.arenaUsed();
      throw new RangeError(`Cannot read a segment: the gateway's arena is exhausted, was ${used} bytes used`);
    }
    return reader;
  }

  #bind(entry: InstrumentEntry): void {
    const instrument = this.#obtain(entry);
    if (instrument === undefined) {
      return;
    }
    const { address, index, id, native } = entry;
    const binding: Binding = { instrument, segment: this.view, entry: address, index, id, native, isAlive: true };
    this.#bindings.set(id, binding);
    const before = instrument.binding;
    if (before !== undefined && before.segment !== this.view && before.segment.state === SEGMENT_STATE_LIVE) {
      this.#log.error(`Cannot serve ${instrument.name.instrument} twice: two segments hold it, was id ${id}`);
      return;
    }
    if (entry.retiredTo !== 0 || entry.state === STATE_RETIRED) {
      return;
    }
    if (before !== undefined) {
      this.#joins.delete(before);
      this.#unconfirmed.delete(before);
    }
    instrument.bind(binding);
    instrument.publishStatus();
    if (before !== undefined) {
      this.#events.interrupted(instrument, RESET_REASONS.restarted);
      this.#events.tradesInterrupted(instrument, RESET_REASONS.restarted);
    }
    this.#joinAt(binding, 0);
  }

  #remove(binding: Binding): void {
    const { instrument } = binding;
    this.#joins.delete(binding);
    this.#corrupt.delete(binding);
    this.#unconfirmed.delete(binding);
    instrument.remove();
    this.#log.info(`${instrument.name.instrument} was removed: its subscribers are told`);
    this.#events.interrupted(instrument, RESET_REASONS.removed);
    this.#events.tradesInterrupted(instrument, RESET_REASONS.removed);
  }

  /** The served instrument of an entry; undefined, with a line in the log, when it cannot be served. */
  #obtain(entry: InstrumentEntry): ServedInstrument | undefined {
    const { exchange } = this.view.header;
    if (!entry.imagesFit) {
      this.#log.error(`Cannot serve ${exchange}:${entry.canonical}: images outside the segment, was id ${entry.id}`);
      return undefined;
    }
    try {
      return this.#instruments.obtain(exchange, entry.canonical);
    } catch (error) {
      if (!(error instanceof RangeError)) {
        throw error;
      }
      this.#log.error(`Cannot serve ${exchange}:${entry.canonical}: ${error.message}`);
      return undefined;
    }
  }

  #join(binding: Binding, nowMs: number): void {
    const { instrument } = binding;
    instrument.loadExponents();
    const until = readCount(this.#workspace.memory, this.readers.deltas + READER_CURSOR);
    const outcome = this.#joiner.join(instrument.book.replica.address, { entry: binding.entry, until });
    instrument.book.restart();
    if (outcome.kind === "joined") {
      this.counts.joins += 1;
      this.#joins.delete(binding);
      instrument.book.isConfirmed = false;
      this.#unconfirmed.set(binding, nowMs);
      this.#confirm(binding, { joinedAtMs: nowMs, nowMs });
      return;
    }
    if (outcome.kind === "corrupt") {
      this.#countCorrupt(binding, outcome.code);
    }
    this.#joinAt(binding, nowMs + JOIN_RETRY_MS);
  }

  /** The version that an image told must be the producer's: its cell says so, or a record chains to it. */
  #confirm(binding: Binding, { joinedAtMs, nowMs }: { joinedAtMs: number; nowMs: number }): void {
    const { book } = binding.instrument;
    const held = BigInt(book.replica.version);
    const version = producerVersion(binding);
    if (book.isConfirmed || version === held) {
      book.isConfirmed = true;
      this.#unconfirmed.delete(binding);
      this.#corrupt.delete(binding);
      this.#events.changed(binding.instrument);
    } else if ((version !== undefined && version < held) || nowMs - joinedAtMs >= CONFIRM_MS) {
      this.#countCorrupt(binding, IMAGE_CORRUPT);
      book.replica.clear();
      book.restart();
      this.#joinAt(binding, nowMs + JOIN_RETRY_MS);
    }
  }

  #joinAt(binding: Binding, atMs: number): void {
    this.#unconfirmed.delete(binding);
    this.#joins.set(binding, atMs);
  }

  #lose(binding: Binding): void {
    binding.instrument.book.lose();
    this.#joinAt(binding, 0);
    this.#events.interrupted(binding.instrument, RESET_REASONS.integrity);
  }

  #countCorrupt(binding: Binding, code: number): void {
    const { instrument } = binding;
    this.counts.joinFailures += 1;
    if (!this.#corrupt.has(binding)) {
      this.#corrupt.add(binding);
      instrument.book.failures.image += 1;
      this.#log.warn(`Cannot join ${instrument.name.instrument}: its image or records do not hold, was ${code}`);
    }
  }

  #pollDeltas(): void {
    const { kernel, deltas, batchRecords } = this.#workspace;
    const count = kernel.readerPoll(this.readers.deltas, deltas, batchRecords);
    if (count === POLL_LAPPED) {
      this.#afterLap();
      return;
    }
    if (count > 0) {
      this.#meter?.noteRead(deltas, count);
    }
    for (let index = 0; index < count; index++) {
      this.#applyDelta(deltas + index * DELTA_BYTES);
    }
  }

  #applyDelta(record: number): void {
    const binding = this.#bindingOf(this.#workspace.u32(record + DELTA_INSTRUMENT_ID));
    if (binding === undefined || binding.instrument.binding !== binding) {
      return;
    }
    const { instrument } = binding;
    if (instrument.book.replica.version === 0) {
      instrument.loadExponents();
    }
    const outcome = instrument.book.apply(record);
    if (outcome === "reset" || outcome === "lost") {
      this.#joinAt(binding, 0);
      this.#events.interrupted(instrument, outcome === "lost" ? RESET_REASONS.integrity : undefined);
    } else if (outcome === "applied") {
      if (this.#joins.size > 0) {
        this.#joins.delete(binding);
      }
      this.#events.changed(instrument);
    }
  }

  #pollTrades(): void {
    const { kernel, trades, batchRecords } = this.#workspace;
    const count = kernel.readerPoll(this.readers.trades, trades, batchRecords);
    if (count === POLL_LAPPED) {
      this.counts.lostTrades = readCount(this.#workspace.memory, this.readers.trades + READER_LOST);
      for (const binding of this.bindings()) {
        this.#events.tradesInterrupted(binding.instrument, RESET_REASONS.lapped);
      }
      return;
    }
    publishTrades(this.#workspace, { records: trades, count, bindingOf: (id) => this.#bindingOf(id) });
  }

  #bindingOf(id: number): Binding | undefined {
    let binding = this.#bindings.get(id);
    if (binding === undefined) {
      this.refresh();
      binding = this.#bindings.get(id);
      this.counts.unknownIds += binding === undefined ? 1 : 0;
    }
    return binding;
  }

  #afterLap(): void {
    this.counts.lostDeltas = readCount(this.#workspace.memory, this.readers.deltas + READER_LOST);
    for (const binding of this.bindings()) {
      binding.instrument.book.replica.clear();
      binding.instrument.book.restart();
      this.#joinAt(binding, 0);
      this.#events.interrupted(binding.instrument, RESET_REASONS.lapped);
    }
    this.#log.warn(
      `Cannot keep up with ${this.view.header.exchange}: overtaken by the ring, was ${this.counts.lostDeltas} records lost`,
    );
  }
}
