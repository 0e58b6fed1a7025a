/**
 * The deltas of one epoch and the books that follow them, for the torture. Each record is judged by its number and by its
 * version; a book that follows proves it by its hash. After a lap the books join anew, now and then after a while.
 * Bad case: a book that cannot be joined because image and ring are overwritten all the time; that is counted.
 */
import {
  DELTA_BYTES,
  DELTA_INSTRUMENT_ID,
  DELTA_RECEIVED_AT,
  DELTA_VERSION,
  IMAGE_CORRUPT,
  IMAGE_OK,
  LEVEL_BYTES,
  LEVEL_PRICE,
  LEVEL_QUANTITY,
  POLL_LAPPED,
  READER_CURSOR,
  READER_LAPS,
  READER_LOST,
  REPLICA_BOOK,
  REPLICA_EMPTY,
  REPLICA_INSTRUMENT_ID,
  REPLICA_OK,
  REPLICA_RESET,
  REPLICA_STALE,
  REPLICA_STATE,
  REPLICA_STATE_FOLLOWING,
  REPLICA_VERSION,
  RING_DELTAS,
  SIDE_BID,
} from "../../assembly/layout.ts";
import type { Kernel } from "../../src/kernel/kernel.ts";
import { ReplicaJoiner } from "../../src/segment/join.ts";
import type { SegmentView } from "../../src/segment/view.ts";
import { readCount } from "../../src/wire/numbers.ts";
import { isMarkBroken, type MarkAnchor, markAnchor } from "./mapped_torture_marks.ts";
import type { RingAccount } from "./mapped_torture_reader.ts";
import type { SeededRandom } from "./seeded_random.ts";

/** Counts something that contradicts itself. */
export type Tear = (what: string) => void;

const BATCH = 128;
const LAZY_TURNS = 6;
const CELL_EVERY = 32;
const IMAGE_EVERY = 2;
const FINISH_TRIES = 100;

type Book = {
  readonly replica: number;
  id: number;
  index: number;
  entry: number;
  /** Low words of the last record's version and receipt; −1 = none, the next one need not chain. */
  version: number;
  received: number;
};

/** Books of two instruments. */
export class TortureBooks {
  readonly #kernel: Kernel;
  readonly #memory: DataView;
  readonly #words: Uint32Array;
  readonly #random: SeededRandom;
  readonly #tear: Tear;
  readonly #records: number;
  readonly #scratch: number;
  readonly #level: number;
  readonly #books: readonly Book[];
  /** Takes images that no book needs. */
  readonly #spare: number;
  #anchor: MarkAnchor = { low: 0, high: 0 };
  #view: SegmentView | undefined;
  #joiner: ReplicaJoiner | undefined;
  #reader = 0;
  #lazyTurns = 0;
  #start = 0;
  #received = 0;
  #counts = { joins: 0, failedJoins: 0, images: 0, applied: 0, cells: 0, busyCells: 0 };

  constructor(kernel: Kernel, { random, tear }: { random: SeededRandom; tear: Tear }) {
    this.#kernel = kernel;
    this.#memory = new DataView(kernel.buffer);
    this.#words = new Uint32Array(kernel.buffer);
    this.#random = random;
    this.#tear = tear;
    this.#records = kernel.arenaAllocate(BATCH * DELTA_BYTES);
    this.#scratch = kernel.arenaAllocate(BATCH * DELTA_BYTES);
    this.#level = kernel.arenaAllocate(LEVEL_BYTES);
    this.#spare = kernel.replicaCreate();
    const blank = { id: 0, index: 0, entry: 0, version: -1, received: -1 };
    this.#books = [0, 1].map(() => ({ ...blank, replica: kernel.replicaCreate() }));
  }

  /** Begins with another epoch. */
  begin(view: SegmentView): void {
    this.#view = view;
    this.#anchor = markAnchor(view.header.wallAnchorNs);
    this.#reader = this.#kernel.readerCreate(view.address, RING_DELTAS);
    this.#joiner = new ReplicaJoiner(this.#kernel, {
      segment: view,
      scratch: this.#scratch,
      scratchRecords: BATCH,
    });
    this.#start = this.cursor;
    this.#received = 0;
    this.#lazyTurns = 0;
    this.#counts = { joins: 0, failedJoins: 0, images: 0, applied: 0, cells: 0, busyCells: 0 };
    const entries = view.instruments();
    for (const [index, book] of this.#books.entries()) {
      this.#kernel.replicaClear(book.replica);
      const entry = entries[index];
      Object.assign(book, { id: entry?.id ?? 0, index, entry: entry?.address ?? 0, version: -1, received: -1 });
      this.#memory.setUint32(book.replica + REPLICA_INSTRUMENT_ID, book.id, true);
    }
    if (entries.length !== this.#books.length) {
      this.#tear(`table of ${entries.length}`);
    }
  }

  /** Ring position of the next record. */
  get cursor(): number {
    return readCount(this.#memory, this.#reader + READER_CURSOR);
  }

  /** Reads at most one batch. @returns how many records, 0 = there is none */
  poll(): number {
    const count = this.#kernel.readerPoll(this.#reader, this.#records, 1 + this.#random.below(BATCH));
    if (count === POLL_LAPPED) {
      this.#forget();
      return 1;
    }
    for (let index = 0; index < count; index++) {
      this.#take(this.#records + index * DELTA_BYTES);
    }
    this.#received += count;
    if (this.#lazyTurns > 0) {
      this.#lazyTurns -= 1;
    } else {
      this.#join();
    }
    if (this.#random.below(IMAGE_EVERY) === 0) {
      this.#takeImage();
    }
    if (count > 0 && this.#random.below(CELL_EVERY) === 0) {
      this.#compareCells();
    }
    return count;
  }

  /** Joins what does not follow, now that nothing moves any more. @returns whether all books are there */
  finish(): boolean {
    for (let tries = 0; tries < FINISH_TRIES && !this.#books.every((book) => this.#isFollowing(book)); tries++) {
      this.#join();
    }
    this.#compareCells();
    return this.#books.every((book) => this.#isFollowing(book));
  }

  /** What became of the records. */
  account(): RingAccount {
    const lost = readCount(this.#memory, this.#reader + READER_LOST);
    return { start: this.#start, received: this.#received, lost, cursor: this.cursor };
  }

  /** What else happened. */
  counts() {
    return { ...this.#counts, laps: this.#memory.getUint32(this.#reader + READER_LAPS, true) };
  }

  #forget(): void {
    this.#lazyTurns = this.#random.below(LAZY_TURNS);
    for (const book of this.#books) {
      this.#kernel.replicaClear(book.replica);
      book.version = -1;
      book.received = -1;
    }
  }

  #take(record: number): void {
    const words = this.#words;
    const id = words[(record + DELTA_INSTRUMENT_ID) >>> 2] ?? 0;
    const [first, second] = this.#books;
    const book = first?.id === id ? first : second;
    if (book?.id !== id) {
      this.#tear("record of nobody");
      return;
    }
    const version = words[(record + DELTA_VERSION) >>> 2] ?? 0;
    if (book.version >= 0 && version !== (book.version + 1) >>> 0) {
      this.#tear("record version");
    }
    book.version = version;
    book.received = words[(record + DELTA_RECEIVED_AT) >>> 2] ?? 0;
    if (isMarkBroken(words, { record, anchor: this.#anchor })) {
      this.#tear("record mark");
    }
    const code = this.#kernel.replicaApply(book.replica, record);
    if (code === REPLICA_OK) {
      this.#counts.applied += 1;
    } else if (code !== REPLICA_STALE && code !== REPLICA_EMPTY && code !== REPLICA_RESET) {
      this.#tear(`record ${code}`);
    }
  }

  #join(): void {
    for (const book of this.#books) {
      if (this.#isFollowing(book)) {
        continue;
      }
      const outcome = this.#joiner?.join(book.replica, { entry: book.entry, until: this.cursor });
      if (outcome?.kind === "joined") {
        this.#counts.joins += 1;
      } else {
        this.#counts.failedJoins += 1;
      }
      if (outcome?.kind === "corrupt") {
        this.#tear(`join ${outcome.code}`);
      }
    }
  }

  /** An image must be whole, by its hash, at any moment. */
  #takeImage(): void {
    const book = this.#books[this.#random.below(this.#books.length)];
    if (book === undefined || this.#view === undefined) {
      return;
    }
    this.#kernel.replicaClear(this.#spare);
    this.#memory.setUint32(this.#spare + REPLICA_INSTRUMENT_ID, book.id, true);
    const code = this.#kernel.imageLoad(this.#spare, this.#view.address, book.entry);
    this.#counts.images += code === IMAGE_OK ? 1 : 0;
    if (code === IMAGE_CORRUPT) {
      this.#tear("image");
    }
  }

  /** A cell of the version that a book has must say what the book says. */
  #compareCells(): void {
    for (const book of this.#books) {
      const cell = this.#isFollowing(book) ? this.#view?.topOfBook(book.index) : undefined;
      if (cell === undefined) {
        this.#counts.busyCells += this.#isFollowing(book) ? 1 : 0;
        continue;
      }
      if (cell.version === 0n) {
        // Nothing was written yet.
        continue;
      }
      if (cell.instrumentId !== book.id || cell.bidPrice >= cell.askPrice) {
        this.#tear("cell");
      }
      const version = this.#memory.getBigUint64(book.replica + REPLICA_VERSION, true);
      if (cell.version !== version) {
        continue;
      }
      this.#counts.cells += 1;
      const bids = this.#memory.getUint32(book.replica + REPLICA_BOOK, true);
      this.#kernel.bookWalk(bids, SIDE_BID, 0, 1, this.#level);
      const isBest =
        cell.bidPrice === this.#memory.getBigInt64(this.#level + LEVEL_PRICE, true) &&
        cell.bidQuantity === this.#memory.getBigInt64(this.#level + LEVEL_QUANTITY, true);
      const isLast = Number(BigInt.asUintN(32, version)) === book.version;
      if (!isBest || (isLast && Number(BigInt.asUintN(32, cell.receivedAtNs)) !== book.received)) {
        this.#tear("cell against book");
      }
    }
  }

  #isFollowing({ replica }: Book): boolean {
    return this.#words[(replica + REPLICA_STATE) >>> 2] === REPLICA_STATE_FOLLOWING;
  }
}
