/**
 * Parts of the ring benchmark that are not timed: the list of processors, and the distance to a goal in the table.
 * Bad case: a list read wrongly puts both ends of a ring on one processor, and the figures are those of the scheduler.
 */
import { describe, expect, it } from "vitest";
import { parseCpuList } from "../../bench/processes/affinity.ts";
import { benchTable } from "../../bench/table.ts";

describe("parseCpuList", () => {
  it("reads single processors and ranges when they are mixed", () => {
    expect(parseCpuList("0-3,8")).toEqual([0, 1, 2, 3, 8]);
    expect(parseCpuList("5")).toEqual([5]);
    expect(parseCpuList("2,4-5\n")).toEqual([2, 4, 5]);
  });

  it("finds none when the text is empty", () => {
    expect(parseCpuList("")).toEqual([]);
  });
});

describe("benchTable", () => {
  it("tells how far the lower bound is from must and goal when a ratio is judged", () => {
    const ratio = { other: "C twin", ours: "wasm", median: 0.6, low: 0.55, high: 0.7 };
    const result = {
      bench: "ring",
      name: "writer",
      unit: "ns/record",
      rounds: { kept: 15, discarded: 0 },
      sides: [],
      ratios: [{ ...ratio, goal: "P5" as const, verdict: "must" as const }, ratio],
      perCall: [],
      facts: {},
      notes: [],
    };
    const [judged, plain] = benchTable("ring", [result])
      .split("\n")
      .filter((line) => line.includes("C twin"));
    expect(judged).toContain("P5: must, 110 % of the must, 71.5 % of the goal; must ≤ 2×, goal ≤ 1.30×");
    expect(plain).not.toContain("must");
  });
});
