/**
 * Replicas: blocks in the arena with a book each, fed by records (record.ts), by frames (frame_decode.ts) or by another
 * replica (view.ts). What all of them share stands here: making, forgetting, the end of an event.
 * Bad case: anything that contradicts the book; the replica forgets it at once and waits for an image or a snapshot.
 */
import {
  FLAG_CROSSED,
  FLAG_NOT_SYNCED,
  FLAG_SNAPSHOT,
  REPLICA_BOOK,
  REPLICA_BYTES,
  REPLICA_CHAIN,
  REPLICA_EVENT_AT,
  REPLICA_EVENT_VERSION,
  REPLICA_FLAGS,
  REPLICA_HASH,
  REPLICA_HISTORY_FLOOR,
  REPLICA_PENDING_HASH,
  REPLICA_RECEIVED_AT,
  REPLICA_SOURCE_SEQUENCE,
  REPLICA_STATE,
  REPLICA_STATE_EMPTY,
  REPLICA_STATE_FOLLOWING,
  REPLICA_TIME_UNIT,
  REPLICA_VERSION,
} from "../../../assembly/layout.ts";
import type { Arena } from "./arena.ts";
import type { Book, Books } from "./book.ts";
import { dropEvent, releaseBuffer } from "./frame_encode.ts";
import { chainNext, stampsFold } from "./hash.ts";
import { beginHistory, dropHistory, releaseHistory } from "./history.ts";
import { copyWords, fieldOf, type Memory, writeWords } from "./memory.ts";

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
    const replica = this.arena.take(REPLICA_BYTES);
    if (replica !== 0) {
      this.#words[(replica + REPLICA_BOOK) >>> 2] = this.#books.create();
      this.#words[(replica + REPLICA_TIME_UNIT) >>> 2] = 1;
      writeWords(this.#words, replica + REPLICA_HISTORY_FLOOR, -1, -1);
    }
    return replica;
  }

  /** KernelReader.replicaRelease. */
  release(replica: number): void {
    releaseHistory(this.#words, this.arena, replica);
    releaseBuffer(this.#words, this.arena, replica);
    this.#books.release(fieldOf(this.#words, replica, REPLICA_BOOK));
    this.arena.release(replica, REPLICA_BYTES);
  }

  /** The book of a replica. */
  book(replica: number): Book {
    return this.#books.get(fieldOf(this.#words, replica, REPLICA_BOOK));
  }

  /** KernelReader.replicaClear. */
  clear(replica: number): void {
    this.forget(replica);
    writeWords(this.#words, replica + REPLICA_VERSION, 0, 0);
    writeWords(this.#words, replica + REPLICA_EVENT_VERSION, 0, 0);
    this.#words[(replica + REPLICA_FLAGS) >>> 2] = 0;
    this.#words[(replica + REPLICA_CHAIN) >>> 2] = 0;
  }

  /** KernelReader.replicaBegin. */
  begin(replica: number): void {
    this.clear(replica);
    writeWords(this.#words, replica + REPLICA_HISTORY_FLOOR, 0, 0);
    this.#words[(replica + REPLICA_STATE) >>> 2] = REPLICA_STATE_FOLLOWING;
  }

  /** Drops the book, its history and an event half coded. */
  forget(replica: number): void {
    const words = this.#words;
    this.book(replica).clear();
    words[(replica + REPLICA_HASH) >>> 2] = 0;
    words[(replica + REPLICA_STATE) >>> 2] = REPLICA_STATE_EMPTY;
    words[(replica + REPLICA_PENDING_HASH) >>> 2] = 0;
    dropHistory(words, replica);
    dropEvent(words, replica);
  }

  /** Forgets the book and says why. @returns the code */
  fail(replica: number, code: number): number {
    this.forget(replica);
    this.#words[(replica + REPLICA_FLAGS) >>> 2] = 0;
    return code;
  }

  /** Takes over what the end of an event says; version and hash are set before. A history that was dropped begins here. */
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
    copyWords(words, replica + REPLICA_EVENT_VERSION, replica + REPLICA_VERSION);
    beginHistory(words, replica);
    words[(replica + REPLICA_CHAIN) >>> 2] = chainNext(chain, hash, version, flags & STATUS_MASK, stamps);
    words[(replica + REPLICA_FLAGS) >>> 2] = flags;
    writeWords(words, replica + REPLICA_EVENT_AT, note.eventLow, note.eventHigh);
    writeWords(words, replica + REPLICA_RECEIVED_AT, note.receivedLow, note.receivedHigh);
    writeWords(words, replica + REPLICA_SOURCE_SEQUENCE, note.sequenceLow, note.sequenceHigh);
  }
}
