/**
 * The opportunities that the page shows: what is open, and what closed last. Messages are taken as they come and shown a
 * few times a second, so that a crossing that flickers costs no more renders than one that stays.
 * Bad case: the connection is lost: nothing is shown as open, because nobody knows; what closed stays.
 */
import type { ClosedOpportunity, OpportunitiesMessage, Opportunity, OpportunityMessage } from "../wire/protocol.ts";
import { Cell } from "./cell.ts";

/** Closed opportunities that the page remembers. */
export const RECENT_MAX = 40;

/** What is shown. */
export type ArbitrageShown = {
  /** `refused`: the gateway does not look for arbitrage. */
  readonly state: "waiting" | "live" | "refused";
  /** Best first. */
  readonly open: readonly Opportunity[];
  /** How many are open, when the gateway listed the best only. */
  readonly openCount: number;
  /** Latest first. */
  readonly recent: readonly ClosedOpportunity[];
  /** What the gateway's clock was ahead of this page's when it told last, ms. */
  readonly aheadMs: number;
};

/** The opportunities of one page. */
export class ArbitrageStore {
  readonly shown = new Cell<ArbitrageShown>({ state: "waiting", open: [], openCount: 0, recent: [], aheadMs: 0 });
  readonly #open = new Map<number, Opportunity>();
  #recent: readonly ClosedOpportunity[] = [];
  #state: ArbitrageShown["state"] = "waiting";
  #unlisted = 0;
  #aheadMs = 0;
  #isChanged = false;

  /** All that is open; replaces what was. @param nowMs clock of the page */
  list({ open, openCount, recent, atMs }: OpportunitiesMessage, nowMs: number): void {
    this.#open.clear();
    for (const opportunity of open) {
      this.#open.set(opportunity.id, opportunity);
    }
    this.#unlisted = openCount - open.length;
    this.#recent = recent;
    this.#state = "live";
    this.#note(atMs, nowMs);
  }

  /** One opened, changed or closed. @param nowMs clock of the page */
  take({ event, reason, atMs, opportunity }: OpportunityMessage, nowMs: number): void {
    if (event === "closed") {
      // One that was open and not listed.
      this.#unlisted -= this.#open.delete(opportunity.id) || this.#unlisted === 0 ? 0 : 1;
      this.#recent = [{ reason, atMs, opportunity }, ...this.#recent].slice(0, RECENT_MAX);
    } else {
      this.#open.set(opportunity.id, opportunity);
    }
    this.#note(atMs, nowMs);
  }

  /** The gateway does not look for arbitrage. */
  refuse(): void {
    this.#state = "refused";
    this.#isChanged = true;
  }

  /** The connection is lost: what is open is not known. */
  interrupt(): void {
    this.#open.clear();
    this.#unlisted = 0;
    this.#state = "waiting";
    this.#isChanged = true;
    this.show();
  }

  /** Shows what came since the last call. */
  show(): void {
    if (this.#isChanged) {
      this.#isChanged = false;
      const open = [...this.#open.values()].sort((one, other) => Number(other.profitBps) - Number(one.profitBps));
      const openCount = open.length + this.#unlisted;
      this.shown.set({ state: this.#state, open, openCount, recent: this.#recent, aheadMs: this.#aheadMs });
    }
  }

  #note(atMs: number, nowMs: number): void {
    this.#aheadMs = atMs - nowMs;
    this.#isChanged = true;
  }
}
