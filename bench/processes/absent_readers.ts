/**
 * P8: a writer whose readers stand still, were stopped (SIGSTOP) or were killed while they slept on it, against a writer
 * without readers. Each has a segment of its own and real processes on it. Bad case: a reader that did not sleep when it
 * was killed; the announcement that it must have left is checked.
 */
import { setTimeout as pause } from "node:timers/promises";
import type { BenchContext } from "../context.ts";
import { mustEqual, type Side } from "../harness.ts";
import type { CaseResult } from "../results.ts";
import { type MappedBench, openMappedBench, writeRecords } from "./mapped_bench.ts";
import { startPaged } from "./paged_peer.ts";
import { BENCH } from "./ring_cases.ts";
import type { Stage } from "./stage.ts";

/** Four rings fit into a core's cache: else the comparison is one of where the system put their pages. */
const RING_RECORDS = 512;
const RECORDS = 65_536;
const BATCH = 8;
/** Long enough for a reader to lie down again. */
const SETTLE_MS = 20;
const ALONE = "without readers";

/** Measures P8. @throws MappingError where memory cannot be shared */
export async function absentReaderCases(context: BenchContext, stage: Stage): Promise<CaseResult[]> {
  const open = (exchange: string) => openMappedBench(stage.directory, exchange, RING_RECORDS);
  const alone = await open("bench_alone");
  const stalled = await open("bench_stalled");
  const stopped = await open("bench_stopped");
  const killed = await open("bench_killed");
  try {
    await Promise.all([startStalled(stage, stalled), startPaged(stage, stopped, "read"), killSleeping(stage, killed)]);
    stage.settle();
    const sides = [
      writerSide(ALONE, alone),
      writerSide("stalled", stalled),
      writerSide("stopped", stopped),
      writerSide("killed", killed, () => void Atomics.or(killed.waiting.words, killed.waiting.index, 1)),
    ];
    const result = await context.measure({
      bench: BENCH,
      name: `writer with absent readers, batch ${BATCH}`,
      unit: "ns/record",
      units: RECORDS,
      sides,
      ratios: sides.slice(1).map(({ name }) => ({ other: ALONE, ours: name, goal: "P8" })),
      notes: [
        "a reader attached and standing still; one stopped by SIGSTOP; one killed while asleep on the ring, whose announcement is put back before each run",
      ],
    });
    return [result];
  } finally {
    for (const bench of [alone, stalled, stopped, killed]) {
      bench.close();
    }
  }
}

async function startStalled(stage: Stage, bench: MappedBench): Promise<void> {
  const { peer } = await startPaged(stage, bench, "stall");
  peer.child.kill("SIGCONT");
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

function writerSide(name: string, bench: MappedBench, prepare: () => void = () => undefined): Side {
  let written = 0;
  return {
    name,
    prepare,
    work: () => writeRecords(bench, RECORDS, BATCH),
    verify: (published) => {
      written += published;
      mustEqual(`records published, ${name}`, published, RECORDS);
      mustEqual(`the ring's tail, ${name}`, bench.segmentView.deltaTail, written);
      mustEqual(`announcements left, ${name}`, Atomics.load(bench.waiting.words, bench.waiting.index) & 1, 0);
    },
  };
}
