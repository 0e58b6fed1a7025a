/**
 * What the host says about an instrument: it is not synced, it retires, its exponents change. Each leaves a record, so
 * that readers learn it in the order of the ring.
 * Bad case: a rescale under a live id; exponents are fixed per id, the host retires the id first.
 */
import {
  COUNTER_RESCALES,
  EXPONENT_MAX,
  FLAG_CROSSED,
  INSTRUMENT_FLAG_IMAGE_FULL,
  INSTRUMENT_FLAG_OPENED,
  INSTRUMENT_FLAG_SPLICING,
  INSTRUMENT_IMAGE_AT,
  INSTRUMENT_LAST_SEQUENCE,
  INSTRUMENT_PRICE_EXPONENT,
  INSTRUMENT_QUANTITY_EXPONENT,
  INSTRUMENT_REASON,
  INSTRUMENT_RECORDS_SINCE_IMAGE,
  INSTRUMENT_STATE,
  INSTRUMENT_TABLE_ADDRESS,
  INSTRUMENT_TRADE_VERSION,
  INSTRUMENT_VERSION,
  LEVEL_PRICE,
  LEVEL_QUANTITY,
  REASON_RESCALED,
  STATE_RETIRED,
  STATE_SYNCED,
  TABLE_PRICE_EXPONENT,
  TABLE_QUANTITY_EXPONENT,
} from "../../../assembly/layout.ts";
import type { EventWriter } from "./delta.ts";
import { clearFlags, hasFlag, mirrorState, type SyncState, setState } from "./instrument.ts";
import { fieldOf, readU64, writeU64 } from "./memory.ts";
import type { Producer } from "./producer.ts";

const RETIRED: SyncState = { state: STATE_RETIRED, reason: REASON_RESCALED };

/** KernelProducer.instrumentUnsync, at the time of the call under way. */
export function unsync(producer: Producer, writer: EventWriter, instrument: number, sync: SyncState): void {
  const { words } = producer.memory;
  const wasSynced = fieldOf(words, instrument, INSTRUMENT_STATE) === STATE_SYNCED;
  producer.watches.break(instrument);
  clearFlags(words, instrument, INSTRUMENT_FLAG_SPLICING);
  setState(producer.memory, instrument, sync, producer.receivedLow, producer.receivedHigh);
  if (wasSynced) {
    writer.writeEmpty(instrument);
  }
}

/** KernelProducer.instrumentRetire, at the time of the call under way. */
export function retire(producer: Producer, writer: EventWriter, instrument: number): void {
  const { words } = producer.memory;
  const state = fieldOf(words, instrument, INSTRUMENT_STATE);
  const reason = fieldOf(words, instrument, INSTRUMENT_REASON);
  producer.watches.break(instrument);
  setState(producer.memory, instrument, RETIRED, producer.receivedLow, producer.receivedHigh);
  if (hasFlag(words, instrument, INSTRUMENT_FLAG_OPENED)) {
    writer.writeEmpty(instrument);
  }
  words[(instrument + INSTRUMENT_STATE) >>> 2] = state;
  words[(instrument + INSTRUMENT_REASON) >>> 2] = reason;
  clearFlags(words, instrument, INSTRUMENT_FLAG_OPENED | INSTRUMENT_FLAG_IMAGE_FULL);
  writeU64(words, instrument + INSTRUMENT_VERSION, 0);
  writeU64(words, instrument + INSTRUMENT_TRADE_VERSION, 0);
  words[(instrument + INSTRUMENT_RECORDS_SINCE_IMAGE) >>> 2] = 0;
  writeU64(words, instrument + INSTRUMENT_IMAGE_AT, 0);
}

/** KernelAudit.levelForce, at the time of the call under way. @param level address of a LEVEL_BYTES level */
export function forceLevel(
  producer: Producer,
  writer: EventWriter,
  { instrument, side, level }: { instrument: number; side: number; level: number },
): void {
  const { words } = producer.memory;
  producer.beginOutcome();
  writer.begin({
    instrument,
    eventLow: 0,
    eventHigh: 0,
    sequenceLow: fieldOf(words, instrument, INSTRUMENT_LAST_SEQUENCE),
    sequenceHigh: fieldOf(words, instrument, INSTRUMENT_LAST_SEQUENCE + 4),
    flags: 0,
    entries: 1,
  });
  writer.set(
    side,
    fieldOf(words, level, LEVEL_PRICE),
    fieldOf(words, level, LEVEL_PRICE + 4),
    fieldOf(words, level, LEVEL_QUANTITY),
    fieldOf(words, level, LEVEL_QUANTITY + 4),
  );
  writer.end(producer.instruments.book(instrument).isCrossed() ? FLAG_CROSSED : 0);
}

/** Exponents of an instrument, 0 … 18. */
export type Exponents = { readonly price: number; readonly quantity: number };

/** KernelProducer.instrumentRescale, at the time of the call under way. @returns 0, or 1 when nothing changed */
export function rescale(producer: Producer, writer: EventWriter, instrument: number, exponents: Exponents): number {
  const { words } = producer.memory;
  const { price, quantity } = exponents;
  if (price < 0 || price > EXPONENT_MAX || quantity < 0 || quantity > EXPONENT_MAX) {
    return 1;
  }
  const book = producer.instruments.book(instrument);
  if (book.count > 0) {
    const pricePower = price - Math.max(fieldOf(words, instrument, INSTRUMENT_PRICE_EXPONENT), 0);
    const quantityPower = quantity - Math.max(fieldOf(words, instrument, INSTRUMENT_QUANTITY_EXPONENT), 0);
    if (pricePower < 0 || quantityPower < 0 || !book.scale(pricePower, quantityPower)) {
      return 1;
    }
    producer.count(COUNTER_RESCALES, 1);
  }
  producer.watches.break(instrument);
  words[(instrument + INSTRUMENT_PRICE_EXPONENT) >>> 2] = price;
  words[(instrument + INSTRUMENT_QUANTITY_EXPONENT) >>> 2] = quantity;
  const entry = fieldOf(words, instrument, INSTRUMENT_TABLE_ADDRESS) >>> 0;
  if (entry !== 0) {
    words[(entry + TABLE_PRICE_EXPONENT) >>> 2] = price;
    words[(entry + TABLE_QUANTITY_EXPONENT) >>> 2] = quantity;
  }
  mirrorState(producer.memory, instrument, producer.receivedLow, producer.receivedHigh);
  const isFresh = readU64(words, instrument + INSTRUMENT_VERSION) === 0;
  // In any state: what follows under the fresh id is told as a difference to these levels.
  if (isFresh && book.count > 0) {
    writer.writeReset(instrument);
  }
  return 0;
}
