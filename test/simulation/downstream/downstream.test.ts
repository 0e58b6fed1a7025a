/**
 * The simulation's downstream half by itself: a real producer, hub and clients on virtual time, everything on the way
 * going wrong by a seed. What a client calls synced and proved is the producer's book at that version, always.
 * Bad case: a run in which nothing was damaged proves nothing; the counts are asserted, too.
 */
import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import { CALM, ROUGH } from "./mod.ts";
import { stopWorlds, World } from "./small_world.ts";

const SEED = 20_261_122;

afterEach(stopWorlds);

describe("Downstream on virtual time", () => {
  it("gives every client the producer's book when nothing goes wrong", () => {
    const world = new World(1, { faults: CALM, clients: 8 });
    world.run(300);
    world.clock.advance(5000);
    expect(world.isSettled).toBe(true);
    expect(world.judged).toBeGreaterThan(100);
    expect(world.judgedViews).toBeGreaterThan(100);
    expect(world.downstream.counts()).toMatchObject({ mismatches: 0, reconnects: 0, malformed: 0, hubFailures: 0 });
  });

  it("is a function of its seed", () => {
    const [one, other] = [7, 7].map((seed) => {
      const world = new World(seed, { faults: ROUGH, clients: 6 });
      world.run(400);
      return JSON.stringify([world.downstream.counts(), world.downstream.clients.map(({ counts }) => counts)]);
    });
    expect(one).toBe(other);
  });

  it("never lets a client prove a book that is not the producer's, whatever goes wrong on the way", () => {
    const share = fc.double({ min: 0, max: 0.05, noNaN: true });
    const faults = fc.record({
      flip: share,
      lose: share,
      duplicate: share,
      stall: share,
      halfOpen: fc.double({ min: 0, max: 1, noNaN: true }),
      cutEveryMs: fc.integer({ min: 300, max: 20_000 }),
      delayMs: fc.integer({ min: 0, max: 200 }),
      slowBytesPerMs: fc.integer({ min: 1, max: 100 }),
      stallMs: fc.integer({ min: 0, max: 5000 }),
      sleepEveryMs: fc.integer({ min: 500, max: 30_000 }),
      sleepMs: fc.integer({ min: 0, max: 5000 }),
    });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1e9 }), faults, (seed, drawn) => {
        const world = new World(seed, { faults: drawn, clients: 6, deltaCapacity: 256 });
        world.run(250);
        expect(world.judged).toBeGreaterThan(0);
        stopWorlds();
      }),
      { seed: SEED, numRuns: 15 },
    );
  });

  it("finds what was flipped, lost or sent twice, and is right again when that ends, without another event", () => {
    const damage = { flip: 0.03, lose: 0.01, duplicate: 0.01, cutEveryMs: 2000 };
    const world = new World(5, { faults: { ...ROUGH, ...damage, halfOpen: 0 }, clients: 6 });
    world.run(600);
    const { flips, lost, duplicated, cuts, mismatches, reconnects } = world.downstream.counts();
    expect([flips > 0, lost > 0, duplicated > 0, cuts > 0, mismatches > 0, reconnects > 0]).toEqual(
      new Array(6).fill(true),
    );
    world.downstream.endFaults();
    world.clock.advance(45_000);
    expect(world.isSettled).toBe(true);
  });

  it("gives slow clients one update for what they missed, and lets those go on who were cut off", () => {
    const faults = { ...CALM, slowBytesPerMs: 12, stall: 0.002, stallMs: 8000, cutEveryMs: 1500, halfOpen: 0 };
    const world = new World(9, { faults, clients: 12 });
    world.run(2500);
    const { slowTimes, conflatedUpdates, resumes, reconnects, mismatches, malformed } = world.downstream.counts();
    expect(slowTimes).toBeGreaterThan(2);
    expect(conflatedUpdates).toBeGreaterThan(slowTimes);
    expect(resumes).toBeGreaterThan(reconnects);
    expect([mismatches, malformed]).toEqual([0, 0]);
    world.downstream.endFaults();
    world.clock.advance(60_000);
    expect(world.isSettled).toBe(true);
    expect(world.downstream.hub.stats()).toMatchObject({ gateway: { slowClients: 0, totals: { dropped: 0 } } });
  });

  it("joins every book again when the hub slept for so long that the ring went round", () => {
    const world = new World(3, { faults: CALM, clients: 4, deltaCapacity: 256 });
    world.run(50);
    world.downstream.sleepHub(6000);
    world.run(1000);
    world.clock.advance(20_000);
    const { hubLost, hubSleeps, resets } = world.downstream.counts();
    expect(hubSleeps).toBe(1);
    expect(hubLost).toBeGreaterThan(0);
    expect(resets).toBeGreaterThan(0);
    expect(world.isSettled).toBe(true);
  });
});
