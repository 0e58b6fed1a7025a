/**
 * The long run of the decoder fuzz: `node build.config.mjs bench && node dist/long/fuzz.js [frames per decoder]`, default
 * 1,000,000. It leaves test/long/results/fuzz.json with date, commit and command. Runs in seeded slices, so that a
 * failure names a seed that the short test can repeat.
 * Bad case: a difference or a trap; the run stops with the frame and status 1.
 */
import { capturesPresent } from "../support/captures.ts";
import { corpusOf } from "../support/corpus.ts";
import { fuzz } from "../support/fuzz.ts";
import { keepResult } from "../support/long_result.ts";

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
keepResult("fuzz", {
  what: "mutated frames per decoder: wasm = twin = naive oracle, zero traps",
  command: `node dist/long/fuzz.js ${frames}`,
  withCaptures: capturesPresent(),
  rows,
});

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
