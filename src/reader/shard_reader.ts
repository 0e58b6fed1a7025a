/**
 * One mapped segment being read: cursors over both rings, the instruments of its table, its books and its tops.
 * Bad case: a file that contradicts itself in spite of a good header; what the kernel then refuses or traps on is thrown
 * as CorruptSegment and the segment is left alone, the others go on.
 */
import {
  CELL_FLAG_ASK,
  CELL_FLAG_BID,
  CELL_FLAG_TRADE,
  DELTA_BYTES,
  DELTA_INSTRUMENT_ID,
  DELTA_VERSION,
  FLAG_NOT_SYNCED,
  IMAGE_NONE,
  IMAGE_OK,
  POLL_LAPPED,
  READER_CURSOR,
  READER_LAPS,
  READER_LOST,
  REPLICA_FLAGS,
  REPLICA_HASH,
  REPLICA_INSTRUMENT_ID,
  REPLICA_JOIN_SEQUENCE,
  REPLICA_VERSION,
  RING_DELTAS,
  RING_TRADES,
  SIDE_ASK,
  SIDE_BID,
  STATE_CONNECTING,
  STATE_RETIRED,
  TRADE_BYTES,
  TRADE_INSTRUMENT_ID,
} from "../../assembly/layout.ts";
import type { Attachment } from "../mapping/mod.ts";
import type { InstrumentEntry, SegmentView, TopOfBook } from "../segment/view.ts";
import { readCount, writeCount } from "../wire/numbers.ts";
import type { ImageEvent, SegmentEvent, SegmentInstrument } from "./events.ts";
import type { ReadFrom } from "./options.ts";
import { type CellRead, describeInstrument, readDelta, readTrade } from "./records.ts";
import { type ReplicaPool, readSide, Shelf } from "./shelf.ts";
import type { ReaderWorkspace } from "./workspace.ts";

/** A segment contradicts itself: its bytes were not written by a producer of ours, or were changed. */
export class CorruptSegment extends Error {
  override readonly name = "CorruptSegment";
}

const IMAGE_TRIES = 64;
const CELL_NAPS = 8;
const CELL_NAP_MS = 0.1;
/** Nobody wakes who sleeps on it. */
const NAP = new Int32Array(new SharedArrayBuffer(4));
/** Of a cell that could never be read. */
const NO_TOP: TopOfBook = {
  instrumentId: 0,
  state: STATE_CONNECTING,
  version: 0n,
  flags: 0,
  bidPrice: 0n,
  bidQuantity: 0n,
  askPrice: 0n,
  askQuantity: 0n,
  tradePrice: 0n,
  tradeQuantity: 0n,
  tradeAtNs: 0n,
  tradeVersion: 0n,
  eventAtNs: 0n,
  receivedAtNs: 0n,
};
/** The oldest records may be overwritten while they are read first. */
const OLDEST_MARGIN_SHARE = 16;

/** Reads one segment. Thread: one. */
export class ShardReader {
  readonly attachment: Attachment;
  readonly #workspace: ReaderWorkspace;
  readonly #from: ReadFrom;
  readonly #view: SegmentView;
  readonly #deltas: number;
  readonly #trades: number;
  readonly #shelf: Shelf;
  readonly #instruments = new Map<number, SegmentInstrument>();
  /** Deltas up to this version are in the image that was given. */
  readonly #imageVersions = new Map<number, bigint>();
  readonly #imageReplica: number;
  readonly #pool: ReplicaPool;
  /** What the cells said last, by instrument id. */
  readonly #tops = new Map<number, TopOfBook>();
  #hasBegun = false;

  /** @throws RangeError when the arena is exhausted */
  constructor(workspace: ReaderWorkspace, options: { attachment: Attachment; from: ReadFrom; pool: ReplicaPool }) {
    const { kernel } = workspace;
    this.#workspace = workspace;
    this.attachment = options.attachment;
    this.#view = options.attachment.view;
    this.#from = options.from;
    this.#pool = options.pool;
    this.#deltas = workspace.checked(kernel.readerCreate(this.#view.address, RING_DELTAS));
    this.#trades = workspace.checked(kernel.readerCreate(this.#view.address, RING_TRADES));
    this.#shelf = new Shelf(workspace, this.#view, options.pool);
    this.#imageReplica = options.pool.pop() ?? workspace.checked(kernel.replicaCreate());
  }

  /** Cursors and losses, for the readers file. */
  get position() {
    const { memory } = this.#workspace;
    const count = (reader: number, field: number) => readCount(memory, reader + field);
    return {
      deltaCursor: count(this.#deltas, READER_CURSOR),
      deltaLost: count(this.#deltas, READER_LOST),
      tradeCursor: count(this.#trades, READER_CURSOR),
      tradeLost: count(this.#trades, READER_LOST),
      laps: memory.getUint32(this.#deltas + READER_LAPS, true) + memory.getUint32(this.#trades + READER_LAPS, true),
    };
  }

  /** Records wait to be read. */
  get isBehind(): boolean {
    const { deltaCursor, tradeCursor } = this.position;
    return this.#view.deltaTail !== deltaCursor || this.#view.tradeTail !== tradeCursor;
  }

  /**
   * Reads at most one batch of each ring.
   * @throws CorruptSegment
   */
  poll(take: (event: SegmentEvent) => void): void {
    this.#guard(() => {
      if (!this.#hasBegun) {
        this.#hasBegun = true;
        this.#begin(take);
      }
      this.#pollDeltas(take);
      this.#pollTrades(take);
    });
  }

  /** Instruments in use. */
  instruments(): SegmentInstrument[] {
    return this.#entries().map((entry) => this.describe(entry));
  }

  /** The table entry in use of an instrument. @param symbol `BASE-QUOTE` */
  entry(symbol: string): InstrumentEntry | undefined {
    return this.#entries().find(({ canonical }) => canonical === symbol);
  }

  /**
   * The top-of-book cell. A writer that lost the processor in the middle of it is given a moment; when it stands still
   * for longer, what this reader saw last is given.
   * @param options.isLive its producer gives signs of life: waiting may help
   * Cost: a microsecond; a cell that stays half written blocks the thread for CELL_NAPS × CELL_NAP_MS.
   */
  top(entry: InstrumentEntry, { isLive }: { isLive: boolean }): CellRead {
    const fresh = this.#view.topOfBook(entry.index) ?? (isLive ? this.#awaitCell(entry.index) : undefined);
    if (fresh !== undefined) {
      this.#tops.set(entry.id, fresh);
    }
    const top = fresh ?? this.#tops.get(entry.id);
    const has = (flag: number) => top !== undefined && (top.flags & flag) !== 0;
    const known = { bid: has(CELL_FLAG_BID), ask: has(CELL_FLAG_ASK), trade: has(CELL_FLAG_TRADE) };
    return { top: top ?? NO_TOP, isBusy: fresh === undefined, instrument: this.describe(entry), has: known };
  }

  /** An entry for its user. */
  describe(entry: InstrumentEntry): SegmentInstrument {
    return describeInstrument(this.#view.header.exchange, entry);
  }

  /** The book at the ring's tail. @returns undefined when it cannot be joined now @throws CorruptSegment */
  book(entry: InstrumentEntry, depth: number) {
    return this.#guard(() => this.#shelf.book(entry, depth));
  }

  /** Lets go of the segment. */
  close(): void {
    this.#shelf.close();
    this.#workspace.kernel.replicaClear(this.#imageReplica);
    this.#pool.push(this.#imageReplica);
  }

  #entries(): InstrumentEntry[] {
    return this.#view.instruments().filter(({ state, retiredTo }) => state !== STATE_RETIRED && retiredTo === 0);
  }

  /** Sleeps so that the writer gets the processor. */
  #awaitCell(index: number): TopOfBook | undefined {
    for (let naps = 0; naps < CELL_NAPS; naps++) {
      Atomics.wait(NAP, 0, 0, CELL_NAP_MS);
      const top = this.#view.topOfBook(index);
      if (top !== undefined) {
        return top;
      }
    }
    return undefined;
  }

  #begin(take: (event: SegmentEvent) => void): void {
    if (this.#from === "oldest") {
      this.#setCursor(this.#deltas, this.#oldest(this.#view.deltaTailIntent, this.#view.header.deltaCapacity));
      this.#setCursor(this.#trades, this.#oldest(this.#view.tradeTail, this.#view.header.tradeCapacity));
    } else if (this.#from === "image") {
      this.#beginAtImages(take);
    }
  }

  #oldest(intent: number, capacity: number): number {
    return intent <= capacity ? 0 : intent - capacity + Math.floor(capacity / OLDEST_MARGIN_SHARE);
  }

  #setCursor(reader: number, position: number): void {
    writeCount(this.#workspace.memory, reader + READER_CURSOR, position);
  }

  /** Gives every book that has an image and reads on where the earliest of them was taken. */
  #beginAtImages(take: (event: SegmentEvent) => void): void {
    let first = readCount(this.#workspace.memory, this.#deltas + READER_CURSOR);
    const hasAll = this.#view.deltaTailIntent <= this.#view.header.deltaCapacity;
    for (const entry of this.#entries()) {
      const loaded = this.#loadImage(entry, take, 0n);
      if (loaded !== undefined) {
        first = Math.min(first, loaded);
      } else if (hasAll) {
        first = 0;
      }
    }
    this.#setCursor(this.#deltas, first);
  }

  /** @returns ring position behind the image; undefined when there is none that is good enough */
  #loadImage(entry: InstrumentEntry, take: (event: SegmentEvent) => void, least: bigint): number | undefined {
    const { kernel, memory } = this.#workspace;
    const replica = this.#imageReplica;
    if (!entry.imagesFit) {
      return undefined;
    }
    for (let tries = 0; tries < IMAGE_TRIES; tries++) {
      kernel.replicaClear(replica);
      memory.setUint32(replica + REPLICA_INSTRUMENT_ID, entry.id, true);
      const code = kernel.imageLoad(replica, this.#view.address, entry.address);
      const version = memory.getBigUint64(replica + REPLICA_VERSION, true);
      if (code === IMAGE_NONE || code < 0) {
        return undefined;
      }
      if (code === IMAGE_OK && version >= least) {
        this.#imageVersions.set(entry.id, version);
        take(this.#imageEvent(entry, version));
        return readCount(memory, replica + REPLICA_JOIN_SEQUENCE);
      }
    }
    return undefined;
  }

  #imageEvent(entry: InstrumentEntry, version: bigint): ImageEvent {
    const { memory } = this.#workspace;
    const side = (which: number) =>
      readSide(this.#workspace, { replica: this.#imageReplica, side: which, depth: Number.MAX_SAFE_INTEGER });
    return {
      kind: "image",
      instrument: this.describe(entry),
      version,
      hash: memory.getUint32(this.#imageReplica + REPLICA_HASH, true),
      isSynced: (memory.getUint32(this.#imageReplica + REPLICA_FLAGS, true) & FLAG_NOT_SYNCED) === 0,
      bids: side(SIDE_BID),
      asks: side(SIDE_ASK),
    };
  }

  /** While an event longer than the ring is being written nothing is lost yet; the next tail says how much it is. */
  #tellLap(ring: "deltas" | "trades", { lost, take }: { lost: number; take: (event: SegmentEvent) => void }): void {
    if (lost > 0) {
      take({ kind: "lapped", segment: this.attachment.file.name, ring, lost });
    }
  }

  #pollDeltas(take: (event: SegmentEvent) => void): void {
    const { kernel, memory, deltas, batchRecords } = this.#workspace;
    const { deltaCursor, deltaLost } = this.position;
    const count = kernel.readerPoll(this.#deltas, deltas, batchRecords);
    if (count === POLL_LAPPED) {
      const images: SegmentEvent[] = [];
      if (this.#from === "image") {
        this.#beginAtImages((event) => images.push(event));
      }
      // Images may lead on from an earlier record than the ring's rule: that much less is lost.
      const lost = this.position.deltaCursor - deltaCursor;
      writeCount(memory, this.#deltas + READER_LOST, deltaLost + lost);
      this.#tellLap("deltas", { lost, take });
      for (const image of images) {
        take(image);
      }
      return;
    }
    for (let index = 0; index < count; index++) {
      const record = deltas + index * DELTA_BYTES;
      const instrument = this.#instrument(memory.getUint32(record + DELTA_INSTRUMENT_ID, true));
      const isInImage =
        memory.getBigUint64(record + DELTA_VERSION, true) <= (this.#imageVersions.get(instrument.id) ?? -1n);
      if (!isInImage) {
        const event = readDelta(memory, record, instrument);
        if (event === undefined) {
          throw new CorruptSegment(`Cannot read ${this.attachment.file.name}: a delta has too many changes`);
        }
        take(event);
        if (event.isReset && this.#from === "image") {
          this.#reload(event.instrument.id, event.version, take);
        }
      }
    }
  }

  /** The changes do not lead on: the book is given whole. */
  #reload(id: number, version: bigint, take: (event: SegmentEvent) => void): void {
    const entry = this.#view.instruments().find((one) => one.id === id);
    if (entry !== undefined) {
      this.#loadImage(entry, take, version);
    }
  }

  #pollTrades(take: (event: SegmentEvent) => void): void {
    const { kernel, memory, trades, batchRecords } = this.#workspace;
    const before = this.position.tradeLost;
    const count = kernel.readerPoll(this.#trades, trades, batchRecords);
    if (count === POLL_LAPPED) {
      this.#tellLap("trades", { lost: this.position.tradeLost - before, take });
      return;
    }
    for (let index = 0; index < count; index++) {
      const record = trades + index * TRADE_BYTES;
      take(readTrade(memory, record, this.#instrument(memory.getUint32(record + TRADE_INSTRUMENT_ID, true))));
    }
  }

  /** An id that a record names; its exponents are fixed since that record was written. */
  #instrument(id: number): SegmentInstrument {
    const known = this.#instruments.get(id);
    if (known !== undefined && known.priceExponent >= 0) {
      return known;
    }
    for (const entry of this.#view.instruments()) {
      this.#instruments.set(entry.id, this.describe(entry));
    }
    const found = this.#instruments.get(id);
    if (found === undefined) {
      throw new CorruptSegment(`Cannot read ${this.attachment.file.name}: a record names no instrument, was id ${id}`);
    }
    return found;
  }

  /** What is published was announced before: otherwise reading would never come to an end. */
  #demandOrder(): void {
    const { deltaTail } = this.#view;
    const intent = this.#view.deltaTailIntent;
    if (intent < deltaTail || intent > Number.MAX_SAFE_INTEGER) {
      throw new CorruptSegment(`Cannot read ${this.attachment.file.name}: tail and intent disagree, was ${intent}`);
    }
  }

  /** What the kernel traps on, and what a table entry that was tampered with leads to. */
  #guard<Result>(task: () => Result): Result {
    this.#demandOrder();
    try {
      return task();
    } catch (cause) {
      if (cause instanceof WebAssembly.RuntimeError || cause instanceof RangeError) {
        throw new CorruptSegment(`Cannot read ${this.attachment.file.name}: ${cause.message}`, { cause });
      }
      throw cause;
    }
  }
}
