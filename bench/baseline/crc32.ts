/**
 * CRC-32 (IEEE) in plain JavaScript, eight bytes a step over typed tables, and Kraken's checksum over the baseline book.
 * Bad case: a table per step that is looked up through an array of arrays; one flat table keeps it in typed loads.
 */
import type { BaselineBook, BaselineSide } from "./book.ts";

const POLYNOMIAL = 0xedb88320;
const TABLE = makeTables();
const DEPTH = 10;
const TEXT_BYTES = 2 * DEPTH * 2 * 24;
const ZERO = 48;
const HALF = 1e9;

const text = new Uint8Array(TEXT_BYTES);

/** @param end first byte that does not count @returns u32 as a non-negative number */
export function crc32(bytes: Uint8Array, start: number, end: number): number {
  let crc = -1;
  let at = start;
  for (; end - at >= 8; at += 8) {
    const low =
      crc ^ (byte(bytes, at) | (byte(bytes, at + 1) << 8) | (byte(bytes, at + 2) << 16) | (byte(bytes, at + 3) << 24));
    crc =
      entry(7, low & 255) ^
      entry(6, (low >>> 8) & 255) ^
      entry(5, (low >>> 16) & 255) ^
      entry(4, low >>> 24) ^
      entry(3, byte(bytes, at + 4)) ^
      entry(2, byte(bytes, at + 5)) ^
      entry(1, byte(bytes, at + 6)) ^
      entry(0, byte(bytes, at + 7));
  }
  for (; at < end; at++) {
    crc = entry(0, (crc ^ byte(bytes, at)) & 255) ^ (crc >>> 8);
  }
  return ~crc >>> 0;
}

/**
 * Kraken's checksum: digits of the ten best asks, then bids, price and quantity, without point and leading zeros.
 * @param priceFactor 10^decimals of prices on the wire @param quantityFactor 10^decimals of quantities
 */
export function krakenChecksum(book: BaselineBook, priceFactor: number, quantityFactor: number): number {
  const end = writeSide(book.bids, writeSide(book.asks, 0, priceFactor, quantityFactor), priceFactor, quantityFactor);
  return crc32(text, 0, end);
}

function writeSide(side: BaselineSide, start: number, priceFactor: number, quantityFactor: number): number {
  const { keys, quantities, count, sign } = side;
  let at = start;
  for (let place = count - 1; place >= Math.max(0, count - DEPTH); place--) {
    at = writeDigits(Math.round(sign * (keys[place] as number) * priceFactor), at);
    at = writeDigits(Math.round((quantities[place] as number) * quantityFactor), at);
  }
  return at;
}

/** Digits of a whole double; below 2^31 by integer arithmetic. */
function writeDigits(value: number, start: number): number {
  if (value < HALF) {
    return writeSmall(value | 0, start);
  }
  const high = Math.floor(value / HALF);
  const at = writeSmall(high, start);
  let low = (value - high * HALF) | 0;
  for (let place = at + 8; place >= at; place--) {
    const rest = (low / 10) | 0;
    text[place] = ZERO + low - rest * 10;
    low = rest;
  }
  return at + 9;
}

function writeSmall(value: number, start: number): number {
  let end = start + 1;
  for (let rest = value; rest >= 10; rest = (rest / 10) | 0) {
    end += 1;
  }
  let left = value;
  for (let place = end - 1; place >= start; place--) {
    const rest = (left / 10) | 0;
    text[place] = ZERO + left - rest * 10;
    left = rest;
  }
  return end;
}

function byte(bytes: Uint8Array, at: number): number {
  return bytes[at] as number;
}

function entry(table: number, index: number): number {
  return TABLE[(table << 8) + index] as number;
}

function makeTables(): Int32Array {
  const tables = new Int32Array(8 * 256);
  for (let index = 0; index < 256; index++) {
    let value = index;
    for (let bit = 0; bit < 8; bit++) {
      value = value & 1 ? (value >>> 1) ^ POLYNOMIAL : value >>> 1;
    }
    tables[index] = value;
  }
  for (let index = 256; index < tables.length; index++) {
    const before = tables[index - 256] ?? 0;
    tables[index] = (tables[before & 255] ?? 0) ^ (before >>> 8);
  }
  return tables;
}
