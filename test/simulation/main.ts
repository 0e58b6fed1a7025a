/**
 * `npm run simulate -- [--seeds N] [--seed S] [--bug NAME] [--json] [--jobs J] [--out PATH]`: runs N worlds from seed S on
 * and says what they saw. Exit status 0 without a violation, 1 with one, 2 for wrong usage. `--bug` plants a known bug in
 * a copy of this program and stops at the first violation. Standard output is the report, progress goes to standard error.
 * Bad case: a violation; the seed, the trace around it and the command that repeats it are printed.
 */
import { execFileSync, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { bugNamed } from "../mutation/bugs.ts";
import { buildPatched } from "../mutation/build_patched.ts";
import { readArguments, USAGE } from "./arguments.ts";
import { runFleet, serveFleet } from "./fleet.ts";

const ENTRY = "test/simulation/main.ts";

if (process.argv.includes("--worker")) {
  serveFleet();
} else {
  process.exit(await main(process.argv.slice(2)));
}

async function main(words: readonly string[]): Promise<number> {
  const options = readArguments(words);
  if (typeof options === "string") {
    process.stderr.write(`${options}\n`);
    return 2;
  }
  if (options.isHelp) {
    process.stdout.write(`${USAGE}\n`);
    return 0;
  }
  if (options.bug !== undefined) {
    return await runBuggy(options.bug, words);
  }
  const startedAt = performance.now();
  const report = await runFleet(options, process.argv[1] ?? "");
  const seconds = Math.round((performance.now() - startedAt) / 1000);
  const result = { ...report, seconds, date: new Date().toISOString(), commit: commit(), command: commandOf(words) };
  const text = JSON.stringify(result, null, options.isJson ? undefined : 2);
  process.stdout.write(`${text}\n`);
  if (options.out !== undefined) {
    mkdirSync(dirname(options.out), { recursive: true });
    writeFileSync(options.out, `${JSON.stringify(result, null, 2)}\n`);
  }
  return report.violations.length > 0 ? 1 : 0;
}

/** Runs a copy of this program with a bug planted; it must end with status 1. */
async function runBuggy(name: string, words: readonly string[]): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), "alphapulse-simulate-"));
  try {
    const program = await buildPatched({ bug: bugNamed(name), entry: ENTRY, folder });
    return await run(program, [...withoutBug(words), "--fail-fast"]);
  } catch (error) {
    if (!(error instanceof RangeError)) {
      throw error;
    }
    process.stderr.write(`${error.message}\n`);
    return 2;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function run(program: string, words: readonly string[]): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ["--enable-source-maps", program, ...words], { stdio: "inherit" });
    child.once("error", reject);
    child.once("exit", (status) => resolve(status ?? 1));
  });
}

/** What the copy is told: everything but the bug. */
function withoutBug(words: readonly string[]): string[] {
  return words.filter((word, index) => !word.startsWith("--bug") && words[index - 1] !== "--bug");
}

function commandOf(words: readonly string[]): string {
  return ["npm run simulate --", ...words].join(" ");
}

function commit(): string {
  try {
    return execFileSync("git", ["rev-parse", "--short", "HEAD"], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    }).trim();
  } catch {
    return "unknown";
  }
}
