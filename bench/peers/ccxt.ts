/**
 * ccxt: the WebSocket class of the exchange with markets set and no socket. Two ways in: `handleMessage` with what
 * JSON.parse gave, its quickest, by which it is judged; and `Client.onMessage`, its own way from a frame, which also runs a
 * regular expression over the text. Only the class that is asked for is loaded, for the whole package has a hundred.
 * Bad case: Kraken's checksum, off by default; turned on, this version throws at every frame, so it cannot be timed.
 */
import type { ExchangeId } from "../../src/model/exchange_id.ts";
import type { PlainLevel } from "../ring_check.ts";
import { installedVersion, moduleAt } from "./packages.ts";
import { type BookSide, isArrayProtocol, type MissingPeer, type Peer, type PeerStream } from "./peer.ts";

type CcxtBook = {
  readonly bids: readonly (readonly [price: number, size: number])[];
  readonly asks: readonly (readonly [price: number, size: number])[];
  reset(snapshot: object): void;
};
type CcxtClient = {
  onMessage(event: { data: string }): void;
  rejections: Record<string, unknown>;
  error: unknown;
};
type CcxtExchange = {
  orderbooks: Record<string, CcxtBook>;
  client(url: string): CcxtClient;
  handleMessage(client: CcxtClient, message: unknown): void;
  orderBook(): CcxtBook;
  parseOrderBook(body: unknown, symbol: string): Record<string, unknown>;
  setMarkets(markets: unknown[]): void;
  safeMarketStructure(market: object): unknown;
};
type CcxtModule = { default: new (settings: object) => CcxtExchange };

/** How frames get in. */
export type CcxtWay = "handleMessage" | "its client";

const NAME = "ccxt";
const CLASSES: Partial<Record<ExchangeId, string>> = {
  binance: "binance",
  binance_us: "binanceus",
  coinbase_exchange: "coinbaseexchange",
  kraken: "kraken",
};
const URLS: Partial<Record<ExchangeId, string>> = {
  binance: "wss://stream.binance.com:9443/ws",
  binance_us: "wss://stream.binance.us:9443/ws",
  coinbase_exchange: "wss://ws-feed.exchange.coinbase.com",
  kraken: "wss://ws.kraken.com/v2",
};

/** Opens it on a stream. @param verifies Kraken's checksum: ccxt's option `watchOrderBook.checksum` */
export async function openCcxt(
  stream: PeerStream,
  { way, verifies = false }: { way: CcxtWay; verifies?: boolean },
): Promise<Peer | MissingPeer> {
  const name = way === "handleMessage" ? NAME : `${NAME}, its client`;
  const version = installedVersion(NAME);
  if (version === undefined) {
    return { name, missing: "the package is not installed" };
  }
  const className = CLASSES[stream.exchange];
  if (className === undefined) {
    return { name, missing: `it is not asked for ${stream.exchange}` };
  }
  if (stream.exchange === "kraken" && isArrayProtocol(stream)) {
    return { name, missing: "it decodes Kraken's version 2 only" };
  }
  const { default: Exchange } = await moduleAt<CcxtModule>(`${NAME}/js/src/pro/${className}.js`);
  const options = verifies ? { options: { watchOrderBook: { checksum: true } } } : {};
  const exchange = new Exchange({ newUpdates: false, enableRateLimit: false, ...options });
  return new CcxtPeer(exchange, { name, version, stream, way });
}

class CcxtPeer implements Peer {
  readonly name: string;
  readonly version: string;
  readonly settings: string;
  readonly #exchange: CcxtExchange;
  readonly #client: CcxtClient;
  readonly #stream: PeerStream;
  readonly #way: CcxtWay;
  readonly #symbols = new Map<string, string>();

  constructor(
    exchange: CcxtExchange,
    { name, version, stream, way }: { name: string; version: string; stream: PeerStream; way: CcxtWay },
  ) {
    this.name = name;
    this.version = version;
    const entrance = way === "handleMessage" ? "JSON.parse and handleMessage" : "Client.onMessage with the text";
    const checksum =
      stream.exchange === "kraken" ? "option checksum off, its default (on, it throws)" : "default options";
    this.settings = `${entrance}, markets set, nobody awaiting, ${checksum}, full depth; doubles`;
    this.#exchange = exchange;
    this.#stream = stream;
    this.#way = way;
    exchange.setMarkets(stream.symbols.map((symbol) => this.#market(symbol)));
    this.#client = exchange.client(URLS[stream.exchange] ?? "");
  }

  reset(): void {
    const exchange = this.#exchange;
    exchange.orderbooks = {};
    this.#client.rejections = {};
    for (const { text, native } of this.#stream.snapshots) {
      const body: unknown = JSON.parse(text);
      if (native === undefined) {
        exchange.handleMessage(this.#client, body);
      } else {
        // What its own fetchOrderBookSnapshot does with the body.
        const symbol = this.#symbols.get(native) ?? native;
        const snapshot = exchange.parseOrderBook(body, symbol);
        const book = exchange.orderBook();
        book.reset({ ...snapshot, nonce: (body as { lastUpdateId: number }).lastUpdateId });
        exchange.orderbooks[symbol] = book;
      }
    }
  }

  run(texts: readonly string[]): number {
    return this.#way === "handleMessage" ? this.#runMessages(texts) : this.#runClient(texts);
  }

  levels(native: string, side: BookSide): PlainLevel[] {
    const book = this.#exchange.orderbooks[this.#symbols.get(native) ?? native];
    return Array.from(book?.[side] ?? [], ([price, quantity]) => ({ price, quantity }));
  }

  #runMessages(texts: readonly string[]): number {
    const exchange = this.#exchange;
    const client = this.#client;
    let thrown = 0;
    for (let index = 0; index < texts.length; index++) {
      try {
        exchange.handleMessage(client, JSON.parse(texts[index] ?? ""));
      } catch {
        thrown += 1;
      }
    }
    return thrown + Object.keys(client.rejections).length;
  }

  /** Its client keeps what a handler throws to itself; the books tell. */
  #runClient(texts: readonly string[]): number {
    const client = this.#client;
    for (let index = 0; index < texts.length; index++) {
      client.onMessage({ data: texts[index] ?? "" });
    }
    return Object.keys(client.rejections).length;
  }

  #market({ native, canonical }: PeerStream["symbols"][number]): unknown {
    const symbol = canonical.replace("-", "/");
    const [base, quote] = symbol.split("/");
    const isByName = this.#stream.exchange === "kraken";
    this.#symbols.set(native, isByName ? native : symbol);
    return this.#exchange.safeMarketStructure({
      id: native,
      lowercaseId: native.toLowerCase(),
      symbol,
      base,
      quote,
      type: "spot",
      spot: true,
      active: true,
    });
  }
}
