/**
 * The private range of one kernel instance: a bump allocator for what the host reads and writes (instrument blocks,
 * outcome, readers, replicas, encode buffers). Books and scratch live in typed arrays of their own.
 * Bad case: exhaustion; it returns 0 and every caller must turn that into an outcome.
 */
import type { Memory } from "./memory.ts";

const ALIGNMENT = 64;

/** A bump allocator; nothing is freed. */
export class Arena {
  readonly #memory: Memory;
  #base = 0;
  #top = 0;
  #limit = 0;

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

  /** Bytes in use. */
  used(): number {
    return this.#top - this.#base;
  }
}
