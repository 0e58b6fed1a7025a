/**
 * Kraken's v1 book update in the very form in which Kraken writes it: `[id,{"a":[…],"c":"…"},"book-1000","XBT/USD"]`, or
 * one payload for the asks and one for the bids; no white space. The pair stands at the end and is looked for from there,
 * so that the levels can be scaled as they are read.
 * Bad case: any other form; FINE is returned, nothing has happened, and the general decoder reads the frame.
 */
import { applyDelta, expectChecksum } from "../event";
import { instrumentFind } from "../instrument";
import {
  INSTRUMENT_DEPTH,
  INSTRUMENT_WIRE_PRICE_DECIMALS,
  INSTRUMENT_WIRE_QUANTITY_DECIMALS,
  SIDE_ASK,
  SIDE_BID,
} from "../layout";
import { integerValue, readInteger } from "../json";
import { readSeconds, timeValue } from "../time";
import { scanPrice, scanQuantity, scanWhole, ticksBegin, ticksCount, wholeValue, WORD_BYTES } from "../tokens";
import { FINE } from "./common";
import { acceptsBook } from "./kraken";

/** The shortest frame of one level. */
const FRAME_MIN: usize = 64;
/** Bytes that are looked at from the quote before a price, from the one behind it, and from the one behind the quantity. */
const PRICE_ROOM: usize = 31;
const QUANTITY_ROOM: usize = 33;
const TIME_ROOM: usize = 28;
/** What must follow a payload, from its checksum on, takes more than this. */
const REST_ROOM: usize = 34;
const TIME_BYTES: usize = 17;

let latest: i64 = 0;

/** Decodes and applies a frame in the usual form. @returns APPLY_*, or FINE when it is none */
export function usualArray(frame: usize, end: usize, relative: f64): i32 {
  if (end - frame < FRAME_MIN || load<u8>(frame) != 0x5b || load<u16>(end - 2) != 0x5d22) return FINE;
  const name = nameStart(end - 2);
  if (name == 0) return FINE;
  const instrument = instrumentFind(name, end - 2 - name);
  if (instrument == 0 || !acceptsBook(instrument, false)) return FINE;
  const prices = load<u32>(instrument, INSTRUMENT_WIRE_PRICE_DECIMALS);
  const quantities = load<u32>(instrument, INSTRUMENT_WIRE_QUANTITY_DECIMALS);
  if (!ticksBegin(instrument, prices, quantities)) return FINE;
  latest = 0;
  let at = scanWhole(frame + 1);
  if (at == 0 || load<u8>(at) != 0x2c) return FINE;
  at = scanPayloads(at + 1, end);
  if (at == 0) return FINE;
  const checksum = wholeValue();
  // `},"book-`, the depth, `","` before the name
  if (checksum > 0xffffffff || at + 12 > name || at + 17 < name) return FINE;
  if (load<u64>(at) != 0x2d6b6f6f62222c7d || load<u16>(name - 3) != 0x2c22) return FINE;
  if (!readInteger(at + 8, name - 3 - (at + 8))) return FINE;
  if (integerValue() != <u64>load<u32>(instrument, INSTRUMENT_DEPTH)) return FINE;
  expectChecksum(<u32>checksum);
  return applyDelta(instrument, 0, ticksCount(), latest, 0, relative);
}

/** First byte of the text that ends before the quote at `stop`; 0 when it is longer than 15 bytes or unusual. */
function nameStart(stop: usize): usize {
  const bytes = v128.load(stop - 16);
  const quotes = <u32>i8x16.bitmask(i8x16.eq(bytes, i8x16.splat(0x22)));
  if (quotes == 0) return 0;
  const first = 32 - clz<u32>(quotes);
  const odd = v128.or(i8x16.eq(bytes, i8x16.splat(0x5c)), i8x16.lt_u(bytes, i8x16.splat(0x20)));
  return <u32>i8x16.bitmask(odd) >> first == 0 ? stop - 16 + first : 0;
}

/** Reads the payloads up to the quote behind the checksum and one byte more. @returns the address of the brace, 0 when it is unusual */
function scanPayloads(at: usize, end: usize): usize {
  // `{"a":[[` or `{"b":[[`
  if (load<u32>(at) != 0x2261227b) return scanLast(at, end, SIDE_BID);
  const stop = scanSide(at, end, SIDE_ASK);
  if (stop == 0 || stop + REST_ROOM > end) return 0;
  if (load<u16>(stop) != 0x2c7d) return scanChecksum(stop, end);
  return scanLast(stop + 2, end, SIDE_BID);
}

function scanLast(at: usize, end: usize, side: u32): usize {
  const stop = scanSide(at, end, side);
  return stop == 0 || stop + REST_ROOM > end ? 0 : scanChecksum(stop, end);
}

/** Reads `,"c":"…"`. @returns the address after it, 0 when it is unusual */
function scanChecksum(at: usize, end: usize): usize {
  if ((load<u64>(at) & 0xffffffffffff) != 0x223a2263222c || at + 6 + WORD_BYTES > end) return 0;
  const stop = scanWhole(at + 6);
  return stop == 0 || load<u8>(stop) != 0x22 ? 0 : stop + 1;
}

/** Reads `{"a":[["price","quantity","time"],…]`. @returns the address after it, 0 when it is unusual */
function scanSide(at: usize, end: usize, side: u32): usize {
  const head = load<u64>(at) & 0xffffffffffffff;
  if (head != (side == SIDE_ASK ? 0x5b5b3a2261227b : 0x5b5b3a2262227b)) return 0;
  at += 7;
  while (at + PRICE_ROOM <= end) {
    if (load<u8>(at) != 0x22) return 0;
    at = scanPrice(at + 1, end);
    // `","`
    if (at == 0 || at + QUANTITY_ROOM > end || (load<u32>(at) & 0xffffff) != 0x222c22) return 0;
    at = scanQuantity(at + 3, end, side);
    if (at == 0 || at + TIME_ROOM > end || (load<u32>(at) & 0xffffff) != 0x222c22) return 0;
    at += 3;
    if (!readSeconds(at, TIME_BYTES)) return 0;
    latest = max(latest, timeValue());
    at += TIME_BYTES;
    // `","r"` marks a level that came back into scope
    if (load<u32>(at) == 0x72222c22) at += 4;
    if (load<u16>(at) != 0x5d22) return 0;
    const next = <u32>load<u8>(at, 2);
    at += 3;
    if (next == 0x5d) return at;
    // `,[`
    if (next != 0x2c || load<u8>(at) != 0x5b) return 0;
    at++;
  }
  return 0;
}
