/**
 * Binance and Binance.US as servers: streams by address or by SUBSCRIBE, REST depth and metadata within a weight limit.
 * One class serves both; what differs (weights, pings) is a table. Bad case: a REST depth taken in mid-batch is ahead of
 * the stream, so that the next `depthUpdate` straddles it: the splice rule `U <= lastUpdateId+1 <= u` needs this case.
 * @see github binance/binance-spot-api-docs (read 2026-07-21), binance-us/binance-us-api-docs (read 2024-06-17)
 */
import * as frames from "./binance_frames.ts";
import { BinanceRest } from "./binance_rest.ts";
import { BINANCE_RULES } from "./binance_rules.ts";
import { type BinanceHost, BinanceSession } from "./binance_session.ts";
import type { Change } from "./book_events.ts";
import type { CapturePlayer } from "./capture_player.ts";
import type { Listing } from "./instruments.ts";
import type { Ladder } from "./ladder.ts";
import type { BookView, MarketBook } from "./market_book.ts";
import type { MarketRun } from "./market_run.ts";
import type {
  ClientSession,
  Connection,
  FrameAbout,
  FrameKind,
  KnownPart,
  Protocol,
  RestAbout,
  RestAnswer,
  RestRequest,
} from "./protocol.ts";
import { plainDecimal } from "./text.ts";

const SLOW_BATCH_US = 1_000_000;

/** Where the frames come from: a market that runs, or a capture that is played. */
export type BinanceSource = { market: MarketRun } | { player: CapturePlayer };

/** Changes of the 1 s depth stream since its last frame. */
type SlowBatch = { first: number; sinceUs: number; levels: [Map<number, number>, Map<number, number>] };

/** The exchange. */
export class Binance implements Protocol, BinanceHost {
  readonly messageBytesMax = 64 * 1024;
  readonly now: () => number;
  readonly player: CapturePlayer | undefined;
  readonly pingEveryMs: number;
  readonly pongWithinMs: number;
  readonly #market: MarketRun | undefined;
  readonly #rest: BinanceRest;
  readonly #sessions = new Set<BinanceSession>();
  readonly #slow = new Map<MarketBook, SlowBatch>();
  readonly #aggregates = new Map<MarketBook, number>();
  /** What the depth answers of the most levels told of each book. */
  readonly #known = new Map<string, { readonly limit: number; readonly part: KnownPart }>();

  /** @param now Unix milliseconds */
  constructor(exchange: "binance" | "binance_us", source: BinanceSource, { now }: { now: () => number }) {
    const rules = BINANCE_RULES[exchange];
    this.now = now;
    this.pingEveryMs = rules.pingEveryMs;
    this.pongWithinMs = rules.pongWithinMs;
    this.#market = "market" in source ? source.market : undefined;
    this.player = "player" in source ? source.player : undefined;
    const books: ReadonlyMap<string, MarketBook> = this.#market?.market.books(exchange) ?? new Map();
    const listings: readonly Listing[] =
      this.player?.capture.listings ?? [...books.values()].map((book) => book.instrument);
    this.#rest = new BinanceRest(rules, {
      listings,
      now,
      depth: (request, options) => this.#depth(books.get(options.symbol), request, options),
    });
    for (const book of books.values()) {
      this.#aggregates.set(book, book.tradeId - 1_000_000);
    }
    this.#market?.market.listen(
      exchange,
      (book, atUs) => this.#publish(book, atUs),
      (book) => {
        this.#rest.relist(book.instrument);
        this.#slow.delete(book);
      },
    );
  }

  get symbols(): readonly string[] {
    return this.#rest.symbols;
  }

  about(request: RestRequest): RestAbout {
    return this.#rest.about(request);
  }

  accepts(url: URL): boolean {
    return /^\/(stream|ws)?\/?$/.test(url.pathname) || /^\/ws\/[^/]+(\/[^/]+)*$/.test(url.pathname);
  }

  connect(connection: Connection, url: URL): ClientSession {
    const isCombined = url.pathname.startsWith("/stream");
    const named = isCombined ? (url.searchParams.get("streams") ?? "") : decoded(url.pathname.slice("/ws/".length));
    const streams = named.split("/").filter((stream) => stream.length > 0);
    const session = new BinanceSession(this, connection, { streams, isCombined });
    this.#sessions.add(session);
    this.player?.join(session);
    return session;
  }

  leave(session: BinanceSession): void {
    this.#sessions.delete(session);
    this.player?.leave(session);
  }

  known(symbol: string): KnownPart {
    return this.#known.get(symbol)?.part ?? {};
  }

  answer(request: RestRequest): RestAnswer | Promise<RestAnswer> {
    return this.#rest.answer(request);
  }

  #depth(
    book: MarketBook | undefined,
    { agedMs = 0 }: RestRequest,
    { symbol, limit }: { symbol: string; limit: number },
  ): RestAnswer | Promise<RestAnswer> {
    if (book === undefined || this.#market === undefined) {
      return this.player?.depthAnswer(symbol) ?? { status: 503, body: "{}" };
    }
    this.#market.market.peek(book, this.#market.nowUs());
    const { view } = this.#market.view(book, agedMs);
    this.#answered(view, limit);
    return { status: 200, body: frames.depthBody(view, limit) };
  }

  // Beyond the last level of a full answer a client knows nothing. An audit that asks for less does not change that.
  #answered({ instrument, bids, asks }: BookView, limit: number): void {
    const { native, priceDecimals } = instrument;
    if (limit < (this.#known.get(native)?.limit ?? 0)) {
      return;
    }
    const edge = (ladder: Ladder): string => plainDecimal(ladder.price(limit - 1), priceDecimals);
    const lowest = bids.count > limit ? { lowest: edge(bids) } : {};
    const highest = asks.count > limit ? { highest: edge(asks) } : {};
    this.#known.set(native, { limit, part: { ...lowest, ...highest } });
  }

  #publish(book: MarketBook, atUs: number): void {
    const { instrument } = book;
    const name = instrument.native.toLowerCase();
    const hasChanged = book.changes.length > 0;
    const eventMs = hasChanged ? book.eventUs / 1000 : this.#ms(atUs);
    for (const touch of book.touches) {
      this.#broadcast(`${name}@bookTicker`, this.#about("ticker", book), () => frames.tickerPayload(instrument, touch));
    }
    for (const fill of book.fills) {
      const times = { eventMs, tradeMs: this.#ms(fill.atUs) };
      const build = (): string => frames.tradePayload(instrument, fill, times);
      this.#broadcast(`${name}@trade`, this.#about("trade", book), build);
    }
    for (const aggregate of this.#aggregate(book)) {
      const times = { eventMs, tradeMs: this.#ms(aggregate.first.atUs) };
      const build = (): string => frames.aggregatePayload(instrument, aggregate, times);
      this.#broadcast(`${name}@aggTrade`, this.#about("trade", book), build);
    }
    if (hasChanged) {
      const levels = lastPerPrice(book.changes, [new Map(), new Map()]);
      const ids = { first: book.publishedId + 1, last: book.updateId, atMs: eventMs };
      const build = (): string => frames.depthPayload(instrument, levels, ids);
      this.#broadcast(`${name}@depth@100ms`, this.#about("book", book), build);
    }
    this.#publishSlow(book, { name, eventMs, atUs });
  }

  #about(kind: FrameKind, book: MarketBook): FrameAbout {
    const symbol = book.instrument.native;
    return kind === "book"
      ? { kind, symbol, event: { sequence: book.updateId, timeUs: book.eventUs } }
      : { kind, symbol };
  }

  // The same changes once a second, for as long as somebody listens.
  #publishSlow(book: MarketBook, { name, eventMs, atUs }: { name: string; eventMs: number; atUs: number }): void {
    const stream = `${name}@depth`;
    if (![...this.#sessions].some((session) => session.has(stream))) {
      this.#slow.delete(book);
      return;
    }
    const slow = this.#slow.get(book) ?? slowBatch(book.publishedId + 1, atUs);
    // After a restart of the exchange the chain is broken: the batch goes on with the numbers of today.
    slow.first = Math.min(slow.first, book.publishedId + 1);
    this.#slow.set(book, slow);
    lastPerPrice(book.changes, slow.levels);
    const isDue = atUs - slow.sinceUs >= SLOW_BATCH_US || (this.#market?.isPaused ?? false);
    if (isDue && book.updateId >= slow.first) {
      const ids = { first: slow.first, last: book.updateId, atMs: eventMs };
      const build = (): string => frames.depthPayload(book.instrument, slow.levels, ids);
      this.#broadcast(stream, this.#about("book", book), build);
      this.#slow.set(book, slowBatch(book.updateId + 1, atUs));
    }
  }

  // Fills of one order at one price share an aggregate; every aggregate has an id, heard or not.
  #aggregate(book: MarketBook): frames.Aggregate[] {
    const aggregates: frames.Aggregate[] = [];
    let id = this.#aggregates.get(book) ?? 0;
    for (const fill of book.fills) {
      const last = aggregates.at(-1);
      if (last !== undefined && last.first.order === fill.order && last.first.price === fill.price) {
        last.last = fill;
        last.quantity += fill.quantity;
      } else {
        id += 1;
        aggregates.push({ id, first: fill, last: fill, quantity: fill.quantity });
      }
    }
    this.#aggregates.set(book, id);
    return aggregates;
  }

  #ms(atUs: number): number {
    return Math.floor((this.#market?.stamp(atUs) ?? atUs) / 1000);
  }

  // Each envelope is built once, and only when somebody wants it.
  #broadcast(stream: string, about: FrameAbout, build: () => string): void {
    let payload: string | undefined;
    let bare: Buffer | undefined;
    let combined: Buffer | undefined;
    for (const session of this.#sessions) {
      if (session.has(stream)) {
        payload ??= build();
        if (session.isCombined) {
          combined ??= Buffer.from(frames.wrapped(stream, payload));
          session.connection.send(combined, about);
        } else {
          bare ??= Buffer.from(payload);
          session.connection.send(bare, about);
        }
      }
    }
  }
}

function slowBatch(first: number, sinceUs: number): SlowBatch {
  return { first, sinceUs, levels: [new Map(), new Map()] };
}

function lastPerPrice(
  changes: readonly Change[],
  levels: [Map<number, number>, Map<number, number>],
): frames.DepthLevels {
  for (const change of changes) {
    levels[change.side].set(change.price, change.quantity);
  }
  return levels;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch (cause) {
    if (cause instanceof URIError) {
      return text;
    }
    throw cause;
  }
}
