/**
 * Many deep books at both ends of a ring: snapshots as the exchange would send them, images, replicas joined from those, then
 * changes near the touch and anywhere, followed record by record. Seeded; every book is another one.
 * Bad case: books kept as models beside the kernel's; they would be most of the memory, so each is made again from its seed.
 */
import {
  HISTORY_BYTES,
  IMAGE_HEADER_BYTES,
  LEVEL_BYTES,
  REPLICA_BUFFER_BYTES,
  REPLICA_HISTORY_ENTRIES,
  SIDE_ASK,
  SIDE_BID,
  STATE_SYNCED,
} from "../../assembly/layout.ts";
import { GATEWAY_LIMITS } from "../../src/gateway/mod.ts";
import { imagePairBytes } from "../../src/segment/mod.ts";
import type { InstrumentBlock } from "../../src/sync/instrument_block.ts";
import { columnsText, snapshotText, timeText } from "../coinbase_text.ts";
import { deepBook, levelOperations, type Spread } from "../deep_book.ts";
import { mustEqual } from "../harness.ts";
import { type Ground, openGround } from "./ground.ts";
import type { Footprint } from "./parts.ts";
import { residentBytes } from "./resident.ts";
import { RingFollower } from "./ring_follower.ts";

type Pair = { readonly block: InstrumentBlock; readonly seed: number; readonly replica: number };

const MIB = 1 << 20;
const START_MS = Date.UTC(2026, 6, 7);
/** Levels that one image can hold. */
export const IMAGE_LEVELS = 65_536;
const IMAGE_EVERY = 64;
const CHANGES_PER_FRAME = 50;
/** Changes that a book lives through: near the touch, as most are, and anywhere. */
const LIFE: readonly { readonly spread: Spread; readonly changes: number }[] = [
  { spread: "touch", changes: 3600 },
  { spread: "uniform", changes: 400 },
];

/** Books of 45,000 levels with their images, and a replica of each. */
export class DeepLot {
  readonly #ground: Ground;
  readonly #follower: RingFollower;
  readonly #pairs: Pair[];
  #atNs = 0;

  /** @param books how many */
  constructor(books: number) {
    this.#ground = openGround(
      {
        producerBytes: 24 * MIB + books * 2 * MIB,
        readerBytes: 16 * MIB + books * 3 * MIB,
        frameBytes: 8 * MIB,
        config: {
          instrumentCapacity: 2 * books + 8,
          deltaCapacity: 16_384,
          tradeCapacity: 64,
          imageAreaBytes: (books + 1) * imagePairBytes(IMAGE_LEVELS),
        },
        imageLevels: IMAGE_LEVELS,
        imageEvery: IMAGE_EVERY,
      },
      { anchorNs: BigInt(START_MS) * 1_000_000n },
    );
    const opened = Array.from({ length: books }, (_, index) => this.#load(index));
    this.#follower = new RingFollower(this.#ground);
    this.#pairs = opened.map(({ block, seed }) => ({
      block,
      seed,
      replica: this.#follower.join(block, GATEWAY_LIMITS),
    }));
  }

  /** What all of it takes now. */
  measure(): Footprint {
    const { producer, reader, view, bytes } = this.#ground;
    const sum = (bytesOf: (pair: Pair) => number) => this.#pairs.reduce((total, pair) => total + bytesOf(pair), 0);
    const levelsOf = ({ block }: Pair) =>
      producer.bookCount(block.book, SIDE_BID) + producer.bookCount(block.book, SIDE_ASK);
    const imageBytes = (pair: Pair) => 2 * (IMAGE_HEADER_BYTES + levelsOf(pair) * LEVEL_BYTES);
    const histories = sum(({ replica }) => view.getUint32(replica + REPLICA_HISTORY_ENTRIES, true) * HISTORY_BYTES);
    const buffers = sum(({ replica }) => view.getUint32(replica + REPLICA_BUFFER_BYTES, true));
    const parts = {
      "producer books": producer.arenaUsed(),
      images: sum(imageBytes),
      "replica books": reader.arenaUsed() - histories - buffers,
      histories,
      "encode buffers": buffers,
    };
    return {
      levels: sum(levelsOf),
      parts,
      written: Object.values(parts).reduce((total, part) => total + part, 0),
      untouched: sum(({ block }) => 2 * block.entry.imageBytes) - parts.images,
      resident: residentBytes(bytes.byteLength),
    };
  }

  /** Every book lives for a while, and its replica follows. */
  live(): void {
    for (const { block, seed } of this.#pairs) {
      for (const { spread, changes } of LIFE) {
        // The second half of the operations undoes the first: only the first is lived through.
        const { sides, ticks, lots } = levelOperations(deepBook(undefined, seed), { spread, count: 2 * changes });
        for (let from = 0; from < changes; from += CHANGES_PER_FRAME) {
          const range = { from, until: Math.min(changes, from + CHANGES_PER_FRAME) };
          this.#receive(columnsText(block.native, { sides, ticks, lots, ...range, time: this.#time() }));
          this.#follower.pump();
        }
      }
    }
  }

  /** @throws Error when a replica is not its producer's book */
  verify(): void {
    this.#follower.verify();
  }

  #load(index: number): { block: InstrumentBlock; seed: number } {
    const native = `DEEP${index}-USD`;
    const seed = index + 1;
    this.#receive(snapshotText(native, deepBook(undefined, seed), this.#time()));
    const block = this.#ground.sync.instrument(native)?.block;
    if (block === undefined) {
      throw new Error(`Cannot open a book: the sync does not know it, was ${native}`);
    }
    mustEqual(`the state of ${native}`, block.state, STATE_SYNCED);
    return { block, seed };
  }

  #receive(text: string): void {
    this.#atNs += 1_000_000;
    this.#ground.sync.connection(0).receive(Buffer.from(text), this.#atNs);
    this.#ground.sync.takeActions();
    this.#ground.sync.publish(this.#atNs);
  }

  #time(): string {
    return timeText(START_MS + this.#atNs / 1e6);
  }
}
