/**
 * A baseline that writes records as well: each change that alters the typed-array book goes into fixed-size records of a
 * ring over one Float64Array, as a careful JavaScript program would publish them.
 * Bad case: doubles in records; readers get no exact number, but the write is as cheap as it can be.
 */
import { BaselineBook, UNCHANGED } from "./book.ts";

const CHANGES_MAX = 16;
/** version, event time, flags, count; then price and quantity of each change. */
const HEAD = 4;
const RECORD_NUMBERS = HEAD + 2 * CHANGES_MAX;
const CAPACITY = 65_536;
const LAST = 1;

type Update = { changes: [side: string, price: string, size: string][]; time: string };
type Snapshot = { bids: [price: string, size: string][]; asks: [price: string, size: string][] };

/** A Coinbase feed of one instrument that publishes records. */
export class RecordedFeed {
  /** Changes recorded since the last reset. */
  changes = 0;
  readonly #book = new BaselineBook();
  readonly #start = new BaselineBook();
  readonly #ring = new Float64Array(CAPACITY * RECORD_NUMBERS);
  #version = 0;

  /** Takes a snapshot frame; `reset` comes back to it. */
  open(text: string): void {
    const { bids, asks } = JSON.parse(text) as Snapshot;
    for (const [price, size] of bids) {
      this.#start.bids.set(Number(price), Number(size));
    }
    for (const [price, size] of asks) {
      this.#start.asks.set(Number(price), Number(size));
    }
    this.reset();
  }

  /** Brings the book back to its snapshot. */
  reset(): void {
    this.#book.copyFrom(this.#start);
    this.changes = 0;
  }

  /** An update frame. */
  apply(text: string): void {
    const { changes, time } = JSON.parse(text) as Update;
    const eventAt = Date.parse(time);
    let record = this.#open(eventAt);
    let count = 0;
    for (let index = 0; index < changes.length; index++) {
      const change = changes[index] as [string, string, string];
      const isBid = change[0] === "buy";
      const price = Number(change[1]);
      const quantity = Number(change[2]);
      if ((isBid ? this.#book.bids : this.#book.asks).set(price, quantity) === UNCHANGED) {
        continue;
      }
      if (count === CHANGES_MAX) {
        this.#ring[record + 3] = count;
        record = this.#open(eventAt);
        count = 0;
      }
      const at = record + HEAD + 2 * count;
      this.#ring[at] = isBid ? price : -price;
      this.#ring[at + 1] = quantity;
      count += 1;
      this.changes += 1;
    }
    this.#ring[record + 2] = LAST;
    this.#ring[record + 3] = count;
  }

  #open(eventAt: number): number {
    this.#version += 1;
    const record = (this.#version & (CAPACITY - 1)) * RECORD_NUMBERS;
    this.#ring[record] = this.#version;
    this.#ring[record + 1] = eventAt;
    this.#ring[record + 2] = 0;
    return record;
  }
}
