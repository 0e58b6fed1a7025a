/**
 * Level tokens of a frame in scratch: price and quantity as mantissas with digit counts, before any instrument is known;
 * then scaled to an instrument's ticks and lots in place. One frame's levels lie in one array; events are ranges of it.
 * Bad case: a number that fits no i64; it is kept as an overflow and reported when it would be applied.
 */
import {
  DECODE_NEGATIVE,
  DECODE_RANGE,
  EXPONENT_MAX,
  FRAME_LEVELS_MAX,
  INSTRUMENT_PRICE_EXPONENT,
  INSTRUMENT_QUANTITY_EXPONENT,
  OUTCOME_NEED_PRICE_EXPONENT,
  OUTCOME_NEED_QUANTITY_EXPONENT,
} from "../../../assembly/layout.ts";
import { isSafe, powerOfTen, resultHigh, resultLow, toNumber } from "./int64.ts";
import { fieldOf, wordAt } from "./memory.ts";
import type { Producer } from "./producer.ts";
import { scaleMantissa, tokenDecimals, tokenHigh, tokenLow, tokenNeeded, tokenOverflows } from "./quantize.ts";

/** Words of an entry: price low, high · quantity low, high · price digits · quantity digits · side · overflow. */
export const ENTRY_WORDS = 8;
export const ENTRY_QUANTITY = 2;
export const ENTRY_SIDE = 6;
const PRICE_DIGITS = 4;
const QUANTITY_DIGITS = 5;
const OVERFLOW = 7;
const PRICE_OVERFLOW = 1;
const QUANTITY_OVERFLOW = 2;
/** Digit counts share a word: as written below, needed above. */
const NEEDED_SHIFT = 8;
const WRITTEN_MASK = 255;
const FIRST_ENTRIES = 1024;
const TWO_32 = 4294967296;

/** Results of scaling. */
export const SCALE_OK = 0;
export const SCALE_RESCALE = 1;
export const SCALE_OVERFLOW = 2;

/** The levels of the frame under way. */
export class Levels {
  /** Entries of ENTRY_WORDS words. */
  entries = new Int32Array(FIRST_ENTRIES * ENTRY_WORDS);
  /** Levels read so far in this frame. */
  count = 0;
  /** DECODE_* of the first malformed level since the last reset, 0 when all are good. */
  malformed = 0;
  /** True when the frame held more levels than FRAME_LEVELS_MAX. */
  isTooMany = false;
  /** Latest level time (Kraken v1), Unix ns. */
  latestLow = 0;
  latestHigh = 0;
  /** Most decimals as written in the last scaled range. */
  writtenPrice = 0;
  writtenQuantity = 0;

  /** Forgets the levels of the frame before. */
  clear(): void {
    this.count = 0;
    this.malformed = 0;
    this.isTooMany = false;
    this.latestLow = 0;
    this.latestHigh = 0;
  }

  /** Makes room for one more entry. @returns false when the frame holds too many */
  admit(): boolean {
    if (this.count >= FRAME_LEVELS_MAX) {
      this.isTooMany = true;
      return false;
    }
    const at = this.count * ENTRY_WORDS;
    if (at === this.entries.length) {
      const larger = new Int32Array(at * 2);
      larger.set(this.entries);
      this.entries = larger;
    }
    this.entries[at + OVERFLOW] = 0;
    return true;
  }

  /** Puts the last token as the price of the entry under way. @returns 0 or DECODE_* */
  putPrice(): number {
    const at = this.count * ENTRY_WORDS;
    this.#put(at, at + PRICE_DIGITS, PRICE_OVERFLOW);
    const isPositive = tokenHigh() > 0 || (tokenHigh() === 0 && tokenLow() !== 0);
    return tokenOverflows() || isPositive ? 0 : DECODE_RANGE;
  }

  /** Puts the last token as the quantity of the entry under way. @returns 0 or DECODE_* */
  putQuantity(): number {
    const at = this.count * ENTRY_WORDS;
    this.#put(at + ENTRY_QUANTITY, at + QUANTITY_DIGITS, QUANTITY_OVERFLOW);
    return tokenOverflows() || tokenHigh() >= 0 ? 0 : DECODE_NEGATIVE;
  }

  #put(at: number, digits: number, overflow: number): void {
    const entries = this.entries;
    if (tokenOverflows()) {
      entries[at] = 1;
      entries[at + 1] = 0;
      entries[digits] = 0;
      entries[this.count * ENTRY_WORDS + OVERFLOW] = wordAt(entries, this.count * ENTRY_WORDS + OVERFLOW) | overflow;
    } else {
      entries[at] = tokenLow();
      entries[at + 1] = tokenHigh();
      entries[digits] = tokenDecimals() | (tokenNeeded() << NEEDED_SHIFT);
    }
  }

  /** Completes the entry under way. */
  close(side: number): void {
    this.entries[this.count * ENTRY_WORDS + ENTRY_SIDE] = side;
    this.count++;
  }

  /**
   * Scales the levels [first, last) to the instrument's exponents in place.
   * @returns SCALE_OK; SCALE_RESCALE (needs are in the outcome); SCALE_OVERFLOW
   */
  scale(producer: Producer, instrument: number, first: number, last: number): number {
    const { words } = producer.memory;
    const entries = this.entries;
    const priceExponent = fieldOf(words, instrument, INSTRUMENT_PRICE_EXPONENT);
    const quantityExponent = fieldOf(words, instrument, INSTRUMENT_QUANTITY_EXPONENT);
    let needPrice = Math.max(priceExponent, 0);
    let needQuantity = Math.max(quantityExponent, 0);
    let writtenPrice = 0;
    let writtenQuantity = 0;
    for (let at = first * ENTRY_WORDS; at < last * ENTRY_WORDS; at += ENTRY_WORDS) {
      const price = wordAt(entries, at + PRICE_DIGITS);
      const quantity = wordAt(entries, at + QUANTITY_DIGITS);
      if (wordAt(entries, at + OVERFLOW) !== 0) {
        return SCALE_OVERFLOW;
      }
      needPrice = Math.max(needPrice, price >> NEEDED_SHIFT);
      needQuantity = Math.max(needQuantity, quantity >> NEEDED_SHIFT);
      writtenPrice = Math.max(writtenPrice, price & WRITTEN_MASK);
      writtenQuantity = Math.max(writtenQuantity, quantity & WRITTEN_MASK);
    }
    this.writtenPrice = writtenPrice;
    this.writtenQuantity = writtenQuantity;
    if (needPrice > EXPONENT_MAX || needQuantity > EXPONENT_MAX) {
      return SCALE_OVERFLOW;
    }
    if (needPrice > priceExponent || needQuantity > quantityExponent) {
      return askRescale(producer, needPrice, needQuantity);
    }
    for (let at = first * ENTRY_WORDS; at < last * ENTRY_WORDS; at += ENTRY_WORDS) {
      const isScaled =
        scaleEntry(entries, at, wordAt(entries, at + PRICE_DIGITS) & WRITTEN_MASK, priceExponent) &&
        scaleEntry(
          entries,
          at + ENTRY_QUANTITY,
          wordAt(entries, at + QUANTITY_DIGITS) & WRITTEN_MASK,
          quantityExponent,
        );
      if (!isScaled) {
        return SCALE_OVERFLOW;
      }
    }
    return SCALE_OK;
  }
}

/** Scales the mantissa at a word index in place; digits that leave are zeros. @returns false when i64 overflows */
export function scaleEntry(entries: Int32Array, at: number, from: number, to: number): boolean {
  if (from === to) {
    return true;
  }
  const low = wordAt(entries, at);
  const high = wordAt(entries, at + 1);
  if (high >= 0 && isSafe(high)) {
    const value = toNumber(low, high);
    const scaled = from > to ? value / powerOfTen(from - to) : value * powerOfTen(to - from);
    if (scaled <= Number.MAX_SAFE_INTEGER) {
      entries[at] = scaled;
      entries[at + 1] = scaled / TWO_32;
      return true;
    }
  }
  const isScaled = scaleMantissa(low, high, from, to);
  entries[at] = resultLow();
  entries[at + 1] = resultHigh();
  return isScaled;
}

/** Puts the needed exponents into the outcome. @returns SCALE_RESCALE */
export function askRescale(producer: Producer, price: number, quantity: number): number {
  producer.setOutcome(OUTCOME_NEED_PRICE_EXPONENT, price);
  producer.setOutcome(OUTCOME_NEED_QUANTITY_EXPONENT, quantity);
  return SCALE_RESCALE;
}
