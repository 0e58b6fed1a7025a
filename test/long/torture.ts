/**
 * The long run of the ring across processes: `node build.config.mjs bench && node dist/long/torture.js [records] [seed]
 * [seconds]`, default 1,000,000,000 records and no limit of time; with one, the runs stop behind it. Records are published
 * in runs, each with processes and a segment of its own, so that a failure names a seed and rings begin anew now and then.
 * It leaves test/long/results/torture.json. Bad case: anything torn or not accounted for; it stops there with status 1.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { cpus, loadavg } from "node:os";
import { join } from "node:path";
import { packageFolder } from "../../src/assets.ts";
import { runTorture, type TortureResult } from "../support/mapped_torture_run.ts";

const DEFAULT_RECORDS = 1_000_000_000;
const RUN_RECORDS = 5_000_000;

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
while (records < wanted && seconds() < limit && runs.every(({ problems }) => problems.length === 0)) {
  const run = await runTorture(Math.min(RUN_RECORDS, wanted - records), {
    seed: seed + runs.length,
    seconds: limit - seconds(),
  });
  runs.push(run);
  records += run.records;
  process.stderr.write(`${records.toLocaleString("en")} of ${wanted.toLocaleString("en")}, ${seconds()} s\n`);
}
const problems = runs.flatMap((run) => run.problems.map((problem) => `seed ${run.seed}: ${problem}`));
const readers = runs.flatMap((run) => run.readers);
const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
const folder = join(packageFolder(), "test/long/results");
mkdirSync(folder, { recursive: true });
const result = {
  what: "records through a ring of 256 to 3 readers in other processes, stopped, continued, killed: 0 torn, every loss exact",
  date: new Date().toISOString(),
  commit: commit(),
  command: ["node dist/long/torture.js", ...process.argv.slice(2)].join(" "),
  node: process.version,
  cpu: cpus()[0]?.model ?? "unknown",
  cores: cpus().length,
  loadAtEnd: loadavg()[0],
  seconds: seconds(),
  isGood: problems.length === 0,
  isComplete: records >= wanted,
  wanted,
  records,
  received: sum(readers.map((reader) => reader.received)),
  lost: sum(readers.map((reader) => reader.lost)),
  laps: sum(readers.map((reader) => reader.laps)),
  joins: sum(readers.map((reader) => reader.joins)),
  torn: sum(readers.flatMap((reader) => Object.values(reader.torn))),
  stops: sum(runs.map((run) => run.stops)),
  kills: sum(runs.map((run) => run.kills)),
  problems,
  runs,
};
writeFileSync(join(folder, "torture.json"), `${JSON.stringify(result, undefined, 2)}\n`);
process.exitCode = problems.length === 0 ? 0 : 1;

function commit(): string {
  return execFileSync("git", ["describe", "--always", "--dirty"], { cwd: packageFolder(), encoding: "utf8" }).trim();
}
