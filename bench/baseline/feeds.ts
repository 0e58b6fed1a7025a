/**
 * The honest JavaScript feed of each exchange: JSON.parse, the exchange's own rule, the baseline book. For Kraken every
 * CRC32 is verified. Decimal text becomes a double by `Number`. What the rule refuses is counted.
 * Bad case: a frame of a kind that a capture does not hold; it is parsed and ignored, as ours ignores it.
 */
import type { ExchangeId } from "../../src/model/exchange_id.ts";
import { BaselineBook, type BaselineSide } from "./book.ts";
import { krakenChecksum } from "./crc32.ts";

/** A feed over one stream. */
export interface BaselineFeed {
  /** By native symbol. */
  readonly books: ReadonlyMap<string, BaselineBook>;
  /** Trades seen. */
  readonly trades: number;
  /** Frames that the exchange's rule or a checksum refused. */
  readonly refused: number;
  /** A frame. */
  apply(text: string): void;
  /** A REST depth body. */
  applySnapshot(native: string, text: string): void;
  /** Remembers the books as they are. @returns brings them back */
  save(): () => void;
}

/** @returns an empty feed */
export function createFeed(exchange: ExchangeId): BaselineFeed {
  switch (exchange) {
    case "coinbase_exchange":
      return new CoinbaseFeed();
    case "kraken":
      return new KrakenFeed();
    default:
      return new BinanceFeed();
  }
}

type Pair = readonly [price: string, quantity: string];

function setAll(side: BaselineSide, pairs: readonly Pair[]): void {
  for (let index = 0; index < pairs.length; index++) {
    const pair = pairs[index] as Pair;
    side.set(Number(pair[0]), Number(pair[1]));
  }
}

function saveBooks(books: ReadonlyMap<string, BaselineBook>): () => void {
  const saved = [...books.values()].map((book) => {
    const copy = new BaselineBook();
    copy.copyFrom(book);
    return { book, copy };
  });
  return () => {
    for (const { book, copy } of saved) {
      book.copyFrom(copy);
    }
  };
}

type CoinbaseFrame = {
  type: string;
  product_id: string;
  changes: [side: string, price: string, size: string][];
  bids: Pair[];
  asks: Pair[];
  price: string;
  size: string;
};

class CoinbaseFeed implements BaselineFeed {
  readonly books = new Map<string, BaselineBook>();
  trades = 0;
  refused = 0;
  lastPrice = 0;
  lastSize = 0;

  apply(text: string): void {
    const frame = JSON.parse(text) as CoinbaseFrame;
    if (frame.type === "l2update") {
      const book = this.books.get(frame.product_id);
      if (book === undefined) {
        this.refused += 1;
        return;
      }
      const { changes } = frame;
      for (let index = 0; index < changes.length; index++) {
        const change = changes[index] as [string, string, string];
        (change[0] === "buy" ? book.bids : book.asks).set(Number(change[1]), Number(change[2]));
      }
    } else if (frame.type === "match") {
      this.trades += 1;
      this.lastPrice = Number(frame.price);
      this.lastSize = Number(frame.size);
    } else if (frame.type === "snapshot") {
      const book = new BaselineBook();
      setAll(book.bids, frame.bids);
      setAll(book.asks, frame.asks);
      this.books.set(frame.product_id, book);
    }
  }

  applySnapshot(): void {
    this.refused += 1;
  }

  save(): () => void {
    return saveBooks(this.books);
  }
}

type BinanceEvent = {
  e?: string;
  s: string;
  U: number;
  u: number;
  b: Pair[];
  a: Pair[];
  p: string;
  q: string;
};

type BinanceBook = { book: BaselineBook; last: number };

class BinanceFeed implements BaselineFeed {
  readonly books = new Map<string, BaselineBook>();
  trades = 0;
  refused = 0;
  lastPrice = 0;
  lastSize = 0;
  readonly #books = new Map<string, BinanceBook>();

  apply(text: string): void {
    const outer = JSON.parse(text) as { data?: BinanceEvent } & BinanceEvent;
    const event = outer.data ?? outer;
    if (event.e === "depthUpdate") {
      const held = this.#books.get(event.s);
      if (held === undefined || event.U > held.last + 1) {
        this.refused += 1;
        return;
      }
      if (event.u <= held.last) {
        return;
      }
      held.last = event.u;
      setAll(held.book.bids, event.b);
      setAll(held.book.asks, event.a);
    } else if (event.e === "trade" || event.e === "aggTrade") {
      this.trades += 1;
      this.lastPrice = Number(event.p);
      this.lastSize = Number(event.q);
    }
  }

  applySnapshot(native: string, text: string): void {
    const body = JSON.parse(text) as { lastUpdateId: number; bids: Pair[]; asks: Pair[] };
    const book = this.books.get(native) ?? new BaselineBook();
    book.copyFrom(new BaselineBook());
    setAll(book.bids, body.bids);
    setAll(book.asks, body.asks);
    this.books.set(native, book);
    this.#books.set(native, { book, last: body.lastUpdateId });
  }

  save(): () => void {
    const restoreBooks = saveBooks(this.books);
    const lasts = [...this.#books].map(([native, { last }]) => ({ native, last }));
    return () => {
      restoreBooks();
      for (const { native, last } of lasts) {
        const held = this.#books.get(native);
        if (held !== undefined) {
          held.last = last;
        }
      }
    };
  }
}

type KrakenLevel = { price: number; qty: number };
type KrakenEntry = { symbol: string; bids: KrakenLevel[]; asks: KrakenLevel[]; checksum: number };
type KrakenFrame = { channel?: string; type?: string; data: KrakenEntry[] };
type KrakenArrayLevel = readonly [price: string, quantity: string, ...rest: string[]];
type KrakenPayload = Partial<Record<"as" | "bs" | "a" | "b", KrakenArrayLevel[]>> & { c?: string };
type KrakenArrayFrame = [id: number, ...payloads: KrakenPayload[], name: string, pair: string];

type KrakenBook = { book: BaselineBook; depth: number; priceFactor: number; quantityFactor: number };

const V2_DEPTH = 10;
const V2_LEVEL = /"price":([\d.]+),"qty":([\d.]+)/;

class KrakenFeed implements BaselineFeed {
  readonly books = new Map<string, BaselineBook>();
  trades = 0;
  refused = 0;
  readonly #books = new Map<string, KrakenBook>();

  apply(text: string): void {
    const frame = JSON.parse(text) as KrakenFrame | KrakenArrayFrame;
    if (Array.isArray(frame)) {
      this.#applyArray(frame);
    } else if (frame.channel === "book") {
      for (const entry of frame.data) {
        this.#applyEntry(entry, frame.type === "snapshot" ? text : undefined);
      }
    } else if (frame.channel === "trade") {
      this.trades += frame.data.length;
    }
  }

  applySnapshot(): void {
    this.refused += 1;
  }

  save(): () => void {
    return saveBooks(this.books);
  }

  #applyEntry({ symbol, bids, asks, checksum }: KrakenEntry, snapshotText: string | undefined): void {
    if (snapshotText !== undefined) {
      const [, price = "", quantity = ""] = V2_LEVEL.exec(snapshotText) ?? [];
      this.#open(symbol, { depth: V2_DEPTH, price, quantity });
    }
    const held = this.#books.get(symbol);
    if (held === undefined) {
      this.refused += 1;
      return;
    }
    const { book } = held;
    for (let index = 0; index < bids.length; index++) {
      const level = bids[index] as KrakenLevel;
      book.bids.set(level.price, level.qty);
    }
    for (let index = 0; index < asks.length; index++) {
      const level = asks[index] as KrakenLevel;
      book.asks.set(level.price, level.qty);
    }
    this.#close(held, checksum);
  }

  #applyArray(frame: KrakenArrayFrame): void {
    const pair = frame.at(-1) as string;
    const name = frame.at(-2) as string;
    if (!name.startsWith("book")) {
      return;
    }
    let checksum: string | undefined;
    for (let index = 1; index < frame.length - 2; index++) {
      const payload = frame[index] as KrakenPayload;
      if (payload.as !== undefined) {
        const [price = "", quantity = ""] = payload.as[0] ?? payload.bs?.[0] ?? [];
        this.#open(pair, { depth: Number(name.slice("book-".length)), price, quantity });
      }
      const held = this.#books.get(pair);
      if (held === undefined) {
        this.refused += 1;
        return;
      }
      this.#setArray(held.book.bids, payload.bs ?? payload.b);
      this.#setArray(held.book.asks, payload.as ?? payload.a);
      checksum = payload.c ?? checksum;
    }
    const held = this.#books.get(pair);
    if (held !== undefined) {
      this.#close(held, checksum === undefined ? undefined : Number(checksum));
    }
  }

  #setArray(side: BaselineSide, levels: readonly KrakenArrayLevel[] | undefined): void {
    if (levels === undefined) {
      return;
    }
    for (let index = 0; index < levels.length; index++) {
      const level = levels[index] as KrakenArrayLevel;
      side.set(Number(level[0]), Number(level[1]));
    }
  }

  #close({ book, depth, priceFactor, quantityFactor }: KrakenBook, checksum: number | undefined): void {
    book.bids.truncate(depth);
    book.asks.truncate(depth);
    if (checksum !== undefined && krakenChecksum(book, priceFactor, quantityFactor) !== checksum) {
      this.refused += 1;
    }
  }

  /** The decimals of the wire come from the first level of the snapshot: JSON.parse has lost them otherwise. */
  #open(symbol: string, { depth, price, quantity }: { depth: number; price: string; quantity: string }): void {
    const book = new BaselineBook();
    const factor = (token: string) => 10 ** (token.split(".")[1]?.length ?? 0);
    this.books.set(symbol, book);
    this.#books.set(symbol, { book, depth, priceFactor: factor(price), quantityFactor: factor(quantity) });
  }
}
