/**
 * The numbers behind a verdict: medians, paired ratios with their bootstrap interval, stolen CPU time.
 * Bad case: an interval that is too narrow; a ratio that only noise made must not reach a figure.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { GOALS, verdictOf } from "../../bench/goals.ts";
import { exactCase, judge } from "../../bench/results.ts";
import { median, pairedRatio, quantile, seededRandom } from "../../bench/statistics.ts";
import { parseCpuTicks, stolenShare } from "../../bench/stolen.ts";

describe("statistics of rounds", () => {
  it("median takes the middle, and the mean of the two middles when there is none", () => {
    expect([median([3, 1, 2]), median([4, 1, 3, 2]), quantile([0, 10], 0.25)]).toEqual([2, 2.5, 2.5]);
  });

  it("median refuses an empty list", () => {
    expect(() => median([])).toThrow(RangeError);
  });

  it("pairedRatio is exact when every round has the same ratio, however the rounds drift", () => {
    const ours = [1, 5, 2, 9, 4];
    expect(
      pairedRatio(
        ours.map((sample) => sample * 3),
        ours,
      ),
    ).toEqual({ median: 3, low: 3, high: 3 });
  });

  it("pairedRatio gives the same interval when it is computed again", () => {
    const random = seededRandom(1);
    const ours = Array.from({ length: 21 }, () => 1 + random());
    const other = Array.from({ length: 21 }, () => 2 + random());
    expect(pairedRatio(other, ours)).toEqual(pairedRatio(other, ours));
  });

  it("pairedRatio's interval holds the median and lies within the rounds' ratios", () => {
    const samples = fc.array(fc.double({ min: 0.1, max: 1000, noNaN: true }), { minLength: 1, maxLength: 25 });
    fc.assert(
      fc.property(samples, (ours) => {
        const other = ours.map((sample, index) => sample * (1 + (index % 3)));
        const ratios = ours.map((sample, index) => (other[index] ?? 0) / sample);
        const { low, median: middle, high } = pairedRatio(other, ours);
        expect(low).toBeGreaterThanOrEqual(Math.min(...ratios));
        expect(high).toBeLessThanOrEqual(Math.max(...ratios));
        expect(low <= middle && middle <= high).toBe(true);
      }),
      { numRuns: 30 },
    );
  });

  it("pairedRatio's interval is wide when the rounds disagree and narrow when they agree", () => {
    const ours = Array.from({ length: 21 }, () => 1);
    const width = (other: number[]) => {
      const { low, high } = pairedRatio(other, ours);
      return high - low;
    };
    const wild = ours.map((_, index) => 1 + (index % 7));
    const calm = ours.map((_, index) => 3 + (index % 7) / 100);
    expect(width(wild)).toBeGreaterThan(1);
    expect(width(calm)).toBeLessThan(0.1);
  });

  it("pairedRatio refuses sides of different length", () => {
    expect(() => pairedRatio([1, 2], [1])).toThrow("Cannot pair rounds");
  });
});

describe("verdicts", () => {
  const sides = (ratio: number, rounds: number) => [
    { name: "wasm", samples: Array.from({ length: rounds }, () => 1) },
    { name: "JSON.parse", samples: Array.from({ length: rounds }, () => ratio) },
  ];
  const wishes = [{ other: "JSON.parse", goal: "P1" }] as const;

  it("a verdict goes by the lower bound: goal, must or missed", () => {
    expect([5, 2, 1.99].map((low) => verdictOf(GOALS.P1, low))).toEqual(["goal", "must", "missed"]);
  });

  it("a median that reaches the figure is a miss when its lower bound does not", () => {
    const ours = Array.from({ length: 15 }, () => 1);
    const other = ours.map((_, index) => (index % 2 === 0 ? 2.1 : 1));
    const [ratio] = judge(
      [
        { name: "wasm", samples: ours },
        { name: "JSON.parse", samples: other },
      ],
      wishes,
      { rounds: 15 },
    );
    expect([ratio?.median, ratio?.verdict]).toEqual([2.1, "missed"]);
  });

  it("fewer than fifteen rounds give no verdict", () => {
    expect(judge(sides(9, 14), wishes, { rounds: 14 })[0]?.verdict).toBe("too few rounds");
    expect(judge(sides(9, 15), wishes, { rounds: 15 })[0]?.verdict).toBe("goal");
  });

  it("judge refuses a side that was not measured", () => {
    expect(() => judge(sides(1, 15), [{ other: "ccxt" }], { rounds: 15 })).toThrow("was ccxt");
  });

  it("a size needs one round only", () => {
    const head = { bench: "wire", name: "x", unit: "bytes/entry", facts: {} };
    const result = exactCase(head, { wasm: 5, "exchange JSON": 41 }, [{ other: "exchange JSON", goal: "P10" }]);
    expect(result.ratios[0]).toMatchObject({ median: 8.2, low: 8.2, high: 8.2, verdict: "goal" });
  });
});

describe("stolen CPU time", () => {
  it("parseCpuTicks adds the eight fields and names the stolen ones", () => {
    const text = "cpu  10 1 2 80 3 1 2 7 5 5\ncpu0 5 0 1 40 1 0 1 3 0 0\n";
    expect(parseCpuTicks(text)).toEqual({ total: 106, stolen: 7 });
  });

  it("stolenShare is the share of all ticks between two readings, 0 when none passed", () => {
    expect(stolenShare({ total: 100, stolen: 1 }, { total: 150, stolen: 3 })).toBe(0.04);
    expect(stolenShare({ total: 100, stolen: 1 }, { total: 100, stolen: 1 })).toBe(0);
  });
});
