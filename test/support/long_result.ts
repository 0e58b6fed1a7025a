/**
 * What a long run leaves behind: a file in test/long/results that says what was run, when, from which commit, with which
 * command and on which machine, and what came of it. Bad case: a tree that was changed; the commit's name ends in `-dirty`.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { cpus, loadavg } from "node:os";
import { join } from "node:path";
import { packageFolder } from "../../src/assets.ts";

/** What every result has. */
export type LongRun = {
  /** What was run and what must hold, in a sentence. */
  readonly what: string;
  /** Words that run it again. */
  readonly command: string;
  /** Of `performance.now()`: the result tells seconds, cores and load, too. */
  readonly startedAt?: number;
};

/**
 * Writes `test/long/results/<name>.json`.
 * @param run beside what every result has: figures of this one, in the order in which they shall stand there
 */
export function keepResult<Figures extends object>(name: string, run: LongRun & Figures): void {
  const { what, command, startedAt, ...figures } = run;
  const folder = join(packageFolder(), "test/long/results");
  mkdirSync(folder, { recursive: true });
  const result = {
    what,
    date: new Date().toISOString(),
    commit: execFileSync("git", ["describe", "--always", "--dirty"], { cwd: packageFolder(), encoding: "utf8" }).trim(),
    command,
    node: process.version,
    cpu: cpus()[0]?.model ?? "unknown",
    ...(startedAt === undefined ? {} : timesSince(startedAt)),
    ...figures,
  };
  writeFileSync(join(folder, `${name}.json`), `${JSON.stringify(result, undefined, 2)}\n`);
}

function timesSince(startedAt: number) {
  const seconds = Math.round((performance.now() - startedAt) / 1000);
  return { cores: cpus().length, loadAtEnd: loadavg()[0], seconds };
}
