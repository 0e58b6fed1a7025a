/**
 * How far our clock is from an exchange's, as far as its messages prove it. An event cannot arrive before it happened, so
 * the least delay bounds our clock minus theirs from above; a REST answer was made between question and arrival, and its
 * date (whole seconds) bounds it from both sides. Clocks count as equal until a bound says otherwise: then the nearest
 * offset that the bounds allow is taken. Pure: times are arguments.
 * Bad case: a cached answer with an old date contradicts the messages; the messages win.
 */
import type { ClockBounds } from "../segment/metrics_head.ts";

/** Bounds are kept so long, in steps: clocks drift and are set. */
const STEP_MS = 60_000;
const STEPS = 10;
const DATE_RESOLUTION_NS = 1e9;

/** What one step proved, ns. */
type Step = { readonly atMs: number; high: number; low: number };

/** One exchange's clock. */
export class ClockOffset {
  #steps: Step[] = [];

  /** Events came. @param leastNs the least received − event time among them */
  delayed(atMs: number, leastNs: number): void {
    const step = this.#step(atMs);
    step.high = Math.min(step.high, leastNs);
  }

  /** A REST answer came. @param times all Unix ns: ours at question and arrival, theirs as the answer is dated */
  answered(atMs: number, times: { askedNs: number; arrivedNs: number; datedNs: number }): void {
    const { askedNs, arrivedNs, datedNs } = times;
    const step = this.#step(atMs);
    step.high = Math.min(step.high, arrivedNs - datedNs);
    step.low = Math.max(step.low, askedNs - datedNs - DATE_RESOLUTION_NS);
  }

  /** What is known by now. */
  bounds(atMs: number): ClockBounds {
    this.#forget(atMs);
    const high = Math.min(...this.#steps.map((step) => step.high), Number.POSITIVE_INFINITY);
    const low = Math.min(Math.max(...this.#steps.map((step) => step.low), Number.NEGATIVE_INFINITY), high);
    return {
      offsetNs: Math.min(Math.max(0, low), high),
      lowNs: Number.isFinite(low) ? low : undefined,
      highNs: Number.isFinite(high) ? high : undefined,
    };
  }

  #step(atMs: number): Step {
    const last = this.#steps.at(-1);
    if (last !== undefined && atMs - last.atMs < STEP_MS) {
      return last;
    }
    const step = { atMs, high: Number.POSITIVE_INFINITY, low: Number.NEGATIVE_INFINITY };
    this.#steps.push(step);
    this.#forget(atMs);
    return step;
  }

  #forget(atMs: number): void {
    this.#steps = this.#steps.filter((step) => atMs - step.atMs < STEP_MS * STEPS);
  }
}
