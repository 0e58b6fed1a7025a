/**
 * The order book ladder: a list of levels per side, best first, each with price, quantity, size bar and, where there is
 * room, the running total. Rows are built once and rewritten in place.
 * Bad case: bars compare quantities as doubles, which only places pixels; the texts are the exchange's own digits.
 */
import { addDecimals, formatDecimal, pixelValue } from "./decimal_text.ts";
import type { Painter } from "./frame_loop.ts";
import type { InstrumentStore } from "./instrument_store.ts";
import type { Level } from "./market_feed.ts";
import { append, BarSlot, NumberSlot } from "./painting.ts";

type Exponents = { price: number; quantity: number };

/** Both sides beside each other, for a card. */
export function mountCompactLadder(element: HTMLElement, store: InstrumentStore, rows: number): Painter {
  return mountLadder(element, store, { rows, hasTotals: false });
}

/** Both sides with running totals, for the detail view. */
export function mountDeepLadder(element: HTMLElement, store: InstrumentStore, rows: number): Painter {
  return mountLadder(element, store, { rows, hasTotals: true });
}

function mountLadder(
  element: HTMLElement,
  store: InstrumentStore,
  options: { rows: number; hasTotals: boolean },
): Painter {
  const bids = new LadderSide(element, { ...options, side: "bids" });
  const asks = new LadderSide(element, { ...options, side: "asks" });
  return () => {
    const top = store.top(options.rows);
    const { priceExponent, quantityExponent } = store.status.get();
    const exponents = { price: priceExponent, quantity: quantityExponent };
    const scale = Math.max(bids.measure(top?.bids ?? []), asks.measure(top?.asks ?? []));
    bids.paint(exponents, scale);
    asks.paint(exponents, scale);
  };
}

/** One side: an ordered list. */
class LadderSide {
  readonly #rows: LadderRow[] = [];
  readonly #hasTotals: boolean;
  #levels: readonly Level[] = [];
  #totals: string[] = [];

  constructor(parent: HTMLElement, options: { rows: number; hasTotals: boolean; side: "bids" | "asks" }) {
    this.#hasTotals = options.hasTotals;
    const list = append(parent, "ol", `side ${options.side}`);
    list.setAttribute("aria-label", options.side === "bids" ? "Bids, best first" : "Asks, best first");
    for (let row = 0; row < options.rows; row += 1) {
      this.#rows.push(new LadderRow(append(list, "li", "level"), options.hasTotals));
    }
  }

  /** Takes the levels. @returns the length that stands for a full bar */
  measure(levels: readonly Level[]): number {
    this.#levels = levels;
    this.#totals = this.#hasTotals ? runningTotals(levels) : [];
    const lengths = this.#hasTotals ? this.#totals.slice(-1) : levels.map(([, quantity]) => quantity);
    return lengths.reduce((largest, text) => Math.max(largest, pixelValue(text)), 0);
  }

  paint(exponents: Exponents, scale: number): void {
    for (const [index, row] of this.#rows.entries()) {
      const [price = "", quantity = ""] = this.#levels[index] ?? [];
      const total = this.#totals[index] ?? "";
      row.paint({ price, quantity, total }, exponents);
      row.bar.set(scale > 0 && price !== "" ? pixelValue(this.#hasTotals ? total : quantity) / scale : 0);
    }
  }
}

class LadderRow {
  readonly bar: BarSlot;
  readonly #element: HTMLElement;
  readonly #price: NumberSlot;
  readonly #quantity: NumberSlot;
  readonly #total: NumberSlot | undefined;

  constructor(element: HTMLElement, hasTotal: boolean) {
    this.#element = element;
    this.bar = new BarSlot(append(element, "i", "bar"));
    this.#price = new NumberSlot(append(element, "span", "price"));
    this.#quantity = new NumberSlot(append(element, "span", "quantity"));
    this.#total = hasTotal ? new NumberSlot(append(element, "span", "total")) : undefined;
  }

  paint(texts: { price: string; quantity: string; total: string }, exponents: Exponents): void {
    if (this.#price.set(texts.price, exponents.price)) {
      this.#element.hidden = texts.price === "";
    }
    this.#quantity.set(texts.quantity, exponents.quantity);
    this.#total?.set(texts.total, exponents.quantity);
  }
}

/** Exact sums of the quantities from the best level on. */
export function runningTotals(levels: readonly Level[]): string[] {
  let total = "0";
  return levels.map(([, quantity]) => {
    total = formatDecimal(addDecimals(total, quantity));
    return total;
  });
}
