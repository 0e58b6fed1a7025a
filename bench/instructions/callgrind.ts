/**
 * Runs the counted program under callgrind. V8 generates code at run time, hence `--smc-check`; one thread, no second tier
 * and predictable garbage collection make a count repeat to a few parts in ten thousand.
 * Bad case: no valgrind; what needs it is skipped by that name, or fails where nothing may be skipped.
 */
import { execFile } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { assetPath } from "../../src/assets.ts";
import { type CountedRun, countsOf, dumpTotal, type InstructionCount } from "./dumps.ts";

const TOOL = ["--tool=callgrind", "--smc-check=all-non-file", "--dump-before=umask"];
const V8_FLAGS = ["--no-liftoff", "--no-wasm-tier-up", "--single-threaded", "--predictable", "--expose-gc"];
const OUTPUT = "out";
const OUTPUT_BYTES_MAX = 1 << 24;

/** True when there is a valgrind to run. */
export async function hasValgrind(): Promise<boolean> {
  try {
    await promisify(execFile)("valgrind", ["--version"]);
    return true;
  } catch (cause) {
    if (cause instanceof Error && "code" in cause && cause.code === "ENOENT") {
      return false;
    }
    throw cause;
  }
}

/**
 * Counts every kernel.
 * @throws Error when the program fails, or what it says and what was counted do not fit
 * Cost: half a minute of one core.
 */
export async function countInstructions(): Promise<InstructionCount[]> {
  const folder = mkdtempSync(join(tmpdir(), "alphapulse-callgrind-"));
  try {
    const output = `--callgrind-out-file=${join(folder, OUTPUT)}`;
    const words = [...TOOL, output, process.execPath, ...V8_FLAGS, assetPath("bench/instructions.js")];
    const { stdout } = await promisify(execFile)("valgrind", words, { maxBuffer: OUTPUT_BYTES_MAX });
    const runs = stdout
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line) as CountedRun);
    return countsOf(runs, dumps(folder));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Totals of the dumps that a mark made, in order; the one of the program's end has no number and does not count. */
function dumps(folder: string): number[] {
  return readdirSync(folder)
    .map((name) => ({ name, place: Number(name.slice(OUTPUT.length + 1)) }))
    .filter(({ name }) => name !== OUTPUT)
    .sort((a, b) => a.place - b.place)
    .map(({ name }) => dumpTotal(readFileSync(join(folder, name), "utf8")));
}
