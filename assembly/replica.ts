/**
 * A reader's book: delta records are checked against the version chain, applied, and proved by the book hash of every
 * record. With an encode buffer each event is also coded for the stream, against the same book, in the same pass.
 * Bad case: a record that contradicts the book; the replica forgets its book at once and waits for an image.
 */
import { blockRelease, blockTake } from "./arena";
import { bookClear, bookCreate, bookCrossed, bookHash, bookRelease, bookSet } from "./book";
import {
  encodeChange,
  encodeEventBegin,
  encodeEventDrop,
  encodeEventEnd,
  encodeRoom,
  frameBufferRelease,
} from "./frame_encode";
import { chainNext, stampsFold } from "./hash";
import { historyAdd, historyDrop, historyRelease } from "./history";
import { imageCopied, imageCopy, imageUnpack } from "./image";
import {
  BOOK_ADDED,
  BOOK_FULL,
  BOOK_UNCHANGED,
  DELTA_ADD_MASK,
  DELTA_BASE_PRICE,
  DELTA_BOOK_HASH,
  DELTA_CHANGE_COUNT,
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
  FLAG_NOT_SYNCED,
  FLAG_RESET,
  FLAG_SNAPSHOT,
  FLAGS_ALL,
  IMAGE_BUSY,
  IMAGE_CORRUPT,
  IMAGE_EVENT_AT,
  IMAGE_HASH,
  IMAGE_INSTRUMENT_ID,
  IMAGE_OK,
  IMAGE_RING_SEQUENCE,
  IMAGE_SOURCE_SEQUENCE,
  IMAGE_STATE,
  IMAGE_VERSION,
  REPLICA_BOOK,
  REPLICA_BUFFER_ADDRESS,
  REPLICA_BUFFER_FULL,
  REPLICA_BYTES,
  REPLICA_CHAIN,
  REPLICA_CHAIN_BROKEN,
  REPLICA_CHANGES,
  REPLICA_EMPTY,
  REPLICA_EVENT_AT,
  REPLICA_EVENT_OPEN,
  REPLICA_EVENT_RECORDS,
  REPLICA_EVENT_VERSION,
  REPLICA_FLAGS,
  REPLICA_HASH,
  REPLICA_HASH_MISMATCH,
  REPLICA_HISTORY,
  REPLICA_HISTORY_FLOOR,
  REPLICA_INCONSISTENT,
  REPLICA_INSTRUMENT_ID,
  REPLICA_JOIN_SEQUENCE,
  REPLICA_NO_MEMORY,
  REPLICA_OK,
  REPLICA_PENDING_HASH,
  REPLICA_RECEIVED_AT,
  REPLICA_RESET,
  REPLICA_SOURCE_SEQUENCE,
  REPLICA_STALE,
  REPLICA_STATE,
  REPLICA_STATE_EMPTY,
  REPLICA_STATE_FOLLOWING,
  REPLICA_TIME_UNIT,
  REPLICA_VERSION,
  STATE_SYNCED,
} from "./layout";

/** Record flags that are part of a book's status on the wire and in the chain. */
export const STATUS_MASK: u32 = FLAG_SNAPSHOT | FLAG_NOT_SYNCED | FLAG_CROSSED;

export function replicaCreate(): usize {
  const replica = blockTake(REPLICA_BYTES);
  if (replica == 0) return 0;
  const book = bookCreate();
  if (book == 0) {
    blockRelease(replica, REPLICA_BYTES);
    return 0;
  }
  store<u32>(replica, <u32>book, REPLICA_BOOK);
  store<u32>(replica, 1, REPLICA_TIME_UNIT);
  store<u64>(replica, u64.MAX_VALUE, REPLICA_HISTORY_FLOOR);
  return replica;
}

export function replicaRelease(replica: usize): void {
  historyRelease(replica);
  frameBufferRelease(replica);
  bookRelease(load<u32>(replica, REPLICA_BOOK));
  blockRelease(replica, REPLICA_BYTES);
}

export function replicaClear(replica: usize): void {
  forget(replica);
  store<u64>(replica, 0, REPLICA_VERSION);
  store<u64>(replica, 0, REPLICA_EVENT_VERSION);
  store<u32>(replica, 0, REPLICA_FLAGS);
  store<u32>(replica, 0, REPLICA_CHAIN);
}

export function replicaBegin(replica: usize): void {
  replicaClear(replica);
  store<u64>(replica, 0, REPLICA_HISTORY_FLOOR);
  store<u32>(replica, REPLICA_STATE_FOLLOWING, REPLICA_STATE);
}

/** Drops the book, its history and an event half coded. */
export function forget(replica: usize): void {
  bookClear(load<u32>(replica, REPLICA_BOOK));
  store<u32>(replica, 0, REPLICA_HASH);
  store<u32>(replica, REPLICA_STATE_EMPTY, REPLICA_STATE);
  store<u32>(replica, 0, REPLICA_PENDING_HASH);
  historyDrop(replica);
  encodeEventDrop(replica);
}

/** Forgets the book and says why. */
export function replicaFail(replica: usize, code: i32): i32 {
  forget(replica);
  store<u32>(replica, 0, REPLICA_FLAGS);
  return code;
}

export function replicaApply(replica: usize, record: usize): i32 {
  if (load<u32>(record, DELTA_INSTRUMENT_ID) != load<u32>(replica, REPLICA_INSTRUMENT_ID))
    return replicaFail(replica, REPLICA_INCONSISTENT);
  const flags = <u32>load<u16>(record, DELTA_FLAGS);
  const version = load<u64>(record, DELTA_VERSION);
  if (load<u32>(replica, REPLICA_STATE) != REPLICA_STATE_FOLLOWING) {
    return flags & FLAG_RESET ? awaitImage(replica, record) : REPLICA_EMPTY;
  }
  const held = load<u64>(replica, REPLICA_VERSION);
  if (version <= held) return REPLICA_STALE;
  if (version != held + 1) return replicaFail(replica, REPLICA_CHAIN_BROKEN);
  if (!wellFormed(record, flags)) return replicaFail(replica, REPLICA_INCONSISTENT);
  if (flags & FLAG_RESET) return awaitImage(replica, record);
  const coded = load<u32>(replica, REPLICA_BUFFER_ADDRESS) != 0;
  if (coded) {
    if (!encodeRoom(replica)) return REPLICA_BUFFER_FULL;
    if (load<u32>(replica, REPLICA_EVENT_OPEN) == 0) encodeEventBegin(replica);
  }
  const applied = applyChanges(replica, record, coded);
  if (applied != REPLICA_OK) return replicaFail(replica, applied);
  const hash = bookHash(load<u32>(replica, REPLICA_BOOK));
  if (hash != load<u32>(record, DELTA_BOOK_HASH)) return replicaFail(replica, REPLICA_HASH_MISMATCH);
  store<u32>(replica, hash, REPLICA_HASH);
  store<u64>(replica, version, REPLICA_VERSION);
  if (coded) store<u32>(replica, load<u32>(replica, REPLICA_EVENT_RECORDS) + 1, REPLICA_EVENT_RECORDS);
  return flags & FLAG_LAST ? closeEvent(replica, record, flags, coded) : REPLICA_OK;
}

/** What a record must be by itself. */
function wellFormed(record: usize, flags: u32): bool {
  const count = <u32>load<u8>(record, DELTA_CHANGE_COUNT);
  const masks = <u32>load<u16>(record, DELTA_SIDE_MASK) | <u32>load<u16>(record, DELTA_ADD_MASK);
  if (count > <u32>DELTA_CHANGES_MAX || flags & ~FLAGS_ALL || masks >> count) return false;
  if (count == 0 && load<i64>(record, DELTA_BASE_PRICE) != 0) return false;
  return (flags & FLAG_RESET) == 0 || (count == 0 && (flags & FLAG_LAST) != 0);
}

/** A Reset: the book is forgotten until an image of at least this version is loaded. */
function awaitImage(replica: usize, record: usize): i32 {
  if (!wellFormed(record, <u32>load<u16>(record, DELTA_FLAGS))) return replicaFail(replica, REPLICA_INCONSISTENT);
  forget(replica);
  store<u64>(replica, load<u64>(record, DELTA_VERSION), REPLICA_VERSION);
  store<u32>(replica, <u32>load<u16>(record, DELTA_FLAGS), REPLICA_FLAGS);
  store<u32>(replica, load<u32>(record, DELTA_BOOK_HASH), REPLICA_PENDING_HASH);
  store<i64>(replica, load<i64>(record, DELTA_EVENT_AT), REPLICA_EVENT_AT);
  store<i64>(replica, load<i64>(record, DELTA_RECEIVED_AT), REPLICA_RECEIVED_AT);
  return REPLICA_RESET;
}

function applyChanges(replica: usize, record: usize, coded: bool): i32 {
  const book = <usize>load<u32>(replica, REPLICA_BOOK);
  const count = <u32>load<u8>(record, DELTA_CHANGE_COUNT);
  const sides = <u32>load<u16>(record, DELTA_SIDE_MASK);
  const adds = <u32>load<u16>(record, DELTA_ADD_MASK);
  const base = load<i64>(record, DELTA_BASE_PRICE);
  const kept = load<u32>(replica, REPLICA_HISTORY) != 0;
  for (let i: u32 = 0; i < count; i++) {
    const side = (sides >> i) & 1;
    const price = base + <i64>load<i32>(record + ((<usize>i) << 2), DELTA_PRICE_OFFSETS);
    const quantity = load<i64>(record + ((<usize>i) << 3), DELTA_QUANTITIES);
    if (quantity < 0) return REPLICA_INCONSISTENT;
    const result = bookSet(book, side, price, quantity);
    if (result == BOOK_FULL) return REPLICA_NO_MEMORY;
    if (result == BOOK_UNCHANGED || (result == BOOK_ADDED) != ((adds >> i) & 1) > 0) return REPLICA_INCONSISTENT;
    if (coded) encodeChange(replica, side, price, quantity);
    if (kept) historyAdd(replica, side, price, quantity, result != BOOK_ADDED, load<u64>(record, DELTA_VERSION));
  }
  store<u64>(replica, load<u64>(replica, REPLICA_CHANGES) + count, REPLICA_CHANGES);
  return REPLICA_OK;
}

function closeEvent(replica: usize, record: usize, flags: u32, coded: bool): i32 {
  const book = <usize>load<u32>(replica, REPLICA_BOOK);
  if (bookCrossed(book) != ((flags & FLAG_CROSSED) != 0) && !mayDiffer(flags))
    return replicaFail(replica, REPLICA_INCONSISTENT);
  if (coded) {
    encodeEventEnd(
      replica,
      flags & STATUS_MASK,
      load<i64>(record, DELTA_EVENT_AT),
      load<i64>(record, DELTA_RECEIVED_AT),
      load<u64>(record, DELTA_SOURCE_SEQUENCE),
    );
  }
  noteEvent(
    replica,
    flags,
    load<i64>(record, DELTA_EVENT_AT),
    load<i64>(record, DELTA_RECEIVED_AT),
    load<u64>(record, DELTA_SOURCE_SEQUENCE),
  );
  return REPLICA_OK;
}

/** A book that is not synced may be crossed without saying so: its crossing was not judged. */
export function mayDiffer(flags: u32): bool {
  return (flags & FLAG_NOT_SYNCED) != 0 && (flags & FLAG_CROSSED) == 0;
}

/** Takes over what the end of an event says; the version is set before. A history that was dropped begins here. */
export function noteEvent(replica: usize, flags: u32, eventAt: i64, receivedAt: i64, sequence: u64): void {
  const chain = chainNext(
    load<u32>(replica, REPLICA_CHAIN),
    load<u32>(replica, REPLICA_HASH),
    <u32>load<u64>(replica, REPLICA_VERSION),
    flags & STATUS_MASK,
    stampsFold(eventAt, receivedAt, sequence),
  );
  const version = load<u64>(replica, REPLICA_VERSION);
  store<u64>(replica, version, REPLICA_EVENT_VERSION);
  if (load<u64>(replica, REPLICA_HISTORY_FLOOR) == u64.MAX_VALUE) store<u64>(replica, version, REPLICA_HISTORY_FLOOR);
  store<u32>(replica, chain, REPLICA_CHAIN);
  store<u32>(replica, flags, REPLICA_FLAGS);
  store<i64>(replica, eventAt, REPLICA_EVENT_AT);
  store<i64>(replica, receivedAt, REPLICA_RECEIVED_AT);
  store<u64>(replica, sequence, REPLICA_SOURCE_SEQUENCE);
}

export function imageLoad(replica: usize, segment: usize, entry: usize): i32 {
  const copied = imageCopy(segment, entry);
  if (copied != IMAGE_OK) return copied;
  const image = imageCopied();
  if (load<u32>(image, IMAGE_INSTRUMENT_ID) != load<u32>(replica, REPLICA_INSTRUMENT_ID)) return IMAGE_CORRUPT;
  const version = load<u64>(image, IMAGE_VERSION);
  const awaited =
    load<u32>(replica, REPLICA_STATE) == REPLICA_STATE_EMPTY && (load<u32>(replica, REPLICA_FLAGS) & FLAG_RESET) != 0;
  if (awaited && version < load<u64>(replica, REPLICA_VERSION)) return IMAGE_BUSY;
  if (
    awaited &&
    version == load<u64>(replica, REPLICA_VERSION) &&
    load<u32>(replica, REPLICA_PENDING_HASH) != load<u32>(image, IMAGE_HASH)
  )
    return IMAGE_CORRUPT;
  const receivedAt = awaited ? load<i64>(replica, REPLICA_RECEIVED_AT) : 0;
  forget(replica);
  const book = <usize>load<u32>(replica, REPLICA_BOOK);
  if (imageUnpack(book) != IMAGE_OK) return IMAGE_CORRUPT;
  let flags: u32 = FLAG_LAST | FLAG_SNAPSHOT;
  if (load<u32>(image, IMAGE_STATE) != STATE_SYNCED) flags |= FLAG_NOT_SYNCED;
  if (bookCrossed(book)) flags |= FLAG_CROSSED;
  store<u32>(replica, load<u32>(image, IMAGE_HASH), REPLICA_HASH);
  store<u64>(replica, version, REPLICA_VERSION);
  store<u64>(replica, load<u64>(image, IMAGE_RING_SEQUENCE), REPLICA_JOIN_SEQUENCE);
  store<u32>(replica, 0, REPLICA_CHAIN);
  noteEvent(replica, flags, load<i64>(image, IMAGE_EVENT_AT), receivedAt, load<u64>(image, IMAGE_SOURCE_SEQUENCE));
  store<u32>(replica, REPLICA_STATE_FOLLOWING, REPLICA_STATE);
  return IMAGE_OK;
}
