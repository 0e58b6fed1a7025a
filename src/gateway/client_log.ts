/**
 * One line in the log for every change of a client's state, and not more than a few a second: a storm of slow clients must
 * not become a storm of lines. Bad case: many changes at once; those left out are counted in the next line.
 */
import type { GatewayLog } from "./log.ts";

const LINES_PER_SECOND = 5;
const LINES_AT_ONCE = 20;

/** Lines about clients. */
export class ClientLog {
  readonly #log: GatewayLog;
  readonly #now: () => number;
  #credit = LINES_AT_ONCE;
  #creditAtMs: number;
  #untold = 0;

  /** @param options.now milliseconds */
  constructor(options: { log: GatewayLog; now: () => number }) {
    this.#log = options.log;
    this.#now = options.now;
    this.#creditAtMs = options.now();
  }

  /** Says what became of a client. @param level `warn` when it is a fault of somebody */
  say(level: "info" | "warn", message: string): void {
    const nowMs = this.#now();
    const earned = (Math.max(nowMs - this.#creditAtMs, 0) / 1000) * LINES_PER_SECOND;
    this.#credit = Math.min(this.#credit + earned, LINES_AT_ONCE);
    this.#creditAtMs = nowMs;
    if (this.#credit < 1) {
      this.#untold += 1;
      return;
    }
    this.#credit -= 1;
    const more = this.#untold === 0 ? "" : ` (and ${this.#untold} changes of clients that were not told)`;
    this.#untold = 0;
    this.#log[level](`${message}${more}`);
  }
}
