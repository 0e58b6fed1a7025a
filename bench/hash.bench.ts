/**
 * The level hash, one call per level, against the same hash in plain JavaScript.
 * Bad case: reading this as the price of a change; inside the kernel the hash is inlined and a change needs two of them.
 */
import { LEVEL_BYTES, LEVEL_PRICE, LEVEL_QUANTITY } from "../assembly/layout.ts";
import { levelHash } from "./baseline/hash.ts";
import type { Bench, BenchContext } from "./context.ts";
import { type Case, mustEqual } from "./harness.ts";
import { seededRandom } from "./statistics.ts";
import { openWorkbench, reserveBytes, type Workbench } from "./workbench.ts";

/** The benchmark. */
export const HASH: Bench = {
  name: "hash",
  about: "the hash of a level, one call per level",
  run: async (context) => {
    const benches = context.kernels.map((name) => layLevels(openWorkbench(name)));
    const calls = benches.map(({ bench, levels }) => [bench.name, () => bench.producer.levelHash(1, levels)] as const);
    return [await context.measure(hashCase(context, benches), Object.fromEntries(calls))];
  },
};

const LEVELS = 4096;

type Laid = { bench: Workbench; levels: number };

function layLevels(bench: Workbench): Laid {
  const random = seededRandom(5);
  const levels = reserveBytes(bench, "levels", LEVELS * LEVEL_BYTES);
  for (let index = 0; index < LEVELS; index++) {
    const price = BigInt(Math.floor(random() * 2 ** 40));
    const quantity = BigInt(Math.floor(random() * 2 ** 50));
    bench.view.setBigInt64(levels + index * LEVEL_BYTES + LEVEL_PRICE, price, true);
    bench.view.setBigInt64(levels + index * LEVEL_BYTES + LEVEL_QUANTITY, quantity, true);
  }
  return { bench, levels };
}

function hashCase(context: BenchContext, laid: readonly Laid[]): Case {
  const words = new Int32Array(LEVELS * 4);
  const [first] = laid;
  if (first !== undefined) {
    words.set(new Int32Array(first.bench.view.buffer, first.levels, LEVELS * 4));
  }
  const expected = baselineSum(words);
  return {
    bench: HASH.name,
    name: "levelHash",
    unit: "ns/level",
    units: LEVELS,
    sides: [
      ...laid.map(({ bench, levels }) => ({
        name: bench.name,
        work: () => kernelSum(bench, levels),
        verify: (sum: number) => mustEqual(`levelHash on ${bench.name}: the sum`, sum, expected),
      })),
      {
        name: "baseline",
        work: () => baselineSum(words),
        verify: (sum) => mustEqual("the baseline's hash: the sum", sum, expected),
      },
    ],
    ratios: context.kernels.includes("twin") ? [{ other: "baseline" }, { other: "twin" }] : [{ other: "baseline" }],
  };
}

function kernelSum({ producer }: Workbench, levels: number): number {
  let sum = 0;
  for (let index = 0; index < LEVELS; index++) {
    sum = (sum + producer.levelHash(index & 1, levels + index * LEVEL_BYTES)) >>> 0;
  }
  return sum;
}

function baselineSum(words: Int32Array): number {
  let sum = 0;
  for (let index = 0; index < LEVELS; index++) {
    sum = (sum + levelHash(index & 1, words, index * 4)) >>> 0;
  }
  return sum;
}
