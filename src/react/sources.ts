/**
 * What the hooks read: books, trades, best prices and the connection of a client, as immutable values.
 * Bad case: a deep book; only the levels that are shown are turned into text, once per frame.
 */
import type {
  BboEvent,
  BookOptions,
  BookState,
  ConnectionEvent,
  JsonLevel,
  StreamClient,
  TradeEvent,
} from "../client/mod.ts";
import type { FrameSource } from "./frame_store.ts";

/** A book as it was at one frame. */
export type OrderBook = {
  readonly state: BookState;
  /** Of the view, decimal; "0" before there is a book. */
  readonly version: string;
  /** Exact decimals, best first. */
  readonly bids: readonly JsonLevel[];
  readonly asks: readonly JsonLevel[];
  /** Exact decimals; undefined when a side is empty. */
  readonly mid: string | undefined;
  readonly spread: string | undefined;
};

/** Which book, and how much of it is shown. */
export type OrderBookOptions = BookOptions & {
  /** Levels a side to show; default 20. */
  readonly levels?: number;
};

/** How the connection stands. */
export type Connection = Pick<ConnectionEvent, "state" | "attempt" | "reason">;

const LEVELS = 20;

/** Frames of a book. */
export function bookSource(
  client: StreamClient,
  instrument: string,
  { levels = LEVELS, ...options }: OrderBookOptions,
): FrameSource<OrderBook> {
  const initial: OrderBook = {
    state: "connecting",
    version: "0",
    bids: [],
    asks: [],
    mid: undefined,
    spread: undefined,
  };
  let handle: ReturnType<StreamClient["book"]> | undefined;
  return {
    initial,
    open(changed) {
      handle = client.book(instrument, options);
      handle.on("change", changed);
      handle.on("state", changed);
      return () => {
        handle?.close();
        handle = undefined;
      };
    },
    read(before) {
      if (handle === undefined || (handle.version === before.version && handle.state === before.state)) {
        return before;
      }
      const { state, version, mid, spread } = handle;
      return { state, version, bids: handle.bids.top(levels), asks: handle.asks.top(levels), mid, spread };
    },
  };
}

/** Frames of the last trades, latest first. */
export function tradesSource(
  client: StreamClient,
  instrument: string,
  limit: number,
): FrameSource<readonly TradeEvent[]> {
  let arrived: TradeEvent[] = [];
  return {
    initial: [],
    open(changed) {
      const handle = client.trades(instrument);
      handle.on((trade) => {
        arrived.push(trade);
        if (arrived.length > limit) {
          arrived.shift();
        }
        changed();
      });
      return () => handle.close();
    },
    read(before) {
      if (arrived.length === 0) {
        return before;
      }
      const latest = arrived.reverse();
      arrived = [];
      return [...latest, ...before].slice(0, limit);
    },
  };
}

/** Frames of the best prices. */
export function bboSource(client: StreamClient, instrument: string): FrameSource<BboEvent | undefined> {
  let handle: ReturnType<StreamClient["bbo"]> | undefined;
  return {
    initial: undefined,
    open(changed) {
      handle = client.bbo(instrument);
      handle.on(changed);
      return () => {
        handle?.close();
        handle = undefined;
      };
    },
    read: (before) => handle?.last ?? before,
  };
}

/** Frames of the connection. */
export function connectionSource(client: StreamClient): FrameSource<Connection> {
  let last: Connection = { state: client.state, attempt: 0, reason: "" };
  return {
    initial: last,
    open: (changed) =>
      client.on((event) => {
        if (event.type === "connection") {
          const { state, attempt, reason } = event;
          last = { state, attempt, reason };
          changed();
        }
      }),
    read: (before) => {
      last = last.state === client.state ? last : { ...last, state: client.state };
      return last.state === before.state && last.attempt === before.attempt ? before : last;
    },
  };
}
