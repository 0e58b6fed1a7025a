/**
 * Every route of the REST API under generated requests, valid and not, over real sockets and both transports: each answer
 * fits the served document, and none is 5xx but 501 and 503 with a reason. Bad case: a request that no generator makes.
 */
import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import { ARBITRAGE_RULES } from "../../src/arbitrage/mod.ts";
import { createUwsTransport, createWsTransport } from "../../src/gateway/mod.ts";
import { OPERATIONS, type Operation } from "../../src/rest/operations.ts";
import { ApiWitness, type Asking } from "../support/api_witness.ts";
import { until } from "./gateway_market.ts";
import { BTC, closeAll, startMarket, wideBook } from "./gateway_rig.ts";

afterEach(closeAll);

const RUNS = 1000;
const ROOT = "/api/v1";
/** Stands for a body that is longer than it may be. */
const LONG = "long";
const LONG_BYTES = 70_000;

/** Any bytes, percent-encoded: most are no UTF-8. */
const odd = fc
  .uint8Array({ maxLength: 20 })
  .map((bytes) => [...bytes].map((byte) => `%${byte.toString(16).padStart(2, "0")}`).join(""));
const exchange = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom("coinbase_exchange", "Coinbase", "kraken", "nowhere", "", "..", "%2e%2e") },
  { weight: 1, arbitrary: odd },
);
const symbol = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom("BTC-USD", "btc-usd", "ETH-USD", "XBT%2FUSD", "NO-SUCH", "", "BTC-USD%00") },
  { weight: 1, arbitrary: odd },
);
const queryName = fc.constantFrom("depth", "limit", "min_profit_bps", "max_age_ms", "key", "other", "__proto__", "");
const queryValue = fc.oneof(
  fc.constantFrom(
    "full",
    "1",
    "50",
    "1000",
    "0",
    "-1",
    "1001",
    "1e3",
    "0x10",
    "NaN",
    "Infinity",
    "9".repeat(400),
    "1.5",
    "",
  ),
  fc.integer().map(String),
  odd,
);
const query = fc
  .array(fc.tuple(queryName, queryValue), { maxLength: 3 })
  .map((pairs) => (pairs.length === 0 ? "" : `?${pairs.map(([name, value]) => `${name}=${value}`).join("&")}`));
const templates = Object.values<Operation>(OPERATIONS).map(({ path }) => path);
const path = fc
  .tuple(fc.constantFrom(...templates, "/docs", "/docs/x", "/openapi.json", "/", "/nothing"), exchange, symbol, query)
  .map(
    ([template, one, other, rest]) => `${ROOT}${template.replace("{exchange}", one).replace("{symbol}", other)}${rest}`,
  );
const body = fc.oneof(
  fc.constant(undefined),
  fc.constantFrom('{"exchange":"coinbase","symbol":"SOL-USD"}', "{", "null", "[]", '{"exchange":1}', '"text"', "é"),
  fc.uint8Array({ maxLength: 200 }),
  fc.json({ maxDepth: 2 }),
  fc.constant(LONG),
);
const headers = fc.record(
  {
    "content-type": fc.constantFrom("application/json", "application/json; charset=utf-8", "text/plain", ""),
    origin: fc.constantFrom("http://localhost:5173", "https://evil.example", "null", "://"),
    "if-none-match": fc.constantFrom("*", '"x"', 'W/"x", "y"', ""),
    "x-api-key": fc.constantFrom("", "wrong"),
    authorization: fc.constantFrom("", "Bearer x", "Basic x"),
    "x-forwarded-for": fc.constantFrom("1.2.3.4", "unknown", ""),
  },
  { requiredKeys: [] },
);
const asking = fc.record({
  method: fc.constantFrom("GET", "GET", "GET", "HEAD", "POST", "DELETE", "PUT", "PATCH", "OPTIONS"),
  headers,
  body,
});

describe.each([
  ["uWebSockets.js", createUwsTransport],
  ["ws", () => Promise.resolve(createWsTransport())],
] as const)("Any request over %s", (_name, createTransport) => {
  it("is answered as the document says, and never by a failure, when it is generated", async () => {
    const market = startMarket();
    const producer = market.produce();
    producer.snapshot("BTC-USD", wideBook(300));
    const gateway = await market.serve({
      transport: await createTransport(),
      arbitrage: { ...ARBITRAGE_RULES, feesBps: { coinbase_exchange: 5 } },
      limits: { requestsPerAddressPerSecondMax: 1e6, fullBooksPerAddressPerSecondMax: 1e6 },
    });
    await until("a synced book", () => gateway.book(BTC)?.synced === true);
    const beats = setInterval(() => producer.beat(), 100);
    const api = await ApiWitness.open(gateway.port);
    const seen = new Map<number, number>();
    try {
      await fc.assert(
        fc.asyncProperty(path, asking, async (asked, { method, headers: given, body: content }) => {
          const isBodied = content !== undefined && !["GET", "HEAD"].includes(method);
          const request: Asking = {
            method,
            headers: given,
            ...(isBodied ? { body: content === LONG ? "x".repeat(LONG_BYTES) : content } : {}),
          };
          const { status, value } = await api.ask(asked, request);
          seen.set(status, (seen.get(status) ?? 0) + 1);
          if (status >= 500) {
            expect([501, 503]).toContain(status);
            expect(method === "HEAD" || String(value.detail).length > 10).toBe(true);
          }
        }),
        { numRuns: RUNS },
      );
    } finally {
      clearInterval(beats);
    }
    for (const status of [200, 204, 400, 404, 405]) {
      expect(seen.get(status) ?? 0, `answers of ${status}`).toBeGreaterThan(0);
    }
  });

  it("is answered with 200 when every value is one that the document allows", async () => {
    const market = startMarket();
    const producer = market.produce({ natives: ["BTC-USD"] });
    producer.snapshot("BTC-USD", wideBook(300));
    const gateway = await market.serve({
      transport: await createTransport(),
      arbitrage: { ...ARBITRAGE_RULES, feesBps: { coinbase_exchange: 5 } },
      limits: { requestsPerAddressPerSecondMax: 1e6, fullBooksPerAddressPerSecondMax: 1e6 },
    });
    await until("a synced book", () => gateway.book(BTC)?.synced === true);
    const beats = setInterval(() => producer.beat(), 100);
    const api = await ApiWitness.open(gateway.port);
    const valid: fc.Arbitrary<string> = fc.oneof(
      fc
        .oneof(fc.integer({ min: 1, max: 1000 }), fc.constant("full"))
        .map((depth) => `/orderbook/coinbase/btc-usd?depth=${depth}`),
      fc.integer({ min: 1, max: 1000 }).map((limit) => `/trades/coinbase_exchange/BTC-USD?limit=${limit}`),
      fc.constantFrom(
        "/delta-stats/coinbase/BTC-USD",
        "/delta-stats/summary",
        "/exchanges",
        "/instruments",
        "/system/health",
      ),
      fc
        .tuple(fc.integer({ min: 0, max: 1_000_000_000 }), fc.integer({ min: 0, max: 86_400_000 }))
        .map(([bps, age]) => `/arbitrage/opportunities?min_profit_bps=${bps / 1000}&max_age_ms=${age}`),
    );
    try {
      await fc.assert(
        fc.asyncProperty(valid, async (asked) => {
          expect((await api.ask(`${ROOT}${asked}`)).status).toBe(200);
        }),
        { numRuns: RUNS / 2 },
      );
    } finally {
      clearInterval(beats);
    }
  });
});
