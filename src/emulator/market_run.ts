/**
 * Drives a synthetic market by the clock: wakes when something is due, sleeps otherwise, pauses on demand.
 * Bad case: the process was suspended for longer than the lag allowed; the market then goes on from where it stood
 * instead of publishing the hours it missed in one burst.
 */
import type { Market } from "./market.ts";

const LAG_MAX_US = 5_000_000;
const SLEEP_MAX_MS = 50;

/** A market that runs. */
export class MarketRun {
  readonly market: Market;
  readonly #now: () => number;
  /** Unix microseconds at which simulated time was zero. */
  #epochUs: number;
  #timer: NodeJS.Timeout | undefined;
  #isPaused = false;

  /** @param now Unix milliseconds */
  constructor(market: Market, now: () => number) {
    this.market = market;
    this.#now = now;
    this.#epochUs = Math.floor(now() * 1000);
  }

  /** Whether simulated time stands still. */
  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** Unix microseconds of a simulated instant: what frames print. */
  stamp(atUs: number): number {
    return this.#epochUs + atUs;
  }

  /** Simulated microseconds now; stands still while paused. */
  nowUs(): number {
    return this.#isPaused ? this.market.nowUs : Math.floor(this.#now() * 1000) - this.#epochUs;
  }

  /** Starts to publish. */
  start(): void {
    this.#wake();
  }

  /** Publishes everything pending and stops simulated time: every client's book then comes to equal the market's. */
  pause(): void {
    this.#catchUp();
    this.#isPaused = true;
    clearTimeout(this.#timer);
    this.market.settle();
  }

  /** Goes on from where `pause` stopped. */
  resume(): void {
    if (this.#isPaused) {
      this.#isPaused = false;
      this.#epochUs = Math.floor(this.#now() * 1000) - this.market.nowUs;
      this.#wake();
    }
  }

  /** Stops for good. */
  close(): void {
    this.#isPaused = true;
    clearTimeout(this.#timer);
  }

  #wake(): void {
    this.#catchUp();
    const waitMs = (this.market.dueUs - this.nowUs()) / 1000;
    this.#timer = setTimeout(() => this.#wake(), Math.min(SLEEP_MAX_MS, Math.max(1, waitMs)));
  }

  #catchUp(): void {
    const lagUs = this.nowUs() - this.market.nowUs;
    if (lagUs > LAG_MAX_US) {
      this.#epochUs += lagUs;
    }
    this.market.advance(Math.max(this.market.nowUs, this.nowUs()));
  }
}
