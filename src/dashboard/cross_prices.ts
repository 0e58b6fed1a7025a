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
  const bidPrice = new TextSlot(append(element, "span", "price bid"));
  const bidExchange = new TextSlot(append(element, "span", "exchange"));
  const askPrice = new TextSlot(append(element, "span", "price ask"));
  const askExchange = new TextSlot(append(element, "span", "exchange"));
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
    gapText.set(`${formatDecimal(between)} (${basisPoints} bps)`);
    sign.set(between.units < 0n ? "negative" : "positive");
  };
}

/** The highest bid and lowest ask among synced books; undefined when fewer than two are synced with both sides. */
export function bestOffers(stores: readonly InstrumentStore[]): { bid: Offer; ask: Offer } | undefined {
  let bid: Offer | undefined;
  let ask: Offer | undefined;
  let compared = 0;
  for (const store of stores) {
    const top = store.status.get().state === "synced" ? store.top(1) : undefined;
    const [bidPrice, askPrice] = [top?.bids[0]?.[0], top?.asks[0]?.[0]];
    if (top?.isSynced !== true || bidPrice === undefined || askPrice === undefined) {
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
  return compared < 2 || bid === undefined || ask === undefined ? undefined : { bid, ask };
}
