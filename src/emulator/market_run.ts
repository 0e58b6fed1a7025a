/**
 * Drives a synthetic market by the clock: wakes when something is due, sleeps otherwise, pauses on demand.
 * Bad case: the process was suspended for longer than the lag allowed; the market then goes on from where it stood
 * instead of publishing the hours it missed in one burst.
 */
import type { Clock } from "./clock.ts";
import type { Market } from "./market.ts";
import type { BookView, MarketBook } from "./market_book.ts";

const LAG_MAX_US = 5_000_000;
const SLEEP_MAX_MS = 50;

/** A market that runs. */
export class MarketRun {
  readonly market: Market;
  readonly #clock: Clock;
  /** Unix microseconds at which simulated time was zero. */
  #epochUs: number;
  #cancel: () => void = () => undefined;
  #isPaused = false;

  /** @param options.eventsKept of how many events past states can be told; 0 for none */
  constructor(market: Market, clock: Clock, options: Parameters<Market["open"]>[1]) {
    this.market = market;
    this.#clock = clock;
    this.#epochUs = Math.floor(clock.now() * 1000);
    market.open((atUs) => this.stamp(atUs), options);
  }

  /** Whether simulated time stands still. */
  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** Unix microseconds of a simulated instant: what frames print. It never goes back. */
  stamp(atUs: number): number {
    return this.#epochUs + atUs;
  }

  /** Unix microseconds of a book as it stands: now, and not before its last event. */
  stampOf(book: MarketBook): number {
    return Math.max(book.eventUs, this.stamp(this.market.nowUs));
  }

  /** Simulated microseconds now; stands still while paused. */
  nowUs(): number {
    return this.#isPaused ? this.market.nowUs : Math.floor(this.#clock.now() * 1000) - this.#epochUs;
  }

  /**
   * A book as it stands, or as it stood.
   * @param agedMs how long ago; 0 is now, and so is anything where no history is kept
   * @returns the book, and the time that an answer prints, Unix microseconds
   */
  view(book: MarketBook, agedMs: number): { view: BookView; atUs: number } {
    const nowUs = this.stampOf(book);
    const history = agedMs > 0 ? this.market.history(book) : undefined;
    if (history === undefined) {
      return { view: book, atUs: nowUs };
    }
    const asked = history.at({ timeUs: nowUs - agedMs * 1000, nowUs });
    const past = "reason" in asked ? history.oldest() : asked;
    const { instrument, ink } = book;
    const { bids, asks, bookSequence: sequence, sequence: updateId } = past;
    return { view: { instrument, ink, bids, asks, sequence, updateId }, atUs: past.timeUs };
  }

  /** Starts to publish. */
  start(): void {
    this.#wake();
  }

  /** Publishes everything pending and stops simulated time: every client's book then comes to equal the market's. */
  pause(): void {
    this.#catchUp();
    this.#isPaused = true;
    this.#cancel();
    this.market.settle();
  }

  /** Goes on from where `pause` stopped. */
  resume(): void {
    if (this.#isPaused) {
      this.#isPaused = false;
      this.#epochUs = Math.max(this.#epochUs, Math.floor(this.#clock.now() * 1000) - this.market.nowUs);
      this.#wake();
    }
  }

  /** Stops for good. */
  close(): void {
    this.#isPaused = true;
    this.#cancel();
  }

  #wake(): void {
    this.#catchUp();
    const waitMs = (this.market.dueUs - this.nowUs()) / 1000;
    this.#cancel = this.#clock.setTimer(() => this.#wake(), Math.min(SLEEP_MAX_MS, Math.max(1, waitMs)));
  }

  #catchUp(): void {
    const lagUs = this.nowUs() - this.market.nowUs;
    if (lagUs > LAG_MAX_US) {
      this.#epochUs += lagUs;
    }
    this.market.advance(Math.max(this.market.nowUs, this.nowUs()));
  }
}
