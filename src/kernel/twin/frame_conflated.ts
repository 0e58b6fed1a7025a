/**
 * Conflated frames: what changed of a book since a version, the last quantity per price, in one step. Encoded from the
 * history in the gateway, applied to a client's replica that holds that version. Changes stand in one order only (bids by
 * rising price, then asks) and the frame ends with its CRC-32, then the book's hash must hold.
 * Bad case: a client that holds another version; its book is dropped and it asks for a snapshot.
 */
import {
  BOOK_REMOVED,
  FLAG_CROSSED,
  FLAG_LAST,
  FRAME_CONFLATED,
  HISTORY_PRICE,
  HISTORY_QUANTITY,
  REPLICA_ALIAS,
  REPLICA_CHAIN,
  REPLICA_CHAIN_BROKEN,
  REPLICA_CHANGES,
  REPLICA_EMPTY,
  REPLICA_EVENT_AT,
  REPLICA_EVENT_VERSION,
  REPLICA_FLAGS,
  REPLICA_HASH,
  REPLICA_HASH_MISMATCH,
  REPLICA_INCONSISTENT,
  REPLICA_OK,
  REPLICA_RECEIVED_AT,
  REPLICA_SOURCE_SEQUENCE,
  REPLICA_STATE,
  REPLICA_STATE_EMPTY,
  REPLICA_STATE_FOLLOWING,
  REPLICA_VERSION,
  SIDE_BID,
} from "../../../assembly/layout.ts";
import { changeBits, readChange, readQuantity, readVarint, writeChange, writeQuantity, writeVarint } from "./codec.ts";
import { readU32 } from "./frame_decode_parts.ts";
import { writeU32 } from "./frame_encode.ts";
import { HEAD_ROOM, LEVEL_ROOM, SEAL_BYTES, seal, writeField, writeTimes } from "./frame_encode_parts.ts";
import { beginHistory, dropHistory } from "./history.ts";
import type { Histories } from "./history_walk.ts";
import { add, compare, compareUnsigned, resultHigh, resultLow, subtract } from "./int64.ts";
import { addU64, byteAt, copyWords, fieldOf, writeWords } from "./memory.ts";
import { mayDiffer, type Replicas, STATUS_MASK } from "./replica.ts";

/** Hash, chain, status, both times. */
const HEAD_BYTES = 25;

/** Bytes at `out`, and the version that a client holds. */
export type ConflatedRequest = {
  readonly fromLow: number;
  readonly fromHigh: number;
  readonly out: number;
  readonly limit: number;
};

/** KernelHistory.conflatedEncode. @returns bytes, 0 when there is no such frame */
export function encodeConflated(
  replicas: Replicas,
  histories: Histories,
  replica: number,
  { fromLow, fromHigh, out, limit }: ConflatedRequest,
): number {
  const { bytes, words } = replicas.memory;
  const count = limit < HEAD_ROOM + LEVEL_ROOM ? -1 : histories.collect(replica, fromLow, fromHigh);
  if (count < 0) {
    return 0;
  }
  bytes[out] = FRAME_CONFLATED;
  let at = writeVarint(bytes, out + 1, fieldOf(words, replica, REPLICA_ALIAS), 0);
  at = writeVarint(bytes, at, fromLow | 0, fromHigh | 0);
  const version = replica + REPLICA_VERSION;
  subtract(fieldOf(words, version, 0), fieldOf(words, version, 4), fromLow | 0, fromHigh | 0);
  at = writeVarint(bytes, at, resultLow(), resultHigh());
  at = writeU32(bytes, at, fieldOf(words, replica, REPLICA_HASH));
  at = writeU32(bytes, at, fieldOf(words, replica, REPLICA_CHAIN));
  bytes[at++] = fieldOf(words, replica, REPLICA_FLAGS) & STATUS_MASK;
  at = writeTimes(replicas.memory, at, replica);
  at = writeField(replicas.memory, at, replica + REPLICA_SOURCE_SEQUENCE);
  at = writeVarint(bytes, at, count, 0);
  const end = out + limit - LEVEL_ROOM - SEAL_BYTES;
  let side = SIDE_BID;
  let beforeLow = 0;
  let beforeHigh = 0;
  for (let i = 0; i < count; i++) {
    if (at > end) {
      return 0;
    }
    const entry = histories.entry(i);
    if (histories.side(entry) !== side) {
      side = histories.side(entry);
      beforeLow = 0;
      beforeHigh = 0;
    }
    const priceLow = fieldOf(words, entry, HISTORY_PRICE);
    const priceHigh = fieldOf(words, entry, HISTORY_PRICE + 4);
    const lotsLow = fieldOf(words, entry, HISTORY_QUANTITY);
    const lotsHigh = fieldOf(words, entry, HISTORY_QUANTITY + 4);
    const isRemoved = (lotsLow | lotsHigh) === 0;
    subtract(priceLow, priceHigh, beforeLow, beforeHigh);
    at = writeChange(bytes, at, side | (isRemoved ? 2 : 0), resultLow(), resultHigh());
    at = isRemoved ? at : writeQuantity(bytes, at, lotsLow, lotsHigh);
    beforeLow = priceLow;
    beforeHigh = priceHigh;
  }
  return seal(bytes, out, at);
}

/** What the head of the frame under way says, as words. */
const HEAD = { versionLow: 0, versionHigh: 0, sequenceLow: 0, sequenceHigh: 0, count: 0, fixed: 0 };

/** Applies what follows the alias of a frame whose checksum holds. @returns REPLICA_* */
export function applyConflated(replicas: Replicas, replica: number, start: number, end: number): number {
  const { bytes, words } = replicas.memory;
  const state = fieldOf(words, replica, REPLICA_STATE);
  if (state === REPLICA_STATE_EMPTY) {
    return REPLICA_EMPTY;
  }
  const head = state === REPLICA_STATE_FOLLOWING ? readHead(replicas, replica, start, end) : REPLICA_INCONSISTENT;
  if (head < 0) {
    return replicas.fail(replica, head);
  }
  if (applyLevels(replicas, replica, head, end) !== end) {
    return replicas.fail(replica, REPLICA_INCONSISTENT);
  }
  const book = replicas.book(replica);
  const { fixed } = HEAD;
  if (book.hash !== readU32(bytes, fixed)) {
    return replicas.fail(replica, REPLICA_HASH_MISMATCH);
  }
  const status = byteAt(bytes, fixed + 8);
  if (book.isCrossed() !== ((status & FLAG_CROSSED) !== 0) && !mayDiffer(status)) {
    return replicas.fail(replica, REPLICA_INCONSISTENT);
  }
  dropHistory(words, replica);
  writeWords(words, replica + REPLICA_VERSION, HEAD.versionLow, HEAD.versionHigh);
  copyWords(words, replica + REPLICA_EVENT_VERSION, replica + REPLICA_VERSION);
  beginHistory(words, replica);
  words[(replica + REPLICA_HASH) >>> 2] = book.hash;
  words[(replica + REPLICA_CHAIN) >>> 2] = readU32(bytes, fixed + 4);
  words[(replica + REPLICA_FLAGS) >>> 2] = status | FLAG_LAST;
  writeWords(words, replica + REPLICA_EVENT_AT, readU32(bytes, fixed + 9), readU32(bytes, fixed + 13));
  writeWords(words, replica + REPLICA_RECEIVED_AT, readU32(bytes, fixed + 17), readU32(bytes, fixed + 21));
  writeWords(words, replica + REPLICA_SOURCE_SEQUENCE, HEAD.sequenceLow, HEAD.sequenceHigh);
  return REPLICA_OK;
}

/** Reads the head. @returns the position of the changes, REPLICA_* on a problem */
function readHead(replicas: Replicas, replica: number, start: number, end: number): number {
  const { bytes, words } = replicas.memory;
  let at = readVarint(bytes, start, end);
  if (at < 0) {
    return REPLICA_INCONSISTENT;
  }
  const fromLow = resultLow();
  const fromHigh = resultHigh();
  const version = replica + REPLICA_VERSION;
  if (fromLow !== fieldOf(words, version, 0) || fromHigh !== fieldOf(words, version, 4)) {
    return REPLICA_CHAIN_BROKEN;
  }
  at = readVarint(bytes, at, end);
  if (at < 0 || end - at < HEAD_BYTES) {
    return REPLICA_INCONSISTENT;
  }
  const isStill = (resultLow() | resultHigh()) === 0;
  add(fromLow, fromHigh, resultLow(), resultHigh());
  HEAD.versionLow = resultLow();
  HEAD.versionHigh = resultHigh();
  HEAD.fixed = at;
  const isPast = compareUnsigned(HEAD.versionLow, HEAD.versionHigh, fromLow, fromHigh) < 0;
  if (isPast || (byteAt(bytes, at + 8) & ~STATUS_MASK) !== 0) {
    return REPLICA_INCONSISTENT;
  }
  at = readVarint(bytes, at + HEAD_BYTES, end);
  HEAD.sequenceLow = resultLow();
  HEAD.sequenceHigh = resultHigh();
  at = at < 0 ? at : readVarint(bytes, at, end);
  HEAD.count = resultLow();
  const isCounted = at >= 0 && resultHigh() === 0 && HEAD.count >= 0 && HEAD.count <= end - at;
  return isCounted && !(isStill && HEAD.count > 0) ? at : REPLICA_INCONSISTENT;
}

/** Sets every level of the frame. @returns the position after them, −1 when they are out of order or contradict the book */
function applyLevels(replicas: Replicas, replica: number, start: number, end: number): number {
  const { bytes, words } = replicas.memory;
  const book = replicas.book(replica);
  const { count } = HEAD;
  let side = SIDE_BID;
  let low = 0;
  let high = 0;
  let at = start;
  for (let i = 0; i < count; i++) {
    at = readChange(bytes, at, end);
    const isTurned = (changeBits() & 1) !== side;
    if (at < 0 || (isTurned && side !== SIDE_BID)) {
      return -1;
    }
    side = changeBits() & 1;
    const isRemoved = changeBits() > 1;
    const beforeLow = low;
    const beforeHigh = high;
    low = resultLow();
    high = resultHigh();
    if (!isTurned) {
      add(beforeLow, beforeHigh, low, high);
      low = resultLow();
      high = resultHigh();
      if (i > 0 && compare(low, high, beforeLow, beforeHigh) <= 0) {
        return -1;
      }
    }
    at = isRemoved ? at : readQuantity(bytes, at, end);
    if (at < 0) {
      return -1;
    }
    const result = book.set(side, low, high, isRemoved ? 0 : resultLow(), isRemoved ? 0 : resultHigh());
    if ((result === BOOK_REMOVED) !== isRemoved) {
      return -1;
    }
  }
  addU64(words, replica + REPLICA_CHANGES, count);
  return at;
}
