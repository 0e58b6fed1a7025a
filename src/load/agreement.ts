/**
 * Whether clients agree: the hash that one has of a book at a version is held against what another had at the same one.
 * Only the latest versions of a book are remembered, so that nothing grows with the time a load takes.
 * Bad case: a client so far behind that no other's version is remembered; it is not compared, hence comparisons are counted.
 */

/** A book as one client holds it. */
export type HeldBook = { readonly version: string; readonly hash: number };

/** Versions of a book that are remembered. */
const VERSIONS_KEPT = 1024;
const PROBLEMS_MAX = 30;

type Known = { readonly hash: number; readonly client: number };

/** What all clients of a load said. */
export class Agreement {
  readonly problems: string[] = [];
  /** Hashes that were held against one of another client. */
  compared = 0;
  readonly #books = new Map<string, Map<string, Known>>();

  /** A client's book changed. @param client tells clients apart */
  take(instrument: string, { version, hash }: HeldBook, client: number): void {
    const versions = this.#versions(instrument);
    const known = versions.get(version);
    if (known === undefined) {
      versions.set(version, { hash, client });
      const [oldest] = versions.size > VERSIONS_KEPT ? versions.keys() : [];
      if (oldest !== undefined) {
        versions.delete(oldest);
      }
    } else if (known.client !== client) {
      this.compared += 1;
      if (known.hash !== hash && this.problems.length < PROBLEMS_MAX) {
        this.problems.push(`${instrument} at version ${version}: hashes ${known.hash} and ${hash}`);
      }
    }
  }

  /** A book is no longer synced: its versions may begin anew. */
  forget(instrument: string): void {
    this.#books.delete(instrument);
  }

  #versions(instrument: string): Map<string, Known> {
    const found = this.#books.get(instrument) ?? new Map<string, Known>();
    this.#books.set(instrument, found);
    return found;
  }
}
