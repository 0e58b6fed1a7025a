/**
 * Phase one of every decoder: the fields of a JSON object as spans, so that nothing depends on the order of the keys and
 * a field is judged only when the kind of the frame is known.
 * Bad case: a known key twice in one object; the frame is refused, because two readers could see two frames.
 */
import { DECODE_FIELD_MISSING, DECODE_FIELD_TYPE } from "../../../assembly/layout.ts";
import {
  expectByte,
  lastStringEscaped,
  peek,
  readInteger,
  skipSpace,
  skipString,
  skipValue,
  TYPE_NONE,
  TYPE_NUMBER,
  TYPE_STRING,
  typeAt,
} from "./json.ts";
import { NO_WORD, type WordSet } from "./keys.ts";
import { wordAt } from "./memory.ts";

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const OBJECT_CLOSE = 0x7d;
/** Words of a field: start · end · type · 1 when its text holds an escape. */
const FIELD_WORDS = 4;
const END = 1;
const TYPE = 2;
const ESCAPED = 3;

let duplicate = false;
let keyStart = 0;
let keyLength = 0;
let closed = false;

/** Forgets the duplicates of the frame before. */
export function beginFields(): void {
  duplicate = false;
}

/** True when a known key came twice in one object since beginFields. */
export function hasDuplicate(): boolean {
  return duplicate;
}

/** Reads a key and its colon. @returns the position of the value, −1 for a syntax error */
export function readKey(bytes: Uint8Array, start: number, end: number): number {
  let at = skipSpace(bytes, start, end);
  if (peek(bytes, at, end) !== QUOTE) {
    return -1;
  }
  keyStart = at + 1;
  at = skipString(bytes, at, end);
  if (at < 0) {
    return -1;
  }
  keyLength = lastStringEscaped() ? 0 : at - 1 - keyStart;
  at = expectByte(bytes, at, end, COLON);
  return at < 0 ? -1 : skipSpace(bytes, at, end);
}

/** The last key among the known ones. @returns its number, NO_WORD for others and for keys that hold an escape */
export function lastKey(bytes: Uint8Array, keys: WordSet): number {
  return keyLength === 0 ? NO_WORD : keys.find(bytes, keyStart, keyLength);
}

/** True when the object has no members; the position is behind its opening brace. */
export function isEmptyObject(bytes: Uint8Array, at: number, end: number): boolean {
  return peek(bytes, skipSpace(bytes, at, end), end) === OBJECT_CLOSE;
}

/** Reads what follows a member: `,` or `}`. @returns the position after it, −1 for a syntax error */
export function nextMember(bytes: Uint8Array, start: number, end: number): number {
  const at = skipSpace(bytes, start, end);
  const byte = peek(bytes, at, end);
  closed = byte === OBJECT_CLOSE;
  return closed || byte === COMMA ? at + 1 : -1;
}

/** True when the last nextMember read the closing brace. */
export function objectClosed(): boolean {
  return closed;
}

/** The fields of one object by the numbers of their keys. */
export class FieldTable {
  readonly #fields: Int32Array;

  /** @param count known keys */
  constructor(count: number) {
    this.#fields = new Int32Array(count * FIELD_WORDS);
  }

  /** Forgets all fields. */
  clear(): void {
    this.#fields.fill(0);
  }

  /** Reads a value and remembers it as a field. @returns the position after it, −1 for a syntax error */
  read(field: number, bytes: Uint8Array, at: number, end: number, depth: number): number {
    const type = typeAt(bytes, at, end);
    const stop = skipValue(bytes, at, end, depth);
    if (stop >= 0) {
      this.set(field, at, stop, type, type === TYPE_STRING && lastStringEscaped());
    }
    return stop;
  }

  /** Remembers a field that was read by other means. */
  set(field: number, start: number, stop: number, type: number, isEscaped: boolean): void {
    const fields = this.#fields;
    const at = field * FIELD_WORDS;
    if (wordAt(fields, at + TYPE) !== TYPE_NONE) {
      duplicate = true;
    }
    fields[at] = start;
    fields[at + END] = stop;
    fields[at + TYPE] = type;
    fields[at + ESCAPED] = isEscaped ? 1 : 0;
  }

  /** Takes a field over from another table. */
  copy(field: number, from: FieldTable, source: number): void {
    for (let i = 0; i < FIELD_WORDS; i++) {
      this.#fields[field * FIELD_WORDS + i] = wordAt(from.#fields, source * FIELD_WORDS + i);
    }
  }

  /** TYPE_* of a field; TYPE_NONE when it was not there. */
  type(field: number): number {
    return wordAt(this.#fields, field * FIELD_WORDS + TYPE);
  }

  /** First byte of a field. */
  start(field: number): number {
    return wordAt(this.#fields, field * FIELD_WORDS) >>> 0;
  }

  /** Behind the last byte of a field. */
  end(field: number): number {
    return wordAt(this.#fields, field * FIELD_WORDS + END) >>> 0;
  }

  /** Whether a string field holds an escape. */
  isEscaped(field: number): boolean {
    return wordAt(this.#fields, field * FIELD_WORDS + ESCAPED) !== 0;
  }

  /** First byte of a string field's text, or of any other field. */
  textStart(field: number): number {
    return this.type(field) === TYPE_STRING ? this.start(field) + 1 : this.start(field);
  }

  /** Bytes of a string field's text, or of any other field. */
  textLength(field: number): number {
    const length = this.end(field) - this.start(field);
    return this.type(field) === TYPE_STRING ? length - 2 : length;
  }

  /** True when the field is a string without escapes. */
  isText(field: number): boolean {
    return this.type(field) === TYPE_STRING && !this.isEscaped(field);
  }

  /** The word that a text field is. @returns its number, NO_WORD when it is no text or none of the set */
  word(field: number, bytes: Uint8Array, words: WordSet): number {
    return this.isText(field) ? words.find(bytes, this.textStart(field), this.textLength(field)) : NO_WORD;
  }

  /** Reads an integer (bare or in a string) into RESULT. @returns 0, or DECODE_* for what is wrong with it */
  readInteger(field: number, bytes: Uint8Array): number {
    const type = this.type(field);
    if (type === TYPE_NONE) {
      return DECODE_FIELD_MISSING;
    }
    const isReadable = type === TYPE_NUMBER || this.isText(field);
    return isReadable && readInteger(bytes, this.textStart(field), this.textLength(field)) ? 0 : DECODE_FIELD_TYPE;
  }
}
