/**
 * `npm run bench`: every benchmark, or those that are named; tables for people, JSON and Markdown for files.
 * Bad case: a benchmark that computes the wrong thing; it is reported, the others still run, and the exit status is 1.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { runApiProcess } from "./api/mod.ts";
import { API_WORD } from "./api/words.ts";
import { BENCHES } from "./benches.ts";
import { measureConstants } from "./constants.ts";
import { BenchContext } from "./context.ts";
import { FANOUT_WORD, runFanoutProcess } from "./fanout/mod.ts";
import { goalTable } from "./goal_table.ts";
import { describeMachine } from "./machine.ts";
import { renderMarkdown, withTables } from "./markdown.ts";
import { type BenchOptions, parseOptions, USAGE } from "./options.ts";
import { PIPELINE_WORD, runPipelineProcess } from "./pipeline/mod.ts";
import { runPeer } from "./processes/peer.ts";
import { PEER_WORD } from "./processes/stage.ts";
import { pageParts, renderPage } from "./report/html.ts";
import { reportText } from "./report_text.ts";
import type { BenchReport } from "./results.ts";
import { benchTable, reportHead } from "./table.ts";

const [first, ...rest] = process.argv.slice(2);
if (first === PEER_WORD) {
  await runPeer(rest);
} else if (first === FANOUT_WORD) {
  await runFanoutProcess(rest);
} else if (first === API_WORD) {
  await runApiProcess(rest);
} else if (first === PIPELINE_WORD) {
  await runPipelineProcess(rest);
} else {
  process.exitCode = await main(process.argv.slice(2));
}

async function main(words: readonly string[]): Promise<number> {
  const options = parseOptions(
    words,
    BENCHES.map(({ name }) => name),
  );
  if (typeof options === "string") {
    console.error(options);
    return 2;
  }
  if (options.isHelp) {
    console.log(USAGE);
    return 0;
  }
  const report = options.from === undefined ? await runAll(options) : readReport(options.from);
  if (options.markdown !== undefined) {
    write(options.markdown, renderMarkdown(report));
  }
  if (options.json !== undefined) {
    write(options.json, reportText(report));
  }
  if (options.html !== undefined) {
    write(options.html, renderPage(report, pageParts()));
  }
  if (options.readme !== undefined) {
    write(options.readme, withTables(readFileSync(options.readme, "utf8"), renderMarkdown(report)));
  }
  for (const failure of report.failures) {
    console.error(`FAILED ${failure}`);
  }
  return report.failures.length === 0 ? 0 : 1;
}

async function runAll(options: BenchOptions): Promise<BenchReport> {
  const { settings, kernels } = options;
  const context = new BenchContext({ settings, kernels, log: (text) => progress(text) });
  const report: BenchReport = {
    machine: describeMachine(new Date()),
    constants: await measureConstants(),
    command: ["npm run bench", ...(options.words.length > 0 ? ["--", ...options.words] : [])].join(" "),
    isSmoke: settings.isSmoke,
    rounds: settings.rounds,
    kernels: [...kernels],
    source: context.source,
    results: [],
    failures: [],
  };
  const startedAt = performance.now();
  say(options, reportHead(report));
  if (context.source === "emulator") {
    say(options, "No captures (ALPHAPULSE_CAPTURES, ../shared/captures): frames come from the emulator's market.");
  }
  const asked = BENCHES.filter(({ name }) => options.names.includes(name));
  for (const [index, bench] of asked.entries()) {
    console.error(`${index + 1} of ${asked.length}, ${elapsed(startedAt)}: ${bench.name}`);
    try {
      const results = await bench.run(context);
      report.results.push(...results);
      say(options, `\n${benchTable(`${bench.name}: ${bench.about}`, results)}`);
    } catch (cause) {
      const text = cause instanceof Error ? (cause.stack ?? cause.message) : String(cause);
      report.failures.push(`${bench.name}: ${text}`);
      console.error(`FAILED ${bench.name}: ${text}`);
    }
  }
  say(options, `\n${goalTable(report.results)}\n`);
  say(options, `${report.results.length} cases in ${elapsed(startedAt)}`);
  return report;
}

/** Minutes and seconds since then. */
function elapsed(startedAt: number): string {
  const seconds = Math.round((performance.now() - startedAt) / 1000);
  return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}

/** A report that was written before; its goals are gathered anew. */
function readReport(file: string): BenchReport {
  return JSON.parse(readFileSync(file, "utf8")) as BenchReport;
}

/** Tables go to the terminal unless Markdown does. */
function say({ markdown }: BenchOptions, text: string): void {
  if (markdown === "-") {
    console.error(text);
  } else {
    console.log(text);
  }
}

function progress(text: string): void {
  if (process.stderr.isTTY) {
    process.stderr.write(`\r\u001b[K${text}\r`);
  }
}

/** @param file `-` is standard output */
function write(file: string, text: string): void {
  if (file === "-") {
    process.stdout.write(text);
    return;
  }
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
  console.error(`wrote ${file}`);
}
