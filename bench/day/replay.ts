/**
 * The replay of a day: snapshot, then block after block of frames through sync, decoder, book, hash and records, published
 * frame by frame. Only that is timed, as the CPU time of the whole process while this one thread works, so that what V8
 * does beside it counts as well. Behind the clock a replica proves every record, and the independent book every slice.
 * Bad case: a frame whose outcome is not a plain book update; the replay stops there.
 */
import {
  APPLY_BOOK,
  COUNTER_LEVEL_ENTRIES,
  LEVEL_BYTES,
  LEVEL_PRICE,
  LEVEL_QUANTITY,
  SIDE_ASK,
  SIDE_BID,
} from "../../assembly/layout.ts";
import type { InstrumentBlock } from "../../src/sync/instrument_block.ts";
import { snapshotText } from "../coinbase_text.ts";
import { mustEqual } from "../harness.ts";
import { type Ground, openGround } from "../memory/ground.ts";
import { RingFollower } from "../memory/ring_follower.ts";
import { DAY_MINUTES } from "./curve.ts";
import { DAY_START_MS, DayFrames, type FrameBlock, NATIVE } from "./frames.ts";
import type { DayModel } from "./model.ts";

/** One slice of the day. */
export type DaySlice = {
  readonly updates: number;
  readonly frames: number;
  readonly cpuNs: number;
  readonly wallNs: number;
};

const MIB = 1 << 20;
const SEED = 267;
const UPDATES_PER_BLOCK = 100_000;
const DELTA_CAPACITY = 65_536;
const IMAGE_SHARE = 8;
const IMAGE_LEVELS = 98_304;
const WALK_LEVELS = 65_536;

/** A day that is being replayed. */
export class DayReplay {
  readonly #ground: Ground;
  readonly #frames: DayFrames;
  readonly #follower: RingFollower;
  readonly #block: InstrumentBlock;
  readonly #walk: number;
  #updates = 0;

  /** @param updates of the whole day */
  constructor(updates: number) {
    this.#frames = new DayFrames({ seed: SEED, updates, updatesPerBlock: UPDATES_PER_BLOCK });
    this.#ground = openGround(
      {
        producerBytes: 64 * MIB,
        readerBytes: 64 * MIB,
        frameBytes: 8 * MIB,
        config: {
          instrumentCapacity: 16,
          deltaCapacity: DELTA_CAPACITY,
          tradeCapacity: 64,
          imageAreaBytes: 16 * MIB,
        },
        imageLevels: IMAGE_LEVELS,
        imageEvery: DELTA_CAPACITY / IMAGE_SHARE,
      },
      { anchorNs: BigInt(DAY_START_MS) * 1_000_000n, spareBytes: 4 * MIB },
    );
    this.#walk = this.#ground.reserve("walked levels", WALK_LEVELS * LEVEL_BYTES);
    this.#block = this.#open(this.#frames.model);
    this.#follower = new RingFollower(this.#ground);
    this.#follower.join(this.#block, { encodeBytes: 0, historyEntries: 0 });
    this.#updates = this.#entries;
  }

  /** Records that the replica proved. */
  get records(): number {
    return this.#follower.records;
  }

  /** Replays up to a minute of the day. @throws Error when anything at all is not as it must be */
  slice(untilMinute: number): DaySlice {
    const total = { updates: 0, frames: 0, cpuNs: 0, wallNs: 0 };
    for (;;) {
      const block = this.#frames.next(Math.min(untilMinute, DAY_MINUTES));
      if (block === undefined) {
        break;
      }
      const { cpuNs, wallNs } = this.#replay(block);
      total.updates += block.updates;
      total.frames += block.frames.length;
      total.cpuNs += cpuNs;
      total.wallNs += wallNs;
      this.#follower.pump();
    }
    this.#updates += total.updates;
    mustEqual("level updates that the kernel counted", this.#entries, this.#updates);
    mustEqual("the book hash", this.#hash, this.#frames.model.hash());
    return total;
  }

  /** Compares every level with the independent book. @throws Error naming the first that differs */
  verify(): void {
    this.#follower.verify();
    const { producer, view } = this.#ground;
    for (const side of [SIDE_BID, SIDE_ASK]) {
      const levels = this.#frames.model.levels(side === SIDE_BID);
      const count = producer.bookWalk(this.#block.book, side, 0, WALK_LEVELS, this.#walk);
      mustEqual("levels of a side", count, levels.length);
      for (const [rank, [tick, lots]] of levels.entries()) {
        const at = this.#walk + rank * LEVEL_BYTES;
        mustEqual(`the price at rank ${rank}`, view.getBigInt64(at + LEVEL_PRICE, true), BigInt(tick));
        mustEqual(`the quantity at rank ${rank}`, view.getBigInt64(at + LEVEL_QUANTITY, true), BigInt(lots));
      }
    }
  }

  get #entries(): number {
    return this.#ground.segment.counter(COUNTER_LEVEL_ENTRIES);
  }

  get #hash(): number {
    return this.#ground.producer.bookHash(this.#block.book);
  }

  #replay({ frames, times }: FrameBlock): { cpuNs: number; wallNs: number } {
    const { sync } = this.#ground;
    const connection = sync.connection(0);
    let wrong = 0;
    const startedAt = performance.now();
    const before = process.cpuUsage();
    for (let index = 0; index < frames.length; index++) {
      const at = times[index] ?? 0;
      const frame = frames[index];
      wrong += frame !== undefined && connection.receive(frame, at) === APPLY_BOOK ? 0 : 1;
      sync.publish(at);
    }
    const { user, system } = process.cpuUsage(before);
    const wallNs = (performance.now() - startedAt) * 1e6;
    mustEqual("frames that were no plain book update", wrong, 0);
    return { cpuNs: (user + system) * 1000, wallNs };
  }

  #open(model: DayModel): InstrumentBlock {
    const side = (isBid: boolean) => {
      const levels = model.levels(isBid);
      return { ticks: levels.map(([tick]) => tick), lots: new Map(levels) };
    };
    const time = new Date(DAY_START_MS).toISOString().replace("Z", "000Z");
    const text = snapshotText(NATIVE, { bids: side(true), asks: side(false) }, time);
    this.#ground.sync.connection(0).receive(Buffer.from(text), 0);
    this.#ground.sync.takeActions();
    this.#ground.sync.publish(0);
    const block = this.#ground.sync.instrument(NATIVE)?.block;
    if (block === undefined) {
      throw new Error(`Cannot open the book of the day: the sync does not know it, was ${NATIVE}`);
    }
    return block;
  }
}
