/**
 * The stack that is written first: JSON.parse, a Map from price to quantity per side, the exchange's own rule; sorted
 * only when somebody looks, which is not timed. Doubles, no checksum, no hash, no records.
 * Bad case: a book that is cut to a depth (Kraken); the worst price has to be looked for in the whole map.
 */
import type { PlainLevel } from "../ring_check.ts";
import { type BookSide, isArrayProtocol, type Peer, type PeerStream } from "./peer.ts";

type Pair = readonly [price: string, quantity: string, ...rest: string[]];
type Sides = { readonly bids: Map<number, number>; readonly asks: Map<number, number> };
type Books = Map<string, Sides>;
/** Applies a frame. @returns whether it was taken */
type Rule = (books: Books, frame: object) => boolean;

/** Opens it on a stream. */
export function openPlainMap(stream: PeerStream): Peer {
  const rule = ruleOf(stream);
  let books: Books = new Map();
  return {
    name: "plain Map",
    version: process.version,
    settings: "JSON.parse, Map<number, number> per side, not sorted; doubles, no checksum",
    reset: () => {
      books = new Map();
      for (const { text, native } of stream.snapshots) {
        const body = JSON.parse(text) as DepthBody;
        if (native === undefined) {
          rule(books, body);
        } else {
          books.set(native, { bids: mapOf(body.bids), asks: mapOf(body.asks) });
        }
      }
    },
    run: (texts) => {
      let refused = 0;
      for (let index = 0; index < texts.length; index++) {
        refused += rule(books, JSON.parse(texts[index] ?? "") as object) ? 0 : 1;
      }
      return refused;
    },
    levels: (native, side) => sorted(books.get(native), side),
  };
}

function ruleOf(stream: PeerStream): Rule {
  switch (stream.exchange) {
    case "coinbase_exchange":
      return applyCoinbase;
    case "kraken":
      return isArrayProtocol(stream) ? applyKrakenArray : krakenRule(depthOf(stream));
    default:
      return binanceRule(stream);
  }
}

function sorted(book: Sides | undefined, side: BookSide): PlainLevel[] {
  const levels = Array.from(book?.[side] ?? [], ([price, quantity]) => ({ price, quantity }));
  return levels.sort((a, b) => (side === "bids" ? b.price - a.price : a.price - b.price));
}

function mapOf(pairs: readonly Pair[]): Map<number, number> {
  return new Map(pairs.map(([price, quantity]) => [Number(price), Number(quantity)]));
}

function setLevel(levels: Map<number, number>, price: number, quantity: number): void {
  if (quantity === 0) {
    levels.delete(price);
  } else {
    levels.set(price, quantity);
  }
}

function setPairs(levels: Map<number, number>, pairs: readonly Pair[] | undefined): void {
  if (pairs !== undefined) {
    for (let index = 0; index < pairs.length; index++) {
      const [price, quantity] = pairs[index] as Pair;
      setLevel(levels, Number(price), Number(quantity));
    }
  }
}

/** Drops the worst levels beyond a depth. */
function cut(levels: Map<number, number>, depth: number, isBid: boolean): void {
  while (levels.size > depth) {
    let worst = Number.NaN;
    for (const price of levels.keys()) {
      if (!(isBid ? price > worst : price < worst)) {
        worst = price;
      }
    }
    levels.delete(worst);
  }
}

type CoinbaseFrame = {
  readonly type: string;
  readonly product_id: string;
  readonly changes: readonly (readonly [side: string, price: string, size: string])[];
} & DepthBody;

type DepthBody = { readonly bids: readonly Pair[]; readonly asks: readonly Pair[] };

function applyCoinbase(books: Books, parsed: object): boolean {
  const frame = parsed as CoinbaseFrame;
  if (frame.type === "snapshot") {
    books.set(frame.product_id, { bids: mapOf(frame.bids), asks: mapOf(frame.asks) });
    return true;
  }
  const book = books.get(frame.product_id);
  if (book === undefined || frame.type !== "l2update") {
    return false;
  }
  const { changes } = frame;
  for (let index = 0; index < changes.length; index++) {
    const [side, price, size] = changes[index] as [string, string, string];
    setLevel(side === "buy" ? book.bids : book.asks, Number(price), Number(size));
  }
  return true;
}

type BinanceEvent = {
  readonly s: string;
  readonly U: number;
  readonly u: number;
  readonly b: Pair[];
  readonly a: Pair[];
};

/** The ids begin anew with every set of books. */
function binanceRule({ snapshots }: PeerStream): Rule {
  const firsts = snapshots.map(({ text, native = "" }) => {
    const { lastUpdateId } = JSON.parse(text) as { lastUpdateId: number };
    return [native, lastUpdateId] as const;
  });
  let owner: Books | undefined;
  let lasts = new Map<string, number>();
  return (books, parsed) => {
    if (owner !== books) {
      owner = books;
      lasts = new Map(firsts);
    }
    const outer = parsed as { data?: BinanceEvent } & BinanceEvent;
    const event = outer.data ?? outer;
    const book = books.get(event.s);
    const last = lasts.get(event.s);
    if (book === undefined || last === undefined || event.U > last + 1 || event.u <= last) {
      return false;
    }
    lasts.set(event.s, event.u);
    setPairs(book.bids, event.b);
    setPairs(book.asks, event.a);
    return true;
  };
}

type KrakenLevel = { readonly price: number; readonly qty: number };
type KrakenEntry = {
  readonly symbol: string;
  readonly bids: readonly KrakenLevel[];
  readonly asks: readonly KrakenLevel[];
};
type KrakenFrame = { readonly channel: string; readonly type: string; readonly data: readonly KrakenEntry[] };
type KrakenPayload = Partial<Record<"as" | "bs" | "a" | "b", readonly Pair[]>>;

/** The snapshot has as many levels as were subscribed. */
function depthOf({ snapshots }: PeerStream): number {
  const frame = JSON.parse(snapshots[0]?.text ?? '{"data":[]}') as KrakenFrame;
  return Math.max(...frame.data.flatMap(({ bids, asks }) => [bids.length, asks.length]), 1);
}

function krakenRule(depth: number): Rule {
  return (books, parsed) => {
    const frame = parsed as KrakenFrame;
    const [entry] = frame.data;
    if (frame.channel !== "book" || entry === undefined) {
      return false;
    }
    if (frame.type === "snapshot") {
      books.set(entry.symbol, { bids: new Map(), asks: new Map() });
    }
    const book = books.get(entry.symbol);
    if (book === undefined) {
      return false;
    }
    for (const { price, qty } of entry.bids) {
      setLevel(book.bids, price, qty);
    }
    for (const { price, qty } of entry.asks) {
      setLevel(book.asks, price, qty);
    }
    cut(book.bids, depth, true);
    cut(book.asks, depth, false);
    return true;
  };
}

function applyKrakenArray(books: Books, parsed: object): boolean {
  const frame = parsed as readonly unknown[];
  const pair = frame.at(-1) as string;
  const channel = frame.at(-2) as string;
  const first = frame[1] as KrakenPayload;
  if (first.as !== undefined) {
    books.set(pair, { bids: new Map(), asks: new Map() });
  }
  const book = books.get(pair);
  if (book === undefined || !channel.startsWith("book-")) {
    return false;
  }
  for (let index = 1; index < frame.length - 2; index++) {
    const payload = frame[index] as KrakenPayload;
    setPairs(book.bids, payload.bs ?? payload.b);
    setPairs(book.asks, payload.as ?? payload.a);
  }
  const depth = Number(channel.slice("book-".length));
  cut(book.bids, depth, true);
  cut(book.asks, depth, false);
  return true;
}
