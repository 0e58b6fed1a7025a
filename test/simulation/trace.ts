/**
 * What happened in one world: a hash over everything, to prove that a seed repeats itself, and the last lines, to be
 * printed around a violation. Bad case: a long run; old lines go, the hash counts all.
 */

const LINES_KEPT = 4000;

/** The trace of one world. */
export class Trace {
  readonly #now: () => number;
  readonly #startMs: number;
  #lines: { atMs: number; text: string }[] = [];
  #hash = 0x811c_9dc5;
  #events = 0;

  /** @param now Unix ms of the virtual clock */
  constructor(now: () => number) {
    this.#now = now;
    this.#startMs = now();
  }

  /** Things that happened. */
  get events(): number {
    return this.#events;
  }

  /** Over everything that happened, in order. */
  get hash(): number {
    return this.#hash >>> 0;
  }

  /** Counts and hashes a thing without keeping a line. @param words numbers that tell it apart */
  mix(...words: readonly number[]): void {
    this.#events += 1;
    this.#fold(Math.round(this.#now() - this.#startMs));
    for (const word of words) {
      this.#fold(word);
    }
  }

  /** Keeps a line. */
  note(text: string): void {
    this.#events += 1;
    for (let index = 0; index < text.length; index++) {
      this.#fold(text.charCodeAt(index));
    }
    this.#lines.push({ atMs: this.#now() - this.#startMs, text });
    if (this.#lines.length > 2 * LINES_KEPT) {
      this.#lines = this.#lines.slice(-LINES_KEPT);
    }
  }

  /** The lines of a stretch of time. @param about only those that contain it, or name nobody's exchange */
  lines(fromMs: number, untilMs: number, about: string): string[] {
    return this.#lines
      .filter(({ atMs, text }) => atMs >= fromMs && atMs <= untilMs && text.includes(about))
      .map(({ atMs, text }) => `${(atMs / 1000).toFixed(3).padStart(9)}  ${text}`);
  }

  #fold(word: number): void {
    this.#hash = Math.imul(this.#hash ^ (word | 0), 0x0100_0193) ^ (this.#hash >>> 15);
  }
}
