/**
 * Up to when everything that a ring held is known to be stored. Each look notes how far the ring reaches; once the broker
 * has stored that far, all is stored that was there at that moment. A busy ring is so only behind by the time that storing
 * takes, however much of it is under way, and a ring at rest not at all.
 * Bad case: storing takes longer than LOOKS_MAX looks; then a later look is noted late, and the answer is older than need be.
 */
import type { RingPosition } from "./published_segment.ts";

const LOOKS_MAX = 64;

/** How far storing is behind a segment's rings. */
export class CaughtUp {
  readonly #looks: { readonly tail: RingPosition; readonly atMs: number }[] = [];
  #atMs: number;

  /** @param nowMs monotonic; at the beginning there is nothing to store */
  constructor(nowMs: number) {
    this.#atMs = nowMs;
  }

  /**
   * Looks again.
   * @param at.tail where the rings end @param at.stored up to where they are stored @param at.nowMs monotonic
   * @returns ms; everything that stood in the rings so long ago is stored
   */
  look({ tail, stored, nowMs }: { tail: RingPosition; stored: RingPosition; nowMs: number }): number {
    if (this.#looks.length < LOOKS_MAX) {
      this.#looks.push({ tail, atMs: nowMs });
    }
    for (let [first] = this.#looks; first !== undefined && isWithin(first.tail, stored); [first] = this.#looks) {
      this.#atMs = first.atMs;
      this.#looks.shift();
    }
    return nowMs - this.#atMs;
  }
}

function isWithin(tail: RingPosition, stored: RingPosition): boolean {
  return tail.deltas <= stored.deltas && tail.trades <= stored.trades;
}
