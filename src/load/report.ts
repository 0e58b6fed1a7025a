/**
 * The report of a load test: one JSON object whose `command` runs it again, with the machine that it ran on, what was found
 * and every threshold with its verdict. A run that was cut short says so and reports what was done.
 * Bad case: nothing was measured; a figure of 0 keeps an upper bound, hence every load has a lower one, too.
 */
import { cpus } from "node:os";
import { versionText } from "../assets.ts";

/** A bound that a run is judged by. */
export type Threshold = {
  readonly name: string;
  readonly wanted: string;
  readonly was: number;
  readonly isMet: boolean;
};

/** What a load test returns. */
export type LoadOutcome = {
  /** It ran to the end that was asked for. */
  readonly isComplete: boolean;
  /** Measured from the first to the last event of the load. */
  readonly seconds: number;
  readonly thresholds: readonly Threshold[];
  /** Whatever contradicts a promise, by its text; empty when all hold. Long lists are cut off. */
  readonly problems: readonly string[];
  /** Figures of the kind. */
  readonly figures: Readonly<Record<string, unknown>>;
};

/** A whole report. */
export type LoadReport = {
  readonly what: string;
  readonly command: string;
  readonly date: string;
  readonly version: string;
  /** Of the source, where SOURCE_COMMIT names it. */
  readonly commit: string | null;
  readonly node: string;
  readonly cpu: string;
  readonly cores: number;
  readonly isGood: boolean;
  readonly isComplete: boolean;
  readonly seconds: number;
  readonly thresholds: readonly Threshold[];
  readonly problems: readonly string[];
} & Readonly<Record<string, unknown>>;

const PROBLEMS_TOLD = 50;

/** Something must be at most so much. */
export function atMost(name: string, was: number, limit: number): Threshold {
  return { name, wanted: `<= ${limit}`, was, isMet: was <= limit };
}

/** Something must be at least so much. */
export function atLeast(name: string, was: number, limit: number): Threshold {
  return { name, wanted: `>= ${limit}`, was, isMet: was >= limit };
}

/**
 * Completes a report.
 * @param about what the load is, in a sentence, and the words that run it again
 */
export function loadReport(about: { what: string; command: string }, outcome: LoadOutcome): LoadReport {
  const { isComplete, seconds, thresholds, problems, figures } = outcome;
  return {
    ...about,
    date: new Date().toISOString(),
    version: versionText(),
    commit: process.env.SOURCE_COMMIT ?? null,
    node: process.version,
    cpu: cpus()[0]?.model ?? "unknown",
    cores: cpus().length,
    isGood: problems.length === 0 && thresholds.every(({ isMet }) => isMet),
    isComplete,
    seconds: Math.round(seconds * 10) / 10,
    thresholds,
    problems: problems.length <= PROBLEMS_TOLD ? problems : [...problems.slice(0, PROBLEMS_TOLD), "…"],
    ...figures,
  };
}
