/**
 * Holds back what the log says again and again: of lines that are alike, a few are told in each window, the others are
 * counted, and the count is told when the window ends. Nothing vanishes without a number.
 * Bad case: very many kinds of lines at once; the oldest windows are closed early, with their counts.
 */

/** How much of the same is told. */
export type RepeatLimits = {
  /** Lines of one kind in a window. */
  readonly linesMax: number;
  readonly windowMs: number;
  /** Kinds that are followed at a time. */
  readonly kindsMax: number;
};

/** A line that stands for those that were held back. */
export type HeldBack<Line> = { readonly line: Line; readonly count: number };

/** The limits unless others are given. */
export const REPEAT_LIMITS: RepeatLimits = { linesMax: 5, windowMs: 10_000, kindsMax: 1024 };

type Window<Line> = { readonly beganAt: number; told: number; held: HeldBack<Line> | undefined };

/** Decides which lines are told. */
export class RepeatFilter<Line> {
  readonly #limits: RepeatLimits;
  readonly #now: () => number;
  /** In the order of their beginning. */
  readonly #windows = new Map<string, Window<Line>>();
  #settled: HeldBack<Line>[] = [];

  /** @param options.now monotonic ms */
  constructor({ now, limits = REPEAT_LIMITS }: { now: () => number; limits?: RepeatLimits }) {
    this.#limits = limits;
    this.#now = now;
  }

  /** @param kind what makes lines alike @returns whether this one is told; otherwise it is counted */
  admit(kind: string, line: Line): boolean {
    const at = this.#now();
    this.#settle(at);
    const window = this.#windows.get(kind) ?? this.#open(kind, at);
    if (window.told < this.#limits.linesMax) {
      window.told += 1;
      return true;
    }
    window.held = { line, count: (window.held?.count ?? 0) + 1 };
    return false;
  }

  /** The windows that ended since the last call and held something back. @param options.all also those that did not end */
  takeSettled({ all = false }: { all?: boolean } = {}): HeldBack<Line>[] {
    this.#settle(all ? Number.POSITIVE_INFINITY : this.#now());
    const settled = this.#settled;
    this.#settled = [];
    return settled;
  }

  #open(kind: string, beganAt: number): Window<Line> {
    const [oldest] = this.#windows.keys();
    if (oldest !== undefined && this.#windows.size >= this.#limits.kindsMax) {
      this.#close(oldest);
    }
    const window = { beganAt, told: 0, held: undefined };
    this.#windows.set(kind, window);
    return window;
  }

  #settle(at: number): void {
    for (const [kind, { beganAt }] of this.#windows) {
      if (at - beganAt < this.#limits.windowMs) {
        return;
      }
      this.#close(kind);
    }
  }

  #close(kind: string): void {
    const held = this.#windows.get(kind)?.held;
    this.#windows.delete(kind);
    if (held !== undefined) {
      this.#settled.push(held);
    }
  }
}
