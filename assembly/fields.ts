/**
 * Phase one of every decoder: the fields of a JSON object as spans, so that nothing depends on the order of the keys and a
 * field is judged only when the kind of the frame is known.
 * Field, 16 bytes: start u32 · end u32 · type u32 (TYPE_*) · escaped u32. A field that was not there has type TYPE_NONE.
 * Bad case: a known key twice in one object; the frame is refused, because two readers could see two frames.
 */
import { DECODE_FIELD_MISSING, DECODE_FIELD_TYPE } from "./layout";
import {
  byteAt,
  expect,
  lastStringEscaped,
  readInteger,
  skipSpace,
  skipString,
  skipValue,
  TYPE_NONE,
  TYPE_NUMBER,
  TYPE_STRING,
  typeAt,
} from "./json";

/** Bytes of one field in a table. */
export const FIELD_BYTES: usize = 16;
const END: usize = 4;
const TYPE: usize = 8;
const ESCAPED: usize = 12;

let fields: usize = 0;
let duplicate: bool = false;

/** Forgets the duplicates of the frame before. */
export function fieldsBegin(): void {
  duplicate = false;
}

/** Makes a table of `count` cleared fields the current one. */
export function fieldsOpen(table: usize, count: usize): void {
  fields = table;
  for (let i: usize = 0; i < count; i++) v128.store(fields + i * FIELD_BYTES, i64x2.splat(0));
}

/** Makes a table that was filled before the current one. */
export function fieldsSelect(table: usize): void {
  fields = table;
}

/** True when a known key came twice. */
export function fieldsDuplicate(): bool {
  return duplicate;
}

let keyStart: usize = 0;
let keyLength: usize = 0;
let closed: bool = false;

/** First byte of the last key. */
export function keyAt(): usize {
  return keyStart;
}
/** Bytes of the last key; 0 when it held an escape and thus is none of ours. */
export function keyBytes(): usize {
  return keyLength;
}

/** Reads a key and its colon. @returns the address of the value, 0 for a syntax error */
export function readKey(at: usize, end: usize): usize {
  if (byteAt(at, end) != 0x22) {
    at = skipSpace(at, end);
    if (byteAt(at, end) != 0x22) return 0;
  }
  keyStart = at + 1;
  at = skipString(at, end);
  if (at == 0) return 0;
  keyLength = lastStringEscaped() ? 0 : at - 1 - keyStart;
  at = expect(at, end, 0x3a);
  return at == 0 ? 0 : skipSpace(at, end);
}

/** True when the object has no members; `at` is behind its opening brace. */
export function objectEmpty(at: usize, end: usize): bool {
  return byteAt(skipSpace(at, end), end) == 0x7d;
}

/** Reads what follows a member: `,` or `}`. @returns the address after it, 0 for a syntax error; objectClosed tells which it was */
export function nextMember(at: usize, end: usize): usize {
  at = skipSpace(at, end);
  const byte = byteAt(at, end);
  closed = byte == 0x7d;
  return closed || byte == 0x2c ? at + 1 : 0;
}

/** True when the last nextMember read the closing brace. */
export function objectClosed(): bool {
  return closed;
}

/** Reads a value and remembers it as a field. @returns the address after it, 0 for a syntax error */
export function fieldRead(field: usize, at: usize, end: usize, depth: i32): usize {
  const type = typeAt(at, end);
  const stop = skipValue(at, end, depth);
  if (stop != 0) fieldSet(field, at, stop, type, type == TYPE_STRING && lastStringEscaped());
  return stop;
}

/** Remembers a field that was read by other means. */
export function fieldSet(field: usize, start: usize, stop: usize, type: u32, escaped: bool): void {
  const at = fields + field * FIELD_BYTES;
  if (load<u32>(at, TYPE) != TYPE_NONE) duplicate = true;
  store<u32>(at, <u32>start);
  store<u32>(at, <u32>stop, END);
  store<u32>(at, type, TYPE);
  store<u32>(at, escaped ? 1 : 0, ESCAPED);
}

export function fieldType(field: usize): u32 {
  return load<u32>(fields + field * FIELD_BYTES, TYPE);
}
export function fieldStart(field: usize): usize {
  return load<u32>(fields + field * FIELD_BYTES);
}
export function fieldEnd(field: usize): usize {
  return load<u32>(fields + field * FIELD_BYTES, END);
}
export function fieldEscaped(field: usize): bool {
  return load<u32>(fields + field * FIELD_BYTES, ESCAPED) != 0;
}
/** Text of a string field: its first byte. */
export function textStart(field: usize): usize {
  return fieldStart(field) + 1;
}
/** Text of a string field: its bytes. */
export function textLength(field: usize): usize {
  return fieldEnd(field) - fieldStart(field) - 2;
}
/** True when the field is a string without escapes. */
export function isText(field: usize): bool {
  return fieldType(field) == TYPE_STRING && !fieldEscaped(field);
}

/** True when the field is exactly a word of at most eight bytes. */
export function textIs(field: usize, word: u64, length: usize): bool {
  if (!isText(field) || textLength(field) != length) return false;
  return word8(textStart(field), length) == word;
}

/** True when the field is exactly a word of 9 to 16 bytes. */
export function textIsLong(field: usize, word: u64, tail: u64, length: usize): bool {
  if (!isText(field) || textLength(field) != length) return false;
  const at = textStart(field);
  return load<u64>(at) == word && load<u64>(at + length - 8) == tail;
}

/** True when the field is exactly a word of 17 to 24 bytes; `middle` are its bytes from the ninth on. */
export function textIsLonger(field: usize, word: u64, middle: u64, tail: u64, length: usize): bool {
  return textIsLong(field, word, tail, length) && load<u64>(textStart(field) + 8) == middle;
}

/** Up to eight bytes as a little-endian integer. */
export function word8(at: usize, length: usize): u64 {
  let value: u64 = 0;
  for (let i = length; i > 0; i--) value = (value << 8) | <u64>load<u8>(at + i - 1);
  return value;
}

/** What is wrong with a field that must be an integer; 0 when it is one (value: json.integerValue). */
export function integerProblem(field: usize): i32 {
  const type = fieldType(field);
  if (type == TYPE_NONE) return DECODE_FIELD_MISSING;
  if (type == TYPE_NUMBER)
    return readInteger(fieldStart(field), fieldEnd(field) - fieldStart(field)) ? 0 : DECODE_FIELD_TYPE;
  if (!isText(field)) return DECODE_FIELD_TYPE;
  return readInteger(textStart(field), textLength(field)) ? 0 : DECODE_FIELD_TYPE;
}
