/**
 * The dashboard's own logic without a browser: the mapping of prices to heat map rows and of quantities to colours, the
 * depth history, which books are followed, the order of the overview, addresses.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  COLUMN_MS,
  COLUMNS_MAX,
  type DepthExponents,
  DepthHistory,
  depthLevels,
  safeUnits,
} from "../../src/dashboard/depth_history.ts";
import { FollowedBooks } from "../../src/dashboard/followed_books.ts";
import {
  cellLots,
  centredGrid,
  fittingTicks,
  fullScale,
  HEAT_STEPS,
  heatStep,
  lowTickOf,
  neighbourStep,
  niceStep,
  rowOf,
  sumRows,
  UNKNOWN,
} from "../../src/dashboard/heat_grid.ts";
import type { BookTop, InstrumentStatus } from "../../src/dashboard/market_feed.ts";
import { BY_HEALTH, orderedRows, type RowFacts } from "../../src/dashboard/overview_order.ts";
import { pairHref, viewOfHash } from "../../src/dashboard/route.ts";

const EXPONENTS: DepthExponents = { price: 2, quantity: 3, levelsMax: 0 };

function book(levels: { bids: [number, number][]; asks: [number, number][] }, change: Partial<BookTop> = {}): BookTop {
  const text = ([tick, lots]: [number, number]) => [(tick / 100).toFixed(2), (lots / 1000).toFixed(3)] as const;
  return {
    bids: levels.bids.map(text),
    asks: levels.asks.map(text),
    bidLevels: levels.bids.length,
    askLevels: levels.asks.length,
    version: "1",
    hash: 0,
    isSynced: true,
    isCrossed: false,
    eventAtMs: 0,
    receivedAtMs: 0,
    ...change,
  };
}

/** Bids below 5,000 ticks and asks above, best first, each with its lots. */
const ladder = fc
  .record({
    bids: fc.uniqueArray(fc.integer({ min: 1, max: 4_999 }), { minLength: 1, maxLength: 60 }),
    asks: fc.uniqueArray(fc.integer({ min: 5_001, max: 9_999 }), { minLength: 1, maxLength: 60 }),
    lots: fc.integer({ min: 1, max: 900_000 }),
  })
  .map(({ bids, asks, lots }) => ({
    bids: bids.sort((a, b) => b - a).map((tick) => [tick, lots + tick] as [number, number]),
    asks: asks.sort((a, b) => a - b).map((tick) => [tick, lots + tick] as [number, number]),
  }));

describe("heat grid", () => {
  test("every tick of a row lies in that row when rows and steps vary", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 10 ** 9 }),
        fc.integer({ min: 1, max: 5_000 }),
        fc.integer({ min: 2, max: 200 }),
        (tick, ticksPerRow, rows) => {
          const grid = centredGrid(tick, { rows, ticksPerRow });
          expect(Math.abs(rowOf(grid, tick) - rows / 2)).toBeLessThanOrEqual(1);
          for (const row of [0, 1, rows - 1]) {
            expect(rowOf(grid, lowTickOf(grid, row))).toBe(row);
            expect(rowOf(grid, lowTickOf(grid, row) + ticksPerRow - 1)).toBe(row);
          }
        },
      ),
    );
  });

  test("rows hold exactly the quantity of their levels when the whole book is known", () => {
    fc.assert(
      fc.property(ladder, fc.integer({ min: 1, max: 40 }), (sides, ticksPerRow) => {
        const levels = depthLevels(book(sides), EXPONENTS);
        expect(levels).toBeDefined();
        if (levels === undefined) {
          return;
        }
        const grid = centredGrid(5_000, { rows: 60, ticksPerRow });
        const sums = new Float64Array(grid.rows);
        const largest = sumRows(grid, levels, sums);
        for (let row = 0; row < grid.rows; row += 1) {
          const low = lowTickOf(grid, row);
          const inside = [...sides.bids, ...sides.asks].filter(([tick]) => tick >= low && tick < low + ticksPerRow);
          const expected = inside.reduce((sum, [, lots]) => sum + lots, 0);
          expect(sums[row]).toBe(expected);
          expect(cellLots(grid, row, levels)).toBe(BigInt(expected));
        }
        expect(largest).toBe(Math.max(...sums));
      }),
    );
  });

  test("rows beyond the recorded levels are unknown, not empty, when the book goes on", () => {
    const sides = {
      bids: [
        [4_990, 5],
        [4_980, 5],
      ] as [number, number][],
      asks: [
        [5_010, 5],
        [5_020, 5],
      ] as [number, number][],
    };
    const grid = { rows: 8, ticksPerRow: 10, lowTick: 4_970 };
    const sums = new Float64Array(8);
    const cut = depthLevels(book(sides, { bidLevels: 3, askLevels: 3 }), EXPONENTS);
    sumRows(grid, cut as NonNullable<typeof cut>, sums);
    // Lowest row 4970 … 4979 lies beyond the last bid kept, rows from 5020 … 5029 on reach beyond the last ask kept.
    expect([...sums].reverse()).toEqual([UNKNOWN, 5, 5, 0, 5, UNKNOWN, UNKNOWN, UNKNOWN]);
    const shallow = depthLevels(book(sides), { ...EXPONENTS, levelsMax: 2 });
    expect(shallow?.lowestKnown).toBe(4_980);
    expect(depthLevels(book(sides), EXPONENTS)?.lowestKnown).toBe(Number.NEGATIVE_INFINITY);
  });

  test("colours grow with the logarithm of the quantity and are never empty when there is some", () => {
    expect(heatStep(0, 1024)).toBe(0);
    expect(heatStep(1024, 1024)).toBe(HEAT_STEPS - 1);
    expect(heatStep(1e9, 1024)).toBe(HEAT_STEPS - 1);
    expect(heatStep(1e-9, 1024)).toBe(1);
    const steps = [8, 16, 32, 64, 128, 256, 512, 1024].map((value) => heatStep(value, 1024));
    const rises = steps.slice(1).map((step, index) => step - (steps[index] ?? 0));
    expect(Math.max(...rises) - Math.min(...rises)).toBeLessThanOrEqual(1);
  });

  test("the scale holds the largest quantity and stays while it changes little", () => {
    expect(fullScale(1000, 0)).toBe(1024);
    expect(fullScale(1025, 1024)).toBe(2048);
    expect(fullScale(300, 1024)).toBe(1024);
    expect(fullScale(200, 1024)).toBe(256);
    expect(fullScale(0, 1024)).toBe(1024);
  });

  test("steps go 1, 2, 5, 10 in both directions and never below one tick", () => {
    expect([1, 2, 3, 6, 11, 21, 51].map(niceStep)).toEqual([1, 2, 5, 10, 20, 50, 100]);
    const up = [1, 2, 5, 10, 20, 50];
    expect(up.map((step) => neighbourStep(step, 1))).toEqual([2, 5, 10, 20, 50, 100]);
    expect(up.map((step) => neighbourStep(step, -1))).toEqual([1, 1, 2, 5, 10, 20]);
  });

  test("a shallow book is shown with room around it, and what the price moved fits", () => {
    const sides = {
      bids: [
        [4_990, 5],
        [4_900, 5],
      ] as [number, number][],
      asks: [
        [5_010, 5],
        [5_100, 5],
      ] as [number, number][],
    };
    const levels = depthLevels(book(sides), EXPONENTS) as NonNullable<ReturnType<typeof depthLevels>>;
    const still = fittingTicks(levels, 80, 0);
    expect(still * 40).toBeGreaterThan(0);
    expect(fittingTicks(levels, 80, 4_000) * 80).toBeGreaterThanOrEqual(4_000);
  });
});

describe("depth history", () => {
  test("reads exact units when a double holds them and refuses what does not fit", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 10 ** 12 }), fc.integer({ min: 0, max: 3 }), (units, exponent) => {
        const text = (units / 10 ** exponent).toFixed(exponent);
        expect(safeUnits(text, exponent)).toBe(units);
      }),
    );
    expect(safeUnits("63498.1", 2)).toBe(6_349_810);
    expect(safeUnits("1.005", 2)).toBeUndefined();
    expect(safeUnits("12345678901234", 2)).toBeUndefined();
  });

  test("keeps quantities beyond 2^53 exact when lots are many", () => {
    const top = book({ bids: [[100, 1]], asks: [[200, 1]] });
    const large = { ...top, bids: [["1.00", "9007199254740993.001"] as const] };
    const levels = depthLevels(large, EXPONENTS);
    expect(levels?.lots[0]).toBe(9_007_199_254_740_993_001n);
  });

  test("has one column per interval, fills short gaps with the book that stood, and leaves long ones open", () => {
    const history = new DepthHistory();
    const top = (version: string) => book({ bids: [[100, 1]], asks: [[200, 1]] }, { version });
    const at = (slot: number) => slot * COLUMN_MS + 3;
    expect(history.record(at(100), top("7"), EXPONENTS)).toBe(true);
    expect(history.record(at(100) + 1, top("8"), EXPONENTS)).toBe(false);
    expect(history.record(at(104), top("9"), EXPONENTS)).toBe(true);
    expect(history.at(102)).toMatchObject({ version: "7", readAt: 100 });
    expect(history.at(104)?.version).toBe("9");
    history.record(at(150), undefined, EXPONENTS);
    expect(history.at(120)).toBeUndefined();
    expect(history.newest).toMatchObject({ slot: 150, levels: undefined });
    expect(history.newestKnown?.version).toBe("9");
    history.record(at(150 + COLUMNS_MAX), top("10"), EXPONENTS);
    expect(history.at(150)).toBeUndefined();
    history.record(at(151 + COLUMNS_MAX), top("11"), { ...EXPONENTS, price: 3 });
    expect(history.at(150 + COLUMNS_MAX)).toBeUndefined();
  });
});

describe("followed books", () => {
  test("a book goes on for a while after nobody looks, and only the last four do", () => {
    let told: readonly string[] = [];
    const books = new FollowedBooks((names) => {
      told = names;
    }, false);
    for (const name of ["a", "b", "c", "d", "e"]) {
      books.watch([name])();
    }
    expect(told).toEqual(["e", "d", "c", "b"]);
    const end = books.watch(["c", "x"]);
    const endAgain = books.watch(["c"]);
    end();
    expect(books.recorded()).toContain("c");
    expect(told).toEqual(["c", "x", "e", "d", "b"]);
    endAgain();
    expect(told).toEqual(["c", "x", "e", "d"]);
  });

  test("all are followed and none recorded when that is asked for", () => {
    let told: readonly string[] = [];
    const books = new FollowedBooks((names) => {
      told = names;
    }, true);
    books.list(["a", "b"]);
    expect(told).toEqual(["a", "b"]);
    expect(books.recorded()).toEqual([]);
    const some = new FollowedBooks((names) => {
      told = names;
    }, false);
    const end = some.follow(["a"]);
    expect([told, some.has("a"), some.recorded()]).toEqual([["a"], true, []]);
    end();
    expect(some.has("a")).toBe(false);
  });
});

describe("order of the overview", () => {
  const row = (instrument: string, change: Partial<InstrumentStatus> = {}, rest: Partial<RowFacts> = {}): RowFacts => ({
    status: {
      instrument,
      state: "synced",
      assurance: "checksum",
      reason: "none",
      trading: "open",
      sinceMs: 0,
      priceExponent: 1,
      quantityExponent: 8,
      ...change,
    },
    isLive: true,
    spread: 1,
    updatesPerSecond: 0,
    tradesPerSecond: 0,
    ...rest,
  });
  const rows = [
    row("kraken:ETH-USD", {}, { updatesPerSecond: 9 }),
    row("kraken:BTC-USD", {}, { updatesPerSecond: 3 }),
    row("binance:BTC-USD", { state: "resyncing", reason: "gap" }, { isLive: false }),
    row("coinbase_exchange:SOL-USD", { trading: "halted" }),
    row("binance:SOL-USD", { state: "waiting", reason: "waiting_snapshot" }, { isLive: false }),
  ];
  const names = (list: RowFacts[]) => list.map(({ status }) => status.instrument);

  test("problems stand first, then names, when nothing was chosen", () => {
    expect(names(orderedRows(rows, BY_HEALTH, ""))).toEqual([
      "binance:BTC-USD",
      "binance:SOL-USD",
      "coinbase_exchange:SOL-USD",
      "kraken:BTC-USD",
      "kraken:ETH-USD",
    ]);
    expect(names(orderedRows(rows, { key: "updates", isDescending: true }, "")).slice(0, 2)).toEqual([
      "kraken:ETH-USD",
      "kraken:BTC-USD",
    ]);
  });

  test("all words of the filter must occur, and `problems` keeps what is not well", () => {
    expect(names(orderedRows(rows, BY_HEALTH, "kraken btc"))).toEqual(["kraken:BTC-USD"]);
    expect(names(orderedRows(rows, BY_HEALTH, "GAP"))).toEqual(["binance:BTC-USD"]);
    expect(names(orderedRows(rows, BY_HEALTH, "problems"))).toHaveLength(3);
    expect(orderedRows(rows, BY_HEALTH, "doge")).toEqual([]);
  });
});

test("an address names a view when it is the overview's, an instrument's, a pair's or the system's", () => {
  expect(["", "#", "#/"].map(viewOfHash)).toEqual([{ kind: "overview" }, { kind: "overview" }, { kind: "overview" }]);
  expect(viewOfHash("#/system")).toEqual({ kind: "system" });
  expect(viewOfHash("#/kraken:BTC-USD")).toEqual({ kind: "instrument", name: "kraken:BTC-USD" });
  expect(viewOfHash(pairHref("BTC-USD"))).toEqual({ kind: "pair", pair: "BTC-USD" });
  expect(viewOfHash(pairHref())).toEqual({ kind: "pair", pair: undefined });
});
