/**
 * The producers' books read out of their segments by a kernel of the test, as a reader in the same process does it.
 * Bad case: a reader that joins while the book moves; callers pause the market first.
 */
import {
  LEVEL_BYTES,
  LEVEL_PRICE,
  LEVEL_QUANTITY,
  REPLICA_BOOK,
  REPLICA_INSTRUMENT_ID,
  REPLICA_PRICE_EXPONENT,
  REPLICA_QUANTITY_EXPONENT,
  SIDE_ASK,
  SIDE_BID,
} from "../../assembly/layout.ts";
import type { TrueBook } from "../../src/emulator/mod.ts";
import type { Kernel } from "../../src/kernel/kernel.ts";
import { loadKernel } from "../../src/kernel/load.ts";
import { ReplicaJoiner } from "../../src/segment/join.ts";
import type { MemoryMap } from "../../src/segment/memory_map.ts";
import { type InstrumentEntry, SegmentView } from "../../src/segment/view.ts";

const WALK_LEVELS = 1024;
const SCRATCH_RECORDS = 1024;
const RECORD_BYTES = 256;

/** The levels of a book as the emulator gives them. */
export type BookLevels = Pick<TrueBook, "bids" | "asks">;

/** A reader of every segment in a memory. */
export class SegmentBooks {
  /** Bytes that a memory must have room for. */
  static readonly arenaBytes = 96 * 1024 * 1024;
  readonly #kernel: Kernel;
  readonly #view: DataView;
  readonly #levels: number;
  readonly #records: number;
  readonly #replicas = new Map<string, number>();
  readonly #joiners = new Map<number, ReplicaJoiner>();

  constructor(map: MemoryMap) {
    this.#kernel = loadKernel({ name: "twin", memory: map.memory });
    const arena = map.reserve("arena of the test", { bytes: SegmentBooks.arenaBytes });
    this.#kernel.arenaInit(arena.address, arena.bytes);
    this.#view = new DataView(map.memory.buffer);
    this.#levels = this.#kernel.arenaAllocate((WALK_LEVELS + 4) * LEVEL_BYTES);
    this.#records = this.#kernel.arenaAllocate(SCRATCH_RECORDS * RECORD_BYTES);
  }

  /** The segment at an address. */
  segment(address: number): SegmentView {
    return new SegmentView(this.#view.buffer, address);
  }

  /** Joins a book where the ring ends now. @returns undefined when it cannot be joined */
  read(segment: SegmentView, entry: InstrumentEntry): BookLevels | undefined {
    const replica = this.#replica(`${segment.header.epoch} ${entry.id}`);
    this.#view.setUint32(replica + REPLICA_INSTRUMENT_ID, entry.id, true);
    this.#view.setInt32(replica + REPLICA_PRICE_EXPONENT, entry.priceExponent, true);
    this.#view.setInt32(replica + REPLICA_QUANTITY_EXPONENT, entry.quantityExponent, true);
    const outcome = this.#joiner(segment).join(replica, { entry: entry.address, until: segment.deltaTail });
    if (outcome.kind !== "joined") {
      return undefined;
    }
    const book = this.#view.getUint32(replica + REPLICA_BOOK, true);
    return { bids: this.#side(book, SIDE_BID, entry), asks: this.#side(book, SIDE_ASK, entry) };
  }

  #replica(key: string): number {
    const replica = this.#replicas.get(key) ?? this.#kernel.replicaCreate();
    this.#replicas.set(key, replica);
    this.#kernel.replicaClear(replica);
    return replica;
  }

  #joiner(segment: SegmentView): ReplicaJoiner {
    const options = { segment, scratch: this.#records, scratchRecords: SCRATCH_RECORDS };
    const joiner = this.#joiners.get(segment.address) ?? new ReplicaJoiner(this.#kernel, options);
    this.#joiners.set(segment.address, joiner);
    return joiner;
  }

  #side(book: number, side: number, entry: InstrumentEntry): BookLevels["bids"] {
    const found: BookLevels["bids"] = [];
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
