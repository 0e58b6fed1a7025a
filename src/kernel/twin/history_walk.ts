/**
 * Reading a history: how far it reaches back, and which levels changed since a version. The entries since then are sorted by
 * level in a scratch that is as long as the largest history; of each level the newest counts.
 * Bad case: a version in the middle of an event; it is refused, because a client only ever holds whole events.
 */
import {
  CHANGE_BYTES,
  CHANGE_PRICE,
  CHANGE_QUANTITY,
  CHANGE_SIDE,
  HISTORY_BYTES,
  HISTORY_ENTRIES_MAX,
  HISTORY_HELD,
  HISTORY_KIND,
  HISTORY_PRICE,
  HISTORY_QUANTITY,
  HISTORY_RECORDS,
  HISTORY_VERSION,
  REPLICA_EVENT_VERSION,
  REPLICA_HISTORY,
  REPLICA_HISTORY_ENTRIES,
  REPLICA_HISTORY_FLOOR,
  REPLICA_HISTORY_FROM,
  REPLICA_HISTORY_NEXT,
  REPLICA_HISTORY_USED,
  REPLICA_STATE,
  REPLICA_STATE_FOLLOWING,
  REPLICA_VERSION,
} from "../../../assembly/layout.ts";
import type { Arena } from "./arena.ts";
import { releaseHistory } from "./history.ts";
import { compare, compareUnsigned, resultHigh, resultLow, subtract } from "./int64.ts";
import { copyWords, fieldOf, type Memory, writeWords } from "./memory.ts";

const RUN = 8;

/** The histories of one kernel instance. */
export class Histories {
  readonly #words: Int32Array;
  readonly #arena: Arena;
  /** Entry addresses: those found, and the target of a merge. */
  #list = new Int32Array(RUN);
  #spare = new Int32Array(RUN);

  constructor(memory: Memory, arena: Arena) {
    this.#words = memory.words;
    this.#arena = arena;
  }

  /** KernelHistory.historyCreate. @returns 0, or 1 when exhausted or no such number */
  create(replica: number, entries: number): number {
    const words = this.#words;
    if (entries < 2 || entries > HISTORY_ENTRIES_MAX || (entries & (entries - 1)) !== 0) {
      return 1;
    }
    const history = this.#arena.take(entries * HISTORY_BYTES);
    if (history === 0) {
      return 1;
    }
    if (this.#list.length < entries) {
      this.#list = new Int32Array(entries);
      this.#spare = new Int32Array(entries);
    }
    releaseHistory(words, this.#arena, replica);
    words[(replica + REPLICA_HISTORY) >>> 2] = history;
    words[(replica + REPLICA_HISTORY_ENTRIES) >>> 2] = entries;
    if (this.#isWhole(replica)) {
      copyWords(words, replica + REPLICA_HISTORY_FLOOR, replica + REPLICA_VERSION);
    } else {
      writeWords(words, replica + REPLICA_HISTORY_FLOOR, -1, -1);
    }
    return 0;
  }

  /** KernelHistory.historyRelease. */
  release(replica: number): void {
    releaseHistory(this.#words, this.#arena, replica);
  }

  /** Whether the replica follows and no event is under way. */
  #isWhole(replica: number): boolean {
    const words = this.#words;
    return (
      fieldOf(words, replica, REPLICA_STATE) === REPLICA_STATE_FOLLOWING &&
      fieldOf(words, replica, REPLICA_VERSION) === fieldOf(words, replica, REPLICA_EVENT_VERSION) &&
      fieldOf(words, replica, REPLICA_VERSION + 4) === fieldOf(words, replica, REPLICA_EVENT_VERSION + 4)
    );
  }

  /** KernelHistory.historyReach. */
  reach(replica: number): void {
    const words = this.#words;
    const from = replica + REPLICA_HISTORY_FROM;
    const history = fieldOf(words, replica, REPLICA_HISTORY) >>> 0;
    const isFollowing = fieldOf(words, replica, REPLICA_STATE) === REPLICA_STATE_FOLLOWING;
    copyWords(words, from, replica + REPLICA_HISTORY_FLOOR);
    if (history === 0 || !isFollowing || this.#order(replica + REPLICA_VERSION, from) < 0) {
      copyWords(words, from, replica + REPLICA_VERSION);
      return;
    }
    const used = fieldOf(words, replica, REPLICA_HISTORY_USED);
    const mask = fieldOf(words, replica, REPLICA_HISTORY_ENTRIES) - 1;
    const oldest = fieldOf(words, replica, REPLICA_HISTORY_NEXT) - used;
    for (let i = 0; i < used; i++) {
      const entry = history + ((oldest + i) & mask) * HISTORY_BYTES;
      if (this.#startOrder(entry, fieldOf(words, from, 0), fieldOf(words, from, 4)) >= 0) {
        return;
      }
      if (this.#order(entry + HISTORY_VERSION, from) > 0) {
        copyWords(words, from, entry + HISTORY_VERSION);
      }
    }
  }

  /** Order of two u64 in memory. */
  #order(a: number, b: number): number {
    const words = this.#words;
    return compareUnsigned(fieldOf(words, a, 0), fieldOf(words, a, 4), fieldOf(words, b, 0), fieldOf(words, b, 4));
  }

  /** Order of the end of the event before that of an entry, against a version. */
  #startOrder(entry: number, low: number, high: number): number {
    const words = this.#words;
    const version = entry + HISTORY_VERSION;
    subtract(fieldOf(words, version, 0), fieldOf(words, version, 4), fieldOf(words, entry, HISTORY_RECORDS), 0);
    return compareUnsigned(resultLow(), resultHigh(), low, high);
  }

  /**
   * Finds every level that changed since a version: bids by rising price, then asks; `entry` gives the last change of each.
   * A level that came and went since is left out.
   * @returns how many, −1 when the history does not reach or an event is under way
   */
  collect(replica: number, fromLow: number, fromHigh: number): number {
    const words = this.#words;
    if (!this.#isWhole(replica)) {
      return -1;
    }
    const ahead = this.#versionOrder(replica + REPLICA_VERSION, fromLow, fromHigh);
    if (ahead === 0) {
      return 0;
    }
    const history = fieldOf(words, replica, REPLICA_HISTORY) >>> 0;
    if (history === 0 || ahead < 0 || this.#versionOrder(replica + REPLICA_HISTORY_FLOOR, fromLow, fromHigh) > 0) {
      return -1;
    }
    const used = fieldOf(words, replica, REPLICA_HISTORY_USED);
    const mask = fieldOf(words, replica, REPLICA_HISTORY_ENTRIES) - 1;
    const newest = fieldOf(words, replica, REPLICA_HISTORY_NEXT) - 1;
    let count = 0;
    for (; count < used; count++) {
      const entry = history + ((newest - count) & mask) * HISTORY_BYTES;
      if (this.#versionOrder(entry + HISTORY_VERSION, fromLow, fromHigh) <= 0) {
        break;
      }
      if (this.#startOrder(entry, fromLow, fromHigh) < 0) {
        return -1;
      }
      this.#list[count] = entry;
    }
    this.#sort(count);
    return this.#distinct(count);
  }

  /** Order of the u64 at an address against a version. */
  #versionOrder(address: number, low: number, high: number): number {
    return compareUnsigned(fieldOf(this.#words, address, 0), fieldOf(this.#words, address, 4), low | 0, high | 0);
  }

  /** Address of the last change of the i-th level that `collect` found. */
  entry(i: number): number {
    return (this.#list[i] as number) >>> 0;
  }

  /** Side of an entry. */
  side(entry: number): number {
    return fieldOf(this.#words, entry, HISTORY_KIND) & 1;
  }

  /** True when `b` is of a lower level than `a`. */
  #isBelow(b: number, a: number): boolean {
    const words = this.#words;
    const sides = this.side(b) - this.side(a);
    if (sides !== 0) {
      return sides < 0;
    }
    const priceA = a + HISTORY_PRICE;
    const priceB = b + HISTORY_PRICE;
    return (
      compare(
        fieldOf(words, priceB, 0),
        fieldOf(words, priceB, 4),
        fieldOf(words, priceA, 0),
        fieldOf(words, priceA, 4),
      ) < 0
    );
  }

  /** Sorts the list by side and price; entries of one level stay newest first. Runs are sorted in place, then merged. */
  #sort(count: number): void {
    for (let start = 0; start < count; start += RUN) {
      this.#sortRun(start, Math.min(start + RUN, count));
    }
    for (let width = RUN; width < count; width *= 2) {
      for (let start = 0; start < count; start += width * 2) {
        this.#merge(start, Math.min(start + width, count), Math.min(start + width * 2, count));
      }
      const spare = this.#list;
      this.#list = this.#spare;
      this.#spare = spare;
    }
  }

  #sortRun(start: number, end: number): void {
    const list = this.#list;
    for (let i = start + 1; i < end; i++) {
      const entry = list[i] as number;
      let at = i;
      for (; at > start && this.#isBelow(entry, list[at - 1] as number); at--) {
        list[at] = list[at - 1] as number;
      }
      list[at] = entry;
    }
  }

  /** Merges two sorted runs; of equal levels the first run's go first. */
  #merge(start: number, middle: number, end: number): void {
    const list = this.#list;
    const spare = this.#spare;
    let a = start;
    let b = middle;
    for (let out = start; out < end; out++) {
      const takesB = a === middle || (b < end && this.#isBelow(list[b] as number, list[a] as number));
      spare[out] = list[takesB ? b++ : a++] as number;
    }
  }

  /** Keeps the newest entry of each level, unless the level is gone and was not there before its oldest. @returns how many */
  #distinct(count: number): number {
    const words = this.#words;
    const list = this.#list;
    let kept = 0;
    for (let i = 0; i < count; ) {
      const newest = list[i++] as number;
      let oldest = newest;
      while (i < count && !this.#isBelow(newest, list[i] as number)) {
        oldest = list[i++] as number;
      }
      const quantity = newest + HISTORY_QUANTITY;
      const isGone = (fieldOf(words, quantity, 0) | fieldOf(words, quantity, 4)) === 0;
      if (!isGone || (fieldOf(words, oldest, HISTORY_KIND) & HISTORY_HELD) !== 0) {
        list[kept++] = newest;
      }
    }
    return kept;
  }

  /** KernelHistory.historyChanges. @returns how many, −1 when not to be had */
  changes(replica: number, fromLow: number, fromHigh: number, out: number, limit: number): number {
    const words = this.#words;
    const count = this.collect(replica, fromLow, fromHigh);
    if (count < 0 || count * CHANGE_BYTES > limit) {
      return -1;
    }
    for (let i = 0; i < count; i++) {
      const entry = this.entry(i);
      const at = out + i * CHANGE_BYTES;
      copyWords(words, at + CHANGE_PRICE, entry + HISTORY_PRICE);
      copyWords(words, at + CHANGE_QUANTITY, entry + HISTORY_QUANTITY);
      writeWords(words, at + CHANGE_SIDE, this.side(entry), 0);
    }
    return count;
  }
}
