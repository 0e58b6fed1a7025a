/**
 * Kraken, WebSocket v2: books at depths 10 to 1000 with a CRC-32 of the top ten levels on every message, trades.
 * The checksum is the only proof: at depth 10 it covers the whole book, deeper books are `inferred` below the top ten and
 * an unreadable frame costs them a resubscribe. Bad case: a subscription that is acknowledged and stays silent while
 * heartbeats go on; hence the first-data timer. Control frames of v1 are read too, because captures hold them.
 * @see docs.kraken.com/api/docs/websocket-v2/book (read 2026-11); nautilus_trader#4255 for the silent subscription
 */
import {
  ASSURANCE_CHECKSUM,
  ASSURANCE_INFERRED,
  DECODER_KRAKEN,
  TRADING_HALTED,
  TRADING_LIMITED,
  TRADING_OPEN,
  TRADING_UNKNOWN,
} from "../../assembly/layout.ts";
import { DecodeError } from "../errors.ts";
import { decimalsOf } from "./decimals.ts";
import type {
  Channel,
  ClientMessage,
  ControlEvent,
  Exchange,
  ExchangeHeader,
  InstrumentMetadata,
  Metadata,
  RestRequest,
  SubscriptionRequest,
} from "./exchange.ts";
import { chunks, integerField, isRecord, parseBody, parseControl, shown, textField } from "./json.ts";

/** The checksum covers this many levels per side, whatever the depth. */
const CHECKSUM_LEVELS = 10;

const HEADER: ExchangeHeader = {
  id: "kraken",
  title: "Kraken",
  websocketUrls: ["wss://ws.kraken.com/v2"],
  websocketPath: "/v2",
  restUrl: "https://api.kraken.com",
  decoder: DECODER_KRAKEN,
  defaultInstruments: ["BTC-USD", "ETH-USD"],
  depths: [10, 25, 100, 500, 1000],
  defaultDepth: 10,
  snapshot: "in_band",
  snapshotLevels: 0,
  imageLevels: 2048,
  canOverlap: false,
  // Assumed, not verified: 40 bps at $0+ of kraken.com/features/fee-schedule; reports of earlier years (read 2026-11-22) say 26.
  takerFeeBps: 40,
  // Heartbeats come once a second, also during traffic.
  timing: { idleMs: 10_000, ackMs: 10_000, firstDataMs: 5000, pingMs: 0, rotateMs: 0 },
  limits: {
    // About 150 attempts in 10 minutes lead to a ban of 10 minutes.
    connects: { count: 60, perMs: 600_000 },
    // Undocumented and dynamic: 20/s is known to work; over it requests are dropped.
    messages: { count: 15, perMs: 1000 },
    instrumentsPerConnection: 200,
    instrumentsPerMessage: 20,
    // About one request a second is allowed.
    rest: { count: 1, perMs: 1500 },
  },
  audit: {
    freshness: "content",
    levels: 500,
    quantityDecimals: 3,
    // Answers carry neither number nor time: what changed lately must show that they are not from a cache.
    beforeMs: 10_000,
    afterMs: 1000,
    // Half of about one request a second.
    budget: { count: 1, perMs: 2000 },
  },
};

/** Currencies that v1 and REST spell in their own way. */
const CURRENCIES: Readonly<Record<string, string>> = { XBT: "BTC", XDG: "DOGE" };
const OLD_NAMES: Readonly<Record<string, string>> = { BTC: "XBT", DOGE: "XDG" };

const CHANNEL_NAMES: Readonly<Partial<Record<Channel, string>>> = { book: "book", trades: "trade" };

/** Kraken. */
export const KRAKEN: Exchange = {
  header: HEADER,
  assurance: (depth) => (isProvenWhole(depth) ? ASSURANCE_CHECKSUM : ASSURANCE_INFERRED),
  unreadable: (depth) => (isProvenWhole(depth) ? "suspect" : "resync"),
  nativeName: (canonical) => canonical.replace("-", "/"),
  canonicalName,
  metadataRequest: () => ({ path: "/0/public/AssetPairs", weight: 1 }),
  readMetadata,
  subscribe: (request) => messages("subscribe", request),
  unsubscribe: (request) => messages("unsubscribe", request),
  readControl,
  snapshotRequest: () => undefined,
  auditRequest,
  snapshotNative: () => undefined,
  snapshotSequence: () => undefined,
};

function isProvenWhole(depth: number): boolean {
  return depth > 0 && depth <= CHECKSUM_LEVELS;
}

/** `XBT/USD` → `BTC-USD`, on base and quote. */
function canonicalName(native: string): string {
  return native
    .split("/")
    .map((currency) => CURRENCIES[currency] ?? currency)
    .join("-");
}

/** `BTC/USD` → `XBTUSD`: REST knows pairs by their old names. */
function auditRequest(native: string, levels: number): RestRequest {
  const pair = native
    .split("/")
    .map((currency) => OLD_NAMES[currency] ?? currency)
    .join("");
  return { path: `/0/public/Depth?pair=${encodeURIComponent(pair)}&count=${levels}`, weight: 1 };
}

/** `{"error":[],"result":{"XXBTZUSD":{"wsname":"XBT/USD","pair_decimals":1,"lot_decimals":8,"tick_size":"0.1","status":"online",…},…}}` */
function readMetadata(body: string): Metadata {
  const answer = parseBody(body, "the asset pairs");
  if (!isRecord(answer) || !isRecord(answer.result)) {
    throw new DecodeError(`Cannot read the asset pairs: no result, was ${shown(body)}`);
  }
  const instruments: InstrumentMetadata[] = [];
  const unreadable: string[] = [];
  for (const [name, pair] of Object.entries(answer.result)) {
    const instrument = isRecord(pair) ? readPair(pair) : undefined;
    if (instrument === undefined) {
      unreadable.push(name);
    } else {
      instruments.push(instrument);
    }
  }
  return { instruments, unreadable };
}

/** Dark-pool pairs have no `wsname`: they cannot be subscribed. */
function readPair(pair: Record<string, unknown>): InstrumentMetadata | undefined {
  const name = textField(pair, "wsname");
  const pairDecimals = integerField(pair, "pair_decimals");
  const lotDecimals = integerField(pair, "lot_decimals");
  if (name === undefined || pairDecimals === undefined || lotDecimals === undefined) {
    return undefined;
  }
  const canonical = canonicalName(name);
  const tickDecimals = decimalsOf(textField(pair, "tick_size") ?? "") ?? 0;
  return {
    native: canonical.replace("-", "/"),
    canonical,
    priceExponent: Math.max(pairDecimals, tickDecimals),
    quantityExponent: lotDecimals,
    tradingStatus: pair.status === undefined ? TRADING_UNKNOWN : tradingStatus(pair.status),
  };
}

function tradingStatus(word: unknown): number {
  if (word === "online") {
    return TRADING_OPEN;
  }
  const limited = ["cancel_only", "post_only", "limit_only", "reduce_only"];
  return typeof word === "string" && limited.includes(word) ? TRADING_LIMITED : TRADING_HALTED;
}

/** `{"method":"subscribe","params":{"channel":"book","symbol":["BTC/USD"],"depth":10,"snapshot":true},"req_id":1}` */
function messages(method: string, request: SubscriptionRequest): ClientMessage[] {
  return request.channels.flatMap((channel) => {
    const name = CHANNEL_NAMES[channel];
    const parts = name === undefined ? [] : chunks(request.natives, HEADER.limits.instrumentsPerMessage);
    return parts.map((symbol) => {
      const isBook = channel === "book";
      const depth = isBook ? { depth: request.depth } : {};
      const snapshot = method === "subscribe" ? { snapshot: isBook } : {};
      const requestId = request.nextRequestId();
      const params = { channel: name, symbol, ...depth, ...snapshot };
      const text = JSON.stringify({ method, params, req_id: requestId });
      return { text, requestId, natives: symbol, channels: [channel] };
    });
  });
}

function readControl(text: string): ControlEvent[] {
  const frame = parseControl(text);
  if (frame === undefined) {
    return [];
  }
  if (textField(frame, "Error") !== undefined) {
    // The only use of this capital key: {"Error":"Exceeded msg rate"}.
    return [{ kind: "rate_limited", reason: textField(frame, "Error") ?? "" }];
  }
  if (typeof frame.method === "string") {
    return readAnswer(frame);
  }
  if (frame.channel === "status" && Array.isArray(frame.data)) {
    return (frame.data as unknown[]).filter(isRecord).map((entry) => statusEvent(entry.system));
  }
  if (frame.event === "systemStatus") {
    return [statusEvent(frame.status)];
  }
  if (frame.event === "subscriptionStatus") {
    return readSubscriptionStatus(frame);
  }
  return frame.error === undefined ? [] : [{ kind: "error", reason: String(frame.error) }];
}

/**
 * `{"method":"subscribe","result":{"channel":"book","depth":10,"snapshot":true,"symbol":"BTC/USD"},"success":true,"req_id":1,…}`, one
 * per symbol; `{"error":"Currency pair not supported X/Y","method":"subscribe","success":false,"symbol":"X/Y",…}`.
 */
function readAnswer(frame: Record<string, unknown>): ControlEvent[] {
  const result = isRecord(frame.result) ? frame.result : {};
  const native = textField(result, "symbol") ?? textField(frame, "symbol");
  const channel = channelOf(textField(result, "channel"));
  const requestId = integerField(frame, "req_id");
  const about = {
    ...(native === undefined ? {} : { native }),
    ...(channel === undefined ? {} : { channel }),
    ...(requestId === undefined ? {} : { requestId }),
  };
  if (frame.success === false) {
    const reason = textField(frame, "error") ?? "no reason given";
    return frame.method === "subscribe" ? [{ kind: "refused", ...about, reason }] : [{ kind: "notice", reason }];
  }
  if (frame.method !== "subscribe") {
    return [];
  }
  const depth = integerField(result, "depth");
  return [{ kind: "accepted", ...about, ...(depth === undefined ? {} : { depth }) }];
}

/** v1: `{"event":"subscriptionStatus","pair":"XBT/USD","status":"subscribed","subscription":{"depth":1000,"name":"book"},…}` */
function readSubscriptionStatus(frame: Record<string, unknown>): ControlEvent[] {
  const subscription = isRecord(frame.subscription) ? frame.subscription : {};
  const native = textField(frame, "pair");
  const channel = channelOf(textField(subscription, "name"));
  const about = { ...(native === undefined ? {} : { native }), ...(channel === undefined ? {} : { channel }) };
  if (frame.status === "error") {
    return [{ kind: "refused", ...about, reason: textField(frame, "errorMessage") ?? "no reason given" }];
  }
  const depth = integerField(subscription, "depth");
  return frame.status === "subscribed"
    ? [{ kind: "accepted", ...about, ...(depth === undefined ? {} : { depth }) }]
    : [];
}

function statusEvent(system: unknown): ControlEvent {
  const reason = String(system);
  return { kind: "status", tradingStatus: tradingStatus(system), isMaintenance: system === "maintenance", reason };
}

function channelOf(name: string | undefined): Channel | undefined {
  return name === "book" ? "book" : name === "trade" ? "trades" : undefined;
}
