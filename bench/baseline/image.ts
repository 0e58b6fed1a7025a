/**
 * A typed-array book copied into shared memory and out of it: the plain JavaScript image.
 * Bad case: a copy taken while the book changes; there is no generation and no hash that would show it.
 */
import type { BaselineBook, BaselineSide } from "./book.ts";

const HEADER = 2;

/** One image with room for a book and half of it again. */
export class BaselineImage {
  readonly #capacity: number;
  readonly #numbers: Float64Array;

  /** @param book that it must have room for */
  constructor(book: BaselineBook) {
    this.#capacity = Math.ceil(Math.max(book.bids.count, book.asks.count) * 1.5);
    const numbers = HEADER + 4 * this.#capacity;
    this.#numbers = new Float64Array(new SharedArrayBuffer(numbers * Float64Array.BYTES_PER_ELEMENT));
  }

  /** Copies a book in. */
  write({ bids, asks }: BaselineBook): void {
    this.#numbers[0] = bids.count;
    this.#numbers[1] = asks.count;
    this.#writeSide(bids, 0);
    this.#writeSide(asks, 2);
  }

  /** Copies the image out. @returns levels */
  load({ bids, asks }: BaselineBook): number {
    this.#loadSide(bids, { count: this.#numbers[0] ?? 0, column: 0 });
    this.#loadSide(asks, { count: this.#numbers[1] ?? 0, column: 2 });
    return bids.count + asks.count;
  }

  #writeSide({ keys, quantities, count }: BaselineSide, column: number): void {
    this.#numbers.set(keys.subarray(0, count), HEADER + column * this.#capacity);
    this.#numbers.set(quantities.subarray(0, count), HEADER + (column + 1) * this.#capacity);
  }

  #loadSide(side: BaselineSide, { count, column }: { count: number; column: number }): void {
    if (side.keys.length < count) {
      side.keys = new Float64Array(this.#capacity);
      side.quantities = new Float64Array(this.#capacity);
    }
    const keys = HEADER + column * this.#capacity;
    side.keys.set(this.#numbers.subarray(keys, keys + count));
    side.quantities.set(this.#numbers.subarray(keys + this.#capacity, keys + this.#capacity + count));
    side.count = count;
  }
}
