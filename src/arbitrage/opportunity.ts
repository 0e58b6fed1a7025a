/**
 * What the detector tells: opportunities that opened, changed and closed, as plain JSON with exact decimals.
 * Bad case: a quotient has no exact decimal in general; averages and basis points are cut off, and said to be.
 */

import { decimalText } from "../wire/numbers.ts";
import type { Opportunity, OpportunityLeg } from "../wire/opportunity.ts";
import { type ArbitragePath, BPS_EXPONENT, type Crossing, type CrossingLeg, scale } from "./crossing.ts";

/** More digits of an average price than the prices have, cut off. */
const AVERAGE_DIGITS = 4;
const MICROSECONDS = 1000;

/** Where an opportunity stands in its life. */
export type Life = {
  readonly id: number;
  readonly openedAtMs: number;
  readonly changedAtMs: number;
  readonly profitBpsMax: bigint;
};

/** The public form of a crossing. */
export function describeOpportunity(path: ArbitragePath, crossing: Crossing, life: Life): Opportunity {
  return {
    id: life.id,
    kind: path.kind,
    base: path.base,
    currency: path.currency,
    quantity: exactText(crossing.quantity, crossing.quantityExponent),
    profit: exactText(crossing.profit, crossing.profitExponent),
    profitBps: decimalText(crossing.profitBps, BPS_EXPONENT),
    profitBpsMax: decimalText(life.profitBpsMax, BPS_EXPONENT),
    cut: crossing.cut,
    openedAtMs: shownMs(life.openedAtMs),
    changedAtMs: shownMs(life.changedAtMs),
    legs: crossing.legs.map(describeLeg),
  };
}

/** A time as it is told: to the microsecond. */
export function shownMs(ms: number): number {
  return Math.round(ms * MICROSECONDS) / MICROSECONDS;
}

function describeLeg(leg: CrossingLeg): OpportunityLeg {
  const averageExponent = leg.priceExponent + AVERAGE_DIGITS;
  // amount / quantity in units of 10^-averageExponent; amounts have the digits of quantities and prices together.
  const average = (leg.amount * scale(AVERAGE_DIGITS)) / leg.quantity;
  return {
    action: leg.action,
    instrument: leg.book.instrument,
    version: String(leg.version),
    hash: leg.hash,
    receivedAtMs: shownMs(leg.updatedAtMs),
    feeBps: decimalText(leg.fee, BPS_EXPONENT),
    quantity: exactText(leg.quantity, leg.quantityExponent),
    amount: exactText(leg.amount, leg.amountExponent),
    averagePrice: exactText(average, averageExponent),
    worstPrice: decimalText(leg.worst, leg.priceExponent),
  };
}

/** Decimal text of any exponent; `decimalText` ends at 18 digits, sums have more. */
function exactText(units: bigint, exponent: number): string {
  let value = units;
  let digits = exponent;
  while (digits > 0 && value % 10n === 0n) {
    value /= 10n;
    digits -= 1;
  }
  const text = value.toString().padStart(digits + 1, "0");
  return digits === 0 ? text : `${text.slice(0, -digits)}.${text.slice(-digits)}`;
}
