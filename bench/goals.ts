/**
 * The figures that measurements are judged by: `must` is the least, `goal` what we aim at. P1 … P15 are the project's
 * goals; a goal with several parts has one key for each, `P12` and `P12_SEND`, and is judged by its worst case.
 * Bad case: a median that reaches the figure while its unfavourable 95 % bound does not; that is a miss.
 */

/**
 * How a figure is made and judged. `faster`: other ÷ ours, at least. `cost`: ours ÷ other, at most. `limit`: ours alone,
 * at most. All three by the unfavourable 95 % bootstrap bound. `worst`: ours alone, at most, by the greatest sample.
 */
export type GoalSense = "faster" | "cost" | "limit" | "worst";

/** A figure to reach. */
export type Goal = {
  what: string;
  /** The other side; `–` when ours stands alone. */
  baseline: string;
  sense: GoalSense;
  /** Of `must` and `goal`; ratios are in `×`. */
  unit: string;
  must: number;
  goal: number;
};

/** How a figure stands. */
export type Verdict = "goal" | "must" | "missed" | "too few rounds";

const RATIO = { unit: "×" } as const;

/** Every figure that this suite judges. */
export const GOALS = {
  P1: {
    what: "frame → book, hash and records in the ring",
    baseline: "JSON.parse alone",
    sense: "faster",
    ...RATIO,
    must: 2,
    goal: 5,
  },
  P1_KRAKEN: {
    what: "the same with every CRC32 verified (Kraken)",
    baseline: "JSON.parse alone",
    sense: "faster",
    ...RATIO,
    must: 1.3,
    goal: 3,
  },
  P2: {
    what: "frame → book, hash and records in the ring",
    baseline: "baseline book",
    sense: "faster",
    ...RATIO,
    must: 4,
    goal: 10,
  },
  P3: {
    what: "frame → book, hash and records in the ring",
    baseline: "tardis-dev and ccxt into their books",
    sense: "faster",
    ...RATIO,
    must: 5,
    goal: 12,
  },
  P4: {
    what: "delta at 45,000 levels, 10 changes an update",
    baseline: "diff of two whole books in hash maps",
    sense: "faster",
    ...RATIO,
    must: 1000,
    goal: 10_000,
  },
  P5: {
    what: "ring: writer's cost per record with a live reader",
    baseline: "C twin, sequentially consistent",
    sense: "cost",
    ...RATIO,
    must: 2,
    goal: 1.3,
  },
  P5_RELEASE: {
    what: "ring: writer's cost per record with a live reader",
    baseline: "C twin, release",
    sense: "cost",
    ...RATIO,
    must: 3,
    goal: 2,
  },
  P6: {
    what: "one-way latency between processes, spinning",
    baseline: "Unix-socket ping-pong",
    sense: "faster",
    ...RATIO,
    must: 10,
    goal: 20,
  },
  P6_CORE: {
    what: "one-way latency between processes, spinning",
    baseline: "the machine's own core-to-core ping",
    sense: "cost",
    ...RATIO,
    must: 4,
    goal: 2.5,
  },
  P7: {
    what: "ring throughput between processes, every record verified",
    baseline: "MessagePort",
    sense: "faster",
    ...RATIO,
    must: 30,
    goal: 100,
  },
  P8: {
    what: "writer's rate with stalled, stopped or killed readers, of its rate",
    baseline: "writer without readers",
    sense: "faster",
    ...RATIO,
    must: 0.9,
    goal: 0.98,
  },
  P9: {
    what: "Python reader, batches into numpy",
    baseline: "struct.unpack per record",
    sense: "faster",
    ...RATIO,
    must: 5,
    goal: 20,
  },
  P10: {
    what: "wire bytes per level entry of the exchange",
    baseline: "the exchange's JSON",
    sense: "faster",
    ...RATIO,
    must: 5,
    goal: 8,
  },
  P10_DEFLATE: {
    what: "wire bytes per level entry of the exchange",
    baseline: "that JSON under permessage-deflate with context",
    sense: "faster",
    ...RATIO,
    must: 1.1,
    goal: 1.4,
  },
  P11: {
    what: "encode and decode of a delta",
    baseline: "JSON.stringify and JSON.parse of it",
    sense: "faster",
    ...RATIO,
    must: 5,
    goal: 10,
  },
  P12: {
    what: "fan-out: deliveries per second of a server's core",
    baseline: "ws broadcasting the same",
    sense: "faster",
    ...RATIO,
    must: 3,
    goal: 10,
  },
  P12_SEND: {
    what: "fan-out: deliveries per second of a server's core",
    baseline: "uWebSockets.js send per delta",
    sense: "faster",
    ...RATIO,
    must: 2,
    goal: 5,
  },
  P13: {
    what: "exchange socket → client socket at 10,000 frames/s, p50 and p99",
    baseline: "the bare pipe of the same run",
    sense: "cost",
    ...RATIO,
    must: 2.5,
    goal: 1.5,
  },
  P13_STACK: {
    what: "exchange socket → client socket at 10,000 frames/s, p50 and p99",
    baseline: "ws + JSON.parse + Map + JSON.stringify",
    sense: "faster",
    ...RATIO,
    must: 3,
    goal: 10,
  },
  P14: {
    what: "garbage of a collector on a WebSocket, at the rate that it reaches",
    baseline: "–",
    sense: "limit",
    unit: "B/frame",
    must: 1024,
    goal: 32,
  },
  P14_KERNEL: {
    what: "garbage at 100,000 frames/s from memory",
    baseline: "–",
    sense: "limit",
    unit: "B/frame",
    must: 0,
    goal: 0,
  },
  P14_PAUSE: {
    what: "longest pause of the garbage collector",
    baseline: "–",
    sense: "worst",
    unit: "ms",
    must: 5,
    goal: 2,
  },
  P15: {
    what: "arenas of producer books, images and replicas, 100 books of 45,000 levels",
    baseline: "–",
    sense: "limit",
    unit: "MB",
    must: 600,
    goal: 350,
  },
  DAY: {
    what: "CPU time to replay the worst day known, 267 million level updates",
    baseline: "–",
    sense: "limit",
    unit: "s",
    must: 270,
    goal: 270,
  },
  C8: {
    what: "p99 of the others' latency with a stalled client",
    baseline: "without one",
    sense: "cost",
    ...RATIO,
    must: 1.2,
    goal: 1.05,
  },
} as const satisfies Record<string, Goal>;

/** Key of a figure. */
export type GoalKey = keyof typeof GOALS;

/** The goals of the final table, in its order. */
export const GOAL_NAMES = [
  "P1",
  "P2",
  "P3",
  "P4",
  "P5",
  "P6",
  "P7",
  "P8",
  "P9",
  "P10",
  "P11",
  "P12",
  "P13",
  "P14",
  "P15",
] as const satisfies readonly GoalKey[];

/** A goal of the final table. */
export type GoalName = (typeof GOAL_NAMES)[number];

/**
 * Judges the unfavourable bound of a figure.
 * @param figure in the goal's own sense: the lower bound of other ÷ ours, the upper one of everything else
 */
export function verdictOf({ sense, must, goal }: Goal, figure: number): Verdict {
  const reaches = (asked: number) => (sense === "faster" ? figure >= asked : figure <= asked);
  if (reaches(goal)) {
    return "goal";
  }
  return reaches(must) ? "must" : "missed";
}

/** Keys of a goal's parts, e.g. `P12` and `P12_SEND`. */
export function goalParts(name: GoalName): GoalKey[] {
  return (Object.keys(GOALS) as GoalKey[]).filter((key) => goalName(key) === name);
}

/** A goal's key as people write it, e.g. `P1`. */
export function goalName(key: GoalKey): string {
  return key.split("_")[0] ?? key;
}
