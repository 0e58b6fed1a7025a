/**
 * Every frame the emulator sends has the key order and token form of a captured frame of its kind, or its kind is listed
 * as unproven; the list may name no kind that was captured or is not sent. Bad case: the captures are missing; skipped.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { DEFAULT_INSTRUMENTS, type Emulator, startEmulator, UNPROVEN_FRAME_KINDS } from "../../src/emulator/mod.ts";
import { EXCHANGE_IDS, type ExchangeId } from "../../src/model/exchange_id.ts";
import {
  type CaptureLine,
  captureFiles,
  capturePath,
  capturesPresent,
  readCapture,
  readRestBody,
} from "../support/captures.ts";
import { Client, rest, until } from "./client.ts";
import { addForms, differences, type FormsByKind, parseTokens } from "./frame_forms.ts";

type Frame = Record<string, unknown>;

/** Of each capture so many lines: enough for every kind. */
const LINES_MAX = 8_000;

/** The instruments that captures of today's form have; the forms of others differ in their decimals. */
const BASES = ["BTC", "ETH"];

function kindOf(exchange: ExchangeId, frame: unknown): string {
  if (Array.isArray(frame)) {
    return `v1 ${String(frame.at(-2))}`;
  }
  const object = frame as Frame;
  return exchange === "coinbase_exchange"
    ? String(object.type)
    : exchange === "kraken"
      ? krakenKind(object)
      : binanceKind(object);
}

function krakenKind(frame: Frame): string {
  if (frame.event !== undefined) {
    const isRefusal = frame.event === "error" || frame.status === "error";
    const isRemoved = frame.status === "unsubscribed";
    return isRefusal ? "v1 request refused" : isRemoved ? "v1 subscription removed" : `v1 ${String(frame.event)}`;
  }
  if (frame.Error !== undefined) {
    return "message rate exceeded";
  }
  if (frame.success === false) {
    return "request refused";
  }
  if (frame.method === "pong") {
    return "pong";
  }
  if (frame.method !== undefined) {
    const channel = String((frame.result as Frame).channel);
    return `${channel} subscription${frame.method === "unsubscribe" ? " removed" : ""}`;
  }
  return frame.type === undefined ? String(frame.channel) : `${String(frame.channel)} ${String(frame.type)}`;
}

function binanceKind(frame: Frame): string {
  if ("error" in frame) {
    return "request refused";
  }
  if ("result" in frame) {
    return frame.result === null ? "request done" : Array.isArray(frame.result) ? "subscriptions listed" : "property";
  }
  if (frame.stream === undefined) {
    return "bare payload";
  }
  const payload = frame.data as Frame;
  return String(frame.stream).endsWith("@depth") ? "depthUpdate every second" : String(payload.e ?? "bookTicker");
}

function add(byKind: FormsByKind, exchange: ExchangeId, text: string): void {
  const frame = withoutSymbols(exchange, parseTokens(text));
  const kind = kindOf(exchange, frame);
  addForms(byKind, kind, frame);
  // Two last matches were captured, hundreds of matches: they are alike but for the type.
  if (kind === "match") {
    addForms(byKind, "last_match", { ...(frame as Frame), type: "last_match" });
  }
}

// Binance frames of one kind were captured of one symbol, those of another kind of others.
function withoutSymbols(exchange: ExchangeId, frame: unknown): unknown {
  const { stream, data } = frame as Frame;
  if (!exchange.startsWith("binance") || stream === undefined) {
    return frame;
  }
  return {
    ...(frame as Frame),
    stream: String(stream).replace(/^[a-z]+@/, "*@"),
    data: { ...(data as Frame), s: "*" },
  };
}

// Binance.US pads prices by the quote currency: only USD pairs are like the emulator's.
function isComparable(exchange: ExchangeId, { data = "", url = "" }: CaptureLine): boolean {
  return exchange !== "binance_us" || /USD[&"]/.test(url) || /"s":"[A-Z]+USD"/.test(data);
}

// Pairs are keys of Kraken's results: they are values here.
function addRest(byKind: FormsByKind, kind: string, text: string): void {
  const body = parseTokens(text) as Frame;
  if (kind === "REST AssetPairs" || kind === "REST Depth") {
    body.result = Object.values(body.result as Frame);
  }
  addForms(byKind, kind, body);
}

const REST_BODIES: Readonly<Record<ExchangeId, readonly [kind: string, file: string][]>> = {
  coinbase_exchange: [
    ["REST products", "coinbase_exchange/rest_products_20210417.json.gz"],
    ["REST book", "coinbase_exchange/rest_book_level2_btcusd_20260707.json.gz"],
  ],
  kraken: [
    ["REST AssetPairs", "kraken/rest_AssetPairs_5pairs_20260707.json.gz"],
    ["REST Depth", "kraken/rest_Depth_xbtusd_20260707.json.gz"],
  ],
  binance: [
    ["REST exchangeInfo", "binance/rest_exchangeInfo_20211012.json.gz"],
    ["REST depth", "binance/rest_depth100_btcusdt_20260707.json.gz"],
  ],
  binance_us: [["REST exchangeInfo", "binance_us/rest_exchangeInfo_20211012.json.gz"]],
};

function capturedForms(exchange: ExchangeId): FormsByKind {
  const byKind: FormsByKind = new Map();
  const spot = captureFiles(exchange === "binance" || exchange === "binance_us" ? `${exchange}/spot` : `${exchange}/`);
  for (const file of spot.filter((name) => !name.includes("_book1000_"))) {
    const lines = readCapture(file).slice(0, LINES_MAX);
    for (const line of lines.filter((one) => isComparable(exchange, one))) {
      if (line.t === "recv") {
        add(byKind, exchange, line.data ?? "");
      } else if (line.t === "http") {
        addRest(byKind, "REST depth", line.data ?? "");
      }
    }
  }
  for (const [kind, file] of REST_BODIES[exchange]) {
    addRest(byKind, kind, readRestBody(file));
  }
  return byKind;
}

/** Talks to the emulator until it has sent everything it can send. */
const CONVERSATIONS: Readonly<
  Record<ExchangeId, (emulator: Emulator) => Promise<{ frames: string[]; bodies: [string, string][] }>>
> = {
  coinbase_exchange: talkCoinbase,
  kraken: talkKraken,
  binance: (emulator) => talkBinance(emulator, "binance"),
  binance_us: (emulator) => talkBinance(emulator, "binance_us"),
};

type Talk = { frames: string[]; bodies: [string, string][] };

async function talkCoinbase(emulator: Emulator): Promise<Talk> {
  const client = await Client.open(emulator.endpoints.coinbase_exchange.websocket);
  client.send("{");
  client.send({
    type: "subscribe",
    product_ids: ["BTC-USD", "ETH-USD"],
    channels: ["level2_batch", "matches", "heartbeat"],
  });
  await until(() => client.objects({ type: "match" }).length > 40 && client.objects({ type: "heartbeat" }).length > 1);
  client.close();
  const get = async (path: string): Promise<string> => (await rest(emulator, "coinbase_exchange", path)).body;
  return {
    frames: client.frames,
    bodies: [
      ["REST products", await get("/products")],
      ["REST product", await get("/products/BTC-USD")],
      ["REST book", await get("/products/BTC-USD/book?level=2")],
      ["REST error", await get("/nothing")],
    ],
  };
}

async function talkKraken(emulator: Emulator): Promise<Talk> {
  const client = await Client.open(emulator.endpoints.kraken.websocket);
  const symbol = ["BTC/USD", "ETH/USD"];
  client.send({ method: "subscribe", params: { channel: "book", symbol, depth: 10 } });
  client.send({ method: "subscribe", params: { channel: "trade", symbol, snapshot: false } });
  await until(
    () => client.objects({ channel: "trade" }).length > 20 && client.objects({ channel: "heartbeat" }).length > 0,
  );
  client.send({ method: "unsubscribe", params: { channel: "book", symbol } });
  client.send({ method: "unsubscribe", params: { channel: "trade", symbol } });
  client.send({ method: "subscribe", params: { channel: "trade", symbol } });
  client.send({ method: "dance" });
  for (let count = 0; count < 60; count += 1) {
    client.send({ method: "ping" });
  }
  await until(() => client.frames.some((text) => text.includes("Exceeded")));
  client.close();
  const get = async (path: string): Promise<string> => (await rest(emulator, "kraken", `/0/public/${path}`)).body;
  return {
    frames: [...client.frames, ...(await talkKrakenV1())],
    bodies: [
      ["REST AssetPairs", await get("AssetPairs")],
      ["REST Depth", await get("Depth?pair=XBTUSD&count=25")],
      ["REST SystemStatus", await get("SystemStatus")],
      ["REST error", await get("Nothing")],
    ],
  };
}

// Version 1 exists only for captures; their frames are not ours, so only what comes before them is looked at.
async function talkKrakenV1(): Promise<string[]> {
  const files = captureFiles("kraken/v1_trade").map(capturePath);
  const emulator = await startEmulator({
    exchanges: ["kraken"],
    source: { kind: "capture", files, speed: 1, exchange: "kraken" },
  });
  const client = await Client.open(emulator.endpoints.kraken.websocket);
  const pair = ["XBT/USD"];
  client.send({ event: "ping", reqid: 1 });
  client.send("nonsense");
  client.send({ event: "subscribe", pair, subscription: { name: "trade" } });
  client.send({ event: "unsubscribe", pair, subscription: { name: "trade" } });
  await until(() => client.frames.length === 5);
  client.close();
  await emulator.close();
  return client.frames;
}

async function talkBinance(emulator: Emulator, exchange: "binance" | "binance_us"): Promise<Talk> {
  const { websocket } = emulator.endpoints[exchange];
  const symbols = exchange === "binance" ? ["btcusdt", "ethusdt"] : ["btcusd"];
  const streams = symbols.flatMap((symbol) =>
    ["depth@100ms", "trade", "aggTrade", "bookTicker"].map((kind) => `${symbol}@${kind}`),
  );
  const combined = await Client.open(`${websocket}/stream?streams=${streams.join("/")}`);
  const bare = await Client.open(`${websocket}/ws/${symbols[0]}@depth@100ms`);
  const slow = await Client.open(`${websocket}/stream?streams=${symbols[0]}@depth`);
  slow.send({ method: "LIST_SUBSCRIPTIONS", id: 1 });
  slow.send({ method: "GET_PROPERTY", params: ["combined"], id: 2 });
  slow.send({ method: "SUBSCRIBE", params: [], id: 3 });
  slow.send("{");
  await until(
    () =>
      combined.objects({ stream: `${symbols[0]}@aggTrade` }).length > 10 &&
      bare.frames.length > 0 &&
      slow.frames.length > 5,
  );
  const clients = [combined, bare, slow];
  for (const client of clients) {
    client.close();
  }
  const get = async (path: string): Promise<string> => (await rest(emulator, exchange, `/api/v3/${path}`)).body;
  return {
    frames: clients.flatMap((client) => client.frames),
    bodies: [
      ["REST exchangeInfo", await get("exchangeInfo")],
      ["REST depth", await get(`depth?symbol=${symbols[0]?.toUpperCase()}&limit=100`)],
      ["REST ping", await get("ping")],
      ["REST time", await get("time")],
      ["REST error", await get("depth")],
    ],
  };
}

describe.skipIf(!capturesPresent())("Frames of the emulator", () => {
  let emulator: Emulator;

  beforeAll(async () => {
    const instruments = DEFAULT_INSTRUMENTS.filter((one) => BASES.includes(one.base)).map((one) => ({
      ...one,
      levels: 400,
    }));
    emulator = await startEmulator({
      exchanges: EXCHANGE_IDS,
      seed: 9,
      source: { kind: "market", rate: 20, instruments },
    });
  });
  afterAll(() => emulator.close());

  test.each(EXCHANGE_IDS)(
    "of %s have the key order and token form of captured ones, or are listed as unproven",
    async (exchange) => {
      const captured = capturedForms(exchange);
      const sent: FormsByKind = new Map();
      const { frames, bodies } = await CONVERSATIONS[exchange](emulator);
      for (const text of frames) {
        add(sent, exchange, text);
      }
      for (const [kind, text] of bodies) {
        addRest(sent, kind, text);
      }
      const unproven = [...sent.keys()].filter((kind) => !captured.has(kind));
      expect(unproven.sort()).toEqual([...UNPROVEN_FRAME_KINDS[exchange]].sort());
      const wrong = [...sent].flatMap(([kind, forms]) => {
        const known = captured.get(kind);
        return known === undefined ? [] : differences(kind, forms, known);
      });
      expect(wrong).toEqual([]);
    },
  );
});

describe("The form of frames", () => {
  function compare(sent: string, captured: string): string[] {
    const forms: FormsByKind = new Map();
    addForms(forms, "sent", parseTokens(sent));
    addForms(forms, "captured", parseTokens(captured));
    return differences("x", forms.get("sent") ?? new Map(), forms.get("captured") ?? new Map());
  }

  test("differs when key order, type, decimals, time digits or words differ", () => {
    const captured = '{"a":1.50,"b":"2.00","t":"2026-07-07T22:58:17.050195Z","w":"buy"}';
    expect(compare('{"a":7.25,"b":"9.99","t":"2026-01-01T00:00:00.000000Z","w":"buy"}', captured)).toEqual([]);
    expect(compare('{"b":"2.00","a":1.50,"t":"2026-07-07T22:58:17.050195Z","w":"buy"}', captured)).toHaveLength(1);
    expect(compare(captured.replace("1.50", "1.5"), captured)).toHaveLength(1);
    expect(compare(captured.replace("1.50", '"1.50"'), captured)).toHaveLength(1);
    expect(compare(captured.replace("050195", "050"), captured)).toHaveLength(1);
    expect(compare(captured.replace("buy", "sell"), captured)).toHaveLength(1);
    expect(compare('{"a":1.50}', '{"a":1.50,"b":1}')).toHaveLength(1);
  });
});
