/**
 * From coarser ticks and lots to finer ones: by which powers of ten numbers grow, and what becomes of a known range.
 * Bad case: an end of the range that leaves 64 bits; it stands for every price that can be written.
 */
import { EXPONENT_MAX } from "../../assembly/layout.ts";

/** The largest price in ticks; as the end of a known range: no end. */
export const I64_MAX = 2n ** 63n - 1n;

/** Decimals of ticks and lots; −1 = not known yet, as good as none. */
export type Exponents = { readonly price: number; readonly quantity: number };

/** Prices between which an exchange told every level, in ticks. */
export type KnownRange = { readonly low: bigint; readonly high: bigint };

/** @returns powers of ten by which numbers grow, ≥ 0; undefined when these decimals cannot be counted in */
export function finerBy(from: Exponents, to: Exponents): Exponents | undefined {
  const price = to.price - Math.max(0, from.price);
  const quantity = to.quantity - Math.max(0, from.quantity);
  const isWritable = Math.min(price, quantity) >= 0 && Math.max(to.price, to.quantity) <= EXPONENT_MAX;
  return isWritable ? { price, quantity } : undefined;
}

/** The same range in ticks that are finer by a power of ten; none stays none. */
export function finerRange(range: KnownRange | undefined, power: number): KnownRange | undefined {
  const finer = (ticks: bigint) => {
    const scaled = ticks * 10n ** BigInt(power);
    return scaled < I64_MAX ? scaled : I64_MAX;
  };
  return range && { low: finer(range.low), high: finer(range.high) };
}
