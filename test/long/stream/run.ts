/**
 * One run of the stream through all of its consumers, and what it found: the client library's book, the kernel's replica
 * and, where it is at hand, the Python package's. Used by the long run and, small, by the integration tests.
 * Bad case: consumers that were given different frames; the accounts are compared, and the difference is a problem.
 */
import { BookConsumer, ClientBook, ReplicaFrames, ReplicaGround } from "./books.ts";
import type { SourceCounts, SourceRates } from "./channel.ts";
import type { ConsumerAccount } from "./parts.ts";
import { PythonConsumers } from "./python.ts";
import type { RingFlips } from "./ring_trials.ts";
import { StreamSource } from "./source.ts";

/** How a run goes. */
export type StreamRunOptions = {
  readonly seed: number;
  readonly rates: SourceRates;
  /** Frames of Coinbase Exchange that are told first. */
  readonly captured: readonly string[];
  /** Python processes that share the views; 0 = none. */
  readonly pythons: number;
  readonly onProgress?: (changes: number) => void;
};

/** What a run found. */
export type StreamResult = {
  /** Level changes in the frames that every consumer took. */
  readonly changes: number;
  readonly source: SourceCounts;
  /** Of the gateway's replicas behind the ring. */
  readonly ringFlips: RingFlips;
  readonly consumers: readonly ConsumerAccount[];
  /** Whatever contradicts the promise; empty when it holds. */
  readonly problems: readonly string[];
  readonly seconds: number;
};

const BURSTS_PER_LOOK = 64;

/**
 * Runs until at least so many changes went through.
 * @throws Error when the producer's side fails, or a Python process does
 */
export async function runStream(wanted: number, options: StreamRunOptions): Promise<StreamResult> {
  const startedAt = performance.now();
  const replicas = new ReplicaGround();
  const kernel = new BookConsumer("kernel replica", () => new ReplicaFrames(replicas));
  const client = new BookConsumer("client StreamBook", () => new ClientBook());
  const python = options.pythons > 0 ? new PythonConsumers(options.pythons) : undefined;
  const consumers = [client, kernel, ...(python === undefined ? [] : [python])];
  try {
    const source = new StreamSource(consumers, options);
    while (kernel.changes < wanted) {
      for (let index = 0; index < BURSTS_PER_LOOK; index++) {
        source.burst();
      }
      await python?.settle();
      options.onProgress?.(kernel.changes);
    }
    source.finish();
    const accounts = await Promise.all(consumers.map((consumer) => consumer.finish()));
    return {
      changes: kernel.changes,
      source: source.counts,
      ringFlips: source.ringTrials.counts,
      consumers: accounts,
      problems: judge(source, accounts),
      seconds: Math.round((performance.now() - startedAt) / 100) / 10,
    };
  } finally {
    await python?.kill();
  }
}

/** Every consumer was given everything, judged every flipped bit and saw it. */
function judge({ counts, ringTrials }: StreamSource, accounts: readonly ConsumerAccount[]): string[] {
  const problems = accounts.flatMap(({ name, problems }) => problems.map((problem) => `${name}: ${problem}`));
  const wanted = { frames: counts.frames, bytes: counts.bytes, trials: counts.flips };
  for (const { name, frames, bytes, trials, proofs, books } of accounts) {
    if (JSON.stringify({ frames, bytes, trials }) !== JSON.stringify(wanted)) {
      problems.push(`${name} took ${JSON.stringify({ frames, bytes, trials })}, given were ${JSON.stringify(wanted)}`);
    }
    if (proofs !== accounts[0]?.proofs || books !== accounts[0]?.books) {
      problems.push(`${name} was compared otherwise than the others: ${proofs} hashes, ${books} books`);
    }
  }
  if (ringTrials.counts.undetected > 0) {
    problems.push(`${ringTrials.counts.undetected} flipped bits of records were not seen`);
  }
  return problems;
}
