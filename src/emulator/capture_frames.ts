/**
 * What a recorded frame is about, read once when a capture is loaded, so that playback only compares names.
 * Acknowledgements and status frames answer a client that is gone: they are dropped, the server sends its own.
 * Bad case: a frame that is no JSON, or of an unknown kind; it is kept as `other` and goes to every subscriber.
 */
import type { ExchangeId } from "../model/exchange_id.ts";
import type { RecordedFrame, Topic } from "./audience.ts";
import { isObject } from "./text.ts";

/** A channel of Kraken's v1 as its acknowledgement named it. */
export type KrakenChannel = { id: number; name: string; pair: string; depth: number | undefined };

/** What was read from a frame. */
export type Classified = {
  /** Undefined for a frame that is not served again. */
  topic: Topic | undefined;
  /** The exchange's own time, Unix microseconds. */
  atUs?: number;
  /** Coinbase: what a heartbeat after this frame must repeat. */
  lastTrade?: NonNullable<RecordedFrame["lastTrade"]>;
  /** Kraken v2: the acknowledged depth of a book. */
  depth?: { symbol: string; levels: number };
  /** Kraken v1: an acknowledged channel. */
  krakenChannel?: KrakenChannel;
};

const OTHER: Classified = { topic: { kind: "other", symbol: "", channel: "" } };
const DROPPED: Classified = { topic: undefined };

/**
 * Reads one recorded frame.
 * @param text byte-exact as received
 */
export function classify(exchange: ExchangeId, text: string): Classified {
  const value = parsed(text);
  switch (exchange) {
    case "coinbase_exchange":
      return isObject(value) ? coinbase(value) : OTHER;
    case "kraken":
      return Array.isArray(value) ? krakenV1(value) : isObject(value) ? kraken(value) : OTHER;
    default:
      return isObject(value) ? binance(value) : OTHER;
  }
}

function coinbase(frame: Record<string, unknown>): Classified {
  const symbol = textOf(frame.product_id);
  const atUs = microsOf(frame.time);
  const time = atUs === undefined ? {} : { atUs };
  const sequence = String(frame.sequence);
  switch (frame.type) {
    case "snapshot":
    case "l2update":
      return { topic: { kind: "book", symbol, channel: "level2_50" }, ...time };
    case "match":
      return {
        topic: { kind: "trade", symbol, channel: "matches" },
        ...time,
        lastTrade: { tradeId: String(frame.trade_id), sequence },
      };
    // The time of a last match is that of a trade before the capture began.
    case "last_match":
      return {
        topic: { kind: "trade", symbol, channel: "matches" },
        lastTrade: { tradeId: String(frame.trade_id), sequence },
      };
    case "heartbeat":
      return {
        topic: { kind: "heartbeat", symbol, channel: "heartbeat" },
        ...time,
        lastTrade: { tradeId: String(frame.last_trade_id), sequence },
      };
    case "ticker":
      return { topic: { kind: "ticker", symbol, channel: "ticker" }, ...time };
    default:
      return frame.type === "subscriptions" || frame.type === "error" ? DROPPED : OTHER;
  }
}

function kraken(frame: Record<string, unknown>): Classified {
  if (frame.event === "heartbeat" || frame.channel === "heartbeat") {
    return { topic: { kind: "heartbeat", symbol: "", channel: "heartbeat" } };
  }
  if (frame.event !== undefined) {
    return { ...DROPPED, ...krakenAcknowledged(frame) };
  }
  if (
    frame.method !== undefined ||
    frame.channel === "status" ||
    frame.error !== undefined ||
    frame.Error !== undefined
  ) {
    const result = isObject(frame.result) ? frame.result : {};
    const levels = result.depth;
    return typeof levels === "number" ? { ...DROPPED, depth: { symbol: textOf(result.symbol), levels } } : DROPPED;
  }
  const first: unknown = Array.isArray(frame.data) ? frame.data[0] : undefined;
  const about = isObject(first) ? first : {};
  const atUs = microsOf(about.timestamp);
  const time = atUs === undefined || (frame.channel === "trade" && frame.type === "snapshot") ? {} : { atUs };
  const symbol = textOf(about.symbol);
  switch (frame.channel) {
    case "book":
    case "trade":
    case "ticker":
      return { topic: { kind: frame.channel, symbol, channel: frame.channel }, ...time };
    default:
      return OTHER;
  }
}

function krakenAcknowledged(frame: Record<string, unknown>): Pick<Classified, "krakenChannel"> {
  if (typeof frame.channelID !== "number") {
    return {};
  }
  const subscription = isObject(frame.subscription) ? frame.subscription : {};
  const depth = typeof subscription.depth === "number" ? subscription.depth : undefined;
  return { krakenChannel: { id: frame.channelID, name: textOf(frame.channelName), pair: textOf(frame.pair), depth } };
}

function krakenV1(frame: readonly unknown[]): Classified {
  const channel = textOf(frame.at(-2));
  const symbol = textOf(frame.at(-1));
  const kind = channel.startsWith("book")
    ? "book"
    : channel === "trade"
      ? "trade"
      : channel === "ticker"
        ? "ticker"
        : "other";
  return { topic: { kind, symbol, channel } };
}

function binance(frame: Record<string, unknown>): Classified {
  const stream = textOf(frame.stream);
  const payload = stream !== "" && isObject(frame.data) ? frame.data : frame;
  if ("result" in frame || "error" in frame) {
    return DROPPED;
  }
  const symbol = textOf(payload.s);
  const name = symbol.toLowerCase();
  const time = typeof payload.E === "number" ? { atUs: payload.E * 1000 } : {};
  switch (payload.e) {
    case "depthUpdate":
      return { topic: { kind: "book", symbol, channel: stream || `${name}@depth@100ms` }, ...time };
    case "trade":
    case "aggTrade":
      return { topic: { kind: "trade", symbol, channel: stream || `${name}@${payload.e}` }, ...time };
    case "kline":
      return { topic: { kind: "kline", symbol, channel: stream || `${name}@kline_${interval(payload)}` }, ...time };
    case "bookTicker":
    case undefined:
      return symbol !== "" && "B" in payload && "A" in payload
        ? { topic: { kind: "ticker", symbol, channel: stream || `${name}@bookTicker` } }
        : OTHER;
    default:
      return OTHER;
  }
}

function interval(payload: Record<string, unknown>): string {
  return isObject(payload.k) ? textOf(payload.k.i) : "";
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}

/** Unix microseconds of an RFC 3339 time; undefined for the year-1 times that have been seen, and for anything else. */
function microsOf(value: unknown): number | undefined {
  const parts = /^((?!0001)\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?Z$/.exec(textOf(value));
  const seconds = Date.parse(`${parts?.[1]}Z`);
  return Number.isNaN(seconds) ? undefined : seconds * 1000 + Number((parts?.[2] ?? "").padEnd(6, "0").slice(0, 6));
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    if (cause instanceof SyntaxError) {
      return undefined;
    }
    throw cause;
  }
}
