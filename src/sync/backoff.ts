/**
 * Delays between attempts: exponential with full jitter, capped, back to the start only after a healthy period, so that
 * something that fails again right after it worked does not hammer the exchange. The first attempt is immediate.
 * Bad case: many instruments that fail together; the jitter spreads their second attempts.
 */

/** Bounds of the delays, ms. */
export type BackoffLimits = {
  /** Upper bound of the second attempt's delay; doubles with every further one. */
  readonly baseMs: number;
  /** Upper bound of every delay. */
  readonly capMs: number;
  /** After so long without a failure the next one counts as the first. */
  readonly healthyMs: number;
};

/** The attempts to repair one thing. */
export class Backoff {
  readonly #limits: BackoffLimits;
  readonly #random: () => number;
  #attempts = 0;
  #healthySince: number | undefined;

  /** @param random uniform in [0, 1) */
  constructor(limits: BackoffLimits, random: () => number) {
    this.#limits = limits;
    this.#random = random;
  }

  /** Attempts since the last healthy period. */
  get attempts(): number {
    return this.#attempts;
  }

  /** It works again. @param at ms, monotonic */
  succeeded(at: number): void {
    this.#healthySince ??= at;
  }

  /**
   * It failed: how long to wait before the next attempt.
   * @param at ms, monotonic
   * @returns ms; 0 for the first attempt
   */
  failed(at: number): number {
    const { baseMs, capMs, healthyMs } = this.#limits;
    if (this.#healthySince !== undefined && at - this.#healthySince >= healthyMs) {
      this.#attempts = 0;
    }
    this.#healthySince = undefined;
    const bound = this.#attempts === 0 ? 0 : Math.min(capMs, baseMs * 2 ** Math.min(this.#attempts - 1, 30));
    this.#attempts += 1;
    return this.#random() * bound;
  }
}
