/**
 * Reads the level arrays of a frame into scratch: pairs, Coinbase's changes, Kraken's objects. An array that is good JSON
 * but no array of levels is skipped as JSON and remembered as malformed, because only the frame's kind decides whether
 * that is an error. Positions as in json.ts: the one after what was read, −1 for a syntax error.
 * Bad case: half an array was read before its malformed level; the levels stay in scratch and nothing of the frame is applied.
 */
import {
  DECODE_FIELD_MISSING,
  DECODE_FIELD_TYPE,
  DECODE_NUMBER,
  DECODE_RANGE,
  DECODE_TIME,
  SIDE_ASK,
  SIDE_BID,
} from "../../../assembly/layout.ts";
import { compare, resultHigh, resultLow } from "./int64.ts";
import { bytesOf, equals, expectByte, lastStringEscaped, peek, skipSpace, skipString, skipValue } from "./json.ts";
import type { Levels } from "./levels.ts";
import { byteAt } from "./memory.ts";
import { scanDecimal } from "./quantize.ts";
import { readSeconds } from "./time.ts";

const QUOTE = 0x22;
const COMMA = 0x2c;
const MINUS = 0x2d;
const ZERO = 0x30;
const COLON = 0x3a;
const ARRAY_OPEN = 0x5b;
const ARRAY_CLOSE = 0x5d;
const OBJECT_OPEN = 0x7b;
const OBJECT_CLOSE = 0x7d;
const BUY = bytesOf('"buy"');
const SELL = bytesOf('"sell"');
const PRICE = bytesOf("price");
const QTY = bytesOf("qty");
const PRICE_SEEN = 1;
const BOTH_SEEN = 3;

let problem = 0;

function fail(detail: number): number {
  problem = detail;
  return -1;
}

/** Remembers that an array is malformed and reads on past it as JSON. */
function giveUp(levels: Levels, bytes: Uint8Array, start: number, end: number, depth: number): number {
  if (levels.malformed === 0) {
    levels.malformed = problem;
  }
  return skipValue(bytes, start, end, depth - 1);
}

/**
 * Reads a decimal in a string or a bare JSON number into TOKEN.
 * @returns the position after it; −1 when it is none, `tokenProblem()` says why
 */
export function scanToken(bytes: Uint8Array, at: number, end: number): number {
  const byte = peek(bytes, at, end);
  if (byte === QUOTE) {
    const stop = scanDecimal(bytes, at + 1, end);
    return stop >= 0 && peek(bytes, stop, end) === QUOTE ? stop + 1 : fail(DECODE_NUMBER);
  }
  if (byte === MINUS || (byte >= ZERO && byte <= ZERO + 9)) {
    const lead = byte === MINUS ? at + 1 : at;
    const second = peek(bytes, lead + 1, end);
    const isPadded = peek(bytes, lead, end) === ZERO && second >= ZERO && second <= ZERO + 9;
    const stop = isPadded ? -1 : scanDecimal(bytes, at, end);
    return stop >= 0 ? stop : fail(DECODE_NUMBER);
  }
  return fail(DECODE_FIELD_TYPE);
}

/** DECODE_* of the last failure here. */
export function tokenProblem(): number {
  return problem;
}

/** Reads `price, quantity, …]`; the position is behind the opening bracket of one level. */
function scanPair(levels: Levels, bytes: Uint8Array, start: number, end: number, depth: number, isTimed: boolean) {
  let at = scanToken(bytes, skipSpace(bytes, start, end), end);
  let detail = at < 0 ? problem : levels.putPrice();
  if (detail !== 0) {
    return fail(detail);
  }
  at = expectByte(bytes, at, end, COMMA);
  if (at < 0) {
    return fail(DECODE_FIELD_TYPE);
  }
  at = scanToken(bytes, skipSpace(bytes, at, end), end);
  detail = at < 0 ? problem : levels.putQuantity();
  if (detail !== 0) {
    return fail(detail);
  }
  if (isTimed) {
    at = scanTime(levels, bytes, at, end);
    if (at < 0) {
      return -1;
    }
  }
  return peek(bytes, at, end) === ARRAY_CLOSE ? at + 1 : closeLevel(bytes, at, end, depth);
}

/** Skips further elements up to the closing bracket. */
function closeLevel(bytes: Uint8Array, start: number, end: number, depth: number): number {
  let at = start;
  for (;;) {
    at = skipSpace(bytes, at, end);
    const byte = peek(bytes, at, end);
    if (byte === ARRAY_CLOSE) {
      return at + 1;
    }
    at = byte === COMMA ? skipValue(bytes, skipSpace(bytes, at + 1, end), end, depth + 1) : -1;
    if (at < 0) {
      return fail(DECODE_FIELD_TYPE);
    }
  }
}

/** Reads `, "seconds.fraction"`. */
function scanTime(levels: Levels, bytes: Uint8Array, start: number, end: number): number {
  let at = expectByte(bytes, start, end, COMMA);
  at = at < 0 ? -1 : skipSpace(bytes, at, end);
  const stop = at >= 0 && peek(bytes, at, end) === QUOTE ? skipString(bytes, at, end) : -1;
  if (stop < 0) {
    return fail(DECODE_FIELD_TYPE);
  }
  if (lastStringEscaped() || !readSeconds(bytes, at + 1, stop - at - 2)) {
    return fail(DECODE_TIME);
  }
  if (compare(resultLow(), resultHigh(), levels.latestLow, levels.latestHigh) > 0) {
    levels.latestLow = resultLow();
    levels.latestHigh = resultHigh();
  }
  return stop;
}

/** Behind a level: the position of the comma or bracket. */
function behind(bytes: Uint8Array, at: number, end: number): number {
  const byte = peek(bytes, at, end);
  return byte === COMMA || byte === ARRAY_CLOSE ? at : skipSpace(bytes, at, end);
}

/** What the elements of an array are, and where it stands. */
export type ArrayForm = {
  /** SIDE_*; ignored where the elements say it. */
  readonly side: number;
  /** Containers around the elements, the array included. */
  readonly depth: number;
  /** The third element of each is a time in seconds (Kraken v1). */
  readonly isTimed: boolean;
};

/** Reads an array of `[price, quantity, …]`, all of one side. */
export function scanPairs(levels: Levels, bytes: Uint8Array, start: number, end: number, form: ArrayForm): number {
  const { side, depth, isTimed } = form;
  let at = skipSpace(bytes, start + 1, end);
  if (peek(bytes, at, end) === ARRAY_CLOSE) {
    return at + 1;
  }
  for (;;) {
    at = openElement(levels, bytes, at, end, ARRAY_OPEN);
    at = at < 0 ? -1 : scanPair(levels, bytes, at, end, depth, isTimed);
    if (at < 0) {
      return giveUp(levels, bytes, start, end, depth);
    }
    levels.close(side);
    at = behind(bytes, at, end);
    const byte = peek(bytes, at, end);
    if (byte !== COMMA) {
      return byte === ARRAY_CLOSE ? at + 1 : -1;
    }
    at++;
  }
}

/** Reads the bracket of an element and makes room for it. */
function openElement(levels: Levels, bytes: Uint8Array, start: number, end: number, bracket: number): number {
  const at = expectByte(bytes, start, end, bracket);
  if (at < 0) {
    return fail(DECODE_FIELD_TYPE);
  }
  return levels.admit() ? at : fail(DECODE_RANGE);
}

/** Reads Coinbase's `[["buy"|"sell", price, size], …]`. @param depth containers around the elements, the array included */
export function scanChanges(levels: Levels, bytes: Uint8Array, start: number, end: number, depth: number): number {
  let at = skipSpace(bytes, start + 1, end);
  if (peek(bytes, at, end) === ARRAY_CLOSE) {
    return at + 1;
  }
  for (;;) {
    at = openElement(levels, bytes, at, end, ARRAY_OPEN);
    at = at < 0 ? -1 : skipSpace(bytes, at, end);
    const side = at < 0 ? -1 : sideAt(bytes, at, end);
    if (at >= 0) {
      at = side < 0 ? -1 : expectByte(bytes, at + (side === SIDE_BID ? BUY.length : SELL.length), end, COMMA);
      at = at < 0 ? fail(DECODE_FIELD_TYPE) : scanPair(levels, bytes, at, end, depth, false);
    }
    if (at < 0) {
      return giveUp(levels, bytes, start, end, depth);
    }
    levels.close(side);
    at = behind(bytes, at, end);
    const byte = peek(bytes, at, end);
    if (byte !== COMMA) {
      return byte === ARRAY_CLOSE ? at + 1 : -1;
    }
    at++;
  }
}

/** `"buy"` → bid, `"sell"` → ask, else −1. */
function sideAt(bytes: Uint8Array, at: number, end: number): number {
  if (end - at < SELL.length) {
    return -1;
  }
  if (byteAt(bytes, at + 1) === byteAt(BUY, 1)) {
    return equals(bytes, at, BUY) ? SIDE_BID : -1;
  }
  return equals(bytes, at, SELL) ? SIDE_ASK : -1;
}

/** Reads Kraken's array of `{"price": …, "qty": …}`, all of one side. */
export function scanObjects(levels: Levels, bytes: Uint8Array, start: number, end: number, form: ArrayForm): number {
  const { side, depth } = form;
  let at = skipSpace(bytes, start + 1, end);
  if (peek(bytes, at, end) === ARRAY_CLOSE) {
    return at + 1;
  }
  for (;;) {
    at = openElement(levels, bytes, at, end, OBJECT_OPEN);
    at = at < 0 ? -1 : scanObject(levels, bytes, at, end, depth);
    if (at < 0) {
      return giveUp(levels, bytes, start, end, depth);
    }
    levels.close(side);
    at = behind(bytes, at, end);
    const byte = peek(bytes, at, end);
    if (byte !== COMMA) {
      return byte === ARRAY_CLOSE ? at + 1 : -1;
    }
    at++;
  }
}

/** Reads the inside of one level object; the position is behind its opening brace. */
function scanObject(levels: Levels, bytes: Uint8Array, start: number, end: number, depth: number): number {
  let seen = 0;
  let at = skipSpace(bytes, start, end);
  if (peek(bytes, at, end) === OBJECT_CLOSE) {
    return fail(DECODE_FIELD_MISSING);
  }
  for (;;) {
    at = skipSpace(bytes, at, end);
    const key = at + 1;
    at = peek(bytes, at, end) === QUOTE ? skipString(bytes, at, end) : -1;
    const known = at < 0 || lastStringEscaped() ? 0 : keyBit(bytes, key, at - key - 1);
    at = at < 0 ? -1 : expectByte(bytes, at, end, COLON);
    if (at < 0 || (seen & known) !== 0) {
      return fail(DECODE_FIELD_TYPE);
    }
    at = skipSpace(bytes, at, end);
    if (known === 0) {
      at = skipValue(bytes, at, end, depth + 1);
    } else {
      at = scanToken(bytes, at, end);
      const detail = at < 0 ? problem : putKnown(levels, known);
      if (detail !== 0) {
        return fail(detail);
      }
      seen |= known;
    }
    at = at < 0 ? -1 : skipSpace(bytes, at, end);
    const byte = at < 0 ? 0 : peek(bytes, at, end);
    if (byte === OBJECT_CLOSE) {
      return seen === BOTH_SEEN ? at + 1 : fail(DECODE_FIELD_MISSING);
    }
    if (byte !== COMMA) {
      return fail(DECODE_FIELD_TYPE);
    }
    at++;
  }
}

function putKnown(levels: Levels, known: number): number {
  return known === PRICE_SEEN ? levels.putPrice() : levels.putQuantity();
}

function keyBit(bytes: Uint8Array, key: number, length: number): number {
  if (length === PRICE.length) {
    return equals(bytes, key, PRICE) ? PRICE_SEEN : 0;
  }
  return length === QTY.length && equals(bytes, key, QTY) ? 2 : 0;
}
