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
import { pairedRounds } from "./harness.ts";
import { type Burst, PipelineStage, SIDES, type SideName } from "./pipeline/mod.ts";
import { rateNotes } from "./rate.ts";
import { type CaseResult, judge } from "./results.ts";
import { median } from "./statistics.ts";

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
const DIGITS = 5;

async function measure(stage: PipelineStage, load: Load, asked: number): Promise<CaseResult[]> {
  for (let warm = 0; warm < load.warmBursts; warm++) {
    for (const side of SIDES) {
      await stage.burst(side, load);
    }
  }
  const take = (side: SideName) => stage.burst(side, load);
  const { taken: bursts, rounds } = await pairedRounds({ what: "the pipeline", rounds: asked, sides: SIDES, take });
  return (["p50", "p99"] as const).map((figure) => conclude(figure, { stage, load, bursts, rounds }));
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
    facts[`${name}: CPU µs/frame`] = shown(middle(({ cpuUsPerFrame }) => cpuUsPerFrame));
    facts[`${name}: frames/message`] = shown(middle(({ messages }) => frames / messages));
    facts[`${name}: bytes/frame`] = shown(middle(({ bytes }) => bytes / frames));
    facts[`${name}: p99.9 µs`] = shown(middle(({ p999 }) => p999));
    facts[`${name}: max µs`] = shown(Math.max(...taken.map(({ max }) => max)));
    facts[`${name}: generator p99 µs late`] = shown(middle(({ sendP99 }) => sendP99));
    notes.push(...rateNotes(name, { delivered: middle((burst) => burst.perSecond), asked: perSecond }));
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
