/**
 * The history of a replica: its last changes in a ring of a power of two entries, written at every apply, so that a client
 * that missed some of them can be given the last quantity per price instead. An entry tells the version of its record and
 * how far that is from the end of the event before, because a client only ever holds whole events.
 * Bad case: more changes than entries since a version; it is out of reach then, and a snapshot is due.
 */
import {
  HISTORY_BYTES,
  HISTORY_HELD,
  HISTORY_KIND,
  HISTORY_PRICE,
  HISTORY_QUANTITY,
  HISTORY_RECORDS,
  HISTORY_VERSION,
  REPLICA_BASE_LIFE,
  REPLICA_EVENT_VERSION,
  REPLICA_HISTORY,
  REPLICA_HISTORY_ENTRIES,
  REPLICA_HISTORY_FLOOR,
  REPLICA_HISTORY_NEXT,
  REPLICA_HISTORY_USED,
  REPLICA_LIFE,
  REPLICA_VERSION,
} from "../../../assembly/layout.ts";
import type { Arena } from "./arena.ts";
import { compareUnsigned } from "./int64.ts";
import { copyWords, fieldOf, writeWords } from "./memory.ts";

/** KernelHistory.historyRelease. */
export function releaseHistory(words: Int32Array, arena: Arena, replica: number): void {
  const entries = fieldOf(words, replica, REPLICA_HISTORY_ENTRIES);
  arena.release(fieldOf(words, replica, REPLICA_HISTORY) >>> 0, entries * HISTORY_BYTES);
  words[(replica + REPLICA_HISTORY) >>> 2] = 0;
  words[(replica + REPLICA_HISTORY_ENTRIES) >>> 2] = 0;
  words[(replica + REPLICA_HISTORY_USED) >>> 2] = 0;
  words[(replica + REPLICA_HISTORY_NEXT) >>> 2] = 0;
}

/**
 * The book is forgotten: what was kept leads nowhere, and what followed a base follows it no more. The history begins anew
 * at the end of the next event.
 */
export function dropHistory(words: Int32Array, replica: number): void {
  words[(replica + REPLICA_LIFE) >>> 2] = fieldOf(words, replica, REPLICA_LIFE) + 1;
  words[(replica + REPLICA_HISTORY_USED) >>> 2] = 0;
  words[(replica + REPLICA_HISTORY_NEXT) >>> 2] = 0;
  words[(replica + REPLICA_BASE_LIFE) >>> 2] = 0;
  writeWords(words, replica + REPLICA_HISTORY_FLOOR, -1, -1);
}

/** The end of an event: a history that was dropped begins here. */
export function beginHistory(words: Int32Array, replica: number): void {
  const floor = replica + REPLICA_HISTORY_FLOOR;
  if ((fieldOf(words, floor, 0) & fieldOf(words, floor, 4)) === -1) {
    copyWords(words, floor, replica + REPLICA_VERSION);
  }
}

/** Keeps one change that was applied. @param isHeld the level was there before @param versionLow of the version that its record leads to */
export function addHistory(
  words: Int32Array,
  replica: number,
  side: number,
  priceLow: number,
  priceHigh: number,
  lotsLow: number,
  lotsHigh: number,
  isHeld: boolean,
  versionLow: number,
  versionHigh: number,
): void {
  const next = fieldOf(words, replica, REPLICA_HISTORY_NEXT);
  const entries = fieldOf(words, replica, REPLICA_HISTORY_ENTRIES);
  const used = fieldOf(words, replica, REPLICA_HISTORY_USED);
  const entry = (fieldOf(words, replica, REPLICA_HISTORY) >>> 0) + next * HISTORY_BYTES;
  if (used < entries) {
    words[(replica + REPLICA_HISTORY_USED) >>> 2] = used + 1;
  } else {
    raiseFloor(words, replica + REPLICA_HISTORY_FLOOR, entry + HISTORY_VERSION);
  }
  writeWords(words, entry + HISTORY_PRICE, priceLow, priceHigh);
  writeWords(words, entry + HISTORY_QUANTITY, lotsLow, lotsHigh);
  writeWords(words, entry + HISTORY_VERSION, versionLow, versionHigh);
  words[(entry + HISTORY_KIND) >>> 2] = side | (isHeld ? HISTORY_HELD : 0);
  words[(entry + HISTORY_RECORDS) >>> 2] = versionLow - fieldOf(words, replica, REPLICA_EVENT_VERSION);
  words[(replica + REPLICA_HISTORY_NEXT) >>> 2] = (next + 1) & (entries - 1);
}

/** The u64 at `floor` becomes the larger of itself and the one at `version`. */
function raiseFloor(words: Int32Array, floor: number, version: number): void {
  const low = fieldOf(words, version, 0);
  const high = fieldOf(words, version, 4);
  if (compareUnsigned(low, high, fieldOf(words, floor, 0), fieldOf(words, floor, 4)) > 0) {
    writeWords(words, floor, low, high);
  }
}
