/**
 * Kraken's public REST: asset pairs in their three spellings, depth, system status. Bad case: REST depth rounds volumes
 * to three decimals, as the real one does; it can only be compared with a book at that precision.
 * @see docs.kraken.com/api/docs/rest-api (read 2026-11)
 */
import type { Listing } from "./instruments.ts";
import type { Ladder } from "./ladder.ts";
import type { BookView } from "./market_book.ts";
import type { RestAnswer } from "./protocol.ts";
import { paddedDecimal, stepText } from "./text.ts";

const DEPTH_DEFAULT = 100;
const DEPTH_MAX = 500;
const DEPTH_PRICE_PADDING = 5;
const DEPTH_VOLUME_DECIMALS = 3;
/** Assets whose codes carry an X in front since Kraken's early days. */
const LEGACY = ["XBT", "ETH", "XRP", "LTC", "XDG", "XLM", "XMR", "ZEC", "ETC", "REP", "MLN"];
const FIAT = ["USD", "EUR", "GBP", "CAD", "JPY", "AUD"];
const FEES =
  '"fees":[[0,0.4],[10000,0.35],[50000,0.24],[100000,0.22],[250000,0.2],[500000,0.18],[1000000,0.16],[2500000,0.14],[5000000,0.12],[10000000,0.1],[100000000,0.08],[500000000,0.05]],' +
  '"fees_maker":[[0,0.25],[10000,0.2],[50000,0.14],[100000,0.12],[250000,0.1],[500000,0.08],[1000000,0.06],[2500000,0.04],[5000000,0.02],[10000000,0.0],[100000000,0.0],[500000000,0.0]]';

/** How Kraken's REST names a pair. */
export type PairNames = {
  /** Key of the result, e.g. `XXBTZUSD`. */
  key: string;
  /** e.g. `XBTUSD`. */
  altname: string;
  /** e.g. `XBT/USD`: the spelling of WebSocket v1, not of v2. */
  wsname: string;
  /** e.g. `XXBT`. */
  base: string;
  /** e.g. `ZUSD`. */
  quote: string;
};

/** The names of a pair. @param listing canonical currencies, e.g. BTC and USD */
export function pairNames(listing: Listing): PairNames {
  const base = oldName(listing.base);
  const quote = oldName(listing.quote);
  const codes = { base: assetCode(base), quote: assetCode(quote) };
  const isLegacy = codes.base !== base && codes.quote !== quote && base !== "XDG";
  return {
    key: isLegacy ? codes.base + codes.quote : base + quote,
    altname: base + quote,
    wsname: `${base}/${quote}`,
    ...codes,
  };
}

/** `GET /0/public/AssetPairs`. @param asked the `pair` parameter: names in any spelling, comma-separated; null for all */
export function assetPairs(listings: Iterable<Listing>, asked: string | null): RestAnswer {
  const all = [...listings];
  const names = asked?.split(",").map((name) => name.trim());
  const found = names === undefined ? all : names.map((name) => findPair(all, name));
  const texts: string[] = [];
  for (const listing of found) {
    if (listing === undefined) {
      return krakenError("EQuery:Unknown asset pair");
    }
    texts.push(pairText(listing));
  }
  return { status: 200, body: `{"error":[],"result":{${texts.join(",")}}}` };
}

/** The listing that a REST parameter names, in any of Kraken's spellings. */
export function findPair(listings: Iterable<Listing>, name: string): Listing | undefined {
  for (const listing of listings) {
    const { key, altname, wsname } = pairNames(listing);
    if (name === key || name === altname || name === wsname || name === listing.native) {
      return listing;
    }
  }
  return undefined;
}

/** `GET /0/public/Depth`. @param count the `count` parameter: levels per side, 1 … 500 @param atMs now, Unix milliseconds */
export function depthBody(book: BookView, count: string | null, atMs: number): string {
  const asked = Number(count ?? DEPTH_DEFAULT);
  const levels = Number.isSafeInteger(asked) && asked > 0 ? Math.min(asked, DEPTH_MAX) : DEPTH_DEFAULT;
  const second = Math.floor(atMs / 1000);
  const side = (ladder: Ladder): string => depthSide(book.instrument, { ladder, levels, second });
  const { key } = pairNames(book.instrument);
  return `{"error":[],"result":{"${key}":{"asks":[${side(book.asks)}],"bids":[${side(book.bids)}]}}}`;
}

/** `GET /0/public/SystemStatus`. @param status e.g. `online` @param atMs now, Unix milliseconds */
export function systemStatus(status: string, atMs: number): RestAnswer {
  const timestamp = `${new Date(atMs).toISOString().slice(0, 19)}Z`;
  return { status: 200, body: `{"error":[],"result":{"status":"${status}","timestamp":"${timestamp}"}}` };
}

/** An error: Kraken sends it with status 200. */
export function krakenError(code: string): RestAnswer {
  return { status: 200, body: JSON.stringify({ error: [code] }) };
}

type DepthSide = { ladder: Ladder; levels: number; second: number };

function depthSide(listing: Listing, { ladder, levels, second }: DepthSide): string {
  const decimals = Math.min(DEPTH_VOLUME_DECIMALS, listing.quantityDecimals);
  const coarse = 10 ** (listing.quantityDecimals - decimals);
  const texts: string[] = [];
  for (let rank = 0; rank < Math.min(levels, ladder.count); rank += 1) {
    const price = paddedDecimal(
      ladder.price(rank),
      listing.priceDecimals,
      Math.max(DEPTH_PRICE_PADDING, listing.priceDecimals),
    );
    const volume = paddedDecimal(
      Math.max(1, Math.round(ladder.quantity(rank) / coarse)),
      decimals,
      DEPTH_VOLUME_DECIMALS,
    );
    texts.push(`["${price}","${volume}",${second - rank}]`);
  }
  return texts.join(",");
}

function pairText(listing: Listing): string {
  const { key, altname, wsname, base, quote } = pairNames(listing);
  const names = `"altname":"${altname}","wsname":"${wsname}","aclass_base":"currency","base":"${base}","aclass_quote":"currency","quote":"${quote}"`;
  const precision = `"lot":"unit","cost_decimals":5,"pair_decimals":${listing.priceDecimals},"lot_decimals":${listing.quantityDecimals},"lot_multiplier":1`;
  const leverage = '"leverage_buy":[2,3,4,5,6,7,8,9,10],"leverage_sell":[2,3,4,5,6,7,8,9,10]';
  const limits = `"fee_volume_currency":"ZUSD","margin_call":80,"margin_stop":40,"ordermin":"${stepText(Math.min(4, listing.quantityDecimals))}","costmin":"0.5"`;
  const status = `"tick_size":"${stepText(listing.priceDecimals)}","status":"${listing.isInAuction ? "limit_only" : "online"}","execution_venue":"international","long_position_limit":350,"short_position_limit":250`;
  return `"${key}":{${names},${precision},${leverage},${FEES},${limits},${status}}`;
}

function oldName(currency: string): string {
  return currency === "BTC" ? "XBT" : currency === "DOGE" ? "XDG" : currency;
}

function assetCode(name: string): string {
  return LEGACY.includes(name) ? `X${name}` : FIAT.includes(name) ? `Z${name}` : name;
}
