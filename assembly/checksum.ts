/**
 * Kraken's book checksum: the digits of the ten best asks, then of the ten best bids (price, then quantity, no point, no
 * leading zeros) through CRC-32. The digits are those of the wire: as many decimals as the exchange writes, trailing zeros
 * included, which the integers reproduce when they are scaled to the decimals seen in the tokens.
 * The text of each side is kept per instrument and written anew only from the first level that changed.
 * Bad case: an exchange that stops writing trailing zeros; the most decimals seen since the snapshot still stand.
 * Source: https://docs.kraken.com/api/docs/guides/spot-ws-book-v2 (read 2026-11).
 */
import { arenaAllocate, powerOfTen } from "./arena";
import { bookWalk } from "./book";
import { crc32 } from "./crc32";
import {
  INSTRUMENT_CHECKSUM_CACHE,
  INSTRUMENT_PRICE_EXPONENT,
  INSTRUMENT_QUANTITY_EXPONENT,
  INSTRUMENT_WIRE_PRICE_DECIMALS,
  INSTRUMENT_WIRE_QUANTITY_DECIMALS,
  LEVEL_BYTES,
  SIDE_ASK,
  SIDE_BID,
} from "./layout";
import { writeDigits } from "./quantize";

const DEPTH: u32 = 10;
/** Ten levels of two numbers of at most 38 digits, and room for eight bytes beyond. */
const TEXT_BYTES: usize = 10 * 2 * 38 + 8;
/** Side in the cache: levels · ends u32 × 10 of their texts · count u32 · text. */
const ENDS: usize = 160;
const COUNT: usize = 200;
const TEXT: usize = 208;
const SIDE_BYTES: usize = TEXT + TEXT_BYTES;
/** Cache: asks · bids · powers of the texts i32 × 2. */
const POWERS: usize = 2 * SIDE_BYTES;
const CACHE_BYTES: usize = POWERS + 8;

let levels: usize = 0;
let joined: usize = 0;

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
  const asks = writeSide(book, SIDE_ASK, cache, pricePower, quantityPower);
  const bids = writeSide(book, SIDE_BID, cache + SIDE_BYTES, pricePower, quantityPower);
  memory.copy(joined, cache + TEXT, asks);
  memory.copy(joined + asks, cache + SIDE_BYTES + TEXT, bids);
  return crc32(joined, asks + bids);
}

function cacheOf(instrument: usize): usize {
  if (levels == 0) {
    levels = arenaAllocate(DEPTH * LEVEL_BYTES);
    joined = arenaAllocate(2 * TEXT_BYTES);
    if (levels == 0 || joined == 0) unreachable();
  }
  let cache = <usize>load<u32>(instrument, INSTRUMENT_CHECKSUM_CACHE);
  if (cache == 0) {
    cache = arenaAllocate(CACHE_BYTES);
    if (cache == 0) unreachable();
    store<u32>(instrument, <u32>cache, INSTRUMENT_CHECKSUM_CACHE);
  }
  return cache;
}

/** Brings the text of a side up to date. @returns its bytes */
function writeSide(book: usize, side: u32, cache: usize, pricePower: i32, quantityPower: i32): usize {
  const count = bookWalk(book, side, 0, DEPTH, levels);
  const kept = load<u32>(cache, COUNT);
  let i: u32 = 0;
  while (i < count && i < kept && sameLevel(cache + i * LEVEL_BYTES, levels + i * LEVEL_BYTES)) i++;
  let end: usize = i == 0 ? 0 : <usize>load<u32>(cache + (i << 2) - 4, ENDS);
  for (; i < count; i++) {
    const level = levels + i * LEVEL_BYTES;
    v128.store(cache + i * LEVEL_BYTES, v128.load(level));
    const text = cache + TEXT;
    end = writeWire(load<i64>(level), pricePower, text + end) - text;
    end = writeWire(load<i64>(level, 8), quantityPower, text + end) - text;
    store<u32>(cache + (i << 2), <u32>end, ENDS);
  }
  store<u32>(cache, count, COUNT);
  return end;
}

function sameLevel(a: usize, b: usize): bool {
  return load<i64>(a) == load<i64>(b) && load<i64>(a, 8) == load<i64>(b, 8);
}

/** Digits of value × 10^power, without ever forming a number that could overflow. */
function writeWire(value: i64, power: i32, at: usize): usize {
  if (power < 0) return at + writeDigits(<u64>(value / powerOfTen(-power)), at);
  at += writeDigits(<u64>value, at);
  for (let i = 0; i < power; i++) store<u8>(at + i, 0x30);
  return at + power;
}
