/**
 * The twin's view of the linear memory: bytes for frames and text, 32-bit words for everything with a layout. 64-bit
 * fields are two words (low, high); as doubles they pass through `readU64` and `writeU64` only where they count things
 * (positions, levels), never where they carry prices, quantities or the exchange's numbers.
 * Bad case: one call site that sees both kinds of array; hence one accessor for each.
 */

/** Typed views over one buffer. Addresses are byte addresses; words are addressed by `address >>> 2`. */
export type Memory = {
  readonly buffer: ArrayBufferLike;
  readonly bytes: Uint8Array;
  readonly words: Int32Array;
};

const TWO_32 = 4294967296;

/**
 * Makes the views.
 * @param buffer its length is a multiple of four; it must not grow or shrink afterwards
 */
export function createMemory(buffer: ArrayBufferLike): Memory {
  return { buffer, bytes: new Uint8Array(buffer), words: new Int32Array(buffer) };
}

/** A word by index. Cost: one load; the index must lie inside. */
export function wordAt(words: Int32Array, index: number): number {
  return words[index] as number;
}

/** A byte by index. Cost: one load; the index must lie inside. */
export function byteAt(bytes: Uint8Array, index: number): number {
  return bytes[index] as number;
}

/** A 32-bit field of a block, signed. @param block 4-aligned address @param field offset, a multiple of four */
export function fieldOf(words: Int32Array, block: number, field: number): number {
  return wordAt(words, (block + field) >>> 2);
}

/** The u64 at an address as a double; exact below 2^53. */
export function readU64(words: Int32Array, address: number): number {
  const index = address >>> 2;
  return (wordAt(words, index + 1) >>> 0) * TWO_32 + (wordAt(words, index) >>> 0);
}

/** Writes a non-negative integer below 2^53 as u64. */
export function writeU64(words: Int32Array, address: number, value: number): void {
  const index = address >>> 2;
  words[index] = value;
  words[index + 1] = value / TWO_32;
}

/** Writes 64 bits given as two words. */
export function writeWords(words: Int32Array, address: number, low: number, high: number): void {
  const index = address >>> 2;
  words[index] = low;
  words[index + 1] = high;
}

/** Copies 64 bits. */
export function copyWords(words: Int32Array, to: number, from: number): void {
  words[to >>> 2] = wordAt(words, from >>> 2);
  words[(to + 4) >>> 2] = wordAt(words, (from + 4) >>> 2);
}

/** Adds to a u64 in place. @param amount 0 … 2^31 */
export function addU64(words: Int32Array, address: number, amount: number): void {
  const index = address >>> 2;
  const low = (wordAt(words, index) >>> 0) + amount;
  words[index] = low;
  if (low >= TWO_32) {
    words[index + 1] = wordAt(words, index + 1) + 1;
  }
}

/**
 * Publishes a u64 position so that a reader in another thread sees it whole and after everything written before it.
 * The high word changes once in 4 billion records; only then the store is 64 bits wide.
 * @param value at or above the value stored there
 */
export function storePosition(memory: Memory, address: number, value: number): void {
  const index = address >>> 2;
  const high = Math.floor(value / TWO_32) | 0;
  if (wordAt(memory.words, index + 1) === high) {
    Atomics.store(memory.words, index, value | 0);
  } else {
    Atomics.store(new BigUint64Array(memory.buffer, address, 1), 0, BigInt(value));
  }
}

/** Reads a u64 position that another thread may be moving forward. @returns exact below 2^53 */
export function loadPosition(words: Int32Array, address: number): number {
  const index = address >>> 2;
  for (;;) {
    const high = Atomics.load(words, index + 1);
    const low = Atomics.load(words, index);
    if (Atomics.load(words, index + 1) === high) {
      return (high >>> 0) * TWO_32 + (low >>> 0);
    }
  }
}
