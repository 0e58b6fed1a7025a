/**
 * What Kraken's two frame forms share about books: which states take them, the wire's digits, the checksum field.
 * Bad case: digits remembered across a snapshot; each snapshot starts them afresh.
 */
import {
  DECODE_FIELD_TYPE,
  INSTRUMENT_WIRE_PRICE_DECIMALS,
  INSTRUMENT_WIRE_QUANTITY_DECIMALS,
  STATE_SUSPECT,
  STATE_SYNCED,
} from "../../../../assembly/layout.ts";
import type { FieldTable } from "../fields.ts";
import { resultHigh } from "../int64.ts";
import { fieldOf } from "../memory.ts";
import { type DecodeContext, FINE } from "./common.ts";

/** A snapshot is taken in any state that serves; an update needs a book to change. */
export function acceptsBook(context: DecodeContext, isSnapshot: boolean): boolean {
  if (context.isOutOfService()) {
    return false;
  }
  const state = context.state();
  return isSnapshot || state === STATE_SYNCED || state === STATE_SUSPECT;
}

/** Remembers how many decimals the exchange writes for the resolved instrument: those of the range scaled last. */
export function noteDecimals(context: DecodeContext, isSnapshot: boolean): void {
  const { instrument, levels, words } = context;
  const price = isSnapshot ? 0 : fieldOf(words, instrument, INSTRUMENT_WIRE_PRICE_DECIMALS);
  const quantity = isSnapshot ? 0 : fieldOf(words, instrument, INSTRUMENT_WIRE_QUANTITY_DECIMALS);
  words[(instrument + INSTRUMENT_WIRE_PRICE_DECIMALS) >>> 2] = Math.max(price, levels.writtenPrice);
  words[(instrument + INSTRUMENT_WIRE_QUANTITY_DECIMALS) >>> 2] = Math.max(quantity, levels.writtenQuantity);
}

/** Reads a checksum (bare or in a string) into the low word of RESULT. @returns FINE or the code of the finished outcome */
export function readChecksum(context: DecodeContext, fields: FieldTable, field: number): number {
  const code = context.readInteger(fields, field);
  if (code !== FINE) {
    return code;
  }
  return resultHigh() === 0 ? FINE : context.decodeError(DECODE_FIELD_TYPE);
}
