/**
 * Everything behind the ring, for one run: a ring reader with verified replicas, the wire encoder, and a client's replicas
 * behind decoded wire frames. One flush per call, so one frame per instrument and exchange frame, nothing merged.
 * Bad case: any check that fails; it is written down with its place and the run fails, it never throws.
 */
import {
  DELTA_BYTES,
  DELTA_CHANGE_COUNT,
  DELTA_FLAGS,
  DELTA_INSTRUMENT_ID,
  DELTA_SOURCE_SEQUENCE,
  FLAG_LAST,
  FLAG_NOT_SYNCED,
  FLAG_SNAPSHOT,
  HEADER_DELTA_CAPACITY,
  HEADER_DELTA_RING_OFFSET,
  HEADER_DELTA_TAIL,
  IMAGE_OK,
  LEVEL_PRICE,
  LEVEL_QUANTITY,
  READER_CURSOR,
  REPLICA_ALIAS,
  REPLICA_BOOK,
  REPLICA_CHAIN,
  REPLICA_FLAGS,
  REPLICA_FRAME_ADDRESS,
  REPLICA_FRAMES_SINCE_CHECK,
  REPLICA_HASH,
  REPLICA_INSTRUMENT_ID,
  REPLICA_JOIN_SEQUENCE,
  REPLICA_NEXT_LEVEL,
  REPLICA_OK,
  REPLICA_PRICE_EXPONENT,
  REPLICA_QUANTITY_EXPONENT,
  REPLICA_RESET,
  REPLICA_STALE,
  REPLICA_STATE,
  REPLICA_STATE_FOLLOWING,
  REPLICA_TIME_UNIT,
  REPLICA_VERSION,
  RING_DELTAS,
  SIDE_ASK,
  SIDE_BID,
} from "../../assembly/layout.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { InstrumentEntry, SegmentView } from "../segment/view.ts";
import { provedBits } from "../wire/dissect.ts";
import type { BookTickerOracle } from "./book_ticker.ts";
import { decimalText } from "./decimal.ts";
import { type BitFlipper, recordRanges } from "./flip.ts";

const POLL_RECORDS = 1024;
const WIRE_BUFFER_BYTES = 1 << 20;
const SNAPSHOT_PART_BYTES = 65_536;
const CHECK_EVERY_FRAMES = 64;
const FINISHED = 0xffffffff;

/** A followed instrument: what the gateway holds and what the client holds. */
export type Followed = {
  readonly entry: InstrumentEntry;
  /** Replica behind the ring, with the encoder. */
  readonly replica: number;
  /** Replica behind the wire. */
  readonly client: number;
};

/** What a follower is built from. */
export type FollowerOptions = {
  /** Its own instance: ring reader, replicas, encoder. */
  readonly gateway: Kernel;
  /** Its own instance: decoder. */
  readonly client: Kernel;
  readonly segment: SegmentView;
  readonly flipper: BitFlipper;
  readonly oracle: BookTickerOracle;
};

/** Follows one segment. */
export class Follower {
  /** What did not hold, in order. */
  readonly failures: string[] = [];
  wireFrames = 0;
  wireBytes = 0;
  readonly #options: FollowerOptions;
  readonly #view: DataView;
  readonly #reader: number;
  readonly #records: number;
  readonly #part: number;
  readonly #level: number;
  readonly #byId = new Map<number, Followed>();
  readonly #touched = new Set<Followed>();
  #flipped = 0;

  constructor(options: FollowerOptions) {
    this.#options = options;
    const { gateway, segment } = options;
    this.#view = new DataView(gateway.buffer);
    this.#reader = gateway.readerCreate(segment.address, RING_DELTAS);
    this.#records = gateway.arenaAllocate(POLL_RECORDS * DELTA_BYTES);
    this.#part = gateway.arenaAllocate(SNAPSHOT_PART_BYTES);
    this.#level = gateway.arenaAllocate(64);
  }

  /** Every instrument id that was ever followed. */
  get followed(): readonly Followed[] {
    return [...this.#byId.values()];
  }

  /** Reads what was published, verifies it, and flushes one wire frame per instrument that moved. */
  pump(): void {
    const { gateway } = this.#options;
    this.#flipRing();
    for (;;) {
      const count = gateway.readerPoll(this.#reader, this.#records, POLL_RECORDS);
      if (count === 0) {
        break;
      }
      if (count < 0) {
        this.failures.push("The ring reader was lapped");
        continue;
      }
      const first = this.#position() - count;
      for (let index = 0; index < count; index++) {
        this.#record(this.#records + index * DELTA_BYTES, first + index);
      }
    }
    for (const followed of this.#touched) {
      this.#flush(followed, false);
    }
    this.#touched.clear();
  }

  /** Sends the last check of every book and compares both ends. */
  finish(): void {
    for (const followed of this.#byId.values()) {
      if (this.#read(followed.replica, REPLICA_STATE) === REPLICA_STATE_FOLLOWING) {
        this.#flush(followed, true);
        this.#compareEnds(followed);
      }
    }
  }

  #record(record: number, position: number): void {
    const id = this.#view.getUint32(record + DELTA_INSTRUMENT_ID, true);
    const followed = this.#byId.get(id) ?? this.#follow(id);
    if (followed === undefined) {
      this.failures.push(`A record names instrument ${id}, which the segment does not list`);
      return;
    }
    const code = this.#options.gateway.replicaApply(followed.replica, record);
    if (code === REPLICA_RESET) {
      this.#load(followed);
      return;
    }
    if (code === REPLICA_STALE && position < this.#read(followed.replica, REPLICA_JOIN_SEQUENCE)) {
      return;
    }
    if (code !== REPLICA_OK) {
      this.#fail(followed, `ring record refused with code ${code}`);
      return;
    }
    this.#touched.add(followed);
    this.#noteBest(followed, record);
  }

  /** Ring position of the next record, exact below 2^32: a replay has no more. */
  #position(): number {
    return this.#read(this.#reader, READER_CURSOR);
  }

  #follow(id: number): Followed | undefined {
    const { gateway, client, segment } = this.#options;
    const entry = segment.instruments().find((candidate) => candidate.id === id);
    if (entry === undefined) {
      return undefined;
    }
    const replica = gateway.replicaCreate();
    const remote = client.replicaCreate();
    if (replica === 0 || remote === 0 || gateway.frameBufferCreate(replica, WIRE_BUFFER_BYTES) !== 0) {
      throw new RangeError(
        `Cannot follow ${entry.native}: the arena is exhausted, was ${gateway.arenaUsed()} bytes in use`,
      );
    }
    const fields: [number, number][] = [
      [REPLICA_INSTRUMENT_ID, id],
      [REPLICA_ALIAS, id],
      [REPLICA_TIME_UNIT, 1000],
      [REPLICA_PRICE_EXPONENT, entry.priceExponent],
      [REPLICA_QUANTITY_EXPONENT, entry.quantityExponent],
    ];
    for (const [offset, value] of fields) {
      this.#view.setUint32(replica + offset, value, true);
    }
    gateway.replicaBegin(replica);
    const followed = { entry, replica, client: remote };
    this.#byId.set(id, followed);
    this.#sendSnapshot(followed);
    return followed;
  }

  #load(followed: Followed): void {
    const { gateway, segment } = this.#options;
    const code = gateway.imageLoad(followed.replica, segment.address, followed.entry.address);
    if (code !== IMAGE_OK) {
      this.#fail(followed, `image refused with code ${code}`);
      return;
    }
    this.#touched.delete(followed);
    this.#sendSnapshot(followed);
  }

  #sendSnapshot(followed: Followed): void {
    const { gateway } = this.#options;
    this.#view.setUint32(followed.replica + REPLICA_NEXT_LEVEL, 0, true);
    while (this.#read(followed.replica, REPLICA_NEXT_LEVEL) !== FINISHED) {
      const bytes = gateway.snapshotEncode(followed.replica, this.#part, SNAPSHOT_PART_BYTES);
      this.#deliver(followed, this.#part, bytes);
    }
  }

  #flush(followed: Followed, isLast: boolean): void {
    const since = this.#read(followed.replica, REPLICA_FRAMES_SINCE_CHECK);
    const bytes = this.#options.gateway.frameTake(followed.replica, isLast || since >= CHECK_EVERY_FRAMES - 1 ? 1 : 0);
    if (bytes > 0) {
      this.#deliver(followed, this.#read(followed.replica, REPLICA_FRAME_ADDRESS), bytes);
    }
  }

  #deliver(followed: Followed, address: number, bytes: number): void {
    const { client, flipper } = this.#options;
    if (flipper.wants("wire")) {
      const frame = new Uint8Array(client.buffer, address, bytes);
      flipper.pass(frame, bitRanges(provedBits(frame.slice())));
    }
    this.wireFrames += 1;
    this.wireBytes += bytes;
    const code = client.frameApply(followed.client, address, bytes);
    if (code !== REPLICA_OK) {
      this.#fail(followed, `wire frame ${this.wireFrames} refused with code ${code}`);
    }
  }

  /** Both ends must hold the same book, by version, hash and chain. */
  #compareEnds(followed: Followed): void {
    const differs = [REPLICA_VERSION, REPLICA_VERSION + 4, REPLICA_HASH, REPLICA_CHAIN].some(
      (offset) => this.#read(followed.replica, offset) !== this.#read(followed.client, offset),
    );
    if (differs) {
      this.#fail(followed, "the books behind ring and wire differ");
    }
  }

  #fail(followed: Followed, what: string): void {
    this.failures.push(`${followed.entry.native}: ${what}`);
  }

  /** Remembers the best prices after an event that the exchange numbered. */
  #noteBest(followed: Followed, record: number): void {
    const flags = this.#view.getUint16(record + DELTA_FLAGS, true);
    const sequence = this.#view.getBigUint64(record + DELTA_SOURCE_SEQUENCE, true);
    if ((flags & FLAG_LAST) === 0 || (flags & (FLAG_SNAPSHOT | FLAG_NOT_SYNCED)) !== 0 || sequence === 0n) {
      return;
    }
    const book = this.#read(followed.replica, REPLICA_BOOK);
    const bid = this.#best(followed, book, SIDE_BID);
    this.#options.oracle.diff(followed.entry.native, sequence, { bid, ask: this.#best(followed, book, SIDE_ASK) });
  }

  #best(followed: Followed, book: number, side: number): string | undefined {
    if (this.#options.gateway.bookWalk(book, side, 0, 1, this.#level) === 0) {
      return undefined;
    }
    const price = decimalText(this.#view.getBigInt64(this.#level + LEVEL_PRICE, true), followed.entry.priceExponent);
    return `${price} ${decimalText(this.#view.getBigInt64(this.#level + LEVEL_QUANTITY, true), followed.entry.quantityExponent)}`;
  }

  /** Damages the asked bit of a published record before anybody reads it. */
  #flipRing(): void {
    const { flipper, segment } = this.#options;
    if (!flipper.wants("ring")) {
      return;
    }
    const tail = Number(this.#view.getBigUint64(segment.address + HEADER_DELTA_TAIL, true));
    const capacity = this.#view.getUint32(segment.address + HEADER_DELTA_CAPACITY, true);
    const ring = segment.address + Number(this.#view.getBigUint64(segment.address + HEADER_DELTA_RING_OFFSET, true));
    for (; this.#flipped < tail && flipper.wants("ring"); this.#flipped++) {
      const record = new Uint8Array(this.#view.buffer, ring + (this.#flipped % capacity) * DELTA_BYTES, DELTA_BYTES);
      flipper.pass(record, recordRanges(record[DELTA_CHANGE_COUNT] ?? 0));
    }
  }

  /** Flags of the client's book at its last event. */
  clientFlags(followed: Followed): number {
    return this.#read(followed.client, REPLICA_FLAGS);
  }

  #read(block: number, offset: number): number {
    return this.#view.getUint32(block + offset, true);
  }
}

/** Whole bytes that hold the bits. */
function bitRanges(bits: readonly number[]): { start: number; end: number }[] {
  return bits.filter((bit) => bit % 8 === 0).map((bit) => ({ start: bit / 8, end: bit / 8 + 1 }));
}
