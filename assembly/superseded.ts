/**
 * Levels that one event names more than once: only the last one counts. Every change of an event is then visible in the
 * book after it, so the book hash proves each of them; a level set twice would leave its first quantity unproven.
 * Levels in strict order cannot repeat, few are compared with each other, and for the rest there is a hash table over side
 * and price, stamped per event so that it is never cleared.
 * Bad case: a hostile frame whose prices collide; probing is linear and the table at most half full.
 */
import { arenaAllocate } from "./arena";
import { FRAME_LEVELS_MAX, SIDE_ASK } from "./layout";
import { ENTRY_BYTES, ENTRY_SIDE, levelAt } from "./levels";

const SLOT_BYTES: usize = 8;
const SLOTS_MAX: u32 = 2 * FRAME_LEVELS_MAX;
const SLOTS_MIN: u32 = 32;
/** So many levels are compared with each other. */
const FEW: u32 = 6;
/** Side of an entry that a later one supersedes. */
export const SIDE_DROPPED: u32 = 2;

let table: usize = 0;
let stamp: u32 = 0;
let mask: u32 = 0;
let eventFirst: u32 = 0;
let eventLast: u32 = 0;
let tabled: bool = false;

/** Marks every entry of [first, last) that a later one of the same side and price supersedes. */
export function dropSuperseded(first: u32, last: u32): void {
  // With the first event, not with the first one that needs it: what a producer takes is known when it has begun.
  if (table == 0) table = arenaAllocate(<usize>SLOTS_MAX * SLOT_BYTES);
  if (table == 0) unreachable();
  eventFirst = first;
  eventLast = last;
  tabled = false;
  if (inOrder(levelAt(first), levelAt(last))) return;
  if (last - first <= FEW) dropAmongFew(levelAt(first), levelAt(last));
  else fillTable();
}

/** True when the levels of each side follow each other from better to worse, one side behind the other. */
function inOrder(start: usize, stop: usize): bool {
  let side: u32 = SIDE_DROPPED;
  let worst: i64 = 0;
  let runs: u32 = 0;
  for (let entry = start; entry < stop; entry += ENTRY_BYTES) {
    const next = <u32>load<u8>(entry, ENTRY_SIDE);
    const price = load<i64>(entry);
    const key = next == SIDE_ASK ? ~price : price;
    if (next != side) {
      if (++runs > 2) return false;
      side = next;
    } else if (key >= worst) return false;
    worst = key;
  }
  return true;
}

function dropAmongFew(start: usize, stop: usize): void {
  for (let entry = start + ENTRY_BYTES; entry < stop; entry += ENTRY_BYTES) {
    const price = load<i64>(entry);
    const side = load<u8>(entry, ENTRY_SIDE);
    for (let earlier = start; earlier < entry; earlier += ENTRY_BYTES) {
      if (load<i64>(earlier) == price && load<u8>(earlier, ENTRY_SIDE) == side)
        store<u8>(earlier, <u8>SIDE_DROPPED, ENTRY_SIDE);
    }
  }
}

function fillTable(): void {
  tabled = true;
  stamp++;
  let slots = SLOTS_MIN;
  while (slots < (eventLast - eventFirst) * 2) slots <<= 1;
  mask = slots - 1;
  for (let i = eventFirst; i < eventLast; i++) {
    const entry = levelAt(i);
    const slot = findSlot(load<u8>(entry, ENTRY_SIDE), load<i64>(entry));
    if (load<u32>(slot) == stamp) store<u8>(levelAt(load<u32>(slot, 4)), <u8>SIDE_DROPPED, ENTRY_SIDE);
    store<u32>(slot, stamp);
    store<u32>(slot, i, 4);
  }
}

/** The entry by which the event of the last dropSuperseded names a level; 0 when it does not. */
export function eventEntry(side: u32, price: i64): usize {
  if (!tabled && eventLast - eventFirst > FEW) fillTable();
  if (tabled) {
    const slot = findSlot(side, price);
    return load<u32>(slot) == stamp ? levelAt(load<u32>(slot, 4)) : 0;
  }
  const stop = levelAt(eventLast);
  for (let entry = levelAt(eventFirst); entry < stop; entry += ENTRY_BYTES) {
    if (load<i64>(entry) == price && load<u8>(entry, ENTRY_SIDE) == <u8>side) return entry;
  }
  return 0;
}

/** The slot that holds a level of this event, or the free one where it belongs. */
function findSlot(side: u32, price: i64): usize {
  let at = <u32>((<u64>price * 0x9e3779b97f4a7c15) >> 40) ^ side;
  while (true) {
    const slot = table + <usize>(at & mask) * SLOT_BYTES;
    if (load<u32>(slot) != stamp) return slot;
    const entry = levelAt(load<u32>(slot, 4));
    if (load<i64>(entry) == price && load<u8>(entry, ENTRY_SIDE) == <u8>side) return slot;
    at++;
  }
}
