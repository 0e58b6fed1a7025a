/**
 * Kraken's book checksum: the digits of the ten best asks, then of the ten best bids (price, then quantity, no point, no
 * leading zeros) through CRC-32. The digits are those of the wire: as many decimals as the exchange writes, trailing
 * zeros included, which the integers reproduce when they are scaled to the decimals seen in the tokens.
 * The text of each side is kept per instrument and written anew only from the first level that changed.
 * Bad case: an exchange that stops writing trailing zeros; the most decimals seen since the snapshot still stand.
 */
import {
  INSTRUMENT_PRICE_EXPONENT,
  INSTRUMENT_QUANTITY_EXPONENT,
  INSTRUMENT_WIRE_PRICE_DECIMALS,
  INSTRUMENT_WIRE_QUANTITY_DECIMALS,
} from "../../../assembly/layout.ts";
import type { Book, BookSide } from "./book.ts";
import { crc32 } from "./crc32.ts";
import { writeDigits, writeNumber } from "./digits.ts";
import { divideByPower, isSafe, powerOfTen, resultHigh, resultLow, toNumber } from "./int64.ts";
import { fieldOf, wordAt } from "./memory.ts";

const DEPTH = 10;
const ZERO = 0x30;
const NUMBER_DIGITS = 38;
const LEVEL_WORDS = 4;

/** The checksums of one producer's books. */
export class Checksums {
  readonly #texts = new Map<number, BookText>();

  /**
   * CRC-32 over the digits of the top ten levels of both sides.
   * @returns u32 as a non-negative number
   * @see https://docs.kraken.com/api/docs/guides/spot-ws-book-v2 (read 2026-11)
   */
  compute(words: Int32Array, instrument: number, book: Book): number {
    let text = this.#texts.get(instrument);
    if (text === undefined) {
      text = new BookText();
      this.#texts.set(instrument, text);
    }
    text.scale(
      fieldOf(words, instrument, INSTRUMENT_WIRE_PRICE_DECIMALS) -
        fieldOf(words, instrument, INSTRUMENT_PRICE_EXPONENT),
      fieldOf(words, instrument, INSTRUMENT_WIRE_QUANTITY_DECIMALS) -
        fieldOf(words, instrument, INSTRUMENT_QUANTITY_EXPONENT),
    );
    const asks = text.asks.write(book.asks, text.pricePower, text.quantityPower);
    const bids = text.bids.write(book.bids, text.pricePower, text.quantityPower);
    return crc32(text.bids.bytes, 0, bids, crc32(text.asks.bytes, 0, asks));
  }
}

/** The texts of one book. */
class BookText {
  readonly asks = new SideText();
  readonly bids = new SideText();
  pricePower = 0;
  quantityPower = 0;

  /** Sets the powers of ten between ticks and the wire's digits. */
  scale(pricePower: number, quantityPower: number): void {
    if (pricePower !== this.pricePower || quantityPower !== this.quantityPower) {
      this.asks.count = 0;
      this.bids.count = 0;
      this.pricePower = pricePower;
      this.quantityPower = quantityPower;
    }
  }
}

/** The digits of one side's best levels, and the levels that they write. */
class SideText {
  readonly bytes = new Uint8Array(DEPTH * 2 * NUMBER_DIGITS);
  readonly #levels = new Int32Array(DEPTH * LEVEL_WORDS);
  /** Where the text of each level ends. */
  readonly #ends = new Int32Array(DEPTH);
  /** Levels written. */
  count = 0;

  /** Brings the text up to date. @returns its bytes */
  write(side: BookSide, pricePower: number, quantityPower: number): number {
    const count = Math.min(side.count, DEPTH);
    let rank = 0;
    while (rank < count && rank < this.count && this.#isSame(side, rank)) {
      rank++;
    }
    let end = rank === 0 ? 0 : wordAt(this.#ends, rank - 1);
    for (; rank < count; rank++) {
      const place = side.end - 1 - rank;
      end = writeWire(this.bytes, side.priceLow(place), side.priceHigh(place), pricePower, end);
      end = writeWire(this.bytes, side.quantityLow(place), side.quantityHigh(place), quantityPower, end);
      this.#note(side, rank);
      this.#ends[rank] = end;
    }
    this.count = count;
    return end;
  }

  #isSame(side: BookSide, rank: number): boolean {
    const place = side.end - 1 - rank;
    const at = rank * LEVEL_WORDS;
    const levels = this.#levels;
    return (
      wordAt(levels, at) === side.priceLow(place) &&
      wordAt(levels, at + 1) === side.priceHigh(place) &&
      wordAt(levels, at + 2) === side.quantityLow(place) &&
      wordAt(levels, at + 3) === side.quantityHigh(place)
    );
  }

  #note(side: BookSide, rank: number): void {
    const place = side.end - 1 - rank;
    const at = rank * LEVEL_WORDS;
    this.#levels[at] = side.priceLow(place);
    this.#levels[at + 1] = side.priceHigh(place);
    this.#levels[at + 2] = side.quantityLow(place);
    this.#levels[at + 3] = side.quantityHigh(place);
  }
}

/** Digits of value × 10^power, without ever forming a number that could overflow. */
function writeWire(bytes: Uint8Array, low: number, high: number, power: number, start: number): number {
  if (isSafe(high)) {
    const value = toNumber(low, high);
    const at = writeNumber(power < 0 ? Math.floor(value / powerOfTen(-power)) : value, bytes, start);
    return power > 0 ? writeZeros(bytes, at, power) : at;
  }
  if (power < 0) {
    divideByPower(low, high, -power);
    return writeDigits(resultLow(), resultHigh(), bytes, start);
  }
  return writeZeros(bytes, writeDigits(low, high, bytes, start), power);
}

function writeZeros(bytes: Uint8Array, at: number, count: number): number {
  for (let i = 0; i < count; i++) {
    bytes[at + i] = ZERO;
  }
  return at + count;
}
