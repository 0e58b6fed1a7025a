/**
 * A reader as programs have them: the kernel's own ring reader, replicas and joins, which sleeps so long that the ring
 * overtakes it. What it lost must be told exactly, and what it holds after it caught up must be what was published.
 * Bad case: a producer that publishes while the reader is in the midst of a poll; with the twin that happens on purpose.
 */
import {
  DELTA_BYTES,
  DELTA_INSTRUMENT_ID,
  LEVEL_BYTES,
  POLL_LAPPED,
  READER_CURSOR,
  READER_LOST,
  REPLICA_BOOK,
  REPLICA_EMPTY,
  REPLICA_INSTRUMENT_ID,
  REPLICA_OK,
  REPLICA_RESET,
  REPLICA_STALE,
  REPLICA_VERSION,
  RING_DELTAS,
} from "../../assembly/layout.ts";
import type { Kernel } from "../../src/kernel/kernel.ts";
import { ReplicaJoiner } from "../../src/segment/join.ts";
import { type InstrumentEntry, SegmentView } from "../../src/segment/view.ts";
import type { InstrumentCheck } from "./instrument_check.ts";
import { digestOf } from "./published_book.ts";
import { decimalAt } from "./ring_tap.ts";

/** What a reader tells. */
export type SleepyEvents = {
  readonly checkOf: (native: string) => InstrumentCheck | undefined;
  readonly fail: (native: string, what: string, was: { expected: string; found: string }) => void;
};

type Replica = { readonly address: number; readonly entry: InstrumentEntry; isJoined: boolean };

const BATCH = 64;
const LEVELS_MAX = 512;
const TWO_32 = 4_294_967_296;

/** The memory of one reader. */
export type ReaderScratch = { readonly records: number; readonly joins: number; readonly levels: number };

/** @throws RangeError when the arena is exhausted */
export function readerScratch(kernel: Kernel): ReaderScratch {
  return {
    records: kernel.arenaAllocate(BATCH * DELTA_BYTES),
    joins: kernel.arenaAllocate(BATCH * DELTA_BYTES),
    levels: kernel.arenaAllocate(LEVELS_MAX * LEVEL_BYTES),
  };
}

/** A reader of one segment. */
export class SleepyReader {
  /** How often it was overtaken. */
  laps = 0;
  /** Books compared. */
  compared = 0;
  readonly #kernel: Kernel;
  readonly #scratch: ReaderScratch;
  readonly #view: SegmentView;
  readonly #joiner: ReplicaJoiner;
  readonly #memory: DataView;
  readonly #reader: number;
  readonly #replicas = new Map<number, Replica>();
  readonly #events: SleepyEvents;

  constructor(kernel: Kernel, options: { address: number; scratch: ReaderScratch; events: SleepyEvents }) {
    this.#kernel = kernel;
    this.#scratch = options.scratch;
    this.#events = options.events;
    this.#memory = new DataView(kernel.buffer);
    this.#view = new SegmentView(kernel.buffer, options.address);
    this.#joiner = new ReplicaJoiner(kernel, {
      segment: this.#view,
      scratch: options.scratch.joins,
      scratchRecords: BATCH,
    });
    this.#reader = kernel.readerCreate(options.address, RING_DELTAS);
  }

  /** Reads everything that is there. */
  wake(): void {
    const from = this.#cursor;
    const lostBefore = this.#lost;
    let read = 0;
    for (;;) {
      const count = this.#kernel.readerPoll(this.#reader, this.#scratch.records, BATCH);
      if (count === 0) {
        break;
      }
      if (count === POLL_LAPPED) {
        this.laps += 1;
        for (const replica of this.#replicas.values()) {
          replica.isJoined = false;
        }
        continue;
      }
      read += count;
      for (let index = 0; index < count; index++) {
        this.#apply(this.#scratch.records + index * DELTA_BYTES);
      }
    }
    const lost = this.#lost - lostBefore;
    if (from + read + lost !== this.#cursor) {
      const found = `${read} read, ${lost} lost`;
      this.#events.fail("", "no record is lost without being told", {
        expected: `${this.#cursor - from} records`,
        found,
      });
    }
    this.#joinAll();
  }

  /** Compares every book with what was published up to now; only while nothing was published since `wake`. */
  compare(): void {
    if (this.#cursor !== this.#view.deltaTail) {
      return;
    }
    for (const { address, entry, isJoined } of this.#replicas.values()) {
      const check = this.#events.checkOf(entry.native);
      if (!isJoined || check === undefined || this.#view.instrument(entry.index).retiredTo !== 0) {
        continue;
      }
      const version = this.#u64(address + REPLICA_VERSION);
      if (version > 0) {
        this.compared += 1;
        this.#judge(check, entry, { version, digest: this.#digest(address, entry) });
      }
    }
  }

  #judge(check: InstrumentCheck, { native }: InstrumentEntry, held: { version: number; digest: number }): void {
    if (held.version !== check.version || held.digest !== check.book.digest) {
      this.#events.fail(native, "a reader that caught up holds what was published", {
        expected: `version ${check.version}, digest ${check.book.digest}`,
        found: `version ${held.version}, digest ${held.digest}`,
      });
    }
  }

  #apply(record: number): void {
    const replica = this.#replica(this.#memory.getUint32(record + DELTA_INSTRUMENT_ID, true));
    if (replica === undefined || !replica.isJoined) {
      return;
    }
    const code = this.#kernel.replicaApply(replica.address, record);
    if (code === REPLICA_RESET || code === REPLICA_EMPTY) {
      replica.isJoined = false;
    } else if (code !== REPLICA_OK && code !== REPLICA_STALE) {
      replica.isJoined = false;
      const found = `REPLICA code ${code}`;
      this.#events.fail(replica.entry.native, "every record follows the one before", { expected: "a chain", found });
    }
  }

  #replica(id: number): Replica | undefined {
    const known = this.#replicas.get(id);
    if (known !== undefined) {
      return known;
    }
    const entry = this.#view.instruments().find((one) => one.id === id);
    const address = this.#kernel.replicaCreate();
    if (entry === undefined || address === 0) {
      const found = entry === undefined ? `no entry of id ${id}` : "an exhausted arena";
      this.#events.fail("", "every record has a table entry", { expected: "an entry", found });
      return undefined;
    }
    this.#memory.setUint32(address + REPLICA_INSTRUMENT_ID, id, true);
    const replica = { address, entry, isJoined: false };
    this.#replicas.set(id, replica);
    return replica;
  }

  #joinAll(): void {
    for (const replica of this.#replicas.values()) {
      if (!replica.isJoined) {
        const outcome = this.#joiner.join(replica.address, { entry: replica.entry.address, until: this.#cursor });
        replica.isJoined = outcome.kind === "joined";
        if (outcome.kind === "corrupt") {
          const found = `corrupt, code ${outcome.code}`;
          this.#events.fail(replica.entry.native, "an image can be joined", { expected: "joined or busy", found });
        }
      }
    }
  }

  #digest(replica: number, { index }: InstrumentEntry): number {
    const { priceExponent, quantityExponent } = this.#view.instrument(index);
    const book = this.#memory.getUint32(replica + REPLICA_BOOK, true);
    const sides = ([0, 1] as const).map((side) => {
      const count = this.#kernel.bookWalk(book, side, 0, LEVELS_MAX, this.#scratch.levels);
      return Array.from({ length: count }, (_, rank): [string, string] => {
        const level = this.#scratch.levels + rank * LEVEL_BYTES;
        const price = decimalAt(this.#memory, level, { offset: 0, exponent: priceExponent });
        return [price, decimalAt(this.#memory, level + 8, { offset: 0, exponent: quantityExponent })];
      });
    });
    return digestOf([sides[0] ?? [], sides[1] ?? []]);
  }

  get #cursor(): number {
    return this.#u64(this.#reader + READER_CURSOR);
  }

  get #lost(): number {
    return this.#u64(this.#reader + READER_LOST);
  }

  #u64(address: number): number {
    return this.#memory.getUint32(address + 4, true) * TWO_32 + this.#memory.getUint32(address, true);
  }
}
