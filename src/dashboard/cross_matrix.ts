/**
 * What it would bring to buy at one exchange and sell at another: a cell per ordered couple, basis points between the
 * ask of the row and the bid of the column, before fees. Above 0 the two books are crossed, which is marked.
 * Bad case: a book that is not synced: its row and column show dashes.
 */
import { compareDecimals, formatDecimal, spreadBasisPoints, subtractDecimals } from "./decimal_text.ts";
import type { Painter } from "./frame_loop.ts";
import type { InstrumentStore } from "./instrument_store.ts";
import { AttributeSlot, TextSlot } from "./painting.ts";

const DECIMALS = 2;

/** What a cell says. */
export type CrossCell = { readonly text: string; readonly title: string; readonly isCrossed: boolean };

/** The cell of buying at `buy` and selling at `sell`. */
export function crossCell(buy: InstrumentStore, sell: InstrumentStore): CrossCell {
  const ask = buy.isLive ? buy.best()?.ask?.[0] : undefined;
  const bid = sell.isLive ? sell.best()?.bid?.[0] : undefined;
  const basisPoints = ask === undefined || bid === undefined ? undefined : spreadBasisPoints(ask, bid, DECIMALS);
  if (ask === undefined || bid === undefined || basisPoints === undefined) {
    return { text: "–", title: "one of the books is not synced", isCrossed: false };
  }
  const gain = formatDecimal(subtractDecimals(bid, ask));
  return {
    text: basisPoints.startsWith("-") ? basisPoints.replace("-", "−") : `+${basisPoints}`,
    title: `buy at ${ask}, sell at ${bid}: ${gain} per unit before fees`,
    isCrossed: compareDecimals(bid, ask) > 0,
  };
}

/** Fills the cells of a matrix. @param cells one element per ordered couple, rows first; the diagonal too */
export function mountMatrix(cells: readonly HTMLElement[], stores: readonly InstrumentStore[]): Painter {
  const slots = cells.map((cell) => ({
    text: new TextSlot(cell),
    title: new AttributeSlot(cell, "title"),
    crossed: new AttributeSlot(cell, "data-crossed"),
  }));
  let paintedAtMs = Number.NEGATIVE_INFINITY;
  return (atMs) => {
    if (atMs === paintedAtMs) {
      return;
    }
    paintedAtMs = atMs;
    for (const [index, slot] of slots.entries()) {
      const buy = stores[Math.floor(index / stores.length)];
      const sell = stores[index % stores.length];
      if (buy === undefined || sell === undefined || buy === sell) {
        slot.text.set("");
        continue;
      }
      const { text, title, isCrossed } = crossCell(buy, sell);
      slot.text.set(text);
      slot.title.set(title);
      slot.crossed.set(String(isCrossed));
    }
  };
}
