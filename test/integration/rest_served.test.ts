/** REST over real sockets, on both transports: every answer fits the served document, and says what the producer holds. */
import { afterEach, describe, expect, it } from "vitest";
import type { FeedControl, FeedOutcome, GatewayOptions } from "../../src/gateway/mod.ts";
import { createUwsTransport, createWsTransport } from "../../src/gateway/mod.ts";
import { ApiWitness } from "../support/api_witness.ts";
import { type Level, until } from "./gateway_market.ts";
import { BTC, closeAll, startMarket, stir, wideBook } from "./gateway_rig.ts";

afterEach(closeAll);

const KEY = "0123456789abcdef-rest";
const BOOK = "/api/v1/orderbook/coinbase_exchange/BTC-USD";

describe.each([
  ["uWebSockets.js", createUwsTransport],
  ["ws", () => Promise.resolve(createWsTransport())],
] as const)("REST over %s", (_name, createTransport) => {
  async function serve({ levels = 60, ...options }: Partial<GatewayOptions> & { levels?: number } = {}) {
    const market = startMarket();
    const producer = market.produce();
    producer.snapshot("BTC-USD", wideBook(levels));
    const gateway = await market.serve({ transport: await createTransport(), ...options });
    await until("a synced book", () => gateway.book(BTC)?.synced === true);
    return { gateway, producer, api: await ApiWitness.open(gateway.port) };
  }

  it("tells exchanges, instruments, health and compression as they are", async () => {
    const { api, gateway, producer } = await serve();
    stir(producer, "BTC-USD", { events: 20 });
    const exchanges = (await api.ask("/api/v1/exchanges")).value.exchanges;
    expect(exchanges).toMatchObject([
      {
        exchange: "coinbase_exchange",
        title: "Coinbase Exchange",
        connection: "connected",
        instruments: ["BTC-USD", "ETH-USD"],
        synced: 1,
        features: { sequence: false, checksum: false, inferred: true, snapshot: "in_band" },
        totals: { book_updates: producer.segment.counter(2) },
      },
    ]);
    expect((await api.ask("/api/v1/instruments")).value.instruments).toMatchObject([
      { instrument: BTC, native_symbol: "BTC-USD", state: "synced", assurance: "inferred", synced: true },
      { instrument: "coinbase_exchange:ETH-USD", synced: false },
    ]);
    const ready = (await (await fetch(`http://127.0.0.1:${gateway.port}/ready`)).json()) as { reasons: string[] };
    expect(ready.reasons).toEqual([expect.stringContaining("coinbase_exchange:ETH-USD")]);
    expect((await api.ask("/api/v1/system/health")).value).toMatchObject({
      status: "degraded",
      reasons: ready.reasons,
      roles: [
        { role: "gateway", process: { pid: process.pid } },
        { role: "collector", exchange: "coinbase_exchange", pid: process.pid },
      ],
      instruments: [{ instrument: BTC, bid_levels: expect.any(Number) }, {}],
    });
    await api.ask("/api/v1/delta-stats/summary");
    await api.ask("/api/v1/delta-stats/coinbase/btc-usd");
  });

  it("sends the book that the producer holds, to the depth that is asked", async () => {
    const { api, gateway, producer } = await serve();
    for (const [query, depth] of [
      ["", 50],
      ["?depth=1", 1],
      ["?depth=1000", 1000],
      ["?depth=full", 100_000],
    ] as const) {
      const { status, value } = await api.ask(BOOK + query);
      const ours = gateway.book(BTC, depth);
      expect([status, value.bids, value.asks]).toEqual([200, ours?.bids, ours?.asks]);
      expect([value.version, value.hash, value.bid_levels]).toEqual([ours?.version, ours?.hash, ours?.bidLevels]);
    }
    producer.update("BTC-USD", [["buy", "999.995", "0.000001"]]);
    await until("the level", () => gateway.book(BTC, 1)?.bids[0]?.[0] === "999.995");
    const { value } = await api.ask(`${BOOK}?depth=1`);
    expect(value.bids).toEqual([["999.995", "0.000001"]]);
  });

  it("streams a whole book of one moment when it changes meanwhile", async () => {
    const { api, gateway, producer } = await serve({ levels: 20_000 });
    const before = gateway.book(BTC, 100_000);
    const asked = api.ask(`${BOOK}?depth=full`);
    const changes = setInterval(() => stir(producer, "BTC-USD", { events: 3 }), 1);
    const { value, headers } = await asked;
    clearInterval(changes);
    expect(headers["content-length"]).toBeUndefined();
    expect((value.bids as Level[]).length + (value.asks as Level[]).length).toBeGreaterThan(39_000);
    expect(value.bid_levels).toBe((value.bids as Level[]).length);
    if (value.version === before?.version) {
      expect([value.bids, value.asks]).toEqual([before?.bids, before?.asks]);
    }
    const head = await api.ask(`${BOOK}?depth=full`, { method: "HEAD" });
    expect(head.status).toBe(200);
  });

  it("answers 304 while the book is the one that the client has", async () => {
    const { api, gateway, producer } = await serve();
    const first = await api.ask(BOOK);
    const etag = first.headers.etag ?? "";
    expect((await api.ask(BOOK, { headers: { "if-none-match": etag } })).status).toBe(304);
    expect((await api.ask(`${BOOK}?depth=5`, { headers: { "if-none-match": etag } })).status).toBe(200);
    const { version } = gateway.book(BTC) ?? {};
    stir(producer, "BTC-USD", { events: 1 });
    await until("a change", () => gateway.book(BTC)?.version !== version);
    expect((await api.ask(BOOK, { headers: { "if-none-match": etag } })).status).toBe(200);
  });

  it("never sends a book that is not synced, and says why", async () => {
    const { api, gateway, producer } = await serve();
    const eth = await api.ask("/api/v1/orderbook/coinbase/eth-usd");
    expect([eth.status, eth.value.code, eth.value.state]).toEqual([503, "not_synced", "waiting"]);
    expect(eth.headers["retry-after"]).toBe("1");
    producer.update("BTC-USD", [["buy", "2000", "1"]]);
    await until("a crossed book", () => gateway.book(BTC)?.synced !== true);
    for (const query of ["", "?depth=full", "?depth=3"]) {
      const answer = await api.ask(BOOK + query);
      expect([answer.status, answer.value.code]).toEqual([503, "not_synced"]);
      expect(answer.text).not.toContain("bids");
    }
  });

  it("remembers the latest trades, latest first", async () => {
    const { api, gateway, producer } = await serve({ limits: { recentTrades: 8 } });
    const ids = Array.from({ length: 12 }, (_, index) =>
      producer.trade("BTC-USD", { price: "1000.25", size: `0.0${index + 1}` }),
    );
    await until("the trades", () => gateway.stats().exchanges[0]?.totals.trades === 12);
    await new Promise((resume) => setTimeout(resume, 150));
    const { value } = await api.ask("/api/v1/trades/coinbase_exchange/BTC-USD?limit=3");
    const trades = value.trades as { id: string; price: string; aggressor: string }[];
    expect(trades.map(({ id }) => id)).toEqual(ids.slice(-3).reverse());
    expect(trades[0]).toMatchObject({ price: "1000.25", quantity: "0.012", aggressor: "buy", gap_before: false });
    const all = (await api.ask("/api/v1/trades/coinbase_exchange/BTC-USD?limit=1000")).value;
    expect([(all.trades as unknown[]).length, all.total]).toEqual([8, 12]);
  });

  it.each([
    ["/api/v1/orderbook/nowhere/BTC-USD", 404, "unknown_exchange"],
    ["/api/v1/orderbook/coinbase_exchange/BTC-EUR", 404, "unknown_instrument"],
    [`${BOOK}?depth=0`, 400, "invalid_request"],
    [`${BOOK}?depth=1001`, 400, "invalid_request"],
    [`${BOOK}?depth=1.5`, 400, "invalid_request"],
    [`${BOOK}?depth=all`, 400, "invalid_request"],
    [`${BOOK}?depth=1&depth=2`, 400, "invalid_request"],
    [`${BOOK}?levels=1`, 400, "invalid_request"],
    ["/api/v1/nothing", 404, "not_found"],
    ["/api/v1/orderbook/%E0%A4%A/BTC-USD", 404, "not_found"],
    ["/api/v1/docs/../openapi.json", 404, "not_found"],
    ["/api/v1/feeds", 501, "feeds_elsewhere"],
    ["/api/v1/arbitrage/opportunities", 501, "arbitrage_off"],
    ["/api/v1/arbitrage/opportunities?min_profit_bps=-1", 400, "invalid_request"],
  ])("answers %s with %i %s", async (path, status, code) => {
    const { api } = await serve();
    const answer = await api.ask(path);
    expect([answer.status, answer.value.code]).toEqual([status, code]);
  });

  it("answers HEAD, OPTIONS and methods that are not there", async () => {
    const { api } = await serve();
    const head = await api.ask(BOOK, { method: "HEAD" });
    const body = await api.ask(BOOK);
    expect([head.status, head.headers["content-length"]]).toEqual([200, String(body.text.length)]);
    const options = await api.ask("/api/v1/feeds", { method: "OPTIONS", headers: { origin: "http://localhost:5173" } });
    expect([options.status, options.headers.allow]).toEqual([204, "GET, POST, HEAD, OPTIONS"]);
    expect(options.headers["access-control-allow-origin"]).toBe("http://localhost:5173");
    expect((await api.ask(BOOK, { method: "DELETE" })).headers.allow).toBe("GET, HEAD, OPTIONS");
    expect((await api.ask(BOOK, { method: "PATCH", body: "x" })).status).toBe(405);
  });

  it("lets pages of allowed origins read and refuses others", async () => {
    const { api } = await serve({ access: { origins: ["https://app.example"] } });
    const ours = await api.ask(BOOK, { headers: { origin: "https://app.example" } });
    expect([ours.status, ours.headers["access-control-allow-origin"], ours.headers.vary]).toEqual([
      200,
      "https://app.example",
      "origin",
    ]);
    const theirs = await api.ask(BOOK, { headers: { origin: "https://evil.example" } });
    expect([theirs.status, theirs.value.code, theirs.headers["access-control-allow-origin"]]).toEqual([
      403,
      "not_allowed",
      undefined,
    ]);
  });

  it("wants the stream's keys where keys are configured, but for its documents", async () => {
    const { api } = await serve({ access: { keys: [{ name: "one", key: KEY }] } });
    const refused = await api.ask(BOOK);
    expect([refused.status, refused.value.code, refused.headers["www-authenticate"]]).toEqual([
      401,
      "key_needed",
      'Bearer realm="alphapulse"',
    ]);
    const given = [{ authorization: `Bearer ${KEY}` }, { "x-api-key": KEY }];
    expect(await Promise.all(given.map(async (headers) => (await api.ask(BOOK, { headers })).status))).toEqual([
      200, 200,
    ]);
    expect((await api.ask(`${BOOK}?key=${KEY}`)).status).toBe(200);
    const health = await api.ask("/api/v1/system/health", { headers: { "x-api-key": KEY } });
    expect(health.value).toMatchObject({ clients: { refusals: { key: 1 } } });
  });

  it("answers 429 with a time to wait when one address asks too much, and counts it", async () => {
    const { api } = await serve({ limits: { requestsPerAddressPerSecondMax: 1 } });
    const statuses: number[] = [];
    let last = await api.ask(BOOK);
    for (let request = 0; request < 12; request++) {
      last = await api.ask(BOOK);
      statuses.push(last.status);
    }
    expect(statuses).toContain(429);
    expect(Number(last.headers["retry-after"])).toBeGreaterThan(0);
    expect(last.value.code).toBe("too_many_requests");
  });

  it("limits whole books more than others", async () => {
    const { api } = await serve({ limits: { fullBooksPerAddressPerSecondMax: 0.1 } });
    expect((await api.ask(`${BOOK}?depth=full`)).status).toBe(200);
    const second = await api.ask(`${BOOK}?depth=full`);
    expect([second.status, (await api.ask(BOOK)).status]).toEqual([429, 200]);
  });

  it("changes feeds through whoever owns the collectors, from this machine or with a key", async () => {
    const feeds = new ListedFeeds();
    const { api } = await serve({ feeds });
    const json = { "content-type": "application/json" };
    const add = (value: unknown, headers: Record<string, string> = json) =>
      api.ask("/api/v1/feeds", { method: "POST", headers, body: JSON.stringify(value) });
    const added = await add({ exchange: "Coinbase", symbol: "sol-usd" });
    expect([added.status, added.value]).toEqual([
      201,
      { exchange: "coinbase_exchange", symbol: "SOL-USD", outcome: "added" },
    ]);
    expect((await add({ exchange: "coinbase", symbol: "SOL-USD" })).value.outcome).toBe("already_there");
    expect((await api.ask("/api/v1/feeds")).value.feeds).toEqual([
      { exchange: "coinbase_exchange", symbol: "SOL-USD" },
    ]);
    const removed = await api.ask("/api/v1/feeds/coinbase/sol-usd", { method: "DELETE" });
    expect([removed.status, removed.value.outcome]).toEqual([200, "removed"]);
    expect((await api.ask("/api/v1/feeds/coinbase/sol-usd", { method: "DELETE" })).status).toBe(404);
    expect((await add({ exchange: "coinbase", symbol: "NO-SUCH" })).value.nearest).toEqual(["SOL-USD"]);
    expect((await add({ exchange: "mars", symbol: "A-B" })).value.code).toBe("unknown_exchange");
    expect((await add({ exchange: "coinbase", symbol: "A-B", more: 1 })).status).toBe(400);
    expect((await add({ exchange: "coinbase", symbol: "A-B" }, { "content-type": "text/plain" })).status).toBe(415);
    expect((await add({ exchange: "coinbase", symbol: "A".repeat(100_000) })).status).toBe(413);
    expect((await add({ exchange: "coinbase", symbol: "A-B" }, { ...json, host: "rebound.example" })).status).toBe(403);
    expect(
      (await add({ exchange: "coinbase", symbol: "A-B" }, { ...json, origin: "https://evil.example" })).status,
    ).toBe(403);
  });
});

/** Feeds that are a list; SOL-USD is all that its exchange lists. */
class ListedFeeds implements FeedControl {
  readonly #symbols = new Set<string>();

  list() {
    return [...this.#symbols].map((symbol) => ({ exchange: "coinbase_exchange", symbol }));
  }

  async add(_exchange: string, symbol: string): Promise<FeedOutcome> {
    await new Promise((resume) => setTimeout(resume, 5));
    if (symbol !== "SOL-USD") {
      const message = `Cannot add an instrument: none of that name, was ${symbol}`;
      return { kind: "refused", code: "unknown_instrument", message, nearest: ["SOL-USD"] };
    }
    const isKnown = this.#symbols.has(symbol);
    this.#symbols.add(symbol);
    return { kind: isKnown ? "already_there" : "added" };
  }

  async remove(_exchange: string, symbol: string): Promise<FeedOutcome> {
    await new Promise((resume) => setTimeout(resume, 5));
    return { kind: this.#symbols.delete(symbol) ? "removed" : "not_there" };
  }
}
