/**
 * Waiting on the collector's own clock: whoever waits goes on with the first `tick` after its time, so that a test holds
 * the time. Bad case: a collector that stops; what still waits then never goes on, and is collected with it.
 */

/** Wakes those whose time has come. Times are monotonic ms. */
export class Sleeper {
  readonly #now: () => number;
  #waiting: { readonly until: number; readonly wake: () => void }[] = [];

  constructor(now: () => number) {
    this.#now = now;
  }

  /** Waits at least so long. */
  pause(ms: number): Promise<void> {
    const until = this.#now() + ms;
    return new Promise((wake) => {
      this.#waiting.push({ until, wake });
    });
  }

  /** Wakes those who are due. */
  tick(): void {
    const at = this.#now();
    const due = this.#waiting.filter(({ until }) => at >= until);
    if (due.length > 0) {
      this.#waiting = this.#waiting.filter(({ until }) => at < until);
      for (const { wake } of due) {
        wake();
      }
    }
  }
}
