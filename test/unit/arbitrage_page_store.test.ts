/**
 * The page's opportunities: lists replace, events change, nothing is shown as open while nobody knows.
 * Bad case: a gateway that lists only its best ones; the others are counted until they close.
 */
import { describe, expect, it } from "vitest";
import { ArbitrageStore, RECENT_MAX } from "../../src/dashboard/arbitrage_store.ts";
import type { OpportunitiesMessage, Opportunity, OpportunityMessage } from "../../src/wire/opportunity.ts";

function opportunity(id: number, profitBps = "10"): Opportunity {
  const sums = { quantity: "1", profit: "2", profitBps, profitBpsMax: profitBps, cut: false };
  return { id, kind: "cross", base: "BTC", currency: "USD", ...sums, openedAtMs: 1000, changedAtMs: 1000, legs: [] };
}

function list(open: Opportunity[], openCount = open.length): OpportunitiesMessage {
  return { type: "opportunities", atMs: 5000, openCount, open, recent: [] };
}

function told(event: OpportunityMessage["event"], one: Opportunity): OpportunityMessage {
  return { type: "opportunity", event, reason: event === "closed" ? "prices" : "none", atMs: 6000, opportunity: one };
}

function shownBy(act: (store: ArbitrageStore) => void) {
  const store = new ArbitrageStore();
  act(store);
  store.show();
  return store.shown.get();
}

describe("ArbitrageStore", () => {
  it("shows what is open, best first, and what closed, latest first", () => {
    const shown = shownBy((store) => {
      store.list(list([opportunity(1), opportunity(2, "12.5")]), 4000);
      store.take(told("opened", opportunity(3, "9.9")), 5500);
      store.take(told("changed", opportunity(1, "30")), 5500);
      store.take(told("closed", opportunity(2, "12.5")), 5500);
    });
    expect(shown.open.map(({ id }) => id)).toEqual([1, 3]);
    expect(shown.recent).toMatchObject([{ reason: "prices", opportunity: { id: 2 } }]);
    expect(shown).toMatchObject({ state: "live", openCount: 2, aheadMs: 500 });
  });

  it("counts those that are open and not listed until they close", () => {
    const shown = shownBy((store) => {
      store.list(list([opportunity(1)], 3), 5000);
      store.take(told("closed", opportunity(77)), 5000);
      store.take(told("closed", opportunity(1)), 5000);
    });
    expect(shown).toMatchObject({ openCount: 1, open: [] });
  });

  it("shows nothing as open when the connection is lost, and keeps what closed", () => {
    const shown = shownBy((store) => {
      store.list(list([opportunity(1), opportunity(2)]), 5000);
      store.take(told("closed", opportunity(2)), 5000);
      store.interrupt();
    });
    expect(shown).toMatchObject({ state: "waiting", open: [], openCount: 0, recent: [{ opportunity: { id: 2 } }] });
  });

  it("shows what came at the next look only, and remembers a bounded number", () => {
    const store = new ArbitrageStore();
    store.list(list([]), 0);
    const before = store.shown.get();
    for (let id = 0; id < 3 * RECENT_MAX; id++) {
      store.take(told("closed", opportunity(id)), 0);
    }
    expect(store.shown.get()).toBe(before);
    store.show();
    expect(store.shown.get().recent).toHaveLength(RECENT_MAX);
    store.refuse();
    store.show();
    expect(store.shown.get().state).toBe("refused");
  });
});
