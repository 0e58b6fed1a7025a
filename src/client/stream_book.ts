/**
 * A book that follows the stream: applies snapshot parts, deltas and conflated updates of the binary form, and proves
 * them by version, hash and chain. The rules are the kernel's (frameApply), and a differential test holds them to it.
 * Bad case: a frame that contradicts the book in its middle; the book is dropped, because half of the frame was applied.
 */
import {
  BOOK_REMOVED,
  BOOK_UNCHANGED,
  EXPONENT_MAX,
  FLAG_CROSSED,
  FLAG_NOT_SYNCED,
  FLAG_SNAPSHOT,
  FRAME_CONFLATED,
  FRAME_DELTAS,
  FRAME_FLAG_CHECK,
  FRAME_FLAG_FINAL,
  FRAME_FLAG_FIRST,
  FRAME_KIND_MASK,
  FRAME_SNAPSHOT,
  REPLICA_CHAIN_BROKEN,
  REPLICA_EMPTY,
  REPLICA_HASH_MISMATCH,
  REPLICA_INCONSISTENT,
  REPLICA_OK,
  REPLICA_STATE_EMPTY,
  REPLICA_STATE_FOLLOWING,
  REPLICA_STATE_LOADING,
  SIDE_ASK,
  SIDE_BID,
} from "../../assembly/layout.ts";
import { chainNext, stampsFold } from "../kernel/twin/hash.ts";
import { ByteReader, wordAt } from "./byte_reader.ts";
import {
  CHECK_BYTES,
  COUNT_SCALE,
  DELAY_UNIT,
  RECORDS_MAX,
  RECORDS_PRESENT,
  SEAL_BYTES,
  SEQUENCE_PRESENT,
  STATUS_PRESENT,
} from "./constants.ts";
import { add, type Exact } from "./exact.ts";
import { LevelBook } from "./level_book.ts";
import { sealHolds } from "./seal.ts";
import { Word64 } from "./word64.ts";

/** Record flags that are part of a book's status. */
const STATUS_MASK = FLAG_SNAPSHOT | FLAG_NOT_SYNCED | FLAG_CROSSED;
const UNITS = [1, 1000, 1_000_000];
const U64_MAX = (1n << 64n) - 1n;

/** A book and where it stands. */
export class StreamBook {
  readonly levels: LevelBook;
  state: number = REPLICA_STATE_EMPTY;
  /** Of the snapshot that it began with. */
  epoch = 0;
  readonly version = new Word64();
  readonly eventAt = new Word64();
  readonly receivedAt = new Word64();
  readonly sequence = new Word64();
  /** Record flags of the last event. */
  flags = 0;
  chain = 0;
  priceExponent = 0;
  quantityExponent = 0;
  readonly #reader = new ByteReader();
  /** Hash and chain are computed and looked at. */
  readonly isVerified: boolean;
  #timeUnit = 1;
  #counts: [bids: number, asks: number] = [0, 0];
  #pendingHash = 0;
  #lastPrice: Exact = 0;

  /** @param options.isVerified false: neither hash nor chain are computed or looked at */
  constructor(options: { isVerified: boolean }) {
    this.isVerified = options.isVerified;
    this.levels = new LevelBook(options);
  }

  /** Forgets the book. */
  clear(): void {
    this.levels.clear();
    this.state = REPLICA_STATE_EMPTY;
  }

  /**
   * Applies one frame of kind deltas, snapshot or conflated.
   * @param frame one WebSocket message
   * @returns REPLICA_*; negative: the book was dropped
   */
  apply(frame: Uint8Array): number {
    const head = frame[0] ?? 0;
    const kind = head & FRAME_KIND_MASK;
    const flags = head & ~FRAME_KIND_MASK;
    const reader = this.#reader;
    reader.open(frame, 1, frame.length);
    reader.varint();
    if (reader.failed || frame.length < 2) {
      return this.#drop(REPLICA_INCONSISTENT);
    }
    if (kind === FRAME_DELTAS && (flags & ~FRAME_FLAG_CHECK) === 0) {
      return this.#needsFollowing() ?? this.#deltas(frame, flags !== 0);
    }
    const isPart = kind === FRAME_SNAPSHOT && (flags & ~(FRAME_FLAG_FIRST | FRAME_FLAG_FINAL)) === 0;
    if (!isPart && (kind !== FRAME_CONFLATED || flags !== 0)) {
      return this.#drop(REPLICA_INCONSISTENT);
    }
    if (!sealHolds(frame)) {
      return this.#drop(REPLICA_HASH_MISMATCH);
    }
    reader.end -= SEAL_BYTES;
    return isPart ? this.#part(flags) : (this.#needsFollowing() ?? this.#conflated());
  }

  #needsFollowing(): number | undefined {
    if (this.state === REPLICA_STATE_FOLLOWING) {
      return undefined;
    }
    return this.state === REPLICA_STATE_EMPTY ? REPLICA_EMPTY : this.#drop(REPLICA_INCONSISTENT);
  }

  #deltas(frame: Uint8Array, hasCheck: boolean): number {
    const reader = this.#reader;
    const stop = hasCheck ? frame.length - CHECK_BYTES : frame.length;
    if (stop < reader.at || (!hasCheck && reader.at === stop)) {
      return this.#drop(REPLICA_INCONSISTENT);
    }
    reader.end = stop;
    while (reader.at < stop) {
      if (!this.#event()) {
        return this.#drop(REPLICA_INCONSISTENT);
      }
    }
    if (!hasCheck || !this.isVerified) {
      return REPLICA_OK;
    }
    const holds = wordAt(frame, stop) === this.levels.hash && wordAt(frame, stop + 4) === this.chain;
    return holds ? REPLICA_OK : this.#drop(REPLICA_HASH_MISMATCH);
  }

  /** Applies one event. @returns false when it contradicts the book or cannot be read */
  #event(): boolean {
    const reader = this.#reader;
    const head = reader.varint();
    if (typeof head !== "number") {
      return false;
    }
    const count = Math.floor(head / COUNT_SCALE);
    const present = head - count * COUNT_SCALE;
    let status = 0;
    if ((present & STATUS_PRESENT) !== 0) {
      status = reader.byte();
      if (status === 0 || (status & ~STATUS_MASK) !== 0) {
        return false;
      }
    }
    let records: Exact = 0;
    if ((present & RECORDS_PRESENT) !== 0) {
      records = reader.varint();
      if (records === 0 || records > RECORDS_MAX) {
        return false;
      }
    }
    if ((present & SEQUENCE_PRESENT) !== 0) {
      const step = reader.zigzag();
      if (step === 0) {
        return false;
      }
      this.sequence.add(step);
    }
    const step = reader.time(this.#timeUnit);
    this.eventAt.add(step);
    this.receivedAt.add(step);
    this.receivedAt.add(reader.time(DELAY_UNIT));
    const { bids, asks } = this.levels;
    const bid = bids.count === 0 ? 0 : bids.price(0);
    const ask = asks.count === 0 ? 0 : asks.price(0);
    if (reader.failed || count > reader.end - reader.at || !this.#changes(count, bid, ask)) {
      return false;
    }
    this.version.add((records as number) + 1);
    return this.#note(status);
  }

  /** Applies the changes of an event, coded against the best prices before it; each of them must alter the book. */
  #changes(count: number, bidReference: Exact, askReference: Exact): boolean {
    const reader = this.#reader;
    const { levels } = this;
    let bid = bidReference;
    let ask = askReference;
    for (let index = 0; index < count; index++) {
      const first = reader.byte();
      const isAsk = (first & 1) !== 0;
      const isRemoved = (first & 2) !== 0;
      const price = add(isAsk ? ask : bid, reader.step(first));
      const quantity = isRemoved ? 0 : reader.quantity();
      if (reader.failed) {
        return false;
      }
      if (isAsk) {
        ask = price;
      } else {
        bid = price;
      }
      const result = levels.set(isAsk ? SIDE_ASK : SIDE_BID, price, quantity);
      if (result === BOOK_UNCHANGED || (result === BOOK_REMOVED) !== isRemoved) {
        return false;
      }
    }
    return true;
  }

  /** Takes over what the end of an event says. @returns false when the book is crossed and it says otherwise */
  #note(status: number): boolean {
    this.flags = status;
    if (!this.#crossingHolds()) {
      return false;
    }
    if (this.isVerified) {
      const { eventAt, receivedAt, sequence } = this;
      const stamps = stampsFold(
        eventAt.low,
        eventAt.high,
        receivedAt.low,
        receivedAt.high,
        sequence.low,
        sequence.high,
      );
      this.chain = chainNext(this.chain, this.levels.hash, this.version.low, status, stamps);
    }
    return true;
  }

  /** A book that is not synced may be crossed without saying so: its crossing was not judged. */
  #crossingHolds(): boolean {
    const isSaid = (this.flags & FLAG_CROSSED) !== 0;
    return this.levels.isCrossed === isSaid || (!isSaid && (this.flags & FLAG_NOT_SYNCED) !== 0);
  }

  /** One update from the version held to a later one. */
  #conflated(): number {
    const reader = this.#reader;
    const from = reader.varint();
    if (reader.failed || !this.version.equals(from)) {
      return this.#drop(reader.failed ? REPLICA_INCONSISTENT : REPLICA_CHAIN_BROKEN);
    }
    const steps = reader.varint();
    const hash = reader.word();
    const chain = reader.word();
    const status = reader.byte();
    this.#stamps();
    const count = reader.varint();
    const isReadable = !reader.failed && (status & ~STATUS_MASK) === 0 && count <= reader.end - reader.at;
    const isForward = BigInt(from) + BigInt(steps) <= U64_MAX && (count === 0 || steps !== 0);
    if (!isReadable || !isForward || !this.#sortedChanges(count as number) || reader.at !== reader.end) {
      return this.#drop(REPLICA_INCONSISTENT);
    }
    this.version.add(steps);
    this.flags = status;
    this.chain = chain;
    if (this.isVerified && this.levels.hash !== hash) {
      return this.#drop(REPLICA_HASH_MISMATCH);
    }
    return this.#crossingHolds() ? REPLICA_OK : this.#drop(REPLICA_INCONSISTENT);
  }

  /** Applies the changes of an update: bids by rising price, then asks; a level may be set to what it has. */
  #sortedChanges(count: number): boolean {
    const reader = this.#reader;
    let side: number = SIDE_BID;
    let price: Exact = 0;
    for (let index = 0; index < count; index++) {
      const first = reader.byte();
      const isRemoved = (first & 2) !== 0;
      const isTurned = (first & 1) !== side;
      const before = price;
      price = add(isTurned ? 0 : before, reader.step(first));
      if ((isTurned && side === SIDE_ASK) || (index > 0 && !isTurned && price <= before)) {
        return false;
      }
      side = first & 1;
      const quantity = isRemoved ? 0 : reader.quantity();
      if (reader.failed || (this.levels.set(side, price, quantity) === BOOK_REMOVED) !== isRemoved) {
        return false;
      }
    }
    return true;
  }

  /** Reads both times and the sequence. */
  #stamps(): void {
    const reader = this.#reader;
    this.eventAt.set(reader.word(), reader.word());
    this.receivedAt.set(reader.word(), reader.word());
    this.sequence.assign(reader.varint());
  }

  #part(flags: number): number {
    if ((flags & FRAME_FLAG_FIRST) !== 0) {
      this.#snapshotHead();
    } else if (this.state === REPLICA_STATE_EMPTY) {
      return REPLICA_EMPTY;
    } else if (this.state !== REPLICA_STATE_LOADING) {
      this.#reader.fail();
    }
    if (this.#reader.failed || !this.#snapshotLevels()) {
      return this.#drop(REPLICA_INCONSISTENT);
    }
    return (flags & FRAME_FLAG_FINAL) === 0 ? REPLICA_OK : this.#complete();
  }

  #snapshotHead(): void {
    const reader = this.#reader;
    this.clear();
    this.version.assign(reader.varint());
    this.epoch = reader.word() >>> 0;
    this.#pendingHash = reader.word();
    this.chain = reader.word();
    this.flags = reader.byte();
    this.priceExponent = reader.byte();
    this.quantityExponent = reader.byte();
    const unit = UNITS[reader.byte()];
    this.#stamps();
    this.#counts = [reader.count(), reader.count()];
    const isMalformed = (this.flags & ~STATUS_MASK) !== 0 || unit === undefined;
    if (isMalformed || this.priceExponent > EXPONENT_MAX || this.quantityExponent > EXPONENT_MAX) {
      reader.fail();
    }
    this.#timeUnit = unit ?? 1;
    this.state = REPLICA_STATE_LOADING;
  }

  /** Reads the levels of one part: bids best first, then asks best first. */
  #snapshotLevels(): boolean {
    const reader = this.#reader;
    const { levels } = this;
    const [bids, asks] = this.#counts;
    while (reader.at < reader.end) {
      const side = levels.bids.count < bids ? SIDE_BID : SIDE_ASK;
      const held = levels.side(side);
      if (side === SIDE_ASK && held.count >= asks) {
        return false;
      }
      if (held.count === 0) {
        this.#lastPrice = reader.zigzag();
      } else {
        const before = this.#lastPrice;
        const step = reader.varint();
        this.#lastPrice = add(before, side === SIDE_BID ? negative(step) : step);
        if (side === SIDE_BID ? this.#lastPrice >= before : this.#lastPrice <= before) {
          return false;
        }
      }
      const quantity = reader.quantity();
      if (reader.failed) {
        return false;
      }
      levels.append(side, this.#lastPrice, quantity);
    }
    return true;
  }

  #complete(): number {
    const { levels } = this;
    const [bids, asks] = this.#counts;
    if (levels.bids.count !== bids || levels.asks.count !== asks || !this.#crossingHolds()) {
      return this.#drop(REPLICA_INCONSISTENT);
    }
    if (this.isVerified && levels.hash !== this.#pendingHash) {
      return this.#drop(REPLICA_HASH_MISMATCH);
    }
    this.state = REPLICA_STATE_FOLLOWING;
    return REPLICA_OK;
  }

  #drop(code: number): number {
    this.clear();
    return code;
  }
}

function negative(value: Exact): Exact {
  return typeof value === "number" ? -value : -value;
}
