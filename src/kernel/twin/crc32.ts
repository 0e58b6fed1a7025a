/**
 * CRC-32 (IEEE 802.3, reflected polynomial 0xEDB88320), four bytes a step with four tables. Kraken's book checksum is
 * taken over a few hundred digits of every message, hence the tables.
 * Bad case: a checksum compared as a signed number; the result is unsigned.
 */
import { byteAt, wordAt } from "./memory.ts";

const POLYNOMIAL = 0xedb88320;
const TABLE_LENGTH = 256;
const TABLES = createTables();

/**
 * Checksum of a range.
 * @param start first byte @param end after the last one
 * @param before checksum of what stands in front of the range; 0 = nothing
 * @returns u32 as a non-negative number
 */
export function crc32(bytes: Uint8Array, start: number, end: number, before = 0): number {
  let crc = ~before;
  let at = start;
  for (; end - at >= 4; at += 4) {
    const low = byteAt(bytes, at) | (byteAt(bytes, at + 1) << 8);
    crc ^= low | (byteAt(bytes, at + 2) << 16) | (byteAt(bytes, at + 3) << 24);
    crc =
      wordAt(TABLES, 3 * TABLE_LENGTH + (crc & 255)) ^
      wordAt(TABLES, 2 * TABLE_LENGTH + ((crc >>> 8) & 255)) ^
      wordAt(TABLES, TABLE_LENGTH + ((crc >>> 16) & 255)) ^
      wordAt(TABLES, crc >>> 24);
  }
  for (; at < end; at++) {
    crc = wordAt(TABLES, (crc ^ byteAt(bytes, at)) & 255) ^ (crc >>> 8);
  }
  return ~crc >>> 0;
}

function createTables(): Int32Array {
  const tables = new Int32Array(4 * TABLE_LENGTH);
  for (let index = 0; index < TABLE_LENGTH; index++) {
    let crc = index;
    for (let bit = 0; bit < 8; bit++) {
      crc = (crc & 1) === 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1;
    }
    tables[index] = crc;
  }
  for (let index = TABLE_LENGTH; index < tables.length; index++) {
    const before = wordAt(tables, index - TABLE_LENGTH);
    tables[index] = wordAt(tables, before & 255) ^ (before >>> 8);
  }
  return tables;
}
