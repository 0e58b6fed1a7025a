/**
 * The deep book as Coinbase would send it: one snapshot of 45,000 levels, then updates of ten changes near the touch.
 * Bad case: two changes of one update at one price; only the last would count, so an update names ten different levels.
 */
import { EXCHANGES } from "../src/exchanges/mod.ts";
import { type LevelChange, snapshotText, timeText, updateText } from "./coinbase_text.ts";
import { deepBook, levelOperations } from "./deep_book.ts";
import { makeStream, type Stream } from "./stream.ts";

/** Changes of one update. */
export const CHANGES_PER_UPDATE = 10;
const NATIVE = "BTC-USD";
const START_MS = Date.UTC(2026, 6, 7, 23);
const UPDATE_EVERY_MS = 50;
/** Operations drawn for each change, so that ten different levels are found. */
const SURPLUS = 2;

/** @param updates of CHANGES_PER_UPDATE changes each */
export function deepStream(updates: number): Stream {
  const book = deepBook();
  const snapshot = snapshotText(NATIVE, book, timeText(atMs(0)));
  const texts = updateTexts(updates);
  const title = "synthetic book of 45,000 levels, 10 changes per update";
  const source = { id: "deep", title, exchange: EXCHANGES.coinbase_exchange, source: "synthetic", files: [] } as const;
  return makeStream(
    source,
    [snapshot, ...texts].map((text, index) => ({ text, atNs: BigInt(atMs(index)) * 1_000_000n })),
  );
}

function updateTexts(updates: number): string[] {
  const count = 2 * Math.ceil((updates * CHANGES_PER_UPDATE * SURPLUS) / 2);
  const operations = levelOperations(deepBook(), { spread: "touch", count });
  const texts: string[] = [];
  let named = new Set<string>();
  let changes: LevelChange[] = [];
  for (let index = 0; index < count && texts.length < updates; index++) {
    const side = operations.sides[index] ?? 0;
    const tick = operations.ticks[index] ?? 0;
    const key = `${side} ${tick}`;
    if (named.has(key)) {
      continue;
    }
    named.add(key);
    changes.push({ side, tick, lots: operations.lots[index] ?? 0 });
    if (changes.length === CHANGES_PER_UPDATE) {
      texts.push(updateText(NATIVE, changes, timeText(atMs(texts.length + 1))));
      changes = [];
      named = new Set();
    }
  }
  return texts;
}

function atMs(index: number): number {
  return START_MS + index * UPDATE_EVERY_MS;
}
