/**
 * Playback of captures: byte-exact, in order, timed, spliced, started again; and the errors of broken files.
 * Bad case: the recorded captures are missing; those tests skip and say so, the hand-written ones run anyway.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, afterEach, describe, expect, test } from "vitest";
import { loadCapture } from "../../src/emulator/capture_source.ts";
import { type Emulator, startEmulator } from "../../src/emulator/mod.ts";
import { ConfigError, DecodeError } from "../../src/errors.ts";
import type { ExchangeId } from "../../src/model/exchange_id.ts";
import { capturePath, capturesPresent, readCapture } from "../support/captures.ts";
import { Client, rest, sleep, until } from "./client.ts";

const folder = mkdtempSync(join(tmpdir(), "alphapulse-emulator-"));
let emulator: Emulator | undefined;
const clients: Client[] = [];

afterEach(async () => {
  for (const client of clients.splice(0)) {
    client.close();
  }
  await emulator?.close();
  emulator = undefined;
});
afterAll(() => rmSync(folder, { recursive: true }));

type Line = { t: string; data?: string; ts?: string; url?: string; exchange?: string };

function write(name: string, exchange: ExchangeId, lines: readonly Line[]): string {
  const path = join(folder, name);
  const text = [{ t: "header", exchange }, ...lines].map((line) => `${JSON.stringify(line)}\n`).join("");
  writeFileSync(path, name.endsWith(".gz") ? gzipSync(text) : text);
  return path;
}

async function start(exchange: ExchangeId, files: readonly string[], speed = 0): Promise<Emulator> {
  emulator = await startEmulator({ exchanges: [exchange], source: { kind: "capture", files, speed, exchange } });
  return emulator;
}

async function connect(exchange: ExchangeId, path = ""): Promise<Client> {
  const client = await Client.open((emulator?.endpoints[exchange].websocket ?? "") + path);
  clients.push(client);
  return client;
}

function diff(symbol: string, first: number, last: number): Line {
  const payload = `{"e":"depthUpdate","E":1700000000000,"s":"${symbol}","U":${first},"u":${last},"b":[["1.50000000","2.00000000"]],"a":[]}`;
  return { t: "recv", data: `{"stream":"${symbol.toLowerCase()}@depth@100ms","data":${payload}}` };
}

function trade(symbol: string, id: number): Line {
  const payload = `{"e":"trade","E":1700000000000,"s":"${symbol}","t":${id},"p":"1.50000000","q":"2.00000000","T":1700000000000,"m":true,"M":true}`;
  return { t: "recv", data: `{"stream":"${symbol.toLowerCase()}@trade","data":${payload}}` };
}

function body(symbol: string, id: number): Line {
  return {
    t: "http",
    url: `https://api.binance.com/api/v3/depth?symbol=${symbol}&limit=1000`,
    data: `{"lastUpdateId":${id},"bids":[["1.50","1"]],"asks":[]}`,
  };
}

describe("A capture", () => {
  test("is served byte-exact and in order, and again from the start when a client reconnects", async () => {
    const odd =
      '{"stream":"aaabtc@depth@100ms","data":{"e":"depthUpdate", "E":1,"s":"AAABTC","U":12,"u":12,"b":[],"a":[["4.9e-7","1"]],"x":"\\u00e9é€"}}';
    const lines = [
      diff("AAABTC", 10, 11),
      { t: "recv", data: odd },
      { t: "recv", data: "{not json" },
      trade("AAABTC", 1),
    ];
    const file = write("exact.jsonl.gz", "binance", [...lines, { t: "recv", data: '{"result":null,"id":1}' }]);
    const { finished } = await start("binance", [file]);
    for (let round = 0; round < 2; round += 1) {
      const client = await connect("binance", "/stream?streams=aaabtc@depth@100ms/aaabtc@aggTrade");
      await until(() => client.frames.length === 4);
      await finished;
      expect(client.frames).toEqual(lines.map((line) => line.data));
      client.close();
    }
  });

  test("is one stream when it comes in several files, and keeps its own timing", async () => {
    const first = write("part1.jsonl", "binance", [
      { ...diff("AAABTC", 1, 1), ts: "1700000000.000000001" },
      { ...diff("AAABTC", 2, 2), ts: "1700000000.200000001" },
    ]);
    const second = write("part2.jsonl", "binance", [{ ...diff("AAABTC", 3, 3), ts: "1700000000.400000001" }]);
    const { records } = await loadCapture([first, second], "binance");
    expect(records.map((record) => record.atUs)).toEqual([0, 200_000, 400_000]);
    await start("binance", [first, second], 1);
    const client = await connect("binance", "/stream?streams=aaabtc@depth@100ms");
    const arrivals: number[] = [];
    client.socket.on("message", () => arrivals.push(performance.now()));
    await until(() => client.frames.length === 3);
    expect((arrivals[2] ?? 0) - (arrivals[0] ?? 0)).toBeGreaterThan(350);
  });

  test("takes its times from the frames when it has no receive times", async () => {
    const l2 = (time: string): Line => ({
      t: "recv",
      data: `{"type":"l2update","product_id":"A-USD","changes":[["buy","1.50","2.0"]],"time":"${time}"}`,
    });
    const last = {
      t: "recv",
      data: '{"type":"last_match","trade_id":1,"product_id":"A-USD","sequence":9,"time":"2020-01-01T00:00:00.000000Z"}',
    };
    const file = write("untimed.jsonl", "coinbase_exchange", [
      l2("2026-07-07T22:58:17.000001Z"),
      last,
      l2("0001-01-01T00:00:00.000000Z"),
      l2("2026-07-07T22:58:17.500001Z"),
      l2("2026-07-07T22:58:17.400000Z"),
    ]);
    const { records } = await loadCapture([file], "coinbase_exchange");
    expect(records.map((record) => record.atUs)).toEqual([0, 1_000, 2_000, 500_000, 500_000]);
  });

  test("holds a depth answer until the stream has reached the recorded place", async () => {
    const file = write("held.jsonl", "binance", [
      { ...diff("AAABTC", 1, 1), ts: "1700000000.0" },
      { ...diff("AAABTC", 2, 2), ts: "1700000000.5" },
      { ...body("AAABTC", 2), ts: "1700000000.6" },
      { ...diff("AAABTC", 3, 3), ts: "1700000000.7" },
    ]);
    const held = await start("binance", [file], 1);
    const client = await connect("binance", "/stream?streams=aaabtc@depth@100ms");
    await until(() => client.frames.length === 1);
    const answer = await rest(held, "binance", "/api/v3/depth?symbol=AAABTC&limit=5");
    expect(answer.body).toBe('{"lastUpdateId":2,"bids":[["1.50","1"]],"asks":[]}');
    expect(client.frames.length).toBeGreaterThanOrEqual(2);
    await held.finished;
    expect(client.frames).toHaveLength(3);
    expect((await rest(held, "binance", "/api/v1/depth?symbol=AAABTC")).status).toBe(200);
  });

  test("refuses a depth that it does not hold", async () => {
    const file = write("nosnapshot.jsonl", "binance", [diff("AAABTC", 1, 1)]);
    const started = await start("binance", [file]);
    expect((await rest(started, "binance", "/api/v3/depth?symbol=AAABTC")).status).toBe(503);
    expect((await rest(started, "binance", "/api/v3/depth?symbol=BBBBTC")).status).toBe(400);
  });

  test("starts after 2 s for a client that subscribes to a part, which alone it gets", async () => {
    const file = write("part.jsonl", "binance", [
      diff("AAABTC", 1, 1),
      diff("BBBUSDT", 1, 1),
      trade("BBBUSDT", 1),
      diff("AAABTC", 2, 2),
    ]);
    const { finished } = await start("binance", [file]);
    const client = await connect("binance", "/stream?streams=aaabtc@depth@100ms");
    await sleep(1_000);
    expect(client.frames).toHaveLength(0);
    await finished;
    await until(() => client.frames.length === 2);
  });

  test("lists its instruments with the precision of its tokens", async () => {
    const file = write("listing.jsonl", "binance", [
      {
        t: "recv",
        data: '{"stream":"renbtceth@depth@100ms","data":{"e":"depthUpdate","E":1,"s":"RENBTCETH","U":1,"u":1,"b":[["33.12300000","0.50000000"],["33.00000000","0.00000000"]],"a":[]}}',
      },
    ]);
    const { listings } = await loadCapture([file], "binance");
    expect(listings).toEqual([
      {
        native: "RENBTCETH",
        base: "RENBTC",
        quote: "ETH",
        priceDecimals: 3,
        quantityDecimals: 1,
        pricePadding: 8,
        quantityPadding: 8,
      },
    ]);
  });

  test("reads base and quote from symbols by the exchange's own quotes", async () => {
    const lines = ["HNTUSD", "BNBUSD", "SOLUSDT", "ETHBTC"].map((symbol) => diff(symbol, 1, 1));
    const ours = await loadCapture([write("us.jsonl", "binance_us", lines)], "binance_us");
    expect(ours.listings.map(({ base, quote }) => `${base}-${quote}`)).toEqual([
      "HNT-USD",
      "BNB-USD",
      "SOL-USDT",
      "ETH-BTC",
    ]);
    const com = await loadCapture([write("com.jsonl", "binance", [diff("BTCBUSD", 1, 1)])], "binance");
    expect(com.listings.map(({ base, quote }) => `${base}-${quote}`)).toEqual(["BTC-BUSD"]);
  });

  test("goes on with heartbeats that repeat the last trade after its last frame", async () => {
    const frames = [
      '{"type":"snapshot","product_id":"A-USD","asks":[["2.00","1.0"]],"bids":[["1.00","1.0"]],"time":"2026-07-07T22:58:17.000000Z"}',
      '{"type":"match","trade_id":41,"product_id":"A-USD","sequence":900,"time":"2026-07-07T22:58:17.100000Z"}',
      '{"type":"heartbeat","last_trade_id":41,"product_id":"A-USD","sequence":907,"time":"2026-07-07T22:58:18.000000Z"}',
    ];
    const file = write(
      "beats.jsonl",
      "coinbase_exchange",
      frames.map((data) => ({ t: "recv", data })),
    );
    await start("coinbase_exchange", [file]);
    const client = await connect("coinbase_exchange");
    client.send({ type: "subscribe", product_ids: ["A-USD"], channels: ["level2_batch", "matches", "heartbeat"] });
    await until(() => client.frames.length >= 6);
    expect(client.frames.slice(1, 4)).toEqual(frames);
    expect(client.objects()[4]).toMatchObject({
      type: "heartbeat",
      last_trade_id: 41,
      product_id: "A-USD",
      sequence: 907,
    });
  });

  test("is refused with file and line when a line is broken, the gzip is cut, or it is another exchange's", async () => {
    const broken = write("broken.jsonl", "binance", [diff("AAABTC", 1, 1)]);
    writeFileSync(broken, '{"t":"header","exchange":"binance"}\n{"t":"recv","data":"{}"}\n{"t":"recv","da');
    await expect(loadCapture([broken], "binance")).rejects.toThrow(`${broken}:3`);
    const lines = Array.from({ length: 2_000 }, (_, index) => diff("AAABTC", index * 7919, index * 104_729));
    const cut = write("cut.jsonl.gz", "binance", lines);
    const text = [{ t: "header", exchange: "binance" }, ...lines].map((line) => `${JSON.stringify(line)}\n`).join("");
    writeFileSync(cut, gzipSync(text).subarray(0, 4_000));
    const error = await loadCapture([cut], "binance").catch((cause: unknown) => cause);
    expect(error).toBeInstanceOf(DecodeError);
    expect(String(error)).toMatch(/cut\.jsonl\.gz:\d+: /);
    await expect(loadCapture([write("other.jsonl", "kraken", [])], "binance")).rejects.toThrow(ConfigError);
    await expect(loadCapture([join(folder, "absent.jsonl")], "binance")).rejects.toThrow(ConfigError);
    await expect(loadCapture([write("empty.jsonl", "binance", [])], "binance")).rejects.toThrow("holds no frames");
    const noText = write("notext.jsonl", "binance", [{ t: "recv" }]);
    await expect(loadCapture([noText], "binance")).rejects.toThrow(`${noText}:2`);
  });
});

describe.skipIf(!capturesPresent())("A recorded capture", () => {
  const COINBASE = "coinbase_exchange/level2_batch_matches_heartbeat_20260707.jsonl.gz";
  const KRAKEN = "kraken/v2_book10_trade_btcusd_ethusd_20260707_first1800.jsonl.gz";
  const KRAKEN_V1 = "kraken/v1_book1000_10pairs_20210405.jsonl.gz";
  const SPLIT = ["binance/spot_btcusdt_20240808_part1.jsonl.gz", "binance/spot_btcusdt_20240809_part2.jsonl.gz"];
  const COMBINED = [
    "binance/spot_10pairs_20210405.jsonl.gz",
    "binance_us/spot_10pairs_20210405.jsonl.gz",
    "binance_us/spot_4pairs_20210814.jsonl.gz",
  ];

  function recorded(files: readonly string[], isOwn: (text: string) => boolean): string[] {
    const lines = files.flatMap((file) => readCapture(file));
    return lines
      .filter((line) => line.t === "recv")
      .map((line) => line.data ?? "")
      .filter((text) => !isOwn(text));
  }

  test("of Coinbase comes byte-exact, heartbeats at their places", async () => {
    const expected = recorded([COINBASE], (text) => text.includes('"type":"subscriptions"'));
    const { finished } = await start("coinbase_exchange", [capturePath(COINBASE)]);
    const client = await connect("coinbase_exchange");
    client.send({
      type: "subscribe",
      product_ids: ["BTC-USD", "ETH-USD"],
      channels: ["level2_batch", "matches", "heartbeat"],
    });
    await finished;
    await until(() => client.frames.length > expected.length);
    expect(client.frames.slice(1, expected.length + 1)).toEqual(expected);
  });

  test("of Kraken comes byte-exact and acknowledges the depth that it has", async () => {
    const expected = recorded([KRAKEN], (text) => text.includes('"method"') || text.includes('"status"'));
    const { finished } = await start("kraken", [capturePath(KRAKEN)]);
    const client = await connect("kraken");
    client.send({ method: "subscribe", params: { channel: "book", symbol: ["BTC/USD", "ETH/USD"], depth: 100 } });
    client.send({ method: "subscribe", params: { channel: "trade", symbol: ["BTC/USD", "ETH/USD"], snapshot: false } });
    await finished;
    await until(() => client.frames.length >= expected.length + 5);
    expect(client.frames.slice(5, expected.length + 5)).toEqual(expected);
    expect(client.objects({ method: "subscribe" })[0]).toMatchObject({ result: { depth: 10 } });
  });

  test("of Kraken v1 comes byte-exact at the old path", async () => {
    const expected = recorded([KRAKEN_V1], (text) => text.includes('"event"') && !text.includes('"heartbeat"'));
    const { finished } = await start("kraken", [capturePath(KRAKEN_V1)]);
    const client = await connect("kraken");
    const sent = readCapture(KRAKEN_V1).find((line) => line.t === "send")?.data ?? "";
    client.send(sent);
    await finished;
    await until(() => client.frames.length >= expected.length + 11);
    expect(client.frames.slice(11, expected.length + 11)).toEqual(expected);
    expect(client.objects({ event: "subscriptionStatus" })[0]).toMatchObject({
      channelID: 2496,
      channelName: "book-1000",
    });
  });

  test.each([[SPLIT], ...COMBINED.map((file) => [[file]])])(
    "of Binance comes byte-exact and can be spliced: %j",
    async (files) => {
      const exchange: ExchangeId = files[0]?.startsWith("binance_us") ? "binance_us" : "binance";
      const started = await start(exchange, files.map(capturePath));
      const names = JSON.parse((await rest(started, exchange, "/api/v3/exchangeInfo")).body) as {
        symbols: { symbol: string }[];
      };
      const symbols = names.symbols.map((one) => one.symbol);
      const streams = symbols.flatMap((symbol) =>
        ["depth@100ms", "trade", "bookTicker"].map((kind) => `${symbol.toLowerCase()}@${kind}`),
      );
      const client = await connect(exchange, `/stream?streams=${streams.join("/")}`);
      const bodies = symbols.map((symbol) => rest(started, exchange, `/api/v3/depth?symbol=${symbol}&limit=1000`));
      await started.finished;
      const expected = recorded(files, (text) => text.includes("@kline"));
      await until(() => client.frames.length >= expected.length);
      expect(client.frames).toEqual(expected);
      for (const [index, answer] of (await Promise.all(bodies)).entries()) {
        const depth = JSON.parse(answer.body) as { lastUpdateId: number };
        const diffs = client.objects({ stream: `${symbols[index]?.toLowerCase()}@depth@100ms` }) as {
          data: { U: number; u: number };
        }[];
        const firstKept = diffs.find((frame) => frame.data.u > depth.lastUpdateId);
        expect(firstKept?.data.U).toBeLessThanOrEqual(depth.lastUpdateId + 1);
      }
    },
  );
});
