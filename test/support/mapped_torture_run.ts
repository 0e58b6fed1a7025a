/**
 * The torture of the ring across processes: one producer at full speed on a ring of 256 records; three readers in
 * processes of their own that verify every record by version and hash; one of them is stopped and continued at random,
 * with the producer too, and a fourth reader is killed and started again all the time. Everybody accounts for every record.
 * Bad case: a producer that is stopped so long that the run takes for ever; stops are short.
 */
import { rmSync } from "node:fs";
import { bundleScript, type Child, endChild, holds, pause, segmentFolder, startChild } from "./mapped_child.ts";
import type { TortureSummary } from "./mapped_torture.ts";
import { SeededRandom } from "./seeded_random.ts";

/** What a run found. */
export type TortureResult = {
  readonly seed: number;
  /** Delta records published. */
  readonly records: number;
  readonly seconds: number;
  readonly stops: number;
  readonly kills: number;
  readonly readers: readonly TortureSummary[];
  /** Whatever contradicts the promise; empty when it holds. */
  readonly problems: readonly string[];
};

const READERS = 3;
const STOP_MS = 60;
const GO_MS = 100;
const VICTIM_MS = 400;
const START_MS = 60_000;

/**
 * @param records frames to apply: each is a record, snapshots a few more
 * @param options.seconds the producer ends behind them, with fewer records
 */
export async function runTorture(
  records: number,
  { seed, seconds: limit = Number.POSITIVE_INFINITY }: { seed: number; seconds?: number },
): Promise<TortureResult> {
  const script = await bundleScript("mapped_torture");
  const directory = segmentFolder();
  const said = new Map<Child, string[]>();
  const start = (name: string, words: string[]) => {
    const lines: string[] = [];
    const child = startChild(name, [process.execPath, script, ...words], {
      lines: { out: (line) => lines.push(line) },
    });
    said.set(child, lines);
    return child;
  };
  const startReader = (index: number) => start(`reader ${index}`, ["read", directory, "0", String(seed + index)]);
  try {
    const readers = Array.from({ length: READERS }, (_, index) => startReader(index + 1));
    const producer = start("producer", ["produce", directory, String(records), String(seed), String(limit)]);
    if (!(await holds(() => said.get(producer)?.includes("ready") === true, START_MS))) {
      throw new Error(`Cannot start the producer: it did not say so, was ${producer.stderr()}`);
    }
    const startedAt = performance.now();
    const state = { isOver: false };
    const random = new SeededRandom(seed);
    const disturbing = [
      disturb([readers[0] ?? producer, producer], { random, isOver: () => state.isOver }),
      sacrifice(() => startReader(READERS + 1), { random: new SeededRandom(seed + 1), isOver: () => state.isOver }),
    ];
    const problems = ended(producer, await producer.ended);
    state.isOver = true;
    const [stops = 0, kills = 0] = await Promise.all(disturbing);
    const seconds = Math.round((performance.now() - startedAt) / 100) / 10;
    const { tail } = JSON.parse(said.get(producer)?.[1] ?? "{}") as { tail: number };
    const summaries: TortureSummary[] = [];
    for (const reader of readers) {
      problems.push(...ended(reader, await reader.ended));
      const summary = JSON.parse(said.get(reader)?.[0] ?? "null") as TortureSummary | null;
      problems.push(...(summary === null ? [`${reader.name} said nothing`] : accounts(reader.name, summary, tail)));
      summaries.push(...(summary === null ? [] : [summary]));
    }
    return { seed, records: tail, seconds, stops, kills, readers: summaries, problems };
  } finally {
    await Promise.all([...said.keys()].map((child) => endChild(child)));
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Every record was received or lost, none was torn, the books are followed to the end. */
function accounts(name: string, summary: TortureSummary, tail: number): string[] {
  const { start, received, lost, cursor, torn, isFollowing, applied } = summary;
  const checks: [boolean, string][] = [
    [start + received + lost === tail, `${start} + ${received} received + ${lost} lost is not ${tail}`],
    [cursor === tail, `it ended at ${cursor} of ${tail}`],
    [Object.keys(torn).length === 0, `torn: ${JSON.stringify(torn)}`],
    [isFollowing, "its books do not follow"],
    [applied > 0, "it applied nothing"],
  ];
  return checks.flatMap(([isGood, problem]) => (isGood ? [] : [`${name}: ${problem}`]));
}

function ended(child: Child, status: number | null): string[] {
  const isGood = status === 0 && child.stderr() === "";
  return isGood ? [] : [`${child.name} ended with ${status}: ${child.stderr()}`];
}

type Disturbance = { random: SeededRandom; isOver: () => boolean };

/** Stops and continues processes at random until told to end. @returns how often */
async function disturb(children: readonly Child[], { random, isOver }: Disturbance): Promise<number> {
  let stops = 0;
  while (!isOver()) {
    const { child } = random.pick(children);
    child.kill("SIGSTOP");
    await pause(random.below(STOP_MS));
    child.kill("SIGCONT");
    stops += 1;
    await pause(random.below(GO_MS));
  }
  return stops;
}

/** Starts a reader and kills it, at any point of its life, until told to end. @returns how often */
async function sacrifice(start: () => Child, { random, isOver }: Disturbance): Promise<number> {
  let kills = 0;
  while (!isOver()) {
    const victim = start();
    await pause(random.below(VICTIM_MS));
    await endChild(victim);
    kills += 1;
    await pause(random.below(VICTIM_MS));
  }
  return kills;
}
