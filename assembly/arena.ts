/**
 * The private arena of one kernel instance: a bump allocator over the range that the host reserved for it.
 * Nothing is freed; books recycle their chunks themselves. The tables that elsewhere would be static data lie here,
 * because static data would be rewritten by every instantiation on the shared memory.
 * Bad case: exhaustion; it returns 0 and every caller must turn that into an outcome.
 */
let top: usize = 0;
let limit: usize = 0;
let origin: usize = 0;
let powers: usize = 0;

/** Powers of ten that fit i64: 10^0 … 10^18. */
const POWERS: usize = 19;
const POWER_BYTES: usize = 32;
/** 5 × this = 1 modulo 2^64: a number that 5 divides is divided by multiplying. */
const INVERSE_OF_FIVE: u64 = 0xcccccccccccccccd;

export function arenaInit(base: usize, bytes: usize): void {
  origin = base;
  top = base;
  limit = base + bytes;
  powers = arenaAllocate(POWERS * POWER_BYTES);
  if (powers == 0) unreachable();
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
