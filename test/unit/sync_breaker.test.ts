/**
 * The circuit breaker of one endpoint on virtual time: when it opens, how long it rests, what closes it.
 * Bad case: an attempt whose outcome comes late, when the breaker has opened meanwhile.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { BREAKER_CLOSED, BREAKER_HALF_OPEN, BREAKER_OPEN } from "../../assembly/layout.ts";
import { Breaker, type BreakerLimits } from "../../src/sync/mod.ts";

const LIMITS: BreakerLimits = {
  failuresMax: 3,
  windowMs: 60_000,
  baseMs: 1000,
  capMs: 8000,
  healthyMs: 60_000,
  trialMs: 20_000,
};

function breaker(random = () => 1): Breaker {
  return new Breaker(LIMITS, { random, at: 0 });
}

/** Fails so often, one attempt after the other. */
function fail(it: Breaker, times: number, at: number): void {
  for (let turn = 0; turn < times; turn++) {
    it.begin(at)?.failed(at);
  }
}

describe("Breaker", () => {
  it("stays closed when fewer fail in a row than it takes, and when they are far apart", () => {
    const it = breaker();
    fail(it, 2, 0);
    it.begin(1)?.succeeded(1);
    fail(it, 2, 2);
    expect(it.look(2).state).toBe(BREAKER_CLOSED);
    it.begin(60_002)?.failed(60_002);
    expect(it.look(60_002)).toMatchObject({ state: BREAKER_CLOSED, failures: 5, attempts: 6, openings: 0 });
  });

  it("opens when enough fail in a row, lets one through after its rest, and closes when that succeeds", () => {
    const it = breaker();
    fail(it, 3, 10);
    expect(it.look(10)).toMatchObject({ state: BREAKER_OPEN, sinceMs: 10, openUntilMs: 1010, openings: 1 });
    expect([it.admits(1009), it.begin(1009), it.admits(1010)]).toEqual([false, undefined, true]);
    const trial = it.begin(1010);
    expect([it.look(1010).state, it.begin(1011)]).toEqual([BREAKER_HALF_OPEN, undefined]);
    trial?.succeeded(1500);
    expect(it.look(1500)).toMatchObject({ state: BREAKER_CLOSED, sinceMs: 1500, openUntilMs: undefined });
    fail(it, 2, 1600);
    expect(it.look(1600).state).toBe(BREAKER_CLOSED);
  });

  it("rests twice as long up to the cap when trials fail, and begins anew after a healthy period", () => {
    const it = breaker();
    fail(it, 3, 0);
    const rests: number[] = [];
    let at = 0;
    for (let turn = 0; turn < 5; turn++) {
      const until = it.look(at).openUntilMs ?? Number.NaN;
      rests.push(until - at);
      at = until;
      it.begin(at)?.failed(at);
    }
    expect(rests).toEqual([1000, 2000, 4000, 8000, 8000]);
    at = it.look(at).openUntilMs ?? Number.NaN;
    it.begin(at)?.succeeded(at);
    fail(it, 3, at + 59_999);
    expect(it.look(at + 59_999).openUntilMs).toBe(at + 67_999);
    at += 67_999;
    it.begin(at)?.succeeded(at);
    fail(it, 3, at + 60_000);
    expect(it.look(at + 60_000).openUntilMs).toBe(at + 61_000);
  });

  it("keeps a demanded time in full, at once, whatever else is under way", () => {
    const it = breaker(() => 0);
    const [early, refused, late] = [it.begin(0), it.begin(0), it.begin(0)];
    refused?.failed(5, { restMs: 90_000 });
    expect(it.look(5)).toMatchObject({ state: BREAKER_OPEN, openUntilMs: 90_005 });
    early?.succeeded(6);
    late?.failed(7);
    expect(it.look(7)).toMatchObject({ state: BREAKER_OPEN, openUntilMs: 90_005, openings: 1 });
    expect([it.admits(90_004), it.admits(90_005)]).toEqual([false, true]);
  });

  it("takes the longer time when demands follow each other, and a demand above its own rest", () => {
    const it = breaker();
    const [one, other] = [it.begin(0), it.begin(0)];
    one?.failed(0, { restMs: 5000 });
    other?.failed(1, { restMs: 3000 });
    expect(it.look(1).openUntilMs).toBe(5000);
    it.begin(5000)?.failed(5000, { restMs: 1 });
    expect(it.look(5000)).toMatchObject({ openUntilMs: 7000, openings: 2 });
  });

  it("lets another through when a trial is abandoned or never heard of again", () => {
    const it = breaker();
    fail(it, 3, 0);
    it.begin(1000)?.abandoned();
    const lost = it.begin(1001);
    expect([it.admits(21_000), it.admits(21_001)]).toEqual([false, true]);
    const next = it.begin(21_001);
    lost?.succeeded(21_002);
    expect(it.look(21_002).state).toBe(BREAKER_HALF_OPEN);
    next?.succeeded(21_003);
    next?.failed(21_004, { restMs: 1000 });
    expect(it.look(21_004).state).toBe(BREAKER_CLOSED);
  });

  it("stays open until the time that its predecessor was told", () => {
    const it = breaker(() => 0);
    it.holdUntil(50_000, 10);
    expect([it.admits(49_999), it.admits(50_000)]).toEqual([false, true]);
    const other = breaker();
    other.holdUntil(5, 10);
    expect(other.look(10).state).toBe(BREAKER_CLOSED);
  });

  it("never lets more than one at a time through, nor any before its time, when outcomes are any", () => {
    const step = fc.record({
      wait: fc.integer({ min: 0, max: 3000 }),
      outcome: fc.constantFrom("succeeded", "failed", "demanded", "abandoned", "none"),
      which: fc.nat(9),
      jitter: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        let jitter = 0;
        const it = breaker(() => jitter);
        const underWay: NonNullable<ReturnType<Breaker["begin"]>>[] = [];
        let at = 0;
        let demandedUntil = 0;
        for (const { wait, outcome, which, jitter: next } of steps) {
          at += wait;
          jitter = next;
          const { state, openUntilMs = 0 } = it.look(at);
          const attempt = it.begin(at);
          if (attempt !== undefined) {
            expect(at).toBeGreaterThanOrEqual(Math.max(demandedUntil, openUntilMs));
            expect(it.begin(at) === undefined).toBe(state !== BREAKER_CLOSED);
            underWay.push(attempt);
          }
          const [told] = underWay.splice(which % Math.max(1, underWay.length), outcome === "none" ? 0 : 1);
          if (outcome === "succeeded" || outcome === "failed") {
            told?.[outcome](at);
          } else if (outcome === "demanded" && told !== undefined) {
            told.failed(at, { restMs: 10_000 });
            demandedUntil = at + 10_000;
          } else if (outcome === "abandoned") {
            told?.abandoned();
          }
        }
      }),
      { numRuns: 200 },
    );
  });
});
