/**
 * The honest JavaScript book: one sorted pair of Float64Arrays per side, number keys, best level at the end, so that work
 * near the touch moves a few numbers. Prices and quantities are doubles; there is no hash and no record.
 * Bad case: numbers of more than 15 digits; a double rounds them, which this book does not notice.
 */

/** Results of `set`. */
export const UNCHANGED = 0;
export const CHANGED = 1;
export const ADDED = 2;
export const REMOVED = 3;

/** Levels at the end that are looked at before the binary search. */
const TOUCH = 8;
/** Moves of at most this many numbers are done by a loop: `copyWithin` costs more to call. */
const LOOP_MOVES = 24;
const FIRST_CAPACITY = 64;

/** One side. Keys are prices for bids and negated prices for asks, so that both rise towards the best level. */
export class BaselineSide {
  readonly sign: number;
  count = 0;
  keys = new Float64Array(FIRST_CAPACITY);
  quantities = new Float64Array(FIRST_CAPACITY);

  constructor(isBid: boolean) {
    this.sign = isBid ? 1 : -1;
  }

  /** Sets one level to an absolute quantity; 0 removes it. @returns UNCHANGED, CHANGED, ADDED or REMOVED */
  set(price: number, quantity: number): number {
    const key = this.sign * price;
    const { keys, quantities, count } = this;
    let low = 0;
    let high = count;
    if (count > TOUCH && (keys[count - TOUCH] as number) < key) {
      low = count - TOUCH + 1;
    }
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((keys[middle] as number) < key) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    if (low < count && keys[low] === key) {
      if (quantity === 0) {
        this.#remove(low);
        return REMOVED;
      }
      if (quantities[low] === quantity) {
        return UNCHANGED;
      }
      quantities[low] = quantity;
      return CHANGED;
    }
    if (quantity === 0) {
      return UNCHANGED;
    }
    this.#insert(low, key, quantity);
    return ADDED;
  }

  /** Drops the worst levels beyond `depth`. @returns how many */
  truncate(depth: number): number {
    const dropped = this.count - depth;
    if (dropped <= 0) {
      return 0;
    }
    this.keys.copyWithin(0, dropped, this.count);
    this.quantities.copyWithin(0, dropped, this.count);
    this.count = depth;
    return dropped;
  }

  /** Price of the level at a rank, 0 = best. */
  price(rank: number): number {
    return this.sign * (this.keys[this.count - 1 - rank] ?? Number.NaN);
  }

  /** Quantity of the level at a rank, 0 = best. */
  quantity(rank: number): number {
    return this.quantities[this.count - 1 - rank] ?? Number.NaN;
  }

  /** Writes price and quantity of the best `limit` levels one behind the other. @returns levels written */
  walk(limit: number, out: Float64Array): number {
    const { keys, quantities, count, sign } = this;
    const taken = Math.min(limit, count);
    for (let rank = 0; rank < taken; rank++) {
      out[rank * 2] = sign * (keys[count - 1 - rank] as number);
      out[rank * 2 + 1] = quantities[count - 1 - rank] as number;
    }
    return taken;
  }

  /** Takes over another side's levels. */
  copyFrom(other: BaselineSide): void {
    this.#reserve(other.count);
    this.keys.set(other.keys.subarray(0, other.count));
    this.quantities.set(other.quantities.subarray(0, other.count));
    this.count = other.count;
  }

  #insert(at: number, key: number, quantity: number): void {
    const { count } = this;
    if (count === this.keys.length) {
      this.#reserve(count + 1);
    }
    const { keys, quantities } = this;
    if (count - at <= LOOP_MOVES) {
      for (let place = count; place > at; place--) {
        keys[place] = keys[place - 1] as number;
        quantities[place] = quantities[place - 1] as number;
      }
    } else {
      keys.copyWithin(at + 1, at, count);
      quantities.copyWithin(at + 1, at, count);
    }
    keys[at] = key;
    quantities[at] = quantity;
    this.count = count + 1;
  }

  #remove(at: number): void {
    const { keys, quantities } = this;
    const count = this.count - 1;
    if (count - at <= LOOP_MOVES) {
      for (let place = at; place < count; place++) {
        keys[place] = keys[place + 1] as number;
        quantities[place] = quantities[place + 1] as number;
      }
    } else {
      keys.copyWithin(at, at + 1, count + 1);
      quantities.copyWithin(at, at + 1, count + 1);
    }
    this.count = count;
  }

  #reserve(count: number): void {
    if (count <= this.keys.length) {
      return;
    }
    const capacity = Math.max(count, this.keys.length * 2);
    const keys = new Float64Array(capacity);
    const quantities = new Float64Array(capacity);
    keys.set(this.keys.subarray(0, this.count));
    quantities.set(this.quantities.subarray(0, this.count));
    this.keys = keys;
    this.quantities = quantities;
  }
}

/** Both sides. */
export class BaselineBook {
  readonly bids = new BaselineSide(true);
  readonly asks = new BaselineSide(false);

  /** Takes over another book's levels. */
  copyFrom(other: BaselineBook): void {
    this.bids.copyFrom(other.bids);
    this.asks.copyFrom(other.asks);
  }
}
