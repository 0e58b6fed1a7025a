/**
 * How often one client or address may still ask: so many times per second on average, and ten seconds' worth at once.
 * The one bucket of the gateway: for messages, for attempts to connect, for requests.
 * Bad case: a flood; what goes beyond is answered with a refusal and not acted on.
 */

const WINDOW_SECONDS = 10;
const MS_PER_SECOND = 1000;

/** The credit of one client. */
export class MessageCredit {
  readonly #perSecond: number;
  #left: number;
  #atMs: number;

  /** @param options.perSecond messages on average @param options.nowMs any clock that only goes forward */
  constructor({ perSecond, nowMs }: { perSecond: number; nowMs: number }) {
    this.#perSecond = perSecond;
    this.#left = perSecond * WINDOW_SECONDS;
    this.#atMs = nowMs;
  }

  /** Takes one message. @param cost how many it counts for @returns false when there are not so many left */
  take(nowMs: number, cost = 1): boolean {
    const earned = (Math.max(nowMs - this.#atMs, 0) / MS_PER_SECOND) * this.#perSecond;
    this.#atMs = nowMs;
    this.#left = Math.min(this.#left + earned, this.#perSecond * WINDOW_SECONDS);
    if (this.#left < cost) {
      return false;
    }
    this.#left -= cost;
    return true;
  }

  /** Seconds until one more can be taken, whole and at least 1. */
  get secondsUntilNext(): number {
    return Math.max(1, Math.ceil((1 - this.#left) / this.#perSecond));
  }
}
