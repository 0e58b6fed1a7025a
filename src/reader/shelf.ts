/**
 * The books of one segment that somebody asked for: each joined once from its image and the ring, then kept at the tail by
 * a ring reader of their own, every record checked by version chain and hash. Asking for a book brings all of them up to
 * the tail first. Bad case: nobody asks for so long that the ring goes round; the books are joined anew when asked for.
 */
import {
  DELTA_BYTES,
  DELTA_INSTRUMENT_ID,
  FLAG_NOT_SYNCED,
  LEVEL_BYTES,
  LEVEL_PRICE,
  LEVEL_QUANTITY,
  POLL_LAPPED,
  READER_CURSOR,
  REPLICA_BOOK,
  REPLICA_EVENT_AT,
  REPLICA_FLAGS,
  REPLICA_HASH,
  REPLICA_INSTRUMENT_ID,
  REPLICA_STATE,
  REPLICA_STATE_FOLLOWING,
  REPLICA_VERSION,
  RING_DELTAS,
  SIDE_ASK,
  SIDE_BID,
} from "../../assembly/layout.ts";
import { ReplicaJoiner } from "../segment/join.ts";
import type { InstrumentEntry, SegmentView } from "../segment/view.ts";
import { readCount, writeCount } from "../wire/numbers.ts";
import type { BookLevel } from "./events.ts";
import { LEVELS_CHUNK, type ReaderWorkspace } from "./workspace.ts";

/** A book as the shelf holds it. */
export type ShelfBook = {
  readonly version: bigint;
  readonly hash: number;
  /** By the word of its last record. */
  readonly isSynced: boolean;
  readonly eventAtNs: bigint;
  readonly bids: readonly BookLevel[];
  readonly asks: readonly BookLevel[];
};

/** Replicas that are used again when their segment goes: arena memory is never given back. */
export type ReplicaPool = number[];

/** The books of one segment. */
export class Shelf {
  readonly #workspace: ReaderWorkspace;
  readonly #view: SegmentView;
  readonly #joiner: ReplicaJoiner;
  readonly #reader: number;
  readonly #pool: ReplicaPool;
  readonly #replicas = new Map<number, number>();

  /** @throws RangeError when the arena is exhausted */
  constructor(workspace: ReaderWorkspace, view: SegmentView, pool: ReplicaPool) {
    this.#workspace = workspace;
    this.#view = view;
    this.#pool = pool;
    this.#joiner = new ReplicaJoiner(workspace.kernel, {
      segment: view,
      scratch: workspace.joinDeltas,
      scratchRecords: workspace.batchRecords,
    });
    this.#reader = workspace.checked(workspace.kernel.readerCreate(view.address, RING_DELTAS));
  }

  /**
   * The book of an instrument at the ring's tail.
   * @param depth levels a side at most
   * @returns undefined when it cannot be joined now
   */
  book(entry: InstrumentEntry, depth: number): ShelfBook | undefined {
    this.#advance();
    const replica = this.#replica(entry.id);
    if (!this.#isFollowing(replica)) {
      if (
        !entry.imagesFit ||
        this.#joiner.join(replica, { entry: entry.address, until: this.#cursor }).kind !== "joined"
      ) {
        return undefined;
      }
    }
    const { memory } = this.#workspace;
    return {
      version: memory.getBigUint64(replica + REPLICA_VERSION, true),
      hash: memory.getUint32(replica + REPLICA_HASH, true),
      isSynced: (memory.getUint32(replica + REPLICA_FLAGS, true) & FLAG_NOT_SYNCED) === 0,
      eventAtNs: memory.getBigUint64(replica + REPLICA_EVENT_AT, true),
      bids: readSide(this.#workspace, { replica, side: SIDE_BID, depth }),
      asks: readSide(this.#workspace, { replica, side: SIDE_ASK, depth }),
    };
  }

  /** Lets go of the segment. */
  close(): void {
    for (const replica of this.#replicas.values()) {
      this.#workspace.kernel.replicaClear(replica);
      this.#pool.push(replica);
    }
    this.#replicas.clear();
  }

  get #cursor(): number {
    return readCount(this.#workspace.memory, this.#reader + READER_CURSOR);
  }

  /** Applies what was published since. Without books there is nothing to apply. */
  #advance(): void {
    const { kernel, memory, deltas, batchRecords } = this.#workspace;
    const hasBooks = [...this.#replicas.values()].some((replica) => this.#isFollowing(replica));
    if (!hasBooks) {
      writeCount(memory, this.#reader + READER_CURSOR, this.#view.deltaTail);
      return;
    }
    for (let left = this.#view.header.deltaCapacity; left > 0; ) {
      const count = kernel.readerPoll(this.#reader, deltas, batchRecords);
      if (count === POLL_LAPPED) {
        for (const replica of this.#replicas.values()) {
          kernel.replicaClear(replica);
        }
        // Joins lead to where this reader stands.
        writeCount(memory, this.#reader + READER_CURSOR, this.#view.deltaTail);
        return;
      }
      if (count === 0) {
        return;
      }
      for (let index = 0; index < count; index++) {
        const record = deltas + index * DELTA_BYTES;
        const replica = this.#replicas.get(memory.getUint32(record + DELTA_INSTRUMENT_ID, true));
        if (replica !== undefined) {
          kernel.replicaApply(replica, record);
        }
      }
      left -= count;
    }
  }

  #replica(id: number): number {
    const known = this.#replicas.get(id);
    if (known !== undefined) {
      return known;
    }
    const { kernel, memory } = this.#workspace;
    const replica = this.#pool.pop() ?? this.#workspace.checked(kernel.replicaCreate());
    memory.setUint32(replica + REPLICA_INSTRUMENT_ID, id, true);
    this.#replicas.set(id, replica);
    return replica;
  }

  #isFollowing(replica: number): boolean {
    return this.#workspace.memory.getUint32(replica + REPLICA_STATE, true) === REPLICA_STATE_FOLLOWING;
  }
}

/** Levels of a side of a replica, best first. */
export function readSide(
  { kernel, memory, levels }: ReaderWorkspace,
  { replica, side, depth }: { replica: number; side: number; depth: number },
): BookLevel[] {
  const book = memory.getUint32(replica + REPLICA_BOOK, true);
  const found: BookLevel[] = [];
  for (;;) {
    const wanted = Math.min(LEVELS_CHUNK, depth - found.length);
    const count = wanted > 0 ? kernel.bookWalk(book, side, found.length, wanted, levels) : 0;
    if (count === 0) {
      return found;
    }
    for (let index = 0; index < count; index++) {
      const level = levels + index * LEVEL_BYTES;
      found.push({
        priceTicks: memory.getBigInt64(level + LEVEL_PRICE, true),
        quantityLots: memory.getBigInt64(level + LEVEL_QUANTITY, true),
      });
    }
  }
}
