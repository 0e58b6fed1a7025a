/**
 * `npm run mutate -- [--only NAME,…] [--list] [--quick] [--json PATH] [--jobs 1]`: plants every bug of the catalogue in a temporary
 * copy of the repository, one at a time, and runs the suite there until a test notices. Prints the catching test per bug;
 * exit status 0 when every bug was noticed, 1 when one was not or could not be built, 2 for wrong usage.
 * `--quick` runs only each bug's own tests: minutes instead of an hour, but what they miss is merely suspected to live.
 * Bad case: it is broken off; the copies are removed and the children ended all the same.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { dirname, resolve } from "node:path";
import { parseArgs } from "node:util";
import { packageFolder } from "../../src/assets.ts";
import { capturesFolder } from "../support/captures.ts";
import { BUGS, type Patch } from "./bugs.ts";
import { endRuns } from "./test_run.ts";
import { type Judgement, Workshop } from "./workshop.ts";

const JOBS_MAX = 16;

const USAGE = `Usage: npm run mutate -- [options]

Plants every bug of the catalogue in a temporary copy of the repository, one at a time, and runs the suite there until a test
notices. Exit status 0 when every bug was noticed, 1 when one was not or could not be built, 2 for wrong usage.

  --only NAME,…  these bugs only
  --list         names the bugs and what each would do
  --quick        runs each bug's own tests alone: minutes instead of an hour if some live, but what they miss is only suspected
  --jobs N       copies at work at once, 1 … ${JOBS_MAX} (1)
  --json PATH    writes the result there, too`;

type Options = {
  bugs: readonly Patch[];
  json: string | undefined;
  jobs: number;
  isList: boolean;
  isQuick: boolean;
  isHelp: boolean;
};
type Row = { name: string; outcome: Judgement["outcome"]; caughtBy: string; seconds: number };

const workshops = new Set<Workshop>();

for (const [signal, status] of [
  ["SIGINT", 130],
  ["SIGTERM", 143],
] as const) {
  process.once(signal, () => {
    endRuns();
    closeAll();
    process.exit(status);
  });
}

process.exitCode = await main();

async function main(): Promise<number> {
  const options = readOptions(process.argv.slice(2));
  if (typeof options === "string") {
    process.stderr.write(`${options}\n`);
    return 2;
  }
  if (options.isHelp) {
    process.stdout.write(`${USAGE}\n`);
    return 0;
  }
  if (options.isList) {
    for (const bug of options.bugs) {
      process.stdout.write(`${bug.name.padEnd(36)} ${bug.why}\n`);
    }
    return 0;
  }
  try {
    const rows = await judgeAll(options);
    const alive = rows.filter((row) => row.outcome !== "killed").map((row) => row.name);
    report(rows, alive, options.json);
    return alive.length === 0 ? 0 : 1;
  } finally {
    closeAll();
  }
}

function readOptions(args: string[]): Options | string {
  try {
    const { values } = parseArgs({
      args,
      options: {
        only: { type: "string" },
        list: { type: "boolean", default: false },
        quick: { type: "boolean", default: false },
        json: { type: "string" },
        jobs: { type: "string", default: "1" },
        help: { type: "boolean", short: "h", default: false },
      },
    });
    const names = values.only?.split(",");
    const unknown = names?.filter((name) => !BUGS.some((bug) => bug.name === name)) ?? [];
    if (unknown.length > 0) {
      return `Cannot plant a bug: there is none of that name (see --list), was ${unknown.join(", ")}`;
    }
    const jobs = Number(values.jobs);
    if (!Number.isInteger(jobs) || jobs < 1 || jobs > JOBS_MAX) {
      return `Cannot run: --jobs must be 1 … ${JOBS_MAX}, was ${values.jobs}`;
    }
    const bugs = names === undefined ? BUGS : BUGS.filter((bug) => names.includes(bug.name));
    return { bugs, json: values.json, jobs, isList: values.list, isQuick: values.quick, isHelp: values.help };
  } catch (error) {
    return `Cannot read the arguments: ${error instanceof Error ? error.message : String(error)}`;
  }
}

/** Each job takes the next bug from the list until it is empty. */
async function judgeAll({ bugs, jobs, isQuick }: Options): Promise<Row[]> {
  const rows = new Map<Patch, Row>();
  const waiting = [...bugs];
  const work = async () => {
    const workshop = new Workshop(packageFolder(), { captures: capturesFolder(), isQuick, note: say });
    workshops.add(workshop);
    await workshop.open();
    for (let bug = waiting.shift(); bug !== undefined; bug = waiting.shift()) {
      const startedAt = performance.now();
      const judgement = await workshop.judge(bug);
      const seconds = Math.round((performance.now() - startedAt) / 100) / 10;
      rows.set(bug, { name: bug.name, ...judgement, seconds });
      say(`${rows.size}/${bugs.length} ${bug.name} ${judgement.outcome} ${seconds} s ${judgement.caughtBy}`);
    }
  };
  await Promise.all(Array.from({ length: Math.min(jobs, bugs.length) }, work));
  return bugs.flatMap((bug) => rows.get(bug) ?? []);
}

function report(rows: readonly Row[], alive: readonly string[], path: string | undefined): void {
  for (const { name, outcome, caughtBy, seconds } of rows) {
    process.stdout.write(`${outcome.padEnd(11)} ${name.padEnd(36)} ${String(seconds).padStart(6)} s  ${caughtBy}\n`);
  }
  const killed = rows.length - alive.length;
  process.stdout.write(`${killed} of ${rows.length} noticed${alive.length > 0 ? `, not: ${alive.join(", ")}` : ""}\n`);
  if (path !== undefined) {
    const result = {
      what: "bugs planted one at a time, and the test that noticed",
      date: new Date().toISOString(),
      commit: commit(),
      command: `npm run mutate -- ${process.argv.slice(2).join(" ")}`,
      node: process.version,
      cpu: cpus()[0]?.model ?? "unknown",
      mutants: rows,
      alive,
    };
    mkdirSync(dirname(resolve(path)), { recursive: true });
    writeFileSync(path, `${JSON.stringify(result, undefined, 2)}\n`);
  }
}

function commit(): string {
  return execFileSync("git", ["rev-parse", "--short", "HEAD"], { cwd: packageFolder(), encoding: "utf8" }).trim();
}

function closeAll(): void {
  for (const workshop of workshops) {
    workshop.close();
    workshops.delete(workshop);
  }
}

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}
