/**
 * One segment as the publisher reads it: both rings from a cursor that can be set back as far as the ring remembers, and a
 * checked replica of each book, from which whole books are published.
 * Bad case: the ring overtakes the cursor, because the broker was away for too long; what was lost is counted, and every
 * book is published whole.
 */
import {
  DELTA_BYTES,
  DELTA_FLAGS,
  DELTA_INSTRUMENT_ID,
  FLAG_LAST,
  POLL_LAPPED,
  READER_CURSOR,
  READER_LOST,
  REPLICA_FLAGS,
  REPLICA_HASH,
  REPLICA_OK,
  REPLICA_PRICE_EXPONENT,
  REPLICA_QUANTITY_EXPONENT,
  REPLICA_STATE,
  REPLICA_STATE_FOLLOWING,
  REPLICA_VERSION,
  RING_DELTAS,
  RING_TRADES,
  STATE_RETIRED,
  TRADE_BYTES,
  TRADE_INSTRUMENT_ID,
} from "../../assembly/layout.ts";
import { ReplicaJoiner } from "../segment/join.ts";
import type { InstrumentEntry, SegmentView } from "../segment/view.ts";
import { readCount, writeCount } from "../wire/numbers.ts";
import { encodeFacts } from "./facts.ts";
import { encodeMessage, joinPieces, KINDS, packDelta, subjectOf } from "./message.ts";
import { BATCH_RECORDS, type Workspace } from "./workspace.ts";

/** A message on its way. */
export type Outgoing = { readonly subject: string; readonly payload: Uint8Array };

/** Where a segment's cursors stand. */
export type RingPosition = { readonly deltas: number; readonly trades: number };

type Published = {
  readonly entry: InstrumentEntry;
  readonly replica: number;
  /** The last record applied closed its event. */
  isWhole: boolean;
  /** Somebody needs the whole book. */
  isWanted: boolean;
  hasChanged: boolean;
  /** The last snapshot, by the monotonic clock. */
  publishedAtMs: number;
};

/** At rest a book is published so many times as rarely. */
const REST_FACTOR = 4;
/** A book is published whole at most so often, however often it is asked for. */
const WANT_MS = 200;

/** Publishes one segment. Thread: one. */
export class PublishedSegment {
  readonly view: SegmentView;
  /** Records that were overwritten before they were published. */
  readonly lost = { deltas: 0, trades: 0 };
  readonly #workspace: Workspace;
  readonly #source: bigint;
  readonly #joiner: ReplicaJoiner;
  readonly #readers: { readonly deltas: number; readonly trades: number };
  readonly #instruments = new Map<number, Published>();
  #entries = 0;

  /** @throws RangeError when the arena is exhausted */
  constructor(workspace: Workspace, { view, source }: { view: SegmentView; source: bigint }) {
    const { kernel } = workspace;
    this.view = view;
    this.#workspace = workspace;
    this.#source = source;
    this.#joiner = new ReplicaJoiner(kernel, {
      segment: view,
      scratch: workspace.joinDeltas,
      scratchRecords: BATCH_RECORDS,
    });
    this.#readers = {
      deltas: workspace.checked(kernel.readerCreate(view.address, RING_DELTAS)),
      trades: workspace.checked(kernel.readerCreate(view.address, RING_TRADES)),
    };
    this.#refresh();
  }

  /** Where the cursors stand. */
  get position(): RingPosition {
    const { memory } = this.#workspace;
    return {
      deltas: readCount(memory, this.#readers.deltas + READER_CURSOR),
      trades: readCount(memory, this.#readers.trades + READER_CURSOR),
    };
  }

  /** Reads from there again: what was published since may not have arrived. */
  rewind({ deltas, trades }: RingPosition): void {
    const { memory } = this.#workspace;
    writeCount(memory, this.#readers.deltas + READER_CURSOR, deltas);
    writeCount(memory, this.#readers.trades + READER_CURSOR, trades);
  }

  /** At most one batch of each ring, a message for each instrument that is in it. */
  poll(): Outgoing[] {
    this.#refresh();
    return [...this.#pollDeltas(), ...this.#pollTrades()];
  }

  /** Somebody lost its way. @param symbol undefined = all instruments */
  want(symbol?: string): void {
    for (const published of this.#instruments.values()) {
      if (symbol === undefined || published.entry.canonical === symbol) {
        published.isWanted = true;
      }
    }
  }

  /**
   * The whole books that are due, one instrument after the other until there are enough bytes.
   * @param options.bound position in the stream of deltas behind which the records after these books stand
   */
  snapshots(options: { bound: bigint; bytesMax: number; payloadMax: number; periodMs: number; nowMs: number }) {
    const messages: Outgoing[] = [];
    let bytes = 0;
    for (const published of this.#instruments.values()) {
      if (bytes < options.bytesMax && this.#isDue(published, options) && this.#bring(published)) {
        published.isWanted = false;
        published.hasChanged = false;
        published.publishedAtMs = options.nowMs;
        for (const message of this.#snapshot(published, options)) {
          messages.push(message);
          bytes += message.payload.length;
        }
      }
    }
    return messages;
  }

  /** Gives the memory of its books back. */
  close(): void {
    for (const { replica } of this.#instruments.values()) {
      this.#workspace.kernel.replicaRelease(replica);
    }
    this.#instruments.clear();
  }

  #isDue(published: Published, { periodMs, nowMs }: { periodMs: number; nowMs: number }): boolean {
    const age = nowMs - published.publishedAtMs;
    const { retiredTo, state } = this.view.instrument(published.entry.index);
    if (retiredTo !== 0 || state === STATE_RETIRED) {
      return false;
    }
    return (published.isWanted && age >= WANT_MS) || age >= periodMs * (published.hasChanged ? 1 : REST_FACTOR);
  }

  /** The replica follows and stands between two events. */
  #bring(published: Published): boolean {
    const { memory } = this.#workspace;
    const { replica, entry } = published;
    const fresh = this.view.instrument(entry.index);
    if (!fresh.imagesFit || fresh.priceExponent < 0 || fresh.quantityExponent < 0) {
      return false;
    }
    if (memory.getUint32(replica + REPLICA_STATE, true) !== REPLICA_STATE_FOLLOWING) {
      const outcome = this.#joiner.join(replica, { entry: entry.address, until: this.position.deltas });
      published.isWhole = outcome.kind === "joined";
      if (outcome.kind !== "joined") {
        return false;
      }
    }
    return published.isWhole && readCount(memory, replica + REPLICA_VERSION) > 0;
  }

  #snapshot({ entry, replica }: Published, { bound, payloadMax }: { bound: bigint; payloadMax: number }): Outgoing[] {
    const fresh = this.view.instrument(entry.index);
    const { memory } = this.#workspace;
    const facts = encodeFacts(fresh);
    const mark = new Uint8Array(16);
    const words = new DataView(mark.buffer);
    words.setBigUint64(0, memory.getBigUint64(replica + REPLICA_VERSION, true), true);
    words.setUint32(8, memory.getUint32(replica + REPLICA_HASH, true), true);
    words.setUint32(12, memory.getUint32(replica + REPLICA_FLAGS, true), true);
    const groups: Uint8Array[][] = [[]];
    let bytes = 0;
    for (const frame of this.#framesOf(replica, fresh)) {
      if (bytes > 0 && bytes + frame.length + facts.length + 256 > payloadMax) {
        groups.push([]);
        bytes = 0;
      }
      groups.at(-1)?.push(frame);
      bytes += frame.length + 4;
    }
    const subject = subjectOf(this.view.header.exchange, fresh.canonical, "snapshot");
    return groups.map((frames, part) => ({
      subject,
      payload: encodeMessage(
        { ...this.#head(KINDS.snapshot, entry.id), count: part, bound, parts: groups.length },
        joinPieces([mark, facts, ...frames]),
      ),
    }));
  }

  /** The head of a snapshot carries the exponents. */
  #framesOf(replica: number, { priceExponent, quantityExponent }: InstrumentEntry): Uint8Array[] {
    const { memory } = this.#workspace;
    memory.setInt32(replica + REPLICA_PRICE_EXPONENT, priceExponent, true);
    memory.setInt32(replica + REPLICA_QUANTITY_EXPONENT, quantityExponent, true);
    return this.#workspace.snapshotFrames(replica);
  }

  #pollDeltas(): Outgoing[] {
    const { kernel, deltas, memory, bytes } = this.#workspace;
    const count = kernel.readerPoll(this.#readers.deltas, deltas, BATCH_RECORDS);
    if (count === POLL_LAPPED) {
      this.lost.deltas = readCount(memory, this.#readers.deltas + READER_LOST);
      this.want();
      return [];
    }
    const groups = new Map<number, Uint8Array[]>();
    for (let index = 0; index < count; index++) {
      const record = deltas + index * DELTA_BYTES;
      const id = memory.getUint32(record + DELTA_INSTRUMENT_ID, true);
      this.#follow(id, record);
      add(groups, id, packDelta(bytes, record));
    }
    return this.#messages(groups, KINDS.deltas);
  }

  #follow(id: number, record: number): void {
    const { kernel, memory } = this.#workspace;
    const published = this.#instruments.get(id);
    if (published === undefined) {
      return;
    }
    const code = kernel.replicaApply(published.replica, record);
    published.hasChanged = true;
    if (code === REPLICA_OK) {
      published.isWhole = (memory.getUint16(record + DELTA_FLAGS, true) & FLAG_LAST) !== 0;
    } else if (memory.getUint32(published.replica + REPLICA_STATE, true) !== REPLICA_STATE_FOLLOWING) {
      // A Reset, or a chain that the lap of a ring broke: the next whole book leads on from here.
      published.isWanted = true;
    }
  }

  #pollTrades(): Outgoing[] {
    const { kernel, trades, memory, bytes } = this.#workspace;
    const count = kernel.readerPoll(this.#readers.trades, trades, BATCH_RECORDS);
    if (count === POLL_LAPPED) {
      this.lost.trades = readCount(memory, this.#readers.trades + READER_LOST);
      return [];
    }
    const groups = new Map<number, Uint8Array[]>();
    for (let index = 0; index < count; index++) {
      const record = trades + index * TRADE_BYTES;
      add(groups, memory.getUint32(record + TRADE_INSTRUMENT_ID, true), bytes.slice(record, record + TRADE_BYTES));
    }
    return this.#messages(groups, KINDS.trades);
  }

  #messages(groups: ReadonlyMap<number, readonly Uint8Array[]>, kind: number): Outgoing[] {
    const what = kind === KINDS.deltas ? "delta" : "trade";
    return [...groups].flatMap(([id, pieces]) => {
      const published = this.#instruments.get(id);
      if (published === undefined) {
        return [];
      }
      const head = { ...this.#head(kind, id), count: pieces.length };
      const subject = subjectOf(this.view.header.exchange, published.entry.canonical, what);
      return [{ subject, payload: encodeMessage(head, pieces) }];
    });
  }

  #head(kind: number, instrumentId: number) {
    const { epoch } = this.view.header;
    return { kind, source: this.#source, epoch, instrumentId, count: 0, bound: 0n, parts: 0 };
  }

  #refresh(): void {
    for (; this.#entries < this.view.instrumentCount; this.#entries++) {
      const entry = this.view.instrument(this.#entries);
      this.#instruments.set(entry.id, {
        entry,
        replica: this.#workspace.replica(entry.id),
        isWhole: true,
        isWanted: true,
        hasChanged: true,
        publishedAtMs: Number.NEGATIVE_INFINITY,
      });
    }
  }
}

function add(groups: Map<number, Uint8Array[]>, id: number, piece: Uint8Array): void {
  const group = groups.get(id);
  if (group === undefined) {
    groups.set(id, [piece]);
  } else {
    group.push(piece);
  }
}
