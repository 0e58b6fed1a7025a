/**
 * Consumers of this process: the client library's book and the kernel's replica, each behind the same judgement. Every
 * frame must be taken, every proof must hold; a damaged frame goes to a book of its own that begins with a snapshot, and
 * beside it a sound one is fed the same frames undamaged.
 * Bad case: a book that loses its way; it is written down, and stays empty until the next snapshot.
 */
import {
  LEVEL_BYTES,
  REPLICA_BOOK,
  REPLICA_BYTES,
  REPLICA_CHAIN,
  REPLICA_CHAIN_BROKEN,
  REPLICA_CHANGES,
  REPLICA_EMPTY,
  REPLICA_HASH,
  REPLICA_HASH_MISMATCH,
  REPLICA_INCONSISTENT,
  REPLICA_OK,
  REPLICA_STATE,
  REPLICA_STATE_FOLLOWING,
  REPLICA_VERSION,
  SIDE_ASK,
  SIDE_BID,
} from "../../../assembly/layout.ts";
import { ByteReader } from "../../../src/client/byte_reader.ts";
import { StreamBook } from "../../../src/client/stream_book.ts";
import type { Kernel } from "../../../src/kernel/kernel.ts";
import { readCount } from "../../../src/wire/numbers.ts";
import { freshKernel } from "../../support/rig.ts";
import {
  type Consumer,
  type ConsumerAccount,
  type FlipEnd,
  flipped,
  PROBLEMS_MAX,
  type Proof,
  type Trial,
} from "./parts.ts";

const FRAME_ROOM = 1 << 18;
/** Levels walked at once. */
const LEVELS_CHUNK = 4096;
const KERNEL_BYTES = 128 << 20;
const WORDS: Readonly<Record<number, string>> = {
  [REPLICA_OK]: "applied",
  [REPLICA_EMPTY]: "skipped",
  [REPLICA_CHAIN_BROKEN]: "chain",
  [REPLICA_HASH_MISMATCH]: "hash",
  [REPLICA_INCONSISTENT]: "inconsistent",
};

/** A book that takes frames. */
export interface FollowedBook {
  /** @returns REPLICA_* */
  apply(frame: Uint8Array): number;
  readonly isFollowing: boolean;
  readonly version: number;
  readonly hash: number;
  readonly chain: number;
  /** Changes that frames brought; 0 where nobody counts. */
  readonly changes: number;
  /** As in Proof. */
  levels(): Uint8Array;
  release(): void;
}

/** The client library's book. */
export class ClientBook implements FollowedBook {
  readonly changes = 0;
  readonly #book = new StreamBook({ isVerified: true });

  apply(frame: Uint8Array): number {
    return this.#book.apply(frame);
  }

  get isFollowing(): boolean {
    return this.#book.state === REPLICA_STATE_FOLLOWING;
  }

  get version(): number {
    return Number(this.#book.version.value);
  }

  get hash(): number {
    return this.#book.levels.hash >>> 0;
  }

  get chain(): number {
    return this.#book.chain >>> 0;
  }

  levels(): Uint8Array {
    const { bids, asks } = this.#book.levels;
    const bytes = new Uint8Array(8 + (bids.count + asks.count) * LEVEL_BYTES);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, bids.count, true);
    view.setUint32(4, asks.count, true);
    let at = 8;
    for (const side of [bids, asks]) {
      for (let rank = 0; rank < side.count; rank++, at += LEVEL_BYTES) {
        view.setBigInt64(at, BigInt(side.price(rank)), true);
        view.setBigInt64(at + 8, BigInt(side.quantity(rank)), true);
      }
    }
    return bytes;
  }

  release(): void {
    this.#book.clear();
  }
}

/** The kernel that a client, or the replay, would hold its replicas in. */
export class ReplicaGround {
  readonly kernel: Kernel;
  readonly memory: DataView;
  readonly bytes: Uint8Array;
  readonly frame: number;
  readonly levels: number;

  constructor() {
    this.kernel = freshKernel("wasm", KERNEL_BYTES).kernel;
    this.memory = new DataView(this.kernel.buffer);
    this.bytes = new Uint8Array(this.kernel.buffer);
    this.frame = this.kernel.arenaAllocate(FRAME_ROOM);
    this.levels = this.kernel.arenaAllocate(LEVELS_CHUNK * LEVEL_BYTES);
  }
}

/** The kernel's replica, fed by frames. */
export class ReplicaFrames implements FollowedBook {
  readonly #ground: ReplicaGround;
  readonly #replica: number;

  /** @throws RangeError when the arena is exhausted */
  constructor(ground: ReplicaGround) {
    this.#ground = ground;
    this.#replica = ground.kernel.replicaCreate();
    if (this.#replica === 0) {
      throw new RangeError(`Cannot create a replica of ${REPLICA_BYTES} bytes: the arena is exhausted`);
    }
  }

  apply(frame: Uint8Array): number {
    const { kernel, bytes, frame: room } = this.#ground;
    bytes.set(frame, room);
    return kernel.frameApply(this.#replica, room, frame.length);
  }

  get isFollowing(): boolean {
    return this.#word(REPLICA_STATE) === REPLICA_STATE_FOLLOWING;
  }

  get version(): number {
    return readCount(this.#ground.memory, this.#replica + REPLICA_VERSION);
  }

  get hash(): number {
    return this.#word(REPLICA_HASH);
  }

  get chain(): number {
    return this.#word(REPLICA_CHAIN);
  }

  get changes(): number {
    return readCount(this.#ground.memory, this.#replica + REPLICA_CHANGES);
  }

  levels(): Uint8Array {
    return bookBytes(this.#ground, this.#word(REPLICA_BOOK), 0);
  }

  release(): void {
    this.#ground.kernel.replicaRelease(this.#replica);
  }

  #word(offset: number): number {
    return this.#ground.memory.getUint32(this.#replica + offset, true);
  }
}

/** The levels of a kernel's book. @param ground with room for LEVELS_CHUNK levels at `levels` @param depth levels a side, 0 = all */
export function bookBytes(
  ground: { kernel: Kernel; bytes: Uint8Array; levels: number },
  book: number,
  depth: number,
): Uint8Array {
  const { kernel, bytes, levels } = ground;
  const counts = [SIDE_BID, SIDE_ASK].map((side) => {
    const count = kernel.bookCount(book, side);
    return depth === 0 ? count : Math.min(count, depth);
  });
  const all = new Uint8Array(8 + counts.reduce((sum, count) => sum + count, 0) * LEVEL_BYTES);
  const head = new DataView(all.buffer);
  let at = 8;
  counts.forEach((count, side) => {
    head.setUint32(side * 4, count, true);
    for (let from = 0; from < count; from += LEVELS_CHUNK) {
      const taken = kernel.bookWalk(book, side, from, Math.min(LEVELS_CHUNK, count - from), levels);
      all.set(bytes.subarray(levels, levels + taken * LEVEL_BYTES), at);
      at += taken * LEVEL_BYTES;
    }
  });
  return all;
}

/** Follows every view in this process. */
export class BookConsumer<Book extends FollowedBook> implements Consumer {
  /** By alias. */
  readonly books = new Map<number, Book>();
  readonly #name: string;
  readonly #make: () => Book;
  readonly #reader = new ByteReader();
  readonly #problems: string[] = [];
  readonly #flips: Record<string, Record<string, number>> = {};
  #dropped = 0;
  readonly #counts = { frames: 0, bytes: 0, proofs: 0, books: 0, levels: 0, trials: 0 };

  constructor(name: string, make: () => Book) {
    this.#name = name;
    this.#make = make;
  }

  frame(alias: number, bytes: Uint8Array): void {
    this.#counts.frames += 1;
    this.#counts.bytes += bytes.length;
    const code = this.#book(alias).apply(bytes);
    if (code !== REPLICA_OK) {
      this.#note(`frame ${this.#counts.frames} of view ${alias}: ${WORDS[code] ?? code}`);
    }
  }

  expect({ alias, version, hash, levels }: Proof): void {
    const book = this.#book(alias);
    this.#counts.proofs += 1;
    if (!book.isFollowing || book.version !== version || book.hash !== hash) {
      const held = `${book.isFollowing ? "" : "no book, "}version ${book.version}, hash ${book.hash}`;
      this.#note(`view ${alias}: ${held}; the producer has ${version}, ${hash}`);
    }
    if (levels !== undefined) {
      this.#counts.books += 1;
      this.#counts.levels += (levels.length - 8) / LEVEL_BYTES;
      if (Buffer.compare(book.levels(), levels) !== 0) {
        this.#note(`view ${alias} at version ${version}: a level differs from the producer's`);
      }
    }
  }

  attempt(trial: Trial): void {
    this.#counts.trials += 1;
    const [sound, damaged] = [this.#make(), this.#make()];
    try {
      const end = this.#judge(trial, sound, damaged);
      const ends = this.#flips[trial.kind] ?? {};
      this.#flips[trial.kind] = ends;
      ends[end] = (ends[end] ?? 0) + 1;
      if (end === "undetected") {
        this.#note(`bit ${trial.bit} of a ${trial.kind} frame of view ${trial.alias} turned and nobody saw it`);
      }
    } finally {
      sound.release();
      damaged.release();
    }
  }

  drop(alias: number): void {
    const book = this.books.get(alias);
    this.#dropped += book?.changes ?? 0;
    book?.release();
    this.books.delete(alias);
  }

  /** Changes that frames brought to all books. */
  get changes(): number {
    return [...this.books.values()].reduce((sum, { changes }) => sum + changes, this.#dropped);
  }

  settle(): Promise<void> {
    return Promise.resolve();
  }

  finish(): Promise<ConsumerAccount> {
    const [flips, problems] = [this.#flips, this.#problems];
    return Promise.resolve({ name: this.#name, ...this.#counts, flips, problems, cpuSeconds: undefined });
  }

  #judge({ alias, parts, frames, at, bit }: Trial, sound: Book, damaged: Book): FlipEnd {
    for (const part of parts) {
      if (sound.apply(part) !== REPLICA_OK || damaged.apply(part) !== REPLICA_OK) {
        this.#note(`view ${alias}: the snapshot before a flipped bit does not hold`);
      }
    }
    let isSame = false;
    for (const [index, frame] of frames.entries()) {
      if (sound.apply(frame) !== REPLICA_OK) {
        this.#note(`view ${alias}: a sound frame behind a snapshot is refused`);
      }
      const given = index === at ? flipped(frame, bit) : frame;
      const outcome = this.#deliver(damaged, alias, given);
      if (outcome === "refused") {
        return index === at ? "at once" : index < frames.length - 1 ? "before the hash" : "by the hash";
      }
      if (index === at) {
        isSame = isEqual(sound, damaged);
      }
    }
    return !damaged.isFollowing ? "no book" : isSame && isEqual(sound, damaged) ? "same meaning" : "undetected";
  }

  /** Gives a frame to the book that it names; a name that nobody has ends the connection. */
  #deliver(book: Book, alias: number, frame: Uint8Array): "taken" | "astray" | "refused" {
    this.#reader.open(frame, 1, frame.length);
    const named = this.#reader.varint();
    if (this.#reader.failed || (named !== alias && !this.books.has(Number(named)))) {
      return "refused";
    }
    if (named !== alias) {
      return "astray";
    }
    const code = book.apply(frame);
    return code === REPLICA_OK || code === REPLICA_EMPTY ? "taken" : "refused";
  }

  #book(alias: number): Book {
    const known = this.books.get(alias);
    if (known !== undefined) {
      return known;
    }
    const book = this.#make();
    this.books.set(alias, book);
    return book;
  }

  #note(problem: string): void {
    if (this.#problems.length < PROBLEMS_MAX) {
      this.#problems.push(problem);
    }
  }
}

function isEqual(one: FollowedBook, other: FollowedBook): boolean {
  return (
    one.isFollowing === other.isFollowing &&
    one.version === other.version &&
    one.hash === other.hash &&
    one.chain === other.chain
  );
}
