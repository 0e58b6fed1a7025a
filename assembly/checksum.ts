/**
 * Kraken's book checksum: the digits of the ten best asks, then of the ten best bids (price, then quantity, no point, no
 * leading zeros) through CRC-32. The digits are those of the wire: as many decimals as the exchange writes, trailing zeros
 * included, which the integers reproduce when they are scaled to the decimals seen in the tokens.
 * No text is written: each of the best levels keeps the CRC of its own digits, and a side is the sum of its levels, each
 * moved past the digits behind it. An event costs the digits of the levels that it brought in.
 * Bad case: an exchange that stops writing trailing zeros; the most decimals seen since the snapshot still stand.
 * Source: https://docs.kraken.com/api/docs/guides/spot-ws-book-v2 (read 2026-11).
 */
import { arenaAllocate, powerLimit, powerOfTen } from "./arena";
import { CHUNKS, ENTRY_BYTES, ENTRY_CHUNK, ENTRY_COUNT } from "./book_chunks";
import { crcEight, crcPrepare, crcShift, crcShiftFar, crcZeros } from "./crc32";
import {
  INSTRUMENT_CHECKSUM_CACHE,
  INSTRUMENT_PRICE_EXPONENT,
  INSTRUMENT_QUANTITY_EXPONENT,
  INSTRUMENT_WIRE_PRICE_DECIMALS,
  INSTRUMENT_WIRE_QUANTITY_DECIMALS,
} from "./layout";
import { digitsOf, HUNDRED_MILLION, ZEROS } from "./quantize";

const DEPTH: u32 = 10;
/** Slot of a level: the level as the book keeps it, 16 bytes · crc u32 · length u32 · crc u32 and length u32 of the side up to here. */
const SLOT_BYTES: usize = 32;
const SLOT_CRC: usize = 16;
const SLOT_LENGTH: usize = 20;
const SLOT_SIDE_CRC: usize = 24;
const SLOT_SIDE_LENGTH: usize = 28;
/** Side in the cache: slots · count u32. */
const COUNT: usize = <usize>DEPTH * SLOT_BYTES;
const SIDE_BYTES: usize = COUNT + 16;
/** Cache: asks · bids · powers of the digits i32 × 2. */
const POWERS: usize = 2 * SIDE_BYTES;
const CACHE_BYTES: usize = POWERS + 8;
/** What an empty side of asks leaves: the CRC begins so. */
const START: u32 = 0xffffffff;

let former: usize = 0;

/** CRC-32 over the digits of the top ten levels of both sides. */
export function checksumOf(instrument: usize, book: usize): u32 {
  const cache = cacheOf(instrument);
  const pricePower =
    load<i32>(instrument, INSTRUMENT_WIRE_PRICE_DECIMALS) - load<i32>(instrument, INSTRUMENT_PRICE_EXPONENT);
  const quantityPower =
    load<i32>(instrument, INSTRUMENT_WIRE_QUANTITY_DECIMALS) - load<i32>(instrument, INSTRUMENT_QUANTITY_EXPONENT);
  if (load<i32>(cache + POWERS) != pricePower || load<i32>(cache + POWERS, 4) != quantityPower) {
    store<u32>(cache, 0, COUNT);
    store<u32>(cache + SIDE_BYTES, 0, COUNT);
    store<i32>(cache + POWERS, pricePower);
    store<i32>(cache + POWERS, quantityPower, 4);
  }
  follow(book + 16, cache, ~(<i64>0), START, pricePower, quantityPower);
  follow(book, cache + SIDE_BYTES, 0, 0, pricePower, quantityPower);
  const asks = load<u32>(cache, COUNT);
  const bids = load<u32>(cache + SIDE_BYTES, COUNT);
  const crc = asks == 0 ? START : load<u32>(slotAt(cache, asks) - SLOT_BYTES, SLOT_SIDE_CRC);
  if (bids == 0) return ~crc;
  const last = slotAt(cache + SIDE_BYTES, bids) - SLOT_BYTES;
  return ~(crcShiftFar(crc, load<u32>(last, SLOT_SIDE_LENGTH)) ^ load<u32>(last, SLOT_SIDE_CRC));
}

function slotAt(side: usize, i: u32): usize {
  return side + ((<usize>i) << 5);
}

function cacheOf(instrument: usize): usize {
  if (former == 0) {
    former = arenaAllocate(<usize>DEPTH * SLOT_BYTES);
    if (former == 0) unreachable();
    crcPrepare();
  }
  let cache = <usize>load<u32>(instrument, INSTRUMENT_CHECKSUM_CACHE);
  if (cache == 0) {
    cache = arenaAllocate(CACHE_BYTES);
    if (cache == 0) unreachable();
    store<u32>(instrument, <u32>cache, INSTRUMENT_CHECKSUM_CACHE);
  }
  return cache;
}

let chunkEntry: usize = 0;
let walked: usize = 0;
let left: u32 = 0;

/** Stands on the best level of a side of the book. */
function walkBegin(side: usize): void {
  chunkEntry = <usize>load<u32>(side) + (load<u32>(side, CHUNKS) - 1) * ENTRY_BYTES;
  left = load<u32>(chunkEntry, ENTRY_COUNT);
  walked = <usize>load<u32>(chunkEntry, ENTRY_CHUNK) + ((<usize>left) << 4) - 16;
}

/** Stands on the next level; there must be one. */
function walkNext(): void {
  walked -= 16;
  if (--left != 0) return;
  chunkEntry -= ENTRY_BYTES;
  left = load<u32>(chunkEntry, ENTRY_COUNT);
  walked = <usize>load<u32>(chunkEntry, ENTRY_CHUNK) + ((<usize>left) << 4) - 16;
}

/**
 * Brings the slots of a side up to date: levels that were there before keep their CRC, wherever they stand now.
 * @param flip what turns a key of the book into a price
 */
function follow(side: usize, cache: usize, flip: i64, start: u32, pricePower: i32, quantityPower: i32): void {
  const count = min<u32>(load<u32>(side, 12), DEPTH);
  let held = load<u32>(cache, COUNT);
  store<u32>(cache, count, COUNT);
  if (count == 0) return;
  walkBegin(side);
  let i: u32 = 0;
  while (i < held && v128.all_true<i64>(i64x2.eq(v128.load(slotAt(cache, i)), v128.load(walked)))) {
    i++;
    if (i == count) return;
    walkNext();
  }
  held -= i;
  const kept = slotAt(cache, i);
  for (let k: u32 = 0; k < held; k++) {
    v128.store(slotAt(former, k), v128.load(slotAt(kept, k)));
    v128.store(slotAt(former, k), v128.load(slotAt(kept, k), 16), 16);
  }
  let crc = i == 0 ? start : load<u32>(kept - SLOT_BYTES, SLOT_SIDE_CRC);
  let length: u32 = i == 0 ? 0 : load<u32>(kept - SLOT_BYTES, SLOT_SIDE_LENGTH);
  let old = former;
  const oldEnd = slotAt(former, held);
  while (true) {
    const slot = slotAt(cache, i);
    const level = v128.load(walked);
    const key = load<i64>(walked);
    while (old < oldEnd && load<i64>(old) > key) old += SLOT_BYTES;
    if (old < oldEnd && v128.all_true<i64>(i64x2.eq(v128.load(old), level))) {
      levelCrc = load<u32>(old, SLOT_CRC);
      levelLength = load<u32>(old, SLOT_LENGTH);
    } else measure(key ^ flip, load<i64>(walked, 8), pricePower, quantityPower);
    crc = crcShift(crc, levelLength) ^ levelCrc;
    length += levelLength;
    v128.store(slot, level);
    store<u32>(slot, levelCrc, SLOT_CRC);
    store<u32>(slot, levelLength, SLOT_LENGTH);
    store<u32>(slot, crc, SLOT_SIDE_CRC);
    store<u32>(slot, length, SLOT_SIDE_LENGTH);
    if (++i == count) return;
    walkNext();
  }
}

let levelCrc: u32 = 0;
let levelLength: u32 = 0;
let numberLength: u32 = 0;

/** CRC and length of the digits of one level. */
function measure(price: i64, quantity: i64, pricePower: i32, quantityPower: i32): void {
  const first = crcOfNumber(price, pricePower);
  const length = numberLength;
  const second = crcOfNumber(quantity, quantityPower);
  levelCrc = crcShift(first, numberLength) ^ second;
  levelLength = length + numberLength;
}

/** CRC (without its first and last complement) of the digits of value × 10^power; their number is in numberLength. */
function crcOfNumber(value: i64, power: i32): u32 {
  if (power == 0) return crcOfDigits(<u64>value);
  if (power < 0) return crcOfDigits(<u64>(value / powerOfTen(-power)));
  if (power <= 18 && value <= powerLimit(power)) return crcOfDigits(<u64>(value * powerOfTen(power)));
  const crc = crcOfDigits(<u64>value);
  numberLength += power;
  return crcZeros(crc, power);
}

/** The digits go through as words of eight; bytes of zero in front of the first digit change nothing. */
function crcOfDigits(value: u64): u32 {
  if (value < HUNDRED_MILLION) {
    const digits = digitsOf(<u32>value);
    const skip = min<u64>(ctz<u64>(digits | 0x0100000000000000) >> 3, 7);
    numberLength = 8 - <u32>skip;
    return crcEight(0, ((digits + ZEROS) >> (skip << 3)) << (skip << 3));
  }
  const high = value / HUNDRED_MILLION;
  const crc = crcOfDigits(high);
  numberLength += 8;
  return crcEight(crc, digitsOf(<u32>(value - high * HUNDRED_MILLION)) + ZEROS);
}
