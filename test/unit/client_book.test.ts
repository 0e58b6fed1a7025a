/**
 * The client's own book against the kernel's replica: random streams of real frames, whole, damaged and damaged with a
 * checksum that was made right again, and conflated updates. Both must give the same code and hold the same book.
 * Bad case: numbers beyond 2^53 and prices at the edges of i64; the streams hold both.
 */
import { describe, expect, it } from "vitest";
import {
  FRAME_DELTAS,
  FRAME_FLAG_FIRST,
  FRAME_KIND_MASK,
  LEVEL_BYTES,
  REPLICA_BOOK,
  REPLICA_CHAIN,
  REPLICA_EMPTY,
  REPLICA_EPOCH,
  REPLICA_EVENT_AT,
  REPLICA_FLAGS,
  REPLICA_HASH,
  REPLICA_OK,
  REPLICA_RECEIVED_AT,
  REPLICA_SOURCE_SEQUENCE,
  REPLICA_STATE,
  REPLICA_STATE_FOLLOWING,
  REPLICA_VERSION,
  SIDE_ASK,
  SIDE_BID,
} from "../../assembly/layout.ts";
import { StreamBook } from "../../src/client/stream_book.ts";
import type { Kernel, KernelName } from "../../src/kernel/kernel.ts";
import { crc32 } from "../../src/kernel/twin/crc32.ts";
import { freshKernel, Rig } from "../support/rig.ts";
import { SeededRandom } from "../support/seeded_random.ts";
import { Tap } from "../support/tap.ts";

const SEED = 20_261_122;
const STREAMS = 4;
const EVENTS = 90;
const FRAME_BYTES = 1 << 18;
const FLAGS_OF_STATUS = 2 | 8 | 16;
const ODD_PRICES = ["129034888.00", "0.01", "92233720368547758", "0.02"];
const ODD_SIZES = ["90071992547409.93", "180143985094819.84", "100000000", "0.01"];

type Frame = Uint8Array<ArrayBuffer>;

/** A replica of a kernel and the client's book, given the same frames. */
class Pair {
  readonly kernel: Kernel;
  readonly book = new StreamBook({ isVerified: true });
  readonly replica: number;
  readonly #view: DataView;
  readonly #frame: number;
  readonly #levels: number;

  constructor(name: KernelName) {
    this.kernel = freshKernel(name).kernel;
    this.#view = new DataView(this.kernel.buffer);
    this.#frame = this.kernel.arenaAllocate(FRAME_BYTES);
    this.#levels = this.kernel.arenaAllocate(4096 * LEVEL_BYTES);
    this.replica = this.kernel.replicaCreate();
  }

  /** @returns what the kernel said; throws when the client's book says or holds something else */
  apply(frame: Frame): number {
    new Uint8Array(this.kernel.buffer, this.#frame, frame.length).set(frame);
    const expected = this.kernel.frameApply(this.replica, this.#frame, frame.length);
    expect(this.book.apply(frame)).toBe(expected);
    expect(this.#ours()).toEqual(this.#theirs());
    return expected;
  }

  /** A conflated frame from a version to what the kernel's replica holds. */
  conflated(from: bigint): Frame {
    const [low, high] = [Number(from & 0xffffffffn), Number(from >> 32n)];
    const bytes = this.kernel.conflatedEncode(this.replica, low, high, this.#frame, FRAME_BYTES);
    return new Uint8Array(this.kernel.buffer, this.#frame, bytes).slice();
  }

  #ours() {
    const { book } = this;
    if (book.state !== REPLICA_STATE_FOLLOWING) {
      return { state: book.state };
    }
    const { bids, asks, hash } = book.levels;
    const side = (levels: typeof bids) =>
      Array.from({ length: levels.count }, (_, rank) => `${levels.price(rank)}:${levels.quantity(rank)}`);
    return {
      state: book.state,
      epoch: book.epoch,
      version: book.version.value,
      chain: book.chain,
      hash,
      flags: book.flags,
      eventAt: book.eventAt.value,
      receivedAt: book.receivedAt.value,
      sequence: book.sequence.value,
      bids: side(bids),
      asks: side(asks),
    };
  }

  #theirs() {
    const view = this.#view;
    const { replica } = this;
    const word = (offset: number) => view.getInt32(replica + offset, true);
    const wide = (offset: number) => view.getBigUint64(replica + offset, true);
    const state = word(REPLICA_STATE);
    if (state !== REPLICA_STATE_FOLLOWING) {
      return { state };
    }
    const side = (which: number) => {
      const count = this.kernel.bookWalk(word(REPLICA_BOOK), which, 0, 4096, this.#levels);
      return Array.from({ length: count }, (_, rank) => {
        const level = this.#levels + rank * LEVEL_BYTES;
        return `${view.getBigInt64(level, true)}:${view.getBigInt64(level + 8, true)}`;
      });
    };
    return {
      state,
      epoch: word(REPLICA_EPOCH) >>> 0,
      version: wide(REPLICA_VERSION),
      chain: word(REPLICA_CHAIN),
      hash: word(REPLICA_HASH),
      flags: word(REPLICA_FLAGS) & FLAGS_OF_STATUS,
      eventAt: wide(REPLICA_EVENT_AT),
      receivedAt: wide(REPLICA_RECEIVED_AT),
      sequence: wide(REPLICA_SOURCE_SEQUENCE),
      bids: side(SIDE_BID),
      asks: side(SIDE_ASK),
    };
  }
}

/** Frames of a random book, snapshots among them. */
function randomFrames(random: SeededRandom): Frame[] {
  const rig = new Rig("twin", "coinbase_exchange", ["X-Y"]);
  const tap = new Tap(rig, { partBytes: 96 + random.below(2000) });
  const frames: Frame[] = [];
  const price = () => (random.below(25) === 0 ? random.pick(ODD_PRICES) : (100 + random.below(400) / 4).toFixed(2));
  const size = () => (random.below(12) === 0 ? random.pick(ODD_SIZES) : (random.below(10 ** 9) / 1e5).toFixed(2));
  const levels = () => Array.from({ length: random.below(120) }, () => [price(), size()]);
  for (let event = 0; event < EVENTS; event++) {
    const time = `2026-07-07T22:58:17.${String(random.below(1_000_000)).padStart(6, "0")}Z`;
    const change = () => [random.pick(["buy", "sell"]), price(), random.below(3) === 0 ? "0" : size()];
    const body =
      event % 30 === 0
        ? { type: "snapshot", bids: levels(), asks: levels() }
        : { type: "l2update", changes: Array.from({ length: random.below(24) }, change) };
    rig.frame(new TextEncoder().encode(JSON.stringify({ product_id: "X-Y", time, ...body })), 1e9 + event * 1e6);
    frames.push(...tap.take().flatMap(({ kind, bytes }) => (kind === "deltas" || kind === "snapshot" ? [bytes] : [])));
    if (event % 11 === 10) {
      frames.push(
        ...tap.snapshots().flatMap(({ kind, bytes }) => (kind === "bbo" || kind === "trades" ? [] : [bytes])),
      );
    }
  }
  return frames;
}

/** Damages a frame, half of the time with a checksum that holds again. */
function damaged(frame: Frame, random: SeededRandom): Frame {
  const length = random.below(4) === 0 ? 1 + random.below(frame.length) : frame.length;
  const copy = frame.slice(0, length);
  const isDeltas = ((frame[0] ?? 0) & FRAME_KIND_MASK) === FRAME_DELTAS;
  const end = isDeltas ? length : Math.max(1, length - 4);
  for (let flips = random.below(3); flips >= 0; flips--) {
    const at = random.below(end);
    copy[at] = random.below(2) === 0 ? (copy[at] ?? 0) ^ (1 << random.below(8)) : random.below(256);
  }
  if (!isDeltas && length > 6 && random.below(2) === 0) {
    new DataView(copy.buffer).setUint32(length - 4, crc32(copy, 0, length - 4), true);
  }
  return copy;
}

describe.each(["twin", "wasm"] as const)("The client's book beside the kernel's (%s)", (name) => {
  it("holds the same and says the same when frames are whole", () => {
    for (let stream = 0; stream < STREAMS; stream++) {
      const all = randomFrames(new SeededRandom(SEED + stream));
      const frames = all.slice(all.findIndex((frame) => ((frame[0] ?? 0) & FRAME_FLAG_FIRST) !== 0));
      const pair = new Pair(name);
      expect(frames.map((frame) => pair.apply(frame)).filter((code) => code !== REPLICA_OK)).toEqual([]);
      expect(frames.length).toBeGreaterThan(EVENTS / 2);
    }
  });

  it("holds the same and says the same when frames are damaged", () => {
    const codes = new Set<number>();
    for (let stream = 0; stream < STREAMS; stream++) {
      const random = new SeededRandom(SEED + 1000 + stream);
      const frames = randomFrames(random);
      const pair = new Pair(name);
      for (const frame of frames) {
        codes.add(pair.apply(random.below(6) === 0 ? damaged(frame, random) : frame));
      }
    }
    expect(codes.size).toBeGreaterThan(3);
  });

  it("follows a conflated update to the same book, whole or damaged", () => {
    let updates = 0;
    for (let stream = 0; stream < STREAMS; stream++) {
      const random = new SeededRandom(SEED + 2000 + stream);
      const source = new Pair(name);
      source.kernel.historyCreate(source.replica, 4096);
      let late = new Pair(name);
      let lag = -1;
      for (const frame of randomFrames(random)) {
        const isDeltas = ((frame[0] ?? 0) & FRAME_KIND_MASK) === FRAME_DELTAS;
        source.apply(frame);
        lag = isDeltas ? lag : -1;
        if (lag < 0) {
          const code = late.apply(frame);
          expect([REPLICA_OK, REPLICA_EMPTY]).toContain(code);
          lag = isDeltas && code === REPLICA_OK ? random.below(12) : -1;
        } else if (lag > 0) {
          lag -= 1;
        } else {
          const update = source.conflated(late.book.version.value);
          const isWhole = random.below(3) > 0;
          const code = late.apply(isWhole ? update : damaged(update, random));
          expect(code === REPLICA_OK || !isWhole).toBe(true);
          updates += 1;
          if (code === REPLICA_OK) {
            expect(late.book.levels.hash).toBe(source.book.levels.hash);
          } else {
            late = new Pair(name);
          }
          lag = -1;
        }
      }
    }
    expect(updates).toBeGreaterThan(20);
  });
});
