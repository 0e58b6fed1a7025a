/**
 * Best bid, best ask and the spread between them, exact and in basis points. Also carries the attributes that say which
 * book is shown: data-best-bid, data-best-ask, data-version and data-state always belong together.
 * Bad case: the prices of a book that is not synced stay readable, but dimmed, and data-state says so.
 */
import { compareDecimals, formatDecimal, spreadBasisPoints, subtractDecimals } from "./decimal_text.ts";
import type { Painter } from "./frame_loop.ts";
import type { InstrumentStore } from "./instrument_store.ts";
import type { Level } from "./market_feed.ts";
import { AttributeSlot, append, NumberSlot, TextSlot } from "./painting.ts";

/** A flash is not started again before this time, milliseconds. */
const FLASH_PAUSE_MS = 160;
const SPREAD_DECIMALS = 3;

/** Builds the row of best prices. */
export function mountBestPrices(element: HTMLElement, store: InstrumentStore): Painter {
  const identity = new Identity(element, store);
  const bid = new BestPrice(append(element, "div", "best bid"), "Bid");
  const middle = append(element, "div", "middle");
  const spread = new NumberSlot(append(middle, "span", "spread"));
  const basisPoints = new TextSlot(append(middle, "span", "basis_points"));
  const ask = new BestPrice(append(element, "div", "best ask"), "Ask");
  return (atMs) => {
    const best = store.best();
    const { priceExponent, quantityExponent } = store.status.get();
    const [bestBid, bestAsk] = [best?.bid, best?.ask];
    identity.paint({ bid: bestBid?.[0] ?? "", ask: bestAsk?.[0] ?? "", version: best?.version ?? "" });
    bid.paint(bestBid, { atMs, priceExponent, quantityExponent });
    ask.paint(bestAsk, { atMs, priceExponent, quantityExponent });
    if (bestBid === undefined || bestAsk === undefined) {
      spread.set("–", -1);
      basisPoints.set("");
      return;
    }
    spread.set(formatDecimal(subtractDecimals(bestAsk[0], bestBid[0])), priceExponent);
    basisPoints.set(`${spreadBasisPoints(bestBid[0], bestAsk[0], SPREAD_DECIMALS) ?? "–"} bps`);
  };
}

/** The attributes by which a test or a script reads what is shown. */
export class Identity {
  readonly #bid: AttributeSlot;
  readonly #ask: AttributeSlot;
  readonly #version: AttributeSlot;
  readonly #state: AttributeSlot;
  readonly #store: InstrumentStore;

  /** @param element which carries them */
  constructor(element: HTMLElement, store: InstrumentStore) {
    this.#store = store;
    this.#bid = new AttributeSlot(element, "data-best-bid");
    this.#ask = new AttributeSlot(element, "data-best-ask");
    this.#version = new AttributeSlot(element, "data-version");
    this.#state = new AttributeSlot(element, "data-state");
    element.setAttribute("data-instrument", store.instrument);
  }

  /** Writes all of them at once. */
  paint(shown: { bid: string; ask: string; version: string }): void {
    this.#bid.set(shown.bid);
    this.#ask.set(shown.ask);
    this.#version.set(shown.version);
    const { state } = this.#store.status.get();
    this.#state.set(state === "synced" && !this.#store.isLive ? "checking" : state);
  }
}

/** One side's best price and quantity; flashes when the price moved. */
class BestPrice {
  readonly #price: NumberSlot;
  readonly #quantity: NumberSlot;
  readonly #move: AttributeSlot;
  #shown = "";
  #flashedAtMs = Number.NEGATIVE_INFINITY;
  #isOdd = false;

  constructor(element: HTMLElement, label: string) {
    append(element, "span", "best_label").textContent = label;
    const price = append(element, "span", "price");
    this.#price = new NumberSlot(price);
    this.#quantity = new NumberSlot(append(element, "span", "best_quantity"));
    this.#move = new AttributeSlot(price, "data-move");
  }

  paint(level: Level | undefined, frame: { atMs: number; priceExponent: number; quantityExponent: number }): void {
    const [price, quantity] = level ?? ["–", ""];
    this.#quantity.set(quantity, frame.quantityExponent);
    if (!this.#price.set(price, frame.priceExponent)) {
      return;
    }
    const before = this.#shown;
    this.#shown = level === undefined ? "" : price;
    if (before !== "" && this.#shown !== "" && frame.atMs - this.#flashedAtMs >= FLASH_PAUSE_MS) {
      this.#flashedAtMs = frame.atMs;
      this.#isOdd = !this.#isOdd;
      const direction = compareDecimals(price, before) > 0 ? "up" : "down";
      this.#move.set(`${direction}_${this.#isOdd ? "odd" : "even"}`);
    }
  }
}
