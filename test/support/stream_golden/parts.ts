/**
 * Vectors of trades and best prices, in both forms. Nothing is kept between such frames, hence no state before.
 * Bad case: a trade id that is a number with a leading zero; it must stay text, or it would come back without the zero.
 */
import {
  AGGRESSOR_BUY,
  AGGRESSOR_SELL,
  AGGRESSOR_UNKNOWN,
  TRADE_AGGRESSOR,
  TRADE_BOOK_VERSION,
  TRADE_BYTES,
  TRADE_EVENT_AT,
  TRADE_FLAG_GAP_BEFORE,
  TRADE_FLAG_HISTORY,
  TRADE_FLAGS,
  TRADE_ID,
  TRADE_ID_LENGTH,
  TRADE_PRICE,
  TRADE_QUANTITY,
  TRADE_RECEIVED_AT,
  TRADE_SOURCE_SEQUENCE,
  TRADE_VERSION,
} from "../../../assembly/layout.ts";
import { bboMessage, tradeMessage } from "../../../src/wire/json_form.ts";
import { decimalText } from "../../../src/wire/numbers.ts";
import { type Change, STATUS } from "./model.ts";
import type { EventOptions, GoldenStream } from "./stream.ts";
import { type BboState, exponentsOf, openBook, type Scenes, type TradeState } from "./vector.ts";
import { hex } from "./writer.ts";

const I64_MAX = 2n ** 63n - 1n;
const I64_MIN = -(2n ** 63n);
const U64_MAX = 2n ** 64n - 1n;
const AT = 1_795_371_612_123_456_000n;
const INSTRUMENT = "golden:BTC-USD";
const FRAME_BYTES = 65_536;

type Trade = {
  id: string;
  aggressor: number;
  price: bigint;
  quantity: bigint;
  flags: number;
  version: bigint;
  bookVersion: bigint;
  eventAt: bigint;
  receivedAt: bigint;
  sequence: bigint;
};

const TRADE: Trade = {
  id: "64175815",
  aggressor: AGGRESSOR_BUY,
  price: 10_001n,
  quantity: 50n,
  flags: 0,
  version: 7n,
  bookVersion: 13n,
  eventAt: AT,
  receivedAt: AT + 6_544_000n,
  sequence: 0n,
};

const SINGLE: Readonly<Record<string, Partial<Trade>>> = {
  "one buy": {},
  "one sell": { aggressor: AGGRESSOR_SELL },
  "aggressor unknown": { aggressor: AGGRESSOR_UNKNOWN },
  history: { flags: TRADE_FLAG_HISTORY },
  "a gap before": { flags: TRADE_FLAG_GAP_BEFORE },
  "history and a gap before": { flags: TRADE_FLAG_HISTORY | TRADE_FLAG_GAP_BEFORE },
  "id 0": { id: "0" },
  "id with a leading zero": { id: "007" },
  "id of 18 digits": { id: "999999999999999999" },
  "id of 19 digits": { id: "9223372036854775807" },
  "id of letters": { id: "d3c5-4b1a" },
  "id of 48 bytes": { id: "0123456789abcdef".repeat(3) },
  "id of two-byte characters": { id: "né" },
  "no id": { id: "" },
  "negative price": { price: -12n },
  "lowest price": { price: I64_MIN },
  "highest price": { price: I64_MAX },
  "largest quantity": { quantity: I64_MAX },
  "times unknown": { eventAt: 0n, receivedAt: 0n },
  "times in ns": { eventAt: AT + 1n, receivedAt: AT + 3n },
  "received before": { receivedAt: AT - 5n },
  "largest numbers": { version: U64_MAX, bookVersion: U64_MAX, sequence: U64_MAX },
};

const BOOKS: Readonly<Record<string, { changes?: readonly Change[]; event?: EventOptions; version?: bigint }>> = {
  "both sides": {},
  "not synced": { event: { status: STATUS.notSynced } },
  "no bid": {
    changes: [
      ["bid", 9999n, 0n],
      ["bid", 9998n, 0n],
    ],
  },
  "no ask": {
    changes: [
      ["ask", 10_001n, 0n],
      ["ask", 10_003n, 0n],
    ],
  },
  crossed: { changes: [["bid", 10_002n, 9n]] },
  locked: { changes: [["bid", 10_001n, 9n]] },
  "negative prices": { changes: [["ask", -7n, 9n]], event: { status: STATUS.notSynced } },
  "the ends of the range": {
    changes: [
      ["bid", I64_MAX, I64_MAX],
      ["ask", I64_MIN, I64_MAX],
    ],
  },
  "version of 64 bits": { version: U64_MAX - 2n },
  "times unknown": { event: { eventAt: 0n, receivedAt: 0n } },
};

/** Adds the vectors of trades. */
export function addTrades(scenes: Scenes): void {
  for (const [what, fields] of Object.entries(SINGLE)) {
    addTradesOf(scenes, what, [{ ...TRADE, ...fields }]);
  }
  const following = (index: number): Trade => ({
    ...TRADE,
    id: String(64_175_815 + index * index),
    aggressor: index % 2 === 0 ? AGGRESSOR_BUY : AGGRESSOR_SELL,
    price: TRADE.price + BigInt((index * 7) % 5) - 2n,
    quantity: BigInt(1 + index * 100),
    version: TRADE.version + BigInt(index),
    bookVersion: TRADE.bookVersion + BigInt(Math.floor(index / 3)),
    eventAt: TRADE.eventAt + BigInt(index * 1000),
    receivedAt: TRADE.receivedAt + BigInt(index * 1001),
    sequence: BigInt(index * 3),
  });
  for (const count of [2, 7, 64]) {
    addTradesOf(
      scenes,
      `${count} trades`,
      Array.from({ length: count }, (_, index) => following(index)),
    );
  }
  const ids = ["12", "x-1", "10", "", "11"];
  addTradesOf(
    scenes,
    "numbers and texts as ids",
    ids.map((id, index) => ({ ...following(index), id })),
  );
  addTradesOf(scenes, "prices from the lowest to the highest", [
    { ...following(0), price: I64_MIN },
    { ...following(1), price: I64_MAX },
    { ...following(2), price: 0n },
  ]);
}

/** Adds the vectors of best prices. */
export function addBbo(scenes: Scenes): void {
  for (const [what, { changes = [], event, version = 0n }] of Object.entries(BOOKS)) {
    scenes.with({ version }, (stream) => {
      openBook(stream);
      stream.event(changes, event ?? {});
      const { memory } = scenes.golden;
      const bbo = bboState(stream);
      scenes.add({
        name: `bbo/${what}`,
        ...exponentsOf(stream),
        form: "binary",
        before: null,
        messages: [stream.bbo()],
        bbo,
      });
      const { priceExponent, quantityExponent } = stream.options;
      const text = (level: readonly [string, string] | null): [string, string] | undefined =>
        level === null
          ? undefined
          : [decimalText(BigInt(level[0]), priceExponent), decimalText(BigInt(level[1]), quantityExponent)];
      const message = bboMessage(memory, stream.replica, {
        instrument: INSTRUMENT,
        bid: text(bbo.bid),
        ask: text(bbo.ask),
      });
      const messages = [JSON.stringify(message)];
      scenes.add({ name: `json/bbo, ${what}`, ...exponentsOf(stream), form: "json", before: null, messages, bbo });
    });
  }
}

function bboState({ model }: GoldenStream): BboState {
  const { version, status, stamps } = model;
  return {
    version: String(version),
    synced: (status & STATUS.notSynced) === 0,
    crossed: (status & STATUS.crossed) !== 0,
    bid: model.texts("bid")[0] ?? null,
    ask: model.texts("ask")[0] ?? null,
    eventAtNs: String(stamps.eventAt),
    receivedAtNs: String(stamps.receivedAt),
  };
}

function addTradesOf(scenes: Scenes, what: string, trades: readonly Trade[]): void {
  const { kernel, memory, trades: at, out } = scenes.golden;
  for (const [index, trade] of trades.entries()) {
    writeTrade(memory, at + index * TRADE_BYTES, trade);
  }
  const bytes = kernel.tradesEncode(3, at, trades.length, out, FRAME_BYTES);
  const exponents = { priceExponent: 2, quantityExponent: 3 };
  const told = trades.map(tradeState);
  const frame = hex(new Uint8Array(kernel.buffer, out, bytes));
  scenes.add({ name: `trades/${what}`, ...exponents, form: "binary", before: null, messages: [frame], trades: told });
  const messages = trades.map((_, index) =>
    JSON.stringify(tradeMessage(memory, at + index * TRADE_BYTES, { ...exponents, instrument: INSTRUMENT })),
  );
  const withoutSequence = told.map(({ sequence: _sequence, ...rest }) => rest);
  scenes.add({
    name: `json/trades, ${what}`,
    ...exponents,
    form: "json",
    before: null,
    messages,
    trades: withoutSequence,
  });
}

function writeTrade(memory: DataView, at: number, trade: Trade): void {
  const id = new TextEncoder().encode(trade.id);
  new Uint8Array(memory.buffer, at, TRADE_BYTES).fill(0);
  memory.setBigUint64(at + TRADE_EVENT_AT, trade.eventAt, true);
  memory.setBigUint64(at + TRADE_RECEIVED_AT, trade.receivedAt, true);
  memory.setBigInt64(at + TRADE_PRICE, trade.price, true);
  memory.setBigInt64(at + TRADE_QUANTITY, trade.quantity, true);
  memory.setBigUint64(at + TRADE_SOURCE_SEQUENCE, trade.sequence, true);
  memory.setUint16(at + TRADE_FLAGS, trade.flags, true);
  memory.setUint8(at + TRADE_AGGRESSOR, trade.aggressor);
  memory.setUint8(at + TRADE_ID_LENGTH, id.length);
  new Uint8Array(memory.buffer, at + TRADE_ID, id.length).set(id);
  memory.setBigUint64(at + TRADE_VERSION, trade.version, true);
  memory.setBigUint64(at + TRADE_BOOK_VERSION, trade.bookVersion, true);
}

function tradeState(trade: Trade): TradeState {
  return {
    id: trade.id,
    aggressor: trade.aggressor === AGGRESSOR_BUY ? "buy" : trade.aggressor === AGGRESSOR_SELL ? "sell" : "unknown",
    price: String(trade.price),
    quantity: String(trade.quantity),
    history: (trade.flags & TRADE_FLAG_HISTORY) !== 0,
    gapBefore: (trade.flags & TRADE_FLAG_GAP_BEFORE) !== 0,
    version: String(trade.version),
    bookVersion: String(trade.bookVersion),
    eventAtNs: String(trade.eventAt),
    receivedAtNs: String(trade.receivedAt),
    sequence: String(trade.sequence),
  };
}
