/**
 * Levels that one event names more than once: only the last one counts. Every change of an event is then visible in the
 * book after it, so the book hash proves each of them; a level set twice would leave its first quantity unproven.
 * A hash table over side and price, stamped per event so that it is never cleared.
 * Bad case: a hostile frame whose prices collide; probing is linear and the table at most half full.
 */
import { arenaAllocate } from "./arena";
import { FRAME_LEVELS_MAX } from "./layout";
import { ENTRY_SIDE, levelAt } from "./levels";

const SLOT_BYTES: usize = 8;
const SLOTS_MAX: u32 = 2 * FRAME_LEVELS_MAX;
const SLOTS_MIN: u32 = 32;
/** Side of an entry that a later one supersedes. */
export const SIDE_DROPPED: u32 = 2;

let table: usize = 0;
let stamp: u32 = 0;
let mask: u32 = 0;

/** Marks every entry of [first, last) that a later one of the same side and price supersedes. @returns how many */
export function dropSuperseded(first: u32, last: u32): u32 {
  if (table == 0) table = arenaAllocate(<usize>SLOTS_MAX * SLOT_BYTES);
  if (table == 0) unreachable();
  stamp++;
  let slots = SLOTS_MIN;
  while (slots < (last - first) * 2) slots <<= 1;
  mask = slots - 1;
  let dropped: u32 = 0;
  for (let i = first; i < last; i++) {
    const entry = levelAt(i);
    const slot = findSlot(load<u8>(entry, ENTRY_SIDE), load<i64>(entry));
    if (load<u32>(slot) == stamp) {
      store<u8>(levelAt(load<u32>(slot, 4)), <u8>SIDE_DROPPED, ENTRY_SIDE);
      dropped++;
    }
    store<u32>(slot, stamp);
    store<u32>(slot, i, 4);
  }
  return dropped;
}

/** True when the event of the last dropSuperseded names this level. */
export function eventNames(side: u32, price: i64): bool {
  return load<u32>(findSlot(side, price)) == stamp;
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
