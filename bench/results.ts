/**
 * What a benchmark run writes down: raw samples of every side, so that ratio, spread and verdict can be recomputed, and
 * the machine that they come from. Bad case: a number without its samples; the recomputation test refuses the file.
 */
import type { MachineConstants } from "./constants.ts";
import { GOALS, type Goal, type GoalKey, type Verdict, verdictOf } from "./goals.ts";
import { medianInterval, pairedRatio, type RatioEstimate } from "./statistics.ts";

/** One side of a case. */
export type SideResult = {
  name: string;
  /** In the case's unit, one per kept round. */
  samples: number[];
};

/** A ratio that a case asks for: other ÷ ours. */
export type RatioWish = {
  other: string;
  /** Default: `wasm`. */
  ours?: string;
  /** The goal that the lower bound is judged by. */
  goal?: GoalKey;
};

/** A ratio as measured. */
export type RatioResult = RatioEstimate & { other: string; ours: string; goal?: GoalKey; verdict?: Verdict };

/** A limit that one side alone is held to. */
export type LimitWish = { side: string; goal: GoalKey };

/** A limit as measured, in the goal's unit: the median of the samples and its interval, or the greatest sample thrice. */
export type LimitResult = RatioEstimate & { side: string; goal: GoalKey; verdict: Verdict };

/** What mitata measured of one function: ns per call. */
export type PerCall = { name: string; p50: number; p99: number; samples: number };

/** One case of a benchmark. */
export type CaseResult = {
  bench: string;
  /** Unique within the benchmark. */
  name: string;
  /** Unit of all samples, e.g. `ns/frame`. */
  unit: string;
  rounds: { kept: number; discarded: number };
  sides: SideResult[];
  ratios: RatioResult[];
  /** Goals that are no ratios; their sides' samples are in the goals' units. */
  limits?: LimitResult[];
  /** One sample is enough: a size or count that does not vary, or the total of one long run. */
  isExact?: true;
  perCall: PerCall[];
  /** Counts and sizes that say what was measured. */
  facts: Record<string, number | string>;
  notes: string[];
};

/** Where and when. */
export type Machine = {
  cpu: string;
  cpus: number;
  memoryMiB: number;
  platform: string;
  node: string;
  v8: string;
  /** Of the repository; ends in `+` when files differed from it. */
  commit: string;
  /** ISO 8601. */
  date: string;
};

/** A whole run. */
export type BenchReport = {
  machine: Machine;
  /** Measured at its start. */
  constants?: MachineConstants;
  command: string;
  isSmoke: boolean;
  /** Rounds asked of each case. */
  rounds: number;
  kernels: string[];
  source: "captures" | "emulator";
  results: CaseResult[];
  failures: string[];
};

/** Fewest rounds that a verdict may rest on. */
export const ROUNDS_MIN = 15;

/**
 * Judges the wished ratios from the samples.
 * @param sides of one case @param rounds kept ones; verdicts need ROUNDS_MIN, exact figures (1 round asked) need none
 * @throws RangeError when a wish names a side that was not measured
 */
export function judge(
  sides: readonly SideResult[],
  wishes: readonly RatioWish[],
  { rounds, isExact = false }: { rounds: number; isExact?: boolean },
): RatioResult[] {
  return wishes.map(({ other, ours = "wasm", goal }) => {
    const estimate = pairedRatio(samplesOf(sides, other), samplesOf(sides, ours));
    if (goal === undefined) {
      return { other, ours, ...estimate };
    }
    const bound = boundOf(GOALS[goal], estimate);
    return { other, ours, goal, ...estimate, verdict: verdictOn(goal, bound, { rounds, isExact }) };
  });
}

/**
 * Judges limits that one side alone is held to: bytes, milliseconds.
 * @param sides of one case, in the goals' units @param rounds as for `judge`
 * @throws RangeError when a wish names a side that was not measured
 */
export function judgeLimits(
  sides: readonly SideResult[],
  wishes: readonly LimitWish[],
  { rounds, isExact = false }: { rounds: number; isExact?: boolean },
): LimitResult[] {
  return wishes.map(({ side, goal }) => {
    const samples = samplesOf(sides, side);
    const greatest = Math.max(...samples);
    const estimate =
      GOALS[goal].sense === "worst" ? { median: greatest, low: greatest, high: greatest } : medianInterval(samples);
    return { side, goal, ...estimate, verdict: verdictOn(goal, estimate.high, { rounds, isExact }) };
  });
}

/** The unfavourable bound of a paired ratio other ÷ ours, in the sense of its goal. */
export function boundOf({ sense }: Goal, { low }: RatioEstimate): number {
  return sense === "faster" ? low : 1 / low;
}

function verdictOn(goal: GoalKey, bound: number, { rounds, isExact }: { rounds: number; isExact: boolean }): Verdict {
  return isExact || rounds >= ROUNDS_MIN ? verdictOf(GOALS[goal], bound) : "too few rounds";
}

/** A case without rounds: sizes, which do not vary. */
export function exactCase(
  head: { bench: string; name: string; unit: string; facts: CaseResult["facts"]; notes?: string[] },
  values: Readonly<Record<string, number>>,
  wishes: readonly RatioWish[],
  limitWishes: readonly LimitWish[] = [],
): CaseResult {
  const sides = Object.entries(values).map(([name, value]) => ({ name, samples: [value] }));
  const exact = { rounds: 1, isExact: true } as const;
  const ratios = judge(sides, wishes, exact);
  const limits = limitWishes.length > 0 ? { limits: judgeLimits(sides, limitWishes, exact) } : {};
  return {
    notes: [],
    ...head,
    rounds: { kept: 1, discarded: 0 },
    sides,
    ratios,
    ...limits,
    isExact: true,
    perCall: [],
  };
}

function samplesOf(sides: readonly SideResult[], name: string): number[] {
  const side = sides.find((candidate) => candidate.name === name);
  if (side === undefined) {
    const known = sides.map((candidate) => candidate.name).join(", ");
    throw new RangeError(`Cannot take a ratio: no such side among ${known}, was ${name}`);
  }
  return side.samples;
}
