/**
 * How many messages one client may still send: so many per second on average, and ten seconds' worth at once.
 * Bad case: a flood; what goes beyond is answered with a refusal and not acted on.
 */

const WINDOW_SECONDS = 10;

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

  /** Takes one message. @returns false when there is none left */
  take(nowMs: number): boolean {
    const earned = (Math.max(nowMs - this.#atMs, 0) / 1000) * this.#perSecond;
    this.#atMs = nowMs;
    this.#left = Math.min(this.#left + earned, this.#perSecond * WINDOW_SECONDS);
    if (this.#left < 1) {
      return false;
    }
    this.#left -= 1;
    return true;
  }
}
