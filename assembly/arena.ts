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

export function arenaInit(base: usize, bytes: usize): void {
  origin = base;
  top = base;
  limit = base + bytes;
  powers = arenaAllocate(POWERS * 16);
  if (powers == 0) unreachable();
  let value: i64 = 1;
  for (let k: usize = 0; k < POWERS; k++) {
    store<i64>(powers + k * 16, value);
    store<i64>(powers + k * 16 + 8, i64.MAX_VALUE / value);
    value *= 10;
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
  return load<i64>(powers + ((<usize>k) << 4));
}

/** The largest i64 that 10^k can multiply without overflow. */
export function powerLimit(k: i32): i64 {
  return load<i64>(powers + ((<usize>k) << 4), 8);
}
