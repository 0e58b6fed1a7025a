/**
 * Decoder of delta and snapshot frames, on a client's replica. Every byte must be accounted for, every change must alter
 * the book, and hash and chain must hold where they are carried; anything else drops the book and returns why.
 * Bad case: a frame cut short in the middle of an event; the book is dropped, because half of the event was applied.
 */
import { bookClear, bookCount, bookCrossed, bookHash, bookSet, bookWalk } from "./book";
import { codecBits, codecValue, readChange, readQuantity, readTime, readVarint, unzigzag } from "./codec";
import { arenaAllocate } from "./arena";
import { conflatedApply } from "./frame_conflated";
import { sealHolds } from "./frame_decode_parts";
import { DELAY_UNIT, referencesTake } from "./frame_encode";
import { SEAL_BYTES } from "./frame_encode_parts";
import { historyAdd, historyDrop } from "./history";
import {
  BOOK_ADDED,
  BOOK_FULL,
  BOOK_REMOVED,
  BOOK_UNCHANGED,
  EXPONENT_MAX,
  FLAG_CROSSED,
  FLAG_LAST,
  FRAME_CONFLATED,
  FRAME_DELTAS,
  FRAME_FLAG_CHECK,
  FRAME_FLAG_FINAL,
  FRAME_FLAG_FIRST,
  FRAME_KIND_MASK,
  FRAME_SNAPSHOT,
  LEVEL_BYTES,
  REPLICA_ASK_COUNT,
  REPLICA_BID_COUNT,
  REPLICA_BOOK,
  REPLICA_CHAIN,
  REPLICA_CHANGES,
  REPLICA_EMPTY,
  REPLICA_EPOCH,
  REPLICA_EVENT_AT,
  REPLICA_EVENT_VERSION,
  REPLICA_FLAGS,
  REPLICA_HASH,
  REPLICA_HASH_MISMATCH,
  REPLICA_HISTORY,
  REPLICA_HISTORY_FLOOR,
  REPLICA_INCONSISTENT,
  REPLICA_NO_MEMORY,
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
} from "./layout";
import { mayDiffer, noteEvent, replicaFail, STATUS_MASK } from "./replica";

/** Bytes of hash and chain. */
const CHECK_BYTES: usize = 8;
let problem: i32 = 0;

export function frameApply(replica: usize, frame: usize, length: usize): i32 {
  if (length < 2) return replicaFail(replica, REPLICA_INCONSISTENT);
  const head = <u32>load<u8>(frame);
  const end = frame + length;
  const at = readVarint(frame + 1, end);
  if (at == 0) return replicaFail(replica, REPLICA_INCONSISTENT);
  const kind = head & FRAME_KIND_MASK;
  const flags = head & ~FRAME_KIND_MASK;
  if (kind == FRAME_SNAPSHOT && (flags & ~(FRAME_FLAG_FIRST | FRAME_FLAG_FINAL)) == 0) {
    if (!sealHolds(frame, length)) return replicaFail(replica, REPLICA_HASH_MISMATCH);
    return applyPart(replica, flags, at, end - SEAL_BYTES);
  }
  if (kind == FRAME_CONFLATED && flags == 0) {
    if (!sealHolds(frame, length)) return replicaFail(replica, REPLICA_HASH_MISMATCH);
    return conflatedApply(replica, at, end - SEAL_BYTES);
  }
  if (kind != FRAME_DELTAS || (flags & ~FRAME_FLAG_CHECK) != 0) return replicaFail(replica, REPLICA_INCONSISTENT);
  const state = load<u32>(replica, REPLICA_STATE);
  if (state == REPLICA_STATE_EMPTY) return REPLICA_EMPTY;
  if (state != REPLICA_STATE_FOLLOWING) return replicaFail(replica, REPLICA_INCONSISTENT);
  return applyEvents(replica, flags != 0, at, end);
}

function applyEvents(replica: usize, check: bool, at: usize, end: usize): i32 {
  if (check && end - at < CHECK_BYTES) return replicaFail(replica, REPLICA_INCONSISTENT);
  const stop = check ? end - CHECK_BYTES : end;
  if (!check && at == stop) return replicaFail(replica, REPLICA_INCONSISTENT);
  while (at < stop) {
    at = applyEvent(replica, at, stop);
    if (at == 0) return replicaFail(replica, problem);
  }
  if (!check) return REPLICA_OK;
  const good =
    load<u32>(stop) == load<u32>(replica, REPLICA_HASH) && load<u32>(stop, 4) == load<u32>(replica, REPLICA_CHAIN);
  return good ? REPLICA_OK : replicaFail(replica, REPLICA_HASH_MISMATCH);
}

/** Applies one event. @returns the address after it, 0 on a problem */
function applyEvent(replica: usize, at: usize, end: usize): usize {
  problem = REPLICA_INCONSISTENT;
  at = readVarint(at, end);
  if (at == 0) return 0;
  const head = codecValue();
  let status: u32 = 0;
  if (head & 1) {
    if (at >= end) return 0;
    status = load<u8>(at);
    at++;
    if (status == 0 || (status & ~STATUS_MASK) != 0) return 0;
  }
  let records: u64 = 1;
  if (head & 2) {
    at = readVarint(at, end);
    if (at == 0 || codecValue() == 0 || codecValue() > 0xffffffff) return 0;
    records = codecValue() + 1;
  }
  let sequence = load<u64>(replica, REPLICA_SOURCE_SEQUENCE);
  if (head & 4) {
    at = readVarint(at, end);
    if (at == 0 || codecValue() == 0) return 0;
    sequence += <u64>unzigzag(codecValue());
  }
  const lastEventAt = load<i64>(replica, REPLICA_EVENT_AT);
  const lastDelay = load<i64>(replica, REPLICA_RECEIVED_AT) - lastEventAt;
  at = readTime(at, end, load<u32>(replica, REPLICA_TIME_UNIT));
  if (at == 0) return 0;
  const eventAt = lastEventAt + <i64>codecValue();
  at = readTime(at, end, DELAY_UNIT);
  if (at == 0) return 0;
  const receivedAt = eventAt + lastDelay + <i64>codecValue();
  const version = load<u64>(replica, REPLICA_VERSION) + records;
  at = applyChanges(replica, version, head >> 3, at, end);
  if (at == 0) return 0;
  const book = <usize>load<u32>(replica, REPLICA_BOOK);
  if (bookCrossed(book) != ((status & FLAG_CROSSED) != 0) && !mayDiffer(status)) return 0;
  store<u32>(replica, bookHash(book), REPLICA_HASH);
  store<u64>(replica, version, REPLICA_VERSION);
  noteEvent(replica, status | FLAG_LAST, eventAt, receivedAt, sequence);
  return at;
}

/** Why applyChanges returned 0. */
export function changesProblem(): i32 {
  return problem;
}

/** Applies the changes of an event that leads to `version`. @returns the address after them, 0 on a problem */
export function applyChanges(replica: usize, version: u64, count: u64, at: usize, end: usize): usize {
  const book = <usize>load<u32>(replica, REPLICA_BOOK);
  const kept = load<u32>(replica, REPLICA_HISTORY) != 0;
  problem = REPLICA_INCONSISTENT;
  referencesTake(replica);
  if (count > end - at) return 0;
  for (let i: u64 = 0; i < count; i++) {
    at = readChange(at, end);
    if (at == 0) return 0;
    const side = codecBits() & 1;
    const removed = codecBits() >> 1 != 0;
    const slot = replica + (side == SIDE_ASK ? REPLICA_REF_ASK : REPLICA_REF_BID);
    const price = load<i64>(slot) + unzigzag(codecValue());
    let quantity: i64 = 0;
    if (!removed) {
      at = readQuantity(at, end);
      if (at == 0) return 0;
      quantity = <i64>codecValue();
    }
    store<i64>(slot, price);
    const result = bookSet(book, side, price, quantity);
    if (result == BOOK_FULL) problem = REPLICA_NO_MEMORY;
    if (result == BOOK_FULL || result == BOOK_UNCHANGED || (result == BOOK_REMOVED) != removed) return 0;
    if (kept) historyAdd(replica, side, price, quantity, result != BOOK_ADDED, version);
  }
  store<u64>(replica, load<u64>(replica, REPLICA_CHANGES) + count, REPLICA_CHANGES);
  return at;
}

function applyPart(replica: usize, flags: u32, at: usize, end: usize): i32 {
  problem = REPLICA_INCONSISTENT;
  if (flags & FRAME_FLAG_FIRST) at = readHead(replica, at, end);
  else if (load<u32>(replica, REPLICA_STATE) == REPLICA_STATE_EMPTY) return REPLICA_EMPTY;
  else if (load<u32>(replica, REPLICA_STATE) != REPLICA_STATE_LOADING) at = 0;
  if (at != 0) at = readLevels(replica, at, end);
  if (at == 0) return replicaFail(replica, problem);
  if ((flags & FRAME_FLAG_FINAL) == 0) return REPLICA_OK;
  const book = <usize>load<u32>(replica, REPLICA_BOOK);
  const complete =
    bookCount(book, SIDE_BID) == load<u32>(replica, REPLICA_BID_COUNT) &&
    bookCount(book, SIDE_ASK) == load<u32>(replica, REPLICA_ASK_COUNT);
  const status = load<u32>(replica, REPLICA_FLAGS);
  if (!complete || (bookCrossed(book) != ((status & FLAG_CROSSED) != 0) && !mayDiffer(status)))
    return replicaFail(replica, REPLICA_INCONSISTENT);
  if (bookHash(book) != load<u32>(replica, REPLICA_PENDING_HASH)) return replicaFail(replica, REPLICA_HASH_MISMATCH);
  store<u32>(replica, bookHash(book), REPLICA_HASH);
  store<u64>(replica, load<u64>(replica, REPLICA_VERSION), REPLICA_EVENT_VERSION);
  store<u64>(replica, load<u64>(replica, REPLICA_VERSION), REPLICA_HISTORY_FLOOR);
  store<u32>(replica, REPLICA_STATE_FOLLOWING, REPLICA_STATE);
  return REPLICA_OK;
}

/** Reads the head of a snapshot. @returns the address of the levels, 0 when malformed */
function readHead(replica: usize, at: usize, end: usize): usize {
  bookClear(load<u32>(replica, REPLICA_BOOK));
  historyDrop(replica);
  at = readVarint(at, end);
  if (at == 0 || end - at < 32) return 0;
  store<u64>(replica, codecValue(), REPLICA_VERSION);
  store<u32>(replica, load<u32>(at), REPLICA_EPOCH);
  store<u32>(replica, load<u32>(at, 4), REPLICA_PENDING_HASH);
  store<u32>(replica, load<u32>(at, 8), REPLICA_CHAIN);
  const status = <u32>load<u8>(at, 12);
  const unit = <u32>load<u8>(at, 15);
  if (
    (status & ~STATUS_MASK) != 0 ||
    load<u8>(at, 13) > <u8>EXPONENT_MAX ||
    load<u8>(at, 14) > <u8>EXPONENT_MAX ||
    unit > 2
  )
    return 0;
  store<u32>(replica, status | FLAG_LAST, REPLICA_FLAGS);
  store<i32>(replica, load<u8>(at, 13), REPLICA_PRICE_EXPONENT);
  store<i32>(replica, load<u8>(at, 14), REPLICA_QUANTITY_EXPONENT);
  store<u32>(replica, unit == 0 ? 1 : unit == 1 ? 1000 : 1000000, REPLICA_TIME_UNIT);
  store<i64>(replica, load<i64>(at, 16), REPLICA_EVENT_AT);
  store<i64>(replica, load<i64>(at, 24), REPLICA_RECEIVED_AT);
  at = readVarint(at + 32, end);
  if (at == 0) return 0;
  store<u64>(replica, codecValue(), REPLICA_SOURCE_SEQUENCE);
  at = readVarint(at, end);
  if (at == 0 || codecValue() > 0x7fffffff) return 0;
  store<u32>(replica, <u32>codecValue(), REPLICA_BID_COUNT);
  at = readVarint(at, end);
  if (at == 0 || codecValue() > 0x7fffffff) return 0;
  store<u32>(replica, <u32>codecValue(), REPLICA_ASK_COUNT);
  store<u32>(replica, REPLICA_STATE_LOADING, REPLICA_STATE);
  return at;
}

let level: usize = 0;

/** Worst price held of a side: the level before the next one. */
function lastPrice(book: usize, side: u32): i64 {
  if (level == 0) level = arenaAllocate(LEVEL_BYTES);
  if (level == 0) unreachable();
  bookWalk(book, side, bookCount(book, side) - 1, 1, level);
  return load<i64>(level);
}

function readLevels(replica: usize, at: usize, end: usize): usize {
  const book = <usize>load<u32>(replica, REPLICA_BOOK);
  const bids = load<u32>(replica, REPLICA_BID_COUNT);
  const asks = load<u32>(replica, REPLICA_ASK_COUNT);
  let held = bookCount(book, SIDE_BID) + bookCount(book, SIDE_ASK);
  let price: i64 = 0;
  if (held > 0 && held != bids) price = lastPrice(book, held < bids ? SIDE_BID : SIDE_ASK);
  while (at < end) {
    if (held >= bids + asks) return 0;
    const side = held < bids ? SIDE_BID : SIDE_ASK;
    at = readVarint(at, end);
    if (at == 0) return 0;
    if (held == 0 || held == bids) price = unzigzag(codecValue());
    else {
      if (codecValue() == 0) return 0;
      price += side == SIDE_BID ? -(<i64>codecValue()) : <i64>codecValue();
    }
    at = readQuantity(at, end);
    if (at == 0) return 0;
    const result = bookSet(book, side, price, <i64>codecValue());
    if (result == BOOK_FULL) problem = REPLICA_NO_MEMORY;
    if (result != BOOK_ADDED) return 0;
    held++;
  }
  return at;
}
