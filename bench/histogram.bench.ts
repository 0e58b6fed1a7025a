/**
 * Recording one latency into a histogram of shared memory, one call per value, against Node's own histogram (HDR, native).
 * Bad case: reading this as the price of an event; inside the kernel there is no call from JavaScript, see the note.
 */
import { createHistogram } from "node:perf_hooks";
import { HISTOGRAM_BYTES } from "../assembly/layout.ts";
import { HistogramView } from "../src/segment/histogram.ts";
import type { Bench, BenchContext } from "./context.ts";
import { type Case, mustEqual } from "./harness.ts";
import { seededRandom } from "./statistics.ts";
import { openWorkbench, reserveBytes, type Workbench } from "./workbench.ts";

/** The benchmark. */
export const HISTOGRAM: Bench = {
  name: "histogram",
  about: "recording a latency into a histogram of shared memory",
  run: async (context) => {
    const laid = context.kernels.map((name) => layHistogram(openWorkbench(name)));
    const values = latencies();
    const calls = laid.map(
      ({ bench, address }) => [bench.name, () => bench.producer.histogramRecord(address, 1000)] as const,
    );
    return [await context.measure(recordCase(context, { laid, values }), Object.fromEntries(calls))];
  },
};

const VALUES = 4096;

type Laid = { bench: Workbench; address: number };

function layHistogram(bench: Workbench): Laid {
  return { bench, address: reserveBytes(bench, "histogram", HISTOGRAM_BYTES) };
}

/** From 100 ns to 100 ms, every decade as often as the next. */
function latencies(): Float64Array {
  const random = seededRandom(6);
  return Float64Array.from({ length: VALUES }, () => Math.round(10 ** (2 + 6 * random())));
}

function recordCase(context: BenchContext, { laid, values }: { laid: readonly Laid[]; values: Float64Array }): Case {
  const native = createHistogram();
  return {
    bench: HISTOGRAM.name,
    name: "histogramRecord",
    unit: "ns/value",
    units: VALUES,
    sides: [
      ...laid.map(({ bench, address }) => ({
        name: bench.name,
        work: () => recordAll(bench, address, values),
        verify: () => mustEqual(`histogramRecord on ${bench.name}: values`, recorded(bench, address) % VALUES, 0),
      })),
      {
        name: "perf_hooks",
        work: () => {
          for (const value of values) {
            native.record(value);
          }
          return VALUES;
        },
        verify: () => mustEqual("Node's histogram: values", native.count % VALUES, 0),
      },
    ],
    ratios: context.kernels.includes("twin") ? [{ other: "perf_hooks" }, { other: "twin" }] : [{ other: "perf_hooks" }],
  };
}

function recordAll({ producer }: Workbench, address: number, values: Float64Array): number {
  for (const value of values) {
    producer.histogramRecord(address, value);
  }
  return values.length;
}

/** Values that a histogram holds. */
function recorded({ view }: Workbench, address: number): number {
  return new HistogramView(view.buffer, address).look().count;
}
