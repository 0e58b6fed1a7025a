/**
 * The meter of allocations: it must see what is allocated, and nothing where nothing is; and what may be judged of it.
 * Bad case: a meter that shows zero because it does not look.
 */
import { describe, expect, it } from "vitest";
import { exactWindows, GarbageMeter } from "../../bench/garbage/meter.ts";
import { rateNotes } from "../../bench/rate.ts";

const COUNT = 100_000;
/** More than the young generation takes. */
const LOTS = 20;
/** An object of V8 with one field: map, properties, elements, field. */
const OBJECT_BYTES = 32;

function filled(): object[] {
  return Array.from({ length: COUNT }, (_, index) => ({ index }));
}

describe("GarbageMeter", () => {
  it("counts at least the bytes of the objects when some are made", async () => {
    const meter = new GarbageMeter();
    meter.begin();
    const kept = filled();
    const window = meter.end(COUNT);
    const [told] = await meter.conclude([window]);
    expect(kept.length).toBe(COUNT);
    // A collection in between moves what is kept, and takes only what is not.
    expect(told?.heapBytes ?? 0).toBeGreaterThan(COUNT * OBJECT_BYTES * 0.8);
    expect(told?.frames).toBe(COUNT);
    expect(told?.seconds).toBeGreaterThan(0);
  });

  it("tells the pause of a collection in a window, and how long its thread had no processor", async () => {
    const meter = new GarbageMeter();
    meter.begin();
    const kept = Array.from({ length: LOTS }, filled);
    const window = meter.end(COUNT);
    const [told] = await meter.conclude([window]);
    expect(kept.length).toBe(LOTS);
    expect(told?.collections ?? 0).toBeGreaterThan(0);
    expect(told?.pauseMs ?? 0).toBeGreaterThan(0);
    expect(told?.pauseMs ?? 0).toBeLessThanOrEqual((told?.seconds ?? 0) * 1000);
    expect(told?.waitedMs ?? -1).toBeGreaterThanOrEqual(0);
    expect(told?.stolen ?? -1).toBeGreaterThanOrEqual(0);
  });

  it("shows next to nothing when nothing is made", () => {
    const meter = new GarbageMeter();
    const windows = Array.from({ length: 20 }, () => {
      meter.begin();
      return meter.end(1).heapBytes;
    });
    expect(Math.min(...windows.map(Math.abs))).toBeLessThan(1000);
  });
});

describe("exactWindows", () => {
  it("leaves out windows with a collection, and throws when none is without", () => {
    const meter = new GarbageMeter();
    meter.begin();
    const window = { ...meter.end(COUNT), pauseMs: 0, collections: 0 };
    const disturbed = { ...window, collections: 2 };
    expect(exactWindows([disturbed, window, disturbed])).toEqual([window]);
    expect(() => exactWindows([disturbed, disturbed])).toThrow("every window met a collection, was 2 windows");
  });
});

describe("rateNotes", () => {
  it("says who did not keep the rate, from two per cent on", () => {
    expect(rateNotes("the kernel path", { delivered: 98_000, asked: 100_000 })).toEqual([]);
    expect(rateNotes("the kernel path", { delivered: 97_999, asked: 100_000 })).toEqual([
      "the kernel path did not keep the rate: it delivered 97999 of 100000 frames/s",
    ]);
  });
});
