/**
 * Sends the messages of one connection no faster than its exchange allows, in order. When the exchange complains, it
 * pauses and goes on at half the rate until the connection is replaced. Bad case: a close with messages waiting; they are
 * dropped, because the next connection subscribes everything anew.
 */
import type { Rate } from "../exchanges/mod.ts";
import { RateWindow } from "./rate_window.ts";

const PAUSE_MS = 5000;
const SLOWEST_FACTOR = 16;

/** The send queue of one connection. Times are monotonic ms. */
export class Pacer {
  readonly #rate: Rate;
  readonly #send: (text: string) => void;
  #window: RateWindow;
  #queue: string[] = [];
  #factor = 1;
  #pausedUntil = Number.NEGATIVE_INFINITY;

  constructor(rate: Rate, send: (text: string) => void) {
    this.#rate = rate;
    this.#send = send;
    this.#window = new RateWindow(rate);
  }

  /** Messages waiting. */
  get length(): number {
    return this.#queue.length;
  }

  /** Sends a message, now if it may. */
  push(text: string, at: number): void {
    this.#queue.push(text);
    this.drain(at);
  }

  /** Sends what may be sent by now. */
  drain(at: number): void {
    while (this.#queue.length > 0 && at >= this.#pausedUntil && this.#window.take(at)) {
      const text = this.#queue.shift();
      if (text !== undefined) {
        this.#send(text);
      }
    }
  }

  /** The exchange says that we send too fast. */
  slowDown(at: number): void {
    this.#factor = Math.min(SLOWEST_FACTOR, this.#factor * 2);
    this.#pausedUntil = at + PAUSE_MS;
    this.#window = new RateWindow({ count: this.#rate.count, perMs: this.#rate.perMs * this.#factor });
  }
}
