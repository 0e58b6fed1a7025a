/**
 * The last trades, newest first: time, price coloured by the taker's side, quantity. Rows are rewritten in place, and
 * only when a trade came. Bad case: a burst of more trades than rows between two frames shows the newest ones only.
 */
import { clockText } from "./display_text.ts";
import type { Painter } from "./frame_loop.ts";
import type { InstrumentStore } from "./instrument_store.ts";
import type { Trade } from "./market_feed.ts";
import { AttributeSlot, append, NumberSlot, TextSlot } from "./painting.ts";

/** Builds the rows of a tape. */
export function mountTape(element: HTMLElement, store: InstrumentStore, rows: number): Painter {
  const slots = Array.from({ length: rows }, () => new TapeRow(append(element, "li", "trade")));
  let shownCount = -1;
  let shownExponent = -2;
  return () => {
    const { priceExponent, quantityExponent } = store.status.get();
    if (store.tradeCount === shownCount && priceExponent === shownExponent) {
      return;
    }
    shownCount = store.tradeCount;
    shownExponent = priceExponent;
    const trades = store.trades(rows);
    for (const [index, slot] of slots.entries()) {
      slot.paint(trades[index], { price: priceExponent, quantity: quantityExponent });
    }
  };
}

class TapeRow {
  readonly #time: TextSlot;
  readonly #price: NumberSlot;
  readonly #quantity: NumberSlot;
  readonly #aggressor: AttributeSlot;
  readonly #title: AttributeSlot;

  constructor(element: HTMLElement) {
    this.#time = new TextSlot(append(element, "time", "time"));
    this.#price = new NumberSlot(append(element, "span", "price"));
    this.#quantity = new NumberSlot(append(element, "span", "quantity"));
    this.#aggressor = new AttributeSlot(element, "data-aggressor");
    this.#title = new AttributeSlot(element, "title");
  }

  paint(trade: Trade | undefined, exponents: { price: number; quantity: number }): void {
    this.#time.set(trade === undefined ? "" : clockText(trade.eventAtMs));
    this.#price.set(trade?.price ?? "", exponents.price);
    this.#quantity.set(trade?.quantity ?? "", exponents.quantity);
    this.#aggressor.set(trade?.aggressor ?? "");
    const gap = trade?.isGapBefore === true ? ", trades are missing before it" : "";
    this.#title.set(trade === undefined ? "" : `trade ${trade.id}, taker ${trade.aggressor}${gap}`);
  }
}
