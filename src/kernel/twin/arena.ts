/**
 * The private range of one kernel instance: a bump allocator for what the host reads and writes (instrument blocks,
 * outcome, readers, replicas, encode buffers, histories). Blocks of a power of two can be given back and are taken again by
 * size. Books and scratch live in typed arrays of their own.
 * Bad case: exhaustion; it returns 0 and every caller must turn that into an outcome.
 */
import type { Memory } from "./memory.ts";

const ALIGNMENT = 64;
const BLOCK_BYTES_MAX = 2 ** 30;
const ORDER_MIN = 6;
const ORDERS = 31;

/** A bump allocator with free lists of blocks. */
export class Arena {
  readonly #memory: Memory;
  #base = 0;
  #top = 0;
  #limit = 0;
  readonly #free: number[][] = Array.from({ length: ORDERS }, () => []);

  constructor(memory: Memory) {
    this.#memory = memory;
  }

  /** Gives the range. @param base 64-aligned */
  open(base: number, bytes: number): void {
    this.#base = base;
    this.#top = base;
    this.#limit = base + bytes;
  }

  /** Allocates zeroed bytes, 64-aligned. @returns 0 when the range is exhausted */
  allocate(bytes: number): number {
    const at = Math.ceil(this.#top / ALIGNMENT) * ALIGNMENT;
    if (at + bytes > this.#limit) {
      return 0;
    }
    this.#top = at + bytes;
    this.#memory.bytes.fill(0, at, at + bytes);
    return at;
  }

  /** Takes zeroed bytes, rounded up to a power of two, that `release` can give back. @returns 0 when exhausted */
  take(bytes: number): number {
    if (bytes === 0 || bytes > BLOCK_BYTES_MAX) {
      return 0;
    }
    const order = orderOf(bytes);
    const block = this.#free[order]?.pop();
    if (block === undefined) {
      return this.allocate(2 ** order);
    }
    this.#memory.bytes.fill(0, block, block + 2 ** order);
    return block;
  }

  /** Gives a block back. @param bytes as it was taken with */
  release(block: number, bytes: number): void {
    if (block !== 0) {
      this.#free[orderOf(bytes)]?.push(block);
    }
  }

  /** Bytes in use. */
  used(): number {
    return this.#top - this.#base;
  }
}

function orderOf(bytes: number): number {
  return Math.max(ORDER_MIN, 32 - Math.clz32(bytes - 1));
}
