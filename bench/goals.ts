/**
 * The figures that ratios are judged by: `must` is the least, `goal` what we aim at. Keys P1 … P11 are those of the
 * project's list of goals. Bad case: a median that reaches the figure while its lower bound does not; that is a miss.
 */

/** A figure to reach with the lower 95 % bound of other ÷ ours. */
export type Goal = { what: string; must: number; goal: number };

/** How a ratio stands. */
export type Verdict = "goal" | "must" | "missed" | "too few rounds";

/** Every figure that this suite judges. */
export const GOALS = {
  P1: { what: "frame → book, hash and records against JSON.parse alone", must: 2, goal: 5 },
  P1_KRAKEN: { what: "the same with every CRC32 verified (Kraken)", must: 1.3, goal: 3 },
  P2: { what: "frame → book, hash and records against the baseline book", must: 4, goal: 10 },
  P4: { what: "delta at 45,000 levels against the diff of two whole books", must: 1000, goal: 10_000 },
  P5: { what: "ring: writer cost with a live reader, C twin (sequentially consistent) ÷ ours", must: 0.5, goal: 0.77 },
  P5_RELEASE: { what: "the same, C twin (release) ÷ ours", must: 0.33, goal: 0.5 },
  P6: { what: "one-way latency between processes, Unix socket in C ÷ ours", must: 10, goal: 20 },
  P6_CORE: { what: "the machine's own core-to-core ping in C ÷ ours", must: 0.25, goal: 0.4 },
  P7: { what: "ring throughput between processes, every record verified, against MessagePort", must: 30, goal: 100 },
  P8: { what: "writer without readers ÷ writer with stalled, stopped or killed ones", must: 0.9, goal: 0.98 },
  P9: { what: "Python reader, batches into numpy, against struct.unpack per record", must: 5, goal: 20 },
  P10: { what: "wire bytes per level entry against the exchange's JSON", must: 5, goal: 8 },
  P10_DEFLATE: { what: "the same against that JSON under permessage-deflate with context", must: 1.1, goal: 1.4 },
  P11: { what: "encode and decode of a delta against JSON.stringify and JSON.parse", must: 5, goal: 10 },
  P12: { what: "fan-out: deliveries per server core against ws broadcasting the same", must: 3, goal: 10 },
  P12_SEND: { what: "the same against uWebSockets.js `send` per delta", must: 2, goal: 5 },
  C8: { what: "p99 of the others' latency without a stalled client ÷ with one", must: 0.833, goal: 0.95 },
} as const satisfies Record<string, Goal>;

/** Key of a figure. */
export type GoalKey = keyof typeof GOALS;

/** @param low lower bound of the ratio */
export function verdictOf({ must, goal }: Goal, low: number): Verdict {
  if (low >= goal) {
    return "goal";
  }
  return low >= must ? "must" : "missed";
}

/** A goal's key as people write it, e.g. `P1`. */
export function goalName(key: GoalKey): string {
  return key.split("_")[0] ?? key;
}
