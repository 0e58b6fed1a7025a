/**
 * What moves in a row of the overview: best prices, spread and rates, written in place some times a second. The row also
 * carries the attributes that say which book is shown (see best_prices.ts).
 * Bad case: a book that is not synced keeps its last prices, greyed by the row's data-live.
 */
import { Identity } from "./best_prices.ts";
import { formatDecimal, spreadBasisPoints, subtractDecimals } from "./decimal_text.ts";
import { byteRate } from "./display_text.ts";
import type { Painter } from "./frame_loop.ts";
import type { InstrumentStore } from "./instrument_store.ts";
import type { BestPrices } from "./market_feed.ts";
import { AttributeSlot, append, NumberSlot, TextSlot } from "./painting.ts";
import { mountSparkline } from "./sparkline.ts";
import { priceRoom } from "./view_state.ts";

/** The cells that a row's painter fills, in order. */
const CELLS = ["bid", "ask", "spread", "basis", "updates", "trades", "wire", "trend"] as const;

/** Least time between two writings of a row, milliseconds: nobody reads sixty prices a second in a table. */
const ROW_MS = 90;

/** Appends the moving cells to a row. */
export function mountRow(row: HTMLElement, store: InstrumentStore): Painter {
  const cells = Object.fromEntries(CELLS.map((name) => [name, append(row, "td", name)])) as Record<
    (typeof CELLS)[number],
    HTMLElement
  >;
  const identity = new Identity(row, store);
  const live = new AttributeSlot(row, "data-live");
  const best = { bid: new NumberSlot(cells.bid), ask: new NumberSlot(cells.ask) };
  const spread = new NumberSlot(cells.spread);
  const basis = new TextSlot(cells.basis);
  const rates = [cells.updates, cells.trades, cells.wire].map((cell) => new TextSlot(cell));
  const spark = mountSparkline(cells.trend, store);
  let writtenAtMs = Number.NEGATIVE_INFINITY;
  return (atMs) => {
    if (atMs - writtenAtMs < ROW_MS) {
      store.mark();
      return;
    }
    writtenAtMs = atMs;
    const prices = store.best();
    const { priceExponent } = store.status.get();
    const room = priceRoom.get();
    const [bid, ask] = [prices?.bid?.[0], prices?.ask?.[0]];
    identity.paint({ bid: bid ?? "", ask: ask ?? "", version: prices?.version ?? "" });
    live.set(String(store.isLive));
    const hasMoved = [
      best.bid.set(bid ?? "–", priceExponent, room),
      best.ask.set(ask ?? "–", priceExponent, room),
    ].includes(true);
    if (hasMoved) {
      const isKnown = bid !== undefined && ask !== undefined;
      spread.set(isKnown ? formatDecimal(subtractDecimals(ask, bid)) : "–", isKnown ? priceExponent : -1, room);
      basis.set(isKnown ? (spreadBasisPoints(bid, ask, 2) ?? "–") : "–");
    }
    const { statistics } = store;
    const texts = [
      statistics === undefined ? "–" : statistics.updatesPerSecond.toFixed(1),
      statistics === undefined ? "–" : statistics.tradesPerSecond.toFixed(1),
      statistics === undefined ? "–" : byteRate(statistics.wireBytesPerSecond),
    ];
    for (const [index, slot] of rates.entries()) {
      slot.set(texts[index] ?? "");
    }
    spark(atMs);
  };
}

/** The spread in basis points, for sorting; undefined without both sides. */
export function spreadOf(best: BestPrices | undefined): number | undefined {
  const [bid, ask] = [best?.bid?.[0], best?.ask?.[0]];
  const text = bid === undefined || ask === undefined ? undefined : spreadBasisPoints(bid, ask, 3);
  return text === undefined ? undefined : Number(text);
}
