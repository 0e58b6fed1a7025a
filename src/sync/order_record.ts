/**
 * What repeats mean: an event or a trade that is older than the last one is a repeat, unless the exchange has begun to
 * number anew; then nothing would ever be applied again. An event that is neither the last one nor older than the
 * snapshot cannot come twice on one socket; trades may be repeated now and then, but not three in a row with none between,
 * and heartbeats do not stay behind.
 * Bad case: two sockets that overlap; everything comes twice then, and nothing is judged.
 */

/** So many repeated trades in a row are others with low numbers. */
const REPEATED_TRADES_MAX = 3;
/** Events that the snapshot holds already may come for so long after it, ms. */
const SPLICE_MS = 10_000;

/** Numbers that fall by this much, and by half, began anew: no cache and no delay is so old. */
const ANEW_MIN = 1_000_000n;

/** What a repeat says. */
export type RepeatVerdict = "repeat" | "restart";

/** An event that was older than the book. */
export type OldEvent = {
  /** Its last sequence, and the book's. */
  readonly lastSequence: bigint;
  readonly bookSequence: bigint;
  /** No event was accepted since the snapshot. */
  readonly isSplicing: boolean;
  /** When it came, monotonic ms. */
  readonly at: number;
};

/** Whether a sequence is so far below another one that the exchange must have begun to number anew between them. */
export function isNumberedAnew(low: bigint, high: bigint): boolean {
  return high > 2n * low + ANEW_MIN;
}

/** The numbers of one instrument. */
export class OrderRecord {
  #syncedAt = 0;
  #repeatedTrades = 0;
  #tradeVersion = -1n;
  #lowAgainst: bigint | undefined;

  /** The book is right again. @param at monotonic ms */
  synced(at: number): void {
    this.#syncedAt = at;
  }

  /** The connection opens afresh. */
  opened(): void {
    this.#repeatedTrades = 0;
    this.#lowAgainst = undefined;
  }

  /**
   * A heartbeat told the last trade. One that is behind ours may have been overtaken by a trade; the next one is not
   * behind the same trade any more, unless trades are numbered anew.
   */
  beat(theirs: bigint, ours: bigint): RepeatVerdict {
    const isBehind = theirs < ours;
    const isRestart = isBehind && this.#lowAgainst !== undefined && theirs < this.#lowAgainst;
    this.#lowAgainst = isBehind && !isRestart ? (this.#lowAgainst ?? ours) : undefined;
    return isRestart ? "restart" : "repeat";
  }

  /** An event of the book was old. */
  oldEvent({ lastSequence, bookSequence, isSplicing, at }: OldEvent): RepeatVerdict {
    const isHeld = isSplicing && at - this.#syncedAt <= SPLICE_MS && !isNumberedAnew(lastSequence, bookSequence);
    return lastSequence === bookSequence || isHeld ? "repeat" : "restart";
  }

  /** A trade was old. @param tradeVersion of the instrument: it moves with each trade that is not */
  oldTrade(tradeVersion: bigint): RepeatVerdict {
    this.#repeatedTrades = tradeVersion === this.#tradeVersion ? this.#repeatedTrades + 1 : 1;
    this.#tradeVersion = tradeVersion;
    if (this.#repeatedTrades < REPEATED_TRADES_MAX) {
      return "repeat";
    }
    this.#repeatedTrades = 0;
    return "restart";
  }
}
