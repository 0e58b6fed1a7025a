/**
 * Encoder of delta frames: a replica with a buffer codes each event while it is applied. Changes are written behind a
 * gap; when the event ends its head is written into the gap and the changes close up.
 * Buffer: 16 bytes for kind and alias, whole events, the open event; `bufferUsed` is the end of what is coded.
 * Bad case: an event larger than the buffer; the gateway then sends a snapshot instead.
 */
import {
  DELTA_CHANGES_MAX,
  FRAME_DELTAS,
  FRAME_FLAG_CHECK,
  REPLICA_ALIAS,
  REPLICA_BUFFER_ADDRESS,
  REPLICA_BUFFER_BYTES,
  REPLICA_BUFFER_USED,
  REPLICA_CHAIN,
  REPLICA_EVENT_AT,
  REPLICA_EVENT_CHANGES,
  REPLICA_EVENT_OPEN,
  REPLICA_EVENT_RECORDS,
  REPLICA_EVENT_START,
  REPLICA_EVENTS,
  REPLICA_FRAME_ADDRESS,
  REPLICA_FRAMES_SINCE_CHECK,
  REPLICA_HASH,
  REPLICA_RECEIVED_AT,
  REPLICA_REF_ASK,
  REPLICA_REF_BID,
  REPLICA_SOURCE_SEQUENCE,
  REPLICA_TIME_UNIT,
  SIDE_ASK,
} from "../../../assembly/layout.ts";
import type { Arena } from "./arena.ts";
import type { Book, BookSide } from "./book.ts";
import { unitPower, writeChange, writeQuantity, writeTime, writeVarint, writeZigzag } from "./codec.ts";
import { resultHigh, resultLow, subtract } from "./int64.ts";
import { fieldOf, type Memory, writeWords } from "./memory.ts";
import type { EventNote } from "./replica.ts";

/** Kind and alias are written backwards from here. */
const HEAD = 16;
/** Room for the head of an event. */
const GAP = 48;
/** Most bytes of one change. */
const CHANGE_ROOM = 20;
/** Room that is kept behind what is coded: hash and chain. */
const TAIL_ROOM = 24;
/** Room that one more record may need: 16 changes, a head, the check. */
const RECORD_ROOM = DELTA_CHANGES_MAX * CHANGE_ROOM + GAP + TAIL_ROOM;
const BUFFER_MAX = 2 ** 30;
/** The receive delay is coded in µs when it is a whole number of them. */
export const DELAY_POWER = 3;

const HAS_STATUS = 1;
const HAS_RECORDS = 2;
const HAS_SEQUENCE = 4;
const COUNT_SHIFT = 3;

/** KernelFrame.frameBufferCreate. @returns 0, or 1 when exhausted */
export function createBuffer(memory: Memory, arena: Arena, replica: number, bytes: number): number {
  const { words } = memory;
  const held = fieldOf(words, replica, REPLICA_BUFFER_ADDRESS) >>> 0;
  const used = held === 0 ? HEAD : fieldOf(words, replica, REPLICA_BUFFER_USED);
  const buffer = bytes > BUFFER_MAX || bytes < RECORD_ROOM + used ? 0 : arena.take(bytes);
  if (buffer === 0) {
    return 1;
  }
  if (held !== 0) {
    memory.bytes.copyWithin(buffer, held, held + used);
  }
  releaseBuffer(words, arena, replica);
  words[(replica + REPLICA_BUFFER_ADDRESS) >>> 2] = buffer;
  words[(replica + REPLICA_BUFFER_BYTES) >>> 2] = bytes;
  words[(replica + REPLICA_BUFFER_USED) >>> 2] = used;
  return 0;
}

/** Gives the buffer of a replica back. */
export function releaseBuffer(words: Int32Array, arena: Arena, replica: number): void {
  const held = fieldOf(words, replica, REPLICA_BUFFER_ADDRESS) >>> 0;
  arena.release(held, fieldOf(words, replica, REPLICA_BUFFER_BYTES));
  words[(replica + REPLICA_BUFFER_ADDRESS) >>> 2] = 0;
}

/** True when the buffer takes one more record. */
export function hasRoom(words: Int32Array, replica: number): boolean {
  return fieldOf(words, replica, REPLICA_BUFFER_USED) + RECORD_ROOM <= fieldOf(words, replica, REPLICA_BUFFER_BYTES);
}

/** True when the open event takes one more change. */
export function hasChangeRoom(words: Int32Array, replica: number): boolean {
  const end = fieldOf(words, replica, REPLICA_BUFFER_USED) + CHANGE_ROOM + TAIL_ROOM;
  return end <= fieldOf(words, replica, REPLICA_BUFFER_BYTES);
}

/** Address of the first change of the open event. */
export function encodedChanges(words: Int32Array, replica: number): number {
  return (fieldOf(words, replica, REPLICA_BUFFER_ADDRESS) >>> 0) + fieldOf(words, replica, REPLICA_EVENT_START) + GAP;
}

/** Takes the open event back: as if it had not begun. */
export function cancelEvent(words: Int32Array, replica: number): void {
  words[(replica + REPLICA_BUFFER_USED) >>> 2] = fieldOf(words, replica, REPLICA_EVENT_START);
  words[(replica + REPLICA_EVENT_OPEN) >>> 2] = 0;
}

/** Remembers the best prices before an event: the references of its first changes. */
export function takeReferences(words: Int32Array, replica: number, book: Book): void {
  takeReference(words, replica + REPLICA_REF_BID, book.bids);
  takeReference(words, replica + REPLICA_REF_ASK, book.asks);
}

function takeReference(words: Int32Array, address: number, side: BookSide): void {
  const hasLevels = side.count > 0;
  const best = side.end - 1;
  writeWords(words, address, hasLevels ? side.priceLow(best) : 0, hasLevels ? side.priceHigh(best) : 0);
}

/** Opens an event. */
export function beginEvent(words: Int32Array, replica: number, book: Book): void {
  takeReferences(words, replica, book);
  const used = fieldOf(words, replica, REPLICA_BUFFER_USED);
  words[(replica + REPLICA_EVENT_START) >>> 2] = used;
  words[(replica + REPLICA_BUFFER_USED) >>> 2] = used + GAP;
  words[(replica + REPLICA_EVENT_OPEN) >>> 2] = 1;
  words[(replica + REPLICA_EVENT_RECORDS) >>> 2] = 0;
  words[(replica + REPLICA_EVENT_CHANGES) >>> 2] = 0;
}

/** Throws an open event and everything not yet sent away: a snapshot follows. */
export function dropEvent(words: Int32Array, replica: number): void {
  words[(replica + REPLICA_EVENT_OPEN) >>> 2] = 0;
  words[(replica + REPLICA_EVENTS) >>> 2] = 0;
  if (fieldOf(words, replica, REPLICA_BUFFER_ADDRESS) !== 0) {
    words[(replica + REPLICA_BUFFER_USED) >>> 2] = HEAD;
  }
}

/** Codes one change of the open event. */
export function encodeChange(
  memory: Memory,
  replica: number,
  side: number,
  priceLow: number,
  priceHigh: number,
  lotsLow: number,
  lotsHigh: number,
): void {
  const { bytes, words } = memory;
  const buffer = fieldOf(words, replica, REPLICA_BUFFER_ADDRESS) >>> 0;
  const reference = replica + (side === SIDE_ASK ? REPLICA_REF_ASK : REPLICA_REF_BID);
  const isRemoved = (lotsLow | lotsHigh) === 0;
  let at = buffer + fieldOf(words, replica, REPLICA_BUFFER_USED);
  subtract(priceLow, priceHigh, fieldOf(words, reference, 0), fieldOf(words, reference, 4));
  at = writeChange(bytes, at, side | (isRemoved ? 2 : 0), resultLow(), resultHigh());
  if (!isRemoved) {
    at = writeQuantity(bytes, at, lotsLow, lotsHigh);
  }
  writeWords(words, reference, priceLow, priceHigh);
  words[(replica + REPLICA_BUFFER_USED) >>> 2] = at - buffer;
  words[(replica + REPLICA_EVENT_CHANGES) >>> 2] = fieldOf(words, replica, REPLICA_EVENT_CHANGES) + 1;
}

/** Closes the open event: its head goes in front of its changes. @param status record flags without Last and Reset */
export function endEvent(memory: Memory, replica: number, status: number, note: EventNote): void {
  const { bytes, words } = memory;
  const buffer = fieldOf(words, replica, REPLICA_BUFFER_ADDRESS) >>> 0;
  const start = buffer + fieldOf(words, replica, REPLICA_EVENT_START);
  const end = buffer + fieldOf(words, replica, REPLICA_BUFFER_USED);
  const at = writeHead(memory, start, replica, status, note);
  bytes.copyWithin(at, start + GAP, end);
  words[(replica + REPLICA_BUFFER_USED) >>> 2] = at + (end - start - GAP) - buffer;
  words[(replica + REPLICA_EVENT_OPEN) >>> 2] = 0;
  words[(replica + REPLICA_EVENTS) >>> 2] = fieldOf(words, replica, REPLICA_EVENTS) + 1;
}

function writeHead(memory: Memory, start: number, replica: number, status: number, note: EventNote): number {
  const { bytes, words } = memory;
  const records = fieldOf(words, replica, REPLICA_EVENT_RECORDS);
  const sequence = replica + REPLICA_SOURCE_SEQUENCE;
  subtract(note.sequenceLow, note.sequenceHigh, fieldOf(words, sequence, 0), fieldOf(words, sequence, 4));
  const stepLow = resultLow();
  const stepHigh = resultHigh();
  const hasSequence = (stepLow | stepHigh) !== 0;
  const bits = (status !== 0 ? HAS_STATUS : 0) | (records > 1 ? HAS_RECORDS : 0) | (hasSequence ? HAS_SEQUENCE : 0);
  const changes = fieldOf(words, replica, REPLICA_EVENT_CHANGES);
  let at = writeVarint(bytes, start, (changes << COUNT_SHIFT) | bits, changes >>> (32 - COUNT_SHIFT));
  if (status !== 0) {
    bytes[at++] = status;
  }
  if (records > 1) {
    at = writeVarint(bytes, at, records - 1, 0);
  }
  if (hasSequence) {
    at = writeZigzag(bytes, at, stepLow, stepHigh);
  }
  const lastLow = fieldOf(words, replica, REPLICA_EVENT_AT);
  const lastHigh = fieldOf(words, replica, REPLICA_EVENT_AT + 4);
  subtract(note.eventLow, note.eventHigh, lastLow, lastHigh);
  at = writeTime(bytes, at, resultLow(), resultHigh(), unitPower(fieldOf(words, replica, REPLICA_TIME_UNIT)));
  const received = replica + REPLICA_RECEIVED_AT;
  subtract(fieldOf(words, received, 0), fieldOf(words, received, 4), lastLow, lastHigh);
  const delayLow = resultLow();
  const delayHigh = resultHigh();
  subtract(note.receivedLow, note.receivedHigh, note.eventLow, note.eventHigh);
  subtract(resultLow(), resultHigh(), delayLow, delayHigh);
  return writeTime(bytes, at, resultLow(), resultHigh(), DELAY_POWER);
}

/**
 * KernelFrame.frameTake.
 * @param check 1 = carry hash and chain
 * @returns bytes of the frame, 0 when there is none
 */
export function takeFrame(memory: Memory, replica: number, check: number): number {
  const { bytes, words } = memory;
  const buffer = fieldOf(words, replica, REPLICA_BUFFER_ADDRESS) >>> 0;
  if (buffer === 0 || fieldOf(words, replica, REPLICA_EVENT_OPEN) !== 0) {
    return 0;
  }
  if (fieldOf(words, replica, REPLICA_EVENTS) === 0 && check === 0) {
    return 0;
  }
  let end = buffer + fieldOf(words, replica, REPLICA_BUFFER_USED);
  if (check !== 0) {
    end = writeU32(bytes, end, fieldOf(words, replica, REPLICA_HASH));
    end = writeU32(bytes, end, fieldOf(words, replica, REPLICA_CHAIN));
  }
  const alias = fieldOf(words, replica, REPLICA_ALIAS) >>> 0;
  const start = buffer + HEAD - 1 - varintBytes(alias);
  bytes[start] = FRAME_DELTAS | (check !== 0 ? FRAME_FLAG_CHECK : 0);
  writeVarint(bytes, start + 1, alias | 0, 0);
  words[(replica + REPLICA_FRAME_ADDRESS) >>> 2] = start;
  words[(replica + REPLICA_BUFFER_USED) >>> 2] = HEAD;
  words[(replica + REPLICA_EVENTS) >>> 2] = 0;
  const unchecked = fieldOf(words, replica, REPLICA_FRAMES_SINCE_CHECK) + 1;
  words[(replica + REPLICA_FRAMES_SINCE_CHECK) >>> 2] = check !== 0 ? 0 : unchecked;
  return end - start;
}

/** Writes a word little-endian at any position. @returns the position after it */
export function writeU32(bytes: Uint8Array, at: number, value: number): number {
  bytes[at] = value;
  bytes[at + 1] = value >>> 8;
  bytes[at + 2] = value >>> 16;
  bytes[at + 3] = value >>> 24;
  return at + 4;
}

function varintBytes(value: number): number {
  let count = 1;
  for (let rest = value; rest > 127; rest = Math.floor(rest / 128)) {
    count++;
  }
  return count;
}
