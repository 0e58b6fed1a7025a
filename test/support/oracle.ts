/**
 * The naive oracle: JSON.parse, BigInt and Map, one obvious step after the other. Prices and quantities are integers of
 * 10^-18, read from the frame's own text, so that nothing passes through a double.
 * It judges books only; whether a frame is to be applied (sequence, state) is asked of the kernel under test.
 * Bad case: JSON.parse turns number tokens into doubles; the text is re-quoted first so that they stay text.
 */
import type { ExchangeId } from "../../src/model/exchange_id.ts";

/** Price → quantity of each side. */
export type OracleBook = { bids: Map<bigint, bigint>; asks: Map<bigint, bigint> };

type Level = readonly [side: "bids" | "asks", price: bigint, quantity: bigint];

/** A book event of a frame. */
export type OracleEvent = {
  readonly native: string;
  readonly isSnapshot: boolean;
  readonly depth: number;
  readonly levels: readonly Level[];
};

/** Books of one exchange. */
export class Oracle {
  readonly books = new Map<string, OracleBook>();
  readonly depths = new Map<string, number>();
  readonly #exchange: ExchangeId;

  constructor(exchange: ExchangeId) {
    this.#exchange = exchange;
  }

  /** Applies the book events of a frame. */
  frame(text: string): void {
    for (const event of eventsOf(this.#exchange, text)) {
      this.#apply(event);
    }
  }

  /** Replaces a book by a REST body. */
  rest(native: string, text: string): void {
    const body = parseExact(text) as { bids: string[][]; asks: string[][] };
    this.#apply({
      native,
      isSnapshot: true,
      depth: 0,
      levels: [...pairs("bids", body.bids), ...pairs("asks", body.asks)],
    });
  }

  #apply(event: OracleEvent): void {
    let book = this.books.get(event.native);
    if (book === undefined || event.isSnapshot) {
      book = { bids: new Map(), asks: new Map() };
      this.books.set(event.native, book);
    }
    for (const [side, price, quantity] of event.levels) {
      if (quantity === 0n) {
        book[side].delete(price);
      } else {
        book[side].set(price, quantity);
      }
    }
    const depth = event.depth > 0 ? event.depth : (this.depths.get(event.native) ?? 0);
    if (depth > 0) {
      cut(book.bids, depth, (a, b) => (a > b ? -1 : 1));
      cut(book.asks, depth, (a, b) => (a < b ? -1 : 1));
    }
  }
}

function cut(side: Map<bigint, bigint>, depth: number, order: (a: bigint, b: bigint) => number): void {
  for (const price of [...side.keys()].sort(order).slice(depth)) {
    side.delete(price);
  }
}

/** Quotes every bare number, so that JSON.parse keeps its text. Strings are left alone. */
export function parseExact(text: string): unknown {
  return JSON.parse(
    text.replace(/"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g, (token) =>
      token.startsWith('"') ? token : `"${token}"`,
    ),
  );
}

/** A decimal as an integer of 10^-18. */
export function exact(token: string): bigint {
  const match = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(token);
  if (match === null) {
    throw new RangeError(`Cannot read a decimal, was ${token}`);
  }
  const [, sign, whole = "", fraction = "", power = "0"] = match;
  const shift = 18 - fraction.length + Number(power);
  const digits = BigInt(whole + fraction);
  if (digits === 0n) {
    return 0n;
  }
  const value = shift >= 0 ? digits * 10n ** BigInt(shift) : digits / 10n ** BigInt(-shift);
  return sign === "-" ? -value : value;
}

function pairs(side: "bids" | "asks", levels: readonly (readonly string[])[]): Level[] {
  return levels.map(([price = "", quantity = ""]) => [side, exact(price), exact(quantity)] as const);
}

/** Book events of a frame, [] for anything else. */
export function eventsOf(exchange: ExchangeId, text: string): OracleEvent[] {
  const frame = parseExact(text);
  if (exchange === "coinbase_exchange") {
    return coinbase(frame as CoinbaseFrame);
  }
  return exchange === "kraken" ? kraken(frame as KrakenFrame) : binance(frame as BinanceFrame);
}

type CoinbaseFrame = {
  type?: string;
  product_id?: string;
  bids?: string[][];
  asks?: string[][];
  changes?: [string, string, string][];
};

function coinbase(frame: CoinbaseFrame): OracleEvent[] {
  const native = frame.product_id ?? "";
  if (frame.type === "snapshot") {
    return [
      {
        native,
        isSnapshot: true,
        depth: 0,
        levels: [...pairs("bids", frame.bids ?? []), ...pairs("asks", frame.asks ?? [])],
      },
    ];
  }
  if (frame.type !== "l2update") {
    return [];
  }
  const levels = (frame.changes ?? []).map(
    ([side, price, size]) => [side === "buy" ? "bids" : "asks", exact(price), exact(size)] as const,
  );
  return [{ native, isSnapshot: false, depth: 0, levels }];
}

type KrakenLevel = { price: string; qty: string };
type KrakenEntry = { symbol: string; bids: KrakenLevel[]; asks: KrakenLevel[] };
type KrakenArray = [string, ...unknown[]];
type KrakenFrame = { channel?: string; type?: string; data?: KrakenEntry[] } | KrakenArray;

function kraken(frame: KrakenFrame): OracleEvent[] {
  if (Array.isArray(frame)) {
    return krakenArray(frame);
  }
  if (frame.channel !== "book") {
    return [];
  }
  const side = (name: "bids" | "asks", levels: KrakenLevel[]) =>
    levels.map(({ price, qty }) => [name, exact(price), exact(qty)] as const);
  return (frame.data ?? []).map((entry) => ({
    native: entry.symbol,
    isSnapshot: frame.type === "snapshot",
    depth: 0,
    levels: [...side("bids", entry.bids), ...side("asks", entry.asks)],
  }));
}

function krakenArray(frame: KrakenArray): OracleEvent[] {
  const name = String(frame.at(-2));
  if (!name.startsWith("book")) {
    return [];
  }
  const levels: Level[] = [];
  let isSnapshot = false;
  const parts = frame.slice(0, -2).filter((part) => typeof part === "object" && part !== null && !Array.isArray(part));
  for (const part of parts as Record<string, string[][]>[]) {
    isSnapshot ||= "as" in part || "bs" in part;
    levels.push(...pairs("asks", part.as ?? part.a ?? []), ...pairs("bids", part.bs ?? part.b ?? []));
  }
  return [{ native: String(frame.at(-1)), isSnapshot, depth: Number(/^book-(\d{1,6})$/.exec(name)?.[1] ?? 0), levels }];
}

type BinanceBody = { e?: string; s?: string; b?: string[][]; a?: string[][] };
type BinanceFrame = BinanceBody & { data?: BinanceBody };

function binance(outer: BinanceFrame): OracleEvent[] {
  const frame = outer.data ?? outer;
  if (frame.e !== "depthUpdate") {
    return [];
  }
  return [
    {
      native: frame.s ?? "",
      isSnapshot: false,
      depth: 0,
      levels: [...pairs("bids", frame.b ?? []), ...pairs("asks", frame.a ?? [])],
    },
  ];
}
