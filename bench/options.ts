/**
 * The command line of the benchmarks.
 * Bad case: a name that does not exist; the error lists those that do.
 */
import { parseArgs } from "node:util";
import type { KernelName } from "../src/kernel/kernel.ts";
import type { BenchSettings } from "./context.ts";

/** What was asked for. */
export type BenchOptions = {
  /** As typed. */
  words: readonly string[];
  names: readonly string[];
  settings: BenchSettings;
  kernels: readonly KernelName[];
  /** File for the report, `-` for standard output. */
  json: string | undefined;
  /** File for README's tables, `-` for standard output. */
  markdown: string | undefined;
  /** File for the page of results. */
  html: string | undefined;
  /** File that holds the tables between its markers. */
  readme: string | undefined;
  /** A report to render instead of a run. */
  from: string | undefined;
  isHelp: boolean;
};

/** For --help. */
export const USAGE = `npm run bench -- [name…] [--smoke | --whole] [--rounds N] [--kernel wasm|twin|both] [--json FILE] [--markdown [FILE]] [--html FILE] [--readme FILE] [--from FILE]

  name        benchmarks to run, all when none is named
  --smoke     a few short rounds of everything: shows that it works, judges nothing
  --whole     the day at its full size, minutes instead of seconds
  --rounds N  undisturbed rounds per case (21)
  --json      writes the report with all samples
  --markdown  prints README's tables, or writes them to FILE
  --html      writes the page of results; a run of everything writes dist/bench/report.html
  --readme    puts README's tables between the markers of FILE
  --from      renders a report that --json wrote, and measures nothing`;

const FULL: BenchSettings = {
  rounds: 21,
  sideMs: 12,
  warmMs: 150,
  perCallMs: 100,
  capturedFrames: Number.POSITIVE_INFINITY,
  emulatedFrames: 1500,
  isSmoke: false,
};
const SMOKE: BenchSettings = {
  rounds: 3,
  sideMs: 1,
  warmMs: 10,
  perCallMs: 5,
  capturedFrames: 4000,
  emulatedFrames: 200,
  isSmoke: true,
};
const ROUNDS_MAX = 1000;
/** Where a run of everything leaves its page: the one that is committed is that of the committed results. */
const PAGE = "dist/bench/report.html";

/**
 * Reads the words after `npm run bench --`.
 * @param known names of benchmarks
 * @returns a message when they cannot be understood
 */
export function parseOptions(words: readonly string[], known: readonly string[]): BenchOptions | string {
  const { values, positionals, problem } = readWords(words);
  if (problem !== undefined) {
    return `Cannot run the benchmarks: ${problem}\n\n${USAGE}`;
  }
  const unknown = positionals.filter((name) => !known.includes(name));
  if (unknown.length > 0) {
    return `Cannot run the benchmarks: known are ${known.join(", ")}, was ${unknown.join(", ")}`;
  }
  const base = values.smoke === true ? SMOKE : FULL;
  const rounds = values.rounds === undefined ? base.rounds : Number(values.rounds);
  if (!Number.isInteger(rounds) || rounds < 1 || rounds > ROUNDS_MAX) {
    return `Cannot run the benchmarks: rounds are 1 to ${ROUNDS_MAX}, was ${values.rounds}`;
  }
  const isEverything = positionals.length === 0 && values.smoke !== true && values.from === undefined;
  const kernels = kernelsOf(values.kernel ?? "both");
  if (kernels === undefined) {
    return `Cannot run the benchmarks: the kernel is wasm, twin or both, was ${values.kernel}`;
  }
  return {
    words,
    names: positionals.length > 0 ? positionals : known,
    settings: { ...base, rounds, isWhole: values.whole === true },
    kernels,
    json: values.json,
    markdown: values.markdown === "" ? "-" : values.markdown,
    html: values.html ?? (isEverything ? PAGE : undefined),
    readme: values.readme,
    from: values.from,
    isHelp: values.help === true,
  };
}

function readWords(words: readonly string[]) {
  const options = {
    smoke: { type: "boolean" },
    whole: { type: "boolean" },
    rounds: { type: "string" },
    kernel: { type: "string" },
    json: { type: "string" },
    markdown: { type: "string" },
    html: { type: "string" },
    readme: { type: "string" },
    from: { type: "string" },
    help: { type: "boolean", short: "h" },
  } as const;
  try {
    const args = words.flatMap((word, index) => (isBareMarkdown(words, index) ? ["--markdown="] : [word]));
    return { ...parseArgs({ args, options, allowPositionals: true }), problem: undefined };
  } catch (cause) {
    if (!(cause instanceof Error)) {
      throw cause;
    }
    const empty: ReturnType<typeof parseArgs<{ options: typeof options; args: string[] }>>["values"] = {};
    return { values: empty, positionals: [], problem: cause.message };
  }
}

/** `--markdown` alone prints; followed by a file it writes there. */
function isBareMarkdown(words: readonly string[], index: number): boolean {
  const next = words[index + 1];
  return words[index] === "--markdown" && (next === undefined || !/[./]/.test(next));
}

function kernelsOf(word: string): readonly KernelName[] | undefined {
  switch (word) {
    case "both":
      return ["wasm", "twin"];
    case "wasm":
      return ["wasm"];
    case "twin":
      return ["twin"];
    default:
      return undefined;
  }
}
