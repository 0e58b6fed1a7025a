/**
 * Random numbers that a seed repeats: xorshift32. For tests that need the same stream of cases in every run.
 * Bad case: seed 0 would stay 0; it is replaced.
 */
export class SeededRandom {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0 === 0 ? 1 : seed >>> 0;
  }

  /** Uniform in [0, 2^32). */
  next(): number {
    let x = this.#state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#state = x >>> 0;
    return this.#state;
  }

  /** Uniform in [0, limit), limit up to 2^53. */
  below(limit: number): number {
    const wide = this.next() * 2 ** 21 + (this.next() >>> 11);
    return Math.floor((wide / 2 ** 53) * limit);
  }

  /** One of the items. @throws RangeError when there are none */
  pick<T>(items: readonly T[]): T {
    const item = items[this.below(items.length)];
    if (item === undefined) {
      throw new RangeError("Cannot pick: there is nothing to pick from, was empty");
    }
    return item;
  }
}
