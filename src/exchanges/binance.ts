/**
 * Binance spot and the exchanges that speak its protocol: diff-depth streams spliced onto a REST snapshot, trades.
 * Every event carries the range of update ids it covers, so each loss shows at the next event: assurance `sequence`, and
 * an unreadable frame only makes a book suspect. Bad case: a symbol without trades sends nothing for minutes; silence is
 * judged per connection by the server's pings, never per book.
 * @see github.com/binance/binance-spot-api-docs web-socket-streams.md, rest-api.md (read 2026-11)
 */
import {
  ASSURANCE_SEQUENCE,
  DECODER_BINANCE,
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
import { chunks, integerField, isRecord, parseBody, parseControl, shown, textField } from "./json.ts";

const DAY_MS = 86_400_000;

const HEADER: ExchangeHeader = {
  id: "binance",
  title: "Binance",
  websocketUrls: ["wss://stream.binance.com:9443/stream", "wss://stream.binance.com:443/stream"],
  websocketPath: "/stream",
  restUrl: "https://api.binance.com",
  decoder: DECODER_BINANCE,
  defaultInstruments: ["BTC-USDT", "ETH-USDT"],
  depths: [0],
  defaultDepth: 0,
  snapshot: "rest",
  snapshotLevels: 5000,
  // A 5,000-level snapshot grows by the levels that are touched outside it.
  imageLevels: 32_768,
  canOverlap: true,
  // Regular user (VIP 0), without BNB: 10 bps. binance.com/en/fee/schedule by way of Binance Square posts (read 2026-11-22).
  takerFeeBps: 10,
  // The server pings every 20 s; connections are closed after 24 h.
  timing: { idleMs: 60_000, ackMs: 10_000, firstDataMs: 15_000, pingMs: 0, rotateMs: DAY_MS - 3_600_000 },
  limits: {
    // 300 attempts in 5 minutes are allowed.
    connects: { count: 100, perMs: 300_000 },
    // 5 messages/s are allowed, pings and pongs included.
    messages: { count: 3, perMs: 1000 },
    // 1,024 streams a connection are allowed; we use two per instrument.
    instrumentsPerConnection: 400,
    instrumentsPerMessage: 100,
    // Three quarters of 6,000 weight a minute.
    rest: { count: 4500, perMs: 60_000 },
  },
  audit: {
    freshness: "sequence",
    levels: 5000,
    quantityDecimals: -1,
    beforeMs: 200,
    // Depth comes every 100 ms.
    afterMs: 500,
    // Half of 6,000 weight a minute.
    budget: { count: 3000, perMs: 60_000 },
  },
};

/** Quote currencies, for names that come without metadata (captures): the first that fits wins. */
const QUOTES = words(
  "FDUSD USDT USDC BUSD TUSD USDP USDS BIDR IDRT BVND BKRW GYEN PAX DAI VAI BTC ETH BNB " +
    "USD EUR GBP AUD BRL TRY RUB UAH NGN ZAR PLN RON JPY MXN XRP TRX DOGE",
);
/** A split that leaves less is no split: BNBUSD is BNB-USD, not BN-BUSD. */
const BASE_CHARACTERS_MIN = 3;

const LAST_UPDATE_ID = /"lastUpdateId"\s*:\s*(\d+)/;

/** What differs between the exchanges that speak this protocol. */
export type BinanceVariant = {
  readonly header: ExchangeHeader;
  /** Weight of a depth request of so many levels. */
  readonly depthWeight: (levels: number) => number;
  /** Quote currencies, for names that come without metadata. */
  readonly quotes: readonly string[];
};

/** Binance spot. */
export const BINANCE: Exchange = binanceExchange({ header: HEADER, depthWeight, quotes: QUOTES });

/** An exchange that speaks Binance's spot protocol. */
export function binanceExchange({ header, depthWeight: weightOf, quotes }: BinanceVariant): Exchange {
  const depthRequest = (native: string, levels: number) => ({
    path: `/api/v3/depth?symbol=${encodeURIComponent(native)}&limit=${levels}`,
    weight: weightOf(levels),
  });
  return {
    header,
    assurance: () => ASSURANCE_SEQUENCE,
    unreadable: () => "suspect",
    nativeName: (canonical) => canonical.replace("-", ""),
    canonicalName: (native) => canonicalName(native, quotes),
    metadataRequest: () => ({ path: "/api/v3/exchangeInfo", weight: 20 }),
    readMetadata,
    subscribe: (request) => messages("SUBSCRIBE", request, header),
    unsubscribe: (request) => messages("UNSUBSCRIBE", request, header),
    readControl,
    snapshotRequest: depthRequest,
    auditRequest: depthRequest,
    snapshotNative,
    snapshotSequence,
  };
}

function depthWeight(levels: number): number {
  return levels <= 100 ? 5 : levels <= 500 ? 25 : levels <= 1000 ? 50 : 250;
}

function canonicalName(native: string, quotes: readonly string[]): string {
  const splits = quotes.filter((name) => native.endsWith(name) && native.length > name.length);
  const quote = splits.find((name) => native.length - name.length >= BASE_CHARACTERS_MIN) ?? splits[0];
  return quote === undefined ? native : `${native.slice(0, -quote.length)}-${quote}`;
}

/** `{"symbols":[{"symbol":"ETHBTC","status":"TRADING","baseAsset":"ETH","quoteAsset":"BTC","filters":[{"filterType":"PRICE_FILTER","tickSize":"0.00000100",…},…]},…]}` */
function readMetadata(body: string): Metadata {
  const answer = parseBody(body, "the exchange information");
  if (!isRecord(answer) || !Array.isArray(answer.symbols)) {
    throw new DecodeError(`Cannot read the exchange information: no symbols, was ${shown(body)}`);
  }
  const instruments: InstrumentMetadata[] = [];
  const unreadable: string[] = [];
  for (const symbol of answer.symbols as unknown[]) {
    const instrument = isRecord(symbol) ? readSymbol(symbol) : undefined;
    if (instrument === undefined) {
      unreadable.push(shown(JSON.stringify(symbol)));
    } else {
      instruments.push(instrument);
    }
  }
  return { instruments, unreadable };
}

function readSymbol(symbol: Record<string, unknown>): InstrumentMetadata | undefined {
  const native = textField(symbol, "symbol");
  const base = textField(symbol, "baseAsset");
  const quote = textField(symbol, "quoteAsset");
  const filters = Array.isArray(symbol.filters) ? (symbol.filters as unknown[]).filter(isRecord) : [];
  const step = (type: string, key: string) => {
    const filter = filters.find((entry) => entry.filterType === type);
    return decimalsOf(filter === undefined ? "" : (textField(filter, key) ?? ""));
  };
  const priceExponent = step("PRICE_FILTER", "tickSize");
  const quantityExponent = step("LOT_SIZE", "stepSize");
  if (native === undefined || base === undefined || quote === undefined) {
    return undefined;
  }
  if (priceExponent === undefined || quantityExponent === undefined) {
    return undefined;
  }
  const canonical = `${base}-${quote}`;
  return { native, canonical, priceExponent, quantityExponent, tradingStatus: tradingStatus(symbol.status) };
}

function tradingStatus(word: unknown): number {
  if (word === "TRADING") {
    return TRADING_OPEN;
  }
  if (word === "AUCTION_MATCH") {
    return TRADING_AUCTION;
  }
  return word === "CANCEL_ONLY" ? TRADING_LIMITED : TRADING_HALTED;
}

/** `{"method":"SUBSCRIBE","params":["btcusdt@depth@100ms","btcusdt@trade"],"id":1}`: stream names are in lower case. */
function messages(method: string, request: SubscriptionRequest, header: ExchangeHeader): ClientMessage[] {
  const channels = request.channels.filter((channel) => channel !== "heartbeat");
  const parts = channels.length === 0 ? [] : chunks(request.natives, header.limits.instrumentsPerMessage);
  return parts.map((natives) => {
    const requestId = request.nextRequestId();
    const params = natives.flatMap((native) => channels.map((channel) => streamName(native, channel)));
    return { text: JSON.stringify({ method, params, id: requestId }), requestId, natives, channels };
  });
}

function streamName(native: string, channel: Channel): string {
  return `${native.toLowerCase()}@${channel === "book" ? "depth@100ms" : "trade"}`;
}

/**
 * `{"result":null,"id":1}`; `{"error":{"code":2,"msg":"Invalid request: …"},"id":1}`; `{"e":"serverShutdown","E":…}`, combined as
 * `{"stream":"!serverShutdown","data":{…}}`.
 */
function readControl(text: string): ControlEvent[] {
  const outer = parseControl(text);
  const frame = isRecord(outer?.data) ? outer.data : outer;
  if (frame === undefined) {
    return [];
  }
  if (frame.e === "serverShutdown") {
    return [{ kind: "reconnect", reason: "serverShutdown" }];
  }
  const requestId = integerField(frame, "id");
  const error = isRecord(frame.error) ? frame.error : frame.code === undefined ? undefined : frame;
  if (error !== undefined) {
    const reason = `${String(error.code)} ${textField(error, "msg") ?? ""}`.trim();
    return requestId === undefined ? [{ kind: "error", reason }] : [{ kind: "refused", requestId, reason }];
  }
  return requestId === undefined || !("result" in frame) ? [] : [{ kind: "accepted", requestId }];
}

/** `https://api.binance.com/api/v3/depth?symbol=BTCUSDT&limit=5000` → `BTCUSDT`. */
function snapshotNative(url: string): string | undefined {
  const [path = "", query = ""] = url.split("?", 2);
  return path.endsWith("/depth") ? (new URLSearchParams(query).get("symbol") ?? undefined) : undefined;
}

/** `{"lastUpdateId":160,"bids":[…` : nearly always among the first bytes. */
function snapshotSequence(body: Uint8Array): bigint | undefined {
  const decoder = new TextDecoder();
  const match = LAST_UPDATE_ID.exec(decoder.decode(body.subarray(0, 64))) ?? LAST_UPDATE_ID.exec(decoder.decode(body));
  return match?.[1] === undefined ? undefined : BigInt(match[1]);
}

function words(text: string): string[] {
  return text.split(" ");
}
