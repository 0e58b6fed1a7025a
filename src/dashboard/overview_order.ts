/**
 * Which instruments the overview shows and in which order: filtered by words, problems first unless another column was
 * chosen. Pure: facts in, names out. Bad case: equal rows: they keep the order of their names, so nothing jumps.
 */
import { words } from "./display_text.ts";
import type { InstrumentStatus } from "./market_feed.ts";

/** The columns by which rows can be sorted. */
export const SORT_KEYS = ["health", "instrument", "spread", "updates", "trades", "since"] as const;
/** A column by which rows are sorted. */
export type SortKey = (typeof SORT_KEYS)[number];
/** An order of rows. */
export type Order = { readonly key: SortKey; readonly isDescending: boolean };
/** Problems first. */
export const BY_HEALTH: Order = { key: "health", isDescending: true };

/** What is known of a row. */
export type RowFacts = {
  readonly status: InstrumentStatus;
  /** Everything says that what is shown is right. */
  readonly isLive: boolean;
  /** Basis points; undefined without both sides. */
  readonly spread: number | undefined;
  readonly updatesPerSecond: number;
  readonly tradesPerSecond: number;
};

/** How bad it is: 0 is well. */
export function severity({ status, isLive }: Pick<RowFacts, "status" | "isLive">): number {
  const { state, trading } = status;
  if (state === "retired") {
    return 1;
  }
  if (state === "synced") {
    return isLive ? (trading === "open" || trading === "unknown" ? 0 : 2) : 4;
  }
  return state === "connecting" || state === "waiting" ? 5 : 6;
}

/** The rows to show. @param filter words that all must occur in name, exchange, state, assurance or reason; `problems` keeps those that are not well */
export function orderedRows(rows: readonly RowFacts[], order: Order, filter: string): RowFacts[] {
  const wanted = filter
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => word !== "");
  const kept = rows.filter((row) => wanted.every((word) => matches(row, word)));
  const sign = order.isDescending ? -1 : 1;
  return kept.sort((a, b) => sign * compare(a, b, order.key) || byName(a, b));
}

function matches(row: RowFacts, word: string): boolean {
  if ("problems".startsWith(word) && word.length >= 4) {
    return severity(row) > 0;
  }
  const { instrument, state, assurance, reason, trading } = row.status;
  const text = [instrument, words(instrument), state, assurance, words(reason), trading].join(" ").toLowerCase();
  return text.includes(word);
}

function compare(a: RowFacts, b: RowFacts, key: SortKey): number {
  if (key === "instrument") {
    return byName(a, b);
  }
  return sortValue(a, key) - sortValue(b, key);
}

function sortValue(row: RowFacts, key: Exclude<SortKey, "instrument">): number {
  if (key === "health") {
    return severity(row);
  }
  if (key === "since") {
    return row.status.sinceMs;
  }
  if (key === "spread") {
    return row.spread ?? Number.NEGATIVE_INFINITY;
  }
  return key === "updates" ? row.updatesPerSecond : row.tradesPerSecond;
}

function byName(a: RowFacts, b: RowFacts): number {
  const [left, right] = [nameOf(a), nameOf(b)];
  return left < right ? -1 : Number(left > right);
}

/** Pair before exchange, so that a pair's exchanges stand together. */
function nameOf({ status }: RowFacts): string {
  const colon = status.instrument.indexOf(":");
  return `${status.instrument.slice(colon + 1)} ${status.instrument.slice(0, colon)}`;
}
