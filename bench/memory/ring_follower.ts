/**
 * Replicas that follow a producer's ring record by record: each is checked against the version chain and the book hash.
 * Bad case: more records between two calls than the ring holds; the follower is lapped and says so.
 */
import {
  DELTA_BYTES,
  DELTA_INSTRUMENT_ID,
  IMAGE_OK,
  REPLICA_BOOK,
  REPLICA_EVENTS,
  REPLICA_HASH,
  REPLICA_INSTRUMENT_ID,
  REPLICA_OK,
  RING_DELTAS,
  SIDE_ASK,
  SIDE_BID,
  STATE_SYNCED,
} from "../../assembly/layout.ts";
import type { InstrumentBlock } from "../../src/sync/instrument_block.ts";
import { mustEqual } from "../harness.ts";
import type { Ground } from "./ground.ts";

const POLL_RECORDS = 1024;

/** What a replica keeps beside its book; 0 = nothing. */
export type ReplicaSizes = { readonly encodeBytes: number; readonly historyEntries: number };

/** Follows the ring of a ground. */
export class RingFollower {
  /** Records seen. */
  records = 0;
  readonly #ground: Ground;
  readonly #reader: number;
  readonly #buffer: number;
  readonly #blocks = new Map<number, { block: InstrumentBlock; replica: number }>();

  /** Every record from now on. */
  constructor(ground: Ground) {
    this.#ground = ground;
    this.#buffer = ground.reserve("followed records", POLL_RECORDS * DELTA_BYTES);
    this.#reader = ground.reader.readerCreate(ground.segment.address, RING_DELTAS);
  }

  /** Joins a replica by the current image. @returns its address */
  join(block: InstrumentBlock, { encodeBytes, historyEntries }: ReplicaSizes): number {
    const { reader, view, segment } = this.#ground;
    const replica = reader.replicaCreate();
    mustEqual(`room for the replica of ${block.native}`, replica === 0 ? 0 : 1, 1);
    view.setUint32(replica + REPLICA_INSTRUMENT_ID, block.entry.id, true);
    if (encodeBytes > 0) {
      mustEqual("an encode buffer", reader.frameBufferCreate(replica, encodeBytes), 0);
    }
    if (historyEntries > 0) {
      mustEqual("a history", reader.historyCreate(replica, historyEntries), 0);
    }
    const code = reader.imageLoad(replica, segment.address, block.entry.entryAddress);
    mustEqual(`the image of ${block.native}`, code, IMAGE_OK);
    this.#blocks.set(block.entry.id, { block, replica });
    return replica;
  }

  /** Applies what was published. @throws Error when a record does not chain, or does not give its hash */
  pump(): void {
    const { reader } = this.#ground;
    for (;;) {
      const count = reader.readerPoll(this.#reader, this.#buffer, POLL_RECORDS);
      if (count === 0) {
        return;
      }
      mustEqual("times that the ring lapped its reader", count < 0 ? 1 : 0, 0);
      for (let index = 0; index < count; index++) {
        this.#apply(this.#buffer + index * DELTA_BYTES);
      }
      this.records += count;
    }
  }

  /** @throws Error when a replica is not its producer's book, or that is not synced */
  verify(): void {
    const { producer, reader, view } = this.#ground;
    for (const { block, replica } of this.#blocks.values()) {
      mustEqual(`the state of ${block.native}`, block.state, STATE_SYNCED);
      const hash = view.getUint32(replica + REPLICA_HASH, true);
      mustEqual(`the replica of ${block.native}`, hash, producer.bookHash(block.book));
      const book = view.getUint32(replica + REPLICA_BOOK, true);
      for (const side of [SIDE_BID, SIDE_ASK]) {
        mustEqual(`levels of ${block.native}`, reader.bookCount(book, side), producer.bookCount(block.book, side));
      }
    }
  }

  #apply(record: number): void {
    const { reader, view } = this.#ground;
    const replica = this.#blocks.get(view.getUint32(record + DELTA_INSTRUMENT_ID, true))?.replica ?? 0;
    mustEqual("the outcome of a record", reader.replicaApply(replica, record), REPLICA_OK);
    if (view.getUint32(replica + REPLICA_EVENTS, true) > 0) {
      reader.frameTake(replica, 0);
    }
  }
}
