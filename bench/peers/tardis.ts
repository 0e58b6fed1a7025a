/**
 * tardis-dev: `normalizeBookChanges` of the exchange into its `OrderBook`, called in one loop without its async
 * generators, so that nothing of its streaming is timed. Prices are doubles.
 * Bad case: an exchange whose books are cut to a depth (Kraken); `OrderBook` keeps every level that it ever saw.
 */
import type { ExchangeId } from "../../src/model/exchange_id.ts";
import type { PlainLevel } from "../ring_check.ts";
import { installedVersion, moduleAt } from "./packages.ts";
import { type BookSide, isArrayProtocol, type MissingPeer, type Peer, type PeerStream } from "./peer.ts";

type TardisChange = { readonly symbol: string };
type TardisMapper = {
  canHandle(message: unknown): boolean;
  map(message: unknown, localTimestamp: Date): Iterable<TardisChange>;
};
type TardisBook = {
  update(change: TardisChange): void;
  bids(): Iterable<{ price: number; amount: number }>;
  asks(): Iterable<{ price: number; amount: number }>;
};
type Tardis = {
  OrderBook: new (options: { removeCrossedLevels: boolean }) => TardisBook;
  normalizeBookChanges: (exchange: string, localTimestamp: Date) => TardisMapper;
};

const NAME = "tardis-dev";
const EXCHANGES: Partial<Record<ExchangeId, string>> = {
  binance: "binance",
  binance_us: "binance-us",
  coinbase_exchange: "coinbase",
  kraken: "kraken",
};
/** Every frame has the same local time: making a Date for each is the caller's cost, not the normalizer's. */
const LOCAL_TIME = new Date("2026-07-07T23:00:00Z");

/** Opens it on a stream. */
export async function openTardis(stream: PeerStream): Promise<Peer | MissingPeer> {
  const version = installedVersion(NAME);
  if (version === undefined) {
    return { name: NAME, missing: "the package is not installed" };
  }
  const exchange = EXCHANGES[stream.exchange];
  if (exchange === undefined) {
    return { name: NAME, missing: `it is not asked for ${stream.exchange}` };
  }
  if (stream.exchange === "kraken" && !isArrayProtocol(stream)) {
    return { name: NAME, missing: "it decodes Kraken's version 1 only" };
  }
  return new TardisPeer(await moduleAt<Tardis>(`${NAME}/dist/index.js`), { exchange, version, stream });
}

class TardisPeer implements Peer {
  readonly name = NAME;
  readonly version: string;
  readonly settings = "JSON.parse, normalizeBookChanges, OrderBook without removeCrossedLevels; doubles, no checksum";
  readonly #tardis: Tardis;
  readonly #exchange: string;
  readonly #stream: PeerStream;
  #mapper: TardisMapper;
  #books = new Map<string, TardisBook>();

  constructor(
    tardis: Tardis,
    { exchange, version, stream }: { exchange: string; version: string; stream: PeerStream },
  ) {
    this.version = version;
    this.#tardis = tardis;
    this.#exchange = exchange;
    this.#stream = stream;
    this.#mapper = tardis.normalizeBookChanges(exchange, LOCAL_TIME);
  }

  reset(): void {
    const { OrderBook, normalizeBookChanges } = this.#tardis;
    this.#mapper = normalizeBookChanges(this.#exchange, LOCAL_TIME);
    this.#books = new Map(
      this.#stream.symbols.map(({ native }) => [native, new OrderBook({ removeCrossedLevels: false })]),
    );
    for (const { text, native } of this.#stream.snapshots) {
      const body: unknown = JSON.parse(text);
      // A REST body comes as its own client hands it to the normalizer.
      this.#apply(
        native === undefined ? body : { stream: `${native.toLowerCase()}@depthSnapshot`, generated: true, data: body },
      );
    }
  }

  run(texts: readonly string[]): number {
    let refused = 0;
    for (let index = 0; index < texts.length; index++) {
      refused += this.#apply(JSON.parse(texts[index] ?? "")) ? 0 : 1;
    }
    return refused;
  }

  levels(native: string, side: BookSide): PlainLevel[] {
    const book = this.#books.get(native);
    const levels = side === "bids" ? book?.bids() : book?.asks();
    return Array.from(levels ?? [], ({ price, amount }) => ({ price, quantity: amount }));
  }

  #apply(message: unknown): boolean {
    const mapper = this.#mapper;
    if (!mapper.canHandle(message)) {
      return false;
    }
    let applied = false;
    for (const change of mapper.map(message, LOCAL_TIME)) {
      this.#books.get(change.symbol)?.update(change);
      applied = true;
    }
    return applied;
  }
}
