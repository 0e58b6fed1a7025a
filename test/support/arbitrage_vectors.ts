/**
 * Test vectors of arbitrage that both languages must pass: rules, books, steps, and what is told at each. Made here from
 * seeds and frozen in a file; the brute-force tests say that they are right, this says that they stay so everywhere.
 * Bad case: a vector in which nothing opens; every kind of scene is required to tell something.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { SIDE_ASK, SIDE_BID } from "../../assembly/layout.ts";
import {
  ARBITRAGE_RULES,
  ArbitrageDetector,
  type ArbitrageRules,
  type OpportunityEvent,
} from "../../src/arbitrage/mod.ts";
import { packageFolder } from "../../src/assets.ts";
import { Random } from "../../src/emulator/random.ts";
import type { Opportunity } from "../../src/wire/opportunity.ts";
import { type BookShape, MemoryBook } from "./arbitrage_books.ts";

/** Where they stand. */
export const VECTORS_FILE = join(packageFolder(), "python/tests/golden/arbitrage.jsonl");
/** How they are renewed. */
export const RENEW_COMMAND = "ALPHAPULSE_RENEW=arbitrage npx vitest run test/unit/arbitrage_golden.test.ts";

/** What happens: a change of a book and its judging, time that passes, or a book that goes. Prices in ticks, decimal. */
export type Step = {
  readonly atMs: number;
  readonly do: "update" | "expire" | "remove";
  readonly book: number;
  readonly side: "bid" | "ask";
  readonly price: string;
  readonly quantity: string;
  readonly usable: boolean;
  readonly whole: boolean;
};

/** One scene: what is told at each step, and what is open after the last. */
export type Vector = {
  readonly name: string;
  readonly rules: ArbitrageRules;
  readonly books: readonly BookShape[];
  readonly steps: readonly (Step & { readonly told: readonly OpportunityEvent[] })[];
  readonly open: readonly Opportunity[];
};

type Scene = Omit<Vector, "steps" | "open"> & { readonly middles: readonly number[]; readonly spread: number };

const CROSS: BookShape[] = [
  { instrument: "north:BTC-USD", priceExponent: 1, quantityExponent: 2 },
  { instrument: "south:BTC-USD", priceExponent: 2, quantityExponent: 8 },
  { instrument: "west:BTC-USDT", priceExponent: 2, quantityExponent: 0 },
];
const CIRCLE: BookShape[] = [
  { instrument: "north:ETH-USD", priceExponent: 1, quantityExponent: 3 },
  { instrument: "north:ETH-BTC", priceExponent: 3, quantityExponent: 2 },
  { instrument: "north:BTC-USD", priceExponent: 0, quantityExponent: 1 },
];
const FEES = { north: 10, south: 2.5, west: 0 };
const STEPS = 50;
const SEEDS = 2;

/** All vectors, made anew. */
export function makeVectors(): Vector[] {
  return Array.from({ length: SEEDS }, (_, seed) => scenesOf(seed).map((scene) => play(scene, seed))).flat();
}

/** The frozen vectors. */
export function readVectors(): Vector[] {
  const lines = readFileSync(VECTORS_FILE, "utf8").trim().split("\n");
  return lines.map((line) => JSON.parse(line) as Vector);
}

/** The text of the file. */
export function vectorsText(vectors: readonly Vector[]): string {
  return vectors.map((vector) => `${JSON.stringify(vector)}\n`).join("");
}

/** Plays steps to a detector. @returns what was told at each, and what is open at the end */
export function playSteps({
  rules,
  books: shapes,
  steps,
}: Omit<Vector, "open" | "name" | "steps"> & { steps: readonly Step[] }) {
  let told: OpportunityEvent[] = [];
  const books = shapes.map((shape) => new MemoryBook(shape));
  const detector = new ArbitrageDetector(rules, (event) => told.push(event));
  for (const book of books) {
    detector.add(book);
  }
  const toldAt = steps.map((step) => {
    told = [];
    const book = books[step.book] as MemoryBook;
    if (step.do === "expire") {
      detector.expire(step.atMs);
    } else if (step.do === "remove") {
      detector.remove(book, step.atMs);
    } else {
      const side = step.side === "bid" ? SIDE_BID : SIDE_ASK;
      book.set(side, { price: BigInt(step.price), quantity: BigInt(step.quantity), nowMs: step.atMs });
      book.isUsable = step.usable;
      book.isWhole = step.whole;
      detector.update(book, step.atMs);
    }
    return told;
  });
  return { toldAt, open: detector.opportunities() };
}

function scenesOf(seed: number): Scene[] {
  const rules = { ...ARBITRAGE_RULES, feesBps: FEES, reportMs: 0, ageMsMax: 1000 };
  const cross = { books: CROSS, middles: [10_000, 100_000, 100_000], spread: 40 };
  const circle = { books: CIRCLE, middles: [1000, 100, 1000], spread: 8 };
  const same = [["USD", "USDT"]];
  return [
    { ...cross, name: `cross ${seed}`, rules },
    { ...cross, name: `cross, quotes that are the same ${seed}`, rules: { ...rules, equivalents: same } },
    {
      ...cross,
      name: `cross, reports at a bounded rate ${seed}`,
      rules: { ...rules, reportMs: 300, equivalents: same },
    },
    {
      ...cross,
      name: `cross, least profit and few levels ${seed}`,
      rules: { ...rules, profitBpsMin: 5.5, levelsMax: 2 },
    },
    { ...circle, name: `triangular ${seed}`, rules: { ...rules, triangular: true } },
    { ...circle, name: `triangular, few levels ${seed}`, rules: { ...rules, triangular: true, levelsMax: 1 } },
  ];
}

function play({ name, rules, books, middles, spread }: Scene, seed: number): Vector {
  const random = new Random(seed, name);
  const shadow = books.map((shape) => new MemoryBook(shape));
  let atMs = 1_700_000_000_000;
  const steps = Array.from({ length: STEPS }, (_, index): Step => {
    atMs += random.pick(books === CROSS ? [0, 1, 40, 40, 250, 900] : [0, 1, 40, 60]);
    const place = random.below(books.length);
    const book = shadow[place] as MemoryBook;
    const [word, side] = random.chance(0.5) ? (["bid", SIDE_BID] as const) : (["ask", SIDE_ASK] as const);
    const best = book.level(side, 0)?.price;
    const isRemoved = best !== undefined && random.chance(0.4);
    const offset = (random.below(2 * spread + 1) - spread) * (books === CROSS && place > 0 ? 10 : 1);
    const price = isRemoved ? best : BigInt((middles[place] ?? 0) + offset);
    const scale = 10 ** Math.max(book.quantityExponent - 1, 0);
    const quantity = isRemoved ? 0n : BigInt((1 + random.below(60)) * scale + (scale > 10 ? random.below(9) : 0));
    const isGone = index === STEPS - 2 || (index === STEPS / 2 && seed === 1);
    const kind = isGone ? "remove" : random.chance(0.15) ? "expire" : "update";
    if (kind === "update") {
      book.set(side, { price, quantity, nowMs: atMs });
    }
    return {
      atMs,
      do: kind,
      book: place,
      side: word,
      price: String(price),
      quantity: String(quantity),
      usable: !random.chance(0.04),
      whole: !random.chance(0.04),
    };
  });
  const { toldAt, open } = playSteps({ rules, books, steps });
  return { name, rules, books, steps: steps.map((step, index) => ({ ...step, told: toldAt[index] ?? [] })), open };
}
