/**
 * Feeds mutated frames to both kernels and the naive oracle: same codes, counters, records, table, cells and images on
 * both; where a frame was applied, the oracle's book. A trap or an exception ends the run with its frame.
 * Bad case: books that are never synced; a fresh snapshot comes every few frames.
 */
import { APPLY_BOOK, APPLY_CHECKSUM_BAD, APPLY_CROSSED, APPLY_SNAPSHOT, DELTA_BYTES } from "../../assembly/layout.ts";
import { SegmentView } from "../../src/segment/view.ts";
import type { Corpus } from "./corpus.ts";
import { mutated } from "./mutation.ts";
import { Oracle } from "./oracle.ts";
import { firstDifference, Rig } from "./rig.ts";
import { SeededRandom } from "./seeded_random.ts";

/** What a run did; `applied` frames changed a book. */
export type FuzzResult = {
  readonly frames: number;
  readonly applied: number;
  readonly codes: Readonly<Record<number, number>>;
};

const RESYNC_EVERY = 12;
const COMPARE_EVERY = 64;
const APPLIED: ReadonlySet<number> = new Set([APPLY_BOOK, APPLY_SNAPSHOT, APPLY_CHECKSUM_BAD, APPLY_CROSSED]);

/**
 * Runs `count` mutated frames.
 * @throws Error naming seed, frame number and frame when the kernels or the oracle differ
 */
export function fuzz(corpus: Corpus, { count, seed }: { count: number; seed: number }): FuzzResult {
  const run = new FuzzRun(corpus, seed);
  for (let index = 0; index < count; index++) {
    run.step(index);
  }
  run.compare(count);
  return run.result(count);
}

class FuzzRun {
  readonly #corpus: Corpus;
  readonly #random: SeededRandom;
  readonly #seed: number;
  readonly #wasm: Rig;
  readonly #twin: Rig;
  readonly #view: SegmentView;
  readonly #oracle: Oracle;
  readonly #frames: readonly Uint8Array[];
  readonly #codes: Record<number, number> = {};
  #applied = 0;
  #compared = 0;
  #at = 0;

  constructor(corpus: Corpus, seed: number) {
    this.#corpus = corpus;
    this.#seed = seed;
    this.#random = new SeededRandom(seed);
    this.#wasm = new Rig("wasm", corpus.exchange, corpus.natives);
    this.#twin = new Rig("twin", corpus.exchange, corpus.natives);
    this.#view = new SegmentView(this.#wasm.buffer, this.#wasm.segment.address);
    this.#oracle = new Oracle(corpus.exchange);
    this.#frames = [...corpus.frames, ...corpus.snapshots].map((text) => new Uint8Array(Buffer.from(text, "utf8")));
  }

  step(index: number): void {
    if (index % RESYNC_EVERY === 0) {
      this.#resync();
    }
    const original = this.#random.pick(this.#frames);
    const bytes = this.#random.below(5) === 0 ? original : mutated(original, this.#random, this.#frames);
    this.#feed(bytes, index);
    if (index % COMPARE_EVERY === COMPARE_EVERY - 1) {
      this.compare(index);
    }
  }

  #feed(bytes: Uint8Array, index: number): void {
    this.#at += 1_000_000;
    const wasm = this.#wasm.frame(bytes, this.#at);
    const twin = this.#twin.frame(bytes, this.#at);
    this.#codes[wasm] = (this.#codes[wasm] ?? 0) + 1;
    if (wasm !== twin) {
      throw new Error(this.#where(index, `codes differ, wasm ${wasm} and twin ${twin}`, bytes));
    }
    if (APPLIED.has(wasm)) {
      this.#applied += 1;
      this.#judge(bytes, index);
    }
  }

  /** Applies the frame to the oracle and compares every book. Escapes are beyond the oracle: it starts anew from what the kernels hold. */
  #judge(bytes: Uint8Array, index: number): void {
    const text = Buffer.from(bytes).toString("latin1");
    if (text.includes("\\")) {
      for (const native of this.#corpus.natives) {
        this.#followKernels(native);
      }
      return;
    }
    for (const { block } of this.#wasm.sync.instruments) {
      this.#oracle.depths.set(block.native, block.depth);
    }
    this.#oracle.frame(text);
    for (const [native, book] of this.#oracle.books) {
      const ours = this.#wasm.book(native);
      if (ours === undefined || !sameSide(ours.bids, book.bids) || !sameSide(ours.asks, book.asks)) {
        throw new Error(this.#where(index, `the book of ${native} differs from the oracle's`, bytes));
      }
    }
  }

  #resync(): void {
    for (const rig of [this.#wasm, this.#twin]) {
      rig.revive(this.#at);
    }
    for (const text of this.#corpus.snapshots) {
      this.#feed(new Uint8Array(Buffer.from(text)), -1);
    }
    if (Object.keys(this.#corpus.rest).length > 0) {
      this.#wasm.reconnect(this.#at);
      this.#twin.reconnect(this.#at);
    }
    for (const [native, body] of Object.entries(this.#corpus.rest)) {
      const bytes = new Uint8Array(Buffer.from(body));
      const wasm = this.#wasm.rest(native, bytes, this.#at);
      const twin = this.#twin.rest(native, bytes, this.#at);
      if (wasm !== twin) {
        throw new Error(`Snapshots differ for ${native} with seed ${this.#seed}: wasm ${wasm} and twin ${twin}`);
      }
      if (wasm === "applied") {
        this.#followKernels(native);
      }
    }
  }

  /** The oracle did not see everything: it starts anew from what the kernels hold. */
  #followKernels(native: string): void {
    const held = this.#wasm.book(native);
    if (held !== undefined) {
      this.#oracle.books.set(native, { bids: new Map(held.bids), asks: new Map(held.asks) });
    }
  }

  compare(index: number): void {
    const head = firstDifference(this.#wasm.head(), this.#twin.head());
    if (head >= 0) {
      throw new Error(
        this.#where(index, `counters, table or cells differ at byte ${head} behind the counters`, new Uint8Array()),
      );
    }
    const tail = this.#view.deltaTail;
    const ring = firstDifference(this.#wasm.deltas(this.#compared, tail), this.#twin.deltas(this.#compared, tail));
    if (ring >= 0) {
      throw new Error(
        this.#where(
          index,
          `record ${this.#compared + Math.floor(ring / DELTA_BYTES)} differs at byte ${ring % DELTA_BYTES}`,
          new Uint8Array(),
        ),
      );
    }
    this.#compared = tail;
  }

  result(frames: number): FuzzResult {
    const body = firstDifference(this.#wasm.body(), this.#twin.body());
    if (body >= 0) {
      throw new Error(`Segments differ at byte ${body} with seed ${this.#seed}`);
    }
    return { frames, applied: this.#applied, codes: this.#codes };
  }

  #where(index: number, what: string, bytes: Uint8Array): string {
    return `Kernels differ (${this.#corpus.exchange}, seed ${this.#seed}, frame ${index}): ${what}; frame ${JSON.stringify(Buffer.from(bytes).toString("latin1"))}`;
  }
}

function sameSide(a: ReadonlyMap<bigint, bigint>, b: ReadonlyMap<bigint, bigint>): boolean {
  return a.size === b.size && [...a].every(([price, quantity]) => b.get(price) === quantity);
}
