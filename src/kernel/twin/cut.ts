/**
 * Events of a book of limited depth: levels and cut first, then the records, so that a level which comes and is cut in
 * the same event leaves no trace. Records carry net changes; the hash between them runs along.
 * Bad case: a depth that shrinks; all that is cut then is recorded as removals.
 */
import { SIDE_ASK, SIDE_BID } from "../../../assembly/layout.ts";
import type { Book } from "./book.ts";
import type { EventWriter } from "./delta.ts";
import { levelHash } from "./hash.ts";
import { ENTRY_QUANTITY, ENTRY_SIDE, ENTRY_WORDS, type Levels } from "./levels.ts";
import { wordAt } from "./memory.ts";
import { SIDE_DROPPED, type Superseded } from "./superseded.ts";

/** Words of a level that was cut: price low, high · quantity low, high · side. */
const CUT_WORDS = 5;
const FIRST_CUTS = 64;

/** Applies events with a cut, one at a time. */
export class CutEvents {
  readonly #writer: EventWriter;
  readonly #levels: Levels;
  readonly #superseded: Superseded;
  #befores = new Int32Array(2 * FIRST_CUTS);
  #cuts = new Int32Array(CUT_WORDS * FIRST_CUTS);
  #cutCount = 0;
  #hash = 0;

  constructor(writer: EventWriter, levels: Levels, superseded: Superseded) {
    this.#writer = writer;
    this.#levels = levels;
    this.#superseded = superseded;
  }

  /** Applies the levels [first, last) and cuts both sides to `depth`. Superseded levels are marked before. */
  apply(book: Book, { first, last }: { first: number; last: number }, depth: number): void {
    this.#hash = book.hash;
    this.#setLevels(book, first, last);
    this.#cutCount = 0;
    this.#cutSide(book, SIDE_BID, depth);
    this.#cutSide(book, SIDE_ASK, depth);
    this.#recordLevels(book, first, last);
    for (let index = 0; index < this.#cutCount; index++) {
      const at = index * CUT_WORDS;
      const side = wordAt(this.#cuts, at + 4);
      const low = wordAt(this.#cuts, at);
      const high = wordAt(this.#cuts, at + 1);
      if (!this.#superseded.names(side, low, high)) {
        this.#record(side, low, high, wordAt(this.#cuts, at + 2), wordAt(this.#cuts, at + 3), 0, 0);
      }
    }
  }

  #setLevels(book: Book, first: number, last: number): void {
    const { entries } = this.#levels;
    if (this.#befores.length < (last - first) * 2) {
      this.#befores = new Int32Array((last - first) * 4);
    }
    for (let index = first; index < last; index++) {
      const at = index * ENTRY_WORDS;
      const side = wordAt(entries, at + ENTRY_SIDE);
      if (side !== SIDE_DROPPED) {
        const quantity = at + ENTRY_QUANTITY;
        book.set(
          side,
          wordAt(entries, at),
          wordAt(entries, at + 1),
          wordAt(entries, quantity),
          wordAt(entries, quantity + 1),
        );
        this.#befores[(index - first) * 2] = book.beforeLow;
        this.#befores[(index - first) * 2 + 1] = book.beforeHigh;
      }
    }
  }

  #cutSide(book: Book, side: number, depth: number): void {
    const levels = book.side(side);
    while (levels.count > depth) {
      const at = this.#cutCount * CUT_WORDS;
      if (at === this.#cuts.length) {
        const larger = new Int32Array(at * 2);
        larger.set(this.#cuts);
        this.#cuts = larger;
      }
      const { start } = levels;
      const low = levels.priceLow(start);
      const high = levels.priceHigh(start);
      book.set(side, low, high, 0, 0);
      this.#cuts[at] = low;
      this.#cuts[at + 1] = high;
      this.#cuts[at + 2] = book.beforeLow;
      this.#cuts[at + 3] = book.beforeHigh;
      this.#cuts[at + 4] = side;
      this.#cutCount++;
    }
  }

  #recordLevels(book: Book, first: number, last: number): void {
    const { entries } = this.#levels;
    for (let index = first; index < last; index++) {
      const at = index * ENTRY_WORDS;
      const side = wordAt(entries, at + ENTRY_SIDE);
      if (side === SIDE_DROPPED) {
        this.#writer.noteUnchanged();
        continue;
      }
      const low = wordAt(entries, at);
      const high = wordAt(entries, at + 1);
      const place = book.place(side, low, high);
      const levels = book.side(side);
      const isLow = place < 0 ? 0 : levels.quantityLow(place);
      const isHigh = place < 0 ? 0 : levels.quantityHigh(place);
      const wasLow = wordAt(this.#befores, (index - first) * 2);
      const wasHigh = wordAt(this.#befores, (index - first) * 2 + 1);
      if (isLow === wasLow && isHigh === wasHigh) {
        this.#writer.noteUnchanged();
      } else {
        this.#record(side, low, high, wasLow, wasHigh, isLow, isHigh);
      }
    }
  }

  /** Records one net change and lets the hash run along. */
  #record(
    side: number,
    low: number,
    high: number,
    wasLow: number,
    wasHigh: number,
    isLow: number,
    isHigh: number,
  ): void {
    const isAdded = (wasLow | wasHigh) === 0;
    this.#writer.append(side, low, high, isLow, isHigh, isAdded, this.#hash);
    if (!isAdded) {
      this.#hash = (this.#hash - levelHash(side, low, high, wasLow, wasHigh)) | 0;
    }
    if ((isLow | isHigh) !== 0) {
      this.#hash = (this.#hash + levelHash(side, low, high, isLow, isHigh)) | 0;
    }
  }
}
