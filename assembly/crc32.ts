/**
 * CRC-32 (IEEE 802.3, reflected polynomial 0xEDB88320), eight bytes a step with eight tables of 1 KiB in the arena, and
 * tables that move a CRC past bytes of zero, so that the CRC of a whole is the sum of those of its parts.
 * Bad case: the tables are made on first use; that needs 8 KiB of arena, and 64 KiB more for the moves.
 */
import { arenaAllocate } from "./arena";

const POLYNOMIAL: u32 = 0xedb88320;
let tables: usize = 0;

export function crc32(address: usize, length: usize): u32 {
  if (tables == 0) makeTables();
  let crc: u32 = 0xffffffff;
  const end = address + length;
  while (end - address >= 8) {
    crc = crcEight(crc, load<u64>(address));
    address += 8;
  }
  while (address < end) {
    crc = load<u32>(tables + (((crc ^ <u32>load<u8>(address)) & 255) << 2)) ^ (crc >> 8);
    address++;
  }
  return ~crc;
}

/** A CRC after eight more bytes. The tables must be there. */
export function crcEight(crc: u32, word: u64): u32 {
  const t = tables;
  const low = <u32>word ^ crc;
  const high = <u32>(word >> 32);
  return (
    load<u32>(t + ((low & 255) << 2), 7168) ^
    load<u32>(t + (((low >> 8) & 255) << 2), 6144) ^
    load<u32>(t + (((low >> 16) & 255) << 2), 5120) ^
    load<u32>(t + ((low >> 24) << 2), 4096) ^
    load<u32>(t + ((high & 255) << 2), 3072) ^
    load<u32>(t + (((high >> 8) & 255) << 2), 2048) ^
    load<u32>(t + (((high >> 16) & 255) << 2), 1024) ^
    load<u32>(t + ((high >> 24) << 2))
  );
}

/** A CRC after `count` more characters `0`. */
export function crcZeros(crc: u32, count: i32): u32 {
  for (let i = 0; i < count; i++) crc = load<u32>(tables + (((crc ^ 0x30) & 255) << 2)) ^ (crc >> 8);
  return crc;
}

function makeTables(): void {
  tables = arenaAllocate(8192);
  if (tables == 0) unreachable();
  for (let i: u32 = 0; i < 256; i++) {
    let c = i;
    for (let bit = 0; bit < 8; bit++) c = c & 1 ? (c >> 1) ^ POLYNOMIAL : c >> 1;
    store<u32>(tables + (i << 2), c);
  }
  for (let table: u32 = 1; table < 8; table++) {
    for (let i: u32 = 0; i < 256; i++) {
      const before = load<u32>(tables + ((table - 1) << 10) + (i << 2));
      store<u32>(tables + (table << 10) + (i << 2), load<u32>(tables + ((before & 255) << 2)) ^ (before >> 8));
    }
  }
}

/** A move: what each of the 16 values of each of the eight nibbles becomes, 512 bytes. Made when it is first needed. */
const MOVE_SHIFT: usize = 9;
/** Moves past 0 … 79 bytes; behind them, moves past 0, 16 … 752 bytes. */
const MOVES_NEAR: u32 = 80;
const MOVES_FAR: u32 = 48;
let moves: usize = 0;

/** Makes room for all tables, for those who never call crc32. */
export function crcPrepare(): void {
  if (tables == 0) makeTables();
  if (moves == 0) moves = arenaAllocate((<usize>(MOVES_NEAR + MOVES_FAR)) << MOVE_SHIFT);
  if (moves == 0) unreachable();
}

/** A CRC moved past `count` bytes of zero. @param count below 80 */
export function crcShift(crc: u32, count: u32): u32 {
  const move = moves + ((<usize>count) << MOVE_SHIFT);
  if (load<u32>(move, 4) == 0) makeMove(move, count);
  return moved(crc, move);
}

/** The same for more bytes. @param count below 768 */
export function crcShiftFar(crc: u32, count: u32): u32 {
  const move = moves + ((<usize>(MOVES_NEAR + (count >> 4))) << MOVE_SHIFT);
  if (load<u32>(move, 4) == 0) makeMove(move, count & ~15);
  return crcShift(moved(crc, move), count & 15);
}

function moved(crc: u32, move: usize): u32 {
  return (
    load<u32>(move + ((crc << 2) & 60)) ^
    load<u32>(move + ((crc >> 2) & 60), 64) ^
    load<u32>(move + ((crc >> 6) & 60), 128) ^
    load<u32>(move + ((crc >> 10) & 60), 192) ^
    load<u32>(move + ((crc >> 14) & 60), 256) ^
    load<u32>(move + ((crc >> 18) & 60), 320) ^
    load<u32>(move + ((crc >> 22) & 60), 384) ^
    load<u32>(move + ((crc >> 26) & 60), 448)
  );
}

function makeMove(move: usize, count: u32): void {
  for (let nibble: u32 = 0; nibble < 8; nibble++) {
    const row = move + (nibble << 6);
    for (let value: u32 = 1; value < 16; value++) {
      let crc = value << (nibble << 2);
      for (let i: u32 = 0; i < count; i++) crc = load<u32>(tables + ((crc & 255) << 2)) ^ (crc >> 8);
      store<u32>(row + (value << 2), crc);
    }
  }
}
