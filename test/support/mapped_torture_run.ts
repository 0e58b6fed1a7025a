/**
 * The torture of the rings across processes: a producer at full speed on a tiny ring that is killed and started again now
 * and then; three readers in processes of their own, one of them in Python where it is at hand, that judge every record and
 * account for all of them; one of them, and the producer, stopped and continued at random; and a fourth that is killed and
 * replaced all the time. Whoever reads an epoch must have received or lost exactly what its producer published.
 * Bad case: a producer that is stopped so long that the run takes for ever; stops are short.
 */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { HEADER_DELTA_TAIL, HEADER_EPOCH, HEADER_TRADE_TAIL } from "../../assembly/layout.ts";
import { packageFolder } from "../../src/assets.ts";
import { bundleScript, type Child, endChild, holds, pause, segmentFolder, startChild } from "./mapped_child.ts";
import type { TortureEnd } from "./mapped_torture_producer.ts";
import type { RingAccount, TortureSummary } from "./mapped_torture_reader.ts";
import { SeededRandom } from "./seeded_random.ts";

/** What a run found. */
export type TortureResult = {
  readonly seed: number;
  readonly capacity: number;
  /** Published in all epochs. */
  readonly records: number;
  readonly trades: number;
  readonly epochs: number;
  readonly seconds: number;
  readonly stops: number;
  /** Readers and producers that were killed. */
  readonly readerKills: number;
  readonly producerKills: number;
  readonly readers: readonly TortureReaderResult[];
  /** Whatever contradicts the promise; empty when it holds. */
  readonly problems: readonly string[];
};

/** What one reader did in all epochs. */
export type TortureReaderResult = {
  readonly name: string;
  readonly epochs: number;
  readonly received: number;
  readonly lost: number;
  readonly tradesReceived: number;
  readonly tradesLost: number;
  readonly laps: number;
  readonly joins: number;
  readonly failedJoins: number;
  readonly images: number;
  readonly applied: number;
  readonly cells: number;
  readonly torn: number;
};

/** How a run goes. */
export type TortureOptions = {
  readonly seed: number;
  /** Delta records that the ring holds; a power of two. Default 256. */
  readonly capacity?: number;
  /** The producer ends behind them, with fewer records. */
  readonly seconds?: number;
  /** Mean time between kills of the producer. Default 4000. */
  readonly killMs?: number;
  readonly onProgress?: (records: number) => void;
};

const NODE_READERS = 2;
const STOP_MS = 60;
const LONG_STOP_MS = 600;
const GO_MS = 150;
const VICTIM_MS = 1500;
const START_MS = 60_000;
const END_MS = 120_000;
const PROGRESS_MS = 1000;
const SEGMENT_FILE = "coinbase_exchange.seg";
const PYTHON = process.env.ALPHAPULSE_PYTHON ?? "python3";
/** A producer is not killed so near to the end that a reader could miss the last epoch. */
const LAST_SHARE = 0.2;
const LAST_MS = 1000;

/** Python can read: it has numpy. */
export function hasPythonReader(): boolean {
  try {
    execFileSync(PYTHON, ["-c", "import numpy"], { stdio: "ignore" });
    return true;
  } catch (error) {
    return !(error instanceof Error);
  }
}

/** @param records delta records to publish, all epochs together */
export async function runTorture(records: number, options: TortureOptions): Promise<TortureResult> {
  const run = new TortureRun(await bundleScript("mapped_torture"), records, options);
  try {
    return await run.result();
  } finally {
    await run.end();
  }
}

/** One run and its processes. */
class TortureRun {
  readonly #script: string;
  readonly #records: number;
  readonly #options: TortureOptions;
  readonly #directory = segmentFolder();
  readonly #said = new Map<Child, string[]>();
  readonly #ends = new Map<string, TortureEnd>();
  readonly #problems: string[] = [];
  #producer: Child | undefined;
  #published = 0;
  #isOver = false;
  #producerKills = 0;

  constructor(...[script, records, options]: [string, number, TortureOptions]) {
    this.#script = script;
    this.#records = records;
    this.#options = options;
  }

  /** Runs to the end. */
  async result(): Promise<TortureResult> {
    const { seed, capacity = 256 } = this.#options;
    const readers = Array.from({ length: NODE_READERS }, (_, index) => this.#startReader(index + 1));
    readers.push(hasPythonReader() ? this.#startPython(NODE_READERS + 1) : this.#startReader(NODE_READERS + 1));
    const startedAt = performance.now();
    const disturbing = [this.#disturb(readers), this.#sacrifice(), this.#watch()] as const;
    await this.#produce();
    const seconds = Math.round((performance.now() - startedAt) / 100) / 10;
    this.#isOver = true;
    const [stops, readerKills] = await Promise.all(disturbing);
    const results: TortureReaderResult[] = [];
    for (const reader of readers) {
      await this.#ended(reader);
      results.push(this.#judge(reader));
    }
    const ends = [...this.#ends.values()];
    return {
      seed,
      capacity,
      records: sum(ends.map(({ tail }) => tail)),
      trades: sum(ends.map(({ tradeTail }) => tradeTail)),
      epochs: ends.length,
      seconds,
      stops,
      readerKills,
      producerKills: this.#producerKills,
      readers: results,
      problems: this.#problems,
    };
  }

  /** Nothing of it stays. */
  async end(): Promise<void> {
    this.#isOver = true;
    await Promise.all([...this.#said.keys()].map((child) => endChild(child)));
    rmSync(this.#directory, { recursive: true, force: true });
  }

  #start(name: string, words: string[], environment: Record<string, string> = {}): Child {
    const lines: string[] = [];
    const child = startChild(name, words, { lines: { out: (line) => lines.push(line) }, environment });
    this.#said.set(child, lines);
    return child;
  }

  #startReader(index: number): Child {
    const words = ["read", this.#directory, String(this.#options.seed + index)];
    return this.#start(`reader ${index}`, [process.execPath, this.#script, ...words]);
  }

  #startPython(index: number): Child {
    const folder = packageFolder();
    const script = join(folder, "test/support/mapped_torture.py");
    const environment = { PYTHONPATH: join(folder, "python/src"), PYTHONDONTWRITEBYTECODE: "1" };
    return this.#start(
      `reader ${index} (python)`,
      [PYTHON, script, this.#directory, String(this.#options.seed + index)],
      environment,
    );
  }

  /** Producers one after the other until everything is published. */
  async #produce(): Promise<void> {
    const { seed, seconds = Number.POSITIVE_INFINITY, capacity = 256, killMs = 4000 } = this.#options;
    const random = new SeededRandom(seed);
    const until = performance.now() + seconds * 1000;
    for (let epoch = 0; this.#published < this.#records; epoch++) {
      const rest = [this.#records - this.#published, seed + epoch, (until - performance.now()) / 1000, capacity];
      const words = ["produce", this.#directory, ...rest.map(String)];
      const producer = this.#start(`producer ${epoch}`, [process.execPath, this.#script, ...words]);
      const lines = this.#said.get(producer) ?? [];
      this.#producer = producer;
      if (!(await holds(() => lines.includes("ready") || isGone(producer), START_MS)) || isGone(producer)) {
        throw new Error(`Cannot start the producer: it did not say so, was ${producer.stderr()}`);
      }
      await holds(() => isGone(producer), random.below(2 * killMs));
      const tail = isGone(producer) ? undefined : this.#tails()?.tail;
      const wouldStay = this.#records - this.#published - (tail ?? this.#records);
      if (wouldStay > this.#records * LAST_SHARE && performance.now() < until - LAST_MS) {
        await endChild(producer);
        this.#producerKills += 1;
        this.#note(this.#tails());
        continue;
      }
      await this.#ended(producer);
      this.#note(JSON.parse(lines[1] ?? "null") as TortureEnd | null);
      return;
    }
  }

  /** How far a producer came, by its file; undefined when it took it away. */
  #tails(): TortureEnd | undefined {
    const path = join(this.#directory, SEGMENT_FILE);
    if (!existsSync(path)) {
      return undefined;
    }
    const bytes = readFileSync(path);
    const count = (offset: number) => Number(bytes.readBigUInt64LE(offset));
    return {
      epoch: String(bytes.readBigUInt64LE(HEADER_EPOCH)),
      tail: count(HEADER_DELTA_TAIL),
      tradeTail: count(HEADER_TRADE_TAIL),
    };
  }

  #note(end: TortureEnd | null | undefined): void {
    if (end === null || end === undefined) {
      this.#problems.push("a producer did not say how far it came");
      return;
    }
    this.#ends.set(end.epoch, end);
    this.#published += end.tail;
  }

  async #ended(child: Child): Promise<void> {
    const hasEnded = await holds(() => isGone(child), END_MS);
    const status = hasEnded ? await child.ended : "running";
    if (status !== 0 || child.stderr() !== "") {
      this.#problems.push(`${child.name} ended with ${status}: ${child.stderr()}`);
    }
  }

  /** Every record of every epoch was received or lost, none was torn, the books were there at the end. */
  #judge(reader: Child): TortureReaderResult {
    const summaries = (this.#said.get(reader) ?? []).map((line) => JSON.parse(line) as TortureSummary);
    const problem = (text: string) => this.#problems.push(`${reader.name}: ${text}`);
    for (const { epoch, deltas, trades, torn, isFollowing } of summaries) {
      const end = this.#ends.get(epoch);
      if (end === undefined) {
        problem(`epoch ${epoch} was never produced`);
        continue;
      }
      const faults = [...accountFaults("deltas", deltas, end.tail), ...accountFaults("trades", trades, end.tradeTail)];
      for (const fault of faults) {
        problem(`epoch ${epoch}: ${fault}`);
      }
      if (Object.keys(torn).length > 0) {
        problem(`epoch ${epoch}: torn: ${JSON.stringify(torn)}`);
      }
      if (!isFollowing) {
        problem(`epoch ${epoch}: a book was not there at the end`);
      }
    }
    const total = (value: (summary: TortureSummary) => number) => sum(summaries.map(value));
    const result = {
      name: reader.name,
      epochs: summaries.length,
      received: total(({ deltas }) => deltas.received),
      lost: total(({ deltas }) => deltas.lost),
      tradesReceived: total(({ trades }) => trades.received),
      tradesLost: total(({ trades }) => trades.lost),
      laps: total(({ laps }) => laps),
      joins: total(({ joins }) => joins),
      failedJoins: total(({ failedJoins }) => failedJoins),
      images: total(({ images }) => images),
      applied: total(({ applied }) => applied),
      cells: total(({ cells }) => cells),
      torn: total(({ torn }) => sum(Object.values(torn))),
    };
    if (result.received === 0) {
      problem("it received nothing");
    }
    return result;
  }

  /** Stops and continues a reader and the producer at random. @returns how often */
  async #disturb(readers: readonly Child[]): Promise<number> {
    const random = new SeededRandom(this.#options.seed + 100);
    let stops = 0;
    while (!this.#isOver) {
      const [first, , last] = readers;
      const chosen = random.pick([first, first, last, this.#producer].filter((child) => child !== undefined));
      chosen.child.kill("SIGSTOP");
      await pause(random.below(chosen === first && random.below(10) === 0 ? LONG_STOP_MS : STOP_MS));
      chosen.child.kill("SIGCONT");
      stops += 1;
      await pause(random.below(GO_MS));
    }
    return stops;
  }

  /** Starts a reader and kills it, at any point of its life. @returns how often */
  async #sacrifice(): Promise<number> {
    const random = new SeededRandom(this.#options.seed + 200);
    let kills = 0;
    while (!this.#isOver) {
      const victim = this.#startReader(NODE_READERS + 2);
      await pause(random.below(VICTIM_MS));
      await endChild(victim);
      this.#said.delete(victim);
      kills += 1;
      await pause(random.below(VICTIM_MS));
    }
    return kills;
  }

  async #watch(): Promise<void> {
    while (!this.#isOver) {
      await pause(PROGRESS_MS);
      const current = this.#tails();
      const isNoted = current === undefined || this.#ends.has(current.epoch);
      this.#options.onProgress?.(this.#published + (isNoted ? 0 : current.tail));
    }
  }
}

function accountFaults(what: string, { start, received, lost, cursor }: RingAccount, tail: number): string[] {
  const faults = start + received + lost === tail ? [] : [`${start} + ${received} + ${lost} ${what} is not ${tail}`];
  return cursor === tail ? faults : [...faults, `${what} ended at ${cursor} of ${tail}`];
}

function isGone({ child }: Child): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
