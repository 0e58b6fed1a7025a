/**
 * The texts that Coinbase Exchange sends, in the key order and token form of captured frames: padded decimals in book
 * frames, plain ones in matches and REST. Pure functions of integers.
 * @see docs.cdp.coinbase.com/exchange/websocket-feed/channels (read 2026-11)
 */

import type { Change, Fill } from "./book_events.ts";
import type { Listing } from "./instruments.ts";
import { ASK, BID, type Ladder } from "./ladder.ts";
import type { BookView, MarketBook } from "./market_book.ts";
import { microTime, nanoTime, paddedDecimal, plainDecimal, stepText } from "./text.ts";

/** `{"type":"snapshot",…}`: asks first, best first on both sides. @param atUs Unix microseconds. Cost: 20 ms for 45,000 levels */
export function snapshotFrame(book: MarketBook, atUs: number): string {
  const { native } = book.instrument;
  const asks = levels(book.asks, book.instrument);
  const bids = levels(book.bids, book.instrument);
  return `{"type":"snapshot","product_id":"${native}","asks":[${asks}],"bids":[${bids}],"time":"${microTime(atUs)}"}`;
}

/**
 * `{"type":"l2update",…}`: the last quantity of each price of the batch, buys before sells.
 * A level that came and went within the batch is a delete of a level that no client ever had.
 * @param changes in the order in which they happened @param atUs Unix microseconds
 */
export function updateFrame(listing: Listing, changes: readonly Change[], atUs: number): string {
  const last: [Map<number, number>, Map<number, number>] = [new Map(), new Map()];
  for (const change of changes) {
    last[change.side].set(change.price, change.quantity);
  }
  const texts: string[] = [];
  for (const side of [BID, ASK] as const) {
    const word = side === BID ? "buy" : "sell";
    for (const [price, quantity] of last[side]) {
      texts.push(`["${word}",${level(listing, price, quantity)}]`);
    }
  }
  return `{"type":"l2update","product_id":"${listing.native}","changes":[${texts.join(",")}],"time":"${microTime(atUs)}"}`;
}

/** `{"type":"match",…}` or `last_match`; `side` is the maker's. @param makerId @param takerId UUIDs @param atUs Unix microseconds */
export function matchFrame(listing: Listing, fill: Fill, { type, makerId, takerId, atUs }: MatchDetails): string {
  const side = fill.maker === ASK ? "sell" : "buy";
  const size = plainDecimal(fill.quantity, listing.quantityDecimals);
  const price = plainDecimal(fill.price, listing.priceDecimals);
  const orders = `"maker_order_id":"${makerId}","taker_order_id":"${takerId}"`;
  const trade = `"side":"${side}","size":"${size}","price":"${price}","product_id":"${listing.native}"`;
  return `{"type":"${type}","trade_id":${fill.id},${orders},${trade},"sequence":${fill.sequence},"time":"${microTime(atUs)}"}`;
}

/** What a match frame says beside the fill. */
export type MatchDetails = { type: "match" | "last_match"; makerId: string; takerId: string; atUs: number };

/** What a heartbeat repeats; texts where they come from a capture. */
export type LastTrade = { tradeId: number | string; sequence: number | string };

/** `{"type":"heartbeat",…}`, once a second. @param atUs Unix microseconds */
export function heartbeatFrame(native: string, last: LastTrade, atUs: number): string {
  const { tradeId, sequence } = last;
  return `{"type":"heartbeat","last_trade_id":${tradeId},"product_id":"${native}","sequence":${sequence},"time":"${microTime(atUs)}"}`;
}

/** `{"type":"subscriptions",…}`: every channel with its products. */
export function subscriptionsFrame(channels: ReadonlyMap<string, ReadonlySet<string>>): string {
  const listed = [...channels].filter(([, products]) => products.size > 0);
  const texts = listed.map(([name, products]) => ({ name, product_ids: [...products], account_ids: null }));
  return JSON.stringify({ type: "subscriptions", channels: texts });
}

/** `{"type":"error",…}`. */
export function errorFrame(message: string, reason?: string): string {
  return JSON.stringify({ type: "error", message, ...(reason === undefined ? {} : { reason }) });
}

/** One entry of `GET /products`. */
export function productObject(listing: Listing): Record<string, string | boolean> {
  const { native, base, quote, priceDecimals, quantityDecimals } = listing;
  return {
    id: native,
    base_currency: base,
    quote_currency: quote,
    base_min_size: stepText(Math.min(4, quantityDecimals)),
    base_max_size: "280",
    quote_increment: stepText(priceDecimals),
    base_increment: stepText(quantityDecimals),
    display_name: `${base}/${quote}`,
    min_market_funds: "5",
    max_market_funds: "1000000",
    margin_enabled: false,
    post_only: false,
    limit_only: false,
    cancel_only: false,
    trading_disabled: false,
    status: "online",
    status_message: "",
    ...(listing.isInAuction ? { auction_mode: true } : {}),
  };
}

/** The body of `GET /products/<id>/book`. @param depth levels per side @param atUs Unix microseconds */
export function bookBody(book: BookView, depth: number, atUs: number): string {
  const side = (ladder: Ladder): string => {
    const texts: string[] = [];
    for (let rank = 0; rank < Math.min(depth, ladder.count); rank += 1) {
      const price = plainDecimal(ladder.price(rank), book.instrument.priceDecimals);
      const size = plainDecimal(ladder.quantity(rank), book.instrument.quantityDecimals);
      texts.push(`["${price}","${size}",1]`);
    }
    return texts.join(",");
  };
  const isInAuction = book.instrument.isInAuction === true;
  const auction = isInAuction ? auctionText(book, atUs) : "null";
  const time = nanoTime(atUs, book.ink.below(1000));
  const tail = `"sequence":${book.sequence},"auction_mode":${isInAuction},"auction":${auction},"time":"${time}"`;
  return `{"bids":[${side(book.bids)}],"asks":[${side(book.asks)}],${tail}}`;
}

// The best of both sides at the price in the middle, as if the auction ended now.
function auctionText({ instrument, bids, asks }: BookView, atUs: number): string {
  const { priceDecimals, quantityDecimals } = instrument;
  const price = (ticks: number): string => plainDecimal(ticks, priceDecimals);
  const size = (lots: number): string => plainDecimal(lots, quantityDecimals);
  const openSize = size(Math.min(bids.quantity(0), asks.quantity(0)));
  return JSON.stringify({
    open_price: price(Math.floor((bids.best + asks.best) / 2)),
    open_size: openSize,
    best_bid_price: price(bids.best),
    best_bid_size: size(bids.quantity(0)),
    best_ask_price: price(asks.best),
    best_ask_size: size(asks.quantity(0)),
    auction_state: "collection",
    can_open: "yes",
    time: microTime(atUs),
  });
}

function levels(ladder: Ladder, listing: Listing): string {
  const texts: string[] = [];
  for (let rank = 0; rank < ladder.count; rank += 1) {
    texts.push(`[${level(listing, ladder.price(rank), ladder.quantity(rank))}]`);
  }
  return texts.join(",");
}

function level(listing: Listing, price: number, quantity: number): string {
  const { priceDecimals, pricePadding, quantityDecimals, quantityPadding } = listing;
  return `"${paddedDecimal(price, priceDecimals, pricePadding)}","${paddedDecimal(quantity, quantityDecimals, quantityPadding)}"`;
}
