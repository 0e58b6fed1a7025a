/**
 * Decoder of book frames, on a client's replica; here delta frames, the others have files of their own. Every byte must be
 * accounted for, every change must alter the book, and hash and chain must hold where they are carried; anything else drops
 * the book and returns why.
 * Bad case: a frame cut short in the middle of an event; the book is dropped, because half of the event was applied.
 */
import {
  BOOK_ADDED,
  BOOK_REMOVED,
  BOOK_UNCHANGED,
  FLAG_CROSSED,
  FLAG_LAST,
  FRAME_CONFLATED,
  FRAME_DELTAS,
  FRAME_FLAG_CHECK,
  FRAME_FLAG_FINAL,
  FRAME_FLAG_FIRST,
  FRAME_KIND_MASK,
  FRAME_SNAPSHOT,
  REPLICA_CHAIN,
  REPLICA_CHANGES,
  REPLICA_EMPTY,
  REPLICA_EVENT_AT,
  REPLICA_HASH,
  REPLICA_HASH_MISMATCH,
  REPLICA_HISTORY,
  REPLICA_INCONSISTENT,
  REPLICA_OK,
  REPLICA_RECEIVED_AT,
  REPLICA_REF_ASK,
  REPLICA_REF_BID,
  REPLICA_SOURCE_SEQUENCE,
  REPLICA_STATE,
  REPLICA_STATE_EMPTY,
  REPLICA_STATE_FOLLOWING,
  REPLICA_TIME_UNIT,
  REPLICA_VERSION,
  SIDE_ASK,
} from "../../../assembly/layout.ts";
import { changeBits, readChange, readQuantity, readTime, readVarint, readZigzag, unitPower } from "./codec.ts";
import { applyConflated } from "./frame_conflated.ts";
import { readU32, sealHolds } from "./frame_decode_parts.ts";
import { DELAY_POWER, takeReferences } from "./frame_encode.ts";
import { SEAL_BYTES } from "./frame_encode_parts.ts";
import { applySnapshot } from "./frame_snapshot.ts";
import { addHistory } from "./history.ts";
import { add, resultHigh, resultLow, subtract } from "./int64.ts";
import { addU64, byteAt, fieldOf, writeWords } from "./memory.ts";
import { mayDiffer, type Replicas, STATUS_MASK } from "./replica.ts";

/** Bytes of hash and chain. */
const CHECK_BYTES = 8;

/** KernelFrame.frameApply. @returns REPLICA_* */
export function applyFrame(replicas: Replicas, replica: number, frame: number, length: number): number {
  const { bytes, words } = replicas.memory;
  const end = frame + length;
  const at = length < 2 ? -1 : readVarint(bytes, frame + 1, end);
  if (at < 0) {
    return replicas.fail(replica, REPLICA_INCONSISTENT);
  }
  const head = byteAt(bytes, frame);
  const kind = head & FRAME_KIND_MASK;
  const flags = head & ~FRAME_KIND_MASK;
  if (kind === FRAME_SNAPSHOT && (flags & ~(FRAME_FLAG_FIRST | FRAME_FLAG_FINAL)) === 0) {
    return sealHolds(bytes, frame, length)
      ? applySnapshot(replicas, replica, flags, at, end - SEAL_BYTES)
      : replicas.fail(replica, REPLICA_HASH_MISMATCH);
  }
  if (kind === FRAME_CONFLATED && flags === 0) {
    return sealHolds(bytes, frame, length)
      ? applyConflated(replicas, replica, at, end - SEAL_BYTES)
      : replicas.fail(replica, REPLICA_HASH_MISMATCH);
  }
  if (kind !== FRAME_DELTAS || (flags & ~FRAME_FLAG_CHECK) !== 0) {
    return replicas.fail(replica, REPLICA_INCONSISTENT);
  }
  const state = fieldOf(words, replica, REPLICA_STATE);
  if (state === REPLICA_STATE_EMPTY) {
    return REPLICA_EMPTY;
  }
  if (state !== REPLICA_STATE_FOLLOWING) {
    return replicas.fail(replica, REPLICA_INCONSISTENT);
  }
  return applyEvents(replicas, replica, flags !== 0, at, end);
}

function applyEvents(replicas: Replicas, replica: number, hasCheck: boolean, start: number, end: number): number {
  const { bytes, words } = replicas.memory;
  const stop = hasCheck ? end - CHECK_BYTES : end;
  if (stop < start || (!hasCheck && start === stop)) {
    return replicas.fail(replica, REPLICA_INCONSISTENT);
  }
  for (let at = start; at < stop; ) {
    at = applyEvent(replicas, replica, at, stop);
    if (at < 0) {
      return replicas.fail(replica, REPLICA_INCONSISTENT);
    }
  }
  if (!hasCheck) {
    return REPLICA_OK;
  }
  const holds =
    readU32(bytes, stop) === fieldOf(words, replica, REPLICA_HASH) &&
    readU32(bytes, stop + 4) === fieldOf(words, replica, REPLICA_CHAIN);
  return holds ? REPLICA_OK : replicas.fail(replica, REPLICA_HASH_MISMATCH);
}

/** What the head of the event under way says; filled by readEventHead. */
const EVENT = {
  status: 0,
  changesLow: 0,
  changesHigh: 0,
  /** Version after the event. */
  versionLow: 0,
  versionHigh: 0,
  eventLow: 0,
  eventHigh: 0,
  receivedLow: 0,
  receivedHigh: 0,
  sequenceLow: 0,
  sequenceHigh: 0,
};

/** Applies one event. @returns the position after it, −1 on a contradiction */
function applyEvent(replicas: Replicas, replica: number, start: number, end: number): number {
  const { words } = replicas.memory;
  let at = readEventHead(replicas, replica, start, end);
  at = at < 0 ? -1 : readEventTimes(replicas, replica, at, end);
  const book = replicas.book(replica);
  at = at < 0 ? -1 : applyChanges(replicas, replica, EVENT, at, end);
  const { status } = EVENT;
  if (at < 0 || (book.isCrossed() !== ((status & FLAG_CROSSED) !== 0) && !mayDiffer(status))) {
    return -1;
  }
  words[(replica + REPLICA_HASH) >>> 2] = book.hash;
  writeWords(words, replica + REPLICA_VERSION, EVENT.versionLow, EVENT.versionHigh);
  replicas.noteEvent(replica, status | FLAG_LAST, EVENT);
  return at;
}

/** Reads count, status, records and sequence of an event. */
function readEventHead(replicas: Replicas, replica: number, start: number, end: number): number {
  const { bytes, words } = replicas.memory;
  let at = readVarint(bytes, start, end);
  const bits = resultLow() & 7;
  EVENT.changesLow = (resultLow() >>> 3) | (resultHigh() << 29);
  EVENT.changesHigh = resultHigh() >>> 3;
  EVENT.status = 0;
  EVENT.sequenceLow = fieldOf(words, replica, REPLICA_SOURCE_SEQUENCE);
  EVENT.sequenceHigh = fieldOf(words, replica, REPLICA_SOURCE_SEQUENCE + 4);
  if (at >= 0 && (bits & 1) !== 0) {
    EVENT.status = at < end ? byteAt(bytes, at) : 0;
    at = EVENT.status === 0 || (EVENT.status & ~STATUS_MASK) !== 0 ? -1 : at + 1;
  }
  const version = replica + REPLICA_VERSION;
  add(fieldOf(words, version, 0), fieldOf(words, version, 4), 1, 0);
  EVENT.versionLow = resultLow();
  EVENT.versionHigh = resultHigh();
  if (at >= 0 && (bits & 2) !== 0) {
    at = readVarint(bytes, at, end);
    if (at < 0 || resultHigh() !== 0 || resultLow() === 0) {
      return -1;
    }
    add(EVENT.versionLow, EVENT.versionHigh, resultLow(), 0);
    EVENT.versionLow = resultLow();
    EVENT.versionHigh = resultHigh();
  }
  if (at >= 0 && (bits & 4) !== 0) {
    at = readZigzag(bytes, at, end);
    if (at < 0 || (resultLow() | resultHigh()) === 0) {
      return -1;
    }
    add(EVENT.sequenceLow, EVENT.sequenceHigh, resultLow(), resultHigh());
    EVENT.sequenceLow = resultLow();
    EVENT.sequenceHigh = resultHigh();
  }
  return at;
}

/** Reads both times of an event. */
function readEventTimes(replicas: Replicas, replica: number, start: number, end: number): number {
  const { bytes, words } = replicas.memory;
  const lastLow = fieldOf(words, replica, REPLICA_EVENT_AT);
  const lastHigh = fieldOf(words, replica, REPLICA_EVENT_AT + 4);
  let at = readTime(bytes, start, end, unitPower(fieldOf(words, replica, REPLICA_TIME_UNIT)));
  if (at < 0) {
    return -1;
  }
  add(lastLow, lastHigh, resultLow(), resultHigh());
  EVENT.eventLow = resultLow();
  EVENT.eventHigh = resultHigh();
  at = readTime(bytes, at, end, DELAY_POWER);
  if (at < 0) {
    return -1;
  }
  add(resultLow(), resultHigh(), EVENT.eventLow, EVENT.eventHigh);
  const received = replica + REPLICA_RECEIVED_AT;
  add(resultLow(), resultHigh(), fieldOf(words, received, 0), fieldOf(words, received, 4));
  subtract(resultLow(), resultHigh(), lastLow, lastHigh);
  EVENT.receivedLow = resultLow();
  EVENT.receivedHigh = resultHigh();
  return at;
}

/** What applyChanges is told: how many changes, and the version that they lead to. */
export type ChangesNote = {
  readonly changesLow: number;
  readonly changesHigh: number;
  readonly versionLow: number;
  readonly versionHigh: number;
};

/** Applies the changes of an event. @returns the position after them, −1 on a contradiction */
export function applyChanges(
  replicas: Replicas,
  replica: number,
  event: ChangesNote,
  start: number,
  end: number,
): number {
  const { bytes, words } = replicas.memory;
  const book = replicas.book(replica);
  takeReferences(words, replica, book);
  const isKept = fieldOf(words, replica, REPLICA_HISTORY) !== 0;
  const { versionLow, versionHigh } = event;
  const count = event.changesLow;
  if (event.changesHigh !== 0 || count < 0 || count > end - start) {
    return -1;
  }
  let at = start;
  for (let i = 0; i < count; i++) {
    at = readChange(bytes, at, end);
    if (at < 0) {
      return -1;
    }
    const side = changeBits() & 1;
    const isRemoved = changeBits() > 1;
    const reference = replica + (side === SIDE_ASK ? REPLICA_REF_ASK : REPLICA_REF_BID);
    add(fieldOf(words, reference, 0), fieldOf(words, reference, 4), resultLow(), resultHigh());
    const priceLow = resultLow();
    const priceHigh = resultHigh();
    at = isRemoved ? at : readQuantity(bytes, at, end);
    if (at < 0) {
      return -1;
    }
    writeWords(words, reference, priceLow, priceHigh);
    const lotsLow = isRemoved ? 0 : resultLow();
    const lotsHigh = isRemoved ? 0 : resultHigh();
    const result = book.set(side, priceLow, priceHigh, lotsLow, lotsHigh);
    if (result === BOOK_UNCHANGED || (result === BOOK_REMOVED) !== isRemoved) {
      return -1;
    }
    if (isKept) {
      const isHeld = result !== BOOK_ADDED;
      addHistory(words, replica, side, priceLow, priceHigh, lotsLow, lotsHigh, isHeld, versionLow, versionHigh);
    }
  }
  addU64(words, replica + REPLICA_CHANGES, count);
  return at;
}
