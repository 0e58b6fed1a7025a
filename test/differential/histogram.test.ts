/**
 * Histograms of both kernels hold the same bytes after the same values, and what they tell is within 3 % of the sorted
 * values themselves; spans of records, hostile times and counters at their end included.
 * Bad case: a value that lies on the border of two counts; the generator favours powers of two for it.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  DELTA_BYTES,
  DELTA_FLAGS,
  DELTA_PUBLISHED_AT,
  FLAG_LAST,
  HISTOGRAM_BYTES,
  HISTOGRAM_COUNTS,
  HISTOGRAM_FIRST_COUNT,
  HISTOGRAM_MAX,
  HISTOGRAM_NEGATIVE,
  HISTOGRAM_SUM,
  HISTOGRAM_UNKNOWN,
  HISTOGRAM_VALUE_MAX,
} from "../../assembly/layout.ts";
import type { Kernel, KernelName } from "../../src/kernel/kernel.ts";
import { HistogramView, histogramFloor } from "../../src/segment/histogram.ts";
import { freshKernel } from "../support/rig.ts";

const KERNELS = ["wasm", "twin"] as const;
const RECORDS = 32;
const U64_MAX = 2n ** 64n - 1n;
const ERROR_MAX = 0.03;

/** A kernel with one histogram and room for records. */
type Bench = { kernel: Kernel; memory: DataView; histogram: number; records: number };

function makeBench(name: KernelName): Bench {
  const { kernel } = freshKernel(name, 2 << 20);
  const histogram = kernel.arenaAllocate(HISTOGRAM_BYTES);
  const records = kernel.arenaAllocate(RECORDS * DELTA_BYTES);
  return { kernel, memory: new DataView(kernel.buffer), histogram, records };
}

function bytesOf({ kernel, histogram }: Bench): Buffer {
  return Buffer.from(new Uint8Array(kernel.buffer, histogram, HISTOGRAM_BYTES));
}

function clear({ kernel, histogram }: Bench): void {
  new Uint8Array(kernel.buffer, histogram, HISTOGRAM_BYTES).fill(0);
}

/** Spans as they come, and those on the borders of counts. */
const spans = fc.oneof(
  fc.integer({ min: 0, max: 4096 }),
  fc.integer({ min: 0, max: 50_000_000 }),
  fc.double({ min: 0, max: 2 ** 40, noNaN: true }),
  fc.tuple(fc.integer({ min: 0, max: 40 }), fc.integer({ min: -2, max: 2 })).map(([bits, by]) => 2 ** bits + by),
  fc.constantFrom(HISTOGRAM_VALUE_MAX, HISTOGRAM_VALUE_MAX - 1, 2 ** 53, Number.MAX_VALUE, -1, -0.5, Number.NaN),
);

describe("histograms", () => {
  it("hold the same bytes on both kernels when values are random or on the borders of counts", () => {
    const benches = KERNELS.map(makeBench);
    fc.assert(
      fc.property(fc.array(spans, { maxLength: 200 }), (values) => {
        for (const bench of benches) {
          clear(bench);
          for (const value of values) {
            bench.kernel.histogramRecord(bench.histogram, value);
          }
        }
        const [wasm, twin] = benches.map(bytesOf);
        expect(wasm?.equals(twin ?? Buffer.alloc(0))).toBe(true);
      }),
      { numRuns: 300 },
    );
  });

  it.each(KERNELS)("tell count, sum and maximum exactly and quantiles within 3 %% when the kernel is %s", (name) => {
    const bench = makeBench(name);
    const value = fc.integer({ min: 0, max: 2 ** 36 });
    const sizes = fc.oneof(value, fc.integer({ min: 0, max: 100_000 }));
    fc.assert(
      fc.property(fc.array(sizes, { minLength: 1, maxLength: 400 }), (values) => {
        clear(bench);
        for (const one of values) {
          bench.kernel.histogramRecord(bench.histogram, one);
        }
        const look = new HistogramView(bench.kernel.buffer, bench.histogram).look();
        const sorted = values.toSorted((one, other) => one - other);
        expect(look.count).toBe(values.length);
        expect(look.sumNs).toBe(values.reduce((sum, one) => sum + one, 0));
        expect(look.maxNs).toBe(sorted.at(-1));
        for (const part of [0.01, 0.5, 0.95, 0.99, 0.999, 1]) {
          const exact = sorted[Math.max(Math.ceil(values.length * part), 1) - 1] ?? 0;
          expect(Math.abs(look.quantile(part) - exact)).toBeLessThanOrEqual(exact * ERROR_MAX);
        }
      }),
      { numRuns: 150 },
    );
  });

  it("have bounds that follow each other, at most 3.2 % apart", () => {
    for (let place = 0; place < HISTOGRAM_COUNTS; place++) {
      const [low, high] = [histogramFloor(place), histogramFloor(place + 1)];
      expect(high).toBeGreaterThan(low);
      expect(high - low).toBeLessThanOrEqual(Math.max(1, low / 31));
    }
    expect(histogramFloor(HISTOGRAM_COUNTS)).toBe(HISTOGRAM_VALUE_MAX + 1);
  });

  it("keep negative and unknown values out and count them when clocks disagree", () => {
    for (const name of KERNELS) {
      const { kernel, memory, histogram } = makeBench(name);
      for (const value of [-1, -1e18, Number.NEGATIVE_INFINITY, Number.NaN, 5]) {
        kernel.histogramRecord(histogram, value);
      }
      expect(memory.getBigUint64(histogram + HISTOGRAM_NEGATIVE, true)).toBe(3n);
      expect(memory.getBigUint64(histogram + HISTOGRAM_UNKNOWN, true)).toBe(1n);
      expect(new HistogramView(kernel.buffer, histogram).look()).toMatchObject({ count: 1, sumNs: 5, maxNs: 5 });
    }
  });

  it("go round to zero alike when a counter is at its end", () => {
    const after = KERNELS.map((name) => {
      const bench = makeBench(name);
      for (const offset of [HISTOGRAM_SUM, HISTOGRAM_NEGATIVE, HISTOGRAM_FIRST_COUNT + 7 * 8]) {
        bench.memory.setBigUint64(bench.histogram + offset, U64_MAX, true);
      }
      bench.memory.setBigUint64(bench.histogram + HISTOGRAM_FIRST_COUNT + 8 * 8, 0xffff_ffffn, true);
      for (const value of [7, 8, -3]) {
        bench.kernel.histogramRecord(bench.histogram, value);
      }
      expect(bench.memory.getBigUint64(bench.histogram + HISTOGRAM_SUM, true)).toBe(14n);
      expect(bench.memory.getBigUint64(bench.histogram + HISTOGRAM_NEGATIVE, true)).toBe(0n);
      expect(bench.memory.getBigUint64(bench.histogram + HISTOGRAM_FIRST_COUNT + 8 * 8, true)).toBe(0x1_0000_0000n);
      expect(bench.memory.getBigUint64(bench.histogram + HISTOGRAM_MAX, true)).toBe(8n);
      const look = new HistogramView(bench.kernel.buffer, bench.histogram).look();
      expect(look.count).toBeGreaterThanOrEqual(0);
      expect(look.since(look).count).toBe(0);
      return bytesOf(bench);
    });
    expect(after[0]?.equals(after[1] ?? Buffer.alloc(0))).toBe(true);
  });
});

describe("spans of records", () => {
  const time = fc.oneof(fc.bigInt({ min: 0n, max: U64_MAX }), fc.constantFrom(0n, 1n, U64_MAX, 2n ** 63n));
  const record = fc.record({ publishedAt: time, flags: fc.integer({ min: 0, max: 31 }) });

  it("are the same on both kernels when times are any 64 bits", () => {
    const benches = KERNELS.map(makeBench);
    const batch = fc.record({
      records: fc.array(record, { maxLength: RECORDS }),
      anchor: time,
      now: fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
    });
    fc.assert(
      fc.property(batch, ({ records, anchor, now }) => {
        for (const bench of benches) {
          clear(bench);
          write(bench, records);
          const [low, high] = [Number(anchor & 0xffff_ffffn), Number(anchor >> 32n)];
          bench.kernel.histogramSpans(bench.histogram, bench.records, records.length, low, high, now);
        }
        const [wasm, twin] = benches.map(bytesOf);
        expect(wasm?.equals(twin ?? Buffer.alloc(0))).toBe(true);
      }),
      { numRuns: 300 },
    );
  });

  it.each(KERNELS)("are those of whole events whose publication is known when the kernel is %s", (name) => {
    const bench = makeBench(name);
    const anchor = 1_700_000_000_000_000_000n;
    const now = 5_000_000;
    const spansNs = [0, 17, 40_000, 4_999_999];
    const known = spansNs.map((span) => ({ publishedAt: anchor + BigInt(now - span), flags: FLAG_LAST }));
    const others = [
      { publishedAt: anchor, flags: 0 },
      { publishedAt: 0n, flags: FLAG_LAST },
      { publishedAt: anchor + BigInt(now + 1), flags: FLAG_LAST },
    ];
    const records = [...known, ...others];
    write(bench, records);
    const { kernel, histogram } = bench;
    const [low, high] = [Number(anchor & 0xffff_ffffn), Number(anchor >> 32n)];
    kernel.histogramSpans(histogram, bench.records, records.length, low, high, now);
    expect(new HistogramView(kernel.buffer, histogram).look()).toMatchObject({
      count: 4,
      sumNs: spansNs.reduce((sum, span) => sum + span, 0),
      maxNs: 4_999_999,
      negative: 1,
      unknown: 1,
    });
  });

  function write({ memory, records: first }: Bench, records: readonly { publishedAt: bigint; flags: number }[]): void {
    records.forEach(({ publishedAt, flags }, index) => {
      memory.setBigUint64(first + index * DELTA_BYTES + DELTA_PUBLISHED_AT, publishedAt, true);
      memory.setUint16(first + index * DELTA_BYTES + DELTA_FLAGS, flags, true);
    });
  }
});
