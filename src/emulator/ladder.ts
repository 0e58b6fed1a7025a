/**
 * One side of a synthetic book: levels sorted so that the best stands last, because nearly every change happens near
 * the touch and then moves only a few entries. Integers throughout, held in Float64Array (exact up to 2^53).
 * Bad case: a change at the far end of 22,500 levels moves them all; that is one memmove of 180 KB, about 5 µs, and rare.
 */

/** The bid side. */
export const BID = 0;
/** The ask side. */
export const ASK = 1;
/** 0 bid, 1 ask. */
export type BookSide = typeof BID | typeof ASK;

/** Factors, powers of ten, by which integers grow when units get finer. */
export type Scale = { readonly price: number; readonly quantity: number };

/** The levels of one side. */
export class Ladder {
  readonly side: BookSide;
  #keys: Float64Array;
  #quantities: Float64Array;
  #count = 0;

  /** @param side bids rank by highest price, asks by lowest @param capacity levels to reserve */
  constructor(side: BookSide, capacity = 1024) {
    this.side = side;
    this.#keys = new Float64Array(capacity);
    this.#quantities = new Float64Array(capacity);
  }

  /** Number of levels. */
  get count(): number {
    return this.#count;
  }

  /** The price of the best level in ticks; NaN when the side is empty. */
  get best(): number {
    return this.price(0);
  }

  /** The price of a level. @param rank 0 is the best @returns ticks; NaN when there are not so many levels */
  price(rank: number): number {
    const key = this.#keys[this.#count - 1 - rank];
    return rank < this.#count && key !== undefined ? this.#price(key) : Number.NaN;
  }

  /** The quantity of a level. @param rank 0 is the best @returns lots; 0 when there are not so many levels */
  quantity(rank: number): number {
    return rank < this.#count ? (this.#quantities[this.#count - 1 - rank] ?? 0) : 0;
  }

  /** The quantity at a price. @returns lots; 0 when no level stands there */
  quantityAt(price: number): number {
    const index = this.#find(this.#key(price));
    return index >= 0 ? (this.#quantities[index] ?? 0) : 0;
  }

  /** Whether a price ranks at least as well as another on this side. */
  reaches(price: number, other: number): boolean {
    return this.side === BID ? price >= other : price <= other;
  }

  /**
   * Sets, adds or removes a level.
   * @param price ticks, 1 … 2^53-1
   * @param quantity absolute, lots; 0 removes
   * @returns the quantity before; 0 when there was no level
   * @throws RangeError for anything but safe integers: a rounded price would be a wrong book
   */
  set(price: number, quantity: number): number {
    if (!Number.isSafeInteger(price) || !Number.isSafeInteger(quantity) || price < 1 || quantity < 0) {
      throw new RangeError(`Cannot set a level: not a positive safe integer, was ${price} × ${quantity}`);
    }
    const key = this.#key(price);
    const index = this.#find(key);
    if (index >= 0) {
      const before = this.#quantities[index] ?? 0;
      if (quantity === 0) {
        this.#remove(index);
      } else {
        this.#quantities[index] = quantity;
      }
      return before;
    }
    if (quantity > 0) {
      this.#insert(~index, key, quantity);
    }
    return 0;
  }

  /** How many levels are better than a price, whether or not a level stands there. */
  rankOf(price: number): number {
    const index = this.#find(this.#key(price));
    return index >= 0 ? this.#count - 1 - index : this.#count - ~index;
  }

  /** The same levels, on their own. Cost: one copy of the arrays. */
  clone(): Ladder {
    const copy = new Ladder(this.side, 0);
    copy.#keys = this.#keys.slice(0, this.#count);
    copy.#quantities = this.#quantities.slice(0, this.#count);
    copy.#count = this.#count;
    return copy;
  }

  /** Whether every level stays a safe integer in finer units. */
  fits({ price, quantity }: Scale): boolean {
    for (let index = 0; index < this.#count; index += 1) {
      const key = (this.#keys[index] ?? 0) * price;
      if (!Number.isSafeInteger(key) || !Number.isSafeInteger((this.#quantities[index] ?? 0) * quantity)) {
        return false;
      }
    }
    return true;
  }

  /** Counts in finer units from here on; they must fit. */
  scale({ price, quantity }: Scale): void {
    this.#keys = this.#keys.map((key) => key * price);
    this.#quantities = this.#quantities.map((lots) => lots * quantity);
  }

  // Bids are keyed by price and asks by its negative: on both sides the best level has the highest key.
  #key(price: number): number {
    return this.side === BID ? price : -price;
  }

  #price(key: number): number {
    return this.side === BID ? key : -key;
  }

  #find(key: number): number {
    let low = 0;
    let high = this.#count - 1;
    while (low <= high) {
      const middle = (low + high) >>> 1;
      const at = this.#keys[middle] ?? 0;
      if (at === key) {
        return middle;
      }
      if (at < key) {
        low = middle + 1;
      } else {
        high = middle - 1;
      }
    }
    return ~low;
  }

  #insert(index: number, key: number, quantity: number): void {
    if (this.#count === this.#keys.length) {
      this.#keys = grown(this.#keys);
      this.#quantities = grown(this.#quantities);
    }
    this.#keys.copyWithin(index + 1, index, this.#count);
    this.#quantities.copyWithin(index + 1, index, this.#count);
    this.#keys[index] = key;
    this.#quantities[index] = quantity;
    this.#count += 1;
  }

  #remove(index: number): void {
    this.#keys.copyWithin(index, index + 1, this.#count);
    this.#quantities.copyWithin(index, index + 1, this.#count);
    this.#count -= 1;
  }
}

function grown(array: Float64Array): Float64Array {
  const larger = new Float64Array(Math.max(16, array.length * 2));
  larger.set(array);
  return larger;
}
