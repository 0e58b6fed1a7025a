/**
 * A ring of 256-byte records as a careful JavaScript program writes it: doubles on a SharedArrayBuffer, positions through
 * Atomics, copies out by `set`, the writer's intent checked after the copy.
 * Bad case: positions beyond 2^31; a benchmark never gets there, a program would need two words.
 */
const CAPACITY = 65_536;
const NUMBERS = 32;
const BATCH_MAX = 32;
const VERSION = 3;
const CHANGES_MAX = 16;
const POSITION_INTENT = 0;
const POSITION_TAIL = 16;

/** Both ends of a ring in one thread. */
export class BaselineRing {
  /** Version of the last record that was polled. */
  lastVersion = 0;
  readonly #positions = new Int32Array(new SharedArrayBuffer(128));
  readonly #records = new Float64Array(new SharedArrayBuffer(CAPACITY * NUMBERS * Float64Array.BYTES_PER_ELEMENT));
  readonly #out = new Float64Array(BATCH_MAX * NUMBERS);
  #written = 0;
  #cursor = 0;

  /** Records published so far. */
  get tail(): number {
    return Atomics.load(this.#positions, POSITION_TAIL);
  }

  /** Writes one record behind the tail. */
  write(): void {
    const records = this.#records;
    this.#written += 1;
    Atomics.store(this.#positions, POSITION_INTENT, this.#written);
    const at = ((this.#written - 1) & (CAPACITY - 1)) * NUMBERS;
    records[at] = 1;
    records[at + 1] = 2;
    records[at + 2] = 0;
    records[at + VERSION] = this.#written;
    for (let place = VERSION + 1; place < VERSION + 1 + CHANGES_MAX; place++) {
      records[at + place] = 0;
    }
  }

  /** Stamps the batch and moves the tail. */
  publish(): void {
    const tail = Atomics.load(this.#positions, POSITION_TAIL);
    for (let position = tail; position < this.#written; position++) {
      this.#records[(position & (CAPACITY - 1)) * NUMBERS + 2] = 3;
    }
    Atomics.store(this.#positions, POSITION_TAIL, this.#written);
  }

  /** Copies up to `limit` records out. @returns how many, or −1 when the writer overtook */
  poll(limit: number): number {
    const cursor = this.#cursor;
    const count = Math.min(limit, Atomics.load(this.#positions, POSITION_TAIL) - cursor);
    for (let index = 0; index < count; index++) {
      const from = ((cursor + index) & (CAPACITY - 1)) * NUMBERS;
      const to = index * NUMBERS;
      for (let place = 0; place < NUMBERS; place++) {
        this.#out[to + place] = this.#records[from + place] as number;
      }
    }
    if (cursor + CAPACITY < Atomics.load(this.#positions, POSITION_INTENT)) {
      return -1;
    }
    if (count > 0) {
      this.#cursor = cursor + count;
      this.lastVersion = this.#out[(count - 1) * NUMBERS + VERSION] as number;
    }
    return count;
  }
}
