/**
 * The parts of metrics that need no running system: clocks bounded by messages, windows of the recent past, buckets, scales, and
 * readers of a segment of the layout before, which has no metrics.
 * Bad case: clocks that contradict each other; no bound may ever leave the offset undefined.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  HEADER_LAYOUT_VERSION,
  HEADER_METRICS_OFFSET,
  HISTOGRAM_BYTES,
  LAYOUT_VERSION,
} from "../../assembly/layout.ts";
import { latencyText, scalePlace } from "../../src/dashboard/latency_scale.ts";
import { ClockOffset } from "../../src/feed/clock_offset.ts";
import { LatencyWindow } from "../../src/gateway/latency_window.ts";
import { MetricValues } from "../../src/gateway/metric_families.ts";
import { BUCKETS_NS, putHistogram } from "../../src/gateway/metric_histograms.ts";
import { HistogramLook, HistogramView } from "../../src/segment/histogram.ts";
import { SegmentMetrics } from "../../src/segment/metrics.ts";
import { createSegment, SegmentView, segmentBytes } from "../../src/segment/mod.ts";
import { Exposition } from "../support/exposition.ts";
import { freshKernel } from "../support/rig.ts";

const MS = 1e6;
const SECOND = 1e9;

describe("the offset of an exchange's clock", () => {
  it("is 0 as long as nothing proves another one", () => {
    const offset = new ClockOffset();
    expect(offset.bounds(0)).toEqual({ offsetNs: 0, lowNs: undefined, highNs: undefined });
    offset.delayed(0, 30 * MS);
    expect(offset.bounds(0)).toEqual({ offsetNs: 0, lowNs: undefined, highNs: 30 * MS });
    offset.answered(0, { askedNs: 5 * SECOND, arrivedNs: 5.1 * SECOND, datedNs: 5 * SECOND });
    expect(offset.bounds(0)).toEqual({ offsetNs: 0, lowNs: -SECOND, highNs: 30 * MS });
  });

  it("is what the fastest message proves when events come before they happened", () => {
    const offset = new ClockOffset();
    offset.delayed(0, 3 * MS);
    offset.delayed(100, -2 * MS);
    expect(offset.bounds(100).offsetNs).toBe(-2 * MS);
  });

  it("is what a dated answer proves when our clock is far ahead, and forgotten after ten minutes", () => {
    const offset = new ClockOffset();
    offset.answered(0, { askedNs: 100 * SECOND, arrivedNs: 100.2 * SECOND, datedNs: 90 * SECOND });
    expect(offset.bounds(0)).toEqual({ offsetNs: 9 * SECOND, lowNs: 9 * SECOND, highNs: 10.2 * SECOND });
    expect(offset.bounds(599_999).offsetNs).toBe(9 * SECOND);
    expect(offset.bounds(600_000).offsetNs).toBe(0);
  });

  it("lies between its bounds and never makes the fastest message negative when everything is random", () => {
    const step = fc.record({
      atMs: fc.integer({ min: 0, max: 2_000_000 }),
      leastNs: fc.integer({ min: -5 * SECOND, max: 5 * SECOND }),
      datedNs: fc.integer({ min: -20 * SECOND, max: 20 * SECOND }),
    });
    fc.assert(
      fc.property(fc.array(step, { minLength: 1 }), (steps) => {
        const offset = new ClockOffset();
        const sorted = steps.toSorted((one, other) => one.atMs - other.atMs);
        for (const { atMs, leastNs, datedNs } of sorted) {
          offset.answered(atMs, { askedNs: 0, arrivedNs: 50 * MS, datedNs });
          offset.delayed(atMs, leastNs);
          const { offsetNs, lowNs, highNs } = offset.bounds(atMs);
          expect(offsetNs).toBeLessThanOrEqual(leastNs);
          expect(offsetNs).toBeGreaterThanOrEqual(lowNs ?? Number.NEGATIVE_INFINITY);
          expect(offsetNs).toBeLessThanOrEqual(highNs ?? Number.POSITIVE_INFINITY);
        }
      }),
    );
  });
});

/** A histogram that values are recorded into. */
function histogram() {
  const { kernel } = freshKernel("twin", 1 << 20);
  const address = kernel.arenaAllocate(HISTOGRAM_BYTES);
  const view = new HistogramView(kernel.buffer, address);
  const record = (...values: number[]) => {
    for (const one of values) {
      kernel.histogramRecord(address, one);
    }
  };
  return { record, view };
}

describe("the window of the recent past", () => {
  it("tells what came in the last ten to twenty seconds and forgets what came before", () => {
    const { record, view } = histogram();
    const window = new LatencyWindow();
    record(5000);
    expect(window.read(view.look(), 0).count).toBe(0);
    record(10, 10, 20);
    expect(window.read(view.look(), 1000)).toMatchObject({ count: 3, maxNs: 20, quantilesNs: [10, 20, 20, 20] });
    expect(window.read(view.look(), 10_000).count).toBe(3);
    record(7);
    expect(window.read(view.look(), 15_000).count).toBe(4);
    expect(window.read(view.look(), 20_000).count).toBe(1);
    expect(window.read(view.look(), 30_000).count).toBe(0);
  });

  it("counts from the beginning when the histogram began anew", () => {
    const [old, young] = [histogram(), histogram()];
    old.record(1, 2, 3, 4, 5);
    young.record(9);
    const window = new LatencyWindow();
    window.read(old.view.look(), 0);
    expect(window.read(young.view.look(), 1000)).toMatchObject({ count: 1, quantilesNs: [9, 9, 9, 9] });
  });
});

describe("the buckets of a histogram", () => {
  it("hold exactly the values below their bound when values are random", async () => {
    const { record, view } = histogram();
    const values = fc.sample(fc.integer({ min: 0, max: 2 ** 35 }), { numRuns: 500, seed: 6 }).concat(...BUCKETS_NS);
    record(...values);
    const shown = new MetricValues();
    putHistogram(shown, "hop_seconds", { labels: { hop: "decode" }, look: view.look() });
    const exposition = new Exposition(await shown.text());
    for (const bound of BUCKETS_NS) {
      const le = String((bound - 1) / SECOND);
      const below = values.filter((one) => one < bound).length;
      expect(exposition.value("hop_seconds_bucket", { le })).toBe(below);
    }
    expect(exposition.value("hop_seconds_count")).toBe(values.length);
    expect(exposition.value("hop_seconds_sum")).toBeCloseTo(values.reduce((sum, one) => sum + one, 0) / SECOND, 6);
  });

  it("leave out what is no number when a figure is missing", async () => {
    const shown = new MetricValues();
    shown.put("readers", {}, { value: Number.NaN });
    shown.put("clients", {}, { value: 3 });
    shown.put("client_refusals_total", { reason: 'a "quoted"\nline' }, { value: 1 });
    const exposition = new Exposition(await shown.text());
    expect(exposition.series.map(({ name, value }) => [name, value])).toEqual([
      ["alphapulse_clients", 3],
      ["alphapulse_client_refusals_total", 1],
    ]);
  });
});

describe("looks at histograms", () => {
  it("add up over shards", () => {
    const [one, other] = [histogram(), histogram()];
    one.record(1, 2, 3);
    other.record(1000, -1);
    const sum = new HistogramLook();
    sum.add(one.view.look());
    sum.add(other.view.look());
    expect(sum).toMatchObject({ count: 4, sumNs: 1006, maxNs: 1000, negative: 1 });
    expect(sum.quantile(0.5)).toBe(2);
  });
});

describe("a segment", () => {
  const config = { instrumentCapacity: 4, deltaCapacity: 64, tradeCapacity: 64, imageAreaBytes: 65_536 };
  const identity = { exchange: "kraken", epoch: 1n, pid: 1, wallAnchorNs: 5n, monotonicAnchorNs: 5n };

  function make(): { buffer: SharedArrayBuffer; memory: DataView } {
    const buffer = new SharedArrayBuffer(segmentBytes(config));
    createSegment(buffer, { address: 0, config, identity });
    return { buffer, memory: new DataView(buffer) };
  }

  it("of the layout before is accepted and has no metrics", () => {
    const { buffer, memory } = make();
    expect(SegmentMetrics.of(buffer, new SegmentView(buffer, 0))?.counters(0).frames).toBe(0);
    memory.setUint32(HEADER_LAYOUT_VERSION, LAYOUT_VERSION - 1, true);
    memory.setBigUint64(HEADER_METRICS_OFFSET, 0n, true);
    const before = new SegmentView(buffer, 0);
    expect(before.header.metricsOffset).toBeUndefined();
    expect(SegmentMetrics.of(buffer, before)).toBeUndefined();
  });

  it.each([0n, 1n, 4097n, 1n << 40n, 2n ** 63n])("is refused when its metrics are said to lie at %s", (offset) => {
    const { buffer, memory } = make();
    memory.setBigUint64(HEADER_METRICS_OFFSET, offset, true);
    expect(() => new SegmentView(buffer, 0)).toThrow(/^Cannot read the segment: .*metrics/);
  });
});

describe("the scale of latencies", () => {
  it("gives every decade the same width and stays inside when a figure does not", () => {
    expect(scalePlace(0.1)).toBe(0);
    expect(scalePlace(10_000_000)).toBe(1);
    expect(scalePlace(100) - scalePlace(10)).toBeCloseTo(scalePlace(10) - scalePlace(1), 12);
    expect([scalePlace(0), scalePlace(-5), scalePlace(1e12)]).toEqual([0, 0, 1]);
  });

  it.each([
    [0.25, "0.25 µs"],
    [42, "42.0 µs"],
    [999, "999 µs"],
    [1500, "1.50 ms"],
    [2_500_000, "2.50 s"],
  ])("writes %s µs as %s", (us, text) => {
    expect(latencyText(us)).toBe(text);
  });
});
