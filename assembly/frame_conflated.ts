/**
 * Conflated frames: what changed of a book since a version, the last quantity per price, in one step. Encoded from the
 * history in the gateway, applied to a client's replica that holds that version. Changes stand in one order only (bids by
 * rising price, then asks) and the frame ends with its CRC-32, then the book's hash must hold.
 * Bad case: a client that holds another version; its book is dropped and it asks for a snapshot.
 */
import { bookCrossed, bookHash, bookSet } from "./book";
import {
  codecBits,
  codecValue,
  readChange,
  readQuantity,
  readVarint,
  unzigzag,
  writeChange,
  writeQuantity,
} from "./codec";
import { writeVarint } from "./codec";
import { HEAD_ROOM, LEVEL_ROOM, seal, SEAL_BYTES } from "./frame_encode_parts";
import { collectedEntry, entrySide, historyCollect, historyDrop } from "./history";
import {
  BOOK_FULL,
  BOOK_REMOVED,
  FLAG_CROSSED,
  FLAG_LAST,
  FRAME_CONFLATED,
  HISTORY_PRICE,
  HISTORY_QUANTITY,
  REPLICA_ALIAS,
  REPLICA_BOOK,
  REPLICA_CHAIN,
  REPLICA_CHAIN_BROKEN,
  REPLICA_CHANGES,
  REPLICA_EMPTY,
  REPLICA_EVENT_AT,
  REPLICA_EVENT_VERSION,
  REPLICA_FLAGS,
  REPLICA_HASH,
  REPLICA_HASH_MISMATCH,
  REPLICA_HISTORY_FLOOR,
  REPLICA_INCONSISTENT,
  REPLICA_NO_MEMORY,
  REPLICA_OK,
  REPLICA_RECEIVED_AT,
  REPLICA_SOURCE_SEQUENCE,
  REPLICA_STATE,
  REPLICA_STATE_EMPTY,
  REPLICA_STATE_FOLLOWING,
  REPLICA_VERSION,
  SIDE_BID,
} from "./layout";
import { mayDiffer, replicaFail, STATUS_MASK } from "./replica";

/** Hash, chain, status, both times. */
const HEAD_BYTES: usize = 25;

export function conflatedEncode(replica: usize, fromLow: u32, fromHigh: u32, out: usize, limit: usize): u32 {
  if (limit < HEAD_ROOM + LEVEL_ROOM) return 0;
  const from = ((<u64>fromHigh) << 32) | <u64>fromLow;
  const count = historyCollect(replica, from);
  if (count < 0) return 0;
  store<u8>(out, <u8>FRAME_CONFLATED);
  let at = writeVarint(out + 1, load<u32>(replica, REPLICA_ALIAS));
  at = writeVarint(at, from);
  at = writeVarint(at, load<u64>(replica, REPLICA_VERSION) - from);
  store<u32>(at, load<u32>(replica, REPLICA_HASH));
  store<u32>(at, load<u32>(replica, REPLICA_CHAIN), 4);
  store<u8>(at, <u8>(load<u32>(replica, REPLICA_FLAGS) & STATUS_MASK), 8);
  store<i64>(at, load<i64>(replica, REPLICA_EVENT_AT), 9);
  store<i64>(at, load<i64>(replica, REPLICA_RECEIVED_AT), 17);
  at = writeVarint(at + HEAD_BYTES, load<u64>(replica, REPLICA_SOURCE_SEQUENCE));
  at = writeVarint(at, <u64>count);
  const end = out + limit - LEVEL_ROOM - SEAL_BYTES;
  let side: u32 = SIDE_BID;
  let reference: i64 = 0;
  for (let i: u32 = 0; i < <u32>count; i++) {
    if (at > end) return 0;
    const entry = collectedEntry(i);
    if (entrySide(entry) != side) {
      side = entrySide(entry);
      reference = 0;
    }
    const price = load<i64>(entry, HISTORY_PRICE);
    const quantity = load<i64>(entry, HISTORY_QUANTITY);
    at = writeChange(at, side, quantity == 0 ? 1 : 0, price - reference);
    if (quantity != 0) at = writeQuantity(at, quantity);
    reference = price;
  }
  return seal(out, at);
}

let problem: i32 = 0;

/** Applies what follows the alias of a frame whose checksum holds. @returns REPLICA_* */
export function conflatedApply(replica: usize, at: usize, end: usize): i32 {
  const state = load<u32>(replica, REPLICA_STATE);
  if (state == REPLICA_STATE_EMPTY) return REPLICA_EMPTY;
  if (state != REPLICA_STATE_FOLLOWING) return replicaFail(replica, REPLICA_INCONSISTENT);
  at = readVarint(at, end);
  if (at == 0) return replicaFail(replica, REPLICA_INCONSISTENT);
  const from = codecValue();
  if (from != load<u64>(replica, REPLICA_VERSION)) return replicaFail(replica, REPLICA_CHAIN_BROKEN);
  at = readVarint(at, end);
  const version = from + codecValue();
  if (at == 0 || end - at < HEAD_BYTES || version < from) return replicaFail(replica, REPLICA_INCONSISTENT);
  const head = at;
  at = readVarint(at + HEAD_BYTES, end);
  const sequence = codecValue();
  if (at != 0) at = readVarint(at, end);
  if (at == 0) return replicaFail(replica, REPLICA_INCONSISTENT);
  const count = codecValue();
  const status = <u32>load<u8>(head, 8);
  if ((status & ~STATUS_MASK) != 0 || (count > 0 && version == from)) return replicaFail(replica, REPLICA_INCONSISTENT);
  if (applyLevels(replica, count, at, end) != end) return replicaFail(replica, problem);
  const book = <usize>load<u32>(replica, REPLICA_BOOK);
  if (bookHash(book) != load<u32>(head)) return replicaFail(replica, REPLICA_HASH_MISMATCH);
  if (bookCrossed(book) != ((status & FLAG_CROSSED) != 0) && !mayDiffer(status))
    return replicaFail(replica, REPLICA_INCONSISTENT);
  historyDrop(replica);
  store<u64>(replica, version, REPLICA_VERSION);
  store<u64>(replica, version, REPLICA_EVENT_VERSION);
  store<u64>(replica, version, REPLICA_HISTORY_FLOOR);
  store<u32>(replica, load<u32>(head), REPLICA_HASH);
  store<u32>(replica, load<u32>(head, 4), REPLICA_CHAIN);
  store<u32>(replica, status | FLAG_LAST, REPLICA_FLAGS);
  store<i64>(replica, load<i64>(head, 9), REPLICA_EVENT_AT);
  store<i64>(replica, load<i64>(head, 17), REPLICA_RECEIVED_AT);
  store<u64>(replica, sequence, REPLICA_SOURCE_SEQUENCE);
  return REPLICA_OK;
}

/** Sets every level of the frame. @returns the address after them, 0 when they are out of order or contradict the book */
function applyLevels(replica: usize, count: u64, at: usize, end: usize): usize {
  problem = REPLICA_INCONSISTENT;
  if (count > end - at) return 0;
  const book = <usize>load<u32>(replica, REPLICA_BOOK);
  let side: u32 = SIDE_BID;
  let price: i64 = 0;
  let first = true;
  for (let i: u64 = 0; i < count; i++) {
    at = readChange(at, end);
    if (at == 0) return 0;
    const removed = codecBits() >> 1 != 0;
    const before = price;
    const turned = (codecBits() & 1) != side;
    if (turned && side != SIDE_BID) return 0;
    side = codecBits() & 1;
    const difference = unzigzag(codecValue());
    price = turned ? difference : before + difference;
    if (!first && !turned && price <= before) return 0;
    first = false;
    let quantity: i64 = 0;
    if (!removed) {
      at = readQuantity(at, end);
      if (at == 0) return 0;
      quantity = <i64>codecValue();
    }
    const result = bookSet(book, side, price, quantity);
    if (result == BOOK_FULL) problem = REPLICA_NO_MEMORY;
    if (result == BOOK_FULL || (result == BOOK_REMOVED) != removed) return 0;
  }
  store<u64>(replica, load<u64>(replica, REPLICA_CHANGES) + count, REPLICA_CHANGES);
  return at;
}
