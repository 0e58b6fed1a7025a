/**
 * The paired harness: every side of a case is timed in every round, in the order A B … then … B A, so that drift and noise
 * hit both; ratios are taken within a round. What a side computes is verified after each timed run, and a side that
 * computes the wrong thing throws: a benchmark of a wrong answer is worth nothing.
 * Bad case: garbage of one side collected while another is timed; the young generation is emptied before each side, and
 * a side is repeated until it has run long enough to pay for its own garbage.
 */
import { type CaseResult, judge, type RatioWish } from "./results.ts";
import { type CpuTicks, readCpuTicks, STOLEN_MAX, stolenShare } from "./stolen.ts";

/** One way of doing the work of a case. */
export type Side = {
  name: string;
  /** Not timed: puts everything back to where the work begins. */
  prepare?: () => void;
  /** Timed. @returns what `verify` judges */
  work: () => number;
  /** Not timed. @throws when the work was wrong */
  verify: (outcome: number) => void;
  /** Units of one run of `work` when they differ from the case's. */
  units?: number;
};

/** Something to measure. */
export type Case = {
  bench: string;
  name: string;
  /** Of the samples; `ns/` and what one unit is. */
  unit: string;
  /** Units that one run of `work` does. */
  units: number;
  sides: readonly Side[];
  ratios: readonly RatioWish[];
  facts?: CaseResult["facts"];
  notes?: string[];
};

/** How long and how often. */
export type HarnessSettings = {
  /** Undisturbed rounds to keep. */
  rounds: number;
  /** Least time of one side in one round, ms. */
  sideMs: number;
  /** Least time to warm a side up, ms. */
  warmMs: number;
};

/** The world that the harness measures with. */
export type HarnessGround = {
  /** ms, monotonic. */
  now: () => number;
  ticks: () => CpuTicks;
  /** Empties the young generation. */
  sweep: () => void;
};

/** Rounds tried for each one asked, when the machine is disturbed. */
const ATTEMPTS_PER_ROUND = 3;
const WARM_RUNS_MIN = 3;
const NS_PER_MS = 1e6;
const SAMPLE_DIGITS = 5;

/** The real clock, /proc/stat, and the collector when Node was started with --expose-gc. */
export function systemGround(): HarnessGround {
  const collect = globalThis.gc;
  const sweep = collect === undefined ? () => undefined : () => void collect({ type: "minor" });
  return { now: () => performance.now(), ticks: readCpuTicks, sweep };
}

/**
 * Measures a case.
 * @throws whatever a side's `verify` throws
 */
export function measureCase(
  subject: Case,
  settings: HarnessSettings,
  ground: HarnessGround = systemGround(),
): CaseResult {
  const sides = subject.sides.map((side) => {
    const { runs, ms } = warmUp(side, settings, ground);
    const repeats = Math.max(1, Math.ceil(settings.sideMs / (ms / runs)));
    return { side, repeats, units: side.units ?? subject.units, samples: [] as number[] };
  });
  let discarded = 0;
  const attemptsMax = settings.rounds * ATTEMPTS_PER_ROUND;
  for (let attempt = 0; attempt < attemptsMax && (sides[0]?.samples.length ?? 0) < settings.rounds; attempt++) {
    const before = ground.ticks();
    const order = attempt % 2 === 0 ? sides : [...sides].reverse();
    const taken = order.map(({ side, repeats, units, samples }) => {
      ground.sweep();
      return { samples, sample: rounded((timed(side, repeats, ground) * NS_PER_MS) / (repeats * units)) };
    });
    if (stolenShare(before, ground.ticks()) > STOLEN_MAX) {
      discarded += 1;
      continue;
    }
    for (const { samples, sample } of taken) {
      samples.push(sample);
    }
  }
  return conclude(
    subject,
    sides.map(({ side, samples }) => ({ name: side.name, samples })),
    discarded,
  );
}

function conclude(subject: Case, sides: CaseResult["sides"], discarded: number): CaseResult {
  const { bench, name, unit, facts = {}, notes = [] } = subject;
  const kept = sides[0]?.samples.length ?? 0;
  if (kept === 0) {
    throw new Error(`Cannot measure ${bench} ${name}: every round lost CPU time to others, was ${discarded} rounds`);
  }
  const ratios = judge(sides, subject.ratios, { rounds: kept });
  return { bench, name, unit, rounds: { kept, discarded }, sides, ratios, perCall: [], facts, notes };
}

function warmUp(side: Side, { warmMs }: HarnessSettings, ground: HarnessGround): { runs: number; ms: number } {
  const start = ground.now();
  let ms = 0;
  let last = 0;
  let runs = 0;
  while (runs < WARM_RUNS_MIN || ground.now() - start < warmMs) {
    last = timed(side, 1, ground);
    ms += last;
    runs += 1;
  }
  // The last run is warm, the first one is not: it says best how often to repeat. A clock may be too coarse for it.
  return last > 0 ? { runs: 1, ms: last } : { runs, ms: Math.max(ms, Number.MIN_VALUE) };
}

/** To as many digits as a clock gives, so that result files stay small and recompute exactly. */
function rounded(sample: number): number {
  return Number(sample.toPrecision(SAMPLE_DIGITS));
}

/** @returns ms of `repeats` runs of the work alone */
function timed(side: Side, repeats: number, { now }: HarnessGround): number {
  let ms = 0;
  for (let repeat = 0; repeat < repeats; repeat++) {
    side.prepare?.();
    const start = now();
    const outcome = side.work();
    ms += now() - start;
    side.verify(outcome);
  }
  return ms;
}

/** Rounds of sides that take their time, as processes on sockets do. */
export type RoundsPlan<SideName extends string, Taken> = {
  /** What is measured, for the error. */
  what: string;
  /** Undisturbed rounds to keep. */
  rounds: number;
  sides: readonly SideName[];
  /** One measurement of a side. @throws when what came of it is wrong */
  take: (side: SideName) => Promise<Taken>;
  /** Share of CPU time that was stolen from one measurement, 0 … 1, where it tells that by itself; else the round's counts. */
  stolen?: (taken: Taken) => number;
  ticks?: () => CpuTicks;
};

/**
 * Takes every side in every round, forwards in one and backwards in the next; a round that was disturbed is discarded, and
 * another is taken instead.
 * @returns what was taken of each side, one per kept round, in the order of the sides
 * @throws Error when every round was disturbed
 */
export async function pairedRounds<SideName extends string, Taken>(
  plan: RoundsPlan<SideName, Taken>,
): Promise<{ taken: ReadonlyMap<SideName, Taken[]>; rounds: CaseResult["rounds"] }> {
  const { what, sides, take, stolen, ticks = readCpuTicks } = plan;
  const taken = new Map<SideName, Taken[]>(sides.map((side) => [side, []]));
  const rounds = { kept: 0, discarded: 0 };
  for (let attempt = 0; attempt < plan.rounds * ATTEMPTS_PER_ROUND && rounds.kept < plan.rounds; attempt++) {
    const before = ticks();
    const round: [SideName, Taken][] = [];
    for (const side of attempt % 2 === 0 ? sides : [...sides].reverse()) {
      round.push([side, await take(side)]);
    }
    const share = stolenShare(before, ticks());
    const lost = stolen === undefined ? share : Math.max(...round.map(([, one]) => stolen(one)));
    if (lost > STOLEN_MAX) {
      rounds.discarded += 1;
      continue;
    }
    rounds.kept += 1;
    for (const [side, one] of round) {
      taken.get(side)?.push(one);
    }
  }
  if (rounds.kept === 0) {
    throw new Error(`Cannot measure ${what}: every round lost CPU time to others, was ${rounds.discarded} rounds`);
  }
  return { taken, rounds };
}

/** @throws Error naming what differs when two values are not the same */
export function mustEqual(what: string, actual: number | string | bigint, expected: number | string | bigint): void {
  if (actual !== expected) {
    throw new Error(`Cannot trust ${what}: it must be ${expected}, was ${actual}`);
  }
}
