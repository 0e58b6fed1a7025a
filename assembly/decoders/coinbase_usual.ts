/**
 * Coinbase's `l2update` in the very form in which Coinbase writes it: keys in order, no white space, a time of six
 * decimals. The frame is read once from left to right, straight into scaled levels.
 * Bad case: any other form; FINE is returned, nothing has happened, and the general decoder reads the frame.
 */
import { applyDelta, expectNoChecksum } from "../event";
import { instrumentFind } from "../instrument";
import { INSTRUMENT_STATE, SIDE_ASK, SIDE_BID, STATE_SYNCED } from "../layout";
import { readRfc3339, timeValue } from "../time";
import { DECIMALS_ANY, scanName, scanPrice, scanQuantity, ticksBegin, ticksCount } from "../tokens";
import { FINE } from "./common";

/** `{"type":"l2update","product_id":"` */
const HEAD_BYTES: usize = 33;
/** The shortest frame of one change. */
const FRAME_MIN: usize = 96;
/** Bytes that are looked at from the bracket of a level, and from the quote behind its price. */
const LEVEL_ROOM: usize = 40;
const QUANTITY_ROOM: usize = 33;
/** `,"time":"2026-07-07T22:58:18.277484Z"}` */
const END_BYTES: usize = 38;
const TIME_BYTES: usize = 27;

/** Decodes and applies a frame in the usual form. @returns APPLY_*, or FINE when it is none */
export function usualChanges(frame: usize, end: usize, relative: f64): i32 {
  if (end - frame < FRAME_MIN || !headHolds(frame)) return FINE;
  const name = frame + HEAD_BYTES;
  let at = scanName(name);
  if (at == 0) return FINE;
  const instrument = instrumentFind(name, at - name);
  if (instrument == 0 || load<u32>(instrument, INSTRUMENT_STATE) != STATE_SYNCED) return FINE;
  if (!ticksBegin(instrument, DECIMALS_ANY, DECIMALS_ANY)) return FINE;
  // `","changes":[`
  if (load<u64>(at) != 0x676e616863222c22 || load<u64>(at, 5) != 0x5b3a227365676e61) return FINE;
  at = scanLevels(at + 13, end);
  // `,"time":"` and `"}`
  if (at == 0 || at + END_BYTES != end || load<u64>(at) != 0x3a22656d6974222c) return FINE;
  if (load<u8>(at, 8) != 0x22 || load<u16>(at, END_BYTES - 2) != 0x7d22) return FINE;
  if (!readRfc3339(at + 9, TIME_BYTES)) return FINE;
  expectNoChecksum();
  return applyDelta(instrument, 0, ticksCount(), timeValue(), 0, relative);
}

function headHolds(at: usize): bool {
  return (
    ((load<u64>(at) ^ 0x3a2265707974227b) |
      (load<u64>(at, 8) ^ 0x7461647075326c22) |
      (load<u64>(at, 16) ^ 0x646f7270222c2265) |
      (load<u64>(at, 24) ^ 0x3a2264695f746375) |
      (load<u64>(at, 25) ^ 0x223a2264695f7463)) ==
    0
  );
}

/** Reads `["buy"|"sell","price","size"]` elements up to the closing bracket. @returns the address after it, 0 when it is unusual */
function scanLevels(at: usize, end: usize): usize {
  if (load<u8>(at) == 0x5d) return at + 1;
  while (at + LEVEL_ROOM <= end) {
    const word = load<u64>(at);
    let side: u32 = SIDE_BID;
    // `["buy","` or `["sell","`
    if (word == 0x2c226c6c6573225b && load<u8>(at, 8) == 0x22) side = SIDE_ASK;
    else if (word != 0x222c22797562225b) return 0;
    at = scanPrice(at + 8 + side, end);
    // `","`
    if (at == 0 || at + QUANTITY_ROOM > end || (load<u32>(at) & 0xffffff) != 0x222c22) return 0;
    at = scanQuantity(at + 3, end, side);
    // `"]`
    if (at == 0 || load<u16>(at) != 0x5d22) return 0;
    const next = <u32>load<u8>(at, 2);
    at += 3;
    if (next == 0x5d) return at;
    if (next != 0x2c) return 0;
  }
  return 0;
}
