/**
 * The long run of the rings across processes: `node build.config.mjs bench && node dist/long/torture.js [records] [seed]
 * [seconds]`, default 1,000,000,000 records and no limit of time; with one, the runs stop behind it. Records are published
 * in runs, each with processes and rings of its own, so that a failure names a seed and rings of several sizes have their
 * turn. It leaves test/long/results/torture.json. Bad case: anything torn or not accounted for; it stops with status 1.
 */
import { keepResult } from "../support/long_result.ts";
import {
  hasPythonReader,
  runTorture,
  type TortureReaderResult,
  type TortureResult,
} from "../support/mapped_torture_run.ts";

const DEFAULT_RECORDS = 1_000_000_000;
const RUN_RECORDS = 50_000_000;
/** Sizes of the delta ring, in turn. From 1024 on the producer announces a few records ahead. */
const CAPACITIES = [256, 2048, 128, 8192] as const;
const KILL_MS = 6000;
const SAY_MS = 10_000;

const [wanted, seed, limit] = [DEFAULT_RECORDS, 1, Number.POSITIVE_INFINITY].map((fallback, index) =>
  Number(process.argv[2 + index] ?? fallback),
) as [number, number, number];
if (!(wanted >= 1) || !Number.isInteger(wanted) || !Number.isInteger(seed) || !(limit > 0)) {
  process.stderr.write(`Cannot torture: the words must be positive integers, was ${process.argv.slice(2).join(" ")}\n`);
  process.exit(2);
}

const startedAt = performance.now();
const seconds = () => Math.round((performance.now() - startedAt) / 1000);
const runs: TortureResult[] = [];
let records = 0;
let saidAt = 0;
while (records < wanted && seconds() < limit && runs.every(({ problems }) => problems.length === 0)) {
  const before = records;
  const run = await runTorture(Math.min(RUN_RECORDS, wanted - records), {
    seed: seed + runs.length * 1000,
    capacity: CAPACITIES[runs.length % CAPACITIES.length] ?? CAPACITIES[0],
    seconds: limit - seconds(),
    killMs: KILL_MS,
    onProgress: (published) => say(before + published),
  });
  runs.push(run);
  records += run.records;
  saidAt = 0;
  say(records);
}
keep();

function say(published: number): void {
  if (saidAt === 0 || performance.now() - saidAt > SAY_MS) {
    saidAt = performance.now();
    const [done, all] = [published, wanted].map((count) => count.toLocaleString("en"));
    process.stderr.write(
      `${done} of ${all}, ${seconds()} s, ${Math.round(published / Math.max(1, seconds()))} a second\n`,
    );
  }
}

function keep(): void {
  const problems = runs.flatMap((run) => run.problems.map((problem) => `seed ${run.seed}: ${problem}`));
  const readers = runs.flatMap((run) => run.readers);
  const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
  const total = (value: (reader: TortureReaderResult) => number) => sum(readers.map(value));
  keepResult("torture", {
    what: "records through small rings to 3 readers in other processes, stopped, continued, killed: 0 torn, every loss exact",
    command: ["node dist/long/torture.js", ...process.argv.slice(2)].join(" "),
    startedAt,
    hasPythonReader: hasPythonReader(),
    isGood: problems.length === 0,
    isComplete: records >= wanted,
    wanted,
    records,
    trades: sum(runs.map((run) => run.trades)),
    received: total((reader) => reader.received),
    lost: total((reader) => reader.lost),
    tradesReceived: total((reader) => reader.tradesReceived),
    tradesLost: total((reader) => reader.tradesLost),
    laps: total((reader) => reader.laps),
    joins: total((reader) => reader.joins),
    images: total((reader) => reader.images),
    applied: total((reader) => reader.applied),
    cells: total((reader) => reader.cells),
    torn: total((reader) => reader.torn),
    stops: sum(runs.map((run) => run.stops)),
    readerKills: sum(runs.map((run) => run.readerKills)),
    producerKills: sum(runs.map((run) => run.producerKills)),
    problems,
    runs,
  });
  process.exitCode = problems.length === 0 ? 0 : 1;
}
