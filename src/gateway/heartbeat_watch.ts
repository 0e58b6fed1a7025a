/**
 * Whether a producer's heartbeat goes on, by our own clock: the wall clock may have been set between the producer's start
 * and ours, so what a beat says of the time is believed only when there is nothing else, at the first look.
 * Where somebody else knows it better (the system knows whether a process lives), that counts.
 * Bad case: a first look at a producer that is gone for long; its old beat is no sign of life.
 */

/** Watches one heartbeat. */
export class HeartbeatWatch {
  readonly #staleMs: number;
  readonly #isAlive: (() => boolean) | undefined;
  #beatNs: bigint | undefined;
  #seenAtMs = Number.NEGATIVE_INFINITY;

  /**
   * @param staleMs without another beat after which it counts as gone
   * @param isAlive answers in place of the beats, where there is something better
   */
  constructor(staleMs: number, isAlive?: () => boolean) {
    this.#staleMs = staleMs;
    this.#isAlive = isAlive;
  }

  /** @param beatNs of the last beat, Unix ns by the producer's clock @param nowMs Unix ms by ours */
  isFresh(beatNs: bigint, nowMs: number): boolean {
    if (this.#isAlive !== undefined) {
      return this.#isAlive();
    }
    if (beatNs !== this.#beatNs) {
      const isKnown = this.#beatNs !== undefined;
      const isRecent = Math.abs(nowMs - Number(beatNs / 1_000_000n)) <= this.#staleMs;
      this.#beatNs = beatNs;
      this.#seenAtMs = isKnown || isRecent ? nowMs : Number.NEGATIVE_INFINITY;
    }
    return nowMs - this.#seenAtMs <= this.#staleMs;
  }
}
