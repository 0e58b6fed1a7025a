/**
 * The trade writer: decoded trades of a frame wait in scratch until the whole frame is known to be good, then become
 * 128-byte records. Continuity of numeric trade ids is judged here; what a jump means for the book is the decoder's rule.
 * Bad case: ids that go back; they are dropped as duplicates and counted.
 */
import {
  COUNTER_LONG_TRADE_IDS,
  COUNTER_TRADE_DUPLICATES,
  COUNTER_TRADE_GAPS,
  COUNTER_TRADES,
  EXPONENT_MAX,
  FRAME_TRADES_MAX,
  INSTRUMENT_FLAG_OPENED,
  INSTRUMENT_FLAG_TRADE_SEEN,
  INSTRUMENT_ID,
  INSTRUMENT_LAST_TRADE_ID,
  INSTRUMENT_PRICE_EXPONENT,
  INSTRUMENT_QUANTITY_EXPONENT,
  INSTRUMENT_TRADE_VERSION,
  INSTRUMENT_VERSION,
  OUTCOME_TRADES,
  TRADE_BOOK_VERSION,
  TRADE_BYTES,
  TRADE_EVENT_AT,
  TRADE_FLAG_GAP_BEFORE,
  TRADE_FLAGS,
  TRADE_ID,
  TRADE_ID_BYTES_MAX,
  TRADE_INSTRUMENT_ID,
  TRADE_PRICE,
  TRADE_QUANTITY,
  TRADE_RECEIVED_AT,
  TRADE_SOURCE_SEQUENCE,
  TRADE_VERSION,
} from "../../../assembly/layout.ts";
import { writeCellTrade } from "./cell.ts";
import { wordsHash } from "./hash.ts";
import { hasFlag, setFlags } from "./instrument.ts";
import { add, compareUnsigned, resultHigh, resultLow } from "./int64.ts";
import { askRescale, SCALE_OK, SCALE_OVERFLOW, scaleEntry } from "./levels.ts";
import { addU64, byteAt, copyWords, fieldOf, wordAt, writeWords } from "./memory.ts";
import type { Producer } from "./producer.ts";
import { tokenDecimals, tokenHigh, tokenLow, tokenNeeded, tokenOverflows } from "./quantize.ts";

/** Words of a pending trade: price · quantity · event time · source sequence · id (low and high each), then these. */
const PENDING_WORDS = 20;
const PRICE = 0;
const QUANTITY = 2;
const EVENT_AT = 4;
const SEQUENCE = 6;
const NUMBER = 8;
const INSTRUMENT = 10;
const ID_TEXT = 11;
const ID_LENGTH = 12;
const PRICE_DECIMALS = 13;
const PRICE_NEEDED = 14;
const QUANTITY_DECIMALS = 15;
const QUANTITY_NEEDED = 16;
const AGGRESSOR = 17;
const FLAGS = 18;
const OVERFLOW = 19;
const CUT_BYTES = 40;
const HASH_DIGITS = 8;

/** Results of write. */
export const TRADE_WRITTEN = 0;
export const TRADE_JUMPED = 1;
export const TRADE_DUPLICATE = 2;

/** The trades of the frame under way, and their records. */
export class TradeWriter {
  readonly #producer: Producer;
  readonly #pending = new Int32Array(FRAME_TRADES_MAX * PENDING_WORDS);
  /** Trades waiting. */
  count = 0;
  #at = 0;

  constructor(producer: Producer) {
    this.#producer = producer;
  }

  /** Forgets the trades of the frame before. */
  clear(): void {
    this.count = 0;
  }

  /** Opens the next pending trade; the setters below fill it. @returns false when the frame holds too many */
  open(instrument: number): boolean {
    if (this.count >= FRAME_TRADES_MAX) {
      return false;
    }
    this.#at = this.count * PENDING_WORDS;
    this.#pending.fill(0, this.#at, this.#at + PENDING_WORDS);
    this.#pending[this.#at + INSTRUMENT] = instrument;
    this.count++;
    return true;
  }

  /** The last token is the price. */
  setPrice(): void {
    this.#setToken(this.#at + PRICE, this.#at + PRICE_DECIMALS);
  }

  /** The last token is the quantity. */
  setQuantity(): void {
    this.#setToken(this.#at + QUANTITY, this.#at + QUANTITY_DECIMALS);
  }

  #setToken(at: number, digits: number): void {
    const pending = this.#pending;
    if (tokenOverflows()) {
      pending[this.#at + OVERFLOW] = 1;
      return;
    }
    pending[at] = tokenLow();
    pending[at + 1] = tokenHigh();
    pending[digits] = tokenDecimals();
    pending[digits + 1] = tokenNeeded();
  }

  /** The id as a number and as the bytes that write it. */
  setId(low: number, high: number, text: number, length: number): void {
    const at = this.#at;
    this.#pending[at + NUMBER] = low;
    this.#pending[at + NUMBER + 1] = high;
    this.#pending[at + ID_TEXT] = text;
    this.#pending[at + ID_LENGTH] = length;
  }

  /** @param aggressor AGGRESSOR_* @param flags TRADE_FLAG_* */
  setSide(aggressor: number, flags: number): void {
    this.#pending[this.#at + AGGRESSOR] = aggressor;
    this.#pending[this.#at + FLAGS] = flags;
  }

  /** Exchange time, Unix ns; 0 = unknown. */
  setEventAt(low: number, high: number): void {
    this.#pending[this.#at + EVENT_AT] = low;
    this.#pending[this.#at + EVENT_AT + 1] = high;
  }

  /** What the exchange numbered. */
  setSequence(low: number, high: number): void {
    this.#pending[this.#at + SEQUENCE] = low;
    this.#pending[this.#at + SEQUENCE + 1] = high;
  }

  /** Instrument of a pending trade. */
  instrument(index: number): number {
    return wordAt(this.#pending, index * PENDING_WORDS + INSTRUMENT) >>> 0;
  }

  /** Scales a pending trade to its instrument in place. @returns SCALE_* */
  scale(index: number): number {
    const pending = this.#pending;
    const at = index * PENDING_WORDS;
    const { words } = this.#producer.memory;
    const instrument = this.instrument(index);
    if (wordAt(pending, at + OVERFLOW) !== 0) {
      return SCALE_OVERFLOW;
    }
    const price = fieldOf(words, instrument, INSTRUMENT_PRICE_EXPONENT);
    const quantity = fieldOf(words, instrument, INSTRUMENT_QUANTITY_EXPONENT);
    const needPrice = Math.max(price, 0, wordAt(pending, at + PRICE_NEEDED));
    const needQuantity = Math.max(quantity, 0, wordAt(pending, at + QUANTITY_NEEDED));
    if (needPrice > EXPONENT_MAX || needQuantity > EXPONENT_MAX) {
      return SCALE_OVERFLOW;
    }
    if (needPrice > price || needQuantity > quantity) {
      return askRescale(this.#producer, needPrice, needQuantity);
    }
    const isScaled =
      scaleEntry(pending, at + PRICE, wordAt(pending, at + PRICE_DECIMALS), price) &&
      scaleEntry(pending, at + QUANTITY, wordAt(pending, at + QUANTITY_DECIMALS), quantity);
    return isScaled ? SCALE_OK : SCALE_OVERFLOW;
  }

  /** Judges continuity and writes a pending trade. @returns TRADE_* */
  write(index: number): number {
    const producer = this.#producer;
    const { words } = producer.memory;
    const at = index * PENDING_WORDS;
    const instrument = this.instrument(index);
    const low = wordAt(this.#pending, at + NUMBER);
    const high = wordAt(this.#pending, at + NUMBER + 1);
    const lastLow = fieldOf(words, instrument, INSTRUMENT_LAST_TRADE_ID);
    const lastHigh = fieldOf(words, instrument, INSTRUMENT_LAST_TRADE_ID + 4);
    const isSeen = hasFlag(words, instrument, INSTRUMENT_FLAG_TRADE_SEEN);
    if (isSeen && compareUnsigned(low, high, lastLow, lastHigh) <= 0) {
      producer.count(COUNTER_TRADE_DUPLICATES, 1);
      return TRADE_DUPLICATE;
    }
    add(lastLow, lastHigh, 1, 0);
    const hasJumped = isSeen && compareUnsigned(low, high, resultLow(), resultHigh()) > 0;
    if (hasJumped) {
      producer.count(COUNTER_TRADE_GAPS, 1);
    }
    writeWords(words, instrument + INSTRUMENT_LAST_TRADE_ID, low, high);
    setFlags(words, instrument, INSTRUMENT_FLAG_TRADE_SEEN | INSTRUMENT_FLAG_OPENED);
    addU64(words, instrument + INSTRUMENT_TRADE_VERSION, 1);
    const record = producer.trades.take();
    this.#writeRecord(record, at, hasJumped);
    writeCellTrade(words, instrument, record);
    producer.count(COUNTER_TRADES, 1);
    producer.addOutcome(OUTCOME_TRADES, 1);
    return hasJumped ? TRADE_JUMPED : TRADE_WRITTEN;
  }

  #writeRecord(record: number, at: number, hasJumped: boolean): void {
    const producer = this.#producer;
    const { words } = producer.memory;
    const pending = this.#pending;
    const instrument = wordAt(pending, at + INSTRUMENT) >>> 0;
    words.fill(0, record >>> 2, (record + TRADE_BYTES) >>> 2);
    writeWords(words, record + TRADE_RECEIVED_AT, producer.receivedLow, producer.receivedHigh);
    for (const [field, source] of FIELD_SOURCES) {
      writeWords(words, record + field, wordAt(pending, at + source), wordAt(pending, at + source + 1));
    }
    words[(record + TRADE_INSTRUMENT_ID) >>> 2] = fieldOf(words, instrument, INSTRUMENT_ID);
    const length = this.#writeId(record, wordAt(pending, at + ID_TEXT) >>> 0, wordAt(pending, at + ID_LENGTH));
    const flags = wordAt(pending, at + FLAGS) | (hasJumped ? TRADE_FLAG_GAP_BEFORE : 0);
    words[(record + TRADE_FLAGS) >>> 2] = flags | (wordAt(pending, at + AGGRESSOR) << 16) | (length << 24);
    copyWords(words, record + TRADE_VERSION, instrument + INSTRUMENT_TRADE_VERSION);
    copyWords(words, record + TRADE_BOOK_VERSION, instrument + INSTRUMENT_VERSION);
  }

  /** Copies an id; one that is too long keeps its first 40 bytes and eight hex digits of a hash of all. @returns length */
  #writeId(record: number, text: number, length: number): number {
    const { bytes } = this.#producer.memory;
    if (length <= TRADE_ID_BYTES_MAX) {
      bytes.copyWithin(record + TRADE_ID, text, text + length);
      return length;
    }
    this.#producer.count(COUNTER_LONG_TRADE_IDS, 1);
    bytes.copyWithin(record + TRADE_ID, text, text + CUT_BYTES);
    let hash = 0;
    for (let i = 0; i < length; i++) {
      hash = wordsHash(hash, i, 0, byteAt(bytes, text + i), 0);
    }
    for (let i = 0; i < HASH_DIGITS; i++) {
      const digit = (hash >>> (28 - i * 4)) & 15;
      bytes[record + TRADE_ID + CUT_BYTES + i] = digit < 10 ? 0x30 + digit : 0x57 + digit;
    }
    return TRADE_ID_BYTES_MAX;
  }
}

const FIELD_SOURCES = [
  [TRADE_EVENT_AT, EVENT_AT],
  [TRADE_PRICE, PRICE],
  [TRADE_QUANTITY, QUANTITY],
  [TRADE_SOURCE_SEQUENCE, SEQUENCE],
] as const;
