/**
 * The meter of allocations: it must see what is allocated, and nothing where nothing is. Bad case: a meter that shows zero
 * because it does not look.
 */
import { describe, expect, it } from "vitest";
import { GarbageMeter } from "../../bench/garbage/meter.ts";

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
