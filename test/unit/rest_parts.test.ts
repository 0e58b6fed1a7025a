/** Parts of the REST API without a gateway: the ring of trades, limits and access of requests, values, symbols. */
import { describe, expect, it } from "vitest";
import {
  TRADE_BYTES,
  TRADE_FLAG_GAP_BEFORE,
  TRADE_FLAGS,
  TRADE_PRICE,
  TRADE_QUANTITY,
  TRADE_VERSION,
} from "../../assembly/layout.ts";
import { Access, type AccessRules, accessRules } from "../../src/gateway/access.ts";
import { completeLimits, type GatewayLimits } from "../../src/gateway/limits.ts";
import { MessageCredit } from "../../src/gateway/message_credit.ts";
import { RecentTrades } from "../../src/gateway/recent_trades.ts";
import { bookParts } from "../../src/gateway/rest/book_route.ts";
import {
  findInstrument,
  type InstrumentDirectory,
  type NamedInstrument,
} from "../../src/gateway/rest/instrument_lookup.ts";
import type { BookHead } from "../../src/gateway/rest/parts.ts";
import { readParameters } from "../../src/gateway/rest/request_values.ts";
import type { HttpRequest } from "../../src/gateway/transport.ts";
import { framedBytes } from "../../src/gateway/websocket_bytes.ts";
import { OPERATIONS } from "../../src/rest/operations.ts";
import { plainRequest } from "../support/http_requests.ts";

const KEY = "0123456789abcdef-parts";

describe("RecentTrades", () => {
  const record = (version: bigint, price: bigint): Uint8Array => {
    const view = new DataView(new ArrayBuffer(TRADE_BYTES));
    view.setBigUint64(TRADE_VERSION, version, true);
    view.setBigInt64(TRADE_PRICE, price, true);
    view.setBigInt64(TRADE_QUANTITY, 5n, true);
    return new Uint8Array(view.buffer);
  };
  const exponents = { priceExponent: 2, quantityExponent: 1 };

  it("keeps the last ones, latest first, and no more than it may", () => {
    const recent = new RecentTrades({ capacity: 3, instrument: "kraken:BTC-USD" });
    expect(recent.latest(10)).toEqual([]);
    for (let version = 1n; version <= 5n; version++) {
      recent.add(record(version, version), 0, exponents);
    }
    expect(recent.latest(10).map(({ version, price, quantity }) => [version, price, quantity])).toEqual([
      ["5", "0.05", "0.5"],
      ["4", "0.04", "0.5"],
      ["3", "0.03", "0.5"],
    ]);
    expect(recent.latest(1).length).toBe(1);
  });

  it("keeps each trade's exponents when a rescale changes them", () => {
    const recent = new RecentTrades({ capacity: 4, instrument: "kraken:BTC-USD" });
    recent.add(record(1n, 100n), 0, exponents);
    recent.add(record(2n, 1000n), 0, { priceExponent: 3, quantityExponent: 1 });
    expect(recent.latest(2).map(({ price }) => price)).toEqual(["1", "1"]);
  });

  it("marks the first trade after some were missed, and only that", () => {
    const recent = new RecentTrades({ capacity: 4, instrument: "kraken:BTC-USD" });
    recent.noteGap();
    recent.add(record(1n, 1n), 0, exponents);
    recent.noteGap();
    const bytes = record(4n, 1n);
    recent.add(bytes, 0, exponents);
    recent.add(record(5n, 1n), 0, exponents);
    expect(recent.latest(3).map(({ gapBefore }) => gapBefore)).toEqual([false, true, false]);
    expect(new DataView(bytes.buffer).getUint16(TRADE_FLAGS, true) & TRADE_FLAG_GAP_BEFORE).toBe(0);
  });
});

describe("MessageCredit", () => {
  it("says how long to wait when there is none left", () => {
    const credit = new MessageCredit({ perSecond: 0.1, nowMs: 0 });
    expect([credit.take(0), credit.take(0)]).toEqual([true, false]);
    expect(credit.secondsUntilNext).toBe(10);
    expect([credit.take(9000), credit.secondsUntilNext]).toEqual([false, 1]);
    expect(credit.take(10_001)).toBe(true);
  });
});

describe("Access to REST", () => {
  const gate = (rules: Partial<AccessRules> = {}, limits: Partial<GatewayLimits> = {}) =>
    new Access(accessRules(rules), { limits: completeLimits(limits), now: () => 0 });
  const asked = (given: Partial<HttpRequest> = {}) => plainRequest("/api/v1/feeds", given);

  it("takes changes from this machine only, by its own name, when no key is configured", () => {
    const access = gate();
    const changes = (given: Partial<HttpRequest>) => access.refuseRequest(asked(given), "change")?.status ?? 200;
    expect(changes({})).toBe(200);
    expect(changes({ host: "[::1]:8765", address: "::ffff:127.0.0.1" })).toBe(200);
    expect(changes({ address: "192.0.2.1" })).toBe(403);
    expect(changes({ host: "rebound.example" })).toBe(403);
    expect(changes({ host: "" })).toBe(403);
    expect(changes({ origin: "https://evil.example" })).toBe(403);
    expect(access.refusals).toMatchObject({ key: 3, origin: 1 });
  });

  it("takes changes from anywhere with a key when keys are configured", () => {
    const access = gate({ keys: [{ name: "one", key: KEY }] });
    expect(access.refuseRequest(asked({ address: "192.0.2.1", apiKey: KEY }), "change")).toBeUndefined();
    expect(access.refuseRequest(asked(), "change")?.status).toBe(401);
    expect(access.refuseRequest(asked(), "open")).toBeUndefined();
    expect(access.refuseRequest(asked({ query: `key=${KEY}` }), "read")).toBeUndefined();
  });

  it("keeps requests and attempts to connect apart, each with its own bucket", () => {
    const access = gate({}, { requestsPerAddressPerSecondMax: 1, attemptsPerAddressPerSecondMax: 1 });
    for (let request = 0; request < 10; request++) {
      expect(access.refuseRequest(asked(), "read")).toBeUndefined();
    }
    expect(access.refuseRequest(asked(), "read")).toMatchObject({ status: 429, code: "requests", retryAfter: 1 });
    expect(access.refuse({ ...asked(), protocols: [] }, 0)).toBeUndefined();
    expect(access.refusals.requests).toBe(1);
  });
});

describe("findInstrument", () => {
  const instrument = (symbol: string, native: string): NamedInstrument => ({
    name: { instrument: `kraken:${symbol}`, exchange: "kraken", symbol },
    binding: { native },
  });
  const all = [instrument("BTC-USD", "XBT/USD"), instrument("A-BC", "ABC"), instrument("AB-C", "abc")];
  const instruments: InstrumentDirectory<NamedInstrument> = {
    all: () => all,
    get: (name) => all.find((one) => one.name.instrument === name),
    nearest: () => ["kraken:BTC-USD"],
  };
  const find = (symbol: string, exchange = "Kraken") => {
    const found = findInstrument(instruments, { exchange, symbol });
    return "code" in found ? found.code : found.name.symbol;
  };

  it("takes canonical and native spellings in any case, and refuses what names two", () => {
    expect([find("btc-usd"), find("xbt/usd"), find("BTC-USD")]).toEqual(["BTC-USD", "BTC-USD", "BTC-USD"]);
    expect(find("abc")).toBe("ambiguous_symbol");
    expect([find("none"), find("BTC-USD", "mars")]).toEqual(["unknown_instrument", "unknown_exchange"]);
  });
});

describe("readParameters", () => {
  const read = (query: string) =>
    readParameters(OPERATIONS.getOrderBook, { path: { exchange: "kraken", symbol: "BTC-USD" }, query });

  it("takes defaults and numbers, and the key that is none of its business", () => {
    expect(read("")).toEqual({ values: { exchange: "kraken", symbol: "BTC-USD", depth: 50 } });
    expect(read("depth=7&key=x")).toMatchObject({ values: { depth: 7 } });
    expect(read("depth=full")).toMatchObject({ values: { depth: "full" } });
  });

  it.each(["depth=07", "depth=1e2", "depth=", "depth=%31&depth=1", "x=1", "depth=Full", "exchange=kraken"])(
    "refuses %s",
    (query) => {
      expect(read(query)).toHaveProperty("errors");
    },
  );
});

describe("bookParts", () => {
  it("make JSON when sides are empty, small or larger than a part", () => {
    const head = { price_exponent: 2, quantity_exponent: 0 } as BookHead;
    const side = (levels: number) => {
      const view = new DataView(new ArrayBuffer(levels * 16));
      for (let level = 0; level < levels; level++) {
        view.setBigInt64(level * 16, BigInt(level), true);
        view.setBigInt64(level * 16 + 8, 3n, true);
      }
      return view;
    };
    for (const [bids, asks] of [
      [0, 0],
      [1, 0],
      [0, 512],
      [513, 1025],
    ] as const) {
      const parts = [...bookParts({ head, bids: side(bids), asks: side(asks) })];
      const book = JSON.parse(Buffer.concat(parts).toString()) as { bids: string[][]; asks: string[][] };
      expect([book.bids.length, book.asks.length]).toEqual([bids, asks]);
      expect(book.asks.at(-1)).toEqual(asks === 0 ? undefined : [String((asks - 1) / 100), "3"]);
    }
  });
});

describe("framedBytes", () => {
  it("counts the header that a WebSocket frame of each size has", () => {
    expect([0, 1, 125, 126, 65_535, 65_536].map(framedBytes)).toEqual([0, 3, 127, 130, 65_539, 65_546]);
  });
});
