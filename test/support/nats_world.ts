/**
 * Two collectors of one exchange, a broker that stores what it is given, and a receiver that merges it, all in one thread
 * under a clock of the test: what may happen is a list of mishaps, and every record that the merged book publishes is
 * compared with what the exchange said.
 * Bad case: a merged book that is right by luck; places are told apart by time or number, not by levels alone.
 */
import {
  DELTA_BASE_PRICE,
  DELTA_BOOK_HASH,
  DELTA_BYTES,
  DELTA_CHANGE_COUNT,
  DELTA_EVENT_AT,
  DELTA_FLAGS,
  DELTA_PRICE_OFFSETS,
  DELTA_QUANTITIES,
  DELTA_SIDE_MASK,
  DELTA_SOURCE_SEQUENCE,
  FLAG_LAST,
  FLAG_NOT_SYNCED,
  FLAG_RESET,
  LEVEL_BYTES,
  LEVEL_PRICE,
  LEVEL_QUANTITY,
  RING_DELTAS,
  RING_TRADES,
  SIDE_ASK,
  SIDE_BID,
  TRADE_BYTES,
  TRADE_ID,
  TRADE_ID_LENGTH,
} from "../../assembly/layout.ts";
import { type Config, loadConfig } from "../../src/config/mod.ts";
import { ExchangeMerge } from "../../src/nats/exchange_merge.ts";
import type { MergedInstrument } from "../../src/nats/merged_instrument.ts";
import { decodeMessage, KINDS, type Message, NO_PROMISE, unpackTrades } from "../../src/nats/message.ts";
import type { Outgoing } from "../../src/nats/published_segment.ts";
import type { Workspace } from "../../src/nats/workspace.ts";
import { MemoryMap } from "../../src/segment/memory_map.ts";
import { Exchange, FACTS, hashOf, type Levels, type Manner, ModelCollector, makeWorkspace } from "./nats_market.ts";

const MEBIBYTE = 1024 * 1024;
const CONFIG: Config["nats"] = loadConfig({ flags: {} }).nats;
const TURN_MS = 10;
const BEAT_MS = 250;

/** A word of the merged book, at the end of an event. */
export type Told = {
  readonly eventAtNs: bigint;
  readonly sequence: bigint;
  readonly hash: number;
  readonly isSynced: boolean;
  readonly isReset: boolean;
  /** The levels by the records alone; undefined behind a Reset in the same turn. */
  readonly levels: Levels | undefined;
};

/** All of it. */
export class MergeWorld {
  readonly exchange: Exchange;
  readonly merge: ExchangeMerge;
  readonly told: Told[] = [];
  readonly toldTrades: string[] = [];
  /** Trades that arrived when there was a book. */
  readonly arrivedTrades = new Set<string>();
  readonly collectors: [ModelCollector | undefined, ModelCollector | undefined] = [undefined, undefined];
  nowMs = 1000;
  readonly #map = new MemoryMap(64 * MEBIBYTE);
  readonly #workspace: Workspace;
  readonly #watching: Workspace;
  readonly #readers: { readonly deltas: number; readonly trades: number };
  readonly #stream: Message[] = [];
  readonly #snapshots: Message[] = [];
  readonly #deltaCapacity: number;
  #reached = 0;
  #sources = 0n;
  #beatAtMs = 0;
  #levels: Map<string, bigint> | undefined = new Map();

  constructor(
    manner: Manner,
    { seed, deltaCapacity, patienceMs = 1000 }: { seed: number; deltaCapacity: number; patienceMs?: number },
  ) {
    this.#deltaCapacity = deltaCapacity;
    this.exchange = new Exchange(manner, seed);
    this.#workspace = makeWorkspace(this.#map, "arena of the collectors", 8 * MEBIBYTE);
    this.#watching = makeWorkspace(this.#map, "arena of the test", 4 * MEBIBYTE);
    const silent = () => undefined;
    this.merge = new ExchangeMerge({
      exchange: "kraken",
      map: this.#map,
      workspace: makeWorkspace(this.#map, "arena of the receiver", 8 * MEBIBYTE),
      config: { ...CONFIG, patienceMs },
      sizes: { instrumentCapacity: 4, deltaCapacity: 65_536, tradeCapacity: 16_384, imageAreaBytes: MEBIBYTE },
      log: { info: silent, warn: silent, error: silent },
      nowMs: () => this.nowMs,
      want: () => this.#want(),
    });
    this.#readers = {
      deltas: this.#watching.kernel.readerCreate(this.merge.segmentAddress, RING_DELTAS),
      trades: this.#watching.kernel.readerCreate(this.merge.segmentAddress, RING_TRADES),
    };
  }

  get instrument(): MergedInstrument | undefined {
    return this.merge.instruments[0];
  }

  /** Records in the broker that were not read. */
  get waiting(): number {
    return this.#stream.length - this.#reached;
  }

  /** Starts a collector in a place that has none. */
  start(place: 0 | 1): void {
    this.#sources += 1n;
    this.collectors[place] ??= new ModelCollector(this.exchange, {
      map: this.#map,
      workspace: this.#workspace,
      source: this.#sources,
      deltaCapacity: this.#deltaCapacity,
      bound: this.#stream.length,
      nowMs: this.nowMs,
    });
  }

  /** Ends it at once: what it had not published is gone. */
  kill(place: 0 | 1): void {
    this.collectors[place]?.close();
    this.collectors[place] = undefined;
  }

  /** Whether the other could carry on without losing anything. */
  mayLose(place: 0 | 1): boolean {
    const other = this.collectors[1 - place];
    const { instrument } = this;
    return (
      other?.isCut === false &&
      !other.isRefused &&
      instrument?.warm.includes(other.source) === true &&
      instrument.lane(other.source).version >= other.loadedVersion
    );
  }

  /** @param stored messages that the broker stores before the connection breaks; undefined = all */
  publish(place: 0 | 1, stored?: number): void {
    const collector = this.collectors[place];
    if (collector === undefined || collector.isCut) {
      return;
    }
    const messages = collector.publish();
    if (collector.isRefused) {
      collector.rewind();
      return;
    }
    this.#store(messages.slice(0, stored));
    if (stored === undefined || stored >= messages.length) {
      collector.confirm(messages.length === 0 ? collector.bound : this.#stream.length);
      this.#store(collector.snapshots(this.nowMs, this.#stream.length));
    } else {
      collector.rewind();
    }
  }

  /** The receiver reads so many records. */
  deliver(count: number): void {
    for (const end = Math.min(this.#stream.length, this.#reached + count); this.#reached < end; ) {
      const message = this.#stream[this.#reached];
      this.#reached += 1;
      if (message !== undefined) {
        this.#noteTrades(message);
        this.merge.take(FACTS.canonical, message);
      }
      this.merge.reach(this.#reached);
      this.watch();
    }
  }

  /** The receiver reads all records that wait, but what becomes of them is left to the caller. */
  takeWaiting(): Message[] {
    const messages = this.#stream.slice(this.#reached);
    this.#reached = this.#stream.length;
    return messages;
  }

  /** The broker forgets so many records before they were read. */
  forget(count: number): void {
    const before = this.#reached;
    this.#reached = Math.min(this.#stream.length, this.#reached + count);
    if (this.#reached > before) {
      this.#want();
    }
  }

  /** @param limit snapshots that are read; the others are lost when isLossy */
  deliverSnapshots(limit: number, isLossy = false): void {
    for (const message of this.#snapshots.splice(0, limit)) {
      if (!isLossy) {
        this.merge.take(FACTS.canonical, message);
        this.watch();
      }
    }
  }

  /** Time goes on, with signs of life of those that can be heard. */
  wait(ms: number): void {
    for (const until = this.nowMs + ms; this.nowMs < until; ) {
      this.nowMs += Math.min(100, until - this.nowMs);
      if (this.nowMs - this.#beatAtMs >= BEAT_MS) {
        this.#beatAtMs = this.nowMs;
        this.#beat();
      }
      this.merge.look();
      this.watch();
    }
  }

  /** What every step ends with. */
  turn(): void {
    this.wait(TURN_MS);
  }

  /** Everything works for so long that nothing is under way any more. */
  heal(): void {
    for (let round = 0; round < 40; round++) {
      for (const place of [0, 1] as const) {
        const collector = this.collectors[place];
        if (collector !== undefined) {
          collector.isCut = false;
          collector.isRefused = false;
          collector.collect(1000);
          this.publish(place);
        }
      }
      this.deliverSnapshots(1000);
      this.deliver(100_000);
      this.wait(500);
    }
  }

  /** Reads what the merged book published, and proves each hash by levels of its own. */
  watch(): void {
    const { kernel, memory, bytes, deltas, trades } = this.#watching;
    for (let count = kernel.readerPoll(this.#readers.deltas, deltas, 1024); count > 0; ) {
      for (let index = 0; index < count; index++) {
        this.#take(new DataView(memory.buffer, deltas + index * DELTA_BYTES, DELTA_BYTES));
      }
      count = kernel.readerPoll(this.#readers.deltas, deltas, 1024);
    }
    const count = kernel.readerPoll(this.#readers.trades, trades, 1024);
    for (let index = 0; index < count; index++) {
      const at = trades + index * TRADE_BYTES;
      this.toldTrades.push(nameOf(bytes.subarray(at, at + TRADE_BYTES)));
    }
    this.#levels ??= this.#walk();
  }

  /** Hash of levels. */
  hash(levels: Levels): number {
    return hashOf(this.#watching, levels);
  }

  #take(record: DataView): void {
    const flags = record.getUint16(DELTA_FLAGS, true);
    const isReset = (flags & FLAG_RESET) !== 0;
    if (isReset) {
      this.#levels = undefined;
    }
    this.#levels = this.#levels && changed(this.#levels, record);
    if ((flags & FLAG_LAST) !== 0) {
      this.told.push({
        eventAtNs: record.getBigUint64(DELTA_EVENT_AT, true),
        sequence: record.getBigUint64(DELTA_SOURCE_SEQUENCE, true),
        hash: record.getUint32(DELTA_BOOK_HASH, true),
        isSynced: (flags & FLAG_NOT_SYNCED) === 0,
        isReset,
        levels: this.#levels,
      });
    }
  }

  /** The merged book as it is in the kernel. */
  #walk(): Map<string, bigint> {
    const book = this.instrument?.local?.book ?? 0;
    const { kernel, memory, levels } = this.#watching;
    const found = new Map<string, bigint>();
    for (const side of book === 0 ? [] : [SIDE_BID, SIDE_ASK]) {
      const count = kernel.bookWalk(book, side, 0, 1024, levels);
      for (let index = 0; index < count; index++) {
        const at = levels + index * LEVEL_BYTES;
        found.set(
          `${side} ${memory.getBigInt64(at + LEVEL_PRICE, true)}`,
          memory.getBigInt64(at + LEVEL_QUANTITY, true),
        );
      }
    }
    return found;
  }

  #store(messages: readonly Outgoing[]): void {
    for (const { payload } of messages) {
      const message = decodeMessage(payload);
      if (typeof message === "string") {
        throw new RangeError(`Cannot store a message: ${message}`);
      }
      (message.kind === KINDS.snapshot ? this.#snapshots : this.#stream).push(message);
    }
  }

  #noteTrades({ kind, body, count }: Message): void {
    if (kind === KINDS.trades && this.instrument?.local !== undefined) {
      for (const record of unpackTrades(body, count) ?? []) {
        this.arrivedTrades.add(nameOf(record));
      }
    }
  }

  #beat(): void {
    for (const collector of this.collectors) {
      if (collector !== undefined && !collector.isCut) {
        const { source, epoch } = collector;
        const bound = collector.behindMs(this.nowMs) > CONFIG.staleMs ? NO_PROMISE : BigInt(collector.bound);
        const head = { kind: KINDS.beat, source, epoch, instrumentId: 0, count: 0, bound, parts: 0 };
        this.merge.beat({ ...head, body: new Uint8Array(0) }, this.#reached);
      }
    }
  }

  #want(): void {
    for (const collector of this.collectors) {
      collector?.want();
    }
  }
}

function changed(levels: Map<string, bigint>, record: DataView): Map<string, bigint> {
  const next = new Map(levels);
  const base = record.getBigInt64(DELTA_BASE_PRICE, true);
  for (let index = 0; index < record.getUint8(DELTA_CHANGE_COUNT); index++) {
    const side = (record.getUint16(DELTA_SIDE_MASK, true) >>> index) & 1;
    const name = `${side} ${base + BigInt(record.getInt32(DELTA_PRICE_OFFSETS + index * 4, true))}`;
    const quantity = record.getBigInt64(DELTA_QUANTITIES + index * 8, true);
    next.set(name, quantity);
    if (quantity === 0n) {
      next.delete(name);
    }
  }
  return next;
}

function nameOf(record: Uint8Array): string {
  return Buffer.from(record.subarray(TRADE_ID, TRADE_ID + (record[TRADE_ID_LENGTH] ?? 0))).toString("latin1");
}
