/**
 * Kraken as a server: WebSocket v2 at `/v2`, REST, and, for captures of it, v1 at `/`. One acknowledgement per symbol,
 * heartbeats every second once something is subscribed, requests beyond the rate dropped with `Exceeded msg rate`.
 * Bad case: clients of one depth share one view of the book, so a client that joins gets its snapshot between two
 * updates of that view, never in the midst of one.
 * @see docs.kraken.com/exchange/api-reference/spot-websocket-v2 (read 2026-11)
 */
import type { CapturePlayer } from "./capture_player.ts";
import { DepthView } from "./depth_view.ts";
import type { Listing } from "./instruments.ts";
import * as frames from "./kraken_frames.ts";
import { assetPairs, depthBody, findPair, krakenError, systemStatus } from "./kraken_rest.ts";
import { type KrakenHost, KrakenSession } from "./kraken_session.ts";
import { KrakenV1Session } from "./kraken_v1_session.ts";
import { publishedEvent } from "./market.ts";
import type { MarketBook } from "./market_book.ts";
import type { MarketRun } from "./market_run.ts";
import {
  type ClientSession,
  type Connection,
  type FrameAbout,
  type KnownPart,
  type Protocol,
  REST_OTHER,
  type RestAbout,
  type RestAnswer,
  type RestRequest,
} from "./protocol.ts";
import type { Random } from "./random.ts";
import { Bucket } from "./rate_limit.ts";

const DEPTH_DEFAULT = 10;
const REST_PER_SECOND = 1;
const REST_BURST = 15;
const OTHER: FrameAbout = { kind: "other", symbol: "" };

/** Where the frames come from: a market that runs, or a capture that is played. */
export type KrakenSource = { market: MarketRun } | { player: CapturePlayer };

/** The exchange. */
export class Kraken implements Protocol, KrakenHost {
  readonly messageBytesMax = 128 * 1024;
  readonly messageRateFrame = frames.MESSAGE_RATE_FRAME;
  readonly listings: Map<string, Listing>;
  readonly now: () => number;
  readonly player: CapturePlayer | undefined;
  readonly #market: MarketRun | undefined;
  readonly #books: ReadonlyMap<string, MarketBook>;
  readonly #random: Random;
  readonly #sessions = new Set<KrakenSession>();
  readonly #views = new Map<string, DepthView>();
  readonly #rest = new Map<string, Bucket>();
  /** The depth at which a book was subscribed last. */
  readonly #depths = new Map<string, number>();
  #system = "online";

  /** @param now Unix milliseconds @param random for connection ids */
  constructor(source: KrakenSource, { now, random }: { now: () => number; random: Random }) {
    this.now = now;
    this.#random = random;
    this.#market = "market" in source ? source.market : undefined;
    this.player = "player" in source ? source.player : undefined;
    this.#books = this.#market?.market.books("kraken") ?? new Map();
    const books = [...this.#books.values()].map((book) => book.instrument);
    this.listings = new Map((this.player?.capture.listings ?? books).map((listing) => [listing.native, listing]));
    this.#market?.market.listen(
      "kraken",
      (book) => this.#publish(book),
      (book) => this.#relist(book),
    );
  }

  get symbols(): readonly string[] {
    return [...this.listings.keys()];
  }

  accepts(url: URL): boolean {
    const isFirst = this.player?.capture.isKrakenV1 ?? false;
    return url.pathname === (isFirst ? "/" : "/v2");
  }

  connect(connection: Connection): ClientSession {
    // A number above 2^53, as the real ones are: whoever reads it as a double loses digits.
    const id = (BigInt(this.#random.word()) << 31n) | (1n << 62n) | BigInt(this.#random.word() >>> 1);
    if (this.player?.capture.isKrakenV1) {
      return new KrakenV1Session(this.player, { connection, id: String(id), now: this.now });
    }
    const session = new KrakenSession(this, connection, String(id));
    this.#sessions.add(session);
    this.player?.join(session);
    connection.send(frames.statusFrame(String(id), this.#system), OTHER);
    return session;
  }

  /** Forgets a session whose socket is gone. */
  leave(session: KrakenSession): void {
    this.#sessions.delete(session);
    this.player?.leave(session);
    this.dropUnusedViews();
  }

  /** Sends the snapshot of a book and keeps a view of that depth. */
  greetBook(session: KrakenSession, symbol: string, { depth, snapshot }: { depth: number; snapshot: boolean }): void {
    const book = this.#books.get(symbol);
    if (book === undefined || this.#market === undefined) {
      return;
    }
    const view = this.#views.get(viewKey(symbol, depth)) ?? new DepthView(book, depth);
    this.#views.set(viewKey(symbol, depth), view);
    this.#depths.set(symbol, depth);
    if (snapshot) {
      const atUs = this.#market.stampOf(book);
      const frame = frames.bookFrame("snapshot", book, { levels: view.snapshot(), atUs });
      session.connection.send(frame, { kind: "snapshot", symbol, event: publishedEvent(book) });
    }
  }

  /** Sends the last trades. */
  greetTrades(session: KrakenSession, symbol: string): void {
    const book = this.#books.get(symbol);
    const market = this.#market;
    if (book !== undefined && market !== undefined) {
      const stamp = (atUs: number): number => market.stamp(atUs);
      const frame = frames.tradeFrame("snapshot", book.instrument, { fills: book.told, stamp });
      session.connection.send(frame, { kind: "trade", symbol });
    }
  }

  /** Forgets views that no session has subscribed any more. */
  dropUnusedViews(): void {
    for (const [key, view] of this.#views) {
      const symbol = view.book.instrument.native;
      if (![...this.#sessions].some((session) => session.depthOf(symbol) === view.depth)) {
        this.#views.delete(key);
      }
    }
  }

  about({ path, query }: RestRequest): RestAbout {
    const kind = path === "/0/public/Depth" ? "depth" : path === "/0/public/AssetPairs" ? "metadata" : "other";
    return kind === "other"
      ? REST_OTHER
      : { kind, symbol: findPair(this.listings.values(), query.get("pair") ?? "")?.native ?? "" };
  }

  setSystem(system: string): void {
    this.#system = system;
  }

  known(symbol: string): KnownPart {
    return { levels: this.#depths.get(symbol) ?? DEPTH_DEFAULT };
  }

  answer(request: RestRequest): RestAnswer {
    const { method, path, query, remote } = request;
    const bucket = this.#rest.get(remote) ?? new Bucket(REST_PER_SECOND, REST_BURST, { atMs: this.now() });
    this.#rest.set(remote, bucket);
    if (!bucket.take(this.now())) {
      return krakenError("EAPI:Rate limit exceeded");
    }
    if (method !== "GET" && method !== "POST") {
      return krakenError("EGeneral:Invalid method");
    }
    switch (path) {
      case "/0/public/AssetPairs":
        return assetPairs(this.listings.values(), query.get("pair"));
      case "/0/public/Depth":
        return this.#depthAnswer(request);
      case "/0/public/SystemStatus":
        return systemStatus(this.#system, this.now());
      default:
        return krakenError("EGeneral:Unknown method");
    }
  }

  #depthAnswer({ query, agedMs = 0 }: RestRequest): RestAnswer {
    const listing = findPair(this.listings.values(), query.get("pair") ?? "");
    if (listing === undefined) {
      return krakenError("EQuery:Unknown asset pair");
    }
    const book = this.#books.get(listing.native);
    if (book === undefined || this.#market === undefined) {
      return krakenError("EService:Unavailable");
    }
    const { view } = this.#market.view(book, agedMs);
    return { status: 200, body: depthBody(view, query.get("count"), this.now()) };
  }

  #relist(book: MarketBook): void {
    this.listings.set(book.instrument.native, book.instrument);
    for (const view of this.#views.values()) {
      if (view.book === book) {
        view.rebase();
      }
    }
  }

  #publish(book: MarketBook): void {
    const market = this.#market;
    const { native: symbol } = book.instrument;
    if (market === undefined) {
      return;
    }
    if (book.fills.length > 0) {
      const stamp = (at: number): number => market.stamp(at);
      const build = (): string => frames.tradeFrame("update", book.instrument, { fills: book.fills, stamp });
      this.#broadcast((session) => session.hasTrades(symbol), { kind: "trade", symbol }, build);
    }
    for (const view of this.#views.values()) {
      if (view.book === book) {
        const levels = view.update(book.changes);
        if (levels.bids.length + levels.asks.length > 0) {
          const build = (): string => frames.bookFrame("update", book, { levels, atUs: book.eventUs });
          const about: FrameAbout = { kind: "book", symbol, event: publishedEvent(book) };
          this.#broadcast((session) => session.depthOf(symbol) === view.depth, about, build);
        }
      }
    }
  }

  // Built once, and only when somebody wants it.
  #broadcast(isWanted: (session: KrakenSession) => boolean, about: FrameAbout, build: () => string): void {
    let frame: Buffer | undefined;
    for (const session of this.#sessions) {
      if (isWanted(session)) {
        frame ??= Buffer.from(build());
        session.connection.send(frame, about);
      }
    }
  }
}

function viewKey(symbol: string, depth: number): string {
  return `${symbol} ${depth}`;
}
