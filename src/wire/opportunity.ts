/**
 * Opportunities of arbitrage as the stream, REST and the pages tell them: types only. Sums are exact decimal text; what is
 * a quotient (averages, basis points) is cut off, and can be computed again from the sums.
 * Bad case: fees that are not the reader's own; every leg names the fee that was reckoned with.
 */

/** Between two exchanges, or in a circle through three books of one. */
export const OPPORTUNITY_KINDS = ["cross", "triangular"] as const;
/** A kind of opportunity. */
export type OpportunityKind = (typeof OPPORTUNITY_KINDS)[number];

/** Why an opportunity ended; `none` while it is open. */
export const CLOSING_REASONS = ["none", "prices", "stale", "not_synced", "removed"] as const;
/** A reason. */
export type ClosingReason = (typeof CLOSING_REASONS)[number];

/** What happened to an opportunity. */
export const OPPORTUNITY_EVENTS = ["opened", "changed", "closed"] as const;
/** An event. */
export type OpportunityEventWord = (typeof OPPORTUNITY_EVENTS)[number];

/** One trade of an opportunity, to be made against one book. */
export type OpportunityLeg = {
  action: "buy" | "sell";
  /** `exchange:BASE-QUOTE` */
  instrument: string;
  /** Of the book that this was computed from: its version, decimal, and its hash. */
  version: string;
  hash: number;
  /** When that book's last event was received, Unix ms. */
  receivedAtMs: number;
  /** Taker fee that was reckoned with, basis points of the amount, decimal. */
  feeBps: string;
  /** Of the instrument's base, exact. */
  quantity: string;
  /** Σ price × quantity before the fee, in the instrument's quote, exact. */
  amount: string;
  /** Amount ÷ quantity, cut off after four digits more than the prices have. */
  averagePrice: string;
  /** The last level that is used. */
  worstPrice: string;
};

/** A crossing as it stands or stood. */
export type Opportunity = {
  /** Unique since the server started. */
  id: number;
  kind: OpportunityKind;
  /** What is bought and sold again. */
  base: string;
  /** What profit is counted in: the quote of the leg that is bought first. */
  currency: string;
  /** Executable of the base, exact. */
  quantity: string;
  /** After all taker fees, in the currency, exact. */
  profit: string;
  /** Profit ÷ what is paid first without its fee, basis points, cut off after four digits. */
  profitBps: string;
  /** The largest during its life. */
  profitBpsMax: string;
  /** The walk ended at the levels that were looked at; more may be executable. */
  cut: boolean;
  /** Unix ms. */
  openedAtMs: number;
  changedAtMs: number;
  /** In the order in which they are made. */
  legs: OpportunityLeg[];
};

/** An opportunity opened, changed or closed. */
export type OpportunityMessage = {
  type: "opportunity";
  event: OpportunityEventWord;
  /** Why it closed; `none` otherwise. */
  reason: ClosingReason;
  /** Unix ms; of a closed one, this less `openedAtMs` is its lifetime. */
  atMs: number;
  opportunity: Opportunity;
};

/** An opportunity that ended. */
export type ClosedOpportunity = Omit<OpportunityMessage, "type" | "event">;

/** All that is open, at subscribing and after a time in which the client did not read; replaces what is held. */
export type OpportunitiesMessage = {
  type: "opportunities";
  atMs: number;
  /** How many are open; the list holds the best of them. */
  openCount: number;
  open: Opportunity[];
  /** The last ones that closed, latest first. */
  recent: ClosedOpportunity[];
};
