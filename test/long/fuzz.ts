/**
 * The long run of the decoder fuzz: `node build.config.mjs bench && node dist/long/fuzz.js [frames per decoder]`, default
 * 1,000,000. It leaves test/long/results/fuzz.json with date, commit and command. Runs in seeded slices, so that a
 * failure names a seed that the short test can repeat.
 * Bad case: a difference or a trap; the run stops with the frame and status 1.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import { packageFolder } from "../../src/assets.ts";
import { capturesPresent } from "../support/captures.ts";
import { corpusOf } from "../support/corpus.ts";
import { fuzz } from "../support/fuzz.ts";

const SLICE = 50_000;
const DEFAULT_FRAMES = 1_000_000;
const EXCHANGES = ["coinbase_exchange", "kraken", "binance"] as const;

const frames = Number(process.argv[2] ?? DEFAULT_FRAMES);
if (!Number.isInteger(frames) || frames < 1) {
  process.stderr.write(`Cannot fuzz: frames must be a positive integer, was ${process.argv[2] ?? ""}\n`);
  process.exit(2);
}

type Row = { exchange: string; frames: number; applied: number; seconds: number; codes: Record<number, number> };
const rows: Row[] = [];
for (const exchange of EXCHANGES) {
  rows.push(run(exchange));
}
const folder = join(packageFolder(), "test/long/results");
mkdirSync(folder, { recursive: true });
const result = {
  what: "mutated frames per decoder: wasm = twin = naive oracle, zero traps",
  date: new Date().toISOString(),
  commit: commit(),
  command: `node dist/long/fuzz.js ${frames}`,
  node: process.version,
  cpu: cpus()[0]?.model ?? "unknown",
  withCaptures: capturesPresent(),
  rows,
};
writeFileSync(join(folder, "fuzz.json"), `${JSON.stringify(result, undefined, 2)}\n`);

function run(exchange: (typeof EXCHANGES)[number]): Row {
  const corpus = corpusOf(exchange, capturesPresent());
  const codes: Record<number, number> = {};
  const start = performance.now();
  let applied = 0;
  for (let done = 0; done < frames; done += SLICE) {
    const part = fuzz(corpus, { count: Math.min(SLICE, frames - done), seed: 1 + done });
    applied += part.applied;
    for (const [code, count] of Object.entries(part.codes)) {
      codes[Number(code)] = (codes[Number(code)] ?? 0) + count;
    }
    process.stderr.write(
      `\r${exchange}: ${(done + SLICE).toLocaleString("en")} of ${frames.toLocaleString("en")} frames`,
    );
  }
  process.stderr.write("\n");
  return { exchange, frames, applied, seconds: Math.round((performance.now() - start) / 1000), codes };
}

function commit(): string {
  return execFileSync("git", ["rev-parse", "--short", "HEAD"], { cwd: packageFolder(), encoding: "utf8" }).trim();
}
