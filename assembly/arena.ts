/**
 * The private arena of one kernel instance: a bump allocator over the range that the host reserved for it.
 * Blocks of a power of two can be given back and are taken again by size; nothing else is freed, books recycle their chunks
 * themselves. The tables that elsewhere would be static data lie here, because static data would be rewritten by every
 * instantiation on the shared memory.
 * Bad case: exhaustion; it returns 0 and every caller must turn that into an outcome.
 */
let top: usize = 0;
let limit: usize = 0;
let origin: usize = 0;
let powers: usize = 0;
/** First free block of each power of two, u32 each. */
let freeBlocks: usize = 0;

/** Powers of ten that fit i64: 10^0 … 10^18. */
const POWERS: usize = 19;
const POWER_BYTES: usize = 32;
/** A block is at least 2^6 and at most 2^30 bytes. */
const BLOCK_ORDER_MIN: u32 = 6;
const BLOCK_ORDERS: usize = 31;
/** 5 × this = 1 modulo 2^64: a number that 5 divides is divided by multiplying. */
const INVERSE_OF_FIVE: u64 = 0xcccccccccccccccd;

export function arenaInit(base: usize, bytes: usize): void {
  origin = base;
  top = base;
  limit = base + bytes;
  powers = arenaAllocate(POWERS * POWER_BYTES);
  freeBlocks = arenaAllocate(BLOCK_ORDERS << 2);
  if (powers == 0 || freeBlocks == 0) unreachable();
  let value: i64 = 1;
  let inverse: u64 = 1;
  for (let k: usize = 0; k < POWERS; k++) {
    const at = powers + k * POWER_BYTES;
    store<i64>(at, value);
    store<i64>(at, i64.MAX_VALUE / value, 8);
    store<u64>(at, inverse, 16);
    value *= 10;
    inverse *= INVERSE_OF_FIVE;
  }
}

export function arenaAllocate(bytes: usize): usize {
  const at = (top + 63) & ~63;
  if (bytes > limit - at || at > limit) return 0;
  top = at + bytes;
  memory.fill(at, 0, bytes);
  return at;
}

export function arenaUsed(): usize {
  return top - origin;
}

function blockOrder(bytes: u32): u32 {
  return max<u32>(BLOCK_ORDER_MIN, 32 - clz<u32>(bytes - 1));
}

/** Takes zeroed bytes, rounded up to a power of two, that blockRelease can give back. @returns 0 when exhausted */
export function blockTake(bytes: u32): usize {
  if (bytes == 0 || bytes > 1 << 30) return 0;
  const order = blockOrder(bytes);
  const size = (<usize>1) << order;
  const slot = freeBlocks + (order << 2);
  const block = <usize>load<u32>(slot);
  if (block == 0) return arenaAllocate(size);
  store<u32>(slot, load<u32>(block));
  memory.fill(block, 0, size);
  return block;
}

/** Gives a block back. @param bytes as it was taken with */
export function blockRelease(block: usize, bytes: u32): void {
  if (block == 0) return;
  const slot = freeBlocks + (blockOrder(bytes) << 2);
  store<u32>(block, load<u32>(slot));
  store<u32>(slot, <u32>block);
}

/** 10^k for k in 0 … 18. */
export function powerOfTen(k: i32): i64 {
  return load<i64>(powers + ((<usize>k) << 5));
}

/** The largest i64 that 10^k can multiply without overflow. */
export function powerLimit(k: i32): i64 {
  return load<i64>(powers + ((<usize>k) << 5), 8);
}

/** Divides by 10^k what 10^k divides without remainder, without a division. */
export function divideExactly(value: i64, k: i32): i64 {
  return <i64>(<u64>(value >> k) * load<u64>(powers + ((<usize>k) << 5), 16));
}
