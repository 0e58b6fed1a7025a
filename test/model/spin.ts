/**
 * Runs spin on a Promela model: generate the verifier, compile it, search, read its report. Each run has a folder of its
 * own, and at most two run at a time, because each may take a gigabyte. Bad case: a search that was cut short, by depth or
 * memory, also reports no errors; `isComplete` tells it apart.
 */
import { execFile, spawnSync } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const execute = promisify(execFile);
const OUTPUT_BYTES_MAX = 1 << 22;
const RUNS_AT_ONCE = 2;

/** Preprocessor definitions of a model, e.g. `{ CAPACITY: 4 }`. */
export type Defines = Readonly<Record<string, number>>;

/** What to search and how. */
export type Search = {
  /** Absolute path of the model. */
  model: string;
  defines: Defines;
  /** `all`: every state, depth first. `first`: breadth first up to the first error, whose trail is then the shortest. */
  until: "all" | "first";
  /** The verifier gives up beyond this. */
  memoryMiBMax: number;
};

/** What the verifier reported. */
export type Report = {
  /** The first violation, e.g. `assertion violated !(torn)`; undefined when there is none. */
  violated: string | undefined;
  errors: number;
  states: number;
  transitions: number;
  /** Steps of the longest path searched, or to the error. */
  depth: number;
  /** The whole state space was searched. */
  isComplete: boolean;
  /** Processes with steps that were never taken. Without meaning when the search stopped at an error. */
  unreached: string[];
  memoryMiB: number;
  seconds: number;
};

/** Whether spin (Promela's, not another program of that name) and a C compiler with its headers are there. */
export function isSpinPresent(): boolean {
  const spin = spawnSync("spin", ["-V"], { encoding: "utf8" });
  const compiler = spawnSync("gcc", ["-fsyntax-only", "-x", "c", "-"], { input: "#include <stdio.h>\n" });
  return /^Spin Version/.test(spin.stdout ?? "") && compiler.status === 0;
}

/** E.g. `Spin Version 6.5.2 -- 6 December 2019`. */
export function spinVersion(): string {
  return spawnSync("spin", ["-V"], { encoding: "utf8" }).stdout.trim();
}

/**
 * Searches a model.
 * @throws Error when spin or the compiler refuse it; the message holds what they said
 */
export async function search(options: Search): Promise<Report> {
  await takeSlot();
  const folder = await mkdtemp(join(tmpdir(), "alphapulse-model-"));
  try {
    const run = (program: string, words: string[]) =>
      execute(program, words, { cwd: folder, maxBuffer: OUTPUT_BYTES_MAX, encoding: "utf8" });
    const isAll = options.until === "all";
    const started = performance.now();
    await run("spin", ["-a", ...defineWords(options.defines), options.model]);
    const order = isAll ? ["-O2"] : ["-O0", "-DBFS"];
    await run("gcc", [...order, "-w", "-DSAFETY", `-DMEMLIM=${options.memoryMiBMax}`, "-o", "pan", "pan.c"]);
    const { stdout } = await run(join(folder, "pan"), ["-m100000", isAll ? "-w24" : "-w20"]);
    return { ...readReport(stdout), seconds: Math.round((performance.now() - started) / 100) / 10 };
  } finally {
    await rm(folder, { recursive: true, force: true });
    giveSlot();
  }
}

/** The words that hand definitions to spin. */
export function defineWords(defines: Defines): string[] {
  return Object.entries(defines).map(([name, value]) => `-D${name}=${value}`);
}

/**
 * Reads what a verifier printed.
 * @throws Error when there are no counts in it
 */
export function readReport(text: string): Omit<Report, "seconds"> {
  const count = (pattern: RegExp) => {
    const found = pattern.exec(text)?.[1];
    if (found === undefined) {
      throw new Error(`Cannot read the verifier's report: no ${pattern.source}, was ${text.slice(0, 2000)}`);
    }
    return Number(found);
  };
  const violated = /^pan:\d+: (.*?) \(at depth \d+\)/m.exec(text)?.[1];
  return {
    violated: violated?.replaceAll(/\s+/g, " "),
    errors: count(/errors: (\d+)/),
    states: count(/([\d.e+]+) states, stored/),
    transitions: count(/([\d.e+]+) transitions/),
    depth: count(/depth reached (\d+)/),
    isComplete: !/not completed|max search depth|out of memory|MEMLIM bound/i.test(text),
    unreached: unreachedParts(text),
    memoryMiB: Math.round(count(/([\d.]+)\s+total actual memory usage/)),
  };
}

/** Only a store buffer's end is never reached: it drains for ever. */
function unreachedParts(text: string): string[] {
  const parts = [...text.matchAll(/^unreached in (?:proctype )?(\S+)\n([\s\S]*?)\((\d+) of \d+ states\)/gm)];
  return parts
    .filter(([, name, lines]) => (lines ?? "").trim() !== "" && !(name === "storeBuffer" && isOnlyEnd(lines ?? "")))
    .map(([, name]) => name ?? "");
}

function isOnlyEnd(lines: string): boolean {
  return /^\s*\S+, state \d+, "-end-"\s*$/.test(lines);
}

let freeSlots = RUNS_AT_ONCE;
const waiting: (() => void)[] = [];

function takeSlot(): Promise<void> {
  if (freeSlots > 0) {
    freeSlots -= 1;
    return Promise.resolve();
  }
  return new Promise((resolve) => {
    waiting.push(resolve);
  });
}

function giveSlot(): void {
  const next = waiting.shift();
  if (next === undefined) {
    freeSlots += 1;
  } else {
    next();
  }
}
