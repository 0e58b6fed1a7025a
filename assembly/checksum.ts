/**
 * Kraken's book checksum: the digits of the ten best asks, then of the ten best bids (price, then quantity, no point, no
 * leading zeros) through CRC-32. The digits are those of the wire: as many decimals as the exchange writes, trailing zeros
 * included, which the integers reproduce when they are scaled to the decimals seen in the tokens.
 * Bad case: an exchange that stops writing trailing zeros; the most decimals seen since the snapshot still stand.
 * Source: https://docs.kraken.com/api/docs/guides/spot-ws-book-v2 (read 2026-11).
 */
import { arenaAllocate, powerOfTen } from "./arena";
import { bookWalk } from "./book";
import { crc32 } from "./crc32";
import {
  INSTRUMENT_PRICE_EXPONENT,
  INSTRUMENT_QUANTITY_EXPONENT,
  INSTRUMENT_WIRE_PRICE_DECIMALS,
  INSTRUMENT_WIRE_QUANTITY_DECIMALS,
  LEVEL_BYTES,
  LEVEL_PRICE,
  LEVEL_QUANTITY,
  SIDE_ASK,
  SIDE_BID,
} from "./layout";
import { writeDigits } from "./quantize";

const DEPTH: u32 = 10;
/** Two sides of ten levels of two numbers of at most 38 digits. */
const TEXT_BYTES: usize = 2 * 10 * 2 * 38;
let levels: usize = 0;
let text: usize = 0;

/** CRC-32 over the digits of the top ten levels of both sides. */
export function checksumOf(instrument: usize, book: usize): u32 {
  if (levels == 0) {
    levels = arenaAllocate(DEPTH * LEVEL_BYTES);
    text = arenaAllocate(TEXT_BYTES);
    if (levels == 0 || text == 0) unreachable();
  }
  const pricePower =
    load<i32>(instrument, INSTRUMENT_WIRE_PRICE_DECIMALS) - load<i32>(instrument, INSTRUMENT_PRICE_EXPONENT);
  const quantityPower =
    load<i32>(instrument, INSTRUMENT_WIRE_QUANTITY_DECIMALS) - load<i32>(instrument, INSTRUMENT_QUANTITY_EXPONENT);
  let at = writeSide(book, SIDE_ASK, text, pricePower, quantityPower);
  at = writeSide(book, SIDE_BID, at, pricePower, quantityPower);
  return crc32(text, at - text);
}

function writeSide(book: usize, side: u32, at: usize, pricePower: i32, quantityPower: i32): usize {
  const count = bookWalk(book, side, 0, DEPTH, levels);
  for (let i: u32 = 0; i < count; i++) {
    const level = levels + i * LEVEL_BYTES;
    at = writeWire(load<i64>(level, LEVEL_PRICE), pricePower, at);
    at = writeWire(load<i64>(level, LEVEL_QUANTITY), quantityPower, at);
  }
  return at;
}

/** Digits of value × 10^power, without ever forming a number that could overflow. */
function writeWire(value: i64, power: i32, at: usize): usize {
  if (power < 0) return at + writeDigits(<u64>(value / powerOfTen(-power)), at);
  at += writeDigits(<u64>value, at);
  for (let i = 0; i < power; i++) store<u8>(at + i, 0x30);
  return at + power;
}
