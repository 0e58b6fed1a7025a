/**
 * The last records of a segment's rings in words and exact texts, as the Python package must decode them.
 * Bad case: a ring shorter than what is asked for; fewer records are given.
 */
import {
  DELTA_ADD_MASK,
  DELTA_BASE_PRICE,
  DELTA_BOOK_HASH,
  DELTA_BYTES,
  DELTA_CHANGE_COUNT,
  DELTA_EVENT_AT,
  DELTA_FLAGS,
  DELTA_INSTRUMENT_ID,
  DELTA_PRICE_OFFSETS,
  DELTA_PUBLISHED_AT,
  DELTA_QUANTITIES,
  DELTA_RECEIVED_AT,
  DELTA_SIDE_MASK,
  DELTA_SOURCE_SEQUENCE,
  DELTA_VERSION,
  TRADE_AGGRESSOR,
  TRADE_BOOK_VERSION,
  TRADE_BYTES,
  TRADE_EVENT_AT,
  TRADE_FLAGS,
  TRADE_ID,
  TRADE_ID_LENGTH,
  TRADE_INSTRUMENT_ID,
  TRADE_PRICE,
  TRADE_PUBLISHED_AT,
  TRADE_QUANTITY,
  TRADE_RECEIVED_AT,
  TRADE_SOURCE_SEQUENCE,
  TRADE_VERSION,
} from "../../assembly/layout.ts";
import type { SegmentView } from "../../src/segment/mod.ts";

/** The last delta records. @param limit at most so many */
export function goldenDeltas(view: SegmentView, buffer: ArrayBufferLike, limit: number): unknown[] {
  const { deltaRingOffset: ring, deltaCapacity: capacity } = view.header;
  return positions(view.deltaTail, Math.min(limit, capacity)).map((position) =>
    delta(new DataView(buffer, view.address + ring + (position % capacity) * DELTA_BYTES, DELTA_BYTES), position),
  );
}

/** The last trade records. @param limit at most so many */
export function goldenTrades(view: SegmentView, buffer: ArrayBufferLike, limit: number): unknown[] {
  const { tradeRingOffset: ring, tradeCapacity: capacity } = view.header;
  return positions(view.tradeTail, Math.min(limit, capacity)).map((position) =>
    trade(new DataView(buffer, view.address + ring + (position % capacity) * TRADE_BYTES, TRADE_BYTES), position),
  );
}

function positions(tail: number, limit: number): number[] {
  const count = Math.min(tail, limit);
  return Array.from({ length: count }, (_, index) => tail - count + index);
}

function delta(record: DataView, position: number): unknown {
  const changeCount = record.getUint8(DELTA_CHANGE_COUNT);
  const base = record.getBigInt64(DELTA_BASE_PRICE, true);
  const [sides, adds] = [record.getUint16(DELTA_SIDE_MASK, true), record.getUint16(DELTA_ADD_MASK, true)];
  return {
    position,
    eventAtNs: record.getBigUint64(DELTA_EVENT_AT, true),
    receivedAtNs: record.getBigUint64(DELTA_RECEIVED_AT, true),
    publishedAtNs: record.getBigUint64(DELTA_PUBLISHED_AT, true),
    version: record.getBigUint64(DELTA_VERSION, true),
    sourceSequence: record.getBigUint64(DELTA_SOURCE_SEQUENCE, true),
    basePriceTicks: base,
    instrumentId: record.getUint32(DELTA_INSTRUMENT_ID, true),
    flags: record.getUint16(DELTA_FLAGS, true),
    bookHash: record.getUint32(DELTA_BOOK_HASH, true),
    changes: Array.from({ length: changeCount }, (_, index) => [
      (sides >> index) & 1,
      base + BigInt(record.getInt32(DELTA_PRICE_OFFSETS + index * 4, true)),
      record.getBigInt64(DELTA_QUANTITIES + index * 8, true),
      (adds >> index) & 1,
    ]),
  };
}

function trade(record: DataView, position: number): unknown {
  const length = record.getUint8(TRADE_ID_LENGTH);
  const id = Array.from({ length }, (_, index) => String.fromCharCode(record.getUint8(TRADE_ID + index)));
  return {
    position,
    eventAtNs: record.getBigUint64(TRADE_EVENT_AT, true),
    receivedAtNs: record.getBigUint64(TRADE_RECEIVED_AT, true),
    publishedAtNs: record.getBigUint64(TRADE_PUBLISHED_AT, true),
    priceTicks: record.getBigInt64(TRADE_PRICE, true),
    quantityLots: record.getBigInt64(TRADE_QUANTITY, true),
    sourceSequence: record.getBigUint64(TRADE_SOURCE_SEQUENCE, true),
    instrumentId: record.getUint32(TRADE_INSTRUMENT_ID, true),
    flags: record.getUint16(TRADE_FLAGS, true),
    aggressor: record.getUint8(TRADE_AGGRESSOR),
    tradeId: id.join(""),
    tradeVersion: record.getBigUint64(TRADE_VERSION, true),
    bookVersion: record.getBigUint64(TRADE_BOOK_VERSION, true),
  };
}
