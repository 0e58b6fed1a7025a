/**
 * The limits that exchanges put on requests and messages: a bucket that refills steadily, and a window of fixed
 * length. Time is an argument. Bad case: a clock that steps back; neither gives more than its limit then.
 */

/** Allows a burst, then a steady rate. */
export class Bucket {
  readonly #perSecond: number;
  readonly #burst: number;
  #level: number;
  #atMs: number;

  /** @param perSecond steady rate @param burst how many at once @param atMs now, Unix milliseconds */
  constructor(perSecond: number, burst: number, { atMs }: { atMs: number }) {
    this.#perSecond = perSecond;
    this.#burst = burst;
    this.#level = burst;
    this.#atMs = atMs;
  }

  /** Takes one. @param atMs now, Unix milliseconds @returns whether it is within the limit */
  take(atMs: number): boolean {
    const passed = Math.max(0, atMs - this.#atMs);
    this.#atMs = Math.max(this.#atMs, atMs);
    this.#level = Math.min(this.#burst, this.#level + (passed / 1000) * this.#perSecond);
    if (this.#level < 1) {
      return false;
    }
    this.#level -= 1;
    return true;
  }
}

/** Counts weight within windows of fixed length that start on multiples of it, as Binance counts per minute. */
export class Window {
  readonly #limit: number;
  readonly #lengthMs: number;
  #startMs = 0;
  #used = 0;

  /** @param limit weight per window @param lengthMs of a window */
  constructor(limit: number, lengthMs: number) {
    this.#limit = limit;
    this.#lengthMs = lengthMs;
  }

  /** Weight used in the current window, refused requests included. */
  get used(): number {
    return this.#used;
  }

  /** Adds a request. @param weight its cost @param atMs now, Unix milliseconds @returns whether it is within the limit */
  take(weight: number, atMs: number): boolean {
    const startMs = Math.floor(atMs / this.#lengthMs) * this.#lengthMs;
    if (startMs > this.#startMs) {
      this.#startMs = startMs;
      this.#used = 0;
    }
    this.#used += weight;
    return this.#used <= this.#limit;
  }

  /** Seconds until the window ends, at least 1. @param atMs now, Unix milliseconds */
  retryAfter(atMs: number): number {
    return Math.max(1, Math.ceil((this.#startMs + this.#lengthMs - atMs) / 1000));
  }
}
