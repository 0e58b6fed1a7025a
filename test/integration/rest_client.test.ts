/** The typed client over a running gateway: answers, bodies, keys, and problems as errors. */
import { afterEach, describe, expect, it } from "vitest";
import { RestClient, RestError } from "../../src/rest/client.ts";
import { until } from "./gateway_market.ts";
import { BTC, closeAll, startMarket, wideBook } from "./gateway_rig.ts";

afterEach(closeAll);

const KEY = "0123456789abcdef-client";
const PAIR = { exchange: "coinbase_exchange", symbol: "BTC-USD" };

async function serve() {
  const market = startMarket();
  const producer = market.produce();
  producer.snapshot("BTC-USD", wideBook(30));
  const gateway = await market.serve({ access: { keys: [{ name: "one", key: KEY }] } });
  await until("a synced book", () => gateway.book(BTC)?.synced === true);
  return gateway;
}

describe("RestClient", () => {
  it("reads what the gateway holds when it has the key", async () => {
    const gateway = await serve();
    const client = new RestClient({ url: gateway.url, fetch, key: KEY });
    const book = await client.ask("getOrderBook", { ...PAIR, depth: 3 });
    expect([book.bids, book.version]).toEqual([gateway.book(BTC, 3)?.bids, gateway.book(BTC)?.version]);
    expect((await client.ask("getOrderBook", { ...PAIR, depth: "full" })).asks.length).toBe(30);
    expect((await client.ask("listInstruments", {})).instruments.map(({ instrument }) => instrument)).toContain(BTC);
    expect((await client.ask("getHealth", {})).roles[0]).toMatchObject({
      role: "gateway",
      transport: gateway.transport,
    });
    expect((await client.ask("getTrades", { ...PAIR, limit: 5 })).trades).toEqual([]);
  });

  it("rejects with the problem when the gateway tells one", async () => {
    const gateway = await serve();
    const client = new RestClient({ url: `${gateway.url}/`, fetch, key: KEY });
    const missing = client.ask("getOrderBook", { exchange: "coinbase", symbol: "ETH/EUR" });
    await expect(missing).rejects.toThrow(RestError);
    await expect(missing).rejects.toMatchObject({ status: 404, problem: { code: "unknown_instrument" } });
    const added = client.ask("addFeed", { body: { exchange: "coinbase", symbol: "SOL-USD" } });
    await expect(added).rejects.toMatchObject({ status: 501, problem: { code: "feeds_elsewhere" } });
    const stranger = new RestClient({ url: gateway.url, fetch });
    await expect(stranger.ask("listExchanges", {})).rejects.toMatchObject({
      status: 401,
      problem: { code: "key_needed" },
    });
  });
});
