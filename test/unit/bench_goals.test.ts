/**
 * The goals' entries: one each, the worst case decides, every verdict follows from the samples, and what was not measured
 * is said. Bad case: a goal that looks reached because the part that misses it was left out.
 */
import { describe, expect, it } from "vitest";
import { goalEntries, recomputeEntry } from "../../bench/goal_entries.ts";
import { goalRows, goalTable } from "../../bench/goal_table.ts";
import { GOAL_NAMES, GOALS, type GoalKey, goalName, verdictOf } from "../../bench/goals.ts";
import { type CaseResult, exactCase, judge, judgeLimits, type LimitWish, type RatioWish } from "../../bench/results.ts";

const ROUNDS = 15;

function repeated(value: number, rounds = ROUNDS): number[] {
  return Array.from({ length: rounds }, () => value);
}

function measured(
  name: string,
  values: Record<string, number[]>,
  { ratios = [], limits = [] }: { ratios?: RatioWish[]; limits?: LimitWish[] },
): CaseResult {
  const sides = Object.entries(values).map(([side, samples]) => ({ name: side, samples }));
  const kept = sides[0]?.samples.length ?? 0;
  return {
    bench: "x",
    name,
    unit: "ns",
    rounds: { kept, discarded: 0 },
    sides,
    ratios: judge(sides, ratios, { rounds: kept }),
    limits: judgeLimits(sides, limits, { rounds: kept }),
    perCall: [],
    facts: {},
    notes: [],
  };
}

function frameCase(name: string, { ratio, goal, rounds = ROUNDS }: { ratio: number; goal: GoalKey; rounds?: number }) {
  const values = { wasm: repeated(1, rounds), "JSON.parse": repeated(ratio, rounds) };
  return measured(name, values, { ratios: [{ other: "JSON.parse", goal }] });
}

describe("goalEntries", () => {
  it("gives exactly one entry to each of P1 … P15, and says of each that nothing measured it", () => {
    const entries = goalEntries([]);
    expect(Object.keys(entries)).toEqual(Array.from({ length: 15 }, (_, index) => `P${index + 1}`));
    expect(Object.values(entries).map(({ verdict }) => verdict)).toEqual(repeated(0).map(() => "not run"));
    expect(new Set(GOAL_NAMES.flatMap((name) => entries[name].missing)).size).toBe(
      Object.keys(GOALS).filter((key) => /^P\d/.test(key)).length,
    );
  });

  it("the worst case decides", () => {
    const cases = [
      frameCase("Coinbase", { ratio: 6, goal: "P1" }),
      frameCase("Binance", { ratio: 2.5, goal: "P1" }),
      frameCase("Kraken", { ratio: 3.1, goal: "P1_KRAKEN" }),
    ];
    const { P1 } = goalEntries(cases);
    expect([P1.verdict, P1.worst, P1.missing]).toEqual(["must", "x: Binance / JSON.parse", []]);
    expect(P1.cases.map(({ must, goal, verdict }) => [must, goal, verdict])).toEqual([
      [2, 5, "goal"],
      [2, 5, "must"],
      [1.3, 3, "goal"],
    ]);
  });

  it("a goal is incomplete while a part of it was not measured, and missed when one case misses", () => {
    expect(goalEntries([frameCase("Coinbase", { ratio: 6, goal: "P1" })]).P1).toMatchObject({
      verdict: "incomplete",
      missing: ["P1_KRAKEN"],
    });
    expect(goalEntries([frameCase("Coinbase", { ratio: 1, goal: "P1" })]).P1.verdict).toBe("missed");
  });

  it("a cost is shown and judged as ours ÷ other, by its upper bound", () => {
    const values = { wasm: repeated(3), "C twin": repeated(2), "C twin, release": repeated(1) };
    const ratios: RatioWish[] = [
      { other: "C twin", goal: "P5" },
      { other: "C twin, release", goal: "P5_RELEASE" },
    ];
    const { P5 } = goalEntries([measured("batch 1", values, { ratios })]);
    expect(P5.cases.map(({ figure, verdict }) => [figure.high, verdict])).toEqual([
      [1.5, "must"],
      [3, "must"],
    ]);
    const slower = { ...values, wasm: repeated(3.01) };
    expect(goalEntries([measured("batch 1", slower, { ratios })]).P5.verdict).toBe("missed");
  });

  it("a limit is judged by the upper bound of its samples, a pause by the longest one", () => {
    const bytes = measured(
      "sockets",
      { sockets: repeated(30), memory: repeated(0) },
      {
        limits: [
          { side: "sockets", goal: "P14" },
          { side: "memory", goal: "P14_KERNEL" },
        ],
      },
    );
    const pauses = measured(
      "pauses",
      { "longest pause": [...repeated(1, 14), 4.5] },
      { limits: [{ side: "longest pause", goal: "P14_PAUSE" }] },
    );
    const { P14 } = goalEntries([bytes, pauses]);
    expect(P14.cases.map(({ figure, verdict }) => [figure.high, verdict])).toEqual([
      [30, "goal"],
      [0, "goal"],
      [4.5, "must"],
    ]);
    expect([P14.verdict, P14.worst]).toEqual(["must", "x: pauses, longest pause"]);
  });

  it("a size needs one sample", () => {
    const size = exactCase(
      { bench: "memory", name: "all", unit: "MB", facts: {} },
      { ours: 349.5 },
      [],
      [{ side: "ours", goal: "P15" }],
    );
    expect(goalEntries([size]).P15).toMatchObject({
      verdict: "goal",
      cases: [{ isExact: true, figure: { high: 349.5 } }],
    });
  });

  it("too few rounds are no verdict", () => {
    const few = goalEntries([frameCase("Coinbase", { ratio: 9, goal: "P2", rounds: 14 })]);
    expect(few.P2.verdict).toBe("too few rounds");
  });
});

describe("recomputeEntry", () => {
  it("gives the entry again, and another one when a sample, a figure or a verdict was edited", () => {
    const wild = measured(
      "Coinbase",
      { wasm: repeated(1), baseline: repeated(10).map((value, index) => value + (index % 4)) },
      { ratios: [{ other: "baseline", goal: "P2" }] },
    );
    const { P2 } = goalEntries([wild]);
    expect(recomputeEntry("P2", P2)).toEqual(P2);
    const [first] = P2.cases;
    const edited = { ...P2, cases: first === undefined ? [] : [{ ...first, verdict: "missed" as const }] };
    expect(recomputeEntry("P2", edited)).not.toEqual(edited);
    expect(recomputeEntry("P2", { ...P2, verdict: "must" })).toEqual(P2);
  });
});

describe("the final table", () => {
  it("has a row for every goal, with both columns, the measured figure and the verdict", () => {
    const rows = goalRows([frameCase("Coinbase", { ratio: 6, goal: "P1" })]);
    expect(rows.map(({ name }) => name)).toEqual(GOAL_NAMES);
    expect(rows[0]).toMatchObject({ must: "≥ 2×; ≥ 1.30×", goal: "≥ 5×; ≥ 3×", verdict: "incomplete" });
    expect(rows[0]?.measured).toContain("6× x: Coinbase / JSON.parse");
    expect(rows[13]?.must).toBe("≤ 1,024 B/frame; ≤ 0 B/frame; ≤ 5 ms");
    expect(goalTable([]).split("\n").length).toBe(3 + GOAL_NAMES.length);
  });

  it("a verdict goes by the sense of the goal", () => {
    expect([1.3, 2, 2.01].map((cost) => verdictOf(GOALS.P5, cost))).toEqual(["goal", "must", "missed"]);
    expect([10, 3, 2.9].map((ratio) => verdictOf(GOALS.P12, ratio))).toEqual(["goal", "must", "missed"]);
    expect(goalName("P12_SEND")).toBe("P12");
  });
});
