/**
 * Records as they stand in memory → plain values. Everything is copied: nothing of it changes when the ring goes on.
 * Bad case: a record of a file that was tampered with; a count that cannot be gives `undefined`.
 */
import {
  AGGRESSOR_BUY,
  AGGRESSOR_SELL,
  DELTA_ADD_MASK,
  DELTA_BASE_PRICE,
  DELTA_BOOK_HASH,
  DELTA_CHANGE_COUNT,
  DELTA_CHANGES_MAX,
  DELTA_EVENT_AT,
  DELTA_FLAGS,
  DELTA_PRICE_OFFSETS,
  DELTA_PUBLISHED_AT,
  DELTA_QUANTITIES,
  DELTA_RECEIVED_AT,
  DELTA_SIDE_MASK,
  DELTA_SOURCE_SEQUENCE,
  DELTA_VERSION,
  EXPONENT_MAX,
  FLAG_CROSSED,
  FLAG_LAST,
  FLAG_NOT_SYNCED,
  FLAG_RESET,
  FLAG_SNAPSHOT,
  STATE_SYNCED,
  TRADE_AGGRESSOR,
  TRADE_BOOK_VERSION,
  TRADE_EVENT_AT,
  TRADE_FLAG_GAP_BEFORE,
  TRADE_FLAG_HISTORY,
  TRADE_FLAGS,
  TRADE_ID,
  TRADE_ID_BYTES_MAX,
  TRADE_ID_LENGTH,
  TRADE_PRICE,
  TRADE_PUBLISHED_AT,
  TRADE_QUANTITY,
  TRADE_RECEIVED_AT,
  TRADE_VERSION,
} from "../../assembly/layout.ts";
import { ASSURANCE_WORDS, STATE_WORDS, wordOf } from "../model/states.ts";
import type { InstrumentEntry, TopOfBook } from "../segment/view.ts";
import { decimalText } from "../wire/numbers.ts";
import type { DeltaEvent, LevelChange, SegmentInstrument, TradeEvent } from "./events.ts";
import type { Top } from "./options.ts";

/** An instrument as its table entry describes it. */
export function describeInstrument(exchange: string, entry: InstrumentEntry): SegmentInstrument {
  const { canonical, native, id, priceExponent, quantityExponent, depth } = entry;
  return {
    name: `${exchange}:${canonical}`,
    exchange,
    symbol: canonical,
    native,
    id,
    priceExponent,
    quantityExponent,
    depth,
    assurance: wordOf(ASSURANCE_WORDS, entry.assurance),
    price: (ticks) => decimalText(ticks, priceExponent),
    quantity: (lots) => decimalText(lots, quantityExponent),
  };
}

/** A top-of-book cell as it was read. */
export type CellRead = {
  readonly top: TopOfBook;
  /** It could not be read now: `top` is what it said last. */
  readonly isBusy: boolean;
  readonly instrument: SegmentInstrument;
  readonly has: Readonly<Record<"bid" | "ask" | "trade", boolean>>;
};

/** A top of book for its user. @param options.isLive its producer gives signs of life */
export function describeTop({ top, isBusy, instrument, has }: CellRead, { isLive }: { isLive: boolean }): Top {
  const isReadable = isExponent(instrument.priceExponent) && isExponent(instrument.quantityExponent);
  const level = (isThere: boolean, [price, quantity]: [bigint, bigint]) =>
    isThere && isReadable ? { price: instrument.price(price), quantity: instrument.quantity(quantity) } : undefined;
  const trade = level(has.trade, [top.tradePrice, top.tradeQuantity]);
  return {
    instrument,
    isSynced: top.state === STATE_SYNCED && isLive && !isBusy,
    state: !isLive ? "stale" : isBusy ? "busy" : wordOf(STATE_WORDS, top.state),
    version: top.version,
    bid: level(has.bid, [top.bidPrice, top.bidQuantity]),
    ask: level(has.ask, [top.askPrice, top.askQuantity]),
    trade: trade === undefined ? undefined : { ...trade, atNs: top.tradeAtNs },
    eventAtNs: top.eventAtNs,
    receivedAtNs: top.receivedAtNs,
  };
}

/** @param record address of a copied delta record @returns undefined when it cannot be one */
export function readDelta(memory: DataView, record: number, instrument: SegmentInstrument): DeltaEvent | undefined {
  const count = memory.getUint8(record + DELTA_CHANGE_COUNT);
  if (count > DELTA_CHANGES_MAX) {
    return undefined;
  }
  const flags = memory.getUint16(record + DELTA_FLAGS, true);
  return {
    kind: "delta",
    instrument,
    version: memory.getBigUint64(record + DELTA_VERSION, true),
    sourceSequence: memory.getBigUint64(record + DELTA_SOURCE_SEQUENCE, true),
    eventAtNs: memory.getBigUint64(record + DELTA_EVENT_AT, true),
    receivedAtNs: memory.getBigUint64(record + DELTA_RECEIVED_AT, true),
    publishedAtNs: memory.getBigUint64(record + DELTA_PUBLISHED_AT, true),
    isLast: (flags & FLAG_LAST) !== 0,
    isSnapshot: (flags & FLAG_SNAPSHOT) !== 0,
    isReset: (flags & FLAG_RESET) !== 0,
    isSynced: (flags & FLAG_NOT_SYNCED) === 0,
    isCrossed: (flags & FLAG_CROSSED) !== 0,
    bookHash: memory.getUint32(record + DELTA_BOOK_HASH, true),
    changes: readChanges(memory, record, count),
  };
}

/** @param record address of a copied trade record */
export function readTrade(memory: DataView, record: number, instrument: SegmentInstrument): TradeEvent {
  const flags = memory.getUint16(record + TRADE_FLAGS, true);
  const aggressor = memory.getUint8(record + TRADE_AGGRESSOR);
  const length = Math.min(memory.getUint8(record + TRADE_ID_LENGTH), TRADE_ID_BYTES_MAX);
  const codes = Array.from({ length }, (_, index) => memory.getUint8(record + TRADE_ID + index));
  return {
    kind: "trade",
    instrument,
    tradeId: String.fromCharCode(...codes),
    priceTicks: memory.getBigInt64(record + TRADE_PRICE, true),
    quantityLots: memory.getBigInt64(record + TRADE_QUANTITY, true),
    aggressor: aggressor === AGGRESSOR_BUY ? "buy" : aggressor === AGGRESSOR_SELL ? "sell" : "unknown",
    isHistory: (flags & TRADE_FLAG_HISTORY) !== 0,
    hasGapBefore: (flags & TRADE_FLAG_GAP_BEFORE) !== 0,
    eventAtNs: memory.getBigUint64(record + TRADE_EVENT_AT, true),
    receivedAtNs: memory.getBigUint64(record + TRADE_RECEIVED_AT, true),
    publishedAtNs: memory.getBigUint64(record + TRADE_PUBLISHED_AT, true),
    tradeVersion: memory.getBigUint64(record + TRADE_VERSION, true),
    bookVersion: memory.getBigUint64(record + TRADE_BOOK_VERSION, true),
  };
}

function isExponent(exponent: number): boolean {
  return exponent >= 0 && exponent <= EXPONENT_MAX;
}

function readChanges(memory: DataView, record: number, count: number): LevelChange[] {
  const base = memory.getBigInt64(record + DELTA_BASE_PRICE, true);
  const sides = memory.getUint16(record + DELTA_SIDE_MASK, true);
  const added = memory.getUint16(record + DELTA_ADD_MASK, true);
  return Array.from({ length: count }, (_, index) => ({
    side: (sides >>> index) & 1 ? "ask" : "bid",
    priceTicks: base + BigInt(memory.getInt32(record + DELTA_PRICE_OFFSETS + index * 4, true)),
    quantityLots: memory.getBigInt64(record + DELTA_QUANTITIES + index * 8, true),
    isAdded: ((added >>> index) & 1) === 1,
  }));
}
