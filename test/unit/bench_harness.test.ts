/**
 * The paired harness on a fake clock: order, pairing, discarding, and that a wrong answer is never a result.
 * Bad case: a side that is only verified once; the wrong run would be the next one.
 */
import { describe, expect, it } from "vitest";
import { type Case, type HarnessGround, measureCase, mustEqual, pairedRounds, type Side } from "../../bench/harness.ts";

const SETTINGS = { rounds: 4, sideMs: 1, warmMs: 0 };

/** A clock that moves when a side works, and nowhere else. */
function fakeGround(stolen: readonly number[] = []) {
  const state = { ms: 0, readings: 0, sweeps: 0 };
  const ground: HarnessGround = {
    now: () => state.ms,
    // Two readings a round: the second one holds what was stolen in it.
    ticks: () => {
      const reading = state.readings++;
      const round = reading >> 1;
      const before = stolen.slice(0, round).reduce((sum, ticks) => sum + ticks, 0);
      return { total: 100 * reading, stolen: before + (reading % 2 === 1 ? (stolen[round] ?? 0) : 0) };
    },
    sweep: () => {
      state.sweeps += 1;
    },
  };
  return { ground, state };
}

function side(name: string, ms: number, { clock, order }: { clock: { ms: number }; order?: string[] }): Side {
  return {
    name,
    work: () => {
      clock.ms += ms;
      order?.push(name);
      return 7;
    },
    verify: (outcome) => mustEqual(name, outcome, 7),
  };
}

function caseOf(sides: readonly Side[], units = 1): Case {
  return { bench: "x", name: "y", unit: "ns/unit", units, sides, ratios: [{ other: "b", ours: "a" }] };
}

describe("measureCase", () => {
  it("takes the sides forwards and backwards in turn", () => {
    const { ground, state } = fakeGround();
    const order: string[] = [];
    measureCase(
      caseOf([side("a", 1, { clock: state, order }), side("b", 1, { clock: state, order })]),
      SETTINGS,
      ground,
    );
    expect(order.slice(6)).toEqual(["a", "b", "b", "a", "a", "b", "b", "a"]);
  });

  it("gives ns per unit of every kept round, and the ratio of the sides", () => {
    const { ground, state } = fakeGround();
    const result = measureCase(
      caseOf([side("a", 2, { clock: state }), side("b", 6, { clock: state })], 1000),
      SETTINGS,
      ground,
    );
    expect(result.sides).toEqual([
      { name: "a", samples: [2000, 2000, 2000, 2000] },
      { name: "b", samples: [6000, 6000, 6000, 6000] },
    ]);
    expect(result.ratios[0]).toMatchObject({ other: "b", ours: "a", median: 3, low: 3, high: 3 });
    expect(result.rounds).toEqual({ kept: 4, discarded: 0 });
  });

  it("repeats a short side until it has run for its time, and times only its work", () => {
    const { ground, state } = fakeGround();
    let prepared = 0;
    const short: Side = {
      ...side("a", 0.125, { clock: state }),
      prepare: () => {
        prepared += 1;
        state.ms += 50;
      },
    };
    const result = measureCase(caseOf([short, side("b", 1, { clock: state })]), SETTINGS, ground);
    expect(result.sides[0]?.samples).toEqual([125_000, 125_000, 125_000, 125_000]);
    expect(prepared).toBe(3 + 4 * 8);
  });

  it("discards and counts a round that lost more than two per cent, and asks for another", () => {
    const { ground, state } = fakeGround([0, 3, 2, 0, 50]);
    const result = measureCase(
      caseOf([side("a", 1, { clock: state }), side("b", 1, { clock: state })]),
      SETTINGS,
      ground,
    );
    expect(result.rounds).toEqual({ kept: 4, discarded: 2 });
    expect(result.sides.map(({ samples }) => samples.length)).toEqual([4, 4]);
  });

  it("throws when every round was disturbed", () => {
    const { ground, state } = fakeGround(Array.from({ length: 99 }, () => 50));
    const sides = [side("a", 1, { clock: state }), side("b", 1, { clock: state })];
    expect(() => measureCase(caseOf(sides), SETTINGS, ground)).toThrow("every round lost CPU time");
  });

  it("throws when a side computes the wrong thing in any of its runs", () => {
    const { ground, state } = fakeGround();
    let runs = 0;
    const wrong: Side = {
      ...side("a", 1, { clock: state }),
      work: () => {
        state.ms += 1;
        runs += 1;
        return runs === 6 ? 8 : 7;
      },
    };
    expect(() => measureCase(caseOf([wrong, side("b", 1, { clock: state })]), SETTINGS, ground)).toThrow(
      "Cannot trust a: it must be 7, was 8",
    );
    expect(runs).toBe(6);
  });

  it("empties the young generation before each side of a round", () => {
    const { ground, state } = fakeGround();
    measureCase(caseOf([side("a", 1, { clock: state }), side("b", 1, { clock: state })]), SETTINGS, ground);
    expect(state.sweeps).toBe(8);
  });
});

describe("pairedRounds", () => {
  const taken: string[] = [];
  const plan = { what: "x", rounds: 3, sides: ["a", "b"] as const };
  const take = (side: "a" | "b") => Promise.resolve(taken.push(side));

  it("takes the sides forwards and backwards in turn, and gives what was taken of each", async () => {
    taken.length = 0;
    const result = await pairedRounds({ ...plan, take, ticks: fakeGround().ground.ticks });
    expect(taken).toEqual(["a", "b", "b", "a", "a", "b"]);
    expect([...result.taken]).toEqual([
      ["a", [1, 4, 5]],
      ["b", [2, 3, 6]],
    ]);
    expect(result.rounds).toEqual({ kept: 3, discarded: 0 });
  });

  it("discards and counts a round that lost more than two per cent, and asks for another", async () => {
    const { ticks } = fakeGround([0, 3, 2, 50]).ground;
    const result = await pairedRounds({ ...plan, take: (side) => Promise.resolve(side), ticks });
    expect(result.rounds).toEqual({ kept: 3, discarded: 2 });
    expect(result.taken.get("b")).toEqual(["b", "b", "b"]);
  });

  it("goes by what a measurement tells of itself, and throws when every round was disturbed", async () => {
    const { ticks } = fakeGround(Array.from({ length: 99 }, () => 50)).ground;
    const told = {
      ...plan,
      ticks,
      take: () => Promise.resolve({ share: 0 }),
      stolen: ({ share }: { share: number }) => share,
    };
    expect((await pairedRounds(told)).rounds).toEqual({ kept: 3, discarded: 0 });
    await expect(pairedRounds({ ...plan, take, ticks })).rejects.toThrow(
      "Cannot measure x: every round lost CPU time to others, was 9 rounds",
    );
  });
});
