/**
 * Watches: what an instrument's events name between opening and closing, altered or not, and the range that a book of
 * limited depth held all the time. An instrument without an open watch costs one look per event.
 * Bad case: a snapshot, a rescale or a fault in between; the watch is broken then and nothing can be said.
 */
import {
  INSTRUMENT_DEPTH,
  INSTRUMENT_WATCH,
  SIDE_ASK,
  SIDE_BID,
  WATCH_BYTES,
  WATCH_FLAG_BROKEN,
  WATCH_FLAGS,
  WATCH_HIGH,
  WATCH_INSTRUMENT,
  WATCH_LATE,
  WATCH_LOW,
  WATCH_NARROW_ASK,
  WATCH_NARROW_BID,
  WATCH_NARROWED,
  WATCH_PHASE,
  WATCH_PHASE_ASKED,
  WATCH_PHASE_CLOSED,
  WATCH_PHASE_OPEN,
  WATCH_REST_DECIMALS,
  WATCH_TOUCHED,
} from "../../../assembly/layout.ts";
import type { Arena } from "./arena.ts";
import type { Book, Books } from "./book.ts";
import type { Instruments } from "./instrument.ts";
import { add, compare, resultHigh, resultLow } from "./int64.ts";
import { ENTRY_SIDE, ENTRY_WORDS, type Levels } from "./levels.ts";
import { fieldOf, type Memory, wordAt, writeWords } from "./memory.ts";

const MIN_HIGH = -0x80000000;
const MAX_HIGH = 0x7fffffff;

/** Whether a price is better than another. */
export function isBetter(side: number, low: number, high: number, otherLow: number, otherHigh: number): boolean {
  const order = compare(low, high, otherLow, otherHigh);
  return side === SIDE_BID ? order > 0 : order < 0;
}

/** The watches of one producer. */
export class Watches {
  readonly #memory: Memory;
  readonly #arena: Arena;
  readonly #books: Books;
  readonly #instruments: Instruments;

  constructor(memory: Memory, arena: Arena, { books, instruments }: { books: Books; instruments: Instruments }) {
    this.#memory = memory;
    this.#arena = arena;
    this.#books = books;
    this.#instruments = instruments;
  }

  /** KernelAudit.watchCreate. */
  create(instrument: number): number {
    const { words } = this.#memory;
    const watch = this.#arena.allocate(WATCH_BYTES);
    if (watch !== 0) {
      words[(watch + WATCH_INSTRUMENT) >>> 2] = instrument;
      words[(watch + WATCH_TOUCHED) >>> 2] = this.#books.create();
      words[(watch + WATCH_LATE) >>> 2] = this.#books.create();
      words[(watch + WATCH_REST_DECIMALS) >>> 2] = -1;
      writeWords(words, watch + WATCH_LOW, 0, MIN_HIGH);
      writeWords(words, watch + WATCH_HIGH, -1, MAX_HIGH);
    }
    return watch;
  }

  /** KernelAudit.watchOpen. */
  open(watch: number): void {
    const { words } = this.#memory;
    const instrument = this.instrument(watch);
    this.#forget(watch);
    words[(watch + WATCH_FLAGS) >>> 2] = 0;
    words[(watch + WATCH_NARROWED) >>> 2] = 0;
    words[(watch + WATCH_PHASE) >>> 2] = WATCH_PHASE_OPEN;
    words[(instrument + INSTRUMENT_WATCH) >>> 2] = watch;
    this.narrow(instrument);
  }

  /** KernelAudit.watchClose. */
  close(watch: number): void {
    const { words } = this.#memory;
    this.#forget(watch);
    words[(watch + WATCH_PHASE) >>> 2] = WATCH_PHASE_CLOSED;
    words[(this.instrument(watch) + INSTRUMENT_WATCH) >>> 2] = 0;
  }

  /** Block of the watched instrument. */
  instrument(watch: number): number {
    return fieldOf(this.#memory.words, watch, WATCH_INSTRUMENT) >>> 0;
  }

  /** The book that is watched. */
  book(watch: number): Book {
    return this.#instruments.book(this.instrument(watch));
  }

  /** The levels named since the opening; their quantities are those from before plus one. */
  touched(watch: number): Book {
    return this.#books.get(fieldOf(this.#memory.words, watch, WATCH_TOUCHED));
  }

  /** The levels named since the request went out. */
  late(watch: number): Book {
    return this.#books.get(fieldOf(this.#memory.words, watch, WATCH_LATE));
  }

  /** The open watch of an instrument, 0 = none. */
  of(instrument: number): number {
    return fieldOf(this.#memory.words, instrument, INSTRUMENT_WATCH) >>> 0;
  }

  /** What a watch noted of this instrument so far does not tell all. */
  break(instrument: number): void {
    const watch = this.of(instrument);
    if (watch !== 0) {
      this.#memory.words[(watch + WATCH_FLAGS) >>> 2] = WATCH_FLAG_BROKEN;
    }
  }

  /** Notes the levels [first, last) of an event that is about to be applied to a watched instrument. */
  note(instrument: number, levels: Levels, { first, last }: { first: number; last: number }): void {
    const { entries } = levels;
    const watch = this.of(instrument);
    const book = this.#instruments.book(instrument);
    const touched = this.touched(watch);
    const late = this.late(watch);
    const isAsked = fieldOf(this.#memory.words, watch, WATCH_PHASE) === WATCH_PHASE_ASKED;
    for (let at = first * ENTRY_WORDS; at < last * ENTRY_WORDS; at += ENTRY_WORDS) {
      const side = wordAt(entries, at + ENTRY_SIDE);
      const low = wordAt(entries, at);
      const high = wordAt(entries, at + 1);
      if (touched.place(side, low, high) < 0) {
        // The quantity from before stands here plus one, because a level of zero would be none.
        const place = book.place(side, low, high);
        const held = book.side(side);
        add(place < 0 ? 0 : held.quantityLow(place), place < 0 ? 0 : held.quantityHigh(place), 1, 0);
        touched.set(side, low, high, resultLow(), resultHigh());
      }
      if (isAsked) {
        late.set(side, low, high, 1, 0);
      }
    }
  }

  /** After an event: levels beyond the worst one of a full side are out of scope from here on. */
  narrow(instrument: number): void {
    const { words } = this.#memory;
    const depth = fieldOf(words, instrument, INSTRUMENT_DEPTH) >>> 0;
    const watch = this.of(instrument);
    const book = this.#instruments.book(instrument);
    for (let side = SIDE_BID; side <= SIDE_ASK && depth > 0; side++) {
      const levels = book.side(side);
      if (levels.count < depth) {
        continue;
      }
      const at = watch + (side === SIDE_ASK ? WATCH_NARROW_ASK : WATCH_NARROW_BID);
      const low = levels.priceLow(levels.start);
      const high = levels.priceHigh(levels.start);
      const narrowed = fieldOf(words, watch, WATCH_NARROWED);
      const isFirst = (narrowed & (1 << side)) === 0;
      if (isFirst || isBetter(side, low, high, fieldOf(words, at, 0), fieldOf(words, at, 4))) {
        writeWords(words, at, low, high);
      }
      words[(watch + WATCH_NARROWED) >>> 2] = narrowed | (1 << side);
    }
  }

  #forget(watch: number): void {
    this.touched(watch).clear();
    this.late(watch).clear();
  }
}
