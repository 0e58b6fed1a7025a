/**
 * The book alone, at 45,000 levels: setting levels near the touch and anywhere, walking, truncating; against the baseline
 * book. Ours keeps a hash and takes every i64; the baseline has neither.
 * Bad case: a truncation of thousands of levels at once; ours removes them one by one because each is hashed.
 */
import { LEVEL_BYTES, LEVEL_PRICE, LEVEL_QUANTITY, SIDE_ASK, SIDE_BID } from "../assembly/layout.ts";
import { BaselineBook } from "./baseline/book.ts";
import type { Bench, BenchContext } from "./context.ts";
import {
  DEEP_LEVELS,
  type DeepBook,
  type DeepSide,
  deepBook,
  type LevelOperations,
  levelOperations,
  type Spread,
} from "./deep_book.ts";
import { type Case, mustEqual, type Side } from "./harness.ts";
import type { CaseResult, RatioWish } from "./results.ts";
import { openWorkbench, reserveBytes, type Workbench } from "./workbench.ts";

/** The benchmark. */
export const BOOK: Bench = {
  name: "book",
  about: `the book alone, ${DEEP_LEVELS.toLocaleString("en")} levels`,
  run: async (context) => {
    const model = deepBook();
    const ours = context.kernels.map((name) => openKernelBook(openWorkbench(name), model));
    const baseline = openBaseline(model);
    const results: CaseResult[] = [];
    for (const spread of ["touch", "uniform"] as const) {
      const operations = levelOperations(model, { spread, count: OPERATIONS });
      results.push(
        await context.measure(applyCase(ours, baseline, { operations, spread }), applyCalls(ours, operations)),
      );
    }
    for (const limit of [10, 1000, DEEP_LEVELS / 2]) {
      results.push(await context.measure(walkCase(ours, baseline, limit)));
    }
    for (const { depth, surplus } of TRUNCATIONS) {
      results.push(await context.measure(truncateCase(context, { depth, surplus })));
    }
    return results;
  },
};

const OPERATIONS = 4096;
const TRUNCATIONS = [
  { depth: 1000, surplus: 2 },
  { depth: 22_000, surplus: 500 },
] as const;
const PRICE_UNIT = 100;
const QUANTITY_UNIT = 1e8;

/** A book in a kernel, with memory for operations and walks. */
type KernelBook = { bench: Workbench; book: number; out: number; operations: number };

function openKernelBook(bench: Workbench, model: DeepBook): KernelBook {
  const book = bench.producer.bookCreate();
  const operations = reserveBytes(bench, "operations", OPERATIONS * LEVEL_BYTES);
  const out = reserveBytes(bench, "walk", DEEP_LEVELS * LEVEL_BYTES);
  const ours = { bench, book, out, operations };
  fill(ours, SIDE_BID, model.bids);
  fill(ours, SIDE_ASK, model.asks);
  mustEqual("the deep book: bids", bench.producer.bookCount(book, SIDE_BID), model.bids.ticks.length);
  return ours;
}

function fill({ bench, book, out }: KernelBook, side: number, { ticks, lots }: DeepSide): void {
  for (const tick of ticks) {
    writeLevel(bench.view, out, { tick, lots: lots.get(tick) ?? 0 });
    bench.producer.bookApply(book, side, out);
  }
}

function writeLevel(view: DataView, address: number, level: { tick: number; lots: number }): void {
  view.setBigInt64(address + LEVEL_PRICE, BigInt(level.tick), true);
  view.setBigInt64(address + LEVEL_QUANTITY, BigInt(level.lots), true);
}

function openBaseline({ bids, asks }: DeepBook): BaselineBook {
  const book = new BaselineBook();
  for (const [own, side] of [
    [book.bids, bids],
    [book.asks, asks],
  ] as const) {
    for (const tick of [...side.ticks].reverse()) {
      own.set(tick / PRICE_UNIT, (side.lots.get(tick) ?? 0) / QUANTITY_UNIT);
    }
  }
  return book;
}

type Applied = { operations: LevelOperations; spread: Spread };

function applyCase(ours: readonly KernelBook[], baseline: BaselineBook, { operations, spread }: Applied): Case {
  const { sides, ticks, lots, codes } = operations;
  const prices = ticks.map((tick) => tick / PRICE_UNIT);
  const quantities = lots.map((lot) => lot / QUANTITY_UNIT);
  const count = { bids: baseline.bids.count, asks: baseline.asks.count };
  const kernelSides: Side[] = ours.map((own) => {
    const { bench, book } = own;
    layOperations(own, operations);
    const hash = bench.producer.bookHash(book);
    return {
      name: bench.name,
      work: () => applyAll(own, operations),
      verify: (wrong) => {
        mustEqual(`bookApply on ${bench.name}: results that differ`, wrong, 0);
        mustEqual(`bookApply on ${bench.name}: the hash`, bench.producer.bookHash(book), hash);
      },
    };
  });
  const baselineSide: Side = {
    name: "baseline",
    work: () => {
      let wrong = 0;
      for (let index = 0; index < codes.length; index++) {
        const side = sides[index] === SIDE_BID ? baseline.bids : baseline.asks;
        wrong += side.set(prices[index] ?? 0, quantities[index] ?? 0) === codes[index] ? 0 : 1;
      }
      return wrong;
    },
    verify: (wrong) => {
      mustEqual("the baseline book: results that differ", wrong, 0);
      mustEqual("the baseline book: bids", baseline.bids.count, count.bids);
      mustEqual("the baseline book: asks", baseline.asks.count, count.asks);
    },
  };
  return {
    bench: BOOK.name,
    name: spread === "touch" ? "set a level near the touch" : "set a level anywhere",
    unit: "ns/level",
    units: codes.length,
    sides: [...kernelSides, baselineSide],
    ratios: againstOurs(ours),
    facts: { operations: codes.length },
  };
}

function layOperations({ bench, operations }: KernelBook, { ticks, lots }: LevelOperations): void {
  for (const [index, tick] of ticks.entries()) {
    writeLevel(bench.view, operations + index * LEVEL_BYTES, { tick, lots: lots[index] ?? 0 });
  }
}

function applyAll({ bench, book, operations }: KernelBook, { sides, codes }: LevelOperations): number {
  const { producer } = bench;
  let wrong = 0;
  for (let index = 0; index < codes.length; index++) {
    const code = producer.bookApply(book, sides[index] ?? 0, operations + index * LEVEL_BYTES);
    wrong += code === codes[index] ? 0 : 1;
  }
  return wrong;
}

function applyCalls(ours: readonly KernelBook[], operations: LevelOperations) {
  return Object.fromEntries(
    ours.map((own) => {
      let index = 0;
      const { producer } = own.bench;
      const next = () => {
        const at = index;
        index = (index + 1) % operations.codes.length;
        return producer.bookApply(own.book, operations.sides[at] ?? 0, own.operations + at * LEVEL_BYTES);
      };
      return [own.bench.name, next];
    }),
  );
}

function walkCase(ours: readonly KernelBook[], baseline: BaselineBook, limit: number): Case {
  const out = new Float64Array(2 * limit);
  const repeats = Math.max(1, Math.floor(1000 / limit));
  const last = baseline.bids.price(limit - 1);
  const kernelSides: Side[] = ours.map(({ bench, book, out: address }) => ({
    name: bench.name,
    work: () => {
      let walked = 0;
      for (let repeat = 0; repeat < repeats; repeat++) {
        walked += bench.producer.bookWalk(book, SIDE_BID, 0, limit, address);
      }
      return walked;
    },
    verify: (walked) => {
      mustEqual(`bookWalk on ${bench.name}: levels`, walked, limit * repeats);
      const tick = bench.view.getBigInt64(address + (limit - 1) * LEVEL_BYTES + LEVEL_PRICE, true);
      mustEqual(`bookWalk on ${bench.name}: the last price`, Number(tick) / PRICE_UNIT, last);
    },
  }));
  const baselineSide: Side = {
    name: "baseline",
    work: () => {
      let walked = 0;
      for (let repeat = 0; repeat < repeats; repeat++) {
        walked += baseline.bids.walk(limit, out);
      }
      return walked;
    },
    verify: (walked) => {
      mustEqual("the baseline's walk: levels", walked, limit * repeats);
      mustEqual("the baseline's walk: the last price", out[2 * (limit - 1)] ?? 0, last);
    },
  };
  return {
    bench: BOOK.name,
    name: `walk the best ${limit.toLocaleString("en")} levels`,
    unit: "ns/level",
    units: limit * repeats,
    sides: [...kernelSides, baselineSide],
    ratios: againstOurs(ours),
  };
}

/** One side of depth + surplus levels is cut to its depth; the levels come back untimed. */
function truncateCase(context: BenchContext, { depth, surplus }: { depth: number; surplus: number }): Case {
  const { bids } = deepBook(2 * (depth + surplus));
  const worst = bids.ticks.slice(depth);
  const sides = context.kernels.map((name) => kernelTruncation(openWorkbench(name), bids, { depth, worst }));
  const baseline = openBaseline({ bids, asks: bids }).bids;
  const baselineSide: Side = {
    name: "baseline",
    prepare: () => {
      for (const tick of worst) {
        baseline.set(tick / PRICE_UNIT, (bids.lots.get(tick) ?? 0) / QUANTITY_UNIT);
      }
    },
    work: () => baseline.truncate(depth),
    verify: (dropped) => {
      mustEqual("the baseline's truncation", dropped, surplus);
      mustEqual("the baseline's worst price", baseline.price(depth - 1), (bids.ticks[depth - 1] ?? 0) / PRICE_UNIT);
    },
  };
  return {
    bench: BOOK.name,
    name: `truncate ${(depth + surplus).toLocaleString("en")} levels to ${depth.toLocaleString("en")}`,
    unit: "ns/level dropped",
    units: surplus,
    sides: [...sides, baselineSide],
    ratios: context.kernels.includes("twin") ? [{ other: "baseline" }, { other: "twin" }] : [{ other: "baseline" }],
  };
}

type Truncation = { depth: number; worst: readonly number[] };

function kernelTruncation(bench: Workbench, bids: DeepSide, { depth, worst }: Truncation): Side {
  const own = openKernelBook(bench, { bids, asks: { ticks: [], lots: new Map() } });
  const { producer } = bench;
  const cut = { ticks: [...worst], lots: bids.lots };
  producer.bookTruncate(own.book, SIDE_BID, depth);
  const hash = producer.bookHash(own.book);
  return {
    name: bench.name,
    prepare: () => fill(own, SIDE_BID, cut),
    work: () => producer.bookTruncate(own.book, SIDE_BID, depth),
    verify: (dropped) => {
      mustEqual(`bookTruncate on ${bench.name}`, dropped, worst.length);
      mustEqual(`bookTruncate on ${bench.name}: the hash`, producer.bookHash(own.book), hash);
    },
  };
}

function againstOurs(ours: readonly KernelBook[]): RatioWish[] {
  const names = ours.map(({ bench }) => bench.name);
  return names.includes("twin") ? [{ other: "baseline" }, { other: "twin" }] : [{ other: "baseline" }];
}
