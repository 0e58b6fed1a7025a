/**
 * One client of Kraken's WebSocket v2: subscribe, unsubscribe, ping, heartbeats and refusals.
 * Bad case: a capture was recorded at one depth and the client asks for another; it is acknowledged with the depth that
 * the capture has, because that is the depth at which the checksums hold.
 */
import type { Audience, RecordedFrame, Topic } from "./audience.ts";
import type { CapturePlayer } from "./capture_player.ts";
import type { Listing } from "./instruments.ts";
import * as frames from "./kraken_frames.ts";
import { type ClientSession, type Connection, type FrameAbout, REPLY, type Unasked } from "./protocol.ts";
import { Bucket } from "./rate_limit.ts";
import { echoedId, isObject, parseObject, textArray } from "./text.ts";

const DEPTHS = [10, 25, 100, 500, 1000];
const DEPTH_DEFAULT = 10;
const MESSAGES_PER_SECOND = 25;
const MESSAGES_BURST = 50;
const HEARTBEAT_MS = 1_000;
/** What time_out is after time_in: a plausible handling time. */
const HANDLING_US = 40;

const HEARTBEAT: FrameAbout = { kind: "heartbeat", symbol: "" };

/** What a session asks of the exchange. */
export interface KrakenHost {
  readonly listings: ReadonlyMap<string, Listing>;
  readonly player: CapturePlayer | undefined;
  /** Unix milliseconds. */
  now(): number;
  /** Forgets a session whose socket is gone. */
  leave(session: KrakenSession): void;
  /** Keeps a view of a book at a depth and sends its snapshot, if one is asked for. */
  greetBook(session: KrakenSession, symbol: string, options: { depth: number; snapshot: boolean }): void;
  /** Sends the last trades. */
  greetTrades(session: KrakenSession, symbol: string): void;
  /** Forgets views that no session has subscribed any more. */
  dropUnusedViews(): void;
}

/** One client. */
export class KrakenSession implements ClientSession, Audience {
  readonly connection: Connection;
  subscribedAtMs: number | undefined;
  readonly #exchange: KrakenHost;
  readonly #id: string;
  readonly #messages: Bucket;
  readonly #depths = new Map<string, number>();
  readonly #trades = new Set<string>();
  #hasEnded = false;
  #beatAtMs = 0;

  /** @param id digits of the connection id */
  constructor(exchange: KrakenHost, connection: Connection, id: string) {
    this.#exchange = exchange;
    this.#id = id;
    this.connection = connection;
    this.#messages = new Bucket(MESSAGES_PER_SECOND, MESSAGES_BURST, { atMs: exchange.now() });
  }

  /** The depth at which the client subscribed a book; undefined when it did not. */
  depthOf(symbol: string): number | undefined {
    return this.#depths.get(symbol);
  }

  /** Whether the client subscribed to trades of a symbol. */
  hasTrades(symbol: string): boolean {
    return this.#trades.has(symbol);
  }

  message(text: string): void {
    if (!this.#messages.take(this.#exchange.now())) {
      this.connection.send(frames.MESSAGE_RATE_FRAME, REPLY);
      return;
    }
    const request = parseObject(text);
    const inUs = Math.floor(this.#exchange.now() * 1000);
    const method = typeof request?.method === "string" ? request.method.slice(0, 64) : "";
    const to: frames.ReplyTo = { method, id: echoedId(request?.req_id), inUs, outUs: inUs + HANDLING_US };
    if (request === undefined) {
      this.connection.send(frames.refusalFrame(to, "Malformed request"), REPLY);
    } else if (method === "ping") {
      this.connection.send(frames.pongFrame(to), REPLY);
    } else if (method === "subscribe" || method === "unsubscribe") {
      this.#change(to, isObject(request.params) ? request.params : {});
    } else {
      this.connection.send(frames.refusalFrame(to, "Method not supported"), REPLY);
    }
  }

  control(): void {
    // Pings are answered by the socket itself; this exchange counts none.
  }

  tick(atMs: number): void {
    if (this.subscribedAtMs === undefined || atMs - this.#beatAtMs < HEARTBEAT_MS) {
      return;
    }
    this.#beatAtMs = atMs;
    const { player } = this.#exchange;
    if (player === undefined || this.#hasEnded || !player.capture.hasHeartbeats) {
      this.connection.send(frames.HEARTBEAT_FRAME, HEARTBEAT);
    }
  }

  volunteer(unasked: Unasked): boolean {
    if (unasked.what === "maintenance") {
      this.connection.send(frames.statusFrame(this.#id, unasked.system), { kind: "other", symbol: "" });
      return true;
    }
    const depth = unasked.what === "snapshot" ? this.#depths.get(unasked.symbol) : undefined;
    if (unasked.what !== "snapshot" || depth === undefined) {
      return false;
    }
    this.#exchange.greetBook(this, unasked.symbol, { depth, snapshot: true });
    return true;
  }

  closed(): void {
    this.#exchange.leave(this);
  }

  wants({ kind, symbol }: Topic): boolean {
    switch (kind) {
      case "book":
        return this.#depths.has(symbol);
      case "trade":
        return this.#trades.has(symbol);
      default:
        return (kind === "heartbeat" || kind === "other") && this.subscribedAtMs !== undefined;
    }
  }

  print(frame: RecordedFrame): string {
    return frame.text;
  }

  sent(): void {
    // Nothing a later frame of this exchange would have to repeat.
  }

  ended(): void {
    this.#hasEnded = true;
  }

  #change(to: frames.ReplyTo, params: Record<string, unknown>): void {
    const symbols = textArray(params.symbol);
    if (symbols === undefined || symbols.length === 0) {
      this.connection.send(frames.refusalFrame(to, "Symbol(s) missing"), REPLY);
      return;
    }
    const greetings: (() => void)[] = [];
    for (const symbol of symbols) {
      const refusal = this.#exchange.listings.has(symbol)
        ? this.#changeOne(to, symbol, { params, greetings })
        : `Currency pair not supported ${symbol.slice(0, 64)}`;
      if (refusal !== undefined) {
        this.connection.send(frames.refusalFrame(to, refusal, symbol.slice(0, 64)), REPLY);
      }
    }
    this.#exchange.dropUnusedViews();
    for (const greet of greetings) {
      greet();
    }
  }

  #changeOne(to: frames.ReplyTo, symbol: string, { params, greetings }: ChangeDetails): string | undefined {
    const snapshot = params.snapshot ?? true;
    if (typeof snapshot !== "boolean") {
      return "Snapshot must be a boolean";
    }
    if (params.channel !== "book" && params.channel !== "trade") {
      return "Subscription channel not supported";
    }
    const isBook = params.channel === "book";
    if (to.method === "unsubscribe") {
      return isBook ? this.#unsubscribeBook(to, symbol) : this.#unsubscribeTrades(to, symbol);
    }
    if (isBook ? this.#depths.has(symbol) : this.#trades.has(symbol)) {
      return "Already subscribed";
    }
    if (!isBook) {
      this.#trades.add(symbol);
      this.connection.subscription({ symbol, kind: "trade", isOn: true });
      this.connection.send(frames.ackFrame(to, { channel: "trade", snapshot, symbol }), { kind: "reply", symbol });
      if (snapshot) {
        greetings.push(() => this.#exchange.greetTrades(this, symbol));
      }
    } else {
      const asked = params.depth ?? DEPTH_DEFAULT;
      if (typeof asked !== "number" || !DEPTHS.includes(asked)) {
        return "Subscription depth not supported";
      }
      const depth = this.#exchange.player?.capture.depths.get(symbol) ?? asked;
      this.#depths.set(symbol, depth);
      this.connection.subscription({ symbol, kind: "book", isOn: true });
      const ack = frames.ackFrame(to, { channel: "book", depth, snapshot, symbol });
      this.connection.send(ack, { kind: "reply", symbol });
      greetings.push(() => this.#exchange.greetBook(this, symbol, { depth, snapshot }));
    }
    this.subscribedAtMs ??= this.#exchange.now();
    return undefined;
  }

  #unsubscribeBook(to: frames.ReplyTo, symbol: string): string | undefined {
    const depth = this.#depths.get(symbol);
    if (depth === undefined) {
      return "Subscription Not Found";
    }
    this.#depths.delete(symbol);
    this.connection.subscription({ symbol, kind: "book", isOn: false });
    this.connection.send(frames.ackFrame(to, { channel: "book", depth, symbol }), { kind: "reply", symbol });
    return undefined;
  }

  #unsubscribeTrades(to: frames.ReplyTo, symbol: string): string | undefined {
    if (!this.#trades.delete(symbol)) {
      return "Subscription Not Found";
    }
    this.connection.subscription({ symbol, kind: "trade", isOn: false });
    this.connection.send(frames.ackFrame(to, { channel: "trade", symbol }), { kind: "reply", symbol });
    return undefined;
  }
}

type ChangeDetails = { params: Record<string, unknown>; greetings: (() => void)[] };
