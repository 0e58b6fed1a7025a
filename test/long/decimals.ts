/**
 * The long run of decimals: `node build.config.mjs bench && node dist/long/decimals.js [random decimals]`, default
 * 10,000,000, and every number in every capture when they are there. It leaves test/long/results/decimals.json with date,
 * commit and command. Random ones come in seeded slices, so that a failure names a seed that can be repeated.
 * Bad case: a number that comes back changed; the run stops with kernel and text and status 1.
 */
import { captureFiles, capturesPresent, readCapture } from "../support/captures.ts";
import { type DecimalCounts, DecimalJudge, numbersIn, randomDecimal } from "../support/decimals.ts";
import { keepResult } from "../support/long_result.ts";
import { SeededRandom } from "../support/seeded_random.ts";

const SLICE = 250_000;
const DEFAULT_DECIMALS = 10_000_000;

const wanted = Number(process.argv[2] ?? DEFAULT_DECIMALS);
if (!Number.isInteger(wanted) || wanted < 1) {
  process.stderr.write(`Cannot run: the decimals must be a positive integer, was ${process.argv[2] ?? ""}\n`);
  process.exit(2);
}

type Row = { source: string; decimals: number; seconds: number } & DecimalCounts;
const rows: Row[] = [runRandom(), ...(capturesPresent() ? [runCaptures()] : [])];
keepResult("decimals", {
  what: "decimal text → integer → text on both kernels, judged by whole-number arithmetic: 0 mismatches",
  command: `node dist/long/decimals.js ${wanted}`,
  withCaptures: capturesPresent(),
  mismatches: 0,
  rows,
});

function runRandom(): Row {
  const judge = new DecimalJudge();
  const start = performance.now();
  for (let done = 0; done < wanted; done += SLICE) {
    const seed = 1 + done;
    const random = new SeededRandom(seed);
    try {
      for (let left = Math.min(SLICE, wanted - done); left > 0; left--) {
        judge.judge(randomDecimal(random));
      }
    } catch (cause) {
      throw new Error(`Cannot round-trip a random decimal: seed ${seed}`, { cause });
    }
    process.stderr.write(`\rrandom: ${(done + SLICE).toLocaleString("en")} of ${wanted.toLocaleString("en")}`);
  }
  process.stderr.write("\n");
  return row("random", judge, start);
}

function runCaptures(): Row {
  const judge = new DecimalJudge();
  const start = performance.now();
  for (const file of captureFiles()) {
    for (const { data = "" } of readCapture(file)) {
      for (const number of numbersIn(data)) {
        judge.judge(number);
      }
    }
    process.stderr.write(`\r${file}: ${judge.counts.numbers.toLocaleString("en")} numbers so far\n`);
  }
  return row("captures", judge, start);
}

function row(source: string, judge: DecimalJudge, start: number): Row {
  const { numbers, overflows, syntaxErrors } = judge.counts;
  const seconds = Math.round((performance.now() - start) / 1000);
  return { source, decimals: numbers + overflows + syntaxErrors, seconds, ...judge.counts };
}
