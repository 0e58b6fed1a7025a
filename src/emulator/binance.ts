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
import type { CapturePlayer } from "./capture_player.ts";
import type { Listing } from "./instruments.ts";
import type { Change, MarketBook } from "./market_book.ts";
import type { MarketRun } from "./market_run.ts";
import type { ClientSession, Connection, Protocol, RestAnswer, RestRequest } from "./protocol.ts";

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
  readonly #published = new Map<MarketBook, number>();

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
      depth: (symbol, limit) => this.#depth(books.get(symbol), symbol, limit),
    });
    for (const book of books.values()) {
      this.#published.set(book, book.updateId);
      this.#aggregates.set(book, book.tradeId - 1_000_000);
    }
    this.#market?.market.listen(exchange, (book, atUs) => this.#publish(book, atUs));
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

  answer(request: RestRequest): RestAnswer | Promise<RestAnswer> {
    return this.#rest.answer(request);
  }

  #depth(book: MarketBook | undefined, symbol: string, limit: number): RestAnswer | Promise<RestAnswer> {
    if (book === undefined || this.#market === undefined) {
      return this.player?.depthAnswer(symbol) ?? { status: 503, body: "{}" };
    }
    this.#market.market.peek(book, this.#market.nowUs());
    return { status: 200, body: frames.depthBody(book, limit) };
  }

  #publish(book: MarketBook, atUs: number): void {
    const { instrument } = book;
    const name = instrument.native.toLowerCase();
    const eventMs = this.#ms(atUs);
    for (const touch of book.touches) {
      this.#broadcast(`${name}@bookTicker`, () => frames.tickerPayload(instrument, touch));
    }
    for (const fill of book.fills) {
      const times = { eventMs, tradeMs: this.#ms(fill.atUs) };
      this.#broadcast(`${name}@trade`, () => frames.tradePayload(instrument, fill, times));
    }
    for (const aggregate of this.#aggregate(book)) {
      const times = { eventMs, tradeMs: this.#ms(aggregate.first.atUs) };
      this.#broadcast(`${name}@aggTrade`, () => frames.aggregatePayload(instrument, aggregate, times));
    }
    const first = (this.#published.get(book) ?? 0) + 1;
    if (book.updateId >= first) {
      this.#published.set(book, book.updateId);
      const levels = lastPerPrice(book.changes, [new Map(), new Map()]);
      const ids = { first, last: book.updateId, atMs: eventMs };
      this.#broadcast(`${name}@depth@100ms`, () => frames.depthPayload(instrument, levels, ids));
    }
    this.#publishSlow(book, { name, first, atUs });
  }

  // The same changes once a second, for as long as somebody listens.
  #publishSlow(book: MarketBook, { name, first, atUs }: { name: string; first: number; atUs: number }): void {
    const stream = `${name}@depth`;
    if (![...this.#sessions].some((session) => session.has(stream))) {
      this.#slow.delete(book);
      return;
    }
    const slow = this.#slow.get(book) ?? { first, sinceUs: atUs, levels: [new Map(), new Map()] };
    this.#slow.set(book, slow);
    lastPerPrice(book.changes, slow.levels);
    const isDue = atUs - slow.sinceUs >= SLOW_BATCH_US || (this.#market?.isPaused ?? false);
    if (isDue && book.updateId >= slow.first) {
      const ids = { first: slow.first, last: book.updateId, atMs: this.#ms(atUs) };
      this.#broadcast(stream, () => frames.depthPayload(book.instrument, slow.levels, ids));
      this.#slow.set(book, { first: book.updateId + 1, sinceUs: atUs, levels: [new Map(), new Map()] });
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
  #broadcast(stream: string, build: () => string): void {
    let payload: string | undefined;
    let bare: Buffer | undefined;
    let combined: Buffer | undefined;
    for (const session of this.#sessions) {
      if (session.has(stream)) {
        payload ??= build();
        if (session.isCombined) {
          combined ??= Buffer.from(frames.wrapped(stream, payload));
          session.connection.send(combined);
        } else {
          bare ??= Buffer.from(payload);
          session.connection.send(bare);
        }
      }
    }
  }
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
