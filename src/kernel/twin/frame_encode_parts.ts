/**
 * Encoders of snapshot parts, trades and best bid and offer. Each frame stands alone: differences run within the frame.
 * Each ends with a CRC-32 of its bytes: what hash and chain do not reach (units, routing, trades, quotes) is proved by it.
 * Bad case: a limit too small for one level or trade; nothing is written and 0 is returned.
 */
import {
  FLAG_NOT_SYNCED,
  FRAME_BBO,
  FRAME_FLAG_FINAL,
  FRAME_FLAG_FIRST,
  FRAME_SNAPSHOT,
  FRAME_TRADES,
  REPLICA_ALIAS,
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
  TRADE_BOOK_VERSION,
  TRADE_BYTES,
  TRADE_EVENT_AT,
  TRADE_FLAGS,
  TRADE_ID,
  TRADE_ID_BYTES_MAX,
  TRADE_PRICE,
  TRADE_QUANTITY,
  TRADE_RECEIVED_AT,
  TRADE_SOURCE_SEQUENCE,
  TRADE_VERSION,
} from "../../../assembly/layout.ts";
import type { BookSide } from "./book.ts";
import { writeQuantity, writeTime, writeVarint, writeZigzag } from "./codec.ts";
import { crc32 } from "./crc32.ts";
import { DELAY_POWER, writeU32 } from "./frame_encode.ts";
import { RESULT, resultHigh, resultLow, subtract } from "./int64.ts";
import { readInteger } from "./json.ts";
import { byteAt, fieldOf, type Memory } from "./memory.ts";
import { type Replicas, STATUS_MASK } from "./replica.ts";

/** Most bytes of one level, one head, one trade. */
export const LEVEL_ROOM = 20;
export const HEAD_ROOM = 80;
const TRADE_ROOM = 64 + TRADE_ID_BYTES_MAX;
const TRADES_HEAD_ROOM = 32;
/** Bytes of the checksum that ends every frame of these kinds. */
export const SEAL_BYTES = 4;
/** REPLICA_NEXT_LEVEL after the last part, as a signed word. */
const FINISHED = -1;
const NUMERIC_DIGITS_MAX = 18;
const NUMERIC_BIT = 16;
const ZERO = 0x30;

let written = 0;

/** KernelFrame.snapshotEncode. @returns bytes, 0 when the limit is too small or the last part was taken */
export function encodeSnapshot(replicas: Replicas, replica: number, out: number, limit: number): number {
  const { bytes, words } = replicas.memory;
  const next = fieldOf(words, replica, REPLICA_NEXT_LEVEL);
  if (limit < HEAD_ROOM + LEVEL_ROOM || next === FINISHED) {
    return 0;
  }
  const { bids, asks } = replicas.book(replica);
  const bidCount = bids.count;
  const total = bidCount + asks.count;
  let at = writeVarint(bytes, out + 1, fieldOf(words, replica, REPLICA_ALIAS), 0);
  let flags = 0;
  if (next === 0) {
    flags = FRAME_FLAG_FIRST;
    at = writeSnapshotHead(replicas, replica, at);
  }
  const end = out + limit - LEVEL_ROOM - SEAL_BYTES;
  let done = next;
  if (done < bidCount) {
    at = writeSide(bytes, bids, done, at, end);
    done += written;
  }
  if (done >= bidCount && done < total) {
    at = writeSide(bytes, asks, done - bidCount, at, end);
    done += written;
  }
  flags |= done === total ? FRAME_FLAG_FINAL : 0;
  bytes[out] = FRAME_SNAPSHOT | flags;
  words[(replica + REPLICA_NEXT_LEVEL) >>> 2] = done === total ? FINISHED : done;
  return seal(bytes, out, at);
}

/** Ends a frame with the CRC-32 of all its bytes. @returns bytes of the frame */
export function seal(bytes: Uint8Array, out: number, at: number): number {
  return writeU32(bytes, at, crc32(bytes, out, at)) - out;
}

function writeSnapshotHead(replicas: Replicas, replica: number, start: number): number {
  const { bytes, words } = replicas.memory;
  const book = replicas.book(replica);
  let at = writeField(replicas.memory, start, replica + REPLICA_VERSION);
  at = writeU32(bytes, at, fieldOf(words, replica, REPLICA_EPOCH));
  at = writeU32(bytes, at, fieldOf(words, replica, REPLICA_HASH));
  at = writeU32(bytes, at, fieldOf(words, replica, REPLICA_CHAIN));
  bytes[at++] = fieldOf(words, replica, REPLICA_FLAGS) & STATUS_MASK;
  bytes[at++] = fieldOf(words, replica, REPLICA_PRICE_EXPONENT);
  bytes[at++] = fieldOf(words, replica, REPLICA_QUANTITY_EXPONENT);
  bytes[at++] = unitCode(fieldOf(words, replica, REPLICA_TIME_UNIT));
  at = writeTimes(replicas.memory, at, replica);
  at = writeField(replicas.memory, at, replica + REPLICA_SOURCE_SEQUENCE);
  at = writeVarint(bytes, at, book.bids.count, 0);
  return writeVarint(bytes, at, book.asks.count, 0);
}

function unitCode(unit: number): number {
  if (unit === 1) {
    return 0;
  }
  return unit === 1000 ? 1 : 2;
}

/** Writes the 64 bits at an address as a varint. */
export function writeField(memory: Memory, at: number, address: number): number {
  return writeVarint(memory.bytes, at, fieldOf(memory.words, address, 0), fieldOf(memory.words, address, 4));
}

/** Writes eventAt and receivedAt as they are. */
export function writeTimes(memory: Memory, start: number, replica: number): number {
  const { bytes, words } = memory;
  let at = writeU32(bytes, start, fieldOf(words, replica, REPLICA_EVENT_AT));
  at = writeU32(bytes, at, fieldOf(words, replica, REPLICA_EVENT_AT + 4));
  at = writeU32(bytes, at, fieldOf(words, replica, REPLICA_RECEIVED_AT));
  return writeU32(bytes, at, fieldOf(words, replica, REPLICA_RECEIVED_AT + 4));
}

/** Writes levels of a side from the `from`-th on until the limit. @returns the position after them; `written` counts them */
function writeSide(bytes: Uint8Array, side: BookSide, from: number, start: number, end: number): number {
  let at = start;
  let place = side.end - 1 - from;
  let previousLow = from > 0 ? side.priceLow(place + 1) : 0;
  let previousHigh = from > 0 ? side.priceHigh(place + 1) : 0;
  written = 0;
  for (; place >= side.start && at <= end; place--) {
    const low = side.priceLow(place);
    const high = side.priceHigh(place);
    if (from + written === 0) {
      at = writeZigzag(bytes, at, low, high);
    } else if (side.mask === 0) {
      subtract(previousLow, previousHigh, low, high);
      at = writeVarint(bytes, at, resultLow(), resultHigh());
    } else {
      subtract(low, high, previousLow, previousHigh);
      at = writeVarint(bytes, at, resultLow(), resultHigh());
    }
    at = writeQuantity(bytes, at, side.quantityLow(place), side.quantityHigh(place));
    previousLow = low;
    previousHigh = high;
    written++;
  }
  return at;
}

/** The numbers that the next trade of a frame is coded against: low and high word each. */
const BEFORE = new Int32Array(10);
const PRICE = 0;
const EVENT_AT = 2;
const ID = 4;
const SEQUENCE = 6;
const BOOK_VERSION = 8;

/** KernelFrame.tradesEncode. @returns bytes, 0 when the limit is too small */
export function encodeTrades(
  memory: Memory,
  alias: number,
  trades: number,
  count: number,
  out: number,
  limit: number,
): number {
  if (count === 0 || limit < TRADES_HEAD_ROOM + count * TRADE_ROOM) {
    return 0;
  }
  const { bytes } = memory;
  bytes[out] = FRAME_TRADES;
  let at = writeVarint(bytes, out + 1, alias, 0);
  at = writeField(memory, at, trades + TRADE_VERSION);
  BEFORE.fill(0);
  for (let i = 0; i < count; i++) {
    at = writeTrade(memory, at, trades + i * TRADE_BYTES);
  }
  return seal(bytes, out, at);
}

function writeTrade(memory: Memory, start: number, trade: number): number {
  const { bytes, words } = memory;
  const head = fieldOf(words, trade, TRADE_FLAGS);
  const idLength = head >>> 24;
  const isNumeric = readNumericId(bytes, trade + TRADE_ID, idLength);
  const idLow = resultLow();
  const idHigh = resultHigh();
  bytes[start] = ((head >>> 16) & 255) | ((head & 0xffff) << 2) | (isNumeric ? NUMERIC_BIT : 0);
  let at = writeStep(memory, start + 1, trade + TRADE_PRICE, PRICE);
  at = writeQuantity(bytes, at, fieldOf(words, trade, TRADE_QUANTITY), fieldOf(words, trade, TRADE_QUANTITY + 4));
  subtractBefore(words, trade + TRADE_EVENT_AT, EVENT_AT);
  at = writeTime(bytes, at, resultLow(), resultHigh(), DELAY_POWER);
  subtract(
    fieldOf(words, trade, TRADE_RECEIVED_AT),
    fieldOf(words, trade, TRADE_RECEIVED_AT + 4),
    fieldOf(words, trade, TRADE_EVENT_AT),
    fieldOf(words, trade, TRADE_EVENT_AT + 4),
  );
  at = writeTime(bytes, at, resultLow(), resultHigh(), DELAY_POWER);
  if (isNumeric) {
    subtract(idLow, idHigh, BEFORE[ID] as number, BEFORE[ID + 1] as number);
    at = writeZigzag(bytes, at, resultLow(), resultHigh());
    BEFORE[ID] = idLow;
    BEFORE[ID + 1] = idHigh;
  } else {
    bytes[at] = idLength;
    bytes.copyWithin(at + 1, trade + TRADE_ID, trade + TRADE_ID + idLength);
    at += 1 + idLength;
  }
  at = writeStep(memory, at, trade + TRADE_SOURCE_SEQUENCE, SEQUENCE);
  return writeStep(memory, at, trade + TRADE_BOOK_VERSION, BOOK_VERSION);
}

/** RESULT = the number at an address − the one before, whose place it takes. */
function subtractBefore(words: Int32Array, address: number, before: number): void {
  const low = fieldOf(words, address, 0);
  const high = fieldOf(words, address, 4);
  subtract(low, high, BEFORE[before] as number, BEFORE[before + 1] as number);
  BEFORE[before] = low;
  BEFORE[before + 1] = high;
}

function writeStep(memory: Memory, at: number, address: number, before: number): number {
  subtractBefore(memory.words, address, before);
  return writeZigzag(memory.bytes, at, resultLow(), resultHigh());
}

/** True when the id is 1 … 18 digits without a leading zero; RESULT is its value. */
function readNumericId(bytes: Uint8Array, start: number, length: number): boolean {
  RESULT[0] = 0;
  RESULT[1] = 0;
  if (length > NUMERIC_DIGITS_MAX || (length > 1 && byteAt(bytes, start) === ZERO)) {
    return false;
  }
  return readInteger(bytes, start, length);
}

const HAS_BID = 1;
const HAS_ASK = 2;
const IS_CROSSED = 8;
const IS_NOT_SYNCED = 16;

/** KernelFrame.bboEncode. @returns bytes */
export function encodeBbo(replicas: Replicas, replica: number, out: number): number {
  const { bytes, words } = replicas.memory;
  const book = replicas.book(replica);
  const { bids, asks } = book;
  bytes[out] = FRAME_BBO;
  let at = writeVarint(bytes, out + 1, fieldOf(words, replica, REPLICA_ALIAS), 0);
  const isSynced = (fieldOf(words, replica, REPLICA_FLAGS) & FLAG_NOT_SYNCED) === 0;
  bytes[at++] =
    (bids.count > 0 ? HAS_BID : 0) |
    (asks.count > 0 ? HAS_ASK : 0) |
    (book.isCrossed() ? IS_CROSSED : 0) |
    (isSynced ? 0 : IS_NOT_SYNCED);
  at = writeField(replicas.memory, at, replica + REPLICA_VERSION);
  at = writeTimes(replicas.memory, at, replica);
  let bidLow = 0;
  let bidHigh = 0;
  if (bids.count > 0) {
    const best = bids.end - 1;
    bidLow = bids.priceLow(best);
    bidHigh = bids.priceHigh(best);
    at = writeZigzag(bytes, at, bidLow, bidHigh);
    at = writeQuantity(bytes, at, bids.quantityLow(best), bids.quantityHigh(best));
  }
  if (asks.count > 0) {
    const best = asks.end - 1;
    subtract(asks.priceLow(best), asks.priceHigh(best), bidLow, bidHigh);
    at = writeZigzag(bytes, at, resultLow(), resultHigh());
    at = writeQuantity(bytes, at, asks.quantityLow(best), asks.quantityHigh(best));
  }
  return seal(bytes, out, at);
}
