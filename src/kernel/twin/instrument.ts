/**
 * Instrument blocks: creation, lookup by the exchange's spelling, flags, and the sync state with its mirrors in table
 * and cell. Lookup is a hash table of block addresses; names are compared byte by byte, nothing becomes a string.
 * Bad case: more than 3,072 instruments on one producer; creation then returns 0.
 */
import {
  CELL_STATE,
  INSTRUMENT_BOOK,
  INSTRUMENT_BYTES,
  INSTRUMENT_CELL_ADDRESS,
  INSTRUMENT_FLAGS,
  INSTRUMENT_NAME,
  INSTRUMENT_NAME_BYTES_MAX,
  INSTRUMENT_NAME_LENGTH,
  INSTRUMENT_PRICE_EXPONENT,
  INSTRUMENT_QUANTITY_EXPONENT,
  INSTRUMENT_REASON,
  INSTRUMENT_STATE,
  INSTRUMENT_TABLE_ADDRESS,
  TABLE_REASON,
  TABLE_SINCE,
  TABLE_STATE,
} from "../../../assembly/layout.ts";
import type { Arena } from "./arena.ts";
import type { Book, Books } from "./book.ts";
import { byteAt, fieldOf, type Memory, wordAt, writeWords } from "./memory.ts";
import { noteState } from "./metrics.ts";

const SLOTS = 4096;
const INSTRUMENTS_MAX = 3072;

/** The instruments of one kernel instance. */
export class Instruments {
  readonly #memory: Memory;
  readonly #arena: Arena;
  readonly #books: Books;
  readonly #slots = new Uint32Array(SLOTS);
  readonly #order = new Uint32Array(INSTRUMENTS_MAX);
  #count = 0;

  constructor(memory: Memory, arena: Arena, books: Books) {
    this.#memory = memory;
    this.#arena = arena;
    this.#books = books;
  }

  /** Instruments made so far. */
  get count(): number {
    return this.#count;
  }

  /** The index-th instrument in the order of creation. @returns block address */
  at(index: number): number {
    return this.#order[index] as number;
  }

  /** The book of an instrument. */
  book(instrument: number): Book {
    return this.#books.get(wordAt(this.#memory.words, (instrument + INSTRUMENT_BOOK) >>> 2));
  }

  /** @returns block address, 0 when unknown */
  find(name: number, length: number): number {
    let slot = nameSlot(this.#memory.bytes, name, length);
    for (;;) {
      const instrument = this.#slots[slot] as number;
      if (instrument === 0 || this.#isNamed(instrument, name, length)) {
        return instrument;
      }
      slot = (slot + 1) & (SLOTS - 1);
    }
  }

  /** @returns block address of the instrument with that name, 0 when the arena is exhausted */
  create(name: number, length: number): number {
    const known = this.find(name, length);
    if (known !== 0) {
      return known;
    }
    if (length > INSTRUMENT_NAME_BYTES_MAX || this.#count >= INSTRUMENTS_MAX) {
      return 0;
    }
    const { bytes, words } = this.#memory;
    const instrument = this.#arena.allocate(INSTRUMENT_BYTES);
    if (instrument === 0) {
      return 0;
    }
    words[(instrument + INSTRUMENT_BOOK) >>> 2] = this.#books.create();
    words[(instrument + INSTRUMENT_PRICE_EXPONENT) >>> 2] = -1;
    words[(instrument + INSTRUMENT_QUANTITY_EXPONENT) >>> 2] = -1;
    words[(instrument + INSTRUMENT_NAME_LENGTH) >>> 2] = length;
    bytes.copyWithin(instrument + INSTRUMENT_NAME, name, name + length);
    let slot = nameSlot(bytes, name, length);
    while (this.#slots[slot] !== 0) {
      slot = (slot + 1) & (SLOTS - 1);
    }
    this.#slots[slot] = instrument;
    this.#order[this.#count++] = instrument;
    return instrument;
  }

  #isNamed(instrument: number, name: number, length: number): boolean {
    const { bytes, words } = this.#memory;
    if (wordAt(words, (instrument + INSTRUMENT_NAME_LENGTH) >>> 2) !== length) {
      return false;
    }
    for (let i = 0; i < length; i++) {
      if (byteAt(bytes, instrument + INSTRUMENT_NAME + i) !== byteAt(bytes, name + i)) {
        return false;
      }
    }
    return true;
  }
}

function nameSlot(bytes: Uint8Array, name: number, length: number): number {
  let hash = -2128831035;
  for (let i = 0; i < length; i++) {
    hash = Math.imul(hash ^ byteAt(bytes, name + i), 16777619);
  }
  return (hash ^ (hash >>> 15)) & (SLOTS - 1);
}

/** Sets flags of an instrument. */
export function setFlags(words: Int32Array, instrument: number, flags: number): void {
  const index = (instrument + INSTRUMENT_FLAGS) >>> 2;
  words[index] = wordAt(words, index) | flags;
}

/** Clears flags of an instrument. */
export function clearFlags(words: Int32Array, instrument: number, flags: number): void {
  const index = (instrument + INSTRUMENT_FLAGS) >>> 2;
  words[index] = wordAt(words, index) & ~flags;
}

/** Whether an instrument has one of the flags. */
export function hasFlag(words: Int32Array, instrument: number, flags: number): boolean {
  return (wordAt(words, (instrument + INSTRUMENT_FLAGS) >>> 2) & flags) !== 0;
}

/** Sets state and reason in the block, the table and the cell. @param low of the time in Unix ns @param high of it */
export function setState(memory: Memory, instrument: number, sync: SyncState, low: number, high: number): void {
  const { words } = memory;
  const state = (instrument + INSTRUMENT_STATE) >>> 2;
  const reason = (instrument + INSTRUMENT_REASON) >>> 2;
  if (wordAt(words, state) === sync.state && wordAt(words, reason) === sync.reason) {
    return;
  }
  words[state] = sync.state;
  words[reason] = sync.reason;
  mirrorState(memory, instrument, low, high);
}

/** STATE_* and REASON_*. */
export type SyncState = { readonly state: number; readonly reason: number };

/** Writes the block's state into table and cell. */
export function mirrorState(memory: Memory, instrument: number, low: number, high: number): void {
  const { words } = memory;
  const state = fieldOf(words, instrument, INSTRUMENT_STATE);
  const entry = fieldOf(words, instrument, INSTRUMENT_TABLE_ADDRESS) >>> 0;
  if (entry !== 0) {
    noteState(memory, { instrument, entry }, low, high);
    Atomics.store(words, (entry + TABLE_REASON) >>> 2, fieldOf(words, instrument, INSTRUMENT_REASON));
    writeWords(words, entry + TABLE_SINCE, low, high);
    Atomics.store(words, (entry + TABLE_STATE) >>> 2, state);
  }
  const cell = fieldOf(words, instrument, INSTRUMENT_CELL_ADDRESS) >>> 0;
  if (cell !== 0) {
    Atomics.store(words, (cell + CELL_STATE) >>> 2, state);
  }
}
