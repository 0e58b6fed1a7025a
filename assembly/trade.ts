/**
 * The trade writer: decoded trades of a frame wait in scratch until the whole frame is known to be good, then become
 * 128-byte records. Continuity of numeric trade ids is judged here; what a jump means for the book is the decoder's rule.
 *
 * Pending trade, 64 bytes: priceMantissa i64 · quantityMantissa i64 · eventAt i64 · sourceSequence u64 · id u64 · instrument u32 ·
 * idText u32 · idLength u32 · priceDecimals u8 · quantityDecimals u8 · aggressor u8 · flags u8 · priceNeeded u8 · quantityNeeded u8 · overflow u8.
 * Bad case: ids that go back; they are dropped as duplicates and counted.
 */
import { arenaAllocate } from "./arena";
import { levelHash } from "./hash";
import { hasFlag, setFlag } from "./instrument";
import {
  CELL_FLAG_TRADE,
  CELL_FLAGS,
  CELL_SEQUENCE,
  CELL_TRADE_AT,
  CELL_TRADE_PRICE,
  CELL_TRADE_QUANTITY,
  CELL_TRADE_VERSION,
  COUNTER_LONG_TRADE_IDS,
  COUNTER_TRADE_DUPLICATES,
  COUNTER_TRADE_GAPS,
  COUNTER_TRADES,
  EXPONENT_MAX,
  FRAME_TRADES_MAX,
  INSTRUMENT_CELL_ADDRESS,
  INSTRUMENT_FLAG_OPENED,
  INSTRUMENT_FLAG_TRADE_SEEN,
  INSTRUMENT_ID,
  INSTRUMENT_LAST_TRADE_ID,
  INSTRUMENT_PRICE_EXPONENT,
  INSTRUMENT_QUANTITY_EXPONENT,
  INSTRUMENT_TRADE_VERSION,
  INSTRUMENT_VERSION,
  OUTCOME_TRADES,
  TRADE_AGGRESSOR,
  TRADE_BOOK_VERSION,
  TRADE_BYTES,
  TRADE_EVENT_AT,
  TRADE_FLAG_GAP_BEFORE,
  TRADE_FLAGS,
  TRADE_ID,
  TRADE_ID_BYTES_MAX,
  TRADE_ID_LENGTH,
  TRADE_INSTRUMENT_ID,
  TRADE_PRICE,
  TRADE_QUANTITY,
  TRADE_RECEIVED_AT,
  TRADE_SOURCE_SEQUENCE,
  TRADE_VERSION,
} from "./layout";
import { askRescale, SCALE_OK, SCALE_OVERFLOW } from "./levels";
import { count, outcomeAddress, tradeNext } from "./producer";
import { scaledValue, scaleMantissa } from "./quantize";

const PENDING_BYTES: usize = 64;
const QUANTITY: usize = 8;
const EVENT_AT: usize = 16;
const SEQUENCE: usize = 24;
const NUMBER: usize = 32;
const INSTRUMENT: usize = 40;
const ID_TEXT: usize = 44;
const ID_LENGTH: usize = 48;
const PRICE_DECIMALS: usize = 52;
const QUANTITY_DECIMALS: usize = 53;
const AGGRESSOR: usize = 54;
const FLAGS: usize = 55;
const PRICE_NEEDED: usize = 56;
const QUANTITY_NEEDED: usize = 57;
const OVERFLOW: usize = 58;

let scratch: usize = 0;
let pending: u32 = 0;

/** Forgets the trades of the frame before. */
export function tradesClear(): void {
  if (scratch == 0) scratch = arenaAllocate(<usize>FRAME_TRADES_MAX * PENDING_BYTES);
  if (scratch == 0) unreachable();
  pending = 0;
}

/** Trades waiting. */
export function tradesPending(): u32 {
  return pending;
}

/** Opens the next pending trade. @returns its address, 0 when the frame holds too many */
export function tradeOpen(): usize {
  if (pending >= <u32>FRAME_TRADES_MAX) return 0;
  const at = scratch + <usize>pending * PENDING_BYTES;
  for (let i: usize = 0; i < PENDING_BYTES; i += 16) v128.store(at + i, i64x2.splat(0));
  pending++;
  return at;
}

export function tradePrice(at: usize, mantissa: i64, decimals: i32, needed: i32, overflow: bool): void {
  store<i64>(at, mantissa);
  store<u8>(at, <u8>decimals, PRICE_DECIMALS);
  store<u8>(at, <u8>needed, PRICE_NEEDED);
  if (overflow) store<u8>(at, 1, OVERFLOW);
}
export function tradeQuantity(at: usize, mantissa: i64, decimals: i32, needed: i32, overflow: bool): void {
  store<i64>(at, mantissa, QUANTITY);
  store<u8>(at, <u8>decimals, QUANTITY_DECIMALS);
  store<u8>(at, <u8>needed, QUANTITY_NEEDED);
  if (overflow) store<u8>(at, 1, OVERFLOW);
}
export function tradeId(at: usize, number: u64, text: usize, length: usize): void {
  store<u64>(at, number, NUMBER);
  store<u32>(at, <u32>text, ID_TEXT);
  store<u32>(at, <u32>length, ID_LENGTH);
}
export function tradeSide(at: usize, aggressor: u32, flags: u32): void {
  store<u8>(at, <u8>aggressor, AGGRESSOR);
  store<u8>(at, <u8>flags, FLAGS);
}
export function tradeTimes(at: usize, eventAt: i64, sequence: u64): void {
  store<i64>(at, eventAt, EVENT_AT);
  store<u64>(at, sequence, SEQUENCE);
}
export function tradeInstrument(at: usize, instrument: usize): void {
  store<u32>(at, <u32>instrument, INSTRUMENT);
}

/** Scales the i-th pending trade to its instrument in place. @returns SCALE_* */
export function scaleTrade(i: u32): i32 {
  const at = scratch + <usize>i * PENDING_BYTES;
  const instrument = <usize>load<u32>(at, INSTRUMENT);
  if (load<u8>(at, OVERFLOW)) return SCALE_OVERFLOW;
  const priceExponent = load<i32>(instrument, INSTRUMENT_PRICE_EXPONENT);
  const quantityExponent = load<i32>(instrument, INSTRUMENT_QUANTITY_EXPONENT);
  const needPrice = max(max(priceExponent, 0), <i32>load<u8>(at, PRICE_NEEDED));
  const needQuantity = max(max(quantityExponent, 0), <i32>load<u8>(at, QUANTITY_NEEDED));
  if (needPrice > EXPONENT_MAX || needQuantity > EXPONENT_MAX) return SCALE_OVERFLOW;
  if (needPrice > priceExponent || needQuantity > quantityExponent) return askRescale(needPrice, needQuantity);
  if (!scaleMantissa(load<i64>(at), load<u8>(at, PRICE_DECIMALS), priceExponent)) return SCALE_OVERFLOW;
  store<i64>(at, scaledValue());
  if (!scaleMantissa(load<i64>(at, QUANTITY), load<u8>(at, QUANTITY_DECIMALS), quantityExponent)) return SCALE_OVERFLOW;
  store<i64>(at, scaledValue(), QUANTITY);
  return SCALE_OK;
}

/** Results of tradeWrite. */
export const TRADE_WRITTEN: i32 = 0;
export const TRADE_JUMPED: i32 = 1;
export const TRADE_DUPLICATE: i32 = 2;

/** Judges continuity and writes the i-th pending trade. @returns TRADE_* */
export function tradeWrite(i: u32, received: i64): i32 {
  const at = scratch + <usize>i * PENDING_BYTES;
  const instrument = <usize>load<u32>(at, INSTRUMENT);
  const number = load<u64>(at, NUMBER);
  const last = load<u64>(instrument, INSTRUMENT_LAST_TRADE_ID);
  const seen = hasFlag(instrument, INSTRUMENT_FLAG_TRADE_SEEN);
  if (seen && number <= last) {
    count(COUNTER_TRADE_DUPLICATES, 1);
    return TRADE_DUPLICATE;
  }
  const jumped = seen && number > last + 1;
  if (jumped) count(COUNTER_TRADE_GAPS, 1);
  store<u64>(instrument, number, INSTRUMENT_LAST_TRADE_ID);
  setFlag(instrument, INSTRUMENT_FLAG_TRADE_SEEN | INSTRUMENT_FLAG_OPENED);
  const version = load<u64>(instrument, INSTRUMENT_TRADE_VERSION) + 1;
  store<u64>(instrument, version, INSTRUMENT_TRADE_VERSION);
  const record = tradeNext();
  for (let k: usize = 0; k < <usize>TRADE_BYTES; k += 16) v128.store(record + k, i64x2.splat(0));
  store<i64>(record, load<i64>(at, EVENT_AT), TRADE_EVENT_AT);
  store<i64>(record, received, TRADE_RECEIVED_AT);
  store<i64>(record, load<i64>(at), TRADE_PRICE);
  store<i64>(record, load<i64>(at, QUANTITY), TRADE_QUANTITY);
  store<u64>(record, load<u64>(at, SEQUENCE), TRADE_SOURCE_SEQUENCE);
  store<u32>(record, load<u32>(instrument, INSTRUMENT_ID), TRADE_INSTRUMENT_ID);
  store<u16>(record, <u16>(load<u8>(at, FLAGS) | (jumped ? TRADE_FLAG_GAP_BEFORE : 0)), TRADE_FLAGS);
  store<u8>(record, load<u8>(at, AGGRESSOR), TRADE_AGGRESSOR);
  writeId(record, load<u32>(at, ID_TEXT), load<u32>(at, ID_LENGTH));
  store<u64>(record, version, TRADE_VERSION);
  store<u64>(record, load<u64>(instrument, INSTRUMENT_VERSION), TRADE_BOOK_VERSION);
  cellTrade(instrument, record, version);
  count(COUNTER_TRADES, 1);
  const outcome = outcomeAddress();
  store<u32>(outcome, load<u32>(outcome, OUTCOME_TRADES) + 1, OUTCOME_TRADES);
  return jumped ? TRADE_JUMPED : TRADE_WRITTEN;
}

/** Copies an id; one that is too long keeps its first 40 bytes and eight hex digits of a hash of all. */
function writeId(record: usize, text: usize, length: u32): void {
  if (length <= <u32>TRADE_ID_BYTES_MAX) {
    memory.copy(record + TRADE_ID, text, length);
    store<u8>(record, <u8>length, TRADE_ID_LENGTH);
    return;
  }
  count(COUNTER_LONG_TRADE_IDS, 1);
  memory.copy(record + TRADE_ID, text, 40);
  let hash: u32 = 0;
  for (let i: u32 = 0; i < length; i++) hash = levelHash(hash, i, <i64>load<u8>(text + i));
  for (let i: u32 = 0; i < 8; i++) {
    const digit = (hash >> (28 - i * 4)) & 15;
    store<u8>(record + TRADE_ID + 40 + i, <u8>(digit < 10 ? 0x30 + digit : 0x57 + digit));
  }
  store<u8>(record, <u8>TRADE_ID_BYTES_MAX, TRADE_ID_LENGTH);
}

function cellTrade(instrument: usize, record: usize, version: u64): void {
  const cell = <usize>load<u32>(instrument, INSTRUMENT_CELL_ADDRESS);
  if (cell == 0) return;
  const sequence = load<u32>(cell, CELL_SEQUENCE);
  atomic.store<u32>(cell, sequence + 1, CELL_SEQUENCE);
  store<i64>(cell, load<i64>(record, TRADE_PRICE), CELL_TRADE_PRICE);
  store<i64>(cell, load<i64>(record, TRADE_QUANTITY), CELL_TRADE_QUANTITY);
  store<i64>(cell, load<i64>(record, TRADE_EVENT_AT), CELL_TRADE_AT);
  store<u64>(cell, version, CELL_TRADE_VERSION);
  store<u32>(cell, load<u32>(cell, CELL_FLAGS) | CELL_FLAG_TRADE, CELL_FLAGS);
  atomic.store<u32>(cell, sequence + 2, CELL_SEQUENCE);
}
