/**
 * From callgrind's dumps to instructions per unit: the difference between a run of 2 N passes and one of N, so that
 * whatever a run costs besides its passes cancels out. And the verdict against the committed budget.
 * Bad case: a budget of another V8; its code generator counts otherwise, so there is no verdict, and that is said.
 */

/** What the counted program says of each of its runs. */
export type CountedRun = {
  name: string;
  unit: string;
  /** 1 = N passes, 2 = 2 N. */
  times: number;
  units: number;
};

/** What was counted of a kernel. */
export type InstructionCount = {
  name: string;
  unit: string;
  /** Of the difference between both runs. */
  instructions: number;
  /** Units of that difference. */
  units: number;
  perUnit: number;
  /** The shorter run by itself ÷ the difference, less 1: near 0 when nothing was still warming up. */
  drift: number;
};

/** bench/instructions/budget.json. */
export type InstructionBudget = {
  /** V8 and processor architecture that it was counted with, `11.3 x64`. */
  engine: string;
  /** Share above which a count is over its budget. */
  slack: number;
  /** Instructions per unit. */
  kernels: Record<string, number>;
};

/** How a count stands. */
export type BudgetVerdict = "within" | "over" | "no budget" | "other engine";

/** Fewest instructions that a difference must consist of. */
export const INSTRUCTIONS_MIN = 1e8;

/** Share by which the shorter run may differ from the difference. */
const DRIFT_MAX = 0.02;
const TOTAL = /^(?:summary|totals): (\d+)$/m;
/** Runs of a kernel; each is dumped between two marks, behind what led to it. */
const RUNS = 2;
const DUMPS_PER_RUN = 2;

/**
 * Instructions of a dump.
 * @param text of a file that callgrind wrote
 * @throws Error when it holds no total
 */
export function dumpTotal(text: string): number {
  const total = TOTAL.exec(text)?.[1];
  if (total === undefined) {
    throw new Error("Cannot read what callgrind counted: a dump has no total");
  }
  return Number(total);
}

/**
 * Instructions per unit of every kernel.
 * @param runs in the order of the counted program @param totals of its dumps, in order: before a run, the run, and so on
 * @throws Error when runs and dumps do not fit, or a difference is too small to be trusted
 */
export function countsOf(runs: readonly CountedRun[], totals: readonly number[]): InstructionCount[] {
  if (runs.length === 0 || runs.length % RUNS !== 0 || totals.length !== runs.length * DUMPS_PER_RUN) {
    throw new Error(
      `Cannot count instructions: ${runs.length} runs make ${runs.length * DUMPS_PER_RUN} dumps, was ${totals.length}`,
    );
  }
  return Array.from({ length: runs.length / RUNS }, (_, index) => {
    const [short, long] = [RUNS * index, RUNS * index + 1].map((run) => ({
      ...runOf(runs, run),
      total: totals[DUMPS_PER_RUN * run + 1] ?? 0,
    })) as [CountedRun & { total: number }, CountedRun & { total: number }];
    const units = long.units - short.units;
    const instructions = long.total - short.total;
    if (long.name !== short.name || units <= 0 || instructions < INSTRUCTIONS_MIN) {
      const least = `a difference of at least ${INSTRUCTIONS_MIN} instructions`;
      throw new Error(`Cannot count ${short.name}: there must be ${least}, was ${instructions}`);
    }
    const drift = short.total / instructions - 1;
    if (Math.abs(drift) > DRIFT_MAX) {
      const share = (drift * 100).toFixed(1);
      throw new Error(`Cannot count ${short.name}: equal passes must cost the same, was ${share} % apart`);
    }
    return { name: short.name, unit: short.unit, instructions, units, perUnit: instructions / units, drift };
  });
}

/** Judges a count. @param engine that it was counted with */
export function judgeCount(
  { name, perUnit }: InstructionCount,
  { kernels, slack, engine: known }: InstructionBudget,
  engine: string,
): BudgetVerdict {
  const budget = kernels[name];
  if (budget === undefined) {
    return "no budget";
  }
  if (engine !== known) {
    return "other engine";
  }
  return perUnit <= budget * (1 + slack) ? "within" : "over";
}

/** V8's major and minor version and the architecture: what decides which instructions are generated. */
export function engineName(v8: string, architecture: string): string {
  return `${v8.split(".").slice(0, 2).join(".")} ${architecture}`;
}

function runOf(runs: readonly CountedRun[], index: number): CountedRun {
  const run = runs[index];
  if (run === undefined) {
    throw new RangeError(`Cannot count instructions: no such run, was ${index}`);
  }
  return run;
}
