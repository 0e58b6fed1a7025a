/**
 * Kraken's book checksum: the digits of the ten best asks, then of the ten best bids (price, then quantity, no point, no
 * leading zeros) through CRC-32. The digits are those of the wire: as many decimals as the exchange writes, trailing
 * zeros included, which the integers reproduce when they are scaled to the decimals seen in the tokens.
 * Bad case: an exchange that stops writing trailing zeros; the most decimals seen since the snapshot still stand.
 */
import {
  INSTRUMENT_PRICE_EXPONENT,
  INSTRUMENT_QUANTITY_EXPONENT,
  INSTRUMENT_WIRE_PRICE_DECIMALS,
  INSTRUMENT_WIRE_QUANTITY_DECIMALS,
} from "../../../assembly/layout.ts";
import type { Book, BookSide } from "./book.ts";
import { crc32 } from "./crc32.ts";
import { writeDigits, writeNumber } from "./digits.ts";
import { divideByPower, isSafe, powerOfTen, resultHigh, resultLow, toNumber } from "./int64.ts";
import { fieldOf } from "./memory.ts";

const DEPTH = 10;
const ZERO = 0x30;
const NUMBER_DIGITS = 38;
const TEXT = new Uint8Array(2 * DEPTH * 2 * NUMBER_DIGITS);

/**
 * CRC-32 over the digits of the top ten levels of both sides.
 * @returns u32 as a non-negative number
 * @see https://docs.kraken.com/api/docs/guides/spot-ws-book-v2 (read 2026-11)
 */
export function checksumOf(words: Int32Array, instrument: number, book: Book): number {
  const pricePower =
    fieldOf(words, instrument, INSTRUMENT_WIRE_PRICE_DECIMALS) - fieldOf(words, instrument, INSTRUMENT_PRICE_EXPONENT);
  const quantityPower =
    fieldOf(words, instrument, INSTRUMENT_WIRE_QUANTITY_DECIMALS) -
    fieldOf(words, instrument, INSTRUMENT_QUANTITY_EXPONENT);
  let at = writeSide(book.asks, 0, pricePower, quantityPower);
  at = writeSide(book.bids, at, pricePower, quantityPower);
  return crc32(TEXT, 0, at);
}

function writeSide(side: BookSide, start: number, pricePower: number, quantityPower: number): number {
  let at = start;
  const worst = Math.max(side.start, side.end - DEPTH);
  for (let place = side.end - 1; place >= worst; place--) {
    at = writeWire(side.priceLow(place), side.priceHigh(place), pricePower, at);
    at = writeWire(side.quantityLow(place), side.quantityHigh(place), quantityPower, at);
  }
  return at;
}

/** Digits of value × 10^power, without ever forming a number that could overflow. */
function writeWire(low: number, high: number, power: number, start: number): number {
  if (isSafe(high)) {
    const value = toNumber(low, high);
    const at = writeNumber(power < 0 ? Math.floor(value / powerOfTen(-power)) : value, TEXT, start);
    return power > 0 ? writeZeros(at, power) : at;
  }
  if (power < 0) {
    divideByPower(low, high, -power);
    return writeDigits(resultLow(), resultHigh(), TEXT, start);
  }
  return writeZeros(writeDigits(low, high, TEXT, start), power);
}

function writeZeros(at: number, count: number): number {
  for (let i = 0; i < count; i++) {
    TEXT[at + i] = ZERO;
  }
  return at + count;
}
