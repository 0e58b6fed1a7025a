/**
 * Kraken's v2 book update in the very form in which Kraken writes it: one entry, keys in order, no white space. The frame
 * is read once from left to right, straight into scaled levels.
 * Bad case: any other form; FINE is returned, nothing has happened, and the general decoder reads the frame.
 */
import { applyDelta, expectChecksum } from "../event";
import { instrumentFind } from "../instrument";
import { INSTRUMENT_WIRE_PRICE_DECIMALS, INSTRUMENT_WIRE_QUANTITY_DECIMALS, SIDE_ASK, SIDE_BID } from "../layout";
import { readRfc3339, timeValue } from "../time";
import {
  beginsNumber,
  scanName,
  scanPrice,
  scanQuantity,
  scanWhole,
  ticksBegin,
  ticksCount,
  wholeValue,
  WORD_BYTES,
} from "../tokens";
import { FINE } from "./common";
import { acceptsBook } from "./kraken";

/** `{"channel":"book","type":"update","data":[{"symbol":"` */
const HEAD_BYTES: usize = 53;
/** The shortest frame with neither bids nor asks. */
const FRAME_MIN: usize = 144;
/** What a level and all that must follow it take at least; no level is longer than it. */
const LEVEL_ROOM: usize = 72;
/** What must follow the bids takes more than this. */
const REST_ROOM: usize = 64;
/** `,"timestamp":"2026-07-07T23:00:04.036583Z"}]}` */
const END_BYTES: usize = 45;
const TIME_BYTES: usize = 27;

/** Decodes and applies a frame in the usual form. @returns APPLY_*, or FINE when it is none */
export function usualUpdate(frame: usize, end: usize, relative: f64): i32 {
  if (end - frame < FRAME_MIN || !headHolds(frame)) return FINE;
  const name = frame + HEAD_BYTES;
  let at = scanName(name);
  if (at == 0) return FINE;
  const instrument = instrumentFind(name, at - name);
  if (instrument == 0 || !acceptsBook(instrument, false)) return FINE;
  const prices = load<u32>(instrument, INSTRUMENT_WIRE_PRICE_DECIMALS);
  const quantities = load<u32>(instrument, INSTRUMENT_WIRE_QUANTITY_DECIMALS);
  if (!ticksBegin(instrument, prices, quantities)) return FINE;
  // `","bids":[`
  if (load<u64>(at) != 0x2273646962222c22 || load<u16>(at, 8) != 0x5b3a) return FINE;
  at = scanLevels(at + 10, end, SIDE_BID);
  // `,"asks":[`
  if (at == 0 || at + REST_ROOM > end || load<u64>(at) != 0x3a22736b7361222c || load<u8>(at, 8) != 0x5b) return FINE;
  at = scanLevels(at + 9, end, SIDE_ASK);
  if (at == 0 || at + 12 + WORD_BYTES > end) return FINE;
  // `,"checksum":`
  if (load<u64>(at) != 0x736b63656863222c || load<u32>(at, 8) != 0x3a226d75) return FINE;
  at = scanWhole(at + 12);
  if (at == 0 || at + END_BYTES != end || wholeValue() > 0xffffffff) return FINE;
  // `,"timestamp":"` and `"}]}`
  if (load<u64>(at) != 0x7473656d6974222c || load<u64>(at, 6) != 0x223a22706d617473) return FINE;
  if (load<u32>(at, END_BYTES - 4) != 0x7d5d7d22 || !readRfc3339(at + 14, TIME_BYTES)) return FINE;
  expectChecksum(<u32>wholeValue());
  return applyDelta(instrument, 0, ticksCount(), timeValue(), 0, relative);
}

function headHolds(at: usize): bool {
  return (
    ((load<u64>(at) ^ 0x656e6e616863227b) |
      (load<u64>(at, 8) ^ 0x6b6f6f62223a226c) |
      (load<u64>(at, 16) ^ 0x2265707974222c22) |
      (load<u64>(at, 24) ^ 0x657461647075223a) |
      (load<u64>(at, 32) ^ 0x2261746164222c22) |
      (load<u64>(at, 40) ^ 0x626d7973227b5b3a) |
      (load<u64>(at, 45) ^ 0x223a226c6f626d79)) ==
    0
  );
}

/** Reads `{"price":…,"qty":…}` elements up to the closing bracket. @returns the address after it, 0 when it is unusual */
function scanLevels(at: usize, end: usize, side: u32): usize {
  if (at < end && load<u8>(at) == 0x5d) return at + 1;
  while (at + LEVEL_ROOM <= end) {
    // `{"price":`
    if (load<u64>(at) != 0x226563697270227b || load<u8>(at, 8) != 0x3a || !beginsNumber(at + 9)) return 0;
    at = scanPrice(at + 9, end);
    // `,"qty":`
    if (at == 0 || (load<u64>(at) & 0x00ffffffffffffff) != 0x3a22797471222c || !beginsNumber(at + 7)) return 0;
    at = scanQuantity(at + 7, end, side);
    if (at == 0 || load<u8>(at) != 0x7d) return 0;
    const next = <u32>load<u8>(at, 1);
    at += 2;
    if (next == 0x5d) return at;
    if (next != 0x2c) return 0;
  }
  return 0;
}
