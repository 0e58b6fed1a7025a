/**
 * Kraken WebSocket v1 frames: `[channelId, payload…, name, pair]`. The pair stands at the end, and when both sides change
 * the payload is two objects. Book frames only; v1 trades, tickers, candles and spreads are known and unused.
 * Bad case: a level marked "r" (republished into scope); it is a normal level.
 */
import {
  APPLY_IGNORED,
  APPLY_UNKNOWN_KIND,
  DECODE_DUPLICATE_FIELD,
  DECODE_FIELD_MISSING,
  DECODE_FIELD_TYPE,
  DECODE_SYNTAX,
  INSTRUMENT_DEPTH,
  SIDE_ASK,
  SIDE_BID,
} from "../../../../assembly/layout.ts";
import { NO_CHECKSUM } from "../event.ts";
import { FieldTable, hasDuplicate, isEmptyObject, lastKey, nextMember, objectClosed, readKey } from "../fields.ts";
import { resultLow } from "../int64.ts";
import { bytesOf, equals, peek, readInteger, skipSpace, skipValue, TYPE_ARRAY, TYPE_NONE } from "../json.ts";
import { NO_WORD, WordSet } from "../keys.ts";
import { type ArrayForm, scanPairs } from "../level_scan.ts";
import { SCALE_OK } from "../levels.ts";
import { byteAt } from "../memory.ts";
import { type DecodeContext, FINE } from "./common.ts";
import { acceptsBook, noteDecimals, readChecksum } from "./kraken_book.ts";

const COMMA = 0x2c;
const DASH = 0x2d;
const ARRAY_OPEN = 0x5b;
const ARRAY_CLOSE = 0x5d;
const OBJECT_OPEN = 0x7b;

/** Fields of a payload object. */
const CHECKSUM = 0;
const SNAPSHOT_ASKS = 1;
const SNAPSHOT_BIDS = 2;
const ASKS = 3;
const KEY_NAMES = ["c", "as", "bs", "a", "b"];
const KEYS = new WordSet(KEY_NAMES);

const BOOK = bytesOf("book");
const UNUSED = ["trad", "tick", "ohlc", "spre"].map(bytesOf);
const DEPTH_START = 5;
const DEPTH_DIGITS_MAX = 6;
const ELEMENTS_MIN = 3;

const BID_PAIRS: ArrayForm = { side: SIDE_BID, depth: 3, isTimed: true };
const ASK_PAIRS: ArrayForm = { side: SIDE_ASK, depth: 3, isTimed: true };

/**
 * The decoder of Kraken's array frames.
 * @see https://docs.kraken.com/api/docs/websocket-v1/book (read 2026-11), and captured frames
 */
export class KrakenArrayDecoder {
  readonly #context: DecodeContext;
  readonly #payload = new FieldTable(KEY_NAMES.length);
  readonly #checksum = new FieldTable(1);
  /** The last two elements; when one is read the older one leaves. */
  #name = new FieldTable(1);
  #pair = new FieldTable(1);
  #hasSnapshot = false;
  #hasUpdate = false;
  #isMisshapen = false;
  #elements = 0;

  constructor(context: DecodeContext) {
    this.#context = context;
  }

  /** Decodes and applies one frame that begins at a position. @returns APPLY_* */
  apply(at: number, end: number): number {
    const context = this.#context;
    this.#checksum.clear();
    this.#name.clear();
    this.#pair.clear();
    this.#hasSnapshot = false;
    this.#hasUpdate = false;
    this.#isMisshapen = false;
    this.#elements = 0;
    if (!context.frameEnds(this.#scanElements(at + 1, end), end)) {
      return context.decodeError(DECODE_SYNTAX);
    }
    if (hasDuplicate()) {
      return context.decodeError(DECODE_DUPLICATE_FIELD);
    }
    if (this.#elements < ELEMENTS_MIN || !this.#name.isText(0)) {
      return context.finish(APPLY_UNKNOWN_KIND);
    }
    if (!this.#nameBegins(BOOK)) {
      const isKnown = UNUSED.some((word) => this.#nameBegins(word));
      return context.finish(isKnown ? APPLY_IGNORED : APPLY_UNKNOWN_KIND);
    }
    return this.#applyBook();
  }

  /** Reads the elements. */
  #scanElements(start: number, end: number): number {
    const { bytes } = this.#context;
    let at = skipSpace(bytes, start, end);
    if (peek(bytes, at, end) === ARRAY_CLOSE) {
      return at + 1;
    }
    for (;;) {
      at = skipSpace(bytes, at, end);
      at = peek(bytes, at, end) === OBJECT_OPEN ? this.#scanPayload(at + 1, end) : this.#scanPlain(at, end);
      if (at < 0) {
        return -1;
      }
      this.#elements++;
      at = skipSpace(bytes, at, end);
      const byte = peek(bytes, at, end);
      if (byte !== COMMA) {
        return byte === ARRAY_CLOSE ? at + 1 : -1;
      }
      at++;
    }
  }

  #scanPlain(at: number, end: number): number {
    const oldest = this.#name;
    this.#name = this.#pair;
    this.#pair = oldest;
    oldest.clear();
    return oldest.read(0, this.#context.bytes, at, end, 1);
  }

  #scanPayload(start: number, end: number): number {
    const { bytes } = this.#context;
    this.#name.clear();
    this.#pair.clear();
    this.#payload.clear();
    if (isEmptyObject(bytes, start, end)) {
      return skipSpace(bytes, start, end) + 1;
    }
    let at = start;
    do {
      at = readKey(bytes, at, end);
      at = at < 0 ? -1 : this.#scanMember(lastKey(bytes, KEYS), at, end);
      at = at < 0 ? -1 : nextMember(bytes, at, end);
    } while (at >= 0 && !objectClosed());
    if (at >= 0 && this.#payload.type(CHECKSUM) !== TYPE_NONE) {
      this.#checksum.copy(0, this.#payload, CHECKSUM);
    }
    return at;
  }

  #scanMember(field: number, at: number, end: number): number {
    const { bytes, levels } = this.#context;
    if (field === NO_WORD) {
      return skipValue(bytes, at, end, 2);
    }
    if (field === CHECKSUM) {
      return this.#payload.read(field, bytes, at, end, 2);
    }
    if (peek(bytes, at, end) !== ARRAY_OPEN) {
      this.#isMisshapen = true;
      return this.#payload.read(field, bytes, at, end, 2);
    }
    this.#payload.set(field, at, at, TYPE_ARRAY, false);
    if (field === SNAPSHOT_ASKS || field === SNAPSHOT_BIDS) {
      this.#hasSnapshot = true;
    } else {
      this.#hasUpdate = true;
    }
    const isAsk = field === SNAPSHOT_ASKS || field === ASKS;
    return scanPairs(levels, bytes, at, end, isAsk ? ASK_PAIRS : BID_PAIRS);
  }

  #nameBegins(word: Uint8Array): boolean {
    const name = this.#name;
    return name.textLength(0) >= word.length && equals(this.#context.bytes, name.textStart(0), word);
  }

  /** Takes the depth from a name like `book-1000`. */
  #noteDepth(): void {
    const { bytes, instrument, words } = this.#context;
    const start = this.#name.textStart(0);
    const digits = this.#name.textLength(0) - DEPTH_START;
    if (digits < 1 || digits > DEPTH_DIGITS_MAX || byteAt(bytes, start + DEPTH_START - 1) !== DASH) {
      return;
    }
    if (readInteger(bytes, start + DEPTH_START, digits) && resultLow() > 0) {
      words[(instrument + INSTRUMENT_DEPTH) >>> 2] = resultLow();
    }
  }

  #applyBook(): number {
    const context = this.#context;
    const { levels } = context;
    let code = context.resolve(this.#pair, 0);
    if (code !== FINE) {
      return code;
    }
    if (!this.#hasSnapshot && !this.#hasUpdate) {
      return context.decodeError(DECODE_FIELD_MISSING);
    }
    if (this.#isMisshapen || (this.#hasSnapshot && this.#hasUpdate)) {
      return context.decodeError(DECODE_FIELD_TYPE);
    }
    code = context.levelsProblem();
    const isSnapshot = this.#hasSnapshot;
    let checksum = NO_CHECKSUM;
    if (code === FINE && (!isSnapshot || this.#checksum.type(0) !== TYPE_NONE)) {
      code = readChecksum(context, this.#checksum, 0);
      checksum = resultLow() >>> 0;
    }
    if (code !== FINE) {
      return code;
    }
    if (!acceptsBook(context, isSnapshot)) {
      return context.notSynced();
    }
    const scale = levels.scale(context.producer, context.instrument, 0, levels.count);
    if (scale !== SCALE_OK) {
      return context.scaleProblem(scale);
    }
    noteDecimals(context, isSnapshot);
    this.#noteDepth();
    const event = {
      instrument: context.instrument,
      first: 0,
      last: levels.count,
      eventLow: levels.latestLow,
      eventHigh: levels.latestHigh,
      sequenceLow: 0,
      sequenceHigh: 0,
      checksum,
    };
    return isSnapshot ? context.events.applyFull(event, true) : context.events.applyDelta(event);
  }
}
