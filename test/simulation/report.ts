/**
 * What a simulation reports: one object whose first keys are a contract with other programs, and how the objects of
 * several runs become one. Bad case: two runs of the same seed; their faults count twice.
 */

/** A promise that was broken. */
export type Violation = {
  readonly seed: number;
  /** Virtual time since the start of the world, s. */
  readonly atS: number;
  readonly exchange: string;
  /** Native; empty where it is about none in particular. */
  readonly instrument: string;
  /** Which invariant. */
  readonly what: string;
  readonly expected: string;
  readonly found: string;
  /** What happened around it. */
  readonly trace?: readonly string[];
};

/** Numbers by name. */
export type Counts = Record<string, number>;

/** The result of some worlds. */
export type Report = {
  seeds: number;
  /** Things that happened: frames, records, messages, requests, faults, states. */
  events: number;
  faults: Counts;
  faultsByClass: { A: number; B: number };
  /** Class A: ms during which a book was called right and was not. */
  wrongBookMs: number;
  /** Class A: events published as right while the book was not. */
  framesUntilInvalidMax: number;
  /** Class B, while REST answers: the longest time until a book that was not right was found or mended, ms. */
  undetectableMsMax: number;
  /** Resubscribes and snapshots asked for, per fault that an instrument met: the most. */
  resyncsPerFault: number;
  violations: Violation[];
  /** The same where a fault of REST or the death of a worker may have spoilt an audit meanwhile, ms. */
  undetectableSpoiltMsMax: number;
  faultsByExchange: Counts;
  /** `kind@exchange`: how often. */
  coverage: Counts;
  virtualSeconds: number;
  frames: number;
  records: number;
  /** Published events compared with the truth. */
  comparisons: number;
  /** Class B faults that made a book wrong. */
  wrongBooksB: number;
  resyncs: number;
  unsyncedMsMax: number;
  deaths: number;
  audits: number;
  /** How often readers were overtaken. */
  laps: number;
  /** Books of readers, hub and clients compared. */
  downstreamBooks: number;
  /** Versions that clients reached and proved, each compared by its hash. */
  downstreamVersions: number;
  /** Of the books level by level, and not by their hash alone. */
  downstreamBooksWhole: number;
  /** What was done to the stream, and what the clients made of it. */
  downstream: Counts;
  /** Of everything that happened, in all worlds. */
  hash: number;
};

/** Of nothing. */
export function emptyReport(): Report {
  return {
    seeds: 0,
    events: 0,
    faults: {},
    faultsByClass: { A: 0, B: 0 },
    wrongBookMs: 0,
    framesUntilInvalidMax: 0,
    undetectableMsMax: 0,
    resyncsPerFault: 0,
    violations: [],
    undetectableSpoiltMsMax: 0,
    faultsByExchange: {},
    coverage: {},
    virtualSeconds: 0,
    frames: 0,
    records: 0,
    comparisons: 0,
    wrongBooksB: 0,
    resyncs: 0,
    unsyncedMsMax: 0,
    deaths: 0,
    audits: 0,
    laps: 0,
    downstreamBooks: 0,
    downstreamVersions: 0,
    downstreamBooksWhole: 0,
    downstream: {},
    hash: 0,
  };
}

const MAXIMA: readonly string[] = [
  "framesUntilInvalidMax",
  "undetectableMsMax",
  "undetectableSpoiltMsMax",
  "resyncsPerFault",
  "unsyncedMsMax",
];

/** Adds a report to another: numbers add up, maxima are the larger ones. */
export function addReport(sum: Report, one: Report): void {
  const target = sum as unknown as Record<string, unknown>;
  for (const [key, value] of Object.entries(one)) {
    const held = target[key];
    if (key === "hash") {
      sum.hash = (sum.hash + one.hash) >>> 0;
    } else if (typeof value === "number" && typeof held === "number") {
      target[key] = MAXIMA.includes(key) ? Math.max(held, value) : held + value;
    } else if (Array.isArray(held)) {
      held.push(...(value as unknown[]));
    } else {
      addCounts(held as Counts, value as Counts);
    }
  }
}

/** Adds one to a count. */
export function count(counts: Counts, name: string, by = 1): void {
  counts[name] = (counts[name] ?? 0) + by;
}

function addCounts(sum: Counts, one: Counts): void {
  for (const [name, by] of Object.entries(one)) {
    count(sum, name, by);
  }
}

/** A violation for people: its trace, what was expected and found, and the command that repeats it. */
export function describeViolation({
  seed,
  atS,
  exchange,
  instrument,
  what,
  expected,
  found,
  trace = [],
}: Violation): string {
  const where = `${exchange} ${instrument}`.trim();
  return [
    ...trace.map((line) => `    ${line}`),
    `VIOLATION seed ${seed} at ${atS.toFixed(3)} s${where === "" ? "" : `, ${where}`}: ${what}`,
    `  expected ${expected}`,
    `  found    ${found}`,
    `  repeat   npm run simulate -- --seeds 1 --seed ${seed}`,
  ].join("\n");
}
