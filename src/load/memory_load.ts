/**
 * The shared-memory load: one producer and some readers, each a process of its own, over a segment in a folder that is
 * removed afterwards. It passes when every reader received or lost exactly what was produced, every record was what its
 * version says, and all books ended synced and alike by version and hash.
 * Bad case: a process that dies; the load ends at once, with what is known, and fails.
 */
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Latencies } from "./histogram.ts";
import type { MemoryEnd, MemoryOrder } from "./memory_producer.ts";
import type { MemoryFindings, MemoryReaderOptions } from "./memory_reader.ts";
import { ProgramPart } from "./part.ts";
import { atLeast, atMost, type LoadOutcome, type Threshold } from "./report.ts";

/** How the load is. */
export type MemoryLoadOptions = Omit<MemoryOrder, "directory"> & {
  readonly readers: number;
  /** How many of them stand still now and then until the ring has gone round. */
  readonly lazy: number;
  /** Thresholds: p99 of readers that never stand still, ms; share of the wanted rate that must be reached. */
  readonly p99Ms: number;
  readonly rateShare: number;
};

/** What surrounds a load. */
export type LoadGround = {
  /** Settles when the user ends it. */
  readonly stopped: Promise<unknown>;
  /** Takes a line of progress. */
  readonly tell: (line: string) => void;
};

/** From the producer's process. */
export type ProducerMessage =
  | { readonly kind: "ready" }
  | { readonly kind: "progress"; readonly marked: number }
  | { readonly kind: "end"; readonly end: MemoryEnd };
/** To the producer's process. */
export type ProducerOrder = { readonly kind: "go" | "stop" };
/** From a reader's process. */
export type ReaderMessage =
  | { readonly kind: "attached" }
  | { readonly kind: "findings"; readonly findings: MemoryFindings };
/** To a reader's process. */
export type ReaderOrder = { readonly kind: "conclude"; readonly end: MemoryEnd } | { readonly kind: "stop" };

/** Words of the processes, behind the program's name; options follow as JSON. */
export const PRODUCER_WORDS = ["load", "memory-producer"] as const;
/** The same of a reader. */
export const READER_WORDS = ["load", "memory-reader"] as const;

/** For the readers to come to the end, once everything is published. */
const FINISH_MS = 60_000;
const NAP_EVERY_MS = 500;
/** A lazy reader stands still until the ring has gone round so often. */
const NAP_LAPS = 1.5;

type Reader = { readonly name: string; readonly isLazy: boolean; readonly part: ProgramPart };

/** Runs it. @throws ConnectionError when a process cannot be started */
export async function runMemoryLoad(options: MemoryLoadOptions, ground: LoadGround): Promise<LoadOutcome> {
  const directory = mkdtempSync(join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), "alphapulse-load-"));
  const parts: ProgramPart[] = [];
  try {
    return await runIn(directory, parts, { options, ground });
  } finally {
    await Promise.all(parts.map((part) => part.end()));
    rmSync(directory, { recursive: true, force: true });
  }
}

async function runIn(
  directory: string,
  parts: ProgramPart[],
  { options, ground }: { options: MemoryLoadOptions; ground: LoadGround },
): Promise<LoadOutcome> {
  const { rate, seconds, records, capacity } = options;
  const order: MemoryOrder = { directory, rate, seconds, records, capacity };
  const producer = new ProgramPart("the producer", [...PRODUCER_WORDS, JSON.stringify(order)], {
    onMessage: (message) => {
      const said = message as ProducerMessage;
      if (said.kind === "progress") {
        ground.tell(`${said.marked.toLocaleString("en")} records published`);
      }
    },
  });
  parts.push(producer);
  await producer.next((message) => ((message as ProducerMessage).kind === "ready" ? true : undefined));
  const readers = Array.from({ length: options.readers }, (_, index) => startReader(index, { directory, options }));
  parts.push(...readers.map(({ part }) => part));
  await Promise.all(
    readers.map(({ part }) => part.next((said) => ((said as ReaderMessage).kind === "attached" ? true : undefined))),
  );
  ground.tell(`${readers.length} readers attached`);

  let wasStopped = false;
  void ground.stopped.then(() => {
    wasStopped = true;
    producer.say({ kind: "stop" } satisfies ProducerOrder);
  });
  const ended = producer.next((message) => endOf(message as ProducerMessage), seconds * 1000 + FINISH_MS);
  producer.say({ kind: "go" } satisfies ProducerOrder);
  const end = await Promise.race([ended, ...readers.map(({ part }) => part.died())]);
  ground.tell(`${end.deltas.toLocaleString("en")} deltas and ${end.trades.toLocaleString("en")} trades published`);
  const found = readers.map(({ part }) => part.next((said) => findingsOf(said as ReaderMessage), 2 * FINISH_MS));
  for (const { part } of readers) {
    part.say({ kind: "conclude", end } satisfies ReaderOrder);
  }
  const timer = setTimeout(() => {
    for (const { part } of readers) {
      part.say({ kind: "stop" } satisfies ReaderOrder);
    }
  }, FINISH_MS);
  const findings = await Promise.all(found);
  clearTimeout(timer);
  return conclude(options, end, { readers, findings, wasStopped });
}

function startReader(index: number, { directory, options }: { directory: string; options: MemoryLoadOptions }): Reader {
  const isLazy = index >= options.readers - options.lazy;
  const name = `${isLazy ? "lazy reader" : "reader"} ${index + 1}`;
  const reader: MemoryReaderOptions = {
    directory,
    name,
    napMs: isLazy ? Math.ceil((NAP_LAPS * options.capacity * 1000) / options.rate) : 0,
    napEveryMs: isLazy ? NAP_EVERY_MS : Number.MAX_SAFE_INTEGER,
  };
  return { name, isLazy, part: new ProgramPart(name, [...READER_WORDS, JSON.stringify(reader)]) };
}

function endOf(message: ProducerMessage): MemoryEnd | undefined {
  return message.kind === "end" ? message.end : undefined;
}

function findingsOf(message: ReaderMessage): MemoryFindings | undefined {
  return message.kind === "findings" ? message.findings : undefined;
}

function conclude(
  options: MemoryLoadOptions,
  end: MemoryEnd,
  seen: { readers: readonly Reader[]; findings: readonly MemoryFindings[]; wasStopped: boolean },
): LoadOutcome {
  const { readers, findings, wasStopped } = seen;
  const latency = new Latencies();
  for (const [index, { latency: counts }] of findings.entries()) {
    if (readers[index]?.isLazy !== true) {
      latency.merge(counts);
    }
  }
  const isComplete = !wasStopped && end.marked >= Math.min(options.records, Math.floor(options.rate * options.seconds));
  const reached = end.marked / Math.max(end.seconds, 1e-9);
  const tested: Threshold[] = [
    atLeast("share of the wanted rate", round(reached / options.rate), wasStopped ? 0 : options.rateShare),
    atLeast("records verified by each reader", Math.min(...findings.map(({ verified }) => verified)), 1),
    ...(options.readers > options.lazy
      ? [atMost("p99 ms of readers that never stand still", latency.report().p99, options.p99Ms)]
      : []),
  ];
  return {
    isComplete,
    seconds: end.seconds,
    thresholds: tested,
    problems: findings.flatMap((one, index) => judgeReader(one, end).map((text) => `${readers[index]?.name}: ${text}`)),
    figures: {
      options: { ...options },
      published: { deltas: end.deltas, trades: end.trades, marked: end.marked },
      recordsPerSecond: Math.round(reached),
      lateMsMax: round(end.lateMsMax),
      latencyMs: latency.report(),
      readers: findings.map(({ deltas, trades, laps, verified, books }, index) => ({
        name: readers[index]?.name,
        deltas,
        trades,
        laps,
        verified,
        latencyP99Ms: latencyOf(findings[index]).p99,
        books,
      })),
    },
  };
}

/** What a reader's findings contradict. */
export function judgeReader(findings: MemoryFindings, end: MemoryEnd): string[] {
  const problems = [...findings.problems];
  for (const ring of ["deltas", "trades"] as const) {
    const { received, lost } = findings[ring];
    if (received + lost !== end[ring]) {
      problems.push(`${received} received + ${lost} lost ${ring} is not ${end[ring]} published`);
    }
  }
  for (const [native, version] of Object.entries(end.versions)) {
    const book = findings.books[native];
    if (book?.version !== String(version)) {
      problems.push(`${native}: the book ended at version ${book?.version}, the producer at ${version}`);
    } else if (book.hash !== findings.lastHashes[native]) {
      problems.push(`${native}: the book has hash ${book.hash}, its last record ${findings.lastHashes[native]}`);
    } else if (!book.isSynced) {
      problems.push(`${native}: the book ended at version ${book.version} and is not synced`);
    }
  }
  return problems;
}

function latencyOf(findings: MemoryFindings | undefined) {
  const latency = new Latencies();
  if (findings !== undefined) {
    latency.merge(findings.latency);
  }
  return latency.report();
}

function round(value: number): number {
  return Math.round(value * 1000) / 1000;
}
