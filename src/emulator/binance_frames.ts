/**
 * The texts that Binance and Binance.US send, in the key order and token form of captured frames: padded decimals as
 * texts, milliseconds as numbers. Payloads are built bare; `wrapped` adds the envelope of combined streams.
 * @see github binance/binance-spot-api-docs web-socket-streams.md (read 2026-07-21)
 */

import type { Fill, Touch } from "./book_events.ts";
import type { Listing } from "./instruments.ts";
import { BID, type BookSide, type Ladder } from "./ladder.ts";
import type { BookView } from "./market_book.ts";
import { paddedDecimal, stepText } from "./text.ts";

/** The last quantity per price of a batch, by side. */
export type DepthLevels = readonly [bids: ReadonlyMap<number, number>, asks: ReadonlyMap<number, number>];

/** The envelope of combined streams. */
export function wrapped(stream: string, payload: string): string {
  return `{"stream":"${stream}","data":${payload}}`;
}

/** `depthUpdate`. @param first update id `U` @param last update id `u` @param atMs Unix milliseconds */
export function depthPayload(
  listing: Listing,
  levels: DepthLevels,
  { first, last, atMs }: { first: number; last: number; atMs: number },
): string {
  const bids = levelsText(listing, BID, levels[0]);
  const asks = levelsText(listing, 1, levels[1]);
  return `{"e":"depthUpdate","E":${atMs},"s":"${listing.native}","U":${first},"u":${last},"b":[${bids}],"a":[${asks}]}`;
}

/** `trade`: one execution. Times are Unix milliseconds. */
export function tradePayload(
  listing: Listing,
  fill: Fill,
  { eventMs, tradeMs }: { eventMs: number; tradeMs: number },
): string {
  const size = `"p":"${price(listing, fill.price)}","q":"${quantity(listing, fill.quantity)}"`;
  const head = `"e":"trade","E":${eventMs},"s":"${listing.native}","t":${fill.id}`;
  return `{${head},${size},"T":${tradeMs},"m":${fill.maker === BID},"M":true}`;
}

/** Executions of one taker order at one price. */
export type Aggregate = { id: number; first: Fill; last: Fill; quantity: number };

/** `aggTrade`. Times are Unix milliseconds. */
export function aggregatePayload(
  listing: Listing,
  { id, first, last, quantity: total }: Aggregate,
  { eventMs, tradeMs }: { eventMs: number; tradeMs: number },
): string {
  const size = `"p":"${price(listing, first.price)}","q":"${quantity(listing, total)}"`;
  const head = `"e":"aggTrade","E":${eventMs},"s":"${listing.native}","a":${id}`;
  return `{${head},${size},"f":${first.id},"l":${last.id},"T":${tradeMs},"m":${first.maker === BID},"M":true}`;
}

/** `serverShutdown`: the server goes down soon, reconnect. @param atMs Unix milliseconds */
export function shutdownPayload(atMs: number): string {
  return `{"e":"serverShutdown","E":${Math.floor(atMs)}}`;
}

/** `bookTicker`: the best levels at an update id. */
export function tickerPayload(listing: Listing, { updateId, bid, bidQuantity, ask, askQuantity }: Touch): string {
  const bids = `"b":"${price(listing, bid)}","B":"${quantity(listing, bidQuantity)}"`;
  const asks = `"a":"${price(listing, ask)}","A":"${quantity(listing, askQuantity)}"`;
  return `{"u":${updateId},"s":"${listing.native}",${bids},${asks}}`;
}

/** The body of `GET /api/v3/depth`. @param limit levels per side */
export function depthBody(book: BookView, limit: number): string {
  const side = (ladder: Ladder): string => {
    const texts: string[] = [];
    for (let rank = 0; rank < Math.min(limit, ladder.count); rank += 1) {
      texts.push(levelText(book.instrument, ladder.price(rank), ladder.quantity(rank)));
    }
    return texts.join(",");
  };
  return `{"lastUpdateId":${book.updateId},"bids":[${side(book.bids)}],"asks":[${side(book.asks)}]}`;
}

/** One entry of `exchangeInfo`'s symbols. */
export function symbolObject(listing: Listing): Record<string, unknown> {
  const { native, base, quote, pricePadding, quantityPadding, priceDecimals, quantityDecimals } = listing;
  const tick = stepText(priceDecimals, pricePadding);
  const step = stepText(quantityDecimals, quantityPadding);
  const zero = stepText(0, quantityPadding).replace("1", "0");
  const padded = (whole: string, padding: number): string =>
    padding === 0 ? whole : `${whole}.${"0".repeat(padding)}`;
  return {
    symbol: native,
    status: listing.isInAuction ? "HALT" : "TRADING",
    baseAsset: base,
    baseAssetPrecision: 8,
    quoteAsset: quote,
    quotePrecision: pricePadding,
    quoteAssetPrecision: pricePadding,
    baseCommissionPrecision: 8,
    quoteCommissionPrecision: 8,
    orderTypes: ["LIMIT", "LIMIT_MAKER", "MARKET", "STOP_LOSS_LIMIT", "TAKE_PROFIT_LIMIT"],
    icebergAllowed: true,
    ocoAllowed: true,
    quoteOrderQtyMarketAllowed: true,
    isSpotTradingAllowed: true,
    isMarginTradingAllowed: false,
    filters: [
      { filterType: "PRICE_FILTER", minPrice: tick, maxPrice: padded("1000000", pricePadding), tickSize: tick },
      { filterType: "PERCENT_PRICE", multiplierUp: "5", multiplierDown: "0.2", avgPriceMins: 5 },
      { filterType: "LOT_SIZE", minQty: step, maxQty: padded("9000", quantityPadding), stepSize: step },
      { filterType: "MIN_NOTIONAL", minNotional: padded("10", pricePadding), applyToMarket: true, avgPriceMins: 5 },
      { filterType: "ICEBERG_PARTS", limit: 10 },
      { filterType: "MARKET_LOT_SIZE", minQty: zero, maxQty: padded("100", quantityPadding), stepSize: zero },
      { filterType: "MAX_NUM_ORDERS", maxNumOrders: 200 },
      { filterType: "MAX_NUM_ALGO_ORDERS", maxNumAlgoOrders: 5 },
    ],
    permissions: ["SPOT"],
  };
}

// Best first on both sides, as captured.
function levelsText(listing: Listing, side: BookSide, levels: ReadonlyMap<number, number>): string {
  const sorted = [...levels].sort(([a], [b]) => (side === BID ? b - a : a - b));
  return sorted.map(([at, lots]) => levelText(listing, at, lots)).join(",");
}

function levelText(listing: Listing, ticks: number, lots: number): string {
  return `["${price(listing, ticks)}","${quantity(listing, lots)}"]`;
}

function price(listing: Listing, ticks: number): string {
  return paddedDecimal(ticks, listing.priceDecimals, listing.pricePadding);
}

function quantity(listing: Listing, lots: number): string {
  return paddedDecimal(lots, listing.quantityDecimals, listing.quantityPadding);
}
