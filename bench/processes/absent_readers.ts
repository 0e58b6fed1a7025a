/**
 * P8: a writer whose readers stand still, were stopped (SIGSTOP) or were killed while they slept on it, against the same
 * writer on the same ring without readers: two rings differ by a tenth in where the system put their pages, whoever reads
 * them. So the reader comes and goes, a real process each time. Bad case: a reader that did not sleep when it was killed;
 * the announcement that it must have left is checked.
 */
import type { ChildProcess } from "node:child_process";
import { setTimeout as pause } from "node:timers/promises";
import type { BenchContext } from "../context.ts";
import { type HarnessGround, measureCase, mustEqual, pairedRounds, type Side, systemGround } from "../harness.ts";
import { type CaseResult, judge } from "../results.ts";
import { median } from "../statistics.ts";
import { readCpuTicks, stolenShare } from "../stolen.ts";
import { type MappedBench, openMappedBench, writeRecords } from "./mapped_bench.ts";
import { PeerPage, startPaged } from "./paged_peer.ts";
import { BENCH } from "./ring_cases.ts";
import type { Stage } from "./stage.ts";

/** A ring that fits into a core's cache. */
const RING_RECORDS = 512;
const RECORDS = 65_536;
const BATCH = 8;
/** Long enough for a reader to lie down again. */
const SETTLE_MS = 20;
/** Before each turn: the code is warm, the ring may have left the cache. */
const TURN_WARM_MS = 5;
/** Measurements of a turn, of which the middle one counts: turns lie further apart than sides of other benchmarks. */
const TURN_TIMES = 7;
const ALONE = "without readers";
const HEAD = { bench: BENCH, unit: "ns/record" } as const;
/** Who is absent, and the role of its process. */
const COMING = { stalled: "stall", stopped: "read" } as const;

type Absence = keyof typeof COMING;
type Turn = { readonly sample: number; readonly stolen: number };

/** Measures P8. @throws MappingError where memory cannot be shared */
export async function absentReaderCases(context: BenchContext, stage: Stage): Promise<CaseResult[]> {
  return [
    await comingCase(context, stage, "stalled"),
    await comingCase(context, stage, "stopped"),
    await killedCase(context, stage),
  ];
}

/** The reader comes, is absent, and goes again: each round has one turn of the writer with it and one without. */
async function comingCase({ settings }: BenchContext, stage: Stage, absence: Absence): Promise<CaseResult> {
  const bench = await openMappedBench(stage.directory, `bench_${absence}`, RING_RECORDS);
  const name = pageName(absence);
  const page = await PeerPage.open(bench.map, { directory: stage.directory, name, isFresh: true });
  const visitor = new Visitor(stage, { bench, page, absence });
  const side = writerSide(absence, bench);
  try {
    await visitor.come();
    stage.settle();
    measureCase({ ...HEAD, name: absence, units: RECORDS, sides: [side], ratios: [] }, { ...settings, rounds: 1 });
    const { taken, rounds } = await pairedRounds({
      what: `${BENCH} ${nameOf(absence)}`,
      rounds: settings.rounds,
      sides: [absence, ALONE],
      take: async (turn) => {
        await (turn === ALONE ? visitor.leave() : visitor.come());
        return timeTurn(side, settings.sideMs);
      },
      // What a reader takes to come and to go is not measured.
      stolen: (turn) => turn.stolen,
    });
    return conclude(absence, taken, rounds);
  } finally {
    await visitor.leave();
    bench.close();
  }
}

/** One turn of the writer, ns per record, and the share of CPU time that was stolen in it. */
function timeTurn(side: Side, sideMs: number): Turn {
  const ground: HarnessGround = { ...systemGround(), ticks: () => ({ total: 0, stolen: 0 }) };
  const before = readCpuTicks();
  const { sides } = measureCase(
    { ...HEAD, name: side.name, units: RECORDS, sides: [side], ratios: [] },
    { rounds: TURN_TIMES, sideMs, warmMs: TURN_WARM_MS },
    ground,
  );
  return { sample: median(sides[0]?.samples ?? []), stolen: stolenShare(before, readCpuTicks()) };
}

function conclude(
  absence: Absence,
  taken: ReadonlyMap<string, readonly Turn[]>,
  rounds: CaseResult["rounds"],
): CaseResult {
  const sides = Array.from(taken, ([name, turns]) => ({ name, samples: turns.map(({ sample }) => sample) }));
  const told = { stalled: "a reader attached and standing still", stopped: "a reader stopped by SIGSTOP" };
  return {
    ...HEAD,
    name: nameOf(absence),
    rounds,
    sides,
    ratios: judge(sides, [{ other: ALONE, ours: absence, goal: "P8" }], { rounds: rounds.kept }),
    perCall: [],
    facts: {},
    notes: [`${told[absence]}, a process of its own for every second round; the same ring with it and without`],
  };
}

/** A reader that was killed while it slept leaves its announcement: that is put back before each run. */
async function killedCase(context: BenchContext, stage: Stage): Promise<CaseResult> {
  const bench = await openMappedBench(stage.directory, "bench_killed", RING_RECORDS);
  try {
    await killSleeping(stage, bench);
    stage.settle();
    const announce = () => void Atomics.or(bench.waiting.words, bench.waiting.index, 1);
    const written = { count: 0 };
    return await context.measure({
      ...HEAD,
      name: nameOf("killed"),
      units: RECORDS,
      sides: [writerSide(ALONE, bench, { written }), writerSide("killed", bench, { written, prepare: announce })],
      ratios: [{ other: ALONE, ours: "killed", goal: "P8" }],
      notes: ["a reader killed while asleep on the ring, whose announcement is put back before each run"],
    });
  } finally {
    bench.close();
  }
}

function nameOf(absence: Absence | "killed"): string {
  return `writer with absent readers, batch ${BATCH}: ${absence}`;
}

function pageName(absence: Absence): string {
  return `visitor_${absence}`;
}

/** A reader that comes, is absent, and leaves by being killed. */
class Visitor {
  readonly #stage: Stage;
  readonly #bench: MappedBench;
  readonly #page: PeerPage;
  readonly #absence: Absence;
  #child: ChildProcess | undefined;

  /** @param parts.page by which it tells that it is there */
  constructor(stage: Stage, parts: { bench: MappedBench; page: PeerPage; absence: Absence }) {
    this.#stage = stage;
    this.#bench = parts.bench;
    this.#page = parts.page;
    this.#absence = parts.absence;
  }

  /** Is there, and absent. */
  async come(): Promise<void> {
    if (this.#child !== undefined) {
      return;
    }
    const { beat } = this.#page;
    const { exchange } = this.#bench.segmentView.header;
    const child = this.#stage.startNode(COMING[this.#absence], [
      this.#stage.directory,
      exchange,
      pageName(this.#absence),
    ]);
    this.#child = child;
    await this.#stage.ready({ child, awake: () => this.#page.awake() }, () => this.#page.beat !== beat);
    if (this.#absence === "stalled") {
      child.kill("SIGCONT");
    }
    await pause(SETTLE_MS);
  }

  /** Is gone. */
  async leave(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child !== undefined && child.exitCode === null && child.signalCode === null) {
      const gone = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGKILL");
      await gone;
    }
  }
}

async function killSleeping(stage: Stage, bench: MappedBench): Promise<void> {
  const { peer } = await startPaged(stage, bench, "wait");
  const { child } = peer;
  child.kill("SIGCONT");
  await pause(SETTLE_MS);
  const state = { isOver: false };
  child.once("exit", () => {
    state.isOver = true;
  });
  child.kill("SIGKILL");
  const { words, index } = bench.waiting;
  mustEqual("what a killed sleeper leaves: its announcement", Atomics.load(words, index) & 1, 1);
  for (; !state.isOver; await pause(1)) {
    mustEqual("the announcement of a dead reader", Atomics.load(words, index) & 1, 1);
  }
}

/** @param options.written records of all sides on this ring */
function writerSide(
  name: string,
  bench: MappedBench,
  { written = { count: 0 }, prepare = () => undefined }: { written?: { count: number }; prepare?: () => void } = {},
): Side {
  return {
    name,
    prepare,
    work: () => writeRecords(bench, RECORDS, BATCH),
    verify: (published) => {
      written.count += published;
      mustEqual(`records published, ${name}`, published, RECORDS);
      mustEqual(`the ring's tail, ${name}`, bench.segmentView.deltaTail, written.count);
      mustEqual(`announcements left, ${name}`, Atomics.load(bench.waiting.words, bench.waiting.index) & 1, 0);
    },
  };
}
