/**
 * Which books are followed whole: those looked at, the KEPT looked at before them, so that going back and forth finds
 * their history, and on request all. The first two kinds are recorded too.
 * Bad case: many instruments at once: each followed book costs its updates, each recorded one some megabytes.
 */

/** Books that go on after nobody looks at them. */
const KEPT = 4;

/** Counts who looks at what. */
export class FollowedBooks {
  readonly #tell: (names: readonly string[]) => void;
  readonly #followsAll: boolean;
  readonly #watchers = new Map<string, number>();
  readonly #followers = new Map<string, number>();
  #kept: string[] = [];
  #listed: readonly string[] = [];

  /** @param tell is called with all followed names whenever they may have changed */
  constructor(tell: (names: readonly string[]) => void, followsAll: boolean) {
    this.#tell = tell;
    this.#followsAll = followsAll;
  }

  /** Follows books until the answer is called. */
  watch(names: readonly string[]): () => void {
    for (const name of names) {
      this.#watchers.set(name, (this.#watchers.get(name) ?? 0) + 1);
    }
    this.#kept = this.#kept.filter((name) => !this.#watchers.has(name));
    this.#tell(this.followed());
    return () => this.#release(names);
  }

  /** Follows books without recording them, until the answer is called. */
  follow(names: readonly string[]): () => void {
    for (const name of names) {
      this.#followers.set(name, (this.#followers.get(name) ?? 0) + 1);
    }
    this.#tell(this.followed());
    return () => {
      for (const name of names) {
        release(this.#followers, name);
      }
      this.#tell(this.followed());
    };
  }

  /** Whether a book is followed. */
  has(name: string): boolean {
    return this.#followsAll || this.#watchers.has(name) || this.#followers.has(name) || this.#kept.includes(name);
  }

  /** All instruments that there are. */
  list(names: readonly string[]): void {
    this.#listed = names;
    this.#tell(this.followed());
  }

  /** Those whose depth is recorded. */
  recorded(): string[] {
    return [...this.#watchers.keys(), ...this.#kept];
  }

  /** Those whose books are followed. */
  followed(): string[] {
    const all = this.#followsAll ? this.#listed : [];
    return [...new Set([...all, ...this.#followers.keys(), ...this.recorded()])];
  }

  #release(names: readonly string[]): void {
    for (const name of names) {
      if (release(this.#watchers, name)) {
        this.#kept = [name, ...this.#kept.filter((other) => other !== name)].slice(0, KEPT);
      }
    }
    this.#tell(this.followed());
  }
}

/** Takes one away. @returns whether it was the last */
function release(counts: Map<string, number>, name: string): boolean {
  const left = (counts.get(name) ?? 1) - 1;
  if (left > 0) {
    counts.set(name, left);
    return false;
  }
  counts.delete(name);
  return true;
}
