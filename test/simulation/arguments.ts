/**
 * What `npm run simulate` is told. Bad case: a word that is no option; it is refused, because a misspelt `--seeds` would
 * pass as a success of one world.
 */
import { parseArgs } from "node:util";

/** How to run. */
export type Arguments = {
  readonly seeds: number;
  /** The first one. */
  readonly seed: number;
  readonly bug: string | undefined;
  readonly isJson: boolean;
  /** Processes. */
  readonly jobs: number;
  /** Begin nothing more after the first violation. */
  readonly isFailFast: boolean;
  /** Where the result is written, too. */
  readonly out: string | undefined;
  /** Only tell how this is used. */
  readonly isHelp: boolean;
};

/** What `--help` prints. */
export const USAGE = `Usage: npm run simulate -- [options]

Runs whole worlds from seeds on virtual time: emulated exchanges with faults, collectors, rings, gateway and clients; every
published book is compared with the truth. Exit status 0 without a violation, 1 with one, 2 for wrong usage.

  --seeds N     worlds, 1 … 1,000,000 (20); a thousand take about 13 minutes on two cores
  --seed S      the first of them (1); a failing seed repeats exactly
  --jobs J      processes, 1 … 64 (2)
  --bug NAME    plants a known bug in a copy; it must end with status 1 (names: npm run mutate -- --list, the first nine)
  --fail-fast   begins nothing more after the first violation
  --json        the report on one line
  --out PATH    writes the report there, too`;

const SEEDS_DEFAULT = 20;
const JOBS_DEFAULT = 2;
const JOBS_MAX = 64;
const SEED_MAX = 4_294_967_295;

/** Reads the command line. @returns why it cannot be used, as text */
export function readArguments(words: readonly string[]): Arguments | string {
  let values: Record<string, string | boolean | undefined>;
  try {
    ({ values } = parseArgs({
      args: [...words],
      options: {
        seeds: { type: "string" },
        seed: { type: "string" },
        bug: { type: "string" },
        json: { type: "boolean" },
        jobs: { type: "string" },
        out: { type: "string" },
        "fail-fast": { type: "boolean" },
        help: { type: "boolean", short: "h" },
      },
    }));
  } catch (error) {
    return `Cannot simulate: ${error instanceof Error ? error.message : String(error)}`;
  }
  const seeds = integer(values.seeds, { fallback: SEEDS_DEFAULT, min: 1, max: 1_000_000 });
  const seed = integer(values.seed, { fallback: 1, min: 0, max: SEED_MAX });
  const jobs = integer(values.jobs, { fallback: JOBS_DEFAULT, min: 1, max: JOBS_MAX });
  const wrong = [
    ["--seeds", seeds, values.seeds],
    ["--seed", seed, values.seed],
    ["--jobs", jobs, values.jobs],
  ].find(([, value]) => value === undefined);
  if (seeds === undefined || seed === undefined || jobs === undefined) {
    return `Cannot simulate: ${String(wrong?.[0])} must be an integer in its range, was ${String(wrong?.[2])}`;
  }
  return {
    seeds,
    seed,
    jobs,
    bug: typeof values.bug === "string" ? values.bug : undefined,
    isJson: values.json === true,
    isFailFast: values["fail-fast"] === true,
    out: typeof values.out === "string" ? values.out : undefined,
    isHelp: values.help === true,
  };
}

function integer(
  text: string | boolean | undefined,
  { fallback, min, max }: { fallback: number; min: number; max: number },
): number | undefined {
  if (text === undefined) {
    return fallback;
  }
  const value = typeof text === "string" && /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
  return value >= min && value <= max ? value : undefined;
}
