/**
 * The adapters against what exchanges really sent: captured instrument lists, depth bodies and control frames; and the
 * exact texts that we send. Bad case: a field that is named otherwise in reality; only captured bodies show it.
 */
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { TRADING_OPEN, TRADING_UNKNOWN } from "../../assembly/layout.ts";
import { decimalsOf } from "../../src/exchanges/decimals.ts";
import { type ControlEvent, EXCHANGES } from "../../src/exchanges/mod.ts";
import { EXCHANGE_IDS } from "../../src/model/exchange_id.ts";
import { capturePath, capturesPresent, readCapture } from "../support/captures.ts";

const HAS_CAPTURES = capturesPresent();
const { coinbase_exchange, kraken, binance, binance_us } = EXCHANGES;

function body(file: string): string {
  return gunzipSync(readFileSync(capturePath(file))).toString("utf8");
}

function requestIds(): () => number {
  let last = 0;
  return () => {
    last += 1;
    return last;
  };
}

describe("decimalsOf", () => {
  it("counts the digits that a tick needs", () => {
    const cases: [string, number | undefined][] = [
      ["0.01000000", 2],
      ["0.00000001", 8],
      ["1", 0],
      ["1.0", 0],
      ["10", 0],
      ["100.50", 1],
      ["0", undefined],
      ["0.000", undefined],
      ["", undefined],
      ["1e-7", undefined],
      ["-0.1", undefined],
      [".5", undefined],
    ];
    expect(cases.map(([text]) => [text, decimalsOf(text)])).toEqual(cases);
  });
});

describe("the registry", () => {
  it("holds each exchange under its own id, with addresses of the right kind and defaults that its depths allow", () => {
    for (const id of EXCHANGE_IDS) {
      const { header } = EXCHANGES[id];
      expect(header.id).toBe(id);
      expect(header.websocketUrls.every((url) => new URL(url).protocol === "wss:")).toBe(true);
      expect(new URL(header.restUrl).protocol).toBe("https:");
      expect(header.depths).toContain(header.defaultDepth);
    }
  });
});

describe.skipIf(!HAS_CAPTURES)("captured instrument lists", () => {
  it("of Coinbase Exchange are read whole", () => {
    const { instruments, unreadable } = coinbase_exchange.readMetadata(
      body("coinbase_exchange/rest_products_20210417.json.gz"),
    );
    expect(unreadable).toEqual([]);
    expect(instruments.length).toBeGreaterThan(100);
    expect(instruments.find(({ canonical }) => canonical === "BTC-GBP")).toEqual({
      native: "BTC-GBP",
      canonical: "BTC-GBP",
      priceExponent: 2,
      quantityExponent: 8,
      tradingStatus: TRADING_OPEN,
    });
  });

  it("of Kraken are read but for dark pools, and renamed", () => {
    const { instruments, unreadable } = kraken.readMetadata(body("kraken/rest_AssetPairs_20210417.json.gz"));
    expect(unreadable.every((name) => name.endsWith(".d"))).toBe(true);
    const find = (canonical: string) => instruments.find((it) => it.canonical === canonical);
    expect(find("BTC-USD")).toMatchObject({ native: "BTC/USD", priceExponent: 1, quantityExponent: 8 });
    expect(find("DOGE-BTC")).toMatchObject({ native: "DOGE/BTC", tradingStatus: TRADING_UNKNOWN });
    expect(instruments.some(({ canonical }) => /XBT|XDG/.test(canonical))).toBe(false);
  });

  it("of Kraken in 2026 carry the trading status", () => {
    const { instruments } = kraken.readMetadata(body("kraken/rest_AssetPairs_5pairs_20260707.json.gz"));
    expect(instruments.map(({ canonical, tradingStatus }) => [canonical, tradingStatus])).toContainEqual([
      "DOGE-USD",
      TRADING_OPEN,
    ]);
    expect(instruments).toHaveLength(5);
  });

  it("of Binance and Binance.US are read whole, names split as the exchange says", () => {
    for (const [exchange, file] of [
      [binance, "binance/rest_exchangeInfo_20211012.json.gz"],
      [binance_us, "binance_us/rest_exchangeInfo_20211012.json.gz"],
    ] as const) {
      const { instruments, unreadable } = exchange.readMetadata(body(file));
      expect(unreadable).toEqual([]);
      expect(instruments.every((it) => exchange.nativeName(it.canonical) === it.native)).toBe(true);
      const right = instruments.filter((it) => exchange.canonicalName(it.native) === it.canonical).length;
      expect(right / instruments.length).toBeGreaterThan(0.99);
    }
  });

  it("of Binance give the decimals of tick and lot", () => {
    const { instruments } = binance.readMetadata(body("binance/rest_exchangeInfo_20211012.json.gz"));
    expect(instruments.find(({ native }) => native === "ETHBTC")).toMatchObject({
      priceExponent: 6,
      quantityExponent: 4,
    });
  });
});

describe.skipIf(!HAS_CAPTURES)("captured control frames", () => {
  const eventsOf = (id: (typeof EXCHANGE_IDS)[number], file: string): ControlEvent[] =>
    readCapture(file).flatMap((line) => {
      const isControl =
        line.t === "recv" && /"(method|event|channels|status|result)"/.test(line.data?.slice(0, 300) ?? "");
      return isControl ? EXCHANGES[id].readControl(line.data ?? "") : [];
    });

  it("of Coinbase Exchange accept every channel of every product, though the book is called otherwise", () => {
    const events = eventsOf("coinbase_exchange", "coinbase_exchange/level2_batch_matches_heartbeat_20260707.jsonl.gz");
    const accepted = events
      .filter((event) => event.kind === "accepted")
      .map(({ channel, native }) => `${channel} ${native}`);
    const channels = ["book", "heartbeat", "trades"];
    expect(accepted.sort()).toEqual(channels.flatMap((name) => [`${name} BTC-USD`, `${name} ETH-USD`]));
  });

  it("of Kraken v2 accept one symbol each, the book with its depth", () => {
    const events = eventsOf("kraken", "kraken/v2_book10_trade_btcusd_ethusd_20260707_first1800.jsonl.gz");
    expect(events[0]).toEqual({ kind: "status", tradingStatus: TRADING_OPEN, isMaintenance: false, reason: "online" });
    expect(events.slice(1)).toEqual([
      { kind: "accepted", channel: "book", native: "BTC/USD", depth: 10 },
      { kind: "accepted", channel: "book", native: "ETH/USD", depth: 10 },
      { kind: "accepted", channel: "trades", native: "BTC/USD" },
      { kind: "accepted", channel: "trades", native: "ETH/USD" },
    ]);
  });

  it("of Kraken v1 say the depth too", () => {
    const events = eventsOf("kraken", "kraken/v1_book1000_10pairs_20210405.jsonl.gz");
    const books = events.filter((event) => event.kind === "accepted" && event.depth === 1000);
    expect(books).toHaveLength(10);
  });
});

describe.skipIf(!HAS_CAPTURES)("captured depth bodies", () => {
  it("give their update id without being parsed", () => {
    const text = body("binance/rest_depth100_btcusdt_20260707.json.gz");
    expect(binance.snapshotSequence(new TextEncoder().encode(text))).toBe(97_109_906_740n);
  });

  it("name their instrument in the address, whichever version of it", () => {
    for (const line of readCapture("binance/spot_10pairs_20210405.jsonl.gz").filter(({ t }) => t === "http")) {
      expect(line.url).toContain(`symbol=${binance.snapshotNative(line.url ?? "")}`);
    }
  });
});

describe("a depth body", () => {
  const read = (text: string) => binance.snapshotSequence(new TextEncoder().encode(text));

  it("gives its update id when it stands behind the levels, and none when there is none", () => {
    const levels = '"bids":[["1","2"],["3","4"],["5","6"],["7","8"],["9","10"],["11","12"]]';
    expect(read(`{${levels},"lastUpdateId" : 9007199254740993 }`)).toBe(9_007_199_254_740_993n);
    expect(read('{"code":-1121,"msg":"Invalid symbol."}')).toBeUndefined();
    expect(read("")).toBeUndefined();
  });

  it("is asked for with the weight that the documentation says", () => {
    const weights = [100, 500, 1000, 5000].map((levels) => binance.snapshotRequest("BTCUSDT", levels)?.weight);
    expect(weights).toEqual([5, 25, 50, 250]);
    const american = [100, 500, 1000, 5000].map((levels) => binance_us.snapshotRequest("BTCUSD", levels)?.weight);
    expect(american).toEqual([1, 5, 10, 50]);
    expect(binance.snapshotRequest("BTCUSDT", 5000)?.path).toBe("/api/v3/depth?symbol=BTCUSDT&limit=5000");
  });

  it("names no instrument when the address is another", () => {
    expect(binance.snapshotNative("https://api.binance.com/api/v3/exchangeInfo?symbol=BTCUSDT")).toBeUndefined();
    expect(binance.snapshotNative("/api/v3/depth?limit=5&symbol=BTC%2FX")).toBe("BTC/X");
  });
});

describe("what we send", () => {
  const request = (natives: string[]) => ({ natives, channels: ["book", "trades", "heartbeat"] as const, depth: 10 });

  it("is as each exchange documents it", () => {
    const nextRequestId = requestIds();
    const texts = (exchange: (typeof EXCHANGES)[keyof typeof EXCHANGES], natives: string[]) =>
      exchange.subscribe({ ...request(natives), nextRequestId }).map(({ text }) => text);
    expect(texts(coinbase_exchange, ["BTC-USD", "ETH-USD"])).toEqual([
      '{"type":"subscribe","product_ids":["BTC-USD","ETH-USD"],"channels":["level2_batch","matches","heartbeat"]}',
    ]);
    expect(texts(kraken, ["BTC/USD"])).toEqual([
      '{"method":"subscribe","params":{"channel":"book","symbol":["BTC/USD"],"depth":10,"snapshot":true},"req_id":1}',
      '{"method":"subscribe","params":{"channel":"trade","symbol":["BTC/USD"],"snapshot":false},"req_id":2}',
    ]);
    expect(texts(binance, ["BTCUSDT", "ETHUSDT"])).toEqual([
      '{"method":"SUBSCRIBE","params":["btcusdt@depth@100ms","btcusdt@trade","ethusdt@depth@100ms","ethusdt@trade"],"id":3}',
    ]);
  });

  it("unsubscribes one book without touching its trades", () => {
    const nextRequestId = requestIds();
    const book = { natives: ["BTC/USD"], channels: ["book"] as const, depth: 25, nextRequestId };
    expect(kraken.unsubscribe(book).map(({ text }) => text)).toEqual([
      '{"method":"unsubscribe","params":{"channel":"book","symbol":["BTC/USD"],"depth":25},"req_id":1}',
    ]);
    expect(coinbase_exchange.unsubscribe({ ...book, natives: ["BTC-USD"] }).map(({ text }) => text)).toEqual([
      '{"type":"unsubscribe","product_ids":["BTC-USD"],"channels":["level2_batch"]}',
    ]);
  });
});

describe("control frames", () => {
  it("are no event when they mean nothing for us", () => {
    const texts = [
      '{"type":"subscriptions"}',
      '{"method":"pong","req_id":1}',
      '{"result":["btcusdt@trade"]}',
      "[1]",
      "7",
    ];
    for (const text of texts) {
      expect(EXCHANGE_IDS.flatMap((id) => EXCHANGES[id].readControl(text))).toEqual([]);
    }
  });

  it("of Binance are read with and without their envelope", () => {
    const shutdown = { kind: "reconnect", reason: "serverShutdown" };
    expect(binance.readControl('{"e":"serverShutdown","E":1}')).toEqual([shutdown]);
    expect(binance.readControl('{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1}}')).toEqual([shutdown]);
    expect(binance.readControl('{"code":2,"msg":"Invalid request","id":null}')).toEqual([
      { kind: "error", reason: "2 Invalid request" },
    ]);
  });

  it("of Kraken tell a refusal by its fields, not by its words", () => {
    expect(
      kraken.readControl('{"error":"anything","method":"subscribe","req_id":3,"success":false,"symbol":"X/Y"}'),
    ).toEqual([{ kind: "refused", native: "X/Y", requestId: 3, reason: "anything" }]);
    expect(
      kraken.readControl('{"event":"subscriptionStatus","pair":"XBT/USD","status":"error","errorMessage":"no"}'),
    ).toEqual([{ kind: "refused", native: "XBT/USD", reason: "no" }]);
    expect(kraken.readControl('{"event":"systemStatus","status":"maintenance"}')).toMatchObject([
      { isMaintenance: true },
    ]);
  });
});
