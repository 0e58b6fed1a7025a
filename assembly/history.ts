/**
 * The history of a replica: its last changes in a ring of a power of two entries, written at every apply, so that a client
 * that missed some of them can be given the last quantity per price instead. An entry tells the version of its record and
 * how far that is from the end of the event before, because a client only ever holds whole events.
 * Bad case: more changes than entries since a version; it is out of reach then, and a snapshot is due.
 */
import { blockRelease, blockTake } from "./arena";
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
  REPLICA_BASE_LIFE,
  REPLICA_EVENT_VERSION,
  REPLICA_HISTORY,
  REPLICA_HISTORY_ENTRIES,
  REPLICA_HISTORY_FLOOR,
  REPLICA_HISTORY_FROM,
  REPLICA_HISTORY_NEXT,
  REPLICA_HISTORY_USED,
  REPLICA_LIFE,
  REPLICA_STATE,
  REPLICA_STATE_FOLLOWING,
  REPLICA_VERSION,
} from "./layout";

/** Two lists of entry addresses, as long as the largest history so far. */
let scratch: usize = 0;
let scratchEntries: u32 = 0;

export function historyCreate(replica: usize, entries: u32): i32 {
  if (entries < 2 || entries > <u32>HISTORY_ENTRIES_MAX || (entries & (entries - 1)) != 0) return 1;
  if (!scratchFits(entries)) return 1;
  const history = blockTake(entries * HISTORY_BYTES);
  if (history == 0) return 1;
  historyRelease(replica);
  store<u32>(replica, <u32>history, REPLICA_HISTORY);
  store<u32>(replica, entries, REPLICA_HISTORY_ENTRIES);
  const whole = load<u64>(replica, REPLICA_VERSION) == load<u64>(replica, REPLICA_EVENT_VERSION);
  const follows = load<u32>(replica, REPLICA_STATE) == REPLICA_STATE_FOLLOWING;
  store<u64>(replica, whole && follows ? load<u64>(replica, REPLICA_VERSION) : u64.MAX_VALUE, REPLICA_HISTORY_FLOOR);
  return 0;
}

function scratchFits(entries: u32): bool {
  if (entries <= scratchEntries) return true;
  const larger = blockTake(entries * 8);
  if (larger == 0) return false;
  blockRelease(scratch, scratchEntries * 8);
  scratch = larger;
  scratchEntries = entries;
  return true;
}

export function historyRelease(replica: usize): void {
  blockRelease(load<u32>(replica, REPLICA_HISTORY), load<u32>(replica, REPLICA_HISTORY_ENTRIES) * HISTORY_BYTES);
  store<u32>(replica, 0, REPLICA_HISTORY);
  store<u32>(replica, 0, REPLICA_HISTORY_ENTRIES);
  store<u32>(replica, 0, REPLICA_HISTORY_USED);
  store<u32>(replica, 0, REPLICA_HISTORY_NEXT);
}

/** The book is forgotten: what was kept leads nowhere, and what followed a base follows it no more. The history begins anew at the end of the next event. */
export function historyDrop(replica: usize): void {
  store<u32>(replica, load<u32>(replica, REPLICA_LIFE) + 1, REPLICA_LIFE);
  store<u32>(replica, 0, REPLICA_HISTORY_USED);
  store<u32>(replica, 0, REPLICA_HISTORY_NEXT);
  store<u32>(replica, 0, REPLICA_BASE_LIFE);
  store<u64>(replica, u64.MAX_VALUE, REPLICA_HISTORY_FLOOR);
}

/** Keeps one change that was applied. @param version that its record leads to @param held the level was there before */
export function historyAdd(replica: usize, side: u32, price: i64, quantity: i64, held: bool, version: u64): void {
  const next = load<u32>(replica, REPLICA_HISTORY_NEXT);
  const entries = load<u32>(replica, REPLICA_HISTORY_ENTRIES);
  const used = load<u32>(replica, REPLICA_HISTORY_USED);
  const entry = <usize>load<u32>(replica, REPLICA_HISTORY) + next * HISTORY_BYTES;
  if (used < entries) store<u32>(replica, used + 1, REPLICA_HISTORY_USED);
  else {
    const floor = load<u64>(replica, REPLICA_HISTORY_FLOOR);
    store<u64>(replica, max(floor, load<u64>(entry, HISTORY_VERSION)), REPLICA_HISTORY_FLOOR);
  }
  store<i64>(entry, price, HISTORY_PRICE);
  store<i64>(entry, quantity, HISTORY_QUANTITY);
  store<u64>(entry, version, HISTORY_VERSION);
  store<u32>(entry, side | (held ? HISTORY_HELD : 0), HISTORY_KIND);
  store<u32>(entry, <u32>(version - load<u64>(replica, REPLICA_EVENT_VERSION)), HISTORY_RECORDS);
  store<u32>(replica, (next + 1) & (entries - 1), REPLICA_HISTORY_NEXT);
}

/** Version at the end of the event before that of an entry. */
function startOf(entry: usize): u64 {
  return load<u64>(entry, HISTORY_VERSION) - load<u32>(entry, HISTORY_RECORDS);
}

export function historyReach(replica: usize): void {
  const version = load<u64>(replica, REPLICA_VERSION);
  const history = <usize>load<u32>(replica, REPLICA_HISTORY);
  let from = load<u64>(replica, REPLICA_HISTORY_FLOOR);
  if (history == 0 || from > version || load<u32>(replica, REPLICA_STATE) != REPLICA_STATE_FOLLOWING) {
    store<u64>(replica, version, REPLICA_HISTORY_FROM);
    return;
  }
  const used = load<u32>(replica, REPLICA_HISTORY_USED);
  const mask = load<u32>(replica, REPLICA_HISTORY_ENTRIES) - 1;
  const oldest = load<u32>(replica, REPLICA_HISTORY_NEXT) - used;
  for (let i: u32 = 0; i < used; i++) {
    const entry = history + ((oldest + i) & mask) * HISTORY_BYTES;
    if (startOf(entry) >= from) break;
    from = max(from, load<u64>(entry, HISTORY_VERSION));
  }
  store<u64>(replica, from, REPLICA_HISTORY_FROM);
}

/**
 * Finds every level that changed since a version: bids by rising price, then asks; collectedEntry gives the last change of
 * each. A level that came and went since is left out.
 * @returns how many, −1 when the history does not reach or an event is under way
 */
export function historyCollect(replica: usize, from: u64): i32 {
  const version = load<u64>(replica, REPLICA_VERSION);
  if (load<u32>(replica, REPLICA_STATE) != REPLICA_STATE_FOLLOWING) return -1;
  if (version != load<u64>(replica, REPLICA_EVENT_VERSION)) return -1;
  if (from == version) return 0;
  const history = <usize>load<u32>(replica, REPLICA_HISTORY);
  if (history == 0 || from > version || from < load<u64>(replica, REPLICA_HISTORY_FLOOR)) return -1;
  const used = load<u32>(replica, REPLICA_HISTORY_USED);
  const mask = load<u32>(replica, REPLICA_HISTORY_ENTRIES) - 1;
  const newest = load<u32>(replica, REPLICA_HISTORY_NEXT) - 1;
  let count: u32 = 0;
  while (count < used) {
    const entry = history + ((newest - count) & mask) * HISTORY_BYTES;
    if (load<u64>(entry, HISTORY_VERSION) <= from) break;
    if (startOf(entry) < from) return -1;
    store<u32>(scratch + (count << 2), <u32>entry);
    count++;
  }
  sortEntries(count);
  return distinct(count);
}

/** Last change of the i-th level that historyCollect found. */
export function collectedEntry(i: u32): usize {
  return <usize>load<u32>(scratch + (i << 2));
}

/** Side of an entry. */
export function entrySide(entry: usize): u32 {
  return load<u32>(entry, HISTORY_KIND) & 1;
}

/** True when `b` is of a lower level than `a`. */
function isBelow(b: usize, a: usize): bool {
  const sideA = entrySide(a);
  const sideB = entrySide(b);
  return sideA == sideB ? load<i64>(b, HISTORY_PRICE) < load<i64>(a, HISTORY_PRICE) : sideB < sideA;
}

const RUN: u32 = 8;

/** Sorts the list by side and price; entries of one level stay newest first. Runs are sorted in place, then merged. */
function sortEntries(count: u32): void {
  for (let start: u32 = 0; start < count; start += RUN) {
    const end = min(start + RUN, count);
    for (let i = start + 1; i < end; i++) {
      const entry = load<u32>(scratch + (i << 2));
      let at = i;
      while (at > start && isBelow(entry, load<u32>(scratch + ((at - 1) << 2)))) {
        store<u32>(scratch + (at << 2), load<u32>(scratch + ((at - 1) << 2)));
        at--;
      }
      store<u32>(scratch + (at << 2), entry);
    }
  }
  let from = scratch;
  let to = scratch + (scratchEntries << 2);
  for (let width = RUN; width < count; width <<= 1) {
    for (let start: u32 = 0; start < count; start += width << 1) merge(from, to, start, width, count);
    const swap = from;
    from = to;
    to = swap;
  }
  if (from != scratch) memory.copy(scratch, from, count << 2);
}

/** Merges two sorted runs; of equal levels the first run's go first. */
function merge(from: usize, to: usize, start: u32, width: u32, count: u32): void {
  let a = from + (start << 2);
  const aEnd = from + (min(start + width, count) << 2);
  let b = aEnd;
  const bEnd = from + (min(start + (width << 1), count) << 2);
  let out = to + (start << 2);
  while (a < aEnd && b < bEnd) {
    const takesB = isBelow(load<u32>(b), load<u32>(a));
    store<u32>(out, load<u32>(takesB ? b : a));
    out += 4;
    if (takesB) b += 4;
    else a += 4;
  }
  memory.copy(out, a, aEnd - a);
  memory.copy(out + (aEnd - a), b, bEnd - b);
}

/** Keeps the newest entry of each level, unless the level is gone and was not there before its oldest. @returns how many */
function distinct(count: u32): i32 {
  let kept: u32 = 0;
  let i: u32 = 0;
  while (i < count) {
    const newest = collectedEntry(i);
    let oldest = newest;
    i++;
    while (i < count && !isBelow(newest, collectedEntry(i))) {
      oldest = collectedEntry(i);
      i++;
    }
    if (load<i64>(newest, HISTORY_QUANTITY) == 0 && (load<u32>(oldest, HISTORY_KIND) & HISTORY_HELD) == 0) continue;
    store<u32>(scratch + (kept << 2), <u32>newest);
    kept++;
  }
  return <i32>kept;
}

export function historyChanges(replica: usize, fromLow: u32, fromHigh: u32, out: usize, limit: u32): i32 {
  const count = historyCollect(replica, ((<u64>fromHigh) << 32) | <u64>fromLow);
  if (count < 0 || <u64>count * CHANGE_BYTES > <u64>limit) return -1;
  for (let i: u32 = 0; i < <u32>count; i++) {
    const entry = collectedEntry(i);
    const at = out + i * CHANGE_BYTES;
    store<i64>(at, load<i64>(entry, HISTORY_PRICE), CHANGE_PRICE);
    store<i64>(at, load<i64>(entry, HISTORY_QUANTITY), CHANGE_QUANTITY);
    store<u64>(at, entrySide(entry), CHANGE_SIDE);
  }
  return count;
}
