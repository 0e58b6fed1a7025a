/**
 * One merged instrument in the local segment: its records are numbered here, proved by a replica before anybody sees them,
 * and its cell and images follow. Bad case: an event that does not prove itself; nothing of it becomes visible.
 */
import {
  CELL_ASK_PRICE,
  CELL_ASK_QUANTITY,
  CELL_BID_PRICE,
  CELL_BID_QUANTITY,
  CELL_EVENT_AT,
  CELL_FLAG_ASK,
  CELL_FLAG_BID,
  CELL_FLAG_CROSSED,
  CELL_FLAG_TRADE,
  CELL_FLAGS,
  CELL_RECEIVED_AT,
  CELL_SEQUENCE,
  CELL_STATE,
  CELL_TRADE_AT,
  CELL_TRADE_PRICE,
  CELL_TRADE_QUANTITY,
  CELL_TRADE_VERSION,
  CELL_VERSION,
  DELTA_EVENT_AT,
  DELTA_FLAGS,
  DELTA_INSTRUMENT_ID,
  DELTA_RECEIVED_AT,
  DELTA_SOURCE_SEQUENCE,
  DELTA_VERSION,
  FLAG_CROSSED,
  FLAG_LAST,
  FLAG_NOT_SYNCED,
  FLAG_RESET,
  IMAGE_ASK_COUNT,
  IMAGE_BID_COUNT,
  IMAGE_EPOCH,
  IMAGE_EVENT_AT,
  IMAGE_GENERATION,
  IMAGE_HASH,
  IMAGE_HEADER_BYTES,
  IMAGE_INSTRUMENT_ID,
  IMAGE_RING_SEQUENCE,
  IMAGE_SOURCE_SEQUENCE,
  IMAGE_STATE,
  IMAGE_VERSION,
  LEVEL_BYTES,
  LEVEL_PRICE,
  LEVEL_QUANTITY,
  REASON_NONE,
  REPLICA_BOOK,
  REPLICA_FLAGS,
  REPLICA_HASH,
  REPLICA_OK,
  REPLICA_RESET,
  REPLICA_STATE,
  REPLICA_STATE_FOLLOWING,
  SIDE_ASK,
  SIDE_BID,
  STATE_RESYNCING,
  STATE_SYNCED,
  TABLE_CURRENT_IMAGE,
  TRADE_BOOK_VERSION,
  TRADE_EVENT_AT,
  TRADE_INSTRUMENT_ID,
  TRADE_PRICE,
  TRADE_QUANTITY,
  TRADE_VERSION,
} from "../../assembly/layout.ts";
import type { SegmentInstrument, SegmentWriter } from "../segment/writer.ts";
import type { LocalRing } from "./local_ring.ts";
import type { Workspace } from "./workspace.ts";

/** What a local book is made of. */
export type LocalBookParts = {
  readonly workspace: Workspace;
  readonly writer: SegmentWriter;
  readonly ring: LocalRing;
  readonly instrument: SegmentInstrument;
  readonly epoch: bigint;
  /** Unix ns. */
  readonly nowNs: () => bigint;
};

/** What a book carries at its last event. */
export type BookMark = { readonly hash: number; readonly eventAtNs: bigint; readonly sourceSequence: bigint };

/** A merged instrument's place in the local segment. Thread: one. */
export class LocalBook {
  readonly instrument: SegmentInstrument;
  /** Kernel replica of what was published. */
  readonly replica: number;
  readonly #parts: LocalBookParts;
  readonly #memory: DataView;
  readonly #words: Int32Array;
  #version = 0n;
  #tradeVersion = 0n;
  #imageAt = 0;
  #state: number = STATE_RESYNCING;
  #mark: BookMark = { hash: 0, eventAtNs: 0n, sourceSequence: 0n };
  #receivedAtNs = 0n;

  /** @throws RangeError when the arena is exhausted */
  constructor(parts: LocalBookParts) {
    const { workspace, instrument } = parts;
    this.#parts = parts;
    this.#memory = workspace.memory;
    this.#words = new Int32Array(workspace.kernel.buffer);
    this.instrument = instrument;
    this.replica = workspace.replica(instrument.id);
    workspace.kernel.replicaBegin(this.replica);
  }

  get version(): bigint {
    return this.#version;
  }

  /** Of the last event. */
  get mark(): BookMark {
    return this.#mark;
  }

  get receivedAtNs(): bigint {
    return this.#receivedAtNs;
  }

  /** By its last record. */
  get isSynced(): boolean {
    return this.#state === STATE_SYNCED;
  }

  /** There is a book that can be followed; not after an event that did not prove itself. */
  get hasBook(): boolean {
    return this.#memory.getUint32(this.replica + REPLICA_STATE, true) === REPLICA_STATE_FOLLOWING;
  }

  /** Record flags of the last event. */
  get flags(): number {
    return this.#memory.getUint32(this.replica + REPLICA_FLAGS, true);
  }

  /** Handle of the book. */
  get book(): number {
    return this.#memory.getUint32(this.replica + REPLICA_BOOK, true);
  }

  /** Of the book as it is. */
  get hash(): number {
    return this.#memory.getUint32(this.replica + REPLICA_HASH, true);
  }

  /**
   * Publishes one whole event.
   * @param records as they came, or as they were made here; version and id are set
   * @param reason REASON_* when it says NotSynced
   * @returns false when it does not lead on from this book; nothing of it was published
   */
  append(records: readonly Uint8Array[], reason: number = REASON_NONE): boolean {
    const { ring, workspace, nowNs } = this.#parts;
    const position = ring.deltaPosition;
    const versionBefore = this.#version;
    const now = nowNs();
    ring.claimDeltas(records.length);
    for (const record of records) {
      const slot = ring.putDelta(record, now);
      this.#version += 1n;
      this.#memory.setBigUint64(slot + DELTA_VERSION, this.#version, true);
      this.#memory.setUint32(slot + DELTA_INSTRUMENT_ID, this.instrument.id, true);
      if (workspace.kernel.replicaApply(this.replica, slot) !== REPLICA_OK) {
        ring.takeBack(position);
        this.#version = versionBefore;
        return false;
      }
    }
    const last = records.at(-1);
    if (last !== undefined) {
      this.#note(new DataView(last.buffer, last.byteOffset, last.length), reason);
    }
    ring.publish();
    return true;
  }

  /**
   * Publishes a whole book: an image, then one Reset record.
   * @param from kernel handle of the book
   * @param stamp a record without changes that says times, sequence, flags and hash
   * @returns false when the image does not hold it
   */
  reset(from: number, stamp: Uint8Array, reason: number = REASON_NONE): boolean {
    const { ring, workspace, nowNs } = this.#parts;
    const view = new DataView(stamp.buffer, stamp.byteOffset, stamp.length);
    view.setUint16(DELTA_FLAGS, view.getUint16(DELTA_FLAGS, true) | FLAG_RESET | FLAG_LAST, true);
    view.setBigUint64(DELTA_VERSION, this.#version + 1n, true);
    view.setUint32(DELTA_INSTRUMENT_ID, this.instrument.id, true);
    if (!this.#writeImage(from, { version: this.#version + 1n, ringSequence: ring.deltaPosition + 1, stamp: view })) {
      return false;
    }
    this.#version += 1n;
    ring.claimDeltas(1);
    const slot = ring.putDelta(stamp, nowNs());
    const { kernel } = workspace;
    if (kernel.replicaApply(this.replica, slot) !== REPLICA_RESET) {
      kernel.replicaClear(this.replica);
    }
    kernel.imageLoad(this.replica, this.#parts.writer.address, this.instrument.entryAddress);
    this.#note(view, reason);
    ring.publish();
    return true;
  }

  /** Publishes a trade. The record is numbered here. */
  trade(record: Uint8Array): void {
    const { ring, nowNs } = this.#parts;
    this.#tradeVersion += 1n;
    const slot = ring.putTrade(record, nowNs());
    this.#memory.setBigUint64(slot + TRADE_VERSION, this.#tradeVersion, true);
    this.#memory.setBigUint64(slot + TRADE_BOOK_VERSION, this.#version, true);
    this.#memory.setUint32(slot + TRADE_INSTRUMENT_ID, this.instrument.id, true);
    this.#writeTradeCell(slot);
    ring.publish();
  }

  /** Writes an image when the ring is about to leave the last one behind. */
  patrol(): void {
    const { ring } = this.#parts;
    if (this.#version > 0n && this.hasBook && ring.deltaPosition - this.#imageAt >= ring.deltaCapacity / 4) {
      this.#writeImage(this.book, { version: this.#version, ringSequence: ring.deltaPosition });
    }
  }

  /** Gives the memory of the replica back. */
  close(): void {
    this.#parts.workspace.kernel.replicaRelease(this.replica);
  }

  #note(record: DataView, reason: number): void {
    const flags = record.getUint16(DELTA_FLAGS, true);
    this.#receivedAtNs = record.getBigUint64(DELTA_RECEIVED_AT, true);
    this.#mark = {
      hash: this.hash,
      eventAtNs: record.getBigUint64(DELTA_EVENT_AT, true),
      sourceSequence: record.getBigUint64(DELTA_SOURCE_SEQUENCE, true),
    };
    const state = (flags & FLAG_NOT_SYNCED) === 0 ? STATE_SYNCED : STATE_RESYNCING;
    if (state !== this.#state || state !== STATE_SYNCED) {
      this.#state = state;
      const sinceNs = this.#parts.nowNs();
      this.#parts.writer.setEntryState(this.instrument, state, { reason, sinceNs });
    }
    this.#writeCell(flags);
  }

  #writeCell(flags: number): void {
    const cell = this.instrument.cellAddress;
    const memory = this.#memory;
    this.#underSequence(() => {
      const isTraded = memory.getUint32(cell + CELL_FLAGS, true) & CELL_FLAG_TRADE;
      const bid = this.#writeBest(SIDE_BID, { price: cell + CELL_BID_PRICE, quantity: cell + CELL_BID_QUANTITY });
      const ask = this.#writeBest(SIDE_ASK, { price: cell + CELL_ASK_PRICE, quantity: cell + CELL_ASK_QUANTITY });
      const crossed = (flags & FLAG_CROSSED) === 0 ? 0 : CELL_FLAG_CROSSED;
      memory.setUint32(cell + CELL_STATE, this.#state, true);
      memory.setBigUint64(cell + CELL_VERSION, this.#version, true);
      memory.setBigUint64(cell + CELL_EVENT_AT, this.#mark.eventAtNs, true);
      memory.setBigUint64(cell + CELL_RECEIVED_AT, this.#receivedAtNs, true);
      memory.setUint32(
        cell + CELL_FLAGS,
        isTraded | (bid ? CELL_FLAG_BID : 0) | (ask ? CELL_FLAG_ASK : 0) | crossed,
        true,
      );
    });
  }

  #writeTradeCell(slot: number): void {
    const cell = this.instrument.cellAddress;
    const memory = this.#memory;
    this.#underSequence(() => {
      memory.setBigInt64(cell + CELL_TRADE_PRICE, memory.getBigInt64(slot + TRADE_PRICE, true), true);
      memory.setBigInt64(cell + CELL_TRADE_QUANTITY, memory.getBigInt64(slot + TRADE_QUANTITY, true), true);
      memory.setBigUint64(cell + CELL_TRADE_AT, memory.getBigUint64(slot + TRADE_EVENT_AT, true), true);
      memory.setBigUint64(cell + CELL_TRADE_VERSION, this.#tradeVersion, true);
      memory.setUint32(cell + CELL_FLAGS, memory.getUint32(cell + CELL_FLAGS, true) | CELL_FLAG_TRADE, true);
    });
  }

  #underSequence(write: () => void): void {
    const index = (this.instrument.cellAddress + CELL_SEQUENCE) >>> 2;
    const sequence = Atomics.load(this.#words, index);
    Atomics.store(this.#words, index, sequence + 1);
    write();
    Atomics.store(this.#words, index, sequence + 2);
  }

  /** @returns whether the side has a level */
  #writeBest(side: number, { price, quantity }: { price: number; quantity: number }): boolean {
    const { kernel, levels } = this.#parts.workspace;
    if (kernel.bookWalk(this.book, side, 0, 1, levels) === 0) {
      return false;
    }
    this.#memory.setBigInt64(price, this.#memory.getBigInt64(levels + LEVEL_PRICE, true), true);
    this.#memory.setBigInt64(quantity, this.#memory.getBigInt64(levels + LEVEL_QUANTITY, true), true);
    return true;
  }

  #writeImage(
    book: number,
    { version, ringSequence, stamp }: { version: bigint; ringSequence: number; stamp?: DataView },
  ): boolean {
    const { kernel } = this.#parts.workspace;
    const { entryAddress, imageAddress, imageBytes, imageCapacity, id } = this.instrument;
    const [bids, asks] = [kernel.bookCount(book, SIDE_BID), kernel.bookCount(book, SIDE_ASK)];
    if (bids + asks > imageCapacity) {
      return false;
    }
    const memory = this.#memory;
    const current = (entryAddress + TABLE_CURRENT_IMAGE) >>> 2;
    const next = Atomics.load(this.#words, current) === 1 ? 2 : 1;
    const image = imageAddress + (next - 1) * imageBytes;
    const generation = Atomics.load(this.#words, (image + IMAGE_GENERATION) >>> 2);
    Atomics.store(this.#words, (image + IMAGE_GENERATION) >>> 2, generation + 1);
    const flags = stamp?.getUint16(DELTA_FLAGS, true) ?? memory.getUint32(this.replica + REPLICA_FLAGS, true);
    memory.setUint32(image + IMAGE_STATE, (flags & FLAG_NOT_SYNCED) === 0 ? STATE_SYNCED : STATE_RESYNCING, true);
    memory.setBigUint64(image + IMAGE_EPOCH, this.#parts.epoch, true);
    memory.setBigUint64(image + IMAGE_VERSION, version, true);
    memory.setBigUint64(image + IMAGE_RING_SEQUENCE, BigInt(ringSequence), true);
    memory.setUint32(image + IMAGE_BID_COUNT, bids, true);
    memory.setUint32(image + IMAGE_ASK_COUNT, asks, true);
    memory.setUint32(image + IMAGE_HASH, kernel.bookHash(book) >>> 0, true);
    memory.setUint32(image + IMAGE_INSTRUMENT_ID, id, true);
    memory.setBigUint64(
      image + IMAGE_EVENT_AT,
      stamp?.getBigUint64(DELTA_EVENT_AT, true) ?? this.#mark.eventAtNs,
      true,
    );
    const sequence = stamp?.getBigUint64(DELTA_SOURCE_SEQUENCE, true) ?? this.#mark.sourceSequence;
    memory.setBigUint64(image + IMAGE_SOURCE_SEQUENCE, sequence, true);
    const levels = image + IMAGE_HEADER_BYTES;
    kernel.bookWalk(book, SIDE_BID, 0, bids, levels);
    kernel.bookWalk(book, SIDE_ASK, 0, asks, levels + bids * LEVEL_BYTES);
    Atomics.store(this.#words, (image + IMAGE_GENERATION) >>> 2, generation + 2);
    Atomics.store(this.#words, current, next);
    this.#imageAt = ringSequence;
    return true;
  }
}
