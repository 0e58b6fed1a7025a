/**
 * Tokens of frames in their usual form, read without looking at what the general scanner must look at: decimals straight
 * to the instrument's integers, whole numbers, names. Whatever is unusual is no error here: the reader returns 0 and the
 * general decoder judges the frame from its first byte.
 * Bad case: a token so near the frame's end that sixteen bytes cannot be loaded; the last bytes of the frame are read from
 * a copy with room behind it (tailBegin).
 */
import { arenaAllocate, powerOfTen } from "./arena";
import { FRAME_LEVELS_MAX, INSTRUMENT_PRICE_EXPONENT, INSTRUMENT_QUANTITY_EXPONENT } from "./layout";
import { ENTRY_BYTES, ENTRY_QUANTITY, ENTRY_SIDE, levelAt } from "./levels";
import {
  decimalDecimals,
  decimalMantissa,
  decimalNeeded,
  decimalOverflow,
  eightDigits,
  scaledValue,
  scaleMantissa,
  scanDecimal,
  ZEROS,
} from "./quantize";

/** Bytes that a reader of decimals looks at, and at most passes. */
export const TOKEN_BYTES: usize = 26;
/** Bytes that the readers of whole numbers and names look at. */
export const WORD_BYTES: usize = 16;
const TAIL_BYTES: usize = 32;
/** Most decimals that a token is read with when the exchange's own count does not matter. */
export const DECIMALS_ANY: u32 = 16;
const POINT: u32 = 0x2e;

let priceExponent: u32 = 0;
let quantityExponent: u32 = 0;
let priceMost: u32 = 0;
let quantityMost: u32 = 0;
let entry: usize = 0;
let entriesEnd: usize = 0;
let tail: usize = 0;
let tailAfter: usize = 0;
let tailMove: usize = 0;

/**
 * Levels are read for this instrument from here on.
 * @param prices most decimals of a price @param quantities most decimals of a quantity
 * @returns false when its exponents are not known
 */
export function ticksBegin(instrument: usize, prices: u32, quantities: u32): bool {
  priceExponent = load<u32>(instrument, INSTRUMENT_PRICE_EXPONENT);
  quantityExponent = load<u32>(instrument, INSTRUMENT_QUANTITY_EXPONENT);
  priceMost = prices;
  quantityMost = quantities;
  entry = levelAt(0);
  entriesEnd = levelAt(FRAME_LEVELS_MAX);
  return priceExponent <= 18 && quantityExponent <= 18;
}

/** Levels read since ticksBegin. */
export function ticksCount(): u32 {
  return <u32>((entry - levelAt(0)) / ENTRY_BYTES);
}

/** Copies the end of a frame of at least TAIL_BYTES, so that tokens there are read from the copy. */
export function tailBegin(end: usize): void {
  if (tail == 0) tail = arenaAllocate(2 * TAIL_BYTES);
  if (tail == 0) unreachable();
  v128.store(tail, v128.load(end - TAIL_BYTES));
  v128.store(tail, v128.load(end - 16), 16);
  tailAfter = end - TOKEN_BYTES;
  tailMove = tail + TAIL_BYTES - end;
}

/** Reads a price into the next entry. @returns the address after it, 0 when it is unusual */
export function scanPrice(at: usize, end: usize): usize {
  if (entry == entriesEnd) return 0;
  let stop = scanTicks(at, priceExponent, priceMost, entry);
  if (stop == 0) stop = scanTicksSlow(at, end, priceExponent, priceMost, entry);
  return load<i64>(entry) == 0 ? 0 : stop;
}

/** Reads a quantity and completes the entry. @returns the address after it, 0 when it is unusual */
export function scanQuantity(at: usize, end: usize, side: u32): usize {
  let stop = scanTicks(at, quantityExponent, quantityMost, entry + ENTRY_QUANTITY);
  if (stop == 0) stop = scanTicksSlow(at, end, quantityExponent, quantityMost, entry + ENTRY_QUANTITY);
  store<u8>(entry, <u8>side, ENTRY_SIDE);
  entry += ENTRY_BYTES;
  return stop;
}

/** As scanPrice, anywhere in a frame whose tail was copied. */
export function scanPriceTailed(at: usize, end: usize): usize {
  if (at <= tailAfter) return scanPrice(at, end);
  const stop = scanPrice(at + tailMove, tail + TAIL_BYTES);
  return stop == 0 ? 0 : stop - tailMove;
}

/** As scanQuantity, anywhere in a frame whose tail was copied. */
export function scanQuantityTailed(at: usize, end: usize, side: u32): usize {
  if (at <= tailAfter) return scanQuantity(at, end, side);
  const stop = scanQuantity(at + tailMove, tail + TAIL_BYTES, side);
  return stop == 0 ? 0 : stop - tailMove;
}

function digitsMask(bytes: v128): u32 {
  return <u32>i8x16.bitmask(i8x16.lt_u(i8x16.sub(bytes, i8x16.splat(0x30)), i8x16.splat(10)));
}

/**
 * Reads `whole.fraction` as an integer of `exponent` decimals and stores it.
 * @returns the address after it; 0 when it has another form, more decimals than `most`, or needs more than the exponent
 */
function scanTicks(at: usize, exponent: u32, most: u32, out: usize): usize {
  const others = ~digitsMask(v128.load(at)) & 0xffff;
  const whole = ctz<u32>(others);
  if (whole - 1 > 7 || <u32>load<u8>(at + whole) != POINT) return 0;
  const first = at + whole + 1;
  const rest = others & (others - 1);
  const fraction = rest != 0 ? ctz<u32>(rest) - whole - 1 : ctz<u32>(~digitsMask(v128.load(first)));
  if (fraction - 1 >= most) return 0;
  const value = eightDigits(load<u64>(at) << (64 - ((<u64>whole) << 3)));
  if (fraction > 8 || exponent > 8) {
    return scanLong(first, fraction, exponent, value, out) ? first + fraction : 0;
  }
  const kept = (load<u64>(first) ^ ZEROS) & (u64.MAX_VALUE >> (64 - ((<u64>fraction) << 3)));
  const half = (<u64>exponent) << 2;
  if ((kept >> half) >> half != 0) return 0;
  store<u64>(out, value * <u64>powerOfTen(exponent) + eightDigits(kept << (64 - (half << 1))));
  return first + fraction;
}

/** The same for up to 16 digits behind the point and an exponent of up to 10. */
function scanLong(first: usize, fraction: u32, exponent: u32, whole: u64, out: usize): bool {
  if (fraction > 16 || exponent > 10) return false;
  const bytes = (<u64>fraction) << 3;
  const mask: u64 = fraction < 8 ? u64.MAX_VALUE >> (64 - bytes) : u64.MAX_VALUE;
  const near = (load<u64>(first) ^ ZEROS) & mask;
  const far = fraction > 8 ? (load<u64>(first, 8) ^ ZEROS) & (u64.MAX_VALUE >> (128 - bytes)) : 0;
  if (exponent <= 8) {
    const half = (<u64>exponent) << 2;
    if (far != 0 || (near >> half) >> half != 0) return false;
    store<u64>(out, whole * <u64>powerOfTen(exponent) + eightDigits(near << (64 - (half << 1))));
    return true;
  }
  const beyond = exponent - 8;
  if (far >> ((<u64>beyond) << 3) != 0) return false;
  const value = (whole * 100_000_000 + eightDigits(near)) * <u64>powerOfTen(beyond);
  store<u64>(out, value + eightDigits(far << (64 - ((<u64>beyond) << 3))));
  return true;
}

/** Any other decimal that the instrument can hold; a longer token seems to end behind TOKEN_BYTES, inside a number. */
function scanTicksSlow(at: usize, end: usize, exponent: u32, most: u32, out: usize): usize {
  const stop = scanDecimal(at, min(end, at + TOKEN_BYTES));
  if (stop == 0 || decimalOverflow() || decimalMantissa() < 0) return 0;
  if (decimalNeeded() > <i32>exponent || decimalDecimals() > <i32>most) return 0;
  if (!scaleMantissa(decimalMantissa(), decimalDecimals(), <i32>exponent)) return 0;
  store<i64>(out, scaledValue());
  return stop;
}

/** True when a bare decimal that begins here may stand in JSON: a digit first, no zero before another digit. */
export function beginsNumber(at: usize): bool {
  const first = <u32>load<u8>(at) - 0x30;
  return first <= 9 && (first != 0 || <u32>load<u8>(at, 1) - 0x30 > 9);
}

let whole: u64 = 0;

/** The number that the last scanWhole read. */
export function wholeValue(): u64 {
  return whole;
}

/** Reads 1 … 15 digits without a leading zero; looks at WORD_BYTES. @returns the address after them, 0 when it is anything else */
export function scanWhole(at: usize): usize {
  const digits = ctz<u32>(~digitsMask(v128.load(at)));
  if (digits - 1 > 14 || !beginsNumber(at)) return 0;
  if (digits <= 8) {
    whole = eightDigits(load<u64>(at) << (64 - ((<u64>digits) << 3)));
    return at + digits;
  }
  const high = eightDigits(load<u64>(at) << (128 - ((<u64>digits) << 3)));
  whole = high * 100_000_000 + eightDigits(load<u64>(at + digits - 8));
  return at + digits;
}

/** Reads the text of a string up to its quote; looks at WORD_BYTES. @returns the address of the quote, 0 when it is longer or escaped */
export function scanName(at: usize): usize {
  const bytes = v128.load(at);
  const quotes = v128.or(i8x16.eq(bytes, i8x16.splat(0x22)), i8x16.eq(bytes, i8x16.splat(0x5c)));
  const stops = <u32>i8x16.bitmask(v128.or(quotes, i8x16.lt_u(bytes, i8x16.splat(0x20))));
  const stop = at + ctz<u32>(stops);
  return stops != 0 && <u32>load<u8>(stop) == 0x22 ? stop : 0;
}
