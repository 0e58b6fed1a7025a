/**
 * Delays between attempts: bounded, growing, back to the start after health. Bad case: a jitter that exceeds the cap.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Backoff } from "../../src/sync/mod.ts";

const LIMITS = { baseMs: 500, capMs: 30_000, healthyMs: 60_000 };

describe("Backoff", () => {
  it("does not wait when the first attempt failed", () => {
    expect(new Backoff(LIMITS, () => 0.999).failed(0)).toBe(0);
  });

  it("doubles its bound up to the cap when failures follow each other", () => {
    const backoff = new Backoff(LIMITS, () => 1);
    const delays = Array.from({ length: 10 }, (_, index) => backoff.failed(index));
    expect(delays).toEqual([0, 500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]);
  });

  it("begins anew when it was healthy long enough, and not before", () => {
    const backoff = new Backoff(LIMITS, () => 1);
    backoff.failed(0);
    backoff.failed(0);
    backoff.succeeded(1000);
    expect(backoff.failed(60_999)).toBe(1000);
    backoff.succeeded(70_000);
    expect(backoff.failed(130_000)).toBe(0);
  });

  it("counts health from the first success when several follow", () => {
    const backoff = new Backoff(LIMITS, () => 1);
    backoff.failed(0);
    backoff.succeeded(0);
    backoff.succeeded(59_000);
    expect(backoff.failed(60_000)).toBe(0);
  });

  it("stays between nothing and the cap when attempts and jitter are any", () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true })), (jitters) => {
        let at = 0;
        for (const jitter of jitters) {
          const delay = new Backoff(LIMITS, () => jitter).failed(at);
          at += 1;
          expect(delay).toBeGreaterThanOrEqual(0);
          expect(delay).toBeLessThanOrEqual(LIMITS.capMs);
        }
        const chain = new Backoff(LIMITS, () => jitters[at++ % Math.max(1, jitters.length)] ?? 0);
        for (let attempt = 0; attempt < 40; attempt++) {
          expect(chain.failed(attempt)).toBeLessThanOrEqual(LIMITS.capMs);
        }
      }),
    );
  });
});
