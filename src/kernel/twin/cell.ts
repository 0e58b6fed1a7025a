/**
 * The top-of-book cell: a seqlock of 128 bytes, so that nobody must build a book to read a spread. The sequence is odd
 * while the cell is written. Bad case: a reader that does not compare the sequence before and after sees two moments.
 */
import {
  CELL_ASK_PRICE,
  CELL_BID_PRICE,
  CELL_EVENT_AT,
  CELL_FLAG_ASK,
  CELL_FLAG_BID,
  CELL_FLAG_CROSSED,
  CELL_FLAG_TRADE,
  CELL_FLAGS,
  CELL_INSTRUMENT_ID,
  CELL_RECEIVED_AT,
  CELL_SEQUENCE,
  CELL_STATE,
  CELL_TRADE_AT,
  CELL_TRADE_PRICE,
  CELL_TRADE_QUANTITY,
  CELL_TRADE_VERSION,
  CELL_VERSION,
  FLAG_CROSSED,
  INSTRUMENT_CELL_ADDRESS,
  INSTRUMENT_EVENT_AT,
  INSTRUMENT_ID,
  INSTRUMENT_RECEIVED_AT,
  INSTRUMENT_STATE,
  INSTRUMENT_TRADE_VERSION,
  INSTRUMENT_VERSION,
  SIDE_ASK,
  SIDE_BID,
  TRADE_EVENT_AT,
  TRADE_PRICE,
  TRADE_QUANTITY,
} from "../../../assembly/layout.ts";
import type { Book } from "./book.ts";
import { copyWords, fieldOf, wordAt } from "./memory.ts";

/** Writes best bid and offer after an event. @param flags record flags of its last record */
export function writeCell(words: Int32Array, instrument: number, book: Book, flags: number): void {
  const cell = fieldOf(words, instrument, INSTRUMENT_CELL_ADDRESS) >>> 0;
  if (cell === 0) {
    return;
  }
  const sequence = wordAt(words, (cell + CELL_SEQUENCE) >>> 2);
  Atomics.store(words, (cell + CELL_SEQUENCE) >>> 2, sequence + 1);
  let cellFlags = wordAt(words, (cell + CELL_FLAGS) >>> 2) & CELL_FLAG_TRADE;
  cellFlags |= book.walk(SIDE_BID, 0, 1, words, cell + CELL_BID_PRICE) > 0 ? CELL_FLAG_BID : 0;
  cellFlags |= book.walk(SIDE_ASK, 0, 1, words, cell + CELL_ASK_PRICE) > 0 ? CELL_FLAG_ASK : 0;
  cellFlags |= (flags & FLAG_CROSSED) !== 0 ? CELL_FLAG_CROSSED : 0;
  words[(cell + CELL_STATE) >>> 2] = fieldOf(words, instrument, INSTRUMENT_STATE);
  copyWords(words, cell + CELL_VERSION, instrument + INSTRUMENT_VERSION);
  copyWords(words, cell + CELL_EVENT_AT, instrument + INSTRUMENT_EVENT_AT);
  copyWords(words, cell + CELL_RECEIVED_AT, instrument + INSTRUMENT_RECEIVED_AT);
  words[(cell + CELL_INSTRUMENT_ID) >>> 2] = fieldOf(words, instrument, INSTRUMENT_ID);
  words[(cell + CELL_FLAGS) >>> 2] = cellFlags;
  Atomics.store(words, (cell + CELL_SEQUENCE) >>> 2, sequence + 2);
}

/** Writes the last trade. @param record address of its trade record */
export function writeCellTrade(words: Int32Array, instrument: number, record: number): void {
  const cell = fieldOf(words, instrument, INSTRUMENT_CELL_ADDRESS) >>> 0;
  if (cell === 0) {
    return;
  }
  const sequence = wordAt(words, (cell + CELL_SEQUENCE) >>> 2);
  Atomics.store(words, (cell + CELL_SEQUENCE) >>> 2, sequence + 1);
  copyWords(words, cell + CELL_TRADE_PRICE, record + TRADE_PRICE);
  copyWords(words, cell + CELL_TRADE_QUANTITY, record + TRADE_QUANTITY);
  copyWords(words, cell + CELL_TRADE_AT, record + TRADE_EVENT_AT);
  copyWords(words, cell + CELL_TRADE_VERSION, instrument + INSTRUMENT_TRADE_VERSION);
  const flags = (cell + CELL_FLAGS) >>> 2;
  words[flags] = wordAt(words, flags) | CELL_FLAG_TRADE;
  Atomics.store(words, (cell + CELL_SEQUENCE) >>> 2, sequence + 2);
}
