/**
 * Exact decimal text of ticks and lots, and the digests over it that captures are compared by.
 * Bad case: none; every i64 has exactly one plain decimal form.
 */
import { createHash } from "node:crypto";
import { LEVEL_BYTES, LEVEL_PRICE, LEVEL_QUANTITY, SIDE_ASK, SIDE_BID } from "../../assembly/layout.ts";
import type { Kernel } from "../kernel/kernel.ts";

/**
 * Plain decimal text of value × 10^−exponent, without exponent and trailing zeros.
 * @param exponent digits after the point, 0 … 18
 */
export function decimalText(value: bigint, exponent: number): string {
  const digits = (value < 0n ? -value : value).toString().padStart(exponent + 1, "0");
  const whole = digits.slice(0, digits.length - exponent);
  const fraction = digits.slice(digits.length - exponent).replace(/0+$/, "");
  return `${value < 0n ? "-" : ""}${whole}${fraction === "" ? "" : `.${fraction}`}`;
}

/** A decimal token as it came, in the same plain form. @param token digits with an optional point */
export function plainDecimal(token: string): string {
  return token.includes(".") ? token.replace(/0+$/, "").replace(/\.$/, "") : token;
}

/** A side of a book, best first: price and quantity as plain decimals. */
export type SideText = [price: string, quantity: string][];

/** What to read of a book. */
export type BookTextOptions = {
  readonly book: number;
  readonly priceExponent: number;
  readonly quantityExponent: number;
  /** Arena bytes for levels. */
  readonly scratch: number;
  /** Levels that fit there. */
  readonly scratchLevels: number;
};

/** Both sides of a book as text. Cost: one string pair per level. */
export function bookText(kernel: Kernel, options: BookTextOptions): { bids: SideText; asks: SideText } {
  return { bids: sideText(kernel, SIDE_BID, options), asks: sideText(kernel, SIDE_ASK, options) };
}

function sideText(kernel: Kernel, side: number, options: BookTextOptions): SideText {
  const view = new DataView(kernel.buffer);
  const levels: SideText = [];
  const total = kernel.bookCount(options.book, side);
  while (levels.length < total) {
    const count = kernel.bookWalk(options.book, side, levels.length, options.scratchLevels, options.scratch);
    for (let index = 0; index < count; index++) {
      const level = options.scratch + index * LEVEL_BYTES;
      levels.push([
        decimalText(view.getBigInt64(level + LEVEL_PRICE, true), options.priceExponent),
        decimalText(view.getBigInt64(level + LEVEL_QUANTITY, true), options.quantityExponent),
      ]);
    }
  }
  return levels;
}

/** SHA-256 of `b PRICE QUANTITY\n` for each bid, best first, then `a PRICE QUANTITY\n` for each ask. */
export function bookDigest(book: { bids: SideText; asks: SideText }): string {
  const hash = createHash("sha256");
  for (const [price, quantity] of book.bids) {
    hash.update(`b ${price} ${quantity}\n`);
  }
  for (const [price, quantity] of book.asks) {
    hash.update(`a ${price} ${quantity}\n`);
  }
  return hash.digest("hex");
}
