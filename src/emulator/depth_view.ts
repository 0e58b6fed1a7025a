/**
 * What a Kraken client at one depth holds of a book, and the messages that keep it so: changes within the depth, levels
 * that come (back) into it, and silence about levels that leave it, which the client must truncate by itself.
 * Bad case: a book with fewer levels than the depth; then everything is in scope and nothing is truncated.
 */

import type { Change } from "./book_events.ts";
import { ASK, BID, type BookSide, type Ladder } from "./ladder.ts";
import type { MarketBook } from "./market_book.ts";

/** Price in ticks and quantity in lots; quantity 0 removes. */
export type ViewLevel = readonly [price: number, quantity: number];

/** Levels per side. */
export type ViewLevels = { bids: ViewLevel[]; asks: ViewLevel[] };

/** One book at one depth. */
export class DepthView {
  readonly book: MarketBook;
  readonly depth: number;
  /** The worst price within the depth per side; undefined while the side has fewer levels. */
  #worst: [number | undefined, number | undefined];

  /** @param depth levels per side */
  constructor(book: MarketBook, depth: number) {
    this.book = book;
    this.depth = depth;
    this.#worst = [this.#worstNow(book.bids), this.#worstNow(book.asks)];
  }

  /** The book counts in other units from here on; its levels stay. */
  rebase(): void {
    this.#worst = [this.#worstNow(this.book.bids), this.#worstNow(this.book.asks)];
  }

  /** The levels within the depth, best first. */
  snapshot(): ViewLevels {
    return { bids: this.#top(this.book.bids), asks: this.#top(this.book.asks) };
  }

  /**
   * What a client must be told after the book changed.
   * @param changes all since the last call, in order
   * @returns levels in the order in which they must be applied; both empty when nothing in scope changed
   */
  update(changes: readonly Change[]): ViewLevels {
    return { bids: this.#side(BID, changes), asks: this.#side(ASK, changes) };
  }

  #side(side: BookSide, changes: readonly Change[]): ViewLevel[] {
    const ladder = this.book.ladder(side);
    const old = this.#worst[side];
    const worst = this.#worstNow(ladder);
    this.#worst[side] = worst;
    const before = new Map<number, number>();
    for (const change of changes) {
      if (change.side === side && !before.has(change.price)) {
        before.set(change.price, change.before);
      }
    }
    const levels: ViewLevel[] = [];
    for (const { side: changed, price, quantity } of changes) {
      const was = (before.get(price) ?? 0) > 0 && isWithin(ladder, price, old);
      if (changed === side && (was || (ladder.quantityAt(price) > 0 && isWithin(ladder, price, worst)))) {
        levels.push([price, quantity]);
      }
    }
    if (old !== undefined) {
      levels.push(...this.#entered(ladder, old, before));
    }
    return levels;
  }

  // Levels worse than the old worst price that are in the depth now, without having changed themselves.
  #entered(ladder: Ladder, old: number, changed: ReadonlyMap<number, number>): ViewLevel[] {
    const entered: ViewLevel[] = [];
    for (let rank = Math.min(this.depth, ladder.count) - 1; rank >= 0; rank -= 1) {
      const price = ladder.price(rank);
      if (ladder.reaches(price, old)) {
        break;
      }
      if (!changed.has(price)) {
        entered.push([price, ladder.quantity(rank)]);
      }
    }
    return entered.reverse();
  }

  #top(ladder: Ladder): ViewLevel[] {
    const count = Math.min(this.depth, ladder.count);
    return Array.from({ length: count }, (_, rank): ViewLevel => [ladder.price(rank), ladder.quantity(rank)]);
  }

  #worstNow(ladder: Ladder): number | undefined {
    return ladder.count < this.depth ? undefined : ladder.price(this.depth - 1);
  }
}

function isWithin(ladder: Ladder, price: number, worst: number | undefined): boolean {
  return worst === undefined || ladder.reaches(price, worst);
}
