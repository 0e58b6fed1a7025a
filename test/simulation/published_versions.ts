/**
 * What was published of one instrument at each version: the digest that the checker computed of it and the hash that the
 * producer wrote beside it, for those who are asked downstream what they hold.
 * Bad case: a worker that died or an id that was retired; clients may hold its books for a while, so the last few lives of
 * an instrument are kept.
 */

/** Lives of an instrument whose books clients may still hold. */
const LIVES_KEPT = 4;

type Life = { readonly digests: Map<number, number>; readonly hashes: Map<number, number> };

/** Digests and hashes by version. */
export class PublishedVersions {
  /** The last one first. */
  #lives: Life[] = [{ digests: new Map(), hashes: new Map() }];

  /** Versions begin anew: another worker, or another id. */
  begin(): void {
    this.#lives = [{ digests: new Map(), hashes: new Map() }, ...this.#lives.slice(0, LIVES_KEPT - 1)];
  }

  /** A version was published. @param book.digest of its levels @param book.hash u32, the producer's word */
  add(version: number, { digest, hash }: { digest: number; hash: number }): void {
    this.#lives[0]?.digests.set(version, digest);
    this.#lives[0]?.hashes.set(version, hash);
  }

  /** Digest of a version of the present life; undefined when no event ended there. */
  digestOf(version: number): number | undefined {
    return this.#lives[0]?.digests.get(version);
  }

  /** Hash of a version of the present life; undefined when no event ended there. */
  hashOf(version: number): number | undefined {
    return this.#lives[0]?.hashes.get(version);
  }

  /** Whether levels that somebody holds are those of a version. */
  hasDigest(version: number, digest: number): boolean {
    return this.#lives.some(({ digests }) => digests.get(version) === digest);
  }

  /** Whether a hash that somebody computed is that of a version. */
  hasHash(version: number, hash: number): boolean {
    return this.#lives.some(({ hashes }) => hashes.get(version) === hash);
  }
}
