/**
 * The texts that Kraken's WebSocket v2 sends, in the key order and token form of captured frames: prices and quantities
 * are JSON numbers padded to the pair's precision, and every book message ends in a CRC32 over its top ten levels.
 * @see docs.kraken.com/exchange/guides/websockets/book-checksum-v2 (read 2026-11)
 */
import { crc32 } from "node:zlib";
import type { Fill } from "./book_events.ts";
import type { ViewLevel, ViewLevels } from "./depth_view.ts";
import type { Listing } from "./instruments.ts";
import { ASK, type Ladder } from "./ladder.ts";
import type { MarketBook } from "./market_book.ts";
import { microTime, paddedDecimal } from "./text.ts";

const CHECKSUM_LEVELS = 10;

/** The heartbeat, once a second. */
export const HEARTBEAT_FRAME = '{"channel":"heartbeat"}';
/** The reply to requests beyond the message rate; they are dropped. */
export const MESSAGE_RATE_FRAME = '{"Error":"Exceeded msg rate"}';

/** The first frame of a connection, and what announces maintenance. @param connectionId digits of a number above 2^53 */
export function statusFrame(connectionId: string, system: string): string {
  const status = `"version":"2.0.10","system":"${system}","api_version":"v2","connection_id":${connectionId}`;
  return `{"channel":"status","type":"update","data":[{${status}}]}`;
}

/** What a reply repeats of its request. Times are Unix microseconds; `id` is the JSON text of `req_id`. */
export type ReplyTo = { method: string; id: string | undefined; inUs: number; outUs: number };

/** A successful subscribe or unsubscribe of one symbol. @param result e.g. channel, depth, snapshot, symbol, in this order */
export function ackFrame(to: ReplyTo, result: Readonly<Record<string, string | number | boolean>>): string {
  return `{"method":"${to.method}",${requestId(to)}"result":${JSON.stringify(result)},"success":true,${times(to)}}`;
}

/** A refused request. @param symbol the one refused, where the request named any */
export function refusalFrame(to: ReplyTo, error: string, symbol?: string): string {
  const about = symbol === undefined ? "" : `"symbol":${JSON.stringify(symbol)},`;
  const method = to.method === "" ? "" : `"method":${JSON.stringify(to.method)},`;
  return `{"error":${JSON.stringify(error)},${method}${requestId(to)}"success":false,${about}${times(to)}}`;
}

/** The answer to `ping`. */
export function pongFrame(to: ReplyTo): string {
  return `{"method":"pong",${requestId(to)}${times(to)}}`;
}

/** A book message; the checksum is that of the book as it stands. @param atUs Unix microseconds */
export function bookFrame(
  type: "snapshot" | "update",
  book: MarketBook,
  { levels, atUs }: { levels: ViewLevels; atUs: number },
): string {
  const { instrument } = book;
  const bids = levels.bids.map((level) => levelText(instrument, level)).join(",");
  const asks = levels.asks.map((level) => levelText(instrument, level)).join(",");
  const tail = `"checksum":${checksum(book)},"timestamp":"${microTime(atUs)}"`;
  return `{"channel":"book","type":"${type}","data":[{"symbol":"${instrument.native}","bids":[${bids}],"asks":[${asks}],${tail}}]}`;
}

/** Trades of one event, or the last ones as a snapshot. @param stamp simulated to Unix microseconds */
export function tradeFrame(
  type: "snapshot" | "update",
  listing: Listing,
  { fills, stamp }: { fills: readonly Fill[]; stamp: (atUs: number) => number },
): string {
  const trades = fills.map((fill) => {
    const side = fill.maker === ASK ? "buy" : "sell";
    const { price, quantity } = numbers(listing, [fill.price, fill.quantity]);
    const size = `"symbol":"${listing.native}","side":"${side}","price":${price},"qty":${quantity}`;
    return `{${size},"ord_type":"limit","trade_id":${fill.id},"timestamp":"${microTime(stamp(fill.atUs))}"}`;
  });
  return `{"channel":"trade","type":"${type}","data":[${trades.join(",")}]}`;
}

/** CRC32 over the digits of the best ten asks, then the best ten bids; without points and leading zeros. */
export function checksum(book: MarketBook): number {
  return crc32(digits(book.instrument, book.asks) + digits(book.instrument, book.bids));
}

// A tick count printed without its point is the tick count itself.
function digits(listing: Listing, ladder: Ladder): string {
  const { priceDecimals, pricePadding, quantityDecimals, quantityPadding } = listing;
  let text = "";
  for (let rank = 0; rank < Math.min(CHECKSUM_LEVELS, ladder.count); rank += 1) {
    text += ladder.price(rank) + "0".repeat(pricePadding - priceDecimals);
    text += ladder.quantity(rank) + "0".repeat(quantityPadding - quantityDecimals);
  }
  return text;
}

function levelText(listing: Listing, level: ViewLevel): string {
  const { price, quantity } = numbers(listing, level);
  return `{"price":${price},"qty":${quantity}}`;
}

function numbers(listing: Listing, [price, quantity]: ViewLevel): { price: string; quantity: string } {
  return {
    price: paddedDecimal(price, listing.priceDecimals, listing.pricePadding),
    quantity: paddedDecimal(quantity, listing.quantityDecimals, listing.quantityPadding),
  };
}

function requestId({ id }: ReplyTo): string {
  return id === undefined ? "" : `"req_id":${id},`;
}

function times({ inUs, outUs }: ReplyTo): string {
  return `"time_in":"${microTime(inUs)}","time_out":"${microTime(outUs)}"`;
}
