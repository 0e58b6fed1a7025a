/**
 * The simulation in a small size: a few worlds from one seed each, everything in them held against the truth, and the
 * proof that a seed repeats itself. `npm run simulate -- --seeds 1000` is the large size.
 * Bad case: worlds that happen to hold no faults; the counts are asserted, too.
 */
import { describe, expect, it } from "vitest";
import { EXCHANGE_IDS } from "../../src/model/exchange_id.ts";
import { readArguments } from "./arguments.ts";
import { addReport, emptyReport } from "./report.ts";
import { runWorld } from "./world.ts";

const SEEDS = [1, 2, 3, 4, 5, 6];
/** Nothing begins after this, ms of virtual time. */
const END_MS = 70_000;

describe("The simulation", () => {
  it("finds every published book right or marked in every world", async () => {
    const sum = emptyReport();
    for (const seed of SEEDS) {
      addReport(sum, await runWorld(seed, { endMs: END_MS }));
    }
    expect(sum.violations).toEqual([]);
    expect(sum).toMatchObject({ seeds: SEEDS.length, wrongBookMs: 0, framesUntilInvalidMax: 0 });
    expect(sum.resyncsPerFault).toBeLessThanOrEqual(1);
    for (const exchange of EXCHANGE_IDS) {
      expect(sum.faultsByExchange[exchange]).toBeGreaterThan(4 * SEEDS.length);
    }
    expect(sum.comparisons).toBeGreaterThan(1000);
    expect(sum.downstreamBooks).toBeGreaterThan(1000);
    expect(sum.downstreamBooksWhole).toBeGreaterThan(300);
    expect(sum.downstreamVersions).toBeGreaterThan(3000);
    expect(sum.downstream.viewsJudged).toBeGreaterThan(300);
    expect(sum.downstream.textsJudged).toBeGreaterThan(300);
  });

  it("repeats itself when it gets the same seed", async () => {
    const [one, again, other] = [
      await runWorld(17, { endMs: END_MS }),
      await runWorld(17, { endMs: END_MS }),
      await runWorld(18, { endMs: END_MS }),
    ];
    expect([again.hash, again.events, again.faults]).toEqual([one.hash, one.events, one.faults]);
    expect(other.hash).not.toBe(one.hash);
  });

  it.each([
    [["--seeds", "0"], /--seeds must be an integer/],
    [["--seed", "x"], /--seed must be an integer/],
    [["--jobs", "1.5"], /--jobs must be an integer/],
    [["--sedes", "3"], /Unknown option/],
    [["7"], /Unexpected argument/],
  ])("refuses %j", (words, reason) => {
    expect(readArguments(words)).toMatch(reason);
  });

  it("takes what it is told when it fits", () => {
    const words = ["--seeds", "3", "--seed", "9", "--json", "--jobs", "1", "--bug", "skip-hash"];
    expect(readArguments(words)).toMatchObject({ seeds: 3, seed: 9, isJson: true, jobs: 1, bug: "skip-hash" });
    expect(readArguments(["--help"])).toMatchObject({ isHelp: true });
  });
});
