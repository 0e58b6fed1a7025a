/**
 * Coinbase Exchange as a server: subscriptions, heartbeats, errors and REST, over a synthetic market or a capture.
 * A client must subscribe within 5 s; `level2_batch` is acknowledged as `level2_50`. Bad case: a client asks for
 * `level2`, `level3` or `full`: refused, as they have needed authentication since 2023.
 * @see docs.cdp.coinbase.com/exchange/websocket-feed (read 2026-11)
 */
import type { Audience, RecordedFrame, Topic } from "./audience.ts";
import type { Fill } from "./book_events.ts";
import type { CapturePlayer } from "./capture_player.ts";
import * as frames from "./coinbase_exchange_frames.ts";
import type { Listing } from "./instruments.ts";
import { publishedEvent } from "./market.ts";
import type { MarketBook } from "./market_book.ts";
import type { MarketRun } from "./market_run.ts";
import {
  type ClientSession,
  type Connection,
  type FrameAbout,
  jsonAnswer,
  type Protocol,
  REPLY,
  REST_OTHER,
  type RestAbout,
  type RestAnswer,
  type RestRequest,
  type Unasked,
} from "./protocol.ts";
import { Bucket } from "./rate_limit.ts";
import { isObject, parseObject, textArray } from "./text.ts";

const SUBSCRIBE_WITHIN_MS = 5_000;
const HEARTBEAT_MS = 1_000;
const MESSAGES_PER_SECOND = 100;
const REST_PER_SECOND = 10;
const REST_BURST = 15;
const CLOSE_POLICY = 1008;
/** As acknowledged, by the name under which they are asked for. */
const CHANNELS: Readonly<Record<string, string>> = {
  level2_batch: "level2_50",
  level2_50: "level2_50",
  matches: "matches",
  heartbeat: "heartbeat",
};
const CLOSED_CHANNELS = ["level2", "level3", "full"];
const CLOSED_REASON =
  "level2, level3, and full channels now require authentication. https://docs.cloud.coinbase.com/exchange/docs/websocket-auth";

/** Where the frames come from: a market that runs, or a capture that is played. */
export type CoinbaseSource = { market: MarketRun } | { player: CapturePlayer };

/** The exchange. */
export class CoinbaseExchange implements Protocol {
  readonly messageBytesMax = 128 * 1024;
  readonly listings: Map<string, Listing>;
  readonly now: () => number;
  readonly player: CapturePlayer | undefined;
  readonly #market: MarketRun | undefined;
  readonly #books: ReadonlyMap<string, MarketBook>;
  readonly #sessions = new Set<CoinbaseSession>();
  readonly #rest = new Map<string, Bucket>();
  #taker: { book: MarketBook; order: number; id: string } | undefined;

  /** @param now Unix milliseconds */
  constructor(source: CoinbaseSource, now: () => number) {
    this.now = now;
    this.#market = "market" in source ? source.market : undefined;
    this.player = "player" in source ? source.player : undefined;
    this.#books = this.#market?.market.books("coinbase_exchange") ?? new Map();
    const books = [...this.#books.values()].map((book) => book.instrument);
    this.listings = new Map((this.player?.capture.listings ?? books).map((listing) => [listing.native, listing]));
    this.#market?.market.listen(
      "coinbase_exchange",
      (book) => this.#publish(book),
      ({ instrument }) => this.listings.set(instrument.native, instrument),
    );
  }

  get symbols(): readonly string[] {
    return [...this.listings.keys()];
  }

  accepts(): boolean {
    return true;
  }

  connect(connection: Connection): ClientSession {
    const session = new CoinbaseSession(this, connection);
    this.#sessions.add(session);
    this.player?.join(session);
    return session;
  }

  /** Forgets a session whose socket is gone. */
  leave(session: CoinbaseSession): void {
    this.#sessions.delete(session);
    this.player?.leave(session);
  }

  /** Sends what a client gets first for a product: the book and the last match. */
  greet(session: CoinbaseSession, channel: string, product: string): void {
    const book = this.#books.get(product);
    if (book === undefined || this.#market === undefined) {
      return;
    }
    if (channel === "level2_50") {
      const frame = frames.snapshotFrame(book, this.#market.stampOf(book));
      session.connection.send(frame, { kind: "snapshot", symbol: product, event: publishedEvent(book) });
    }
    const last = book.told.at(-1);
    if (channel === "matches" && last !== undefined) {
      session.connection.send(this.#match("last_match", book, last), { kind: "trade", symbol: product });
    }
  }

  /** What a heartbeat says of a product in the synthetic market: trades that wait for their batch are not told yet. */
  lastTrade(product: string): frames.LastTrade | undefined {
    const book = this.#books.get(product);
    const pending = book?.fills[0];
    return pending === undefined ? book : { tradeId: pending.id - 1, sequence: pending.sequence - 1 };
  }

  about({ path }: RestRequest): RestAbout {
    const [root, symbol = "", leaf] = path.split("/").slice(1);
    if (root !== "products") {
      return REST_OTHER;
    }
    return leaf === "book" ? { kind: "depth", symbol } : { kind: "metadata", symbol };
  }

  answer(request: RestRequest): RestAnswer {
    const { method, path, remote } = request;
    if (!this.#bucket(remote).take(this.now())) {
      return jsonAnswer(429, { message: "Public rate limit exceeded" });
    }
    const [root, id, leaf, ...rest] = path.split("/").slice(1);
    if (method !== "GET" || root !== "products" || rest.length > 0) {
      return jsonAnswer(404, { message: "NotFound" });
    }
    if (id === undefined) {
      return jsonAnswer(200, [...this.listings.values()].map(frames.productObject));
    }
    const listing = this.listings.get(id);
    if (listing === undefined || (leaf !== undefined && leaf !== "book")) {
      return jsonAnswer(404, { message: "NotFound" });
    }
    return leaf === undefined ? jsonAnswer(200, frames.productObject(listing)) : this.#bookAnswer(id, request);
  }

  #bookAnswer(id: string, { query, agedMs = 0 }: RestRequest): RestAnswer {
    const book = this.#books.get(id);
    if (book === undefined || this.#market === undefined) {
      return jsonAnswer(503, { message: "ServiceUnavailable" });
    }
    const level = query.get("level") ?? "1";
    if (level !== "1" && level !== "2") {
      return jsonAnswer(400, { message: "Invalid level" });
    }
    const depth = level === "1" ? 1 : Number.POSITIVE_INFINITY;
    const { view, atUs } = this.#market.view(book, agedMs);
    return { status: 200, body: frames.bookBody(view, depth, atUs) };
  }

  #bucket(remote: string): Bucket {
    const bucket = this.#rest.get(remote) ?? new Bucket(REST_PER_SECOND, REST_BURST, { atMs: this.now() });
    this.#rest.set(remote, bucket);
    return bucket;
  }

  #publish(book: MarketBook): void {
    const { native: symbol } = book.instrument;
    for (const fill of book.fills) {
      this.#broadcast("matches", { kind: "trade", symbol }, () => this.#match("match", book, fill));
    }
    if (book.changes.length > 0) {
      const build = (): string => frames.updateFrame(book.instrument, book.changes, book.eventUs);
      this.#broadcast("level2_50", { kind: "book", symbol, event: publishedEvent(book) }, build);
    }
  }

  #match(type: "match" | "last_match", book: MarketBook, fill: Fill): string {
    if (this.#taker?.book !== book || this.#taker.order !== fill.order) {
      this.#taker = { book, order: fill.order, id: book.ink.uuid() };
    }
    const atUs = this.#market?.stamp(fill.atUs) ?? fill.atUs;
    return frames.matchFrame(book.instrument, fill, { type, makerId: book.ink.uuid(), takerId: this.#taker.id, atUs });
  }

  // Built once, and only when somebody wants it.
  #broadcast(channel: string, about: FrameAbout, build: () => string): void {
    let frame: Buffer | undefined;
    for (const session of this.#sessions) {
      if (session.has(channel, about.symbol)) {
        frame ??= Buffer.from(build());
        session.connection.send(frame, about);
      }
    }
  }
}

/** One client. */
export class CoinbaseSession implements ClientSession, Audience {
  readonly connection: Connection;
  subscribedAtMs: number | undefined;
  readonly #exchange: CoinbaseExchange;
  readonly #openedAtMs: number;
  readonly #messages: Bucket;
  readonly #subscriptions = new Map<string, Set<string>>();
  readonly #played = new Map<string, frames.LastTrade>();
  #hasEnded = false;
  #beatAtMs: number;

  constructor(exchange: CoinbaseExchange, connection: Connection) {
    this.#exchange = exchange;
    this.connection = connection;
    this.#openedAtMs = exchange.now();
    this.#beatAtMs = this.#openedAtMs;
    this.#messages = new Bucket(MESSAGES_PER_SECOND, MESSAGES_PER_SECOND, { atMs: this.#openedAtMs });
  }

  /** Whether the client subscribed to a channel (as acknowledged) for a product. */
  has(channel: string, product: string): boolean {
    return this.#subscriptions.get(channel)?.has(product) ?? false;
  }

  message(text: string): void {
    if (!this.#messages.take(this.#exchange.now())) {
      this.connection.send(frames.errorFrame("Rate limit exceeded"), REPLY);
      this.connection.close(CLOSE_POLICY, "rate limit exceeded");
      return;
    }
    const request = parseObject(text);
    if (request === undefined) {
      this.connection.send(frames.errorFrame("Malformed JSON"), REPLY);
    } else if (request.type === "subscribe" || request.type === "unsubscribe") {
      this.#change(request.type, request);
    } else {
      this.connection.send(frames.errorFrame("Type has to be either subscribe or unsubscribe"), REPLY);
    }
  }

  control(): void {
    // Pings are answered by the socket itself; this exchange counts none.
  }

  tick(atMs: number): void {
    if (this.subscribedAtMs === undefined && atMs - this.#openedAtMs > SUBSCRIBE_WITHIN_MS) {
      this.connection.close(CLOSE_POLICY, "no subscription within 5 s");
      return;
    }
    const second = Math.floor(atMs / HEARTBEAT_MS) * HEARTBEAT_MS;
    if (second > this.#beatAtMs) {
      this.#beatAtMs = second;
      this.#beat(second);
    }
  }

  volunteer(unasked: Unasked): boolean {
    if (unasked.what !== "snapshot" || !this.has("level2_50", unasked.symbol)) {
      return false;
    }
    this.#exchange.greet(this, "level2_50", unasked.symbol);
    return true;
  }

  closed(): void {
    this.#exchange.leave(this);
  }

  wants({ kind, symbol }: Topic): boolean {
    switch (kind) {
      case "book":
        return this.has("level2_50", symbol);
      case "trade":
        return this.has("matches", symbol);
      case "heartbeat":
        return this.has("heartbeat", symbol);
      default:
        return kind === "other" && this.subscribedAtMs !== undefined;
    }
  }

  print(frame: RecordedFrame): string {
    return frame.text;
  }

  sent({ symbol, lastTrade }: RecordedFrame): void {
    if (lastTrade !== undefined) {
      this.#played.set(symbol, lastTrade);
    }
  }

  ended(): void {
    this.#hasEnded = true;
  }

  // During playback the recorded heartbeats stand in the capture; ours would come between them.
  #beat(atMs: number): void {
    const { player } = this.#exchange;
    if (player !== undefined && !this.#hasEnded && player.capture.hasHeartbeats) {
      return;
    }
    for (const product of this.#subscriptions.get("heartbeat") ?? []) {
      const last = player === undefined ? this.#exchange.lastTrade(product) : this.#played.get(product);
      if (last !== undefined) {
        const frame = frames.heartbeatFrame(product, last, atMs * 1000);
        this.connection.send(frame, { kind: "heartbeat", symbol: product });
      }
    }
  }

  #change(type: "subscribe" | "unsubscribe", request: Record<string, unknown>): void {
    const asked = readChannels(request);
    const reason = typeof asked === "string" ? asked : this.#reasonAgainst(asked);
    if (typeof asked === "string" || reason !== undefined) {
      this.connection.send(frames.errorFrame(`Failed to ${type}`, reason), REPLY);
      return;
    }
    const isOn = type === "subscribe";
    const added: [string, string][] = [];
    for (const { name, products } of asked) {
      const channel = CHANNELS[name] ?? name;
      const held = this.#subscriptions.get(channel) ?? new Set();
      this.#subscriptions.set(channel, held);
      for (const product of products) {
        if (held.has(product) !== isOn) {
          this.#note(channel, product, isOn);
          if (isOn) {
            held.add(product);
            added.push([channel, product]);
          } else {
            held.delete(product);
          }
        }
      }
    }
    if (isOn) {
      this.subscribedAtMs ??= this.#exchange.now();
    }
    this.connection.send(frames.subscriptionsFrame(this.#subscriptions), REPLY);
    for (const [channel, product] of added) {
      this.#exchange.greet(this, channel, product);
    }
  }

  #note(channel: string, symbol: string, isOn: boolean): void {
    if (channel !== "heartbeat") {
      this.connection.subscription({ symbol, kind: channel === "matches" ? "trade" : "book", isOn });
    }
  }

  #reasonAgainst(asked: readonly AskedChannel[]): string | undefined {
    for (const { name, products } of asked) {
      if (CLOSED_CHANNELS.includes(name)) {
        return CLOSED_REASON;
      }
      if (!Object.hasOwn(CHANNELS, name)) {
        return `${name.slice(0, 64)} is not a valid channel`;
      }
      const unknown = products.find((product) => !this.#exchange.listings.has(product));
      if (unknown !== undefined) {
        return `${unknown.slice(0, 64)} is not a valid product`;
      }
      if (products.length === 0) {
        return "At least one product ID must be provided";
      }
    }
    return asked.length === 0 ? "At least one channel must be provided" : undefined;
  }
}

type AskedChannel = { name: string; products: string[] };

// `channels` holds names, or objects with product ids of their own. A text is the reason for refusal.
function readChannels(request: Record<string, unknown>): AskedChannel[] | string {
  const common = request.product_ids === undefined ? [] : textArray(request.product_ids);
  if (common === undefined) {
    return "product_ids must be an array of product IDs";
  }
  if (!Array.isArray(request.channels)) {
    return "channels must be an array";
  }
  const asked: AskedChannel[] = [];
  for (const channel of request.channels as unknown[]) {
    const name = isObject(channel) ? channel.name : channel;
    const own = isObject(channel) && channel.product_ids !== undefined ? textArray(channel.product_ids) : [];
    if (typeof name !== "string" || own === undefined) {
      return "channels must hold names, or objects with a name and product_ids";
    }
    asked.push({ name, products: [...new Set([...common, ...own])] });
  }
  return asked;
}
