/**
 * Arbitrage in the gateway: every served book is compared after each of its events with the others of its pair; what opens,
 * changes and closes goes to the stream's channel `arbitrage`, and is kept for REST, metrics and pages.
 * Bad case: an exchange whose fee is not configured; its books take no part, and the log says so once.
 */

import { profitUnits } from "../arbitrage/fee_parts.ts";
import {
  type ArbitrageCounts,
  ArbitrageDetector,
  type ArbitrageRules,
  type OpportunityEvent,
} from "../arbitrage/mod.ts";
import { decimalUnits } from "../wire/numbers.ts";
import type { ClosedOpportunity, OpportunitiesMessage, Opportunity, OpportunityMessage } from "../wire/protocol.ts";
import { ServedArbitrageBook } from "./arbitrage_book.ts";
import type { ServedInstrument } from "./instrument.ts";
import type { GatewayLog } from "./log.ts";
import type { Outlet } from "./outlet.ts";
import { ARBITRAGE_TOPIC } from "./topics.ts";
import type { Workspace } from "./workspace.ts";

/** Closed opportunities that are remembered. */
const RECENT_MAX = 16;
/** Open opportunities that one message lists. */
const LISTED_MAX = 64;
const BPS_DIGITS = 4;

/** Which opportunities are wanted. */
export type OpportunityQuery = {
  /** Profit at least, basis points; default 0. */
  readonly profitBpsMin?: number | undefined;
  /** Age at most of the oldest book that one is made from, ms; default: whatever the detector takes. */
  readonly ageMsMax?: number | undefined;
};

/** What others may ask of arbitrage. */
export interface ArbitrageParts {
  /** What is open at this moment, best first. @throws RangeError when the least profit is below 0 or no number */
  opportunities(query?: OpportunityQuery): Opportunity[];
  /** The last ones that closed, latest first. */
  recent(): readonly ClosedOpportunity[];
  /** Since start; `open` is how many are open. */
  readonly counts: Readonly<ArbitrageCounts & { open: number }>;
}

/** What it is made from. */
export type GatewayArbitrageOptions = {
  readonly rules: ArbitrageRules;
  readonly outlet: Outlet;
  /** Unix ms. */
  readonly now: () => number;
  readonly log: GatewayLog;
};

/** The detector over the books of one gateway. */
export class GatewayArbitrage implements ArbitrageParts {
  readonly #workspace: Workspace;
  readonly #options: GatewayArbitrageOptions;
  readonly #detector: ArbitrageDetector;
  readonly #books = new Map<ServedInstrument, ServedArbitrageBook>();
  readonly #feeless = new Set<string>();
  #recent: ClosedOpportunity[] = [];

  /** @throws RangeError when a rule is no usable number */
  constructor(workspace: Workspace, options: GatewayArbitrageOptions) {
    this.#workspace = workspace;
    this.#options = options;
    this.#detector = new ArbitrageDetector(options.rules, (event) => this.#tell(event));
  }

  get counts(): ArbitrageCounts & { open: number } {
    return { ...this.#detector.counts, open: this.#detector.openCount };
  }

  /** A record of a book was applied, or the book was lost. Acts at the end of events only. */
  update(instrument: ServedInstrument): void {
    const book = this.#books.get(instrument) ?? this.#add(instrument);
    if (this.#detector.compares(book) && book.isWhole) {
      const nowMs = this.#options.now();
      book.read(nowMs);
      this.#detector.update(book, nowMs);
    }
  }

  /** Closes what grew old or is not known to be right any more, and tells what was held back. */
  expire(): void {
    this.#detector.expire(this.#options.now());
  }

  opportunities({ profitBpsMin = 0, ageMsMax = Number.POSITIVE_INFINITY }: OpportunityQuery = {}): Opportunity[] {
    this.expire();
    const least = profitUnits(profitBpsMin);
    const nowMs = this.#options.now();
    return this.#detector
      .opportunities()
      .filter(({ profitBps }) => (decimalUnits(profitBps, BPS_DIGITS) ?? 0n) >= least)
      .filter(({ legs }) => legs.every(({ receivedAtMs }) => nowMs - receivedAtMs <= ageMsMax));
  }

  recent(): readonly ClosedOpportunity[] {
    return this.#recent;
  }

  /** What a client of the channel is told first: all that was told to be open. */
  listText(): string {
    this.expire();
    const open = this.#detector.opportunities({ announced: true });
    const message: OpportunitiesMessage = {
      type: "opportunities",
      atMs: Math.round(this.#options.now()),
      openCount: open.length,
      open: open.slice(0, LISTED_MAX),
      recent: this.#recent,
    };
    return JSON.stringify(message);
  }

  #add(instrument: ServedInstrument): ServedArbitrageBook {
    const book = new ServedArbitrageBook(instrument, this.#workspace);
    this.#books.set(instrument, book);
    if (!this.#detector.add(book) && !this.#feeless.has(book.exchange)) {
      this.#feeless.add(book.exchange);
      this.#options.log.warn(
        `Cannot look for arbitrage at ${book.exchange}: no taker fee is configured, was ${book.instrument}`,
      );
    }
    return book;
  }

  #tell(event: OpportunityEvent): void {
    if (event.event === "closed") {
      const { reason, atMs, opportunity } = event;
      this.#recent = [{ reason, atMs, opportunity }, ...this.#recent.slice(0, RECENT_MAX - 1)];
    }
    if (this.#options.outlet.listeners(ARBITRAGE_TOPIC) > 0) {
      const message: OpportunityMessage = { type: "opportunity", ...event };
      this.#options.outlet.publish(ARBITRAGE_TOPIC, JSON.stringify(message));
    }
  }
}
