/**
 * The producer's books read out of a segment by a second kernel instance, as a reader in the same process does it.
 * Bad case: a reader that joins while the book moves; callers pause the market first.
 */
import {
  DELTA_BYTES,
  DELTA_INSTRUMENT_ID,
  IMAGE_OK,
  LEVEL_BYTES,
  LEVEL_PRICE,
  LEVEL_QUANTITY,
  READER_CURSOR,
  REPLICA_BOOK,
  REPLICA_INSTRUMENT_ID,
  REPLICA_JOIN_SEQUENCE,
  REPLICA_PRICE_EXPONENT,
  REPLICA_QUANTITY_EXPONENT,
  RING_DELTAS,
  SIDE_ASK,
  SIDE_BID,
} from "../../assembly/layout.ts";
import type { TrueBook } from "../../src/emulator/mod.ts";
import type { Kernel } from "../../src/kernel/kernel.ts";
import { loadKernel } from "../../src/kernel/load.ts";
import type { MemoryMap } from "../../src/segment/memory_map.ts";
import { type InstrumentEntry, SegmentView } from "../../src/segment/view.ts";

const READER_ARENA_BYTES = 96 * 1024 * 1024;
const WALK_LEVELS = 1024;
const DELTAS = 4096;

/** A reader of every segment in a memory. */
export class SegmentBooks {
  readonly #kernel: Kernel;
  readonly #view: DataView;
  readonly #levels: number;
  readonly #records: number;

  constructor(map: MemoryMap) {
    this.#kernel = loadKernel({ name: "twin", memory: map.memory });
    const arena = map.reserve("arena of the test", { bytes: READER_ARENA_BYTES });
    this.#kernel.arenaInit(arena.address, arena.bytes);
    this.#view = new DataView(map.memory.buffer);
    this.#levels = this.#kernel.arenaAllocate(WALK_LEVELS * LEVEL_BYTES + 64);
    this.#records = this.#kernel.arenaAllocate(DELTAS * DELTA_BYTES);
  }

  /** Bytes of the arena that a map must have room for. */
  static readonly arenaBytes = READER_ARENA_BYTES;

  /** The segment at an address. */
  segment(address: number): SegmentView {
    return new SegmentView(this.#view.buffer, address);
  }

  /**
   * Joins a book: loads its image and applies the records after it.
   * @returns undefined when there is no image yet, or it was lapped
   */
  read(segment: SegmentView, entry: InstrumentEntry): Pick<TrueBook, "bids" | "asks"> | undefined {
    const kernel = this.#kernel;
    const replica = kernel.replicaCreate();
    this.#view.setUint32(replica + REPLICA_INSTRUMENT_ID, entry.id, true);
    this.#view.setInt32(replica + REPLICA_PRICE_EXPONENT, entry.priceExponent, true);
    this.#view.setInt32(replica + REPLICA_QUANTITY_EXPONENT, entry.quantityExponent, true);
    const reader = kernel.readerCreate(segment.address, RING_DELTAS);
    if (kernel.imageLoad(replica, segment.address, entry.address) !== IMAGE_OK) {
      return undefined;
    }
    const joinAt = this.#view.getBigUint64(replica + REPLICA_JOIN_SEQUENCE, true);
    this.#view.setBigUint64(reader + READER_CURSOR, joinAt, true);
    for (let count = -1; count !== 0; ) {
      count = kernel.readerPoll(reader, this.#records, DELTAS);
      if (count < 0) {
        return undefined;
      }
      for (let index = 0; index < count; index++) {
        const record = this.#records + index * DELTA_BYTES;
        if (
          this.#view.getUint32(record + DELTA_INSTRUMENT_ID, true) === entry.id &&
          kernel.replicaApply(replica, record) < 0
        ) {
          return undefined;
        }
      }
    }
    const book = this.#view.getUint32(replica + REPLICA_BOOK, true);
    return { bids: this.#side(book, SIDE_BID, entry), asks: this.#side(book, SIDE_ASK, entry) };
  }

  #side(book: number, side: number, entry: InstrumentEntry): TrueBook["bids"] {
    const found: TrueBook["bids"] = [];
    for (let count = WALK_LEVELS; count === WALK_LEVELS; ) {
      count = this.#kernel.bookWalk(book, side, found.length, WALK_LEVELS, this.#levels);
      for (let index = 0; index < count; index++) {
        const level = this.#levels + index * LEVEL_BYTES;
        const price = this.#text(level + LEVEL_PRICE, entry.priceExponent);
        found.push([price, this.#text(level + LEVEL_QUANTITY, entry.quantityExponent)]);
      }
    }
    return found;
  }

  #text(value: number, exponent: number): string {
    const out = this.#levels + WALK_LEVELS * LEVEL_BYTES;
    const length = this.#kernel.formatDecimal(value, exponent, out);
    return Buffer.from(new Uint8Array(this.#view.buffer, out, length)).toString("latin1");
  }
}
