/**
 * One entry for each of P1 … P15, gathered from a run's cases: figures, verdict, and the raw samples of both sides, so
 * that every verdict can be recomputed from its entry alone. A goal is as good as its worst case.
 * Bad case: a goal of which only some parts were measured; it is `incomplete`, never reached.
 */
import {
  GOAL_NAMES,
  GOALS,
  type GoalKey,
  type GoalName,
  type GoalSense,
  goalName,
  goalParts,
  type Verdict,
} from "./goals.ts";
import { boundOf, type CaseResult, judge, judgeLimits, type SideResult } from "./results.ts";
import type { RatioEstimate } from "./statistics.ts";

/** How a goal stands. */
export type GoalVerdict = Verdict | "incomplete" | "not run";

/** One measurement of a goal. */
export type GoalCase = {
  /** The benchmark that measured it. */
  bench: string;
  name: string;
  part: GoalKey;
  baseline: string;
  sense: GoalSense;
  /** Of must, goal and figure. */
  unit: string;
  must: number;
  goal: number;
  rounds: CaseResult["rounds"];
  isExact: boolean;
  /** Of the samples. */
  sampleUnit: string;
  samples: { ours: SideResult; baseline?: SideResult };
  /** In the goal's sense: other ÷ ours, ours ÷ other, or ours alone; median and 95 % bounds. */
  figure: RatioEstimate;
  verdict: Verdict;
};

/** A goal of the final table. */
export type GoalEntry = {
  what: string;
  baseline: string;
  unit: string;
  must: number;
  goal: number;
  verdict: GoalVerdict;
  /** Label of the case that decides the verdict. */
  worst?: string;
  /** Parts that nothing measured. */
  missing: GoalKey[];
  cases: GoalCase[];
};

/** One entry for each goal. */
export type GoalEntries = Record<GoalName, GoalEntry>;

/** Worst first. */
const ORDER: readonly GoalVerdict[] = ["missed", "not run", "incomplete", "too few rounds", "must", "goal"];

/** Gathers the entries from the cases of a run. */
export function goalEntries(results: readonly CaseResult[]): GoalEntries {
  const cases = results.flatMap(casesOf);
  const entries = GOAL_NAMES.map((name) => [name, entryOf(name, cases)] as const);
  return Object.fromEntries(entries) as GoalEntries;
}

/** Judges an entry anew from the samples of its cases alone: what it must be equal to. */
export function recomputeEntry(name: GoalName, { cases }: GoalEntry): GoalEntry {
  return entryOf(
    name,
    cases.map((subject) => ({ ...subject, ...recomputed(subject) })),
  );
}

/** How much of its goal the unfavourable bound of a case is. */
export function shareOfGoal(subject: GoalCase): number {
  const { figure, sense } = subject;
  return shareOf(subject, sense === "faster" ? figure.low : figure.high);
}

/**
 * How much of a goal a figure is: 1 = exactly the goal, more is better. A limit of nothing is reached by nothing only.
 * @param figure in the sense of the goal
 */
export function shareOf({ sense, goal }: Pick<GoalCase, "sense" | "goal">, figure: number): number {
  if (sense === "faster") {
    return figure / goal;
  }
  return figure === 0 ? 1 : goal / figure;
}

/** Which measurement, against what; unique within an entry. */
export function caseLabel({ bench, name, baseline, samples }: GoalCase): string {
  const { ours } = samples;
  const side = ["wasm", "ours"].includes(ours.name) ? "" : `, ${ours.name}`;
  return `${bench}: ${name}${side}${baseline === "–" ? "" : ` / ${baseline}`}`;
}

function entryOf(name: GoalName, all: readonly GoalCase[]): GoalEntry {
  const parts = goalParts(name);
  const cases = all.filter(({ part }) => goalName(part) === name);
  const missing = parts.filter((key) => !cases.some(({ part }) => part === key));
  const { unit, must, goal } = GOALS[name];
  const what = listed(parts.map((key) => GOALS[key].what));
  const baseline = listed(parts.map((key) => GOALS[key].baseline));
  const worst = [...cases].sort(byBadness)[0];
  const states: GoalVerdict[] = cases.map(({ verdict }) => verdict);
  const open = cases.length === 0 ? "not run" : "incomplete";
  const verdict = worstOf(missing.length > 0 ? [...states, open] : states);
  const named = worst === undefined ? {} : { worst: caseLabel(worst) };
  return { what, baseline, unit, must, goal, verdict, ...named, missing, cases };
}

function listed(texts: readonly string[]): string {
  return [...new Set(texts)].join("; ");
}

function byBadness(a: GoalCase, b: GoalCase): number {
  return ORDER.indexOf(a.verdict) - ORDER.indexOf(b.verdict) || shareOfGoal(a) - shareOfGoal(b);
}

function worstOf(states: readonly GoalVerdict[]): GoalVerdict {
  return ORDER.find((state) => states.includes(state)) ?? "not run";
}

function casesOf(result: CaseResult): GoalCase[] {
  const { bench, name, rounds, isExact = false, unit: sampleUnit, sides } = result;
  const head = { bench, name, rounds, isExact, sampleUnit };
  const ratios = result.ratios.flatMap(({ goal, verdict, other, ours, median, low, high }) => {
    if (goal === undefined || verdict === undefined) {
      return [];
    }
    const samples = { ours: sideOf(sides, ours), baseline: sideOf(sides, other) };
    const figure = inSense(goal, { median, low, high });
    return [{ ...head, ...asked(goal, other), samples, figure, verdict }];
  });
  const limits = (result.limits ?? []).map(({ side, goal, median, low, high, verdict }) => {
    const figure = { median, low, high };
    return { ...head, ...asked(goal, GOALS[goal].baseline), samples: { ours: sideOf(sides, side) }, figure, verdict };
  });
  return [...ratios, ...limits];
}

function asked(part: GoalKey, baseline: string) {
  const { sense, unit, must, goal } = GOALS[part];
  return { part, baseline, sense, unit, must, goal };
}

/** A ratio other ÷ ours in the sense of its goal. */
function inSense(part: GoalKey, estimate: RatioEstimate): RatioEstimate {
  const { median, low, high } = estimate;
  const bound = boundOf(GOALS[part], estimate);
  return GOALS[part].sense === "faster" ? { median, low, high } : { median: 1 / median, low: 1 / high, high: bound };
}

function recomputed(subject: GoalCase): Pick<GoalCase, "figure" | "verdict"> {
  const { part, samples, rounds, isExact } = subject;
  const { ours, baseline } = samples;
  const judged = { rounds: rounds.kept, isExact };
  if (baseline === undefined) {
    const [limit] = judgeLimits([ours], [{ side: ours.name, goal: part }], judged);
    return found(limit === undefined ? undefined : { figure: estimateOf(limit), verdict: limit.verdict });
  }
  const [ratio] = judge([ours, baseline], [{ ours: ours.name, other: baseline.name, goal: part }], judged);
  const verdict = ratio?.verdict;
  return found(
    ratio === undefined || verdict === undefined ? undefined : { figure: inSense(part, estimateOf(ratio)), verdict },
  );
}

function found<Kind>(value: Kind | undefined): Kind {
  if (value === undefined) {
    throw new Error("Cannot judge a case anew: no verdict came of it");
  }
  return value;
}

function estimateOf({ median, low, high }: RatioEstimate): RatioEstimate {
  return { median, low, high };
}

function sideOf(sides: readonly SideResult[], name: string): SideResult {
  const side = sides.find((candidate) => candidate.name === name);
  if (side === undefined) {
    throw new RangeError(`Cannot gather a goal: no such side, was ${name}`);
  }
  return side;
}
