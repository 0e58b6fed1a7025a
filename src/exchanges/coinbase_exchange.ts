/**
 * Coinbase Exchange: full-depth books over `level2_batch` (50 ms batches, open to everybody), trades over `matches`.
 * Book updates carry no sequence: loss is inferred from trade ids, the heartbeat's last trade id and crossed books, so the
 * assurance is `inferred` and an unreadable frame costs a resubscribe. Bad case: a lost `l2update` with no trade near it.
 * @see docs.cdp.coinbase.com/exchange/websocket-feed/overview, channels, rate-limits (read 2026-11)
 */
import {
  ASSURANCE_INFERRED,
  DECODER_COINBASE_EXCHANGE,
  TRADING_AUCTION,
  TRADING_HALTED,
  TRADING_LIMITED,
  TRADING_OPEN,
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
  SubscriptionRequest,
} from "./exchange.ts";
import { chunks, isRecord, parseBody, parseControl, shown, textField } from "./json.ts";

const HEADER: ExchangeHeader = {
  id: "coinbase_exchange",
  title: "Coinbase Exchange",
  websocketUrls: ["wss://ws-feed.exchange.coinbase.com"],
  websocketPath: "",
  restUrl: "https://api.exchange.coinbase.com",
  decoder: DECODER_COINBASE_EXCHANGE,
  defaultInstruments: ["BTC-USD", "ETH-USD"],
  depths: [0],
  defaultDepth: 0,
  snapshot: "in_band",
  snapshotLevels: 0,
  // A BTC-USD book held 46,000 levels when it was captured.
  imageLevels: 98_304,
  canOverlap: false,
  // Tier $0K-$10K: 60 bps. help.coinbase.com/en/exchange/trading-and-funding/exchange-fees (a stored copy, read 2026-11-22).
  takerFeeBps: 60,
  // Heartbeats come once a second for each product; a subscribe is due within 5 s of connecting.
  timing: { idleMs: 10_000, ackMs: 10_000, firstDataMs: 15_000, pingMs: 0, rotateMs: 0 },
  limits: {
    // 8 requests/s per address are allowed.
    connects: { count: 4, perMs: 1000 },
    // 100 client messages/s per address are allowed.
    messages: { count: 20, perMs: 1000 },
    instrumentsPerConnection: 50,
    instrumentsPerMessage: 10,
    // About 10 requests/s per address are allowed.
    rest: { count: 7, perMs: 1000 },
  },
  audit: {
    freshness: "time",
    levels: 0,
    quantityDecimals: -1,
    beforeMs: 1000,
    // Books come in batches of 50 ms.
    afterMs: 1000,
    // Half of about 10 requests/s.
    budget: { count: 5, perMs: 1000 },
  },
};

const CHANNEL_NAMES: Readonly<Record<Channel, string>> = {
  book: "level2_batch",
  trades: "matches",
  heartbeat: "heartbeat",
};

/** Coinbase Exchange. */
export const COINBASE_EXCHANGE: Exchange = {
  header: HEADER,
  assurance: () => ASSURANCE_INFERRED,
  unreadable: () => "resync",
  nativeName: (canonical) => canonical,
  canonicalName: (native) => native,
  metadataRequest: () => ({ path: "/products", weight: 1 }),
  readMetadata,
  subscribe: (request) => messages("subscribe", request),
  unsubscribe: (request) => messages("unsubscribe", request),
  readControl,
  snapshotRequest: () => undefined,
  auditRequest: (native) => ({ path: `/products/${encodeURIComponent(native)}/book?level=2`, weight: 1 }),
  snapshotNative: () => undefined,
  snapshotSequence: () => undefined,
};

/** `[{"id":"BTC-USD","quote_increment":"0.01","base_increment":"0.00000001","status":"online","trading_disabled":false,…}]` */
function readMetadata(body: string): Metadata {
  const products = parseBody(body, "the product list");
  if (!Array.isArray(products)) {
    throw new DecodeError(`Cannot read the product list: it must be a list, was ${shown(body)}`);
  }
  const instruments: InstrumentMetadata[] = [];
  const unreadable: string[] = [];
  for (const product of products as unknown[]) {
    const instrument = isRecord(product) ? readProduct(product) : undefined;
    if (instrument === undefined) {
      unreadable.push(shown(JSON.stringify(product)));
    } else {
      instruments.push(instrument);
    }
  }
  return { instruments, unreadable };
}

function readProduct(product: Record<string, unknown>): InstrumentMetadata | undefined {
  const native = textField(product, "id");
  const priceExponent = decimalsOf(textField(product, "quote_increment") ?? "");
  const quantityExponent = decimalsOf(textField(product, "base_increment") ?? "");
  if (native === undefined || priceExponent === undefined || quantityExponent === undefined) {
    return undefined;
  }
  return { native, canonical: native, priceExponent, quantityExponent, tradingStatus: tradingStatus(product) };
}

function tradingStatus(product: Record<string, unknown>): number {
  if (product.status !== "online" || product.trading_disabled === true) {
    return TRADING_HALTED;
  }
  if (product.auction_mode === true) {
    return TRADING_AUCTION;
  }
  const isLimited = product.cancel_only === true || product.limit_only === true || product.post_only === true;
  return isLimited ? TRADING_LIMITED : TRADING_OPEN;
}

/** `{"type":"subscribe","product_ids":["BTC-USD"],"channels":["level2_batch","matches","heartbeat"]}` */
function messages(type: string, { natives, channels }: SubscriptionRequest): ClientMessage[] {
  const names = channels.map((channel) => CHANNEL_NAMES[channel]);
  return chunks(natives, HEADER.limits.instrumentsPerMessage).map((part) => ({
    text: JSON.stringify({ type, product_ids: part, channels: names }),
    requestId: 0,
    natives: part,
    channels,
  }));
}

/**
 * `{"type":"subscriptions","channels":[{"name":"level2_50","product_ids":["BTC-USD"],"account_ids":null},…]}` lists all
 * that is subscribed now; `level2_batch` is acknowledged as `level2_50`. `{"type":"error","message":…,"reason":…}`.
 */
function readControl(text: string): ControlEvent[] {
  const frame = parseControl(text);
  if (frame?.type === "error") {
    const parts = [textField(frame, "message"), textField(frame, "reason")].filter((part) => part !== undefined);
    return [{ kind: "error", reason: parts.join(": ") }];
  }
  if (frame?.type !== "subscriptions" || !Array.isArray(frame.channels)) {
    return [];
  }
  return (frame.channels as unknown[]).flatMap((entry) => {
    const channel = isRecord(entry) ? channelOf(textField(entry, "name") ?? "") : undefined;
    const products = isRecord(entry) && Array.isArray(entry.product_ids) ? (entry.product_ids as unknown[]) : [];
    return channel === undefined
      ? []
      : products
          .filter((native) => typeof native === "string")
          .map((native) => ({ kind: "accepted" as const, channel, native }));
  });
}

function channelOf(name: string): Channel | undefined {
  if (name.startsWith("level2")) {
    return "book";
  }
  return name === "matches" ? "trades" : name === "heartbeat" ? "heartbeat" : undefined;
}
