/**
 * The best bid and the best ask of a pair across its exchanges, and what lies between them; negative when one exchange
 * bids more than another asks. Bad case: fewer than two synced books: nothing is compared, nothing is shown.
 */
import { compareDecimals, formatDecimal, spreadBasisPoints, subtractDecimals } from "./decimal_text.ts";
import { exchangeName } from "./display_text.ts";
import type { Painter } from "./frame_loop.ts";
import type { InstrumentStore } from "./instrument_store.ts";
import { AttributeSlot, append, TextSlot } from "./painting.ts";

/** The best price of a side and who has it. */
type Offer = { price: string; exchange: string };

/** Builds the comparison. @returns what paints it, at most once a frame however many of the instruments changed */
export function mountCrossPrices(element: HTMLElement, stores: readonly InstrumentStore[]): Painter {
  let paintedAtMs = Number.NEGATIVE_INFINITY;
  const [bids, asks] = [append(element, "span", "offer"), append(element, "span", "offer")];
  const bidPrice = new TextSlot(append(bids, "span", "price bid"));
  const bidExchange = new TextSlot(append(bids, "span", "exchange"));
  const askPrice = new TextSlot(append(asks, "span", "price ask"));
  const askExchange = new TextSlot(append(asks, "span", "exchange"));
  const gap = append(element, "span", "gap");
  const gapText = new TextSlot(gap);
  const sign = new AttributeSlot(gap, "data-sign");
  return (atMs) => {
    if (atMs === paintedAtMs) {
      return;
    }
    paintedAtMs = atMs;
    const offers = bestOffers(stores);
    bidPrice.set(offers?.bid.price ?? "");
    bidExchange.set(offers === undefined ? "" : exchangeName(offers.bid.exchange));
    askPrice.set(offers?.ask.price ?? "");
    askExchange.set(offers === undefined ? "" : exchangeName(offers.ask.exchange));
    if (offers === undefined) {
      gapText.set("");
      return;
    }
    const between = subtractDecimals(offers.ask.price, offers.bid.price);
    const basisPoints = spreadBasisPoints(offers.bid.price, offers.ask.price, 2) ?? "–";
    const word = offers.isCrossed ? "crossed by" : "apart";
    gapText.set(`${word} ${formatDecimal(between).replace("-", "")} (${basisPoints.replace("-", "")} bps)`);
    sign.set(offers.isCrossed ? "negative" : "positive");
  };
}

/** The best prices among several exchanges. */
export type BestOffers = { readonly bid: Offer; readonly ask: Offer; readonly isCrossed: boolean };

/** The highest bid and lowest ask among synced books; undefined when fewer than two are synced with both sides. */
export function bestOffers(stores: readonly InstrumentStore[]): BestOffers | undefined {
  let bid: Offer | undefined;
  let ask: Offer | undefined;
  let compared = 0;
  for (const store of stores) {
    const best = store.isLive ? store.best() : undefined;
    const [bidPrice, askPrice] = [best?.bid?.[0], best?.ask?.[0]];
    if (bidPrice === undefined || askPrice === undefined) {
      continue;
    }
    compared += 1;
    if (bid === undefined || compareDecimals(bidPrice, bid.price) > 0) {
      bid = { price: bidPrice, exchange: store.exchange };
    }
    if (ask === undefined || compareDecimals(askPrice, ask.price) < 0) {
      ask = { price: askPrice, exchange: store.exchange };
    }
  }
  if (compared < 2 || bid === undefined || ask === undefined) {
    return undefined;
  }
  return { bid, ask, isCrossed: compareDecimals(bid.price, ask.price) > 0 };
}
