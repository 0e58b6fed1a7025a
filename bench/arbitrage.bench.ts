/**
 * What an event of a book costs the gateway's arbitrage: four exchanges with one pair, whose books do not cross (nearly
 * every event), or cross over eight levels, so that each event walks them anew; and a circle of three books.
 * Bad case: reading the crossed figure as that of every event; a crossing is rare, and is walked while it lasts only.
 */
import { ArbitrageGround, type GroundBook } from "./arbitrage_ground.ts";
import type { Bench } from "./context.ts";
import { type Case, mustEqual } from "./harness.ts";
import type { CaseResult } from "./results.ts";

/** The benchmark. */
export const ARBITRAGE: Bench = {
  name: "arbitrage",
  about: "an event of one book: reading its best prices, comparing all lanes, walking those that cross",
  run: async (context) => {
    const results: CaseResult[] = [];
    for (const scene of SCENES) {
      const grounds = context.kernels.map((name) => new ArbitrageGround(name, scene.books, scene.rules));
      const calls = grounds.map((ground) => [ground.name, () => ground.update(1)] as const);
      results.push(await context.measure(caseOf(scene, grounds), Object.fromEntries(calls)));
    }
    return results;
  },
};

const UPDATES = 2048;
const EXCHANGES = ["north", "south", "west", "east"];

type Scene = {
  name: string;
  books: readonly GroundBook[];
  rules: { triangular?: boolean };
  /** Opportunities that are open. */
  open: number;
  /** Walks that an update does, on average. */
  walks: number;
  /** Of the best one, basis points. */
  profitBps: string | undefined;
};

const pair = (exchange: string, middle: number): GroundBook => ({
  exchange,
  symbol: "BTC-USD",
  middle,
  step: 100,
  lots: 500,
});
const circle = (symbol: string, middle: number, step: number): GroundBook => ({
  exchange: "north",
  symbol,
  middle,
  step,
  lots: 50_000,
});

const SCENES: readonly Scene[] = [
  {
    name: "4 exchanges, nothing crosses",
    books: EXCHANGES.map((exchange) => pair(exchange, 6_350_000)),
    rules: {},
    open: 0,
    walks: 0,
    profitBps: undefined,
  },
  {
    name: "4 exchanges, one is 60 bps higher: 3 lanes of 8 levels",
    books: EXCHANGES.map((exchange, index) => pair(exchange, index === 0 ? 6_388_100 : 6_350_000)),
    rules: {},
    open: 3,
    // An update of the high one walks three lanes, one of another walks one.
    walks: (3 + 1 + 1 + 1) / 4,
    // (63,876.5 × 0.999 − 63,504.5 × 1.001) ÷ 63,504.5: averages of eight levels.
    profitBps: "38.5199",
  },
  {
    name: "a circle of 3 books, nothing crosses",
    books: [circle("ETH-USD", 100_000, 100), circle("ETH-BTC", 100, 1), circle("BTC-USD", 100_000, 100)],
    rules: { triangular: true },
    open: 0,
    walks: 0,
    profitBps: undefined,
  },
  {
    name: "a circle of 3 books, 300 bps apart: 1 lane over 8 levels",
    books: [circle("ETH-USD", 103_000, 10), circle("ETH-BTC", 100, 1), circle("BTC-USD", 100_000, 10)],
    rules: { triangular: true },
    open: 1,
    walks: 1,
    profitBps: undefined,
  },
];

function caseOf(scene: Scene, grounds: readonly ArbitrageGround[]): Case {
  return {
    bench: ARBITRAGE.name,
    name: scene.name,
    unit: "ns/update",
    units: UPDATES,
    sides: grounds.map((ground) => {
      let before = 0;
      return {
        name: ground.name,
        prepare: () => {
          before = ground.arbitrage.counts.walks;
        },
        work: () => ground.update(UPDATES),
        verify: (walks: number) => verify(scene, ground, walks - before),
      };
    }),
    ratios: grounds.length > 1 ? [{ other: "twin" }] : [],
    notes: ["Goal: at most 5,000 ns an update."],
  };
}

function verify(scene: Scene, ground: ArbitrageGround, walks: number): void {
  const open = ground.arbitrage.opportunities();
  mustEqual(`${scene.name} on ${ground.name}: open opportunities`, open.length, scene.open);
  mustEqual(`${scene.name} on ${ground.name}: walks a run`, walks, scene.walks * UPDATES);
  if (scene.profitBps !== undefined) {
    mustEqual(`${scene.name} on ${ground.name}: profit`, Number(open[0]?.profitBps), Number(scene.profitBps));
  }
}
