/**
 * CRC-32 (IEEE 802.3, reflected polynomial 0xEDB88320), eight bytes a step with eight tables of 1 KiB in the arena.
 * Kraken's book checksum is taken over a few hundred digits of every message, hence the tables.
 * Bad case: the tables are made on first use; that needs 8 KiB of arena.
 */
import { arenaAllocate } from "./arena";

const POLYNOMIAL: u32 = 0xedb88320;
let tables: usize = 0;

export function crc32(address: usize, length: usize): u32 {
  if (tables == 0) makeTables();
  const t = tables;
  let crc: u32 = 0xffffffff;
  const end = address + length;
  while (end - address >= 8) {
    const low = load<u32>(address) ^ crc;
    const high = load<u32>(address, 4);
    crc =
      load<u32>(t + ((low & 255) << 2), 7168) ^
      load<u32>(t + (((low >> 8) & 255) << 2), 6144) ^
      load<u32>(t + (((low >> 16) & 255) << 2), 5120) ^
      load<u32>(t + ((low >> 24) << 2), 4096) ^
      load<u32>(t + ((high & 255) << 2), 3072) ^
      load<u32>(t + (((high >> 8) & 255) << 2), 2048) ^
      load<u32>(t + (((high >> 16) & 255) << 2), 1024) ^
      load<u32>(t + ((high >> 24) << 2));
    address += 8;
  }
  while (address < end) {
    crc = load<u32>(t + (((crc ^ <u32>load<u8>(address)) & 255) << 2)) ^ (crc >> 8);
    address++;
  }
  return ~crc;
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
