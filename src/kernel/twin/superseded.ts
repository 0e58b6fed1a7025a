/**
 * Levels that one event names more than once: only the last one counts. Every change of an event is then visible in the
 * book after it, so the book hash proves each of them; a level set twice would leave its first quantity unproven.
 * A hash table over side and price, stamped per event so that it is never cleared.
 * Bad case: a hostile frame whose prices collide; probing is linear and the table at most half full.
 */
import { ENTRY_SIDE, ENTRY_WORDS, type Levels } from "./levels.ts";
import { wordAt } from "./memory.ts";

/** Side of an entry that a later one supersedes. */
export const SIDE_DROPPED = 2;

const SLOTS_MIN = 64;
/** Words of a slot: stamp · index of the entry. */
const SLOT_WORDS = 2;

/** The levels of the event under way, by side and price. */
export class Superseded {
  readonly #levels: Levels;
  #table = new Int32Array(SLOTS_MIN * SLOT_WORDS);
  #mask = SLOTS_MIN - 1;
  #stamp = 0;

  constructor(levels: Levels) {
    this.#levels = levels;
  }

  /** Marks every entry of [first, last) that a later one of the same side and price supersedes. */
  drop(first: number, last: number): void {
    const { entries } = this.#levels;
    this.#reset(last - first);
    for (let index = first; index < last; index++) {
      const at = index * ENTRY_WORDS;
      const slot = this.#find(wordAt(entries, at + ENTRY_SIDE), wordAt(entries, at), wordAt(entries, at + 1));
      if (wordAt(this.#table, slot) === this.#stamp) {
        entries[wordAt(this.#table, slot + 1) * ENTRY_WORDS + ENTRY_SIDE] = SIDE_DROPPED;
      }
      this.#table[slot] = this.#stamp;
      this.#table[slot + 1] = index;
    }
  }

  /** True when the event of the last drop names this level. */
  names(side: number, priceLow: number, priceHigh: number): boolean {
    return wordAt(this.#table, this.#find(side, priceLow, priceHigh)) === this.#stamp;
  }

  /** Begins an event; the table keeps its size unless the event needs more. */
  #reset(count: number): void {
    this.#stamp = (this.#stamp + 1) | 0;
    let slots = this.#mask + 1;
    while (slots < count * 2) {
      slots *= 2;
    }
    if (slots > this.#mask + 1 || this.#stamp === 0) {
      this.#table = new Int32Array(slots * SLOT_WORDS);
      this.#mask = slots - 1;
      this.#stamp = 1;
    }
  }

  /** The slot that holds a level of this event, or the free one where it belongs. @returns word index */
  #find(side: number, priceLow: number, priceHigh: number): number {
    const { entries } = this.#levels;
    const table = this.#table;
    const stamp = this.#stamp;
    let place = (Math.imul(priceLow ^ Math.imul(priceHigh, 0x85ebca6b), 0x9e3779b1) >>> 7) ^ side;
    for (;;) {
      const slot = (place & this.#mask) * SLOT_WORDS;
      if (wordAt(table, slot) !== stamp) {
        return slot;
      }
      const at = wordAt(table, slot + 1) * ENTRY_WORDS;
      const isSame =
        wordAt(entries, at) === priceLow &&
        wordAt(entries, at + 1) === priceHigh &&
        wordAt(entries, at + ENTRY_SIDE) === side;
      if (isSame) {
        return slot;
      }
      place++;
    }
  }
}
