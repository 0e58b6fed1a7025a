/**
 * One client of Binance: stream names from the address or by SUBSCRIBE, requests and their errors, pings, and the
 * limits that end a connection (5 messages a second, 1024 streams, 24 hours, an unanswered ping).
 * Bad case: a stream that does not exist is acknowledged and stays silent, as on the real exchange.
 */
import type { Audience, RecordedFrame, Topic } from "./audience.ts";
import { shutdownPayload, wrapped } from "./binance_frames.ts";
import type { CapturePlayer } from "./capture_player.ts";
import { type ClientSession, type Connection, REPLY, type Unasked } from "./protocol.ts";
import { echoedId, parseObject, textArray } from "./text.ts";

const MESSAGES_MAX = 5;
const MESSAGES_WINDOW_MS = 1_000;
const STREAMS_MAX = 1024;
const LIFETIME_MS = 24 * 60 * 60 * 1000;
const CLOSE_NORMAL = 1000;
const CLOSE_POLICY = 1008;
const METHODS = ["SUBSCRIBE", "UNSUBSCRIBE", "LIST_SUBSCRIPTIONS", "SET_PROPERTY", "GET_PROPERTY"];
const WRAPPER = /^\{"stream":"[^"]*","data":/;

/** What a session asks of the exchange. */
export interface BinanceHost {
  readonly player: CapturePlayer | undefined;
  /** Between two pings of ours. */
  readonly pingEveryMs: number;
  /** Within this a ping must be answered. */
  readonly pongWithinMs: number;
  /** Unix milliseconds. */
  now(): number;
  /** Forgets a session whose socket is gone. */
  leave(session: BinanceSession): void;
}

/** One client. */
export class BinanceSession implements ClientSession, Audience {
  readonly connection: Connection;
  subscribedAtMs: number | undefined;
  readonly #exchange: BinanceHost;
  readonly #openedAtMs: number;
  readonly #streams = new Set<string>();
  readonly #messagesAtMs: number[] = [];
  #isCombined: boolean;
  #pingedAtMs: number;
  #awaited: { payload: string; sinceMs: number } | undefined;

  constructor(
    exchange: BinanceHost,
    connection: Connection,
    { streams, isCombined }: { streams: readonly string[]; isCombined: boolean },
  ) {
    this.#exchange = exchange;
    this.connection = connection;
    this.#isCombined = isCombined;
    this.#openedAtMs = exchange.now();
    this.#pingedAtMs = this.#openedAtMs;
    this.#subscribe(streams);
  }

  /** Whether payloads come in the envelope of combined streams. */
  get isCombined(): boolean {
    return this.#isCombined;
  }

  /** Whether the client subscribed to a stream. */
  has(stream: string): boolean {
    return this.#streams.has(stream);
  }

  message(text: string): void {
    if (!this.#count()) {
      return;
    }
    const request = parseObject(text);
    if (request === undefined) {
      this.#refuse(3, "Invalid JSON: expected value at line 1 column 1");
      return;
    }
    const { id, method } = request;
    const echoed = id === undefined ? undefined : echoedId(id);
    if (typeof method !== "string") {
      this.#refuse(2, "Invalid request: missing field `method` at line 1 column 2", echoed);
    } else if (!METHODS.includes(method)) {
      const expected = METHODS.map((one) => `\`${one}\``).join(", ");
      this.#refuse(
        2,
        `Invalid request: unknown variant \`${method.slice(0, 64)}\`, expected one of ${expected}`,
        echoed,
      );
    } else if (echoed === undefined) {
      this.#refuse(2, "Invalid request: request ID must be an unsigned integer");
    } else {
      this.#perform(method, request.params, echoed);
    }
  }

  control(kind: "ping" | "pong", payload: string): void {
    if (kind === "pong" && payload === this.#awaited?.payload) {
      this.#awaited = undefined;
    }
    this.#count();
  }

  tick(atMs: number): void {
    const { pingEveryMs, pongWithinMs } = this.#exchange;
    if (atMs - this.#openedAtMs > LIFETIME_MS) {
      this.connection.close(CLOSE_NORMAL, "24 hours");
    } else if (this.#awaited !== undefined && atMs - this.#awaited.sinceMs > pongWithinMs) {
      this.connection.close(CLOSE_POLICY, "Pong timeout");
    } else if (atMs - this.#pingedAtMs >= pingEveryMs) {
      this.#pingedAtMs = atMs;
      const payload = String(Math.floor(atMs));
      this.#awaited = { payload, sinceMs: this.#awaited?.sinceMs ?? atMs };
      this.connection.ping(payload);
    }
  }

  volunteer({ what }: Unasked): boolean {
    if (what !== "shutdown") {
      return false;
    }
    const payload = shutdownPayload(this.#exchange.now());
    const frame = this.#isCombined ? wrapped("!serverShutdown", payload) : payload;
    this.connection.send(frame, { kind: "other", symbol: "" });
    return true;
  }

  closed(): void {
    this.#exchange.leave(this);
  }

  wants({ kind, symbol, channel }: Topic): boolean {
    const name = symbol.toLowerCase();
    switch (kind) {
      case "book":
        return [...this.#streams].some((stream) => stream.startsWith(`${name}@depth`));
      case "trade":
        return this.has(`${name}@trade`) || this.has(`${name}@aggTrade`);
      case "ticker":
      case "kline":
        return this.has(channel);
      default:
        return this.subscribedAtMs !== undefined;
    }
  }

  print({ text, channel }: RecordedFrame): string {
    const envelope = WRAPPER.exec(text)?.[0];
    if (this.#isCombined) {
      return envelope === undefined && channel !== "" ? `{"stream":"${channel}","data":${text}}` : text;
    }
    return envelope === undefined ? text : text.slice(envelope.length, -1);
  }

  sent(): void {
    // Nothing a later frame of this exchange would have to repeat.
  }

  ended(): void {
    // Pings are ours all the time; there are no heartbeat frames.
  }

  // Pings, pongs and messages all count.
  #count(): boolean {
    const atMs = this.#exchange.now();
    this.#messagesAtMs.push(atMs);
    while ((this.#messagesAtMs[0] ?? atMs) <= atMs - MESSAGES_WINDOW_MS) {
      this.#messagesAtMs.shift();
    }
    if (this.#messagesAtMs.length > MESSAGES_MAX) {
      this.connection.close(CLOSE_POLICY, "Too many requests");
      return false;
    }
    return true;
  }

  #perform(method: string, params: unknown, id: string): void {
    switch (method) {
      case "LIST_SUBSCRIPTIONS":
        this.#reply(JSON.stringify([...this.#streams]), id);
        return;
      case "GET_PROPERTY":
      case "SET_PROPERTY":
        this.#property(method, params, id);
        return;
      default:
        this.#change(method, params, id);
    }
  }

  #change(method: string, params: unknown, id: string): void {
    const streams = textArray(params);
    if (streams === undefined) {
      this.#refuse(2, "Invalid request: invalid type, expected a sequence of stream names", id);
      return;
    }
    if (method === "UNSUBSCRIBE") {
      for (const stream of streams) {
        if (this.#streams.delete(stream)) {
          this.#note(stream, false);
        }
      }
    } else if (new Set([...this.#streams, ...streams]).size > STREAMS_MAX) {
      this.#refuse(4, "Too many subscriptions", id);
      return;
    } else {
      this.#subscribe(streams);
    }
    this.#reply("null", id);
  }

  #subscribe(streams: readonly string[]): void {
    for (const stream of streams.slice(0, STREAMS_MAX)) {
      if (!this.#streams.has(stream)) {
        this.#streams.add(stream);
        this.#note(stream, true);
      }
    }
    if (streams.length > 0) {
      this.subscribedAtMs ??= this.#exchange.now();
    }
  }

  #note(stream: string, isOn: boolean): void {
    const [name = "", channel = ""] = stream.split("@");
    if (channel === "depth" || channel === "trade" || channel === "aggTrade") {
      this.connection.subscription({ symbol: name.toUpperCase(), kind: channel === "depth" ? "book" : "trade", isOn });
    }
  }

  #property(method: string, params: unknown, id: string): void {
    const [name, value]: unknown[] = Array.isArray(params) ? params : [];
    if (typeof name !== "string") {
      this.#refuse(2, "Invalid request: property name must be a string", id);
    } else if (name !== "combined") {
      this.#refuse(0, "Unknown property", id);
    } else if (method === "GET_PROPERTY") {
      this.#reply(String(this.#isCombined), id);
    } else if (typeof value !== "boolean") {
      this.#refuse(1, "Invalid value type: expected Boolean", id);
    } else {
      this.#isCombined = value;
      this.#reply("null", id);
    }
  }

  #reply(result: string, id: string): void {
    this.connection.send(`{"result":${result},"id":${id}}`, REPLY);
  }

  #refuse(code: number, msg: string, id?: string): void {
    const error = JSON.stringify({ code, msg });
    this.connection.send(id === undefined ? `{"error":${error}}` : `{"error":${error},"id":${id}}`, REPLY);
  }
}
