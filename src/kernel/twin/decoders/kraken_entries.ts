/**
 * The entries under `data` of a Kraken v2 frame: fields and level range of each, read before anything is known of the
 * instruments. Bad case: thousands of entries in one frame; beyond FRAME_TRADES_MAX they are skipped and the frame refused.
 */
import { FRAME_TRADES_MAX, SIDE_ASK, SIDE_BID } from "../../../../assembly/layout.ts";
import { FieldTable, isEmptyObject, lastKey, nextMember, objectClosed, readKey } from "../fields.ts";
import { peek, skipSpace, skipValue, TYPE_ARRAY } from "../json.ts";
import { NO_WORD, WordSet } from "../keys.ts";
import { type ArrayForm, scanObjects } from "../level_scan.ts";
import type { DecodeContext } from "./common.ts";

const COMMA = 0x2c;
const ARRAY_OPEN = 0x5b;
const ARRAY_CLOSE = 0x5d;
const OBJECT_OPEN = 0x7b;

/** Fields of an entry. */
export const ENTRY_SYMBOL = 0;
export const ENTRY_BIDS = 1;
export const ENTRY_ASKS = 2;
export const ENTRY_CHECKSUM = 3;
export const ENTRY_TIMESTAMP = 4;
export const ENTRY_SIDE = 5;
export const ENTRY_PRICE = 6;
export const ENTRY_QUANTITY = 7;
export const ENTRY_TRADE_ID = 8;
const KEY_NAMES = ["symbol", "bids", "asks", "checksum", "timestamp", "side", "price", "qty", "trade_id"];
const KEYS = new WordSet(KEY_NAMES);

const BID_OBJECTS: ArrayForm = { side: SIDE_BID, depth: 4, isTimed: false };
const ASK_OBJECTS: ArrayForm = { side: SIDE_ASK, depth: 4, isTimed: false };

/** One entry as read. */
export class KrakenEntry {
  readonly fields = new FieldTable(KEY_NAMES.length);
  isObject = false;
  /** Its levels are [firstLevel, lastLevel). */
  firstLevel = 0;
  lastLevel = 0;
  /** DECODE_* of its first malformed level, 0 = none. */
  malformed = 0;
  /** The checksum it carries, once read. */
  checksum = 0;
}

/** The entries of the frame under way. */
export class KrakenEntries {
  readonly #context: DecodeContext;
  readonly #entries: KrakenEntry[] = [];
  #count = 0;
  #isTooMany = false;

  constructor(context: DecodeContext) {
    this.#context = context;
  }

  /** Entries read. */
  get count(): number {
    return this.#count;
  }

  /** Forgets the entries of the frame before. */
  clear(): void {
    this.#count = 0;
    this.#isTooMany = false;
  }

  /** True when nothing was read. */
  isEmpty(): boolean {
    return this.#count === 0 && !this.#isTooMany;
  }

  /** Whether the frame holds more than `limit` entries. */
  exceeds(limit: number): boolean {
    return this.#isTooMany || this.#count > limit;
  }

  /** The index-th entry; it is read over by a later frame. */
  at(index: number): KrakenEntry {
    let entry = this.#entries[index];
    if (entry === undefined) {
      entry = new KrakenEntry();
      this.#entries[index] = entry;
    }
    return entry;
  }

  /** Reads the array of entries. @returns the position after it, −1 for a syntax error */
  scan(start: number, end: number): number {
    const { bytes } = this.#context;
    let at = skipSpace(bytes, start + 1, end);
    if (peek(bytes, at, end) === ARRAY_CLOSE) {
      return at + 1;
    }
    for (;;) {
      at = skipSpace(bytes, at, end);
      if (this.#count >= FRAME_TRADES_MAX) {
        this.#isTooMany = true;
        at = skipValue(bytes, at, end, 2);
      } else {
        at = this.#scanEntry(at, end);
      }
      if (at < 0) {
        return -1;
      }
      at = skipSpace(bytes, at, end);
      const byte = peek(bytes, at, end);
      if (byte !== COMMA) {
        return byte === ARRAY_CLOSE ? at + 1 : -1;
      }
      at++;
    }
  }

  #scanEntry(start: number, end: number): number {
    const { bytes, levels } = this.#context;
    const entry = this.at(this.#count++);
    entry.fields.clear();
    levels.malformed = 0;
    entry.firstLevel = levels.count;
    entry.isObject = peek(bytes, start, end) === OBJECT_OPEN;
    const at = entry.isObject ? this.#scanMembers(entry, start + 1, end) : skipValue(bytes, start, end, 2);
    entry.lastLevel = levels.count;
    entry.malformed = levels.malformed;
    return at;
  }

  #scanMembers(entry: KrakenEntry, start: number, end: number): number {
    const { bytes } = this.#context;
    if (isEmptyObject(bytes, start, end)) {
      return skipSpace(bytes, start, end) + 1;
    }
    let at = start;
    do {
      at = readKey(bytes, at, end);
      at = at < 0 ? -1 : this.#scanMember(entry, lastKey(bytes, KEYS), at, end);
      at = at < 0 ? -1 : nextMember(bytes, at, end);
    } while (at >= 0 && !objectClosed());
    return at;
  }

  #scanMember(entry: KrakenEntry, field: number, at: number, end: number): number {
    const { bytes, levels } = this.#context;
    if (field === NO_WORD) {
      return skipValue(bytes, at, end, 3);
    }
    if ((field === ENTRY_BIDS || field === ENTRY_ASKS) && peek(bytes, at, end) === ARRAY_OPEN) {
      entry.fields.set(field, at, at, TYPE_ARRAY, false);
      return scanObjects(levels, bytes, at, end, field === ENTRY_BIDS ? BID_OBJECTS : ASK_OBJECTS);
    }
    return entry.fields.read(field, bytes, at, end, 3);
  }
}
