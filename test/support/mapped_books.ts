/**
 * Whether a book that some process holds is the emulator's, by hash: its own levels must add up to the hash that it
 * claims, and those that the exchange can have told must add up to the same as the true ones.
 * Bad case: a truth that moves while it is asked; pause the market first.
 */
import type { TrueBook, TrueLevel } from "../../src/emulator/mod.ts";
import { levelHash } from "../../src/kernel/twin/hash.ts";

/** A book as a process tells it; ticks and lots as text. */
export type ToldBook = {
  readonly name: string;
  readonly native: string;
  readonly depth: number;
  readonly priceExponent: number;
  readonly quantityExponent: number;
  readonly version: string;
  readonly hash: number;
  readonly isSynced: boolean;
  readonly low: string;
  readonly high: string;
  readonly bids: readonly ToldLevel[];
  readonly asks: readonly ToldLevel[];
};

type ToldLevel = readonly [ticks: string, lots: string];
type Level = readonly [ticks: bigint, lots: bigint];

/** @returns why it is not the true book; empty when it is */
export function bookProblem(book: ToldBook, truth: TrueBook): string {
  const told = { bids: numbers(book.bids), asks: numbers(book.asks) };
  if (!book.isSynced) {
    return "not synced";
  }
  if (hashOf(told) !== book.hash) {
    return `its levels do not add up to its hash, was ${book.hash}`;
  }
  const isKnown = ([ticks]: Level) => ticks >= BigInt(book.low) && ticks <= BigInt(book.high);
  const side = (levels: readonly TrueLevel[]) => {
    const known = levels
      .map(([price, quantity]): Level => [units(price, book.priceExponent), units(quantity, book.quantityExponent)])
      .filter(isKnown);
    return book.depth === 0 ? known : known.slice(0, book.depth);
  };
  const ours = hashOf({ bids: told.bids.filter(isKnown), asks: told.asks.filter(isKnown) });
  const theirs = hashOf({ bids: side(truth.bids), asks: side(truth.asks) });
  return ours === theirs ? "" : `hash ${ours} where the truth has ${theirs}`;
}

/** Decimal text as an integer. @throws RangeError when it has more digits than the exponent allows */
export function units(text: string, exponent: number): bigint {
  const [whole = "", fraction = ""] = text.split(".");
  if (fraction.length > exponent) {
    throw new RangeError(`Cannot count units: at most ${exponent} decimals fit, was ${text}`);
  }
  return BigInt(whole + fraction.padEnd(exponent, "0"));
}

function numbers(levels: readonly ToldLevel[]): Level[] {
  return levels.map(([ticks, lots]) => [BigInt(ticks), BigInt(lots)]);
}

function hashOf({ bids, asks }: { bids: readonly Level[]; asks: readonly Level[] }): number {
  let sum = 0;
  for (const [side, levels] of [bids, asks].entries()) {
    for (const [ticks, lots] of levels) {
      sum = (sum + levelHash(side, low(ticks), high(ticks), low(lots), high(lots))) | 0;
    }
  }
  return sum >>> 0;
}

function low(value: bigint): number {
  return Number(BigInt.asIntN(32, value));
}

function high(value: bigint): number {
  return Number(BigInt.asIntN(32, value >> 32n));
}
