/**
 * Decoders of trade and BBO frames into fixed records. Nothing is kept between frames.
 * Bad case: bytes left over or missing, or a checksum that does not hold; the whole frame is refused.
 */
import { codecValue, readQuantity, readTime, readVarint, unzigzag } from "./codec";
import { crc32 } from "./crc32";
import { SEAL_BYTES } from "./frame_encode_parts";
import {
  BBO_ASK_PRICE,
  BBO_ASK_QUANTITY,
  BBO_BID_PRICE,
  BBO_BID_QUANTITY,
  BBO_BYTES,
  BBO_EVENT_AT,
  BBO_FLAGS,
  BBO_RECEIVED_AT,
  BBO_VERSION,
  FRAME_BBO,
  FRAME_TRADES,
  TRADE_AGGRESSOR,
  TRADE_BOOK_VERSION,
  TRADE_BYTES,
  TRADE_EVENT_AT,
  TRADE_FLAGS,
  TRADE_ID,
  TRADE_ID_BYTES_MAX,
  TRADE_ID_LENGTH,
  TRADE_INSTRUMENT_ID,
  TRADE_PRICE,
  TRADE_QUANTITY,
  TRADE_RECEIVED_AT,
  TRADE_SOURCE_SEQUENCE,
  TRADE_VERSION,
} from "./layout";
import { writeDigits } from "./quantize";

let price: i64 = 0;
let eventAt: i64 = 0;
let id: u64 = 0;
let sequence: u64 = 0;
let bookVersion: u64 = 0;

/** The frame's last bytes are the CRC-32 of those before. */
export function sealHolds(frame: usize, length: usize): bool {
  if (length < SEAL_BYTES + 2) return false;
  return load<u32>(frame + length - SEAL_BYTES) == crc32(frame, length - SEAL_BYTES);
}

export function tradesDecode(frame: usize, length: usize, out: usize, limit: u32): i32 {
  if (!sealHolds(frame, length) || load<u8>(frame) != <u8>FRAME_TRADES) return -1;
  const end = frame + length - SEAL_BYTES;
  let at = readVarint(frame + 1, end);
  if (at == 0 || codecValue() > 0xffffffff) return -1;
  const alias = <u32>codecValue();
  at = readVarint(at, end);
  if (at == 0) return -1;
  let version = codecValue();
  let count: u32 = 0;
  price = 0;
  eventAt = 0;
  id = 0;
  sequence = 0;
  bookVersion = 0;
  while (at < end) {
    if (count >= limit) return -1;
    const trade = out + <usize>count * TRADE_BYTES;
    memory.fill(trade, 0, TRADE_BYTES);
    at = readTrade(trade, at, end);
    if (at == 0) return -1;
    store<u32>(trade, alias, TRADE_INSTRUMENT_ID);
    store<u64>(trade, version, TRADE_VERSION);
    version++;
    count++;
  }
  return count == 0 ? -1 : <i32>count;
}

function readTrade(trade: usize, at: usize, end: usize): usize {
  const head = <u32>load<u8>(at);
  if (head > 31 || (head & 3) == 3) return 0;
  store<u8>(trade, <u8>(head & 3), TRADE_AGGRESSOR);
  store<u16>(trade, <u16>((head >> 2) & 3), TRADE_FLAGS);
  at = readVarint(at + 1, end);
  if (at == 0) return 0;
  price += unzigzag(codecValue());
  store<i64>(trade, price, TRADE_PRICE);
  at = readQuantity(at, end);
  if (at == 0) return 0;
  store<u64>(trade, codecValue(), TRADE_QUANTITY);
  at = readTime(at, end, 1000);
  if (at == 0) return 0;
  eventAt += <i64>codecValue();
  store<i64>(trade, eventAt, TRADE_EVENT_AT);
  at = readTime(at, end, 1000);
  if (at == 0) return 0;
  store<i64>(trade, eventAt + <i64>codecValue(), TRADE_RECEIVED_AT);
  at = head & 16 ? readNumber(trade, at, end) : readText(trade, at, end);
  if (at == 0) return 0;
  at = readVarint(at, end);
  if (at == 0) return 0;
  sequence += <u64>unzigzag(codecValue());
  store<u64>(trade, sequence, TRADE_SOURCE_SEQUENCE);
  at = readVarint(at, end);
  if (at == 0) return 0;
  bookVersion += <u64>unzigzag(codecValue());
  store<u64>(trade, bookVersion, TRADE_BOOK_VERSION);
  return at;
}

function readNumber(trade: usize, at: usize, end: usize): usize {
  at = readVarint(at, end);
  if (at == 0) return 0;
  id += <u64>unzigzag(codecValue());
  if (id >= 1_000_000_000_000_000_000) return 0;
  store<u8>(trade, <u8>writeDigits(id, trade + TRADE_ID), TRADE_ID_LENGTH);
  return at;
}

function readText(trade: usize, at: usize, end: usize): usize {
  if (at >= end) return 0;
  const length = <usize>load<u8>(at);
  if (length > <usize>TRADE_ID_BYTES_MAX || end - at - 1 < length) return 0;
  memory.copy(trade + TRADE_ID, at + 1, length);
  store<u8>(trade, <u8>length, TRADE_ID_LENGTH);
  return at + 1 + length;
}

export function bboDecode(frame: usize, length: usize, out: usize): i32 {
  if (!sealHolds(frame, length) || load<u8>(frame) != <u8>FRAME_BBO) return -1;
  const end = frame + length - SEAL_BYTES;
  let at = readVarint(frame + 1, end);
  if (at == 0 || at >= end) return -1;
  const flags = <u32>load<u8>(at);
  if (flags & ~27) return -1;
  memory.fill(out, 0, BBO_BYTES);
  at = readVarint(at + 1, end);
  if (at == 0 || end - at < 16) return -1;
  store<u32>(out, flags, BBO_FLAGS);
  store<u64>(out, codecValue(), BBO_VERSION);
  store<i64>(out, load<i64>(at), BBO_EVENT_AT);
  store<i64>(out, load<i64>(at, 8), BBO_RECEIVED_AT);
  at += 16;
  let bid: i64 = 0;
  if (flags & 1) {
    at = readVarint(at, end);
    if (at == 0) return -1;
    bid = unzigzag(codecValue());
    at = readQuantity(at, end);
    if (at == 0) return -1;
    store<i64>(out, bid, BBO_BID_PRICE);
    store<u64>(out, codecValue(), BBO_BID_QUANTITY);
  }
  if (flags & 2) {
    at = readVarint(at, end);
    if (at == 0) return -1;
    store<i64>(out, bid + unzigzag(codecValue()), BBO_ASK_PRICE);
    at = readQuantity(at, end);
    if (at == 0) return -1;
    store<u64>(out, codecValue(), BBO_ASK_QUANTITY);
  }
  return at == end ? 0 : -1;
}
