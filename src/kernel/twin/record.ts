/**
 * Records into a replica's book: each is checked against the version chain, applied, and proved by its book hash. With an
 * encode buffer each event is also coded for the stream, against the same book, in the same pass; with a history every
 * change is kept. Bad case: a record that contradicts the book; the replica forgets its book at once and waits for an image.
 */
import {
  BOOK_ADDED,
  BOOK_UNCHANGED,
  DELTA_ADD_MASK,
  DELTA_BASE_PRICE,
  DELTA_BOOK_HASH,
  DELTA_CHANGES_MAX,
  DELTA_EVENT_AT,
  DELTA_FLAGS,
  DELTA_INSTRUMENT_ID,
  DELTA_PRICE_OFFSETS,
  DELTA_QUANTITIES,
  DELTA_RECEIVED_AT,
  DELTA_SIDE_MASK,
  DELTA_SOURCE_SEQUENCE,
  DELTA_VERSION,
  FLAG_CROSSED,
  FLAG_LAST,
  FLAG_RESET,
  FLAGS_ALL,
  REPLICA_BUFFER_ADDRESS,
  REPLICA_BUFFER_FULL,
  REPLICA_CHAIN_BROKEN,
  REPLICA_CHANGES,
  REPLICA_EMPTY,
  REPLICA_EVENT_AT,
  REPLICA_EVENT_OPEN,
  REPLICA_EVENT_RECORDS,
  REPLICA_FLAGS,
  REPLICA_HASH,
  REPLICA_HASH_MISMATCH,
  REPLICA_HISTORY,
  REPLICA_INCONSISTENT,
  REPLICA_INSTRUMENT_ID,
  REPLICA_OK,
  REPLICA_PENDING_HASH,
  REPLICA_RECEIVED_AT,
  REPLICA_RESET,
  REPLICA_STALE,
  REPLICA_STATE,
  REPLICA_STATE_FOLLOWING,
  REPLICA_VERSION,
} from "../../../assembly/layout.ts";
import type { Book } from "./book.ts";
import { beginEvent, encodeChange, endEvent, hasRoom } from "./frame_encode.ts";
import { addHistory } from "./history.ts";
import { add, compareUnsigned, resultHigh, resultLow } from "./int64.ts";
import { addU64, copyWords, fieldOf, wordAt } from "./memory.ts";
import { type EventNote, mayDiffer, type Replicas, STATUS_MASK } from "./replica.ts";

/** KernelReader.replicaApply. @returns REPLICA_* */
export function applyRecord(replicas: Replicas, replica: number, record: number): number {
  const { words } = replicas.memory;
  if (fieldOf(words, record, DELTA_INSTRUMENT_ID) !== fieldOf(words, replica, REPLICA_INSTRUMENT_ID)) {
    return replicas.fail(replica, REPLICA_INCONSISTENT);
  }
  const flags = fieldOf(words, record, DELTA_FLAGS) & 0xffff;
  if (fieldOf(words, replica, REPLICA_STATE) !== REPLICA_STATE_FOLLOWING) {
    return (flags & FLAG_RESET) !== 0 ? awaitImage(replicas, replica, record, flags) : REPLICA_EMPTY;
  }
  const order = versionOrder(words, replica, record);
  if (order !== REPLICA_OK) {
    return order === REPLICA_STALE ? REPLICA_STALE : replicas.fail(replica, order);
  }
  if (!isWellFormed(words, record, flags)) {
    return replicas.fail(replica, REPLICA_INCONSISTENT);
  }
  if ((flags & FLAG_RESET) !== 0) {
    return awaitImage(replicas, replica, record, flags);
  }
  const isCoded = fieldOf(words, replica, REPLICA_BUFFER_ADDRESS) !== 0;
  const book = replicas.book(replica);
  if (isCoded) {
    if (!hasRoom(words, replica)) {
      return REPLICA_BUFFER_FULL;
    }
    if (fieldOf(words, replica, REPLICA_EVENT_OPEN) === 0) {
      beginEvent(words, replica, book);
    }
  }
  if (!applyChanges(replicas, replica, record, book, isCoded)) {
    return replicas.fail(replica, REPLICA_INCONSISTENT);
  }
  if (book.hash !== fieldOf(words, record, DELTA_BOOK_HASH)) {
    return replicas.fail(replica, REPLICA_HASH_MISMATCH);
  }
  words[(replica + REPLICA_HASH) >>> 2] = book.hash;
  copyWords(words, replica + REPLICA_VERSION, record + DELTA_VERSION);
  if (isCoded) {
    words[(replica + REPLICA_EVENT_RECORDS) >>> 2] = fieldOf(words, replica, REPLICA_EVENT_RECORDS) + 1;
  }
  return (flags & FLAG_LAST) !== 0 ? closeEvent(replicas, replica, record, flags, isCoded) : REPLICA_OK;
}

/** @returns REPLICA_OK when the record follows the version held, REPLICA_STALE or REPLICA_CHAIN_BROKEN */
function versionOrder(words: Int32Array, replica: number, record: number): number {
  const low = fieldOf(words, record, DELTA_VERSION);
  const high = fieldOf(words, record, DELTA_VERSION + 4);
  const heldLow = fieldOf(words, replica, REPLICA_VERSION);
  const heldHigh = fieldOf(words, replica, REPLICA_VERSION + 4);
  if (compareUnsigned(low, high, heldLow, heldHigh) <= 0) {
    return REPLICA_STALE;
  }
  add(heldLow, heldHigh, 1, 0);
  return low === resultLow() && high === resultHigh() ? REPLICA_OK : REPLICA_CHAIN_BROKEN;
}

/** A Reset: the book is forgotten until an image of at least this version is loaded. */
function awaitImage(replicas: Replicas, replica: number, record: number, flags: number): number {
  const { words } = replicas.memory;
  if (!isWellFormed(words, record, flags)) {
    return replicas.fail(replica, REPLICA_INCONSISTENT);
  }
  replicas.forget(replica);
  copyWords(words, replica + REPLICA_VERSION, record + DELTA_VERSION);
  words[(replica + REPLICA_FLAGS) >>> 2] = flags;
  words[(replica + REPLICA_PENDING_HASH) >>> 2] = fieldOf(words, record, DELTA_BOOK_HASH);
  copyWords(words, replica + REPLICA_EVENT_AT, record + DELTA_EVENT_AT);
  copyWords(words, replica + REPLICA_RECEIVED_AT, record + DELTA_RECEIVED_AT);
  return REPLICA_RESET;
}

/** @returns false when a change contradicts the book or itself */
function applyChanges(replicas: Replicas, replica: number, record: number, book: Book, isCoded: boolean): boolean {
  const { words } = replicas.memory;
  const count = changeCount(words, record);
  const sides = fieldOf(words, record, DELTA_SIDE_MASK) & 0xffff;
  const adds = fieldOf(words, record, DELTA_SIDE_MASK) >>> ((DELTA_ADD_MASK - DELTA_SIDE_MASK) * 8);
  const baseLow = fieldOf(words, record, DELTA_BASE_PRICE);
  const baseHigh = fieldOf(words, record, DELTA_BASE_PRICE + 4);
  const isKept = fieldOf(words, replica, REPLICA_HISTORY) !== 0;
  const versionLow = fieldOf(words, record, DELTA_VERSION);
  const versionHigh = fieldOf(words, record, DELTA_VERSION + 4);
  for (let i = 0; i < count; i++) {
    const side = (sides >>> i) & 1;
    const offset = wordAt(words, ((record + DELTA_PRICE_OFFSETS) >>> 2) + i);
    const sum = (baseLow >>> 0) + (offset >>> 0);
    const priceLow = sum | 0;
    const priceHigh = (baseHigh + (offset >> 31) + (sum > 0xffffffff ? 1 : 0)) | 0;
    const quantity = ((record + DELTA_QUANTITIES) >>> 2) + i * 2;
    const lotsLow = wordAt(words, quantity);
    const lotsHigh = wordAt(words, quantity + 1);
    if (lotsHigh < 0) {
      return false;
    }
    const result = book.set(side, priceLow, priceHigh, lotsLow, lotsHigh);
    const isAdded = result === BOOK_ADDED;
    if (result === BOOK_UNCHANGED || isAdded !== (((adds >>> i) & 1) === 1)) {
      return false;
    }
    if (isCoded) {
      encodeChange(replicas.memory, replica, side, priceLow, priceHigh, lotsLow, lotsHigh);
    }
    if (isKept) {
      addHistory(words, replica, side, priceLow, priceHigh, lotsLow, lotsHigh, !isAdded, versionLow, versionHigh);
    }
  }
  addU64(words, replica + REPLICA_CHANGES, count);
  return true;
}

function closeEvent(replicas: Replicas, replica: number, record: number, flags: number, isCoded: boolean): number {
  const { words } = replicas.memory;
  if (replicas.book(replica).isCrossed() !== ((flags & FLAG_CROSSED) !== 0) && !mayDiffer(flags)) {
    return replicas.fail(replica, REPLICA_INCONSISTENT);
  }
  const note: EventNote = {
    eventLow: fieldOf(words, record, DELTA_EVENT_AT),
    eventHigh: fieldOf(words, record, DELTA_EVENT_AT + 4),
    receivedLow: fieldOf(words, record, DELTA_RECEIVED_AT),
    receivedHigh: fieldOf(words, record, DELTA_RECEIVED_AT + 4),
    sequenceLow: fieldOf(words, record, DELTA_SOURCE_SEQUENCE),
    sequenceHigh: fieldOf(words, record, DELTA_SOURCE_SEQUENCE + 4),
  };
  if (isCoded) {
    endEvent(replicas.memory, replica, flags & STATUS_MASK, note);
  }
  replicas.noteEvent(replica, flags, note);
  return REPLICA_OK;
}

function changeCount(words: Int32Array, record: number): number {
  return (fieldOf(words, record, DELTA_FLAGS) >>> 16) & 255;
}

/** What a record must be by itself. */
function isWellFormed(words: Int32Array, record: number, flags: number): boolean {
  const count = changeCount(words, record);
  const masks = fieldOf(words, record, DELTA_SIDE_MASK);
  const used = (masks | (masks >>> 16)) & 0xffff;
  if (count > DELTA_CHANGES_MAX || (flags & ~FLAGS_ALL) !== 0 || used >>> count !== 0) {
    return false;
  }
  const hasBase = (fieldOf(words, record, DELTA_BASE_PRICE) | fieldOf(words, record, DELTA_BASE_PRICE + 4)) !== 0;
  if (count === 0 && hasBase) {
    return false;
  }
  return (flags & FLAG_RESET) === 0 || (count === 0 && (flags & FLAG_LAST) !== 0);
}
