/**
 * The instruction guard without valgrind: frames that end where they began, kernels that verify themselves, the arithmetic
 * of dumps, and the verdict on a budget. Bad case: a budget that nothing is held to; every kernel must have its line.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import {
  type CountedRun,
  countsOf,
  dumpTotal,
  engineName,
  type InstructionBudget,
  judgeCount,
} from "../../bench/instructions/dumps.ts";
import { COUNTED } from "../../bench/instructions/kernels.ts";
import { krakenCycle } from "../../bench/instructions/streams.ts";
import { packageFolder } from "../../src/assets.ts";

const BUDGET = JSON.parse(
  readFileSync(join(packageFolder(), "bench/instructions/budget.json"), "utf8"),
) as InstructionBudget;

function count(name: string, perUnit: number) {
  return { name, unit: "frame", instructions: 1e8, units: 1e8 / perUnit, perUnit, drift: 0 };
}

describe("the counted kernels", () => {
  it("every kernel does its work, verified, as many units for every pass", () => {
    for (const { name, prepare } of COUNTED) {
      const work = prepare();
      const once = work(1);
      expect(once, name).toBeGreaterThan(0);
      expect(work(2), name).toBe(2 * once);
    }
  });

  it("every kernel has a budget, with three per cent of slack, and no budget is left over", () => {
    expect(Object.keys(BUDGET.kernels)).toEqual(COUNTED.map(({ name }) => name));
    expect(BUDGET.slack).toBe(0.03);
  });

  it("equal options give equal frames", () => {
    const options = { levels: 60, operations: 40, changesMax: 1 };
    const texts = () => krakenCycle(options).frames.map(({ text }) => text);
    expect(texts()).toEqual(texts());
  });
});

describe("callgrind's dumps", () => {
  const runs: CountedRun[] = [
    { name: "parse", unit: "token", times: 1, units: 10 },
    { name: "parse", unit: "token", times: 2, units: 20 },
  ];

  it("dumpTotal reads the total, and refuses a dump without one", () => {
    expect(dumpTotal("version: 1\nevents: Ir\nsummary: 173517158\n\nfn=(1) x\ntotals: 173517158\n")).toBe(173_517_158);
    expect(() => dumpTotal("version: 1\n")).toThrow("no total");
  });

  it("countsOf takes the difference of the long run and the short one, so that their fixed part cancels out", () => {
    expect(countsOf(runs, [5e9, 1.21e8, 7, 2.41e8])).toMatchObject([
      { name: "parse", unit: "token", instructions: 1.2e8, units: 10, perUnit: 1.2e7 },
    ]);
    expect(() => countsOf(runs, [5e9, 1.5e8, 7, 2.7e8])).toThrow("equal passes must cost the same, was 25.0 % apart");
  });

  it("countsOf refuses dumps that do not fit the runs, and a difference below 10^8", () => {
    expect(() => countsOf(runs, [1, 2, 3])).toThrow("2 runs make 4 dumps, was 3");
    expect(() => countsOf(runs, [5e9, 1e8, 7, 1.9e8])).toThrow("was 90000000");
  });

  it("a count is over its budget from the slack on, and judged for the same engine only", () => {
    const budget: InstructionBudget = { engine: "11.3 x64", slack: 0.03, kernels: { parse: 1000 } };
    const verdict = (perUnit: number, engine = "11.3 x64") => judgeCount(count("parse", perUnit), budget, engine);
    expect([verdict(990), verdict(1030), verdict(1031)]).toEqual(["within", "within", "over"]);
    expect(verdict(5000, "12.4 x64")).toBe("other engine");
    expect(judgeCount(count("sort", 1), budget, "11.3 x64")).toBe("no budget");
    expect(engineName("11.3.244.8-node.38", "x64")).toBe("11.3 x64");
  });
});
