/**
 * Arbitrage over real sockets: two producers whose books cross, a gateway, and clients of both forms, which are told the
 * same; and what a leg names is the book that whoever follows it holds. Bad case: versions of another moment.
 */
import { afterEach, describe, expect, it } from "vitest";
import { ARBITRAGE_RULES } from "../../src/arbitrage/mod.ts";
import type { ClientEvent, OpportunityEvent } from "../../src/client/mod.ts";
import { until } from "./gateway_market.ts";
import { closeAll, follow, startClient, startMarket } from "./gateway_rig.ts";

const NORTH = "north:BTC-USD";
const RULES = { ...ARBITRAGE_RULES, feesBps: { north: 10, south: 10 }, ageMsMax: 60_000, reportMs: 0 };
const nowNs = () => (performance.timeOrigin + performance.now() - 1_700_000_000_000) * 1e6;

afterEach(closeAll);

function opportunities(events: readonly ClientEvent[]): OpportunityEvent[] {
  return events.filter((event) => event.type === "opportunity");
}

describe("Arbitrage on the stream", () => {
  it("comes to clients of both forms alike, and its legs name the books that clients hold", async () => {
    const market = startMarket();
    const north = market.produce({ label: "north", natives: ["BTC-USD"], clock: nowNs });
    const south = market.produce({ label: "south", natives: ["BTC-USD"], firstInstrumentId: 9, clock: nowNs });
    const book = (middle: number) => ({
      bids: [[(middle - 0.5).toFixed(2), "1.5"]] as const,
      asks: [[(middle + 0.5).toFixed(2), "2"]] as const,
    });
    north.snapshot("BTC-USD", book(1000.01));
    south.snapshot("BTC-USD", book(1000.01));
    const gateway = await market.serve({ arbitrage: RULES });
    const clients = (["binary", "json"] as const).map((form) => startClient(market.streamUrl, { form }));
    for (const witness of clients) {
      witness.client.subscribe({ channels: ["arbitrage"], instruments: [] });
      await until("the list", () => witness.events.some(({ type }) => type === "opportunities"));
      await follow(witness, NORTH);
    }
    north.update("BTC-USD", [["buy", "999.51", "1"]]);
    south.update("BTC-USD", [
      ["sell", "1000.51", "0"],
      ["buy", "1011.01", "0.5"],
      ["sell", "1012.01", "1"],
    ]);
    for (const { events } of clients) {
      await until("an opening", () => opportunities(events).length > 0);
    }
    const [binary, json] = clients.map(({ events }) => opportunities(events)[0]);
    expect(json).toEqual(binary);
    // 0.5 × (1011.01 × 0.999 − 1000.51 × 1.001)
    expect(binary).toMatchObject({
      event: "opened",
      opportunity: { quantity: "0.5", profit: "4.24424", currency: "USD" },
    });
    const leg = binary?.opportunity.legs[0];
    expect(leg).toMatchObject({ action: "buy", instrument: NORTH, averagePrice: "1000.51" });
    for (const { client } of clients) {
      await until("the book of the leg", () => client.peek(NORTH)?.version === leg?.version);
      expect(client.peek(NORTH)?.hash).toBe(leg?.hash);
    }
    expect(gateway.arbitrage?.opportunities().map(({ id }) => id)).toEqual([binary?.opportunity.id]);
    south.update("BTC-USD", [["buy", "1011.01", "0"]]);
    for (const { events } of clients) {
      await until("a closing", () => opportunities(events).at(-1)?.event === "closed");
      expect(opportunities(events).at(-1)).toMatchObject({ reason: "prices" });
    }
  });
});
