/**
 * A circuit breaker for one endpoint. Closed: everybody may try. After some failures in a row within a window it opens and
 * nobody may; then it is half-open and lets one attempt through, whose outcome closes it or opens it for longer. The rest
 * is jittered and doubles up to a cap; a time that the endpoint itself demands is kept in full.
 * Bad case: an attempt whose outcome is never told; after a while its trial counts for nothing and another may begin.
 */
import { BREAKER_CLOSED, BREAKER_HALF_OPEN, BREAKER_OPEN } from "../../assembly/layout.ts";

/** Bounds of a breaker, ms. */
export type BreakerLimits = {
  /** So many failures in a row open it. */
  readonly failuresMax: number;
  /** When they came within this time. */
  readonly windowMs: number;
  /** Upper bound of the first rest, half of it the lower; doubles with every further one. */
  readonly baseMs: number;
  /** Upper bound of every rest that was not demanded. */
  readonly capMs: number;
  /** Closed for so long, the next rest is the first again. */
  readonly healthyMs: number;
  /** A trial without an outcome for so long counts for nothing. */
  readonly trialMs: number;
};

/** One attempt under way. Only the first of these calls counts. Times are monotonic ms. */
export type BreakerAttempt = {
  readonly succeeded: (at: number) => void;
  /** @param options.restMs what the endpoint demands: it opens at once, for at least so long */
  readonly failed: (at: number, options?: { readonly restMs?: number | undefined }) => void;
  /** It says nothing about the endpoint. */
  readonly abandoned: () => void;
};

/** How a breaker stands. */
export type BreakerLook = {
  /** BREAKER_* */
  readonly state: number;
  /** Since when, monotonic ms. */
  readonly sinceMs: number;
  /** Until when nobody may try, monotonic ms; undefined = it is not open. */
  readonly openUntilMs: number | undefined;
  readonly attempts: number;
  readonly failures: number;
  readonly openings: number;
};

/** Judges whether an endpoint may be tried. */
export class Breaker {
  readonly #limits: BreakerLimits;
  readonly #random: () => number;
  /** Failures in a row, the latest last. */
  #recent: number[] = [];
  #isOpen = false;
  #sinceMs: number;
  #openUntilMs = 0;
  /** Rests one after the other, without a healthy period between them. */
  #rests = 0;
  #trial: { readonly startedAt: number } | undefined;
  #attempts = 0;
  #failures = 0;
  #openings = 0;

  /** @param options.random uniform in [0, 1) @param options.at monotonic ms, now */
  constructor(limits: BreakerLimits, { random, at }: { random: () => number; at: number }) {
    this.#limits = limits;
    this.#random = random;
    this.#sinceMs = at;
  }

  /** How it stands. */
  look(at: number): BreakerLook {
    const isResting = this.#isOpen && at < this.#openUntilMs;
    const isHalfOpen = this.#isOpen && !isResting;
    return {
      state: isResting ? BREAKER_OPEN : isHalfOpen ? BREAKER_HALF_OPEN : BREAKER_CLOSED,
      sinceMs: isHalfOpen ? this.#openUntilMs : this.#sinceMs,
      openUntilMs: isResting ? this.#openUntilMs : undefined,
      attempts: this.#attempts,
      failures: this.#failures,
      openings: this.#openings,
    };
  }

  /** Whether an attempt may begin now. */
  admits(at: number): boolean {
    if (!this.#isOpen) {
      return true;
    }
    const isFree = this.#trial === undefined || at - this.#trial.startedAt >= this.#limits.trialMs;
    return at >= this.#openUntilMs && isFree;
  }

  /** Begins an attempt. @returns undefined when none may be made */
  begin(at: number): BreakerAttempt | undefined {
    if (!this.admits(at)) {
      return undefined;
    }
    const own = { startedAt: at };
    if (this.#isOpen) {
      this.#trial = own;
    }
    this.#attempts += 1;
    let isOver = false;
    const once = (tell: () => void): void => {
      if (!isOver) {
        isOver = true;
        tell();
      }
    };
    return {
      succeeded: (now) => once(() => this.#succeeded(own, now)),
      failed: (now, { restMs } = {}) => once(() => this.#failed(own, now, restMs)),
      abandoned: () => once(() => this.#endTrial(own)),
    };
  }

  /** Goes on as a predecessor left it: nobody may try before its time. @param untilMs monotonic ms */
  holdUntil(untilMs: number, at: number): void {
    if (untilMs > at) {
      this.#open(at, untilMs - at);
    }
  }

  /** An attempt of before the opening closes nothing: it knew nothing of what was demanded since. */
  #succeeded(own: { readonly startedAt: number }, at: number): void {
    if (!this.#isOpen) {
      this.#recent = [];
    } else if (this.#endTrial(own)) {
      this.#isOpen = false;
      this.#sinceMs = at;
      this.#recent = [];
    }
  }

  #failed(own: { readonly startedAt: number }, at: number, restMs: number | undefined): void {
    const { failuresMax, windowMs } = this.#limits;
    const wasTrial = this.#endTrial(own);
    this.#failures += 1;
    this.#recent = [...this.#recent, at].filter((failedAt) => at - failedAt < windowMs);
    const isTooMuch = !this.#isOpen && this.#recent.length >= failuresMax;
    if (wasTrial || isTooMuch || restMs !== undefined) {
      this.#open(at, restMs);
    }
  }

  /** @returns whether it was the trial */
  #endTrial(own: { readonly startedAt: number }): boolean {
    const isTrial = this.#trial === own;
    if (isTrial) {
      this.#trial = undefined;
    }
    return isTrial;
  }

  #open(at: number, demandedMs = 0): void {
    const { baseMs, capMs, healthyMs } = this.#limits;
    if (!this.#isOpen && at - this.#sinceMs >= healthyMs) {
      this.#rests = 0;
    }
    if (this.#isOpen && at < this.#openUntilMs) {
      this.#openUntilMs = Math.max(this.#openUntilMs, at + demandedMs);
      return;
    }
    const bound = Math.min(capMs, baseMs * 2 ** Math.min(this.#rests, 30));
    this.#openUntilMs = at + Math.max(demandedMs, bound * (0.5 + this.#random() / 2));
    this.#rests += 1;
    this.#openings += 1;
    this.#sinceMs = at;
    this.#isOpen = true;
    this.#trial = undefined;
    this.#recent = [];
  }
}
