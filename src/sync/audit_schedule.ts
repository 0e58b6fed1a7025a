/**
 * When each book is audited: as often as the exchange's REST budget allows the collector's number of books, and never more
 * often than the configured period asks for. The first audits are spread over one interval, so that they do not bunch.
 * Bad case: so many books that a budget stretches the period to many minutes; the period is exported, nothing hides it.
 */
import type { Rate } from "../exchanges/mod.ts";

/** Time for one answer of a healthy exchange, ms; slower ones make a verdict later than the period says. */
const ANSWER_MS = 1000;
/** Part of the budget that first looks may spend: the others come out of the rest without making anybody wait. */
const FIRST_LOOKS_SHARE = 0.9;
/** Looks that one audit may need: one that shows a difference, one that is too old, one that confirms. */
const LOOKS = 3;

/** What a schedule is made from. Times in ms. */
export type AuditScheduleOptions = {
  /** Wanted: a wrong level is found within this time. */
  readonly periodMs: number;
  /** REST weight that audits may spend. */
  readonly budget: Rate;
  /** Weight of one audit's request. */
  readonly weight: number;
  /** Books of the collector. */
  readonly books: number;
  /** How long the window stays open after the answer. */
  readonly afterMs: number;
  /** Between a first and a second look. */
  readonly confirmMs: number;
};

/** When audits come. Times in ms. */
export type AuditSchedule = {
  /** Between the requests of one book. */
  readonly intervalMs: number;
  /** A wrong level is found within this time: the interval, and what the looks take. */
  readonly periodMs: number;
};

/**
 * The interval and the period that a budget allows.
 * @returns a period of at least the wanted one
 */
export function auditSchedule(options: AuditScheduleOptions): AuditSchedule {
  const { periodMs, budget, weight, books, afterMs, confirmMs } = options;
  const looksMs = LOOKS * (afterMs + ANSWER_MS) + (LOOKS - 1) * confirmMs;
  const affordableMs = Math.ceil((books * weight * budget.perMs) / (budget.count * FIRST_LOOKS_SHARE));
  const intervalMs = Math.max(periodMs - looksMs, affordableMs, looksMs);
  return { intervalMs, periodMs: Math.max(periodMs, intervalMs + looksMs) };
}

/**
 * When the first audit of a book is due, ms after the collector started.
 * @param index of the book, 0 … books − 1 @param random uniform in [0, 1), the same for all books of a collector
 */
export function firstAuditMs(
  intervalMs: number,
  { index, books, random }: { index: number; books: number; random: number },
): number {
  return (intervalMs * (index + random)) / Math.max(1, books);
}
