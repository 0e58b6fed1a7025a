/**
 * How lively the whole market is and where fair prices stand: one path for all exchanges, so that bursts, silences and
 * prices are correlated between them. Both are functions of simulated time alone, hence the same for every order of
 * questions. Bad case: a question about an instant older than what is kept; it is answered with the oldest value kept.
 */
import { START_PRICES } from "./instruments.ts";
import type { Random } from "./random.ts";

const SECOND_US = 1_000_000;
const STEP_US = 20_000;
/** Steps of the price path that are kept, a power of two: 10 s. */
const STEPS_KEPT = 512;
/** Pull towards the start price per step: prices wander for minutes but stay near their start for days. */
const PULL = 1 / 30_000;
/** Standard deviation of one step in an ordinary mood, in millionths of the price: about 40 a second. */
const STEP_MILLIONTHS = 5.7;

/** A stretch of time with one mood. */
export type Stretch = {
  /** Simulated microseconds at which it ends. */
  endUs: number;
  /** Factor on every event rate: 0 silent, 1 ordinary, 16 a burst. */
  activity: number;
};

/** The succession of ordinary, quiet, silent and bursting stretches. */
export class Mood {
  readonly #random: Random;
  readonly #stretches: Stretch[] = [{ endUs: 3 * SECOND_US, activity: 1 }];

  constructor(random: Random) {
    this.#random = random;
  }

  /** The stretch that holds an instant. @param atUs simulated microseconds */
  at(atUs: number): Stretch {
    let last = this.#stretches.at(-1);
    while (last === undefined || last.endUs <= atUs) {
      last = this.#following(last);
      this.#stretches.push(last);
    }
    return this.#stretches.find((stretch) => stretch.endUs > atUs) ?? last;
  }

  /** Drops stretches that nobody will ask for again. @param beforeUs simulated microseconds */
  forget(beforeUs: number): void {
    const first = this.#stretches.findIndex((stretch) => stretch.endUs > beforeUs);
    this.#stretches.splice(0, Math.max(0, first));
  }

  #following(last: Stretch | undefined): Stretch {
    const endUs = last?.endUs ?? 0;
    if (last?.activity !== 1) {
      return { endUs: endUs + this.#between(4, 20), activity: 1 };
    }
    const draw = this.#random.unit();
    if (draw < 0.45) {
      return { endUs: endUs + this.#between(1, 6), activity: 0.05 };
    }
    return draw < 0.65
      ? { endUs: endUs + this.#between(1, 4), activity: 0 }
      : { endUs: endUs + this.#between(0.4, 1.5), activity: 16 };
  }

  #between(low: number, high: number): number {
    return Math.round((low + (high - low) * this.#random.unit()) * SECOND_US);
  }
}

/** The fair price of each base currency, a correlated random walk. */
export class FairPrices {
  readonly #random: Random;
  readonly #mood: Mood;
  readonly #paths = new Map<string, Float64Array>();
  #step = 0;

  constructor(random: Random, mood: Mood) {
    this.#random = random;
    this.#mood = mood;
    for (const [base, price] of Object.entries(START_PRICES)) {
      this.#paths.set(base, new Float64Array(STEPS_KEPT).fill(price));
    }
  }

  /**
   * The fair price at an instant.
   * @param base e.g. `BTC`
   * @param atUs simulated microseconds
   * @returns millionths of a US dollar, an integer
   * @throws RangeError for a base without a start price
   */
  at(base: string, atUs: number): number {
    const path = this.#paths.get(base);
    if (path === undefined) {
      throw new RangeError(`Cannot price an instrument: no start price for its base, was ${base}`);
    }
    const step = Math.floor(atUs / STEP_US);
    while (this.#step < step) {
      this.#advance();
    }
    const oldest = Math.max(0, this.#step - STEPS_KEPT + 1);
    return path[Math.max(step, oldest) % STEPS_KEPT] ?? 0;
  }

  #advance(): void {
    const { activity } = this.#mood.at(this.#step * STEP_US);
    const size = STEP_MILLIONTHS * (activity > 1 ? 3 : Math.max(0.2, activity));
    const common = this.#random.bell();
    for (const [base, path] of this.#paths) {
      const now = path[this.#step % STEPS_KEPT] ?? 0;
      const millionths = size * (0.7 * common + 0.7 * this.#random.bell());
      const pull = ((START_PRICES[base] ?? now) - now) * PULL;
      path[(this.#step + 1) % STEPS_KEPT] = Math.round(now + (now * millionths) / 1_000_000 + pull);
    }
    this.#step += 1;
  }
}
