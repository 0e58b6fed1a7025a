/**
 * Decoders of trade and BBO frames into fixed records. Nothing is kept between frames.
 * Bad case: bytes left over or missing, or a checksum that does not hold; the whole frame is refused.
 */
import {
  BBO_ASK_PRICE,
  BBO_ASK_QUANTITY,
  BBO_BID_PRICE,
  BBO_BID_QUANTITY,
  BBO_BYTES,
  BBO_EVENT_AT,
  BBO_FLAGS,
  BBO_VERSION,
  FRAME_BBO,
  FRAME_TRADES,
  TRADE_BOOK_VERSION,
  TRADE_BYTES,
  TRADE_EVENT_AT,
  TRADE_FLAGS,
  TRADE_ID,
  TRADE_ID_BYTES_MAX,
  TRADE_INSTRUMENT_ID,
  TRADE_PRICE,
  TRADE_QUANTITY,
  TRADE_RECEIVED_AT,
  TRADE_SOURCE_SEQUENCE,
  TRADE_VERSION,
} from "../../../assembly/layout.ts";
import { readQuantity, readTime, readVarint, readZigzag } from "./codec.ts";
import { crc32 } from "./crc32.ts";
import { writeDigits } from "./digits.ts";
import { DELAY_POWER } from "./frame_encode.ts";
import { SEAL_BYTES } from "./frame_encode_parts.ts";
import { add, compareUnsigned, resultHigh, resultLow } from "./int64.ts";
import { byteAt, type Memory, wordAt, writeWords } from "./memory.ts";

const MALFORMED = -1;
const NUMERIC_BIT = 16;
const HEAD_MAX = 31;
const AGGRESSOR_MASK = 3;
/** 10^18 as words: numeric ids stay below it. */
const ID_BOUND_LOW = 0xa7640000 | 0;
const ID_BOUND_HIGH = 0x0de0b6b3;

/** The numbers that the next trade of a frame is coded against: low and high word each. */
const BEFORE = new Int32Array(10);
const PRICE = 0;
const EVENT_AT = 2;
const ID = 4;
const SEQUENCE = 6;
const BOOK_VERSION = 8;

/** The frame's last bytes are the CRC-32 of those before. */
export function sealHolds(bytes: Uint8Array, frame: number, length: number): boolean {
  const end = frame + length - SEAL_BYTES;
  return length >= SEAL_BYTES + 2 && readU32(bytes, end) >>> 0 === crc32(bytes, frame, end);
}

/** A little-endian word at any position, signed. */
export function readU32(bytes: Uint8Array, at: number): number {
  const low = byteAt(bytes, at) | (byteAt(bytes, at + 1) << 8);
  return low | (byteAt(bytes, at + 2) << 16) | (byteAt(bytes, at + 3) << 24);
}

/** KernelFrame.tradesDecode. @returns count, or −1 when the frame is malformed or holds more than `limit` */
export function decodeTrades(memory: Memory, frame: number, length: number, out: number, limit: number): number {
  const { bytes, words } = memory;
  const end = frame + length - SEAL_BYTES;
  if (!sealHolds(bytes, frame, length) || byteAt(bytes, frame) !== FRAME_TRADES) {
    return MALFORMED;
  }
  let at = readVarint(bytes, frame + 1, end);
  const alias = resultLow();
  if (at < 0 || resultHigh() !== 0) {
    return MALFORMED;
  }
  at = readVarint(bytes, at, end);
  if (at < 0) {
    return MALFORMED;
  }
  let versionLow = resultLow();
  let versionHigh = resultHigh();
  let count = 0;
  BEFORE.fill(0);
  while (at < end) {
    const trade = out + count * TRADE_BYTES;
    if (count >= limit) {
      return MALFORMED;
    }
    words.fill(0, trade >>> 2, (trade + TRADE_BYTES) >>> 2);
    at = readTrade(memory, trade, at, end);
    if (at < 0) {
      return MALFORMED;
    }
    words[(trade + TRADE_INSTRUMENT_ID) >>> 2] = alias;
    writeWords(words, trade + TRADE_VERSION, versionLow, versionHigh);
    add(versionLow, versionHigh, 1, 0);
    versionLow = resultLow();
    versionHigh = resultHigh();
    count++;
  }
  return count === 0 ? MALFORMED : count;
}

function readTrade(memory: Memory, trade: number, start: number, end: number): number {
  const { bytes, words } = memory;
  const head = byteAt(bytes, start);
  if (head > HEAD_MAX || (head & AGGRESSOR_MASK) === AGGRESSOR_MASK) {
    return -1;
  }
  let at = readStep(memory, trade + TRADE_PRICE, PRICE, start + 1, end);
  at = at < 0 ? -1 : readQuantity(bytes, at, end);
  if (at < 0) {
    return -1;
  }
  writeWords(words, trade + TRADE_QUANTITY, resultLow(), resultHigh());
  at = readTime(bytes, at, end, DELAY_POWER);
  if (at < 0) {
    return -1;
  }
  addBefore(words, trade + TRADE_EVENT_AT, EVENT_AT);
  at = readTime(bytes, at, end, DELAY_POWER);
  if (at < 0) {
    return -1;
  }
  add(wordAt(BEFORE, EVENT_AT), wordAt(BEFORE, EVENT_AT + 1), resultLow(), resultHigh());
  writeWords(words, trade + TRADE_RECEIVED_AT, resultLow(), resultHigh());
  const idStart = at;
  at = (head & NUMERIC_BIT) !== 0 ? readNumber(bytes, trade, at, end) : readText(bytes, trade, at, end);
  if (at < 0) {
    return -1;
  }
  const idLength = (head & NUMERIC_BIT) !== 0 ? numberLength : byteAt(bytes, idStart);
  words[(trade + TRADE_FLAGS) >>> 2] = ((head >> 2) & 3) | ((head & AGGRESSOR_MASK) << 16) | (idLength << 24);
  at = readStep(memory, trade + TRADE_SOURCE_SEQUENCE, SEQUENCE, at, end);
  return at < 0 ? -1 : readStep(memory, trade + TRADE_BOOK_VERSION, BOOK_VERSION, at, end);
}

/** Adds RESULT to the number before and writes the sum. */
function addBefore(words: Int32Array, address: number, before: number): void {
  add(wordAt(BEFORE, before), wordAt(BEFORE, before + 1), resultLow(), resultHigh());
  BEFORE[before] = resultLow();
  BEFORE[before + 1] = resultHigh();
  writeWords(words, address, resultLow(), resultHigh());
}

function readStep(memory: Memory, address: number, before: number, start: number, end: number): number {
  const at = readZigzag(memory.bytes, start, end);
  if (at >= 0) {
    addBefore(memory.words, address, before);
  }
  return at;
}

let numberLength = 0;

/** Reads a numeric id and writes its digits. */
function readNumber(bytes: Uint8Array, trade: number, start: number, end: number): number {
  const at = readZigzag(bytes, start, end);
  if (at < 0) {
    return -1;
  }
  add(wordAt(BEFORE, ID), wordAt(BEFORE, ID + 1), resultLow(), resultHigh());
  const low = resultLow();
  const high = resultHigh();
  if (compareUnsigned(low, high, ID_BOUND_LOW, ID_BOUND_HIGH) >= 0) {
    return -1;
  }
  BEFORE[ID] = low;
  BEFORE[ID + 1] = high;
  numberLength = writeDigits(low, high, bytes, trade + TRADE_ID) - trade - TRADE_ID;
  return at;
}

function readText(bytes: Uint8Array, trade: number, start: number, end: number): number {
  const length = start < end ? byteAt(bytes, start) : TRADE_ID_BYTES_MAX + 1;
  if (length > TRADE_ID_BYTES_MAX || end - start - 1 < length) {
    return -1;
  }
  bytes.copyWithin(trade + TRADE_ID, start + 1, start + 1 + length);
  return start + 1 + length;
}

const HAS_BID = 1;
const HAS_ASK = 2;
const BBO_FLAGS_ALL = 27;
const TIMES_BYTES = 16;

/** KernelFrame.bboDecode. @returns 0, or −1 when malformed */
export function decodeBbo(memory: Memory, frame: number, length: number, out: number): number {
  const { bytes, words } = memory;
  const end = frame + length - SEAL_BYTES;
  const isBbo = sealHolds(bytes, frame, length) && byteAt(bytes, frame) === FRAME_BBO;
  let at = isBbo ? readVarint(bytes, frame + 1, end) : -1;
  const flags = at >= 0 && at < end ? byteAt(bytes, at) : -1;
  if (flags < 0 || (flags & ~BBO_FLAGS_ALL) !== 0) {
    return MALFORMED;
  }
  words.fill(0, out >>> 2, (out + BBO_BYTES) >>> 2);
  at = readVarint(bytes, at + 1, end);
  if (at < 0 || end - at < TIMES_BYTES) {
    return MALFORMED;
  }
  words[(out + BBO_FLAGS) >>> 2] = flags;
  writeWords(words, out + BBO_VERSION, resultLow(), resultHigh());
  bytes.copyWithin(out + BBO_EVENT_AT, at, at + TIMES_BYTES);
  at += TIMES_BYTES;
  BEFORE.fill(0);
  if ((flags & HAS_BID) !== 0) {
    at = readLevel(memory, at, end, out + BBO_BID_PRICE, out + BBO_BID_QUANTITY);
  }
  if (at >= 0 && (flags & HAS_ASK) !== 0) {
    at = readLevel(memory, at, end, out + BBO_ASK_PRICE, out + BBO_ASK_QUANTITY);
  }
  return at === end ? 0 : MALFORMED;
}

function readLevel(memory: Memory, start: number, end: number, price: number, quantity: number): number {
  let at = readStep(memory, price, PRICE, start, end);
  at = at < 0 ? -1 : readQuantity(memory.bytes, at, end);
  if (at >= 0) {
    writeWords(memory.words, quantity, resultLow(), resultHigh());
  }
  return at;
}
