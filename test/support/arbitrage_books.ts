/**
 * Books for tests of the detector: plain maps that count their events, and scenes of several with a detector that keeps
 * what it told. Bad case: sorting at every look; books in these tests have a few levels.
 */
import { SIDE_BID } from "../../assembly/layout.ts";
import type { ArbitrageBook } from "../../src/arbitrage/book.ts";
import { ArbitrageDetector, type ArbitrageRules, type OpportunityEvent } from "../../src/arbitrage/mod.ts";
import { decimalUnits } from "../../src/wire/numbers.ts";
import type { PlainBook } from "./arbitrage_oracle.ts";

/** What a book is made from. */
export type BookShape = {
  /** `exchange:BASE-QUOTE` */
  readonly instrument: string;
  readonly priceExponent: number;
  readonly quantityExponent: number;
};

/** A book in plain maps, ticks → lots. */
export class MemoryBook implements ArbitrageBook, PlainBook {
  readonly instrument: string;
  readonly exchange: string;
  readonly base: string;
  readonly quote: string;
  readonly priceExponent: number;
  readonly quantityExponent: number;
  readonly bids = new Map<bigint, bigint>();
  readonly asks = new Map<bigint, bigint>();
  isUsable = true;
  isWhole = true;
  updatedAtMs = 0;
  version = 0;

  constructor({ instrument, priceExponent, quantityExponent }: BookShape) {
    const [exchange = "", pair = ""] = instrument.split(":");
    const [base = "", quote = ""] = pair.split("-");
    this.instrument = instrument;
    this.exchange = exchange;
    this.base = base;
    this.quote = quote;
    this.priceExponent = priceExponent;
    this.quantityExponent = quantityExponent;
  }

  /** No real hash: a number that changes with every event. */
  get hash(): number {
    return (this.version * 2_654_435_761) % 4_294_967_296;
  }

  bestPrice(side: number): number {
    const price = this.level(side, 0)?.price;
    return price === undefined ? Number.NaN : Number(price) / 10 ** this.priceExponent;
  }

  level(side: number, index: number) {
    const sign = side === SIDE_BID ? -1 : 1;
    const levels = [...(side === SIDE_BID ? this.bids : this.asks)];
    levels.sort(([one], [other]) => sign * (one < other ? -1 : one > other ? 1 : 0));
    const [price, quantity] = levels[index] ?? [];
    return price === undefined || quantity === undefined ? undefined : { price, quantity };
  }

  readLevels(side: number, out: Float64Array): number {
    let count = 0;
    for (let level = this.level(side, 0); level !== undefined && 2 * count < out.length; ) {
      out.set([Number(level.price), Number(level.quantity)], 2 * count);
      count += 1;
      level = this.level(side, count);
    }
    return count;
  }

  /** One event of one change; quantity 0 removes. */
  set(side: number, change: { price: bigint; quantity: bigint; nowMs: number }): void {
    const levels = side === SIDE_BID ? this.bids : this.asks;
    if (change.quantity === 0n) {
      levels.delete(change.price);
    } else {
      levels.set(change.price, change.quantity);
    }
    this.version += 1;
    this.updatedAtMs = change.nowMs;
  }
}

/** Books, and a detector that was given them. */
export function detectorScene(shapes: readonly BookShape[], rules: Partial<ArbitrageRules>) {
  const books = shapes.map((shape) => new MemoryBook(shape));
  const events: OpportunityEvent[] = [];
  const free = Object.fromEntries(books.map(({ exchange }) => [exchange, 0]));
  const detector = new ArbitrageDetector({ feesBps: free, reportMs: 0, ...rules }, (event) => events.push(event));
  for (const book of books) {
    detector.add(book);
  }
  return { books, events, detector };
}

/** Decimal text as an integer of units of 10^-digits. @throws Error when it has more digits */
export function unitsOf(text: string, digits: number): bigint {
  const [whole = "", fraction = ""] = text.split(".");
  if (fraction.length > digits) {
    throw new Error(`Cannot read a decimal: more than ${digits} digits, was ${text}`);
  }
  return (decimalUnits(whole, 0) ?? 0n) * 10n ** BigInt(digits) + BigInt(fraction.padEnd(digits, "0") || "0");
}
