/**
 * The truth about the books of an audited world, and how long a level stays wrong. A level that only changes at this moment
 * is wrong for a tenth of a second; one that was lost stays wrong until something finds it.
 * Bad case: a level that is mended and lost again between two samples; the two times then count as one.
 */
import { SIDE_ASK, SIDE_BID, STATE_SYNCED } from "../../assembly/layout.ts";
import type { MarketBook } from "../../src/emulator/market_book.ts";
import type { InstrumentEntry } from "../../src/segment/view.ts";
import type { AuditWorld } from "./audit_world.ts";

/** A side of the emulator's book in the ticks and lots of a table entry. */
export function trueLevels(book: MarketBook, entry: InstrumentEntry, side: number): Map<bigint, bigint> {
  const { priceDecimals, quantityDecimals } = book.instrument;
  const ticks = 10n ** BigInt(entry.priceExponent - priceDecimals);
  const lots = 10n ** BigInt(entry.quantityExponent - quantityDecimals);
  const ladder = side === SIDE_BID ? book.bids : book.asks;
  const ranks = Array.from({ length: ladder.count }, (_, rank) => rank);
  return new Map(ranks.map((rank) => [BigInt(ladder.price(rank)) * ticks, BigInt(ladder.quantity(rank)) * lots]));
}

/** Samples a world's books against the truth. */
export class TruthWatch {
  /** Longest time that a level of a synced book was wrong, ms. */
  longestMs = 0;
  readonly #world: AuditWorld;
  #wrong = new Map<string, number>();

  constructor(world: AuditWorld) {
    this.#world = world;
  }

  /** Looks at every book. */
  sample(): void {
    const now = this.#world.clock.now();
    const wrong = new Map<string, number>();
    for (const entry of this.#world.entries().filter(({ state }) => state === STATE_SYNCED)) {
      for (const side of [SIDE_BID, SIDE_ASK]) {
        for (const price of this.#wrongPrices(entry, side)) {
          const key = `${entry.native} ${side} ${price}`;
          const since = this.#wrong.get(key) ?? now;
          wrong.set(key, since);
          this.longestMs = Math.max(this.longestMs, now - since);
        }
      }
    }
    this.#wrong = wrong;
  }

  /** Levels beyond the worst one of a full side are not asserted. */
  #wrongPrices(entry: InstrumentEntry, side: number): bigint[] {
    const { native, depth } = entry;
    const book = this.#world.truth.get(native);
    const held = this.#world.levels(native, side);
    if (book === undefined) {
      return [];
    }
    const truth = trueLevels(book, entry, side);
    const worst = depth > 0 && held.size >= depth ? [...held.keys()].at(-1) : undefined;
    const isAsserted = (price: bigint) => worst === undefined || (side === SIDE_BID ? price >= worst : price <= worst);
    const prices = [...new Set([...held.keys(), ...truth.keys()])];
    return prices.filter((price) => isAsserted(price) && held.get(price) !== truth.get(price));
  }
}
