/**
 * Kraken WebSocket v1 frames: `[channelId, payload…, name, pair]`. The pair stands at the end, and when both sides change
 * the payload is two objects. Book frames only; v1 trades, tickers, candles and spreads are known and unused.
 * Bad case: a level marked "r" (republished into scope); it is a normal level.
 * Source: https://docs.kraken.com/api/docs/websocket-v1/book (read 2026-11), and captured frames.
 */
import { arenaAllocate } from "../arena";
import { applyDelta, applyFull, expectChecksum, expectNoChecksum } from "../event";
import {
  FIELD_BYTES,
  fieldRead,
  fieldsDuplicate,
  fieldSet,
  fieldsOpen,
  fieldsSelect,
  fieldType,
  isText,
  keyAt,
  keyBytes,
  nextMember,
  objectClosed,
  objectEmpty,
  readKey,
  textLength,
  textStart,
} from "../fields";
import { byteAt, integerValue, readInteger, skipSpace, skipValue, TYPE_ARRAY, TYPE_NONE } from "../json";
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
} from "../layout";
import { levelsCount, levelsLatest, scanPairs, scaleLevels, SCALE_OK } from "../levels";
import { finish } from "../producer";
import {
  decodeError,
  FINE,
  frameEnds,
  levelsProblem,
  notSynced,
  readIntegerField,
  resolved,
  resolveInstrument,
  scaleProblem,
} from "./common";
import { acceptsBook, noteDecimals } from "./kraken";

/** Fields of the frame: its last two elements, and what the payload objects held. */
const F_NAME: usize = 0;
const F_PAIR: usize = 1;
const FRAME_FIELDS: usize = 2;
const P_CHECKSUM: usize = 0;
const P_AS: usize = 1;
const P_BS: usize = 2;
const P_A: usize = 3;
const P_B: usize = 4;
const PAYLOAD_FIELDS: usize = 5;
const NONE: usize = 255;
/** Longest depth in a name, digits. */
const DEPTH_DIGITS_MAX: usize = 6;

let frameTable: usize = 0;
let payloadTable: usize = 0;
let checksumTable: usize = 0;
let snapshotKeys: u32 = 0;
let updateKeys: u32 = 0;
let shapeProblem: bool = false;
let elements: u32 = 0;

/** Decodes and applies one array frame that begins at `at`. @returns APPLY_* */
export function krakenArrayApply(at: usize, end: usize, relative: f64): i32 {
  if (frameTable == 0) {
    frameTable = arenaAllocate(FRAME_FIELDS * FIELD_BYTES);
    payloadTable = arenaAllocate(PAYLOAD_FIELDS * FIELD_BYTES);
    checksumTable = arenaAllocate(FIELD_BYTES);
  }
  fieldsOpen(checksumTable, 1);
  fieldsOpen(frameTable, FRAME_FIELDS);
  snapshotKeys = 0;
  updateKeys = 0;
  shapeProblem = false;
  elements = 0;
  if (!frameEnds(scanElements(at + 1, end), end)) return decodeError(DECODE_SYNTAX);
  if (fieldsDuplicate()) return decodeError(DECODE_DUPLICATE_FIELD);
  fieldsSelect(frameTable);
  if (elements < 3 || !isText(F_NAME)) return finish(APPLY_UNKNOWN_KIND, 0, 0);
  if (!nameHas(0x6b6f6f62)) return finish(knownName() ? APPLY_IGNORED : APPLY_UNKNOWN_KIND, 0, 0);
  return applyBook(relative);
}

/** Reads the elements; the two last ones end up in F_NAME and F_PAIR. */
function scanElements(at: usize, end: usize): usize {
  at = skipSpace(at, end);
  if (byteAt(at, end) == 0x5d) return at + 1;
  while (true) {
    at = skipSpace(at, end);
    if (byteAt(at, end) == 0x7b) at = scanPayload(at + 1, end);
    else at = scanPlain(at, end);
    if (at == 0) return 0;
    elements++;
    at = skipSpace(at, end);
    const byte = byteAt(at, end);
    if (byte == 0x5d) return at + 1;
    if (byte != 0x2c) return 0;
    at++;
  }
}

function scanPlain(at: usize, end: usize): usize {
  memory.copy(frameTable, frameTable + FIELD_BYTES, FIELD_BYTES);
  memory.fill(frameTable + FIELD_BYTES, 0, FIELD_BYTES);
  fieldsSelect(frameTable);
  return fieldRead(F_PAIR, at, end, 1);
}

function scanPayload(at: usize, end: usize): usize {
  memory.fill(frameTable, 0, FRAME_FIELDS * FIELD_BYTES);
  fieldsOpen(payloadTable, PAYLOAD_FIELDS);
  if (objectEmpty(at, end)) return skipSpace(at, end) + 1;
  while (true) {
    at = readKey(at, end);
    if (at == 0) return 0;
    at = scanPayloadMember(payloadFieldOf(keyAt(), keyBytes()), at, end);
    if (at == 0) return 0;
    at = nextMember(at, end);
    if (at == 0) return 0;
    if (objectClosed()) break;
  }
  if (fieldType(P_CHECKSUM) != TYPE_NONE) memory.copy(checksumTable, payloadTable, FIELD_BYTES);
  return at;
}

function scanPayloadMember(field: usize, at: usize, end: usize): usize {
  if (field == NONE) return skipValue(at, end, 2);
  if (field == P_CHECKSUM) return fieldRead(field, at, end, 2);
  if (byteAt(at, end) != 0x5b) {
    shapeProblem = true;
    return fieldRead(field, at, end, 2);
  }
  fieldSet(field, at, at, TYPE_ARRAY, false);
  const bit: u32 = field == P_AS || field == P_A ? 1 : 2;
  if (field == P_AS || field == P_BS) snapshotKeys |= bit;
  else updateKeys |= bit;
  return scanPairs(at, end, bit == 1 ? SIDE_ASK : SIDE_BID, 3, true);
}

function payloadFieldOf(key: usize, length: usize): usize {
  const first = length > 0 ? <u32>load<u8>(key) : 0;
  if (length == 1) {
    if (first == 0x61) return P_A;
    if (first == 0x62) return P_B;
    return first == 0x63 ? P_CHECKSUM : NONE;
  }
  if (length != 2 || load<u8>(key, 1) != 0x73) return NONE;
  if (first == 0x61) return P_AS;
  return first == 0x62 ? P_BS : NONE;
}

/** True when the channel's name begins with the four bytes of a word. */
function nameHas(word: u32): bool {
  return textLength(F_NAME) >= 4 && load<u32>(textStart(F_NAME)) == word;
}

function knownName(): bool {
  return nameHas(0x64617274) || nameHas(0x6b636974) || nameHas(0x636c686f) || nameHas(0x65727073);
}

/** Takes the depth from a name like `book-1000`. */
function noteDepth(instrument: usize): void {
  fieldsSelect(frameTable);
  const length = textLength(F_NAME);
  if (length < 6 || length > 5 + DEPTH_DIGITS_MAX || load<u8>(textStart(F_NAME), 4) != 0x2d) return;
  if (!readInteger(textStart(F_NAME) + 5, length - 5)) return;
  const depth = <u32>integerValue();
  if (depth > 0) store<u32>(instrument, depth, INSTRUMENT_DEPTH);
}

function applyBook(relative: f64): i32 {
  const code = resolveInstrument(F_PAIR);
  if (code != FINE) return code;
  const instrument = resolved();
  if (snapshotKeys == 0 && updateKeys == 0) return decodeError(DECODE_FIELD_MISSING);
  if (shapeProblem || (snapshotKeys != 0 && updateKeys != 0)) return decodeError(DECODE_FIELD_TYPE);
  const levels = levelsProblem();
  if (levels != FINE) return levels;
  const snapshot = snapshotKeys != 0;
  fieldsSelect(checksumTable);
  const carried = fieldType(P_CHECKSUM) != TYPE_NONE;
  if (!snapshot || carried) {
    const checksum = readIntegerField(P_CHECKSUM);
    if (checksum != FINE) return checksum;
    if (integerValue() > 0xffffffff) return decodeError(DECODE_FIELD_TYPE);
    expectChecksum(<u32>integerValue());
  } else expectNoChecksum();
  if (!acceptsBook(instrument, snapshot)) return notSynced(instrument);
  const scale = scaleLevels(instrument, 0, levelsCount());
  if (scale != SCALE_OK) return scaleProblem(instrument, scale, relative);
  noteDecimals(instrument, snapshot);
  noteDepth(instrument);
  if (snapshot) return applyFull(instrument, 0, levelsCount(), levelsLatest(), 0, true, relative);
  return applyDelta(instrument, 0, levelsCount(), levelsLatest(), 0, relative);
}
