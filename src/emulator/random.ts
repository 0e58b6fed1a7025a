/**
 * Seeded randomness for the synthetic market: small, fast, the same on every machine. Why not Math.random: a market
 * that cannot be replayed from its seed cannot be used to find a fault again. Bad case: two consumers share one
 * generator and the order of their draws changes with timing; hence `fork`, which gives each consumer its own.
 */

const WORD = 0x1_0000_0000;

/** A generator of pseudo-random numbers (sfc32), reproducible from seed and name. */
export class Random {
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;
  readonly #seed: number;

  /**
   * @param seed any integer; equal seeds and names give equal draws
   * @param name separates generators of one seed, e.g. `kraken:BTC/USD`
   */
  constructor(seed: number, name = "") {
    this.#seed = seed >>> 0;
    this.#a = hashText(name, this.#seed);
    this.#b = hashText(name, this.#seed ^ 0x9e37_79b9);
    this.#c = hashText(name, this.#seed ^ 0x85eb_ca6b);
    for (let round = 0; round < 12; round += 1) {
      this.word();
    }
  }

  /** A generator of its own for one consumer. @param name unique among the consumers */
  fork(name: string): Random {
    return new Random(this.#seed, name);
  }

  /** @returns an integer in 0 … 2^32-1 */
  word(): number {
    const sum = (this.#a + this.#b + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0;
    return sum >>> 0;
  }

  /** @returns a number above 0 and at most 1, so that it may be divided by */
  unit(): number {
    return (this.word() + 1) / WORD;
  }

  /** @param limit 1 … 2^32 @returns an integer in 0 … limit-1 */
  below(limit: number): number {
    return Math.floor((this.word() / WORD) * limit);
  }

  /** @param probability 0 … 1 @returns true that often */
  chance(probability: number): boolean {
    return this.word() < probability * WORD;
  }

  /** A heavy-tailed draw: median about 0.7 × scale, mean 4 × scale, now and then thousands. @param scale > 0 @returns an integer ≥ 0 */
  tail(scale: number): number {
    return Math.floor(scale * (this.unit() ** -0.8 - 1));
  }

  /** @param mean > 0, any unit @returns an exponential waiting time in the same unit */
  wait(mean: number): number {
    return -Math.log(this.unit()) * mean;
  }

  /** A rough bell curve: sum of three uniform draws. @returns mean 0, standard deviation 1, within ±3 */
  bell(): number {
    return (this.word() + this.word() + this.word()) / (WORD / 2) - 3;
  }

  /** @param items not empty @returns one of them */
  pick<T>(items: readonly [T, ...T[]]): T {
    return items[this.below(items.length)] ?? items[0];
  }

  /** @returns a random UUID text (version 4) */
  uuid(): string {
    const hex = [0, 1, 2, 3].map(() => this.word().toString(16).padStart(8, "0")).join("");
    const variant = "89ab"[this.below(4)];
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20)}`;
  }
}

function hashText(text: string, seed: number): number {
  let hash = seed ^ 0x811c_9dc5;
  for (let index = 0; index < text.length; index += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x0100_0193);
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x7feb_352d);
  hash = Math.imul(hash ^ (hash >>> 15), 0x846c_a68b);
  return (hash ^ (hash >>> 16)) >>> 0;
}
