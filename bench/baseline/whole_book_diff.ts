/**
 * How the former system made deltas: it kept the whole book before and after an update in hash maps and compared them.
 * Number keys, so that it is as quick as that way can be.
 * Bad case: by design, every update; the cost grows with the book, not with the change.
 */

type Levels = Map<number, number>;
type Snapshot = { bids: [price: string, size: string][]; asks: [price: string, size: string][] };
type Update = { changes: [side: string, price: string, size: string][] };

/** Both books of one instrument. */
export class WholeBookDiff {
  readonly #start: Levels;
  #before: Levels;
  #after: Levels;

  /** @param snapshot a Coinbase snapshot frame */
  constructor(snapshot: string) {
    const { bids, asks } = JSON.parse(snapshot) as Snapshot;
    this.#start = new Map([
      ...bids.map(([price, size]): [number, number] => [Number(price), Number(size)]),
      ...asks.map(([price, size]): [number, number] => [-Number(price), Number(size)]),
    ]);
    this.#before = new Map(this.#start);
    this.#after = new Map(this.#start);
  }

  /** Brings both books back to the snapshot. */
  reset(): void {
    this.#before = new Map(this.#start);
    this.#after = new Map(this.#start);
  }

  /** Applies updates and diffs after each. @returns changes found in all */
  applyAll(texts: readonly string[]): number {
    let found = 0;
    for (const text of texts) {
      const { changes } = JSON.parse(text) as Update;
      for (const [side, price, size] of changes) {
        const key = side === "buy" ? Number(price) : -Number(price);
        const quantity = Number(size);
        if (quantity === 0) {
          this.#after.delete(key);
        } else {
          this.#after.set(key, quantity);
        }
      }
      found += this.#diff();
    }
    return found;
  }

  /** Compares every level both ways, and carries the changes over. */
  #diff(): number {
    const changed: [price: number, quantity: number][] = [];
    for (const [price, quantity] of this.#after) {
      if (this.#before.get(price) !== quantity) {
        changed.push([price, quantity]);
      }
    }
    for (const price of this.#before.keys()) {
      if (!this.#after.has(price)) {
        changed.push([price, 0]);
      }
    }
    for (const [price, quantity] of changed) {
      if (quantity === 0) {
        this.#before.delete(price);
      } else {
        this.#before.set(price, quantity);
      }
    }
    return changed.length;
  }
}
