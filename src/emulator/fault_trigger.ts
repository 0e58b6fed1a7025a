/**
 * When a fault happens: at a time, after so many occasions, with a probability, or at a rate in time; at most so often.
 * An occasion is a frame, a request, an attempt or a moment at which the fault could happen. Bad case: two connections
 * that share one generator; hence occasions carry their own, and timing between connections changes nothing.
 */
import type { FaultRule } from "./fault_script.ts";
import { Random } from "./random.ts";

const SECOND_MS = 1_000;

/** Where occasions are counted: a connection, or the whole exchange. */
export type Occasions = {
  /** How many there were. */
  seen: number;
  readonly random: Random;
};

/** The trigger of one rule. */
export class Trigger {
  readonly rule: FaultRule;
  /** For choices that the rule makes as a whole. */
  readonly random: Random;
  readonly #startMs: number;
  #left: number;
  /** With a rate: when the next one is due. */
  #arrivalMs: number;

  /** @param random of the rule @param startMs when the emulator started, Unix milliseconds */
  constructor(rule: FaultRule, random: Random, startMs: number) {
    this.rule = rule;
    this.random = random;
    this.#startMs = startMs;
    this.#left = rule.times;
    this.#arrivalMs = this.#after(startMs + rule.atMs);
  }

  /** Whether time alone decides: then every moment is an occasion. */
  get isTimed(): boolean {
    return this.rule.after === undefined && this.rule.probability === undefined;
  }

  /** Whether it may happen at this time at all. */
  isOpen(atMs: number): boolean {
    const elapsedMs = atMs - this.#startMs;
    return this.#left > 0 && elapsedMs >= this.rule.atMs && elapsedMs < this.rule.untilMs;
  }

  /** Whether a rule that holds from a time on, for a time, holds now. */
  isHolding(atMs: number): boolean {
    const { atMs: fromMs, untilMs, options } = this.rule;
    const elapsedMs = atMs - this.#startMs;
    return elapsedMs >= fromMs && elapsedMs < Math.min(untilMs, fromMs + (options.for_ms ?? Number.POSITIVE_INFINITY));
  }

  /** Whether it shall happen on this occasion; `spend` then says that it did. */
  isDue(atMs: number, occasions: Occasions): boolean {
    const { after, probability, perSecond } = this.rule;
    const seen = occasions.seen;
    occasions.seen += 1;
    if (!this.isOpen(atMs)) {
      return false;
    }
    if (probability !== undefined) {
      return occasions.random.chance(probability);
    }
    return perSecond === undefined ? seen >= (after ?? 0) : atMs >= this.#arrivalMs;
  }

  /** Whether it shall happen now, where every moment is an occasion: with a time or a rate. */
  isDueAt(atMs: number): boolean {
    return this.isOpen(atMs) && (this.rule.perSecond === undefined || atMs >= this.#arrivalMs);
  }

  /** It happened. */
  spend(atMs: number): void {
    this.#left -= 1;
    this.#arrivalMs = this.#after(atMs);
  }

  #after(atMs: number): number {
    const { perSecond } = this.rule;
    return perSecond === undefined ? atMs : atMs + this.random.wait(SECOND_MS / perSecond);
  }
}

/** Keeps the occasions of each rule at each place, every one with randomness of its own. */
export class OccasionLog {
  readonly #seed: number;
  readonly #byName = new Map<string, Occasions>();

  constructor(seed: number) {
    this.#seed = seed;
  }

  /** @param place where they are counted, e.g. `kraken:rest` */
  of({ rule }: Trigger, place: string): Occasions {
    const name = `fault:${rule.index}:${place}`;
    const occasions = this.#byName.get(name) ?? { seen: 0, random: new Random(this.#seed, name) };
    this.#byName.set(name, occasions);
    return occasions;
  }
}
