/**
 * Flips one bit of what makes the book, in the ring or on the wire, so that a run shows that its checks see it. Bits are
 * counted over the whole run: in records over version, base price, count, masks, used quantities and offsets, and hash; in
 * frames over the ranges that `dissect` names. Bad case: a bit behind the end of the run; it is not met, and `passed` says how many there were.
 */
import {
  DELTA_ADD_MASK,
  DELTA_BASE_PRICE,
  DELTA_BOOK_HASH,
  DELTA_CHANGE_COUNT,
  DELTA_PRICE_OFFSETS,
  DELTA_QUANTITIES,
  DELTA_SIDE_MASK,
  DELTA_VERSION,
} from "../../assembly/layout.ts";
import { ConfigError } from "../errors.ts";

/** Which bit. */
export type FlipTarget = { readonly where: "ring" | "wire"; readonly bit: number };

/** Bytes `[start, end)` that count. */
export type FlipRange = { readonly start: number; readonly end: number };

/**
 * Reads `ring:N` or `wire:N`.
 * @throws ConfigError when it is anything else
 */
export function parseFlip(text: string): FlipTarget {
  const match = /^(ring|wire):(\d{1,15})$/.exec(text);
  if (match === null) {
    throw new ConfigError(`Cannot read --flip: it is ring:N or wire:N with a bit number, was ${text}`);
  }
  return { where: match[1] === "ring" ? "ring" : "wire", bit: Number(match[2]) };
}

/** The ranges of a delta record that count. @param changes the record's change count */
export function recordRanges(changes: number): FlipRange[] {
  return [
    { start: DELTA_VERSION, end: DELTA_VERSION + 8 },
    { start: DELTA_BASE_PRICE, end: DELTA_BASE_PRICE + 8 },
    { start: DELTA_CHANGE_COUNT, end: DELTA_CHANGE_COUNT + 1 },
    { start: DELTA_SIDE_MASK, end: DELTA_SIDE_MASK + 2 },
    { start: DELTA_ADD_MASK, end: DELTA_ADD_MASK + 2 },
    { start: DELTA_BOOK_HASH, end: DELTA_BOOK_HASH + 4 },
    { start: DELTA_QUANTITIES, end: DELTA_QUANTITIES + changes * 8 },
    { start: DELTA_PRICE_OFFSETS, end: DELTA_PRICE_OFFSETS + changes * 4 },
  ];
}

/** Counts bits and flips the one that was asked for. */
export class BitFlipper {
  readonly #target: FlipTarget | undefined;
  #passed = 0;
  #isDone = false;

  constructor(target: FlipTarget | undefined) {
    this.#target = target;
  }

  /** Whether records or frames have to be looked at. */
  wants(where: "ring" | "wire"): boolean {
    return this.#target?.where === where && !this.#isDone;
  }

  /** Counts the bits of one record or frame and flips one when it is there. @param bytes the record or frame, changed in place */
  pass(bytes: Uint8Array, ranges: readonly FlipRange[]): void {
    for (const { start, end } of ranges) {
      const bits = (end - start) * 8;
      const rest = (this.#target?.bit ?? 0) - this.#passed;
      if (!this.#isDone && rest < bits) {
        const at = start + Math.floor(rest / 8);
        bytes[at] = (bytes[at] ?? 0) ^ (1 << (rest % 8));
        this.#isDone = true;
        return;
      }
      this.#passed += bits;
    }
  }

  /** Bits that were counted before the one that was flipped, or in the whole run. */
  get passed(): number {
    return this.#passed;
  }

  /** True when the bit was met and flipped. */
  get isDone(): boolean {
    return this.#isDone;
  }
}
