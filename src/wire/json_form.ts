/**
 * Records and replicas in the linear memory as the stream's JSON messages, with exact decimal text. Pure: memory and
 * addresses in, plain objects out; the caller stringifies once for all clients that want JSON.
 * Bad case: cost. A level costs about a microsecond here against nanoseconds in the binary form, hence only while
 * somebody subscribes to JSON.
 */
import {
  AGGRESSOR_BUY,
  AGGRESSOR_SELL,
  DELTA_BASE_PRICE,
  DELTA_CHANGE_COUNT,
  DELTA_PRICE_OFFSETS,
  DELTA_QUANTITIES,
  DELTA_SIDE_MASK,
  FLAG_CROSSED,
  FLAG_NOT_SYNCED,
  LEVEL_BYTES,
  LEVEL_PRICE,
  LEVEL_QUANTITY,
  REPLICA_EPOCH,
  REPLICA_EVENT_AT,
  REPLICA_FLAGS,
  REPLICA_HASH,
  REPLICA_PRICE_EXPONENT,
  REPLICA_QUANTITY_EXPONENT,
  REPLICA_RECEIVED_AT,
  REPLICA_SOURCE_SEQUENCE,
  REPLICA_VERSION,
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
  TRADE_QUANTITY,
  TRADE_RECEIVED_AT,
  TRADE_VERSION,
} from "../../assembly/layout.ts";
import { decimalText, fixedText, u64Text } from "./numbers.ts";
import type {
  BboMessage,
  JsonChange,
  JsonLevel,
  OrderBookDeltaMessage,
  OrderBookMessage,
  TradeMessage,
  ViewName,
} from "./protocol.ts";

/** The exponents that turn ticks and lots into text, 0 … 18. */
export type Exponents = { readonly priceExponent: number; readonly quantityExponent: number };

/** Which view a message is of. */
export type ViewLabel = Readonly<ViewName> & { readonly instrument: string };

/**
 * The changes of one delta record, in array order.
 * @param memory over the linear memory
 * @param record address of DELTA_BYTES that were checked (replicaApply)
 */
export function recordChanges(memory: DataView, record: number, exponents: Exponents): JsonChange[] {
  const base = memory.getBigInt64(record + DELTA_BASE_PRICE, true);
  const sides = memory.getUint16(record + DELTA_SIDE_MASK, true);
  return Array.from({ length: memory.getUint8(record + DELTA_CHANGE_COUNT) }, (_, index) => {
    const price = base + BigInt(memory.getInt32(record + DELTA_PRICE_OFFSETS + index * 4, true));
    return [
      ((sides >>> index) & 1) === 0 ? "bid" : "ask",
      decimalText(price, exponents.priceExponent),
      fixedText(memory, record + DELTA_QUANTITIES + index * 8, exponents.quantityExponent),
    ];
  });
}

/** Levels as price and quantity text. @param levels address of `count` × LEVEL_BYTES */
export function levelPairs(memory: DataView, levels: number, options: Exponents & { count: number }): JsonLevel[] {
  return Array.from({ length: options.count }, (_, index) => {
    const level = levels + index * LEVEL_BYTES;
    return [
      fixedText(memory, level + LEVEL_PRICE, options.priceExponent),
      fixedText(memory, level + LEVEL_QUANTITY, options.quantityExponent),
    ];
  });
}

/** The exponents of a replica. */
export function replicaExponents(memory: DataView, replica: number): Exponents {
  return {
    priceExponent: memory.getInt32(replica + REPLICA_PRICE_EXPONENT, true),
    quantityExponent: memory.getInt32(replica + REPLICA_QUANTITY_EXPONENT, true),
  };
}

/**
 * The whole book of a replica.
 * @param replica address of a following replica, no event open
 */
export function orderBookMessage(
  memory: DataView,
  replica: number,
  options: ViewLabel & { bids: JsonLevel[]; asks: JsonLevel[] },
): OrderBookMessage {
  return {
    type: "orderbook",
    ...bookHead(memory, replica, options),
    epoch: memory.getUint32(replica + REPLICA_EPOCH, true),
    ...replicaExponents(memory, replica),
    bids: options.bids,
    asks: options.asks,
  };
}

/**
 * What changed since a version, after it was applied to the replica: one whole event, or several conflated.
 * @param options.previousVersion the version from which the changes lead to the replica's
 */
export function orderBookDeltaMessage(
  memory: DataView,
  replica: number,
  options: ViewLabel & { previousVersion: string; changes: readonly JsonChange[] },
): OrderBookDeltaMessage {
  return {
    type: "orderbook_delta",
    previousVersion: options.previousVersion,
    ...bookHead(memory, replica, options),
    changes: options.changes,
  };
}

/** Best bid and offer of a replica. @param options.bid undefined = that side is empty */
export function bboMessage(
  memory: DataView,
  replica: number,
  options: { instrument: string; bid: JsonLevel | undefined; ask: JsonLevel | undefined },
): BboMessage {
  const { version, synced, crossed, eventAtNs, receivedAtNs } = bookState(memory, replica);
  const { instrument, bid = null, ask = null } = options;
  return { type: "bbo", instrument, version, synced, crossed, bid, ask, eventAtNs, receivedAtNs };
}

/** One trade record. @param record address of TRADE_BYTES */
export function tradeMessage(
  memory: DataView,
  record: number,
  options: Exponents & { instrument: string },
): TradeMessage {
  const flags = memory.getUint16(record + TRADE_FLAGS, true);
  return {
    type: "trade",
    instrument: options.instrument,
    id: tradeId(memory, record),
    aggressor: aggressorWord(memory.getUint8(record + TRADE_AGGRESSOR)),
    price: fixedText(memory, record + TRADE_PRICE, options.priceExponent),
    quantity: fixedText(memory, record + TRADE_QUANTITY, options.quantityExponent),
    history: (flags & TRADE_FLAG_HISTORY) !== 0,
    gapBefore: (flags & TRADE_FLAG_GAP_BEFORE) !== 0,
    version: u64Text(memory, record + TRADE_VERSION),
    bookVersion: u64Text(memory, record + TRADE_BOOK_VERSION),
    eventAtNs: u64Text(memory, record + TRADE_EVENT_AT),
    receivedAtNs: u64Text(memory, record + TRADE_RECEIVED_AT),
  };
}

/** The exchange's id of a trade, as text. @param record address of TRADE_BYTES */
export function tradeId(memory: DataView, record: number): string {
  const length = Math.min(memory.getUint8(record + TRADE_ID_LENGTH), TRADE_ID_BYTES_MAX);
  const bytes = Uint8Array.from({ length }, (_, index) => memory.getUint8(record + TRADE_ID + index));
  return bytes.every((byte) => byte < 128) ? String.fromCharCode(...bytes) : new TextDecoder().decode(bytes);
}

function bookHead(memory: DataView, replica: number, { instrument, depth, rateMs }: ViewLabel) {
  return { instrument, depth, rateMs, ...bookState(memory, replica) };
}

function bookState(memory: DataView, replica: number) {
  const flags = memory.getUint32(replica + REPLICA_FLAGS, true);
  return {
    version: u64Text(memory, replica + REPLICA_VERSION),
    hash: memory.getUint32(replica + REPLICA_HASH, true),
    synced: (flags & FLAG_NOT_SYNCED) === 0,
    crossed: (flags & FLAG_CROSSED) !== 0,
    eventAtNs: u64Text(memory, replica + REPLICA_EVENT_AT),
    receivedAtNs: u64Text(memory, replica + REPLICA_RECEIVED_AT),
    sequence: u64Text(memory, replica + REPLICA_SOURCE_SEQUENCE),
  };
}

function aggressorWord(code: number): TradeMessage["aggressor"] {
  if (code === AGGRESSOR_BUY) {
    return "buy";
  }
  return code === AGGRESSOR_SELL ? "sell" : "unknown";
}
