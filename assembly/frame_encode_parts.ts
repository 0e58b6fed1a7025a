/**
 * Encoders of snapshot parts, trades and best bid and offer. Each frame stands alone: differences run within the frame.
 * Each ends with a CRC-32 of its bytes: what hash and chain do not reach (units, routing, trades, quotes) is proved by it.
 * Bad case: a limit too small for one level or trade; nothing is written and 0 is returned.
 */
import { arenaAllocate } from "./arena";
import { bestPrice, bestQuantity, bookCount, bookCrossed, bookWalk } from "./book";
import { writeQuantity, writeTime, writeVarint, zigzag } from "./codec";
import { crc32 } from "./crc32";
import {
  FLAG_NOT_SYNCED,
  FRAME_BBO,
  FRAME_FLAG_FINAL,
  FRAME_FLAG_FIRST,
  FRAME_SNAPSHOT,
  FRAME_TRADES,
  LEVEL_BYTES,
  LEVEL_PRICE,
  LEVEL_QUANTITY,
  REPLICA_ALIAS,
  REPLICA_BOOK,
  REPLICA_CHAIN,
  REPLICA_EPOCH,
  REPLICA_EVENT_AT,
  REPLICA_FLAGS,
  REPLICA_HASH,
  REPLICA_NEXT_LEVEL,
  REPLICA_PRICE_EXPONENT,
  REPLICA_QUANTITY_EXPONENT,
  REPLICA_RECEIVED_AT,
  REPLICA_SOURCE_SEQUENCE,
  REPLICA_TIME_UNIT,
  REPLICA_VERSION,
  SIDE_ASK,
  SIDE_BID,
  TRADE_AGGRESSOR,
  TRADE_BOOK_VERSION,
  TRADE_BYTES,
  TRADE_EVENT_AT,
  TRADE_FLAGS,
  TRADE_ID,
  TRADE_ID_BYTES_MAX,
  TRADE_ID_LENGTH,
  TRADE_PRICE,
  TRADE_QUANTITY,
  TRADE_RECEIVED_AT,
  TRADE_SOURCE_SEQUENCE,
  TRADE_VERSION,
} from "./layout";
import { STATUS_MASK } from "./replica";

/** Most bytes of one level, one head, one trade. */
export const LEVEL_ROOM: usize = 20;
export const HEAD_ROOM: usize = 80;
const TRADE_ROOM: usize = 64 + TRADE_ID_BYTES_MAX;
/** Bytes of the checksum that ends every frame of these kinds. */
export const SEAL_BYTES: usize = 4;
const WALK: u32 = 256;
const FINISHED: u32 = 0xffffffff;
let levels: usize = 0;

export function snapshotEncode(replica: usize, out: usize, limit: usize): u32 {
  const next = load<u32>(replica, REPLICA_NEXT_LEVEL);
  if (limit < HEAD_ROOM + LEVEL_ROOM || next == FINISHED) return 0;
  if (levels == 0) levels = arenaAllocate(WALK * LEVEL_BYTES);
  if (levels == 0) unreachable();
  const book = <usize>load<u32>(replica, REPLICA_BOOK);
  const bids = bookCount(book, SIDE_BID);
  const asks = bookCount(book, SIDE_ASK);
  let at = writeVarint(out + 1, load<u32>(replica, REPLICA_ALIAS));
  let flags: u32 = 0;
  if (next == 0) {
    flags = FRAME_FLAG_FIRST;
    at = writeHead(replica, at, bids, asks);
  }
  const end = out + limit - LEVEL_ROOM - SEAL_BYTES;
  let done = next;
  if (done < bids) {
    at = writeSide(book, SIDE_BID, done, at, end);
    done += written;
  }
  if (done >= bids && done < bids + asks) {
    at = writeSide(book, SIDE_ASK, done - bids, at, end);
    done += written;
  }
  if (done == bids + asks) flags |= FRAME_FLAG_FINAL;
  store<u8>(out, <u8>(FRAME_SNAPSHOT | flags));
  store<u32>(replica, done == bids + asks ? FINISHED : done, REPLICA_NEXT_LEVEL);
  return seal(out, at);
}

/** Ends a frame with the CRC-32 of all its bytes. @returns bytes of the frame */
export function seal(out: usize, at: usize): u32 {
  store<u32>(at, crc32(out, at - out));
  return <u32>(at + SEAL_BYTES - out);
}

function writeHead(replica: usize, at: usize, bids: u32, asks: u32): usize {
  at = writeVarint(at, load<u64>(replica, REPLICA_VERSION));
  store<u32>(at, load<u32>(replica, REPLICA_EPOCH));
  store<u32>(at, load<u32>(replica, REPLICA_HASH), 4);
  store<u32>(at, load<u32>(replica, REPLICA_CHAIN), 8);
  store<u8>(at, <u8>(load<u32>(replica, REPLICA_FLAGS) & STATUS_MASK), 12);
  store<u8>(at, <u8>load<i32>(replica, REPLICA_PRICE_EXPONENT), 13);
  store<u8>(at, <u8>load<i32>(replica, REPLICA_QUANTITY_EXPONENT), 14);
  const unit = load<u32>(replica, REPLICA_TIME_UNIT);
  store<u8>(at, unit == 1 ? 0 : unit == 1000 ? 1 : 2, 15);
  store<i64>(at, load<i64>(replica, REPLICA_EVENT_AT), 16);
  store<i64>(at, load<i64>(replica, REPLICA_RECEIVED_AT), 24);
  at = writeVarint(at + 32, load<u64>(replica, REPLICA_SOURCE_SEQUENCE));
  at = writeVarint(at, bids);
  return writeVarint(at, asks);
}

let written: u32 = 0;

/** Writes levels of a side from the `from`-th on until the limit. @returns the address after them; `written` counts them */
function writeSide(book: usize, side: u32, from: u32, at: usize, end: usize): usize {
  written = 0;
  let previous: i64 = 0;
  if (from > 0) {
    bookWalk(book, side, from - 1, 1, levels);
    previous = load<i64>(levels, LEVEL_PRICE);
  }
  while (true) {
    const count = bookWalk(book, side, from + written, WALK, levels);
    if (count == 0) return at;
    for (let i: u32 = 0; i < count; i++) {
      if (at > end) return at;
      const level = levels + i * LEVEL_BYTES;
      const price = load<i64>(level, LEVEL_PRICE);
      if (from + written == 0) at = writeVarint(at, zigzag(price));
      else at = writeVarint(at, <u64>(side == SIDE_BID ? previous - price : price - previous));
      at = writeQuantity(at, load<i64>(level, LEVEL_QUANTITY));
      previous = price;
      written++;
    }
  }
}

export function tradesEncode(alias: u32, trades: usize, count: u32, out: usize, limit: usize): u32 {
  if (count == 0 || limit < 32 + <usize>count * TRADE_ROOM) return 0;
  store<u8>(out, <u8>FRAME_TRADES);
  let at = writeVarint(out + 1, alias);
  at = writeVarint(at, load<u64>(trades, TRADE_VERSION));
  let price: i64 = 0;
  let eventAt: i64 = 0;
  let id: u64 = 0;
  let sequence: u64 = 0;
  let bookVersion: u64 = 0;
  for (let i: u32 = 0; i < count; i++) {
    const trade = trades + <usize>i * TRADE_BYTES;
    const numeric = numericId(trade);
    const head =
      <u32>load<u8>(trade, TRADE_AGGRESSOR) | ((<u32>load<u16>(trade, TRADE_FLAGS)) << 2) | (numeric ? 16 : 0);
    store<u8>(at, <u8>head);
    at = writeVarint(at + 1, zigzag(load<i64>(trade, TRADE_PRICE) - price));
    at = writeQuantity(at, load<i64>(trade, TRADE_QUANTITY));
    at = writeTime(at, load<i64>(trade, TRADE_EVENT_AT) - eventAt, 1000);
    at = writeTime(at, load<i64>(trade, TRADE_RECEIVED_AT) - load<i64>(trade, TRADE_EVENT_AT), 1000);
    if (numeric) {
      at = writeVarint(at, zigzag(<i64>(idNumber - id)));
      id = idNumber;
    } else at = writeIdText(trade, at);
    at = writeVarint(at, zigzag(<i64>(load<u64>(trade, TRADE_SOURCE_SEQUENCE) - sequence)));
    at = writeVarint(at, zigzag(<i64>(load<u64>(trade, TRADE_BOOK_VERSION) - bookVersion)));
    price = load<i64>(trade, TRADE_PRICE);
    eventAt = load<i64>(trade, TRADE_EVENT_AT);
    sequence = load<u64>(trade, TRADE_SOURCE_SEQUENCE);
    bookVersion = load<u64>(trade, TRADE_BOOK_VERSION);
  }
  return seal(out, at);
}

let idNumber: u64 = 0;

/** True when the id is 1 … 18 digits without a leading zero; its value is in idNumber. */
function numericId(trade: usize): bool {
  const length = <u32>load<u8>(trade, TRADE_ID_LENGTH);
  if (length == 0 || length > 18 || (length > 1 && load<u8>(trade, TRADE_ID) == 0x30)) return false;
  let v: u64 = 0;
  for (let i: u32 = 0; i < length; i++) {
    const digit = <u32>load<u8>(trade + i, TRADE_ID) - 0x30;
    if (digit > 9) return false;
    v = v * 10 + digit;
  }
  idNumber = v;
  return true;
}

function writeIdText(trade: usize, at: usize): usize {
  const length = <usize>load<u8>(trade, TRADE_ID_LENGTH);
  store<u8>(at, <u8>length);
  memory.copy(at + 1, trade + TRADE_ID, length);
  return at + 1 + length;
}

export function bboEncode(replica: usize, out: usize): u32 {
  const book = <usize>load<u32>(replica, REPLICA_BOOK);
  const hasBid = bookCount(book, SIDE_BID) > 0;
  const hasAsk = bookCount(book, SIDE_ASK) > 0;
  store<u8>(out, <u8>FRAME_BBO);
  let at = writeVarint(out + 1, load<u32>(replica, REPLICA_ALIAS));
  const unsynced = (load<u32>(replica, REPLICA_FLAGS) & FLAG_NOT_SYNCED) != 0;
  store<u8>(at, <u8>((hasBid ? 1 : 0) | (hasAsk ? 2 : 0) | (bookCrossed(book) ? 8 : 0) | (unsynced ? 16 : 0)));
  at = writeVarint(at + 1, load<u64>(replica, REPLICA_VERSION));
  store<i64>(at, load<i64>(replica, REPLICA_EVENT_AT));
  store<i64>(at, load<i64>(replica, REPLICA_RECEIVED_AT), 8);
  at += 16;
  let bid: i64 = 0;
  if (hasBid) {
    bid = bestPrice(book, SIDE_BID);
    at = writeVarint(at, zigzag(bid));
    at = writeQuantity(at, bestQuantity(book, SIDE_BID));
  }
  if (hasAsk) {
    at = writeVarint(at, zigzag(bestPrice(book, SIDE_ASK) - bid));
    at = writeQuantity(at, bestQuantity(book, SIDE_ASK));
  }
  return seal(out, at);
}
