/** Taker fees as exact integers. Bad case: a fee finer than a part of FEE_UNIT; refused, never rounded. */
import { BPS_EXPONENT, FEE_UNIT } from "./crossing.ts";

const BPS_UNIT = 10_000;

/** A fee as parts of FEE_UNIT. @param bps basis points @throws RangeError outside 0 … 9999 bps or finer than 0.0001 */
export function feeParts(bps: number): bigint {
  const exact = (bps * Number(FEE_UNIT)) / BPS_UNIT;
  const parts = Math.round(exact);
  if (!(bps >= 0 && bps <= 9999) || Math.abs(parts - exact) > 1e-6) {
    throw new RangeError(`Cannot use a fee: it must be 0 … 9999 basis points in steps of 0.0001, was ${bps}`);
  }
  return BigInt(parts);
}

/** A bound of a profit in units of 10^-BPS_EXPONENT basis points, rounded up. @throws RangeError below 0 */
export function profitUnits(bps: number): bigint {
  const units = bps * 10 ** BPS_EXPONENT;
  if (!(bps >= 0) || !Number.isFinite(units)) {
    throw new RangeError(`Cannot use a least profit: it must be at least 0 basis points, was ${bps}`);
  }
  return BigInt(Math.ceil(units - 1e-6));
}
