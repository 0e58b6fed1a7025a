/**
 * Whether a book that stands still should: every trade changes a book, so trades without a single event of the book mean
 * that its subscription died while the others live. A book without trades is left alone, however long it is quiet.
 * Events that the book holds already change nothing and are signs of life all the same, e.g. after a REST snapshot.
 * Bad case: a trade against a hidden order, refilled within one batch; hence several trades, and some seconds.
 */

const TRADES_MIN = 3n;
const SILENT_MS = 5000;

/** The stillness of one book. */
export class SilenceRecord {
  #version = -1n;
  #tradeVersion = 0n;
  #tradedAt: number | undefined;

  /** An event of the book came, though it changed nothing: the stillness is counted from here. */
  heard(): void {
    this.#version = -1n;
  }

  /**
   * Looks at the versions of a synced book; about once a second is enough.
   * @param at monotonic ms
   * @returns whether trades came and the book stood still
   */
  isSilent({ version, tradeVersion, at }: { version: bigint; tradeVersion: bigint; at: number }): boolean {
    if (version !== this.#version) {
      this.#version = version;
      this.#tradeVersion = tradeVersion;
      this.#tradedAt = undefined;
      return false;
    }
    if (tradeVersion !== this.#tradeVersion) {
      this.#tradedAt ??= at;
    }
    const hasTraded = tradeVersion - this.#tradeVersion >= TRADES_MIN;
    return hasTraded && this.#tradedAt !== undefined && at - this.#tradedAt >= SILENT_MS;
  }
}
