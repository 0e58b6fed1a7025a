/**
 * Binance's spot depth update in the very form in which Binance writes it, alone or inside `{"stream":…,"data":…}`: keys
 * in order, no white space. The sequence is judged before the levels are read, and they are read straight to integers.
 * Bad case: any other form, futures included; FINE is returned, nothing has happened, the general decoder reads the frame.
 */
import { applyDelta, expectNoChecksum } from "../event";
import { clearFlag, instrumentFind } from "../instrument";
import { skipString } from "../json";
import {
  INSTRUMENT_FLAG_SPLICING,
  INSTRUMENT_LAST_SEQUENCE,
  INSTRUMENT_STATE,
  OUTCOME_FIRST_SEQUENCE,
  OUTCOME_LAST_SEQUENCE,
  SIDE_ASK,
  SIDE_BID,
  STATE_SUSPECT,
  STATE_SYNCED,
} from "../layout";
import { outcomeAddress } from "../producer";
import { fromEpochInteger } from "../time";
import {
  DECIMALS_ANY,
  scanName,
  scanPriceTailed,
  scanQuantityTailed,
  scanWhole,
  tailBegin,
  ticksBegin,
  ticksCount,
  wholeValue,
} from "../tokens";
import { FINE } from "./common";

/** `,"data":{"e":"depthUpdate","E":` and the same without its first nine bytes. */
const WRAP_BYTES: usize = 9;
const HEAD_BYTES: usize = 31;
/** What the head and all behind it take at least; every token before the levels is looked at within it. */
const HEAD_ROOM: usize = 70;
/** The shortest unwrapped frame. */
const FRAME_MIN: usize = 80;
/** `,"s":"` and `","U":` and `,"u":` and `,"b":[` and `],"a":[`, and the looks behind them. */
const NAME_ROOM: usize = 6 + 16;
const FIRST_ROOM: usize = 6 + 16;
const LAST_ROOM: usize = 5 + 16;
const SIDE_ROOM: usize = 8;

/** Decodes and applies a frame in the usual form. @returns APPLY_*, or FINE when it is none */
export function usualDepth(frame: usize, end: usize, relative: f64): i32 {
  if (end - frame < FRAME_MIN) return FINE;
  let wrapped = false;
  let at = frame - WRAP_BYTES;
  // `{"stream":"`
  if (load<u64>(frame) == 0x6d6165727473227b && load<u32>(frame, 7) == 0x223a226d) {
    wrapped = true;
    at = skipString(frame + 10, end);
    if (at == 0 || at + HEAD_ROOM > end || load<u64>(at) != 0x3a2261746164222c || load<u8>(at, 8) != 0x7b) return FINE;
  } else if (load<u8>(frame) != 0x7b) return FINE;
  // `"e":"depthUpdate","E":`
  if (load<u64>(at, 9) != 0x706564223a226522 || load<u64>(at, 17) != 0x6574616470556874) return FINE;
  if (load<u64>(at, 23) != 0x3a2245222c226574) return FINE;
  at = scanWhole(at + HEAD_BYTES);
  if (at == 0 || at + NAME_ROOM > end) return FINE;
  const eventAt = fromEpochInteger(wholeValue());
  if ((load<u64>(at) & 0xffffffffffff) != 0x223a2273222c) return FINE;
  const name = at + 6;
  at = scanName(name);
  if (at == 0 || at + FIRST_ROOM > end) return FINE;
  const instrument = instrumentFind(name, at - name);
  if (instrument == 0) return FINE;
  if ((load<u64>(at) & 0xffffffffffff) != 0x3a2255222c22) return FINE;
  at = scanWhole(at + 6);
  const first = wholeValue();
  if (at == 0 || at + LAST_ROOM > end || (load<u64>(at) & 0xffffffffff) != 0x3a2275222c) return FINE;
  at = scanWhole(at + 5);
  const last = wholeValue();
  if (at == 0 || !follows(instrument, first, last)) return FINE;
  if (!ticksBegin(instrument, DECIMALS_ANY, DECIMALS_ANY) || !scanSides(at, wrapped ? end - 1 : end)) return FINE;
  if (wrapped && load<u8>(end - 1) != 0x7d) return FINE;
  store<u64>(outcomeAddress(), first, OUTCOME_FIRST_SEQUENCE);
  store<u64>(outcomeAddress(), last, OUTCOME_LAST_SEQUENCE);
  clearFlag(instrument, INSTRUMENT_FLAG_SPLICING);
  store<u64>(instrument, last, INSTRUMENT_LAST_SEQUENCE);
  expectNoChecksum();
  return applyDelta(instrument, 0, ticksCount(), eventAt, last, relative);
}

/** True when the book is there and the update is the next one by the spot rule. */
function follows(instrument: usize, first: u64, last: u64): bool {
  const state = load<u32>(instrument, INSTRUMENT_STATE);
  if (state != STATE_SYNCED && state != STATE_SUSPECT) return false;
  const held = load<u64>(instrument, INSTRUMENT_LAST_SEQUENCE);
  return last >= first && last > held && first <= held + 1;
}

/** Reads `,"b":[…],"a":[…]}`, which must end at `end`. */
function scanSides(at: usize, end: usize): bool {
  if (at + SIDE_ROOM > end || (load<u64>(at) & 0xffffffffffff) != 0x5b3a2262222c) return false;
  tailBegin(end);
  at = scanLevels(at + 6, end, SIDE_BID);
  // `,"a":[`
  if (at == 0 || at + SIDE_ROOM > end || (load<u64>(at) & 0xffffffffffff) != 0x5b3a2261222c) return false;
  at = scanLevels(at + 6, end, SIDE_ASK);
  return at != 0 && at + 1 == end && load<u8>(at) == 0x7d;
}

/** Reads `["price","quantity"]` elements up to the closing bracket. @returns the address after it, 0 when it is unusual */
function scanLevels(at: usize, end: usize, side: u32): usize {
  if (at < end && load<u8>(at) == 0x5d) return at + 1;
  while (at + 2 <= end) {
    // `["`
    if (load<u16>(at) != 0x225b) return 0;
    at = scanPriceTailed(at + 2, end);
    // `","`
    if (at == 0 || at + 4 > end || (load<u32>(at) & 0xffffff) != 0x222c22) return 0;
    at = scanQuantityTailed(at + 3, end, side);
    // `"]`
    if (at == 0 || at + 3 > end || load<u16>(at) != 0x5d22) return 0;
    const next = <u32>load<u8>(at, 2);
    at += 3;
    if (next == 0x5d) return at;
    if (next != 0x2c) return 0;
  }
  return 0;
}
