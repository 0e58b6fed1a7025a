/**
 * The frames that instructions are counted on: made from fixed seeds, in the form that exchanges send them, and ending in
 * the book that they began with, so that they can be played again and again without a reset.
 * Bad case: two changes of one frame at one price; only the last would count, so a frame names each level once.
 */
import { EXCHANGES } from "../../src/exchanges/mod.ts";
import { crc32 } from "../baseline/crc32.ts";
import { type LevelChange, snapshotText, timeText, updateText } from "../coinbase_text.ts";
import {
  type DeepBook,
  type DeepSide,
  deepBook,
  fixedDecimal,
  levelOperations,
  PRICE_EXPONENT,
  QUANTITY_EXPONENT,
} from "../deep_book.ts";
import { makeStream, type Stream } from "../stream.ts";

const COINBASE_NATIVE = "BTC-USD";
const KRAKEN_NATIVE = "BTC/USD";
const KRAKEN_DEPTH = 10;
const START_MS = Date.UTC(2026, 6, 7, 23);
const FRAME_EVERY_MS = 50;

/** What a stream is made of. */
export type CycleOptions = {
  /** Levels of both sides. */
  levels: number;
  /** Operations on them, even; the second half undoes the first. */
  operations: number;
  /** Most changes of one frame. */
  changesMax: number;
};

/** Coinbase: a snapshot, then `l2update` frames. */
export function coinbaseCycle({ levels, operations, changesMax }: CycleOptions): Stream {
  const book = deepBook(levels);
  const snapshot = snapshotText(COINBASE_NATIVE, book, timeText(atMs(0)));
  const updates = grouped(stepsOf(book, operations), changesMax).map((steps, index) =>
    updateText(COINBASE_NATIVE, steps, timeText(atMs(index + 1))),
  );
  const source = { id: "coinbase_cycle", title: `Coinbase, ${levels} levels`, exchange: EXCHANGES.coinbase_exchange };
  return streamOf(source, [snapshot, ...updates]);
}

/** Kraken v2 at depth 10: a snapshot, then updates with the CRC32 of each. */
export function krakenCycle({ levels, operations }: CycleOptions): Stream {
  const book = deepBook(levels);
  const steps = stepsOf(book, operations);
  const texts = [krakenText("snapshot", book, { bids: top(book.bids), asks: top(book.asks), index: 0 })];
  for (const { side, tick, lots } of steps) {
    const own = side === 0 ? book.bids : book.asks;
    const before = new Map(top(own));
    place(own, { tick, lots, direction: side === 0 ? -1 : 1 });
    const after = top(own);
    const gone = [...before.keys()].filter((held) => !own.lots.has(held)).map((held): Level => [held, 0]);
    const changed = [...gone, ...after.filter(([at, held]) => before.get(at) !== held)];
    if (changed.length > 0) {
      const both = side === 0 ? { bids: changed, asks: [] } : { bids: [], asks: changed };
      texts.push(krakenText("update", book, { ...both, index: texts.length }));
    }
  }
  return streamOf({ id: "kraken_cycle", title: "Kraken v2, depth 10", exchange: EXCHANGES.kraken }, texts);
}

type Level = [tick: number, lots: number];

function krakenText(
  type: "snapshot" | "update",
  book: DeepBook,
  { bids, asks, index }: { bids: readonly Level[]; asks: readonly Level[]; index: number },
): string {
  const list = (levels: readonly Level[]) =>
    levels.map(([tick, lots]) => `{"price":${price(tick)},"qty":${quantity(lots)}}`).join(",");
  const tail = `"checksum":${checksum(book)},"timestamp":"${timeText(atMs(index))}"`;
  const body = `{"symbol":"${KRAKEN_NATIVE}","bids":[${list(bids)}],"asks":[${list(asks)}],${tail}}`;
  return `{"channel":"book","type":"${type}","data":[${body}]}`;
}

/** Over the digits of the best ten asks, then bids. */
function checksum({ asks, bids }: DeepBook): number {
  const digits = [...top(asks), ...top(bids)].map(([tick, lots]) => `${tick}${lots}`).join("");
  const bytes = Buffer.from(digits);
  return crc32(bytes, 0, bytes.length);
}

function top(side: DeepSide): Level[] {
  return side.ticks.slice(0, KRAKEN_DEPTH).map((tick) => [tick, side.lots.get(tick) ?? 0]);
}

/** @param direction of prices from the touch outwards */
function place(side: DeepSide, { tick, lots, direction }: { tick: number; lots: number; direction: 1 | -1 }): void {
  const { ticks } = side;
  if (lots === 0) {
    ticks.splice(ticks.indexOf(tick), 1);
    side.lots.delete(tick);
    return;
  }
  if (!side.lots.has(tick)) {
    const rank = ticks.findIndex((held) => (held - tick) * direction > 0);
    ticks.splice(rank < 0 ? ticks.length : rank, 0, tick);
  }
  side.lots.set(tick, lots);
}

function stepsOf(book: DeepBook, count: number): LevelChange[] {
  const { sides, ticks, lots } = levelOperations(book, { spread: "touch", count });
  return Array.from(sides, (side, index) => ({ side, tick: ticks[index] ?? 0, lots: lots[index] ?? 0 }));
}

/** Frames of at most so many steps, in order, no level twice in one of them. */
function grouped(steps: readonly LevelChange[], most: number): LevelChange[][] {
  const groups: LevelChange[][] = [];
  let group: LevelChange[] = [];
  for (const step of steps) {
    const isNamed = group.some(({ side, tick }) => side === step.side && tick === step.tick);
    if (isNamed || group.length === most) {
      groups.push(group);
      group = [];
    }
    group.push(step);
  }
  return [...groups, group];
}

function streamOf(head: Pick<Stream, "id" | "title" | "exchange">, texts: readonly string[]): Stream {
  return makeStream(
    { ...head, source: "synthetic", files: [] },
    texts.map((text, index) => ({ text, atNs: BigInt(atMs(index)) * 1_000_000n })),
  );
}

function price(tick: number): string {
  return fixedDecimal(tick, PRICE_EXPONENT);
}

function quantity(lots: number): string {
  return fixedDecimal(lots, QUANTITY_EXPONENT);
}

function atMs(index: number): number {
  return START_MS + index * FRAME_EVERY_MS;
}
