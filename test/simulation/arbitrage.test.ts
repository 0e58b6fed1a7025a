/**
 * No opportunity from a book that is not known to be right or is old, under every fault of the integrity work: worlds from
 * one seed each, everything told and listed held against the segments themselves.
 * Bad case: worlds in which nothing is open or nothing goes wrong; the counts are asserted.
 */
import { describe, expect, it } from "vitest";
import { runArbitrageWorld } from "./arbitrage_world.ts";

const SEEDS = [1, 2, 3];
const END_MS = 90_000;

describe("Arbitrage under faults", () => {
  it("tells and lists nothing from books that are not synced, are old, or are others", async () => {
    const sum = { violations: [] as string[], faults: 0, checkedLegs: 0, told: {} as Record<string, number> };
    for (const seed of SEEDS) {
      const report = await runArbitrageWorld(seed, { endMs: END_MS });
      sum.violations.push(...report.violations.slice(0, 5));
      sum.faults += report.faults;
      sum.checkedLegs += report.checkedLegs;
      for (const [word, count] of Object.entries(report.told)) {
        sum.told[word] = (sum.told[word] ?? 0) + count;
      }
    }
    expect(sum.violations).toEqual([]);
    expect(sum.faults).toBeGreaterThan(40);
    expect(sum.checkedLegs).toBeGreaterThan(10_000);
    for (const word of ["opened", "changed", "closed prices", "closed stale", "closed not_synced"]) {
      expect(sum.told[word], word).toBeGreaterThan(20);
    }
  });

  it("is a function of its seed", async () => {
    const [one, other] = [await runArbitrageWorld(9, { endMs: 40_000 }), await runArbitrageWorld(9, { endMs: 40_000 })];
    expect(one.tape.length).toBeGreaterThan(1000);
    expect(other.tape).toBe(one.tape);
  });
});
