/**
 * End to end, open loop: from the intended sending of an exchange's frame to the client's socket, for the whole of
 * production, for the same transports and threads without any work, and for one thread that parses JSON, keeps maps and
 * sends JSON. Frames are captured ones; what the client holds is proved after every burst.
 *
 *   load (exchange + client, one thread, spins) ══ side: serve · bare pipe · JSON stack ══ the same load
 *
 * Bad case: a machine on which a side cannot keep the rate; its latency is then that of its queue, and the facts say at
 * which rate it delivered.
 */
import type { Bench } from "./context.ts";
import { type Burst, PipelineStage, SIDES, type SideName } from "./pipeline/mod.ts";
import { type CaseResult, judge } from "./results.ts";
import { median } from "./statistics.ts";
import { readCpuTicks, STOLEN_MAX, stolenShare } from "./stolen.ts";

/** The benchmark. */
export const PIPELINE: Bench = {
  name: "pipeline",
  about: "exchange socket to client socket, open loop",
  run: async ({ settings: { isSmoke, rounds } }) => {
    const stage = await PipelineStage.open();
    try {
      const results: CaseResult[] = [];
      for (const load of isSmoke ? SMOKE : FULL) {
        results.push(...(await measure(stage, load, rounds)));
      }
      return results;
    } finally {
      stage.close();
    }
  },
};

/** Goals are those of 10,000 frames/s; other rates say what lies below and above. */
type Load = {
  readonly frames: number;
  readonly perSecond: number;
  readonly warmBursts: number;
  readonly isJudged: boolean;
};
type Bursts = ReadonlyMap<SideName, Burst[]>;

const FULL: readonly Load[] = [
  { frames: 10_000, perSecond: 10_000, warmBursts: 3, isJudged: true },
  { frames: 1000, perSecond: 2000, warmBursts: 1, isJudged: false },
  { frames: 20_000, perSecond: 40_000, warmBursts: 1, isJudged: false },
];
const SMOKE: readonly Load[] = [{ frames: 400, perSecond: 2000, warmBursts: 1, isJudged: false }];
const ATTEMPTS_PER_ROUND = 3;
const DIGITS = 5;
/** A side that delivers less of the rate than this did not keep it. */
const KEPT = 0.98;

async function measure(stage: PipelineStage, load: Load, rounds: number): Promise<CaseResult[]> {
  const bursts: Bursts = new Map(SIDES.map((side) => [side, []]));
  for (let warm = 0; warm < load.warmBursts; warm++) {
    for (const side of SIDES) {
      await stage.burst(side, load);
    }
  }
  let discarded = 0;
  let kept = 0;
  for (let attempt = 0; attempt < rounds * ATTEMPTS_PER_ROUND && kept < rounds; attempt++) {
    const before = readCpuTicks();
    const taken: [SideName, Burst][] = [];
    for (const side of attempt % 2 === 0 ? SIDES : [...SIDES].reverse()) {
      taken.push([side, await stage.burst(side, load)]);
    }
    if (stolenShare(before, readCpuTicks()) > STOLEN_MAX) {
      discarded += 1;
      continue;
    }
    kept += 1;
    for (const [side, burst] of taken) {
      bursts.get(side)?.push(burst);
    }
  }
  if (kept === 0) {
    throw new Error(`Cannot measure the pipeline: every round lost CPU time to others, was ${discarded} rounds`);
  }
  return (["p50", "p99"] as const).map((figure) =>
    conclude(figure, { stage, load, bursts, rounds: { kept, discarded } }),
  );
}

function conclude(
  figure: "p50" | "p99",
  { stage, load, bursts, rounds }: { stage: PipelineStage; load: Load; bursts: Bursts; rounds: CaseResult["rounds"] },
): CaseResult {
  const { frames, perSecond, isJudged } = load;
  const shown = (value: number) => Number(value.toPrecision(DIGITS));
  const sides = [...bursts].map(([name, taken]) => ({ name, samples: taken.map((burst) => shown(burst[figure])) }));
  const facts: CaseResult["facts"] = { frames, perSecond, frameSource: stage.source, frameBytes: stage.frameBytes };
  facts.processors = stage.isPinned ? "one for the load, one for the side" : "not pinned";
  const notes: string[] = [];
  for (const [name, taken] of bursts) {
    const middle = (read: (burst: Burst) => number) => median(taken.map(read));
    const delivered = middle((burst) => burst.perSecond);
    facts[`${name}: CPU µs/frame`] = shown(middle(({ cpuUsPerFrame }) => cpuUsPerFrame));
    facts[`${name}: frames/message`] = shown(middle(({ messages }) => frames / messages));
    facts[`${name}: bytes/frame`] = shown(middle(({ bytes }) => bytes / frames));
    facts[`${name}: p99.9 µs`] = shown(middle(({ p999 }) => p999));
    facts[`${name}: max µs`] = shown(Math.max(...taken.map(({ max }) => max)));
    facts[`${name}: generator p99 µs late`] = shown(middle(({ sendP99 }) => sendP99));
    if (delivered < perSecond * KEPT) {
      notes.push(`${name} did not keep the rate: it delivered ${Math.round(delivered)} of ${perSecond} frames/s`);
    }
  }
  const wishes = [
    { other: "bare pipe", ours: "ours", ...(isJudged ? { goal: "P13" as const } : {}) },
    { other: "JSON stack", ours: "ours", ...(isJudged ? { goal: "P13_STACK" as const } : {}) },
  ];
  return {
    bench: PIPELINE.name,
    name: `${perSecond.toLocaleString("en")} frames/s, ${figure}`,
    unit: "µs from the intended sending",
    rounds,
    sides,
    ratios: judge(sides, wishes, { rounds: rounds.kept }),
    perCall: [],
    facts,
    notes,
  };
}
