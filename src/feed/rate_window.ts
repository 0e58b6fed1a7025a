/**
 * A limit of so much per window, kept exactly: in no window of that length is more spent than allowed. For messages,
 * connection attempts and REST weight. Bad case: one item heavier than the whole window; it goes alone.
 */
import type { Rate } from "../exchanges/mod.ts";

/** What was spent lately. Times are monotonic ms. */
export class RateWindow {
  readonly #rate: Rate;
  #spent: { at: number; weight: number }[] = [];

  constructor(rate: Rate) {
    this.#rate = rate;
  }

  /** Whether so much may be spent now. */
  hasRoom(at: number, weight = 1): boolean {
    return this.#load(at) + weight <= this.#rate.count || this.#spent.length === 0;
  }

  /** Spends it now if there is room. @returns whether it was spent */
  take(at: number, weight = 1): boolean {
    const hasRoom = this.hasRoom(at, weight);
    if (hasRoom) {
      this.#spent.push({ at, weight });
    }
    return hasRoom;
  }

  #load(at: number): number {
    this.#spent = this.#spent.filter((item) => at - item.at < this.#rate.perMs);
    return this.#spent.reduce((sum, item) => sum + item.weight, 0);
  }
}
