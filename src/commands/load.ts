/**
 * `alphapulse load`: an own load generator, bounded in count and time, against this machine unless told otherwise: shared
 * memory (open loop), arbitrage, the stream. Each prints one JSON report whose command runs it again.
 * Bad case: a threshold that is not met, or anything that contradicts a promise; status 1, and the report says what.
 */
import type { Command } from "commander";
import { ConfigError } from "../errors.ts";
import {
  type Bound,
  boundedNumber,
  checkTarget,
  LATENCY_MS_MAX,
  LOAD_PAIRS,
  type LoadGround,
  type LoadOutcome,
  loadReport,
  runArbitrageLoad,
  runArbitrageMarket,
  runMemoryLoad,
  runMemoryProducer,
  runMemoryReader,
  runStreamLoad,
} from "../load/mod.ts";
import { heedInterruption } from "./shutdown.ts";

/** A flag with a number. */
type NumberFlag = Bound & { readonly about: string; readonly fallback: number };

const HOUR_S = 3600;

/** Flags of `load memory`. */
const MEMORY_FLAGS = {
  seconds: { about: "how long is published", fallback: 10, min: 0.1, max: HOUR_S, isWhole: false },
  rate: { about: "delta records a second", fallback: 20_000, min: 1, max: 5_000_000 },
  records: { about: "delta records at most", fallback: 100_000_000, min: 1, max: 1_000_000_000 },
  readers: { about: "reading processes", fallback: 3, min: 1, max: 16 },
  lazy: { about: "of them stand still now and then until they lose records", fallback: 1, min: 0, max: 16 },
  capacity: { about: "delta records that the ring holds, a power of two", fallback: 16_384, min: 1024, max: 1_048_576 },
  "p99-ms": {
    about: "threshold: p99 from due to read",
    fallback: 1000,
    min: 0.001,
    max: LATENCY_MS_MAX,
    isWhole: false,
  },
  "rate-share": {
    about: "threshold: share of the rate that is reached",
    fallback: 0.9,
    min: 0,
    max: 1,
    isWhole: false,
  },
} as const satisfies Record<string, NumberFlag>;

/** Flags of `load arbitrage`. */
const ARBITRAGE_FLAGS = {
  seconds: { about: "how long crossings are planted", fallback: 300, min: 1, max: HOUR_S, isWhole: false },
  symbols: { about: "pairs at each of three exchanges", fallback: 10, min: 1, max: LOAD_PAIRS.length },
  seed: { about: "equal seeds give equal markets", fallback: 1, min: 0, max: 2 ** 31 },
  rate: { about: "factor on all event rates of the market", fallback: 1, min: 0.01, max: 100, isWhole: false },
  "plant-ms": { about: "between two plantings", fallback: 1000, min: 50, max: 600_000 },
  "hold-ms": { about: "threshold: a crossing that lasts so long must be told", fallback: 1000, min: 1, max: 60_000 },
  "delay-p99-ms": { about: "threshold: p99 until it is told", fallback: 1000, min: 1, max: LATENCY_MS_MAX },
  "verified-share": { about: "threshold: share that is reckoned anew", fallback: 0.9, min: 0, max: 1, isWhole: false },
} as const satisfies Record<string, NumberFlag>;

/** Flags of `load stream`. */
const STREAM_FLAGS = {
  clients: { about: "connections, each with whole books", fallback: 50, min: 1, max: 2000 },
  seconds: {
    about: "how long they follow once all have their books",
    fallback: 30,
    min: 0.1,
    max: HOUR_S,
    isWhole: false,
  },
  "p99-ms": {
    about: "threshold: p99 from receipt to the applied book",
    fallback: 500,
    min: 0.001,
    max: 1e6,
    isWhole: false,
  },
  "served-ms": { about: "threshold: until all have all books", fallback: 20_000, min: 1, max: 600_000 },
} as const satisfies Record<string, NumberFlag>;

const STREAM_URL = "ws://127.0.0.1:8765/ws";
const EVERYTHING = "*:*";

/** Adds the command. */
export function addLoad(program: Command): void {
  const load = program
    .command("load")
    .description(
      "Put load on shared memory, on arbitrage or on a stream; print one JSON report; status 1 when it fails.",
    )
    .addHelpText("after", help("memory", "arbitrage", "stream"));
  addMemory(load);
  addArbitrage(load);
  addStream(load);
  for (const [word, run] of Object.entries(PARTS)) {
    load.command(word, { hidden: true }).argument("<options>").action(run);
  }
}

function addMemory(load: Command): void {
  const memory = load
    .command("memory")
    .description("One producer, several reading processes: every record verified, every loss accounted for.")
    .addHelpText("after", help("memory"));
  addNumbers(memory, MEMORY_FLAGS).action(async (flags: Record<string, string>) => {
    const numbers = readNumbers(MEMORY_FLAGS, flags);
    const { seconds, rate, records, readers, lazy, capacity } = numbers;
    if (!Number.isInteger(Math.log2(capacity))) {
      throw new ConfigError(`Cannot use --capacity: it must be a power of two, was ${capacity}`);
    }
    const options = { seconds, rate, records, readers, capacity, lazy: Math.min(lazy, readers) };
    await report(
      {
        what: "one producer and several readers, each a process, over a shared-memory segment: every record verified, every loss accounted for",
        words: ["memory", ...numberWords(MEMORY_FLAGS, numbers)],
      },
      (ground) => runMemoryLoad({ ...options, p99Ms: numbers["p99-ms"], rateShare: numbers["rate-share"] }, ground),
    );
  });
}

function addArbitrage(load: Command): void {
  const arbitrage = load
    .command("arbitrage")
    .description("Emulated exchanges that are made to cross, the real serve, every opportunity reckoned anew.")
    .addHelpText("after", help("arbitrage"));
  addNumbers(arbitrage, ARBITRAGE_FLAGS).action(async (flags: Record<string, string>) => {
    const numbers = readNumbers(ARBITRAGE_FLAGS, flags);
    const { seconds, symbols, seed, rate } = numbers;
    const options = {
      ...{ seconds, symbols, seed, rate, plantMs: numbers["plant-ms"], holdMs: numbers["hold-ms"] },
      ...{ delayP99Ms: numbers["delay-p99-ms"], verifiedShare: numbers["verified-share"] },
    };
    await report(
      {
        what: "3 emulated exchanges with planted crossings, the real collectors and gateway: every opportunity reckoned anew from the books that it names, every lasting crossing told",
        words: ["arbitrage", ...numberWords(ARBITRAGE_FLAGS, numbers)],
      },
      (ground) => runArbitrageLoad(options, ground),
    );
  });
}

function addStream(load: Command): void {
  const stream = load
    .command("stream")
    .description("Many clients of a running gateway, each with whole books that are proved by hash.")
    .option("--url <address>", "of the stream", STREAM_URL)
    .option("--instruments <names>", "instruments or patterns, separated by commas", EVERYTHING)
    .option("--remote", "the address may be another machine's")
    .addHelpText("after", help("stream"));
  addNumbers(stream, STREAM_FLAGS).action(async (flags: Record<string, string> & { remote?: boolean }) => {
    const numbers = readNumbers(STREAM_FLAGS, flags);
    const { url = STREAM_URL, instruments = EVERYTHING, remote = false } = flags;
    checkTarget(url, remote);
    const { clients, seconds } = numbers;
    const thresholds = { p99Ms: numbers["p99-ms"], servedMs: numbers["served-ms"] };
    const chosen = [
      ...(url === STREAM_URL ? [] : ["--url", url]),
      ...(instruments === EVERYTHING ? [] : ["--instruments", instruments]),
      ...(remote ? ["--remote"] : []),
    ];
    await report(
      {
        what: "clients of the stream that keep whole books and prove them by chain and hash",
        words: ["stream", ...chosen, ...numberWords(STREAM_FLAGS, numbers)],
      },
      (ground) => runStreamLoad({ url, instruments: instruments.split(","), clients, seconds, ...thresholds }, ground),
    );
  });
}

/** Processes that a load starts. */
const PARTS: Readonly<Record<string, (options: string) => Promise<void>>> = {
  "memory-producer": runMemoryProducer,
  "memory-reader": runMemoryReader,
  "arbitrage-market": runArbitrageMarket,
};

/** Runs a load and prints its report. */
async function report(
  { what, words }: { what: string; words: readonly string[] },
  run: (ground: LoadGround) => Promise<LoadOutcome>,
): Promise<void> {
  const stopped = heedInterruption();
  const tell = (line: string) => process.stderr.write(`${line}\n`);
  const outcome = await run({ stopped, tell });
  const whole = loadReport({ what, command: ["alphapulse", "load", ...words].join(" ") }, outcome);
  await new Promise<void>((resolve) => {
    process.stdout.write(`${JSON.stringify(whole, undefined, 2)}\n`, () => resolve());
  });
  process.exitCode = whole.isGood ? 0 : 1;
}

function addNumbers(command: Command, flags: Readonly<Record<string, NumberFlag>>): Command {
  for (const [name, { about, fallback }] of Object.entries(flags)) {
    command.option(`--${name} <number>`, about, String(fallback));
  }
  return command;
}

function readNumbers<Name extends string>(
  flags: Readonly<Record<Name, NumberFlag>>,
  values: Readonly<Record<string, unknown>>,
): Record<Name, number> {
  const names = Object.keys(flags) as Name[];
  return Object.fromEntries(
    names.map((name) => {
      const key = name.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
      return [name, boundedNumber(`--${name}`, String(values[key]), flags[name])];
    }),
  ) as Record<Name, number>;
}

function numberWords<Name extends string>(
  flags: Readonly<Record<Name, NumberFlag>>,
  numbers: Readonly<Record<Name, number>>,
): string[] {
  const names = Object.keys(flags) as Name[];
  return names.flatMap((name) => (numbers[name] === flags[name].fallback ? [] : [`--${name}`, String(numbers[name])]));
}

const EXAMPLES = {
  memory: [
    "alphapulse load memory                                 10 s, 20,000 records a second, 3 readers, one of them lazy",
    "alphapulse load memory --rate 100000 --readers 2 --lazy 0 --seconds 60",
  ],
  arbitrage: [
    "alphapulse load arbitrage                              3 exchanges x 10 pairs x 300 s",
    "alphapulse load arbitrage --seconds 20 --symbols 3",
  ],
  stream: [
    "alphapulse load stream                                 50 clients of a demo that runs here",
    "alphapulse load stream --url ws://127.0.0.1:8765/ws --clients 100 --seconds 60",
  ],
} as const;

const OUTPUT =
  "The report goes to standard output, progress to standard error. Ctrl-C ends a load in order: the report says what was done.";

function help(...kinds: (keyof typeof EXAMPLES)[]): string {
  const lines = kinds.flatMap((kind) => EXAMPLES[kind].map((example) => `  ${example}`));
  return ["", "Examples:", ...lines, "", OUTPUT].join("\n");
}
