/**
 * What the detector tells: opportunities that opened, changed and closed, as plain JSON with exact decimals.
 * Bad case: a quotient has no exact decimal in general; averages and basis points are cut off, and said to be.
 */
import { decimalText, powerOfTen } from "../wire/numbers.ts";
import type { ArbitrageBook } from "./book.ts";
import { BPS_EXPONENT, type Crossing, type Direction, FEE_EXPONENT } from "./crossing.ts";

/** More digits of an average price than the prices have, cut off. */
const AVERAGE_DIGITS = 4;
const EXPONENT_MAX = 18;

/** Why an opportunity ended: the prices, the age of a book, or a book that is not known to be right. */
export type ClosingReason = "prices" | "stale" | "not_synced" | "removed";

/** One leg of an opportunity. */
export type OpportunityLeg = {
  instrument: string;
  /** Of the book that this was computed from. */
  version: string;
  hash: number;
  /** Σ price × quantity ÷ quantity, cut off after four digits more than the prices have. */
  averagePrice: string;
  /** The last level that is used. */
  worstPrice: string;
};

/** A crossing between two exchanges as it stands or stood. */
export type Opportunity = {
  /** Unique since start. */
  id: number;
  /** `BASE-QUOTE`, the quote of the leg that is bought. */
  pair: string;
  buy: OpportunityLeg;
  sell: OpportunityLeg;
  /** Executable on both sides, exact. */
  quantity: string;
  /** Exact, after both taker fees, in the quote currency. */
  profit: string;
  /** Profit ÷ cost in basis points, cut off after four digits. */
  profitBps: string;
  /** The largest during its life. */
  profitBpsMax: string;
  /** More was executable behind the levels that were looked at. */
  isCut: boolean;
  /** Unix ms. */
  openedAtMs: number;
  changedAtMs: number;
};

/** What happened to an opportunity. */
export type OpportunityEvent =
  | { readonly event: "opened" | "changed"; readonly opportunity: Opportunity }
  | {
      readonly event: "closed";
      readonly opportunity: Opportunity;
      readonly reason: ClosingReason;
      readonly lifetimeMs: number;
    };

/** Where an opportunity stands in its life. */
export type Life = {
  readonly id: number;
  readonly openedAtMs: number;
  readonly changedAtMs: number;
  readonly profitBpsMax: bigint;
};

/** The public form of a crossing. */
export function describeOpportunity({ buy, sell }: Direction, crossing: Crossing, life: Life): Opportunity {
  const { priceExponent, quantityExponent, quantity, cost, proceeds, profit, profitBps } = crossing;
  const leg = (book: ArbitrageBook, total: bigint, worst: bigint): OpportunityLeg => ({
    instrument: book.instrument,
    version: book.version,
    hash: book.hash,
    averagePrice: averageText(total, quantity, priceExponent),
    worstPrice: decimalText(worst, priceExponent),
  });
  return {
    id: life.id,
    pair: `${buy.base}-${buy.quote}`,
    buy: leg(buy, cost, crossing.worstAsk),
    sell: leg(sell, proceeds, crossing.worstBid),
    quantity: decimalText(quantity, quantityExponent),
    profit: sumText(profit, priceExponent + quantityExponent + FEE_EXPONENT),
    profitBps: decimalText(profitBps, BPS_EXPONENT),
    profitBpsMax: decimalText(life.profitBpsMax, BPS_EXPONENT),
    isCut: crossing.isCut,
    openedAtMs: life.openedAtMs,
    changedAtMs: life.changedAtMs,
  };
}

function averageText(total: bigint, quantity: bigint, priceExponent: number): string {
  const digits = Math.min(AVERAGE_DIGITS, EXPONENT_MAX - priceExponent);
  return decimalText((total * powerOfTen(digits)) / quantity, priceExponent + digits);
}

/** Sums have more digits than one price may: written in two steps. */
function sumText(units: bigint, exponent: number): string {
  let value = units;
  let digits = exponent;
  while (digits > 0 && value % 10n === 0n) {
    value /= 10n;
    digits -= 1;
  }
  const size = value < 0n ? -value : value;
  const text = size.toString().padStart(digits + 1, "0");
  const whole = text.slice(0, text.length - digits);
  return `${value < 0n ? "-" : ""}${whole}${digits === 0 ? "" : `.${text.slice(text.length - digits)}`}`;
}
