/**
 * How many lots stand at a level or change hands, in the patterns that real books show: round sizes, the same odd sizes
 * of market makers again and again, dust, and a heavy tail of anything. Integers only.
 * Bad case: a size of zero lots would delete a level unasked; the least drawn is one lot.
 */
import type { MarketInstrument } from "./instruments.ts";
import type { Random } from "./random.ts";

/** A typical resting size per base currency, in hundred-millionths of it. */
const TYPICAL_UNITS: Readonly<Record<string, number>> = { BTC: 5_000_000, ETH: 84_000_000, SOL: 1_200_000_000 };
const TYPICAL_DEFAULT_UNITS = 100_000_000;
const UNIT_DECIMALS = 8;
const MAKER_SIZES = 12;
/** Largest single size, in typical sizes. */
const SIZE_MAX = 400;
const ROUND_FACTOR_MAX = 2000;
const ROUND_FACTORS: readonly [number, ...number[]] = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, ROUND_FACTOR_MAX];

/** Draws sizes for one instrument. */
export class Sizes {
  readonly #random: Random;
  readonly #typical: number;
  readonly #round: number;
  readonly #makers: readonly [number, ...number[]];

  constructor(instrument: MarketInstrument, random: Random) {
    this.#random = random;
    const units = TYPICAL_UNITS[instrument.base] ?? TYPICAL_DEFAULT_UNITS;
    this.#typical = Math.max(2, Math.round(units / 10 ** (UNIT_DECIMALS - instrument.quantityDecimals)));
    this.#round = 10 ** Math.max(0, Math.floor(Math.log10(this.#typical)) - 1);
    this.#makers = [this.#typical, ...Array.from({ length: MAKER_SIZES }, () => 1 + random.below(this.#typical * 4))];
  }

  /** No resting level has more lots than this. */
  get restingMax(): number {
    return Math.max(this.#round * ROUND_FACTOR_MAX, 1 + this.#typical * SIZE_MAX);
  }

  /** @returns lots of a resting level, ≥ 1 */
  resting(): number {
    const kind = this.#random.below(100);
    if (kind < 25) {
      return this.#round * this.#random.pick(ROUND_FACTORS);
    }
    if (kind < 50) {
      return this.#random.pick(this.#makers);
    }
    if (kind < 65) {
      return 1 + this.#random.below(Math.max(1, Math.floor(this.#typical / 200)));
    }
    return 1 + Math.min(this.#random.tail(this.#typical * 0.6), this.#typical * SIZE_MAX);
  }

  /** @param standing lots at the level, ≥ 1 @returns lots that a taker takes of it, 1 … standing */
  taken(standing: number): number {
    return this.#random.chance(0.4) ? standing : Math.min(standing, 1 + this.#random.tail(this.#typical / 8));
  }
}
