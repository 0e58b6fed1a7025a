/**
 * What the gateway's process uses, as Node says it. Bad case: sums over all threads of the process; where collectors run
 * in it they are part of them, and the answer says so.
 */
import type { ProcessFigures, ProcessProbe } from "./parts.ts";

const US_PER_SECOND = 1e6;
const SHARE_EVERY_MS = 1000;

/** The probe of a process. */
export class SystemProbe implements ProcessProbe {
  readonly #now: () => number;
  #sample: { readonly atMs: number; readonly usedUs: number };
  #share: number | null = null;

  /** Begins to measure. @param now any clock that only goes forward, ms */
  constructor(now: () => number) {
    this.#now = now;
    this.#sample = { atMs: now(), usedUs: usedUs() };
  }

  figures(): ProcessFigures {
    const { user, system } = process.cpuUsage();
    const { rss, heapUsed, heapTotal } = process.memoryUsage();
    return {
      pid: process.pid,
      cpu_user_seconds: user / US_PER_SECOND,
      cpu_system_seconds: system / US_PER_SECOND,
      cpu_share: this.#cpuShare(),
      resident_bytes: rss,
      heap_used_bytes: heapUsed,
      heap_total_bytes: heapTotal,
    };
  }

  #cpuShare(): number | null {
    const atMs = this.#now();
    const passedMs = atMs - this.#sample.atMs;
    if (passedMs >= SHARE_EVERY_MS) {
      const used = usedUs();
      this.#share = (used - this.#sample.usedUs) / (passedMs * 1000);
      this.#sample = { atMs, usedUs: used };
    }
    return this.#share;
  }
}

function usedUs(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}
