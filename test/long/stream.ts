/**
 * The long run of the stream: `node build.config.mjs bench && node dist/long/stream.js [changes] [seed] [python
 * processes]`, default 100,000,000 changes, seed 1, two processes. Every change goes from an exchange's frame through
 * decoder, ring, gateway views and wire frames into the client library's book, the kernel's replica and the Python
 * package's book (ALPHAPULSE_PYTHON, or python3, with numpy); bits are flipped for books of their own. It leaves
 * test/long/results/stream.json. Bad case: a hash that differs or a bit that nobody saw; it says which, with status 1.
 */
import { capturesPresent } from "../support/captures.ts";
import { keepResult } from "../support/long_result.ts";
import { capturedFrames } from "./stream/market.ts";
import { hasPython } from "./stream/python.ts";
import { runStream, type StreamResult } from "./stream/run.ts";

const DEFAULT_CHANGES = 100_000_000;
const SAY_MS = 10_000;
const RATES = {
  flip: 2000,
  ringFlip: 10_000,
  skip: 500,
  rejoin: 20_000,
  reset: 20_000,
  reconnect: 200_000,
  refine: 200_000,
  levels: 20,
};

const [wanted, seed, pythons] = [DEFAULT_CHANGES, 1, 2].map((fallback, index) =>
  Number(process.argv[2 + index] ?? fallback),
) as [number, number, number];
if (!(wanted >= 1) || !Number.isInteger(seed) || !Number.isInteger(pythons) || pythons < 0) {
  process.stderr.write(`Cannot run: the words must be positive integers, was ${process.argv.slice(2).join(" ")}\n`);
  process.exit(2);
}
const startedAt = performance.now();
let saidAt = startedAt;
const processes = hasPython() ? pythons : 0;
const captured = capturesPresent() ? capturedFrames() : [];
keep(await runStream(wanted, { seed, rates: RATES, captured, pythons: processes, onProgress: say }));

function say(changes: number): void {
  const now = performance.now();
  if (now - saidAt > SAY_MS) {
    saidAt = now;
    const seconds = Math.round((now - startedAt) / 1000);
    const [done, all] = [changes, wanted].map((count) => count.toLocaleString("en"));
    process.stderr.write(`${done} of ${all}, ${seconds} s, ${Math.round(changes / seconds)} a second\n`);
  }
}

function keep(run: StreamResult): void {
  const isGood = run.problems.length === 0;
  keepResult("stream", {
    what: "level changes through the client's book, the kernel's replica and Python's book: every hash holds, every level is the producer's, every flipped bit is seen by the next hash at the latest",
    command: ["node dist/long/stream.js", ...process.argv.slice(2)].join(" "),
    startedAt,
    hasPython: processes > 0,
    capturedFrames: captured.length,
    /** Of this process; those of Python are in its account. */
    cpuSeconds: Math.round((process.cpuUsage().user + process.cpuUsage().system) / 1e6),
    seed,
    rates: RATES,
    isGood,
    isComplete: run.changes >= wanted && processes > 0,
    wanted,
    ...run,
  });
  process.stderr.write(
    `${run.changes.toLocaleString("en")} changes, ${run.seconds} s, ${run.problems.length} problems\n`,
  );
  process.exitCode = isGood ? 0 : 1;
}
