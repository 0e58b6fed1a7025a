/**
 * The reader that proves what a benchmark wrote: it takes every record from the ring, checks it against the version chain
 * and the book hash on a replica, and loads images where a Reset asks for one.
 * Bad case: a run of more records than the ring holds; the reader is lapped and says so instead of passing.
 */
import {
  DELTA_BOOK_HASH,
  DELTA_BYTES,
  DELTA_CHANGE_COUNT,
  DELTA_INSTRUMENT_ID,
  IMAGE_OK,
  LEVEL_BYTES,
  LEVEL_PRICE,
  LEVEL_QUANTITY,
  REPLICA_BOOK,
  REPLICA_EMPTY,
  REPLICA_HASH,
  REPLICA_INSTRUMENT_ID,
  REPLICA_OK,
  REPLICA_PRICE_EXPONENT,
  REPLICA_QUANTITY_EXPONENT,
  REPLICA_RESET,
  REPLICA_STALE,
  REPLICA_STATE,
  REPLICA_STATE_FOLLOWING,
  RING_DELTAS,
  SIDE_ASK,
  SIDE_BID,
} from "../assembly/layout.ts";
import type { InstrumentBlock } from "../src/sync/instrument_block.ts";
import { mustEqual } from "./harness.ts";
import { reserveBytes, type Workbench } from "./workbench.ts";

/** An instrument and its replica. */
export type Followed = { readonly block: InstrumentBlock; readonly replica: number };

/** A level as doubles, for comparison with the baseline. */
export type PlainLevel = { price: number; quantity: number };

const POLL_RECORDS = 1024;
const CHAIN_FACTOR = 31;

/** Follows one segment on the workbench's reader. */
export class RingCheck {
  /** Records and changes since the counts were forgotten. */
  records = 0;
  changes = 0;
  /** Over the book hash of every record since then: two runs that agree here went through the same books. */
  chain = 0;
  readonly followed: readonly Followed[];
  readonly #bench: Workbench;
  readonly #byId = new Map<number, Followed>();
  readonly #reader: number;
  readonly #buffer: number;
  readonly #level: number;
  #sink: ((record: number, followed: Followed) => void) | undefined;

  /** Every replica is empty until its snapshot is published: `join` after that. */
  constructor(bench: Workbench, blocks: readonly InstrumentBlock[]) {
    this.#bench = bench;
    this.#buffer = reserveBytes(bench, "ring check", POLL_RECORDS * DELTA_BYTES);
    this.#level = reserveBytes(bench, "ring check level", LEVEL_BYTES);
    this.#reader = bench.reader.readerCreate(bench.segment.address, RING_DELTAS);
    this.followed = blocks.map((block) => this.#follow(block));
  }

  /** Gets every record that was applied, e.g. to keep it. */
  listen(sink: ((record: number, followed: Followed) => void) | undefined): void {
    this.#sink = sink;
  }

  /** Takes what was published. @throws Error when a record does not chain, or does not give its hash */
  pump(): void {
    const { reader } = this.#bench;
    for (;;) {
      const count = reader.readerPoll(this.#reader, this.#buffer, POLL_RECORDS);
      if (count === 0) {
        return;
      }
      if (count < 0) {
        throw new Error("Cannot verify the ring: the run wrote more records than it holds, was lapped");
      }
      for (let index = 0; index < count; index++) {
        this.#apply(this.#buffer + index * DELTA_BYTES);
      }
    }
  }

  /** Loads the current image into every replica that is still empty. */
  join(): void {
    for (const followed of this.followed) {
      if (this.#bench.view.getUint32(followed.replica + REPLICA_STATE, true) !== REPLICA_STATE_FOLLOWING) {
        this.#load(followed);
      }
    }
  }

  /** Begins to count. */
  forgetCounts(): void {
    this.records = 0;
    this.changes = 0;
    this.chain = 0;
  }

  /** Every replica must hold the producer's book. @throws Error when one does not */
  compare(): void {
    for (const { block, replica } of this.followed) {
      const hash = this.#bench.view.getUint32(replica + REPLICA_HASH, true);
      mustEqual(`the replica of ${block.native}`, hash, this.#bench.producer.bookHash(block.book));
    }
  }

  /** The levels behind the ring, best first, as doubles. */
  levels({ block, replica }: Followed, side: "bids" | "asks"): PlainLevel[] {
    const { reader, view } = this.#bench;
    const book = view.getUint32(replica + REPLICA_BOOK, true);
    const which = side === "bids" ? SIDE_BID : SIDE_ASK;
    return Array.from({ length: reader.bookCount(book, which) }, (_, place) => {
      mustEqual("a walk", reader.bookWalk(book, which, place, 1, this.#level), 1);
      return {
        price: plain(view.getBigInt64(this.#level + LEVEL_PRICE, true), block.priceExponent),
        quantity: plain(view.getBigInt64(this.#level + LEVEL_QUANTITY, true), block.quantityExponent),
      };
    });
  }

  #follow(block: InstrumentBlock): Followed {
    const { reader, view } = this.#bench;
    const replica = reader.replicaCreate();
    if (replica === 0) {
      throw new Error(`Cannot follow ${block.native}: the arena is exhausted, was ${reader.arenaUsed()} bytes used`);
    }
    view.setUint32(replica + REPLICA_INSTRUMENT_ID, block.entry.id, true);
    view.setInt32(replica + REPLICA_PRICE_EXPONENT, block.priceExponent, true);
    view.setInt32(replica + REPLICA_QUANTITY_EXPONENT, block.quantityExponent, true);
    const followed = { block, replica };
    this.#byId.set(block.entry.id, followed);
    return followed;
  }

  #load({ block, replica }: Followed): void {
    const { reader, segment } = this.#bench;
    mustEqual(
      `the image of ${block.native}`,
      reader.imageLoad(replica, segment.address, block.entry.entryAddress),
      IMAGE_OK,
    );
  }

  #apply(record: number): void {
    const { reader, view } = this.#bench;
    const followed = this.#byId.get(view.getUint32(record + DELTA_INSTRUMENT_ID, true));
    if (followed === undefined) {
      throw new Error("Cannot verify the ring: a record names an instrument that nobody follows");
    }
    const code = reader.replicaApply(followed.replica, record);
    if (code === REPLICA_RESET) {
      this.#load(followed);
    } else if (code !== REPLICA_STALE && code !== REPLICA_EMPTY) {
      mustEqual(`a record of ${followed.block.native}`, code, REPLICA_OK);
      this.#sink?.(record, followed);
    }
    this.records += 1;
    this.chain = (Math.imul(this.chain, CHAIN_FACTOR) + view.getUint32(record + DELTA_BOOK_HASH, true)) >>> 0;
    this.changes += view.getUint8(record + DELTA_CHANGE_COUNT);
  }
}

/** The double that a program gets which reads the same decimal text. */
function plain(value: bigint, exponent: number): number {
  const digits = value.toString().padStart(exponent + 1, "0");
  return Number(`${digits.slice(0, digits.length - exponent)}.${digits.slice(digits.length - exponent)}`);
}
