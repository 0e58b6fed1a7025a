/**
 * When a fault happens: at a time, after so many occasions, with a probability, or at a rate in time; at most so often.
 * An occasion is a frame, a request, an attempt or a moment at which the fault could happen. Bad case: two connections
 * that share one generator; hence occasions carry their own, and timing between connections changes nothing.
 */
import type { FaultRule } from "./fault_script.ts";
import { Random } from "./random.ts";

const SECOND_MS = 1_000;

/** Occasions of one rule at one place: a connection, or the whole exchange. */
export class Occasions {
  /** How many there were. */
  seen = 0;
  readonly #seed: number;
  readonly #name: string;
  #random: Random | undefined;

  /** @param name of rule and place: randomness of its own */
  constructor(seed: number, name: string) {
    this.#seed = seed;
    this.#name = name;
  }

  /** Made when it is needed first: most rules never draw at most places. */
  get random(): Random {
    this.#random ??= new Random(this.#seed, this.#name);
    return this.#random;
  }
}

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

  /** From when on it must be asked, Unix milliseconds: at once where it counts occasions, else when it opens. */
  get wakesAtMs(): number {
    return this.rule.after === undefined ? this.#startMs + this.rule.atMs : Number.NEGATIVE_INFINITY;
  }

  /** Whether it can never happen again. */
  isOver(atMs: number): boolean {
    return this.#left <= 0 || atMs - this.#startMs >= this.rule.untilMs;
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

/**
 * The triggers of a place that can happen about now, in the order of the script: a script of a thousand faults, each at its
 * time, costs every frame a look at the few that are open. Bad case: rules that count occasions; they are open all the time.
 */
export class OpenTriggers {
  /** The next one last. */
  readonly #asleep: Trigger[];
  #awake: Trigger[] = [];

  constructor(triggers: readonly Trigger[]) {
    this.#asleep = [...triggers].sort((a, b) => b.wakesAtMs - a.wakesAtMs || b.rule.index - a.rule.index);
  }

  /** Those that are open or count. @param atMs now; never less than the time before */
  at(atMs: number): readonly Trigger[] {
    for (let next = this.#asleep.at(-1); next !== undefined && next.wakesAtMs <= atMs; next = this.#asleep.at(-1)) {
      this.#asleep.pop();
      const after = this.#awake.findIndex(({ rule }) => rule.index > (next?.rule.index ?? 0));
      this.#awake.splice(after < 0 ? this.#awake.length : after, 0, next);
    }
    if (this.#awake.some((trigger) => trigger.isOver(atMs))) {
      this.#awake = this.#awake.filter((trigger) => !trigger.isOver(atMs));
    }
    return this.#awake;
  }
}

/** Keeps the occasions of each rule at one place, every one with randomness of its own. */
export class OccasionLog {
  readonly #seed: number;
  readonly #place: string;
  readonly #byTrigger = new Map<Trigger, Occasions>();

  /** @param place where they are counted, e.g. `kraken:rest` */
  constructor(seed: number, place: string) {
    this.#seed = seed;
    this.#place = place;
  }

  /** The occasions of a rule here. */
  of(trigger: Trigger): Occasions {
    let occasions = this.#byTrigger.get(trigger);
    if (occasions === undefined) {
      occasions = new Occasions(this.#seed, `fault:${trigger.rule.index}:${this.#place}`);
      this.#byTrigger.set(trigger, occasions);
    }
    return occasions;
  }
}
