/**
 * Books of both kernels, level by level: thousands of levels that come in runs, at random and at the ends of i64, and leave
 * from the far end, from the touch and anywhere. Codes, counts, hashes and walks must be the same.
 * Bad case: a search that is wrong at the edge of a chunk only; the steps are many enough to fill, split, merge and empty chunks.
 */
import { describe, expect, it } from "vitest";
import { LEVEL_BYTES, SIDE_ASK, SIDE_BID } from "../../assembly/layout.ts";
import type { KernelName } from "../../src/kernel/kernel.ts";
import { freshKernel } from "../support/rig.ts";
import { SeededRandom } from "../support/seeded_random.ts";

const ENDS = [-(2n ** 63n), -(2n ** 63n) + 1n, -1n, 0n, 1n, 2n ** 63n - 2n, 2n ** 63n - 1n];
const WALK = 4096;

/** One book on one kernel. */
class Shelf {
  readonly #kernel;
  readonly #view: DataView;
  readonly #book: number;
  readonly #level: number;
  readonly #out: number;

  constructor(name: KernelName) {
    this.#kernel = freshKernel(name).kernel;
    this.#view = new DataView(this.#kernel.buffer);
    this.#level = this.#kernel.arenaAllocate(LEVEL_BYTES);
    this.#out = this.#kernel.arenaAllocate(WALK * LEVEL_BYTES);
    this.#book = this.#kernel.bookCreate();
  }

  set(side: number, price: bigint, quantity: bigint): number {
    this.#view.setBigInt64(this.#level, price, true);
    this.#view.setBigInt64(this.#level + 8, quantity, true);
    return this.#kernel.bookApply(this.#book, side, this.#level);
  }

  /** The price at a place from the touch. */
  priceAt(side: number, place: number): bigint {
    this.#kernel.bookWalk(this.#book, side, place, 1, this.#out);
    return this.#view.getBigInt64(this.#out, true);
  }

  count(side: number): number {
    return this.#kernel.bookCount(this.#book, side);
  }

  truncate(side: number, depth: number): number {
    return this.#kernel.bookTruncate(this.#book, side, depth);
  }

  clear(): void {
    this.#kernel.bookClear(this.#book);
  }

  /** Counts, hash, and every level of both sides in one list of bytes. */
  state(): unknown[] {
    const bytes = [SIDE_BID, SIDE_ASK].map((side) => {
      const parts: Uint8Array[] = [];
      for (let from = 0; from < this.count(side); from += WALK) {
        const count = this.#kernel.bookWalk(this.#book, side, from, WALK, this.#out);
        parts.push(new Uint8Array(this.#kernel.buffer, this.#out, count * LEVEL_BYTES).slice());
      }
      return Buffer.concat(parts).toString("base64");
    });
    return [this.#kernel.bookHash(this.#book), this.count(SIDE_BID), this.count(SIDE_ASK), ...bytes];
  }
}

/** Both kernels' books; every step is done on both. */
class Pair {
  readonly #shelves = [new Shelf("wasm"), new Shelf("twin")] as const;

  set(side: number, price: bigint, quantity: bigint): void {
    const [wasm, twin] = this.#shelves.map((shelf) => shelf.set(side, price, quantity));
    if (wasm !== twin) {
      expect.fail(`side ${side}, price ${price}, quantity ${quantity}: wasm says ${wasm}, the twin ${twin}`);
    }
  }

  priceAt(side: number, place: number): bigint {
    return this.#shelves[0].priceAt(side, place);
  }

  count(side: number): number {
    return this.#shelves[0].count(side);
  }

  both(act: (shelf: Shelf) => unknown): void {
    const [wasm, twin] = this.#shelves.map(act);
    expect(wasm).toEqual(twin);
  }

  compare(): void {
    this.both((shelf) => shelf.state());
  }
}

describe("books of both kernels", () => {
  it("hold the same levels when they come and go in every way", () => {
    const pair = new Pair();
    const random = new SeededRandom(77);
    const below = (limit: number): number => random.below(limit);
    for (let round = 0; round < 24; round++) {
      const spread = [40, 400, 20_000][round % 3] ?? 1;
      for (let step = 0; step < 1500; step++) {
        const quantity = below(10) < 4 ? 0n : BigInt(1 + below(5));
        pair.set(below(2), BigInt(below(spread) - spread / 2), quantity);
      }
      for (const price of ENDS) {
        pair.set(below(2), price, BigInt(below(2)));
      }
      const start = BigInt(below(100_000));
      for (let step = 0n; step < 200n; step++) {
        pair.set(round % 2, round % 4 < 2 ? start + step : start - step, 1n);
      }
      pair.compare();
      sweep(pair, round % 2, round % 3 === 0 ? 0.9 : 0.3, round % 5 < 2);
      pair.compare();
      if (round % 7 === 6) {
        const side = below(2);
        const depth = below(50);
        pair.both((shelf) => shelf.truncate(side, depth));
        pair.compare();
      }
      if (round === 15) {
        pair.both((shelf) => shelf.clear());
      }
    }
  });

  it("hold the same levels when the only ones are at the ends of i64", () => {
    const pair = new Pair();
    for (const quantity of [1n, 2n, 0n, 3n]) {
      for (const price of ENDS) {
        pair.set(SIDE_BID, price, quantity);
        pair.set(SIDE_ASK, price, quantity);
        pair.compare();
      }
    }
  });
});

/** Removes a share of a side's levels one by one, from the far end or from the touch. */
function sweep(pair: Pair, side: number, share: number, isFar: boolean): void {
  for (let left = Math.floor(pair.count(side) * share); left > 0; left--) {
    pair.set(side, pair.priceAt(side, isFar ? pair.count(side) - 1 : 0), 0n);
  }
}
