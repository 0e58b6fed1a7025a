/**
 * The book by which the pipeline benchmark judges what clients hold: two maps of texts, nothing of this project in it.
 * Bad case: the same price written in two ways; every text of one exchange has the same decimals, so there is none.
 */
import type { Change, Level } from "./market.ts";

const ZERO = /^[0.]*$/;

/** Levels by the text of their price. */
export class PlainBook {
  readonly bids: Map<string, string>;
  readonly asks: Map<string, string>;

  constructor(bids: readonly Level[], asks: readonly Level[]) {
    this.bids = new Map(bids);
    this.asks = new Map(asks);
  }

  apply(changes: readonly Change[]): void {
    for (const [side, price, quantity] of changes) {
      if (ZERO.test(quantity)) {
        this.#side(side).delete(price);
      } else {
        this.#side(side).set(price, quantity);
      }
    }
  }

  /** The quantity at a price; zero when no level stands there. */
  quantity(side: string, price: string): string {
    return this.#side(side).get(price) ?? "0.00000000";
  }

  /** Whether the level is as a change would leave it. */
  holds(side: string, price: string, quantity: string): boolean {
    const held = this.#side(side).get(price);
    return held === undefined ? ZERO.test(quantity) : held === quantity;
  }

  #side(side: string): Map<string, string> {
    return side === "buy" ? this.bids : this.asks;
  }
}

/**
 * A decimal text as whole units of 10^-exponent.
 * @throws RangeError when it has more decimals, or is beyond what a double holds
 */
export function unitsOf(text: string, exponent: number): number {
  const [whole = "", fraction = ""] = text.split(".");
  const digits = fraction.replace(/0+$/, "");
  const units = Number(whole + digits.padEnd(exponent, "0"));
  if (digits.length > exponent || !Number.isSafeInteger(units)) {
    throw new RangeError(`Cannot compare a decimal: it needs at most ${exponent} decimals, was ${text}`);
  }
  return units;
}
