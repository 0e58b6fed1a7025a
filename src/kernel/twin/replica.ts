/**
 * A reader's book: delta records are checked against the version chain, applied, and proved by the book hash of every
 * record. With an encode buffer each event is also coded for the stream, against the same book, in the same pass.
 * Bad case: a record that contradicts the book; the replica forgets its book at once and waits for an image.
 */
import {
  BOOK_ADDED,
  BOOK_UNCHANGED,
  DELTA_ADD_MASK,
  DELTA_BASE_PRICE,
  DELTA_BOOK_HASH,
  DELTA_CHANGES_MAX,
  DELTA_EVENT_AT,
  DELTA_FLAGS,
  DELTA_INSTRUMENT_ID,
  DELTA_PRICE_OFFSETS,
  DELTA_QUANTITIES,
  DELTA_RECEIVED_AT,
  DELTA_SIDE_MASK,
  DELTA_SOURCE_SEQUENCE,
  DELTA_VERSION,
  FLAG_CROSSED,
  FLAG_LAST,
  FLAG_NOT_SYNCED,
  FLAG_RESET,
  FLAG_SNAPSHOT,
  FLAGS_ALL,
  REPLICA_BOOK,
  REPLICA_BUFFER_ADDRESS,
  REPLICA_BUFFER_FULL,
  REPLICA_BYTES,
  REPLICA_CHAIN,
  REPLICA_CHAIN_BROKEN,
  REPLICA_CHANGES,
  REPLICA_EMPTY,
  REPLICA_EVENT_AT,
  REPLICA_EVENT_OPEN,
  REPLICA_EVENT_RECORDS,
  REPLICA_FLAGS,
  REPLICA_HASH,
  REPLICA_HASH_MISMATCH,
  REPLICA_INCONSISTENT,
  REPLICA_INSTRUMENT_ID,
  REPLICA_OK,
  REPLICA_PENDING_HASH,
  REPLICA_RECEIVED_AT,
  REPLICA_RESET,
  REPLICA_SOURCE_SEQUENCE,
  REPLICA_STALE,
  REPLICA_STATE,
  REPLICA_STATE_EMPTY,
  REPLICA_STATE_FOLLOWING,
  REPLICA_TIME_UNIT,
  REPLICA_VERSION,
} from "../../../assembly/layout.ts";
import type { Arena } from "./arena.ts";
import type { Book, Books } from "./book.ts";
import { beginEvent, dropEvent, encodeChange, endEvent, hasRoom } from "./frame_encode.ts";
import { chainNext, stampsFold } from "./hash.ts";
import { add, compareUnsigned, resultHigh, resultLow } from "./int64.ts";
import { addU64, copyWords, fieldOf, type Memory, wordAt, writeWords } from "./memory.ts";

/** Record flags that are part of a book's status on the wire and in the chain. */
export const STATUS_MASK = FLAG_SNAPSHOT | FLAG_NOT_SYNCED | FLAG_CROSSED;

/** What the end of an event says, as words. */
export type EventNote = {
  readonly eventLow: number;
  readonly eventHigh: number;
  readonly receivedLow: number;
  readonly receivedHigh: number;
  readonly sequenceLow: number;
  readonly sequenceHigh: number;
};

/** A book that is not synced may be crossed without saying so: its crossing was not judged. */
export function mayDiffer(flags: number): boolean {
  return (flags & FLAG_NOT_SYNCED) !== 0 && (flags & FLAG_CROSSED) === 0;
}

/** The replicas of one kernel instance. */
export class Replicas {
  readonly memory: Memory;
  readonly arena: Arena;
  readonly #books: Books;
  readonly #words: Int32Array;

  constructor(memory: Memory, arena: Arena, books: Books) {
    this.memory = memory;
    this.arena = arena;
    this.#books = books;
    this.#words = memory.words;
  }

  /** KernelReader.replicaCreate. */
  create(): number {
    const replica = this.arena.allocate(REPLICA_BYTES);
    if (replica !== 0) {
      this.#words[(replica + REPLICA_BOOK) >>> 2] = this.#books.create();
      this.#words[(replica + REPLICA_TIME_UNIT) >>> 2] = 1;
    }
    return replica;
  }

  /** The book of a replica. */
  book(replica: number): Book {
    return this.#books.get(fieldOf(this.#words, replica, REPLICA_BOOK));
  }

  /** KernelReader.replicaClear. */
  clear(replica: number): void {
    this.forget(replica);
    writeWords(this.#words, replica + REPLICA_VERSION, 0, 0);
    this.#words[(replica + REPLICA_FLAGS) >>> 2] = 0;
    this.#words[(replica + REPLICA_CHAIN) >>> 2] = 0;
  }

  /** KernelReader.replicaBegin. */
  begin(replica: number): void {
    this.clear(replica);
    this.#words[(replica + REPLICA_STATE) >>> 2] = REPLICA_STATE_FOLLOWING;
  }

  /** Drops the book and an event half coded. */
  forget(replica: number): void {
    const words = this.#words;
    this.book(replica).clear();
    words[(replica + REPLICA_HASH) >>> 2] = 0;
    words[(replica + REPLICA_STATE) >>> 2] = REPLICA_STATE_EMPTY;
    words[(replica + REPLICA_PENDING_HASH) >>> 2] = 0;
    dropEvent(words, replica);
  }

  /** Forgets the book and says why. @returns the code */
  fail(replica: number, code: number): number {
    this.forget(replica);
    this.#words[(replica + REPLICA_FLAGS) >>> 2] = 0;
    return code;
  }

  /** KernelReader.replicaApply. @returns REPLICA_* */
  apply(replica: number, record: number): number {
    const words = this.#words;
    if (fieldOf(words, record, DELTA_INSTRUMENT_ID) !== fieldOf(words, replica, REPLICA_INSTRUMENT_ID)) {
      return this.fail(replica, REPLICA_INCONSISTENT);
    }
    const flags = fieldOf(words, record, DELTA_FLAGS) & 0xffff;
    if (fieldOf(words, replica, REPLICA_STATE) !== REPLICA_STATE_FOLLOWING) {
      return (flags & FLAG_RESET) !== 0 ? this.#awaitImage(replica, record, flags) : REPLICA_EMPTY;
    }
    const order = this.#versionOrder(replica, record);
    if (order !== REPLICA_OK) {
      return order === REPLICA_STALE ? REPLICA_STALE : this.fail(replica, order);
    }
    if (!isWellFormed(words, record, flags)) {
      return this.fail(replica, REPLICA_INCONSISTENT);
    }
    if ((flags & FLAG_RESET) !== 0) {
      return this.#awaitImage(replica, record, flags);
    }
    const isCoded = fieldOf(words, replica, REPLICA_BUFFER_ADDRESS) !== 0;
    const book = this.book(replica);
    if (isCoded) {
      if (!hasRoom(words, replica)) {
        return REPLICA_BUFFER_FULL;
      }
      if (fieldOf(words, replica, REPLICA_EVENT_OPEN) === 0) {
        beginEvent(words, replica, book);
      }
    }
    if (!this.#applyChanges(replica, record, book, isCoded)) {
      return this.fail(replica, REPLICA_INCONSISTENT);
    }
    if (book.hash !== fieldOf(words, record, DELTA_BOOK_HASH)) {
      return this.fail(replica, REPLICA_HASH_MISMATCH);
    }
    words[(replica + REPLICA_HASH) >>> 2] = book.hash;
    copyWords(words, replica + REPLICA_VERSION, record + DELTA_VERSION);
    if (isCoded) {
      words[(replica + REPLICA_EVENT_RECORDS) >>> 2] = fieldOf(words, replica, REPLICA_EVENT_RECORDS) + 1;
    }
    return (flags & FLAG_LAST) !== 0 ? this.#closeEvent(replica, record, flags, isCoded) : REPLICA_OK;
  }

  /** @returns REPLICA_OK when the record follows the version held, REPLICA_STALE or REPLICA_CHAIN_BROKEN */
  #versionOrder(replica: number, record: number): number {
    const words = this.#words;
    const low = fieldOf(words, record, DELTA_VERSION);
    const high = fieldOf(words, record, DELTA_VERSION + 4);
    const heldLow = fieldOf(words, replica, REPLICA_VERSION);
    const heldHigh = fieldOf(words, replica, REPLICA_VERSION + 4);
    if (compareUnsigned(low, high, heldLow, heldHigh) <= 0) {
      return REPLICA_STALE;
    }
    add(heldLow, heldHigh, 1, 0);
    return low === resultLow() && high === resultHigh() ? REPLICA_OK : REPLICA_CHAIN_BROKEN;
  }

  /** A Reset: the book is forgotten until an image of at least this version is loaded. */
  #awaitImage(replica: number, record: number, flags: number): number {
    const words = this.#words;
    if (!isWellFormed(words, record, flags)) {
      return this.fail(replica, REPLICA_INCONSISTENT);
    }
    this.forget(replica);
    copyWords(words, replica + REPLICA_VERSION, record + DELTA_VERSION);
    words[(replica + REPLICA_FLAGS) >>> 2] = flags;
    words[(replica + REPLICA_PENDING_HASH) >>> 2] = fieldOf(words, record, DELTA_BOOK_HASH);
    copyWords(words, replica + REPLICA_EVENT_AT, record + DELTA_EVENT_AT);
    copyWords(words, replica + REPLICA_RECEIVED_AT, record + DELTA_RECEIVED_AT);
    return REPLICA_RESET;
  }

  /** @returns false when a change contradicts the book or itself */
  #applyChanges(replica: number, record: number, book: Book, isCoded: boolean): boolean {
    const words = this.#words;
    const count = changeCount(words, record);
    const sides = fieldOf(words, record, DELTA_SIDE_MASK) & 0xffff;
    const adds = fieldOf(words, record, DELTA_SIDE_MASK) >>> ((DELTA_ADD_MASK - DELTA_SIDE_MASK) * 8);
    const baseLow = fieldOf(words, record, DELTA_BASE_PRICE);
    const baseHigh = fieldOf(words, record, DELTA_BASE_PRICE + 4);
    for (let i = 0; i < count; i++) {
      const side = (sides >>> i) & 1;
      const offset = wordAt(words, ((record + DELTA_PRICE_OFFSETS) >>> 2) + i);
      const sum = (baseLow >>> 0) + (offset >>> 0);
      const priceLow = sum | 0;
      const priceHigh = (baseHigh + (offset >> 31) + (sum > 0xffffffff ? 1 : 0)) | 0;
      const quantity = ((record + DELTA_QUANTITIES) >>> 2) + i * 2;
      const lotsLow = wordAt(words, quantity);
      const lotsHigh = wordAt(words, quantity + 1);
      if (lotsHigh < 0) {
        return false;
      }
      const result = book.set(side, priceLow, priceHigh, lotsLow, lotsHigh);
      if (result === BOOK_UNCHANGED || (result === BOOK_ADDED) !== (((adds >>> i) & 1) === 1)) {
        return false;
      }
      if (isCoded) {
        encodeChange(this.memory, replica, side, priceLow, priceHigh, lotsLow, lotsHigh);
      }
    }
    addU64(words, replica + REPLICA_CHANGES, count);
    return true;
  }

  #closeEvent(replica: number, record: number, flags: number, isCoded: boolean): number {
    const words = this.#words;
    if (this.book(replica).isCrossed() !== ((flags & FLAG_CROSSED) !== 0) && !mayDiffer(flags)) {
      return this.fail(replica, REPLICA_INCONSISTENT);
    }
    const note: EventNote = {
      eventLow: fieldOf(words, record, DELTA_EVENT_AT),
      eventHigh: fieldOf(words, record, DELTA_EVENT_AT + 4),
      receivedLow: fieldOf(words, record, DELTA_RECEIVED_AT),
      receivedHigh: fieldOf(words, record, DELTA_RECEIVED_AT + 4),
      sequenceLow: fieldOf(words, record, DELTA_SOURCE_SEQUENCE),
      sequenceHigh: fieldOf(words, record, DELTA_SOURCE_SEQUENCE + 4),
    };
    if (isCoded) {
      endEvent(this.memory, replica, flags & STATUS_MASK, note);
    }
    this.noteEvent(replica, flags, note);
    return REPLICA_OK;
  }

  /** Takes over what the end of an event says; version and hash are set before. */
  noteEvent(replica: number, flags: number, note: EventNote): void {
    const words = this.#words;
    const chain = fieldOf(words, replica, REPLICA_CHAIN);
    const version = fieldOf(words, replica, REPLICA_VERSION);
    const hash = fieldOf(words, replica, REPLICA_HASH);
    const stamps = stampsFold(
      note.eventLow,
      note.eventHigh,
      note.receivedLow,
      note.receivedHigh,
      note.sequenceLow,
      note.sequenceHigh,
    );
    words[(replica + REPLICA_CHAIN) >>> 2] = chainNext(chain, hash, version, flags & STATUS_MASK, stamps);
    words[(replica + REPLICA_FLAGS) >>> 2] = flags;
    writeWords(words, replica + REPLICA_EVENT_AT, note.eventLow, note.eventHigh);
    writeWords(words, replica + REPLICA_RECEIVED_AT, note.receivedLow, note.receivedHigh);
    writeWords(words, replica + REPLICA_SOURCE_SEQUENCE, note.sequenceLow, note.sequenceHigh);
  }
}

function changeCount(words: Int32Array, record: number): number {
  return (fieldOf(words, record, DELTA_FLAGS) >>> 16) & 255;
}

/** What a record must be by itself. */
function isWellFormed(words: Int32Array, record: number, flags: number): boolean {
  const count = changeCount(words, record);
  const masks = fieldOf(words, record, DELTA_SIDE_MASK);
  const used = (masks | (masks >>> 16)) & 0xffff;
  if (count > DELTA_CHANGES_MAX || (flags & ~FLAGS_ALL) !== 0 || used >>> count !== 0) {
    return false;
  }
  const hasBase = (fieldOf(words, record, DELTA_BASE_PRICE) | fieldOf(words, record, DELTA_BASE_PRICE + 4)) !== 0;
  if (count === 0 && hasBase) {
    return false;
  }
  return (flags & FLAG_RESET) === 0 || (count === 0 && (flags & FLAG_LAST) !== 0);
}
