/**
 * Decoder of delta and snapshot frames, on a client's replica. Every byte must be accounted for, every change must alter
 * the book, and hash and chain must hold where they are carried; anything else drops the book and returns why.
 * Bad case: a frame cut short in the middle of an event; the book is dropped, because half of the event was applied.
 */
import {
  BOOK_ADDED,
  BOOK_REMOVED,
  BOOK_UNCHANGED,
  EXPONENT_MAX,
  FLAG_CROSSED,
  FLAG_LAST,
  FRAME_DELTAS,
  FRAME_FLAG_CHECK,
  FRAME_FLAG_FINAL,
  FRAME_FLAG_FIRST,
  FRAME_KIND_MASK,
  FRAME_SNAPSHOT,
  REPLICA_ASK_COUNT,
  REPLICA_BID_COUNT,
  REPLICA_CHAIN,
  REPLICA_CHANGES,
  REPLICA_EMPTY,
  REPLICA_EVENT_AT,
  REPLICA_FLAGS,
  REPLICA_HASH,
  REPLICA_HASH_MISMATCH,
  REPLICA_INCONSISTENT,
  REPLICA_OK,
  REPLICA_PENDING_HASH,
  REPLICA_PRICE_EXPONENT,
  REPLICA_QUANTITY_EXPONENT,
  REPLICA_RECEIVED_AT,
  REPLICA_REF_ASK,
  REPLICA_REF_BID,
  REPLICA_SOURCE_SEQUENCE,
  REPLICA_STATE,
  REPLICA_STATE_EMPTY,
  REPLICA_STATE_FOLLOWING,
  REPLICA_STATE_LOADING,
  REPLICA_TIME_UNIT,
  REPLICA_VERSION,
  SIDE_ASK,
  SIDE_BID,
} from "../../../assembly/layout.ts";
import type { Book } from "./book.ts";
import {
  changeBits,
  readChange,
  readQuantity,
  readTime,
  readVarint,
  readZigzag,
  unitPower,
  unzigzag,
} from "./codec.ts";
import { readU32, sealHolds } from "./frame_decode_parts.ts";
import { DELAY_POWER, takeReferences } from "./frame_encode.ts";
import { SEAL_BYTES } from "./frame_encode_parts.ts";
import { add, resultHigh, resultLow, subtract } from "./int64.ts";
import { addU64, byteAt, fieldOf, writeWords } from "./memory.ts";
import { mayDiffer, type Replicas, STATUS_MASK } from "./replica.ts";

/** Bytes of hash and chain. */
const CHECK_BYTES = 8;
/** Bytes of a snapshot's head between the version and the source sequence. */
const HEAD_BYTES = 28;
const UNITS = [1, 1000, 1000000];

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
      ? applyPart(replicas, replica, flags, at, end - SEAL_BYTES)
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
  /** Low and high word of the records of the event. */
  recordsLow: 0,
  recordsHigh: 0,
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
  at = at < 0 ? -1 : applyChanges(replicas, replica, book, at, end);
  const { status } = EVENT;
  if (at < 0 || (book.isCrossed() !== ((status & FLAG_CROSSED) !== 0) && !mayDiffer(status))) {
    return -1;
  }
  words[(replica + REPLICA_HASH) >>> 2] = book.hash;
  const version = replica + REPLICA_VERSION;
  add(fieldOf(words, version, 0), fieldOf(words, version, 4), EVENT.recordsLow, EVENT.recordsHigh);
  writeWords(words, version, resultLow(), resultHigh());
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
  EVENT.recordsLow = 1;
  EVENT.recordsHigh = 0;
  EVENT.sequenceLow = fieldOf(words, replica, REPLICA_SOURCE_SEQUENCE);
  EVENT.sequenceHigh = fieldOf(words, replica, REPLICA_SOURCE_SEQUENCE + 4);
  if (at >= 0 && (bits & 1) !== 0) {
    EVENT.status = at < end ? byteAt(bytes, at) : 0;
    at = EVENT.status === 0 || (EVENT.status & ~STATUS_MASK) !== 0 ? -1 : at + 1;
  }
  if (at >= 0 && (bits & 2) !== 0) {
    at = readVarint(bytes, at, end);
    if (at < 0 || resultHigh() !== 0 || resultLow() === 0) {
      return -1;
    }
    add(resultLow(), 0, 1, 0);
    EVENT.recordsLow = resultLow();
    EVENT.recordsHigh = resultHigh();
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

function applyChanges(replicas: Replicas, replica: number, book: Book, start: number, end: number): number {
  const { bytes, words } = replicas.memory;
  takeReferences(words, replica, book);
  const count = EVENT.changesLow;
  if (EVENT.changesHigh !== 0 || count < 0 || count > end - start) {
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
  }
  addU64(words, replica + REPLICA_CHANGES, count);
  return at;
}

function applyPart(replicas: Replicas, replica: number, flags: number, start: number, end: number): number {
  const { words } = replicas.memory;
  const state = fieldOf(words, replica, REPLICA_STATE);
  let at = start;
  if ((flags & FRAME_FLAG_FIRST) !== 0) {
    at = readHead(replicas, replica, start, end);
  } else if (state === REPLICA_STATE_EMPTY) {
    return REPLICA_EMPTY;
  } else if (state !== REPLICA_STATE_LOADING) {
    at = -1;
  }
  at = at < 0 ? -1 : readLevels(replicas, replica, at, end);
  if (at < 0) {
    return replicas.fail(replica, REPLICA_INCONSISTENT);
  }
  return (flags & FRAME_FLAG_FINAL) === 0 ? REPLICA_OK : completeSnapshot(replicas, replica);
}

function completeSnapshot(replicas: Replicas, replica: number): number {
  const { words } = replicas.memory;
  const book = replicas.book(replica);
  const isComplete =
    book.bids.count === fieldOf(words, replica, REPLICA_BID_COUNT) &&
    book.asks.count === fieldOf(words, replica, REPLICA_ASK_COUNT);
  const status = fieldOf(words, replica, REPLICA_FLAGS);
  if (!isComplete || (book.isCrossed() !== ((status & FLAG_CROSSED) !== 0) && !mayDiffer(status))) {
    return replicas.fail(replica, REPLICA_INCONSISTENT);
  }
  if (book.hash !== fieldOf(words, replica, REPLICA_PENDING_HASH)) {
    return replicas.fail(replica, REPLICA_HASH_MISMATCH);
  }
  words[(replica + REPLICA_HASH) >>> 2] = book.hash;
  words[(replica + REPLICA_STATE) >>> 2] = REPLICA_STATE_FOLLOWING;
  return REPLICA_OK;
}

/** Reads the head of a snapshot. @returns the position of the levels, −1 when malformed */
function readHead(replicas: Replicas, replica: number, start: number, end: number): number {
  const { bytes, words } = replicas.memory;
  replicas.book(replica).clear();
  let at = readVarint(bytes, start, end);
  if (at < 0 || end - at < HEAD_BYTES) {
    return -1;
  }
  writeWords(words, replica + REPLICA_VERSION, resultLow(), resultHigh());
  words[(replica + REPLICA_PENDING_HASH) >>> 2] = readU32(bytes, at);
  words[(replica + REPLICA_CHAIN) >>> 2] = readU32(bytes, at + 4);
  const status = byteAt(bytes, at + 8);
  const priceExponent = byteAt(bytes, at + 9);
  const quantityExponent = byteAt(bytes, at + 10);
  const unit = UNITS[byteAt(bytes, at + 11)];
  const isMalformed = (status & ~STATUS_MASK) !== 0 || priceExponent > EXPONENT_MAX || quantityExponent > EXPONENT_MAX;
  if (isMalformed || unit === undefined) {
    return -1;
  }
  words[(replica + REPLICA_FLAGS) >>> 2] = status | FLAG_LAST;
  words[(replica + REPLICA_PRICE_EXPONENT) >>> 2] = priceExponent;
  words[(replica + REPLICA_QUANTITY_EXPONENT) >>> 2] = quantityExponent;
  words[(replica + REPLICA_TIME_UNIT) >>> 2] = unit;
  writeWords(words, replica + REPLICA_EVENT_AT, readU32(bytes, at + 12), readU32(bytes, at + 16));
  writeWords(words, replica + REPLICA_RECEIVED_AT, readU32(bytes, at + 20), readU32(bytes, at + 24));
  at = readVarint(bytes, at + HEAD_BYTES, end);
  if (at < 0) {
    return -1;
  }
  writeWords(words, replica + REPLICA_SOURCE_SEQUENCE, resultLow(), resultHigh());
  at = readCount(bytes, words, replica + REPLICA_BID_COUNT, at, end);
  at = at < 0 ? -1 : readCount(bytes, words, replica + REPLICA_ASK_COUNT, at, end);
  if (at >= 0) {
    words[(replica + REPLICA_STATE) >>> 2] = REPLICA_STATE_LOADING;
  }
  return at;
}

/** Reads a number of levels, below 2^31. */
function readCount(bytes: Uint8Array, words: Int32Array, address: number, start: number, end: number): number {
  const at = readVarint(bytes, start, end);
  if (at < 0 || resultHigh() !== 0 || resultLow() < 0) {
    return -1;
  }
  words[address >>> 2] = resultLow();
  return at;
}

function readLevels(replicas: Replicas, replica: number, start: number, end: number): number {
  const { bytes, words } = replicas.memory;
  const book = replicas.book(replica);
  const bids = fieldOf(words, replica, REPLICA_BID_COUNT);
  const total = bids + fieldOf(words, replica, REPLICA_ASK_COUNT);
  let held = book.count;
  let priceLow = 0;
  let priceHigh = 0;
  if (held > 0 && held !== bids) {
    const side = held < bids ? book.bids : book.asks;
    priceLow = side.priceLow(side.start);
    priceHigh = side.priceHigh(side.start);
  }
  let at = start;
  while (at < end) {
    const isBid = held < bids;
    at = held >= total ? -1 : readVarint(bytes, at, end);
    if (at < 0) {
      return -1;
    }
    if (!nextPrice(priceLow, priceHigh, held === 0 || held === bids, isBid)) {
      return -1;
    }
    priceLow = resultLow();
    priceHigh = resultHigh();
    at = readQuantity(bytes, at, end);
    if (at < 0) {
      return -1;
    }
    const side = isBid ? SIDE_BID : SIDE_ASK;
    if (book.set(side, priceLow, priceHigh, resultLow(), resultHigh()) !== BOOK_ADDED) {
      return -1;
    }
    held++;
  }
  return at;
}

/** RESULT = the price that the varint in RESULT codes. @returns false when it does not move */
function nextPrice(priceLow: number, priceHigh: number, isFirst: boolean, isBid: boolean): boolean {
  const low = resultLow();
  const high = resultHigh();
  if (isFirst) {
    unzigzag(low, high);
    return true;
  }
  if (isBid) {
    subtract(priceLow, priceHigh, low, high);
  } else {
    add(priceLow, priceHigh, low, high);
  }
  return (low | high) !== 0;
}
