/**
 * Decoder of snapshot parts, on a client's replica: the first brings the head, the last proves counts and hash. Levels
 * stand best first, so each must be worse than the one before.
 * Bad case: a part that is missing; the counts do not hold and the book is dropped.
 */
import {
  BOOK_ADDED,
  EXPONENT_MAX,
  FLAG_CROSSED,
  FLAG_LAST,
  FRAME_FLAG_FINAL,
  FRAME_FLAG_FIRST,
  REPLICA_ASK_COUNT,
  REPLICA_BID_COUNT,
  REPLICA_CHAIN,
  REPLICA_EMPTY,
  REPLICA_EPOCH,
  REPLICA_EVENT_AT,
  REPLICA_EVENT_VERSION,
  REPLICA_FLAGS,
  REPLICA_HASH,
  REPLICA_HASH_MISMATCH,
  REPLICA_INCONSISTENT,
  REPLICA_OK,
  REPLICA_PENDING_HASH,
  REPLICA_PRICE_EXPONENT,
  REPLICA_QUANTITY_EXPONENT,
  REPLICA_RECEIVED_AT,
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
import { readQuantity, readVarint, unzigzag } from "./codec.ts";
import { readU32 } from "./frame_decode_parts.ts";
import { beginHistory, dropHistory } from "./history.ts";
import { add, resultHigh, resultLow, subtract } from "./int64.ts";
import { byteAt, copyWords, fieldOf, writeWords } from "./memory.ts";
import { mayDiffer, type Replicas, STATUS_MASK } from "./replica.ts";

/** Bytes of the head between the version and the source sequence. */
const HEAD_BYTES = 32;
const UNITS = [1, 1000, 1000000];

/** Applies what follows the alias of a part whose checksum holds. @returns REPLICA_* */
export function applySnapshot(replicas: Replicas, replica: number, flags: number, start: number, end: number): number {
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
  copyWords(words, replica + REPLICA_EVENT_VERSION, replica + REPLICA_VERSION);
  beginHistory(words, replica);
  words[(replica + REPLICA_STATE) >>> 2] = REPLICA_STATE_FOLLOWING;
  return REPLICA_OK;
}

/** Reads the head of a snapshot. @returns the position of the levels, −1 when malformed */
function readHead(replicas: Replicas, replica: number, start: number, end: number): number {
  const { bytes, words } = replicas.memory;
  replicas.book(replica).clear();
  dropHistory(words, replica);
  let at = readVarint(bytes, start, end);
  if (at < 0 || end - at < HEAD_BYTES) {
    return -1;
  }
  writeWords(words, replica + REPLICA_VERSION, resultLow(), resultHigh());
  words[(replica + REPLICA_EPOCH) >>> 2] = readU32(bytes, at);
  words[(replica + REPLICA_PENDING_HASH) >>> 2] = readU32(bytes, at + 4);
  words[(replica + REPLICA_CHAIN) >>> 2] = readU32(bytes, at + 8);
  const status = byteAt(bytes, at + 12);
  const priceExponent = byteAt(bytes, at + 13);
  const quantityExponent = byteAt(bytes, at + 14);
  const unit = UNITS[byteAt(bytes, at + 15)];
  const isMalformed = (status & ~STATUS_MASK) !== 0 || priceExponent > EXPONENT_MAX || quantityExponent > EXPONENT_MAX;
  if (isMalformed || unit === undefined) {
    return -1;
  }
  words[(replica + REPLICA_FLAGS) >>> 2] = status | FLAG_LAST;
  words[(replica + REPLICA_PRICE_EXPONENT) >>> 2] = priceExponent;
  words[(replica + REPLICA_QUANTITY_EXPONENT) >>> 2] = quantityExponent;
  words[(replica + REPLICA_TIME_UNIT) >>> 2] = unit;
  writeWords(words, replica + REPLICA_EVENT_AT, readU32(bytes, at + 16), readU32(bytes, at + 20));
  writeWords(words, replica + REPLICA_RECEIVED_AT, readU32(bytes, at + 24), readU32(bytes, at + 28));
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
