/**
 * The Kraken emulator against a truncating client with its own CRC32 over raw tokens, at every depth.
 * Bad case: a checksum that agrees because both sides share code; the CRC here is written apart, bit by bit.
 */
import { afterEach, describe, expect, test } from "vitest";
import type { Emulator } from "../../src/emulator/mod.ts";
import { Client, rest, sleep, startMarket, until } from "./client.ts";

let emulator: Emulator;
const clients: Client[] = [];

afterEach(async () => {
  for (const client of clients.splice(0)) {
    client.close();
  }
  await emulator.close();
});

async function connect(): Promise<Client> {
  const client = await Client.open(emulator.endpoints.kraken.websocket);
  clients.push(client);
  return client;
}

function subscribe(symbol: string[], depth = 10): object {
  return { method: "subscribe", params: { channel: "book", symbol, depth }, req_id: 7 };
}

// Written apart from the emulator: bit by bit over the characters.
function crc32(text: string): number {
  let crc = 0xffff_ffff;
  for (const character of text) {
    crc ^= character.charCodeAt(0);
    for (let bit = 0; bit < 8; bit += 1) {
      crc = crc & 1 ? (crc >>> 1) ^ 0xedb8_8320 : crc >>> 1;
    }
  }
  return (crc ^ 0xffff_ffff) >>> 0;
}

type Levels = Map<string, string>;

/** The documented example of a checksum, with the exchange's own value. */
const DOCUMENTED = {
  text: "17741423180511217742084122283177421281816695177437500000001774385108316911774396215937941774409521000001774411300000001774441933010401774452874024151774131133095801774003127814317739548930000177390841368551773892818655101773791689669761773784573755717737655600344817737528183641811773721623079170",
  crc: 4_114_450_078,
};

/** A client by the rules of the exchange: raw tokens, truncation after every message, checksum after that. */
class KrakenBook {
  readonly bids: Levels = new Map();
  readonly asks: Levels = new Map();
  readonly depth: number;
  checked = 0;
  failed = 0;
  truncated = 0;

  constructor(depth: number) {
    this.depth = depth;
  }

  apply(text: string): void {
    for (const side of ["bids", "asks"] as const) {
      const list = new RegExp(`"${side}":\\[([^\\]]*)\\]`).exec(text)?.[1] ?? "";
      for (const [, price = "", quantity = ""] of list.matchAll(/"price":([0-9.]+),"qty":([0-9.]+)/g)) {
        if (Number(quantity) === 0) {
          this[side].delete(price);
        } else {
          this[side].set(price, quantity);
        }
      }
      for (const [price] of this.best(side).slice(this.depth)) {
        this[side].delete(price);
        this.truncated += 1;
      }
    }
    const digits = (side: "bids" | "asks"): string =>
      this.best(side)
        .slice(0, 10)
        .flat()
        .map((token) => token.replace(".", "").replace(/^0+/, ""))
        .join("");
    const holds = String(crc32(digits("asks") + digits("bids"))) === /"checksum":(\d+)/.exec(text)?.[1];
    this.checked += 1;
    this.failed += holds ? 0 : 1;
  }

  best(side: "bids" | "asks"): [string, string][] {
    const sign = side === "bids" ? -1 : 1;
    return [...this[side]].sort(([a], [b]) => sign * (Number(a) - Number(b)));
  }
}

function bookFrames(client: Client, symbol: string): string[] {
  return client.frames.filter((text) => text.startsWith('{"channel":"book"') && text.includes(`"symbol":"${symbol}"`));
}

describe("Kraken v2", () => {
  test.each([10, 25, 100, 500, 1000])(
    "keeps a truncating client of depth %i right with every checksum",
    async (depth) => {
      expect(crc32(DOCUMENTED.text)).toBe(DOCUMENTED.crc);
      emulator = await startMarket("kraken", { rate: 40, levels: 2_400 });
      const client = await connect();
      client.send(subscribe(["BTC/USD", "ETH/USD"], depth));
      await until(() => client.frames.length > 400);
      const late = await connect();
      late.send(subscribe(["BTC/USD", "ETH/USD"], depth));
      await until(() => late.frames.length > 100);
      emulator.pause();
      await sleep(100);
      for (const symbol of ["BTC/USD", "ETH/USD"]) {
        const truth = emulator.trueBook("kraken", symbol);
        for (const one of [client, late]) {
          const book = new KrakenBook(depth);
          for (const text of bookFrames(one, symbol)) {
            book.apply(text);
          }
          expect(book.checked).toBeGreaterThan(20);
          expect(book.failed).toBe(0);
          for (const side of ["bids", "asks"] as const) {
            const held = book.best(side).map(([price, quantity]) => [String(Number(price)), Number(quantity)]);
            const expected = truth[side].slice(0, depth).map(([price, quantity]) => [price, Number(quantity)]);
            expect(held).toEqual(expected);
          }
        }
      }
    },
  );

  test("sends no delete for a level that leaves the depth", async () => {
    emulator = await startMarket("kraken", { rate: 40 });
    const client = await connect();
    client.send(subscribe(["BTC/USD"]));
    await until(() => client.frames.length > 400);
    const book = new KrakenBook(10);
    for (const text of bookFrames(client, "BTC/USD")) {
      book.apply(text);
    }
    expect(book.failed).toBe(0);
    expect(book.truncated).toBeGreaterThan(20);
  });

  test("acknowledges each symbol, then sends status-first, heartbeats and trades", async () => {
    emulator = await startMarket("kraken", { rate: 30 });
    const client = await connect();
    client.send(subscribe(["BTC/USD", "NOPE/USD"], 25));
    client.send({ method: "subscribe", params: { channel: "trade", symbol: ["BTC/USD"], snapshot: false } });
    client.send({ method: "subscribe", params: { channel: "trade", symbol: ["ETH/USD"] } });
    await until(
      () => client.objects({ channel: "heartbeat" }).length > 1 && client.objects({ channel: "trade" }).length > 3,
    );
    expect(client.frames[0]).toMatch(/^\{"channel":"status".*"connection_id":\d{19}\}\]\}$/);
    const [ack] = client.objects({ method: "subscribe", success: true });
    expect(ack).toMatchObject({ result: { channel: "book", depth: 25, snapshot: true, symbol: "BTC/USD" }, req_id: 7 });
    const [refusal] = client.objects({ success: false });
    expect(refusal).toMatchObject({ error: "Currency pair not supported NOPE/USD", symbol: "NOPE/USD", req_id: 7 });
    const trades = client.objects({ channel: "trade" }) as {
      type: string;
      data: { symbol: string; trade_id: number }[];
    }[];
    const snapshots = trades.filter((frame) => frame.type === "snapshot");
    expect(snapshots).toHaveLength(1);
    expect(snapshots[0]?.data).toHaveLength(50);
    const ids = trades.flatMap((frame) =>
      frame.data.filter((one) => one.symbol === "ETH/USD").map((one) => one.trade_id),
    );
    expect(ids).toEqual(ids.map((_, index) => (ids[0] ?? 0) + index));
  });

  test("sends a fresh snapshot when a symbol is unsubscribed and subscribed again", async () => {
    emulator = await startMarket("kraken");
    const client = await connect();
    client.send(subscribe(["BTC/USD"]));
    await until(() => bookFrames(client, "BTC/USD").length > 5);
    client.send({ method: "unsubscribe", params: { channel: "book", symbol: ["BTC/USD"], depth: 10 } });
    client.send(subscribe(["BTC/USD"], 100));
    await until(() => client.objects({ channel: "book", type: "snapshot" }).length === 2);
    expect(client.objects({ method: "unsubscribe", success: true })).toHaveLength(1);
    client.send(subscribe(["BTC/USD"], 100));
    await client.frame((text) => text.includes("Already subscribed"));
  });

  test("answers ping and refuses nonsense without closing", async () => {
    emulator = await startMarket("kraken");
    const client = await connect();
    client.send({ method: "ping", req_id: 101 });
    client.send("nonsense");
    client.send({ method: "dance" });
    client.send({ method: "subscribe", params: { channel: "book", symbol: ["BTC/USD"], depth: 11 } });
    client.send({ method: "subscribe", params: { channel: "level9", symbol: ["BTC/USD"] } });
    client.send({ method: "subscribe" });
    await until(() => client.frames.length === 7);
    expect(client.objects({ method: "pong" })[0]).toMatchObject({ req_id: 101 });
    expect(client.objects({ success: false })).toHaveLength(5);
    expect(client.closeCode).toBeUndefined();
  });

  test("drops requests beyond the message rate and says so", async () => {
    const atMs = 1_780_000_000_000;
    emulator = await startMarket("kraken", { now: () => atMs });
    const client = await connect();
    for (let count = 0; count < 60; count += 1) {
      client.send({ method: "ping" });
    }
    await until(() => client.frames.length === 61);
    expect(client.objects({ method: "pong" })).toHaveLength(50);
    expect(client.frames.filter((text) => text === '{"Error":"Exceeded msg rate"}')).toHaveLength(10);
  });

  test("answers asset pairs, depth and status over REST", async () => {
    emulator = await startMarket("kraken");
    const get = async (path: string): Promise<{ error: string[]; result: Record<string, Record<string, unknown>> }> =>
      JSON.parse((await rest(emulator, "kraken", path)).body) as never;
    const all = await get("/0/public/AssetPairs");
    expect(Object.keys(all.result)).toEqual(["XXBTZUSD", "XETHZUSD", "SOLUSD"]);
    const one = await get("/0/public/AssetPairs?pair=XBTUSD");
    expect(one.result.XXBTZUSD).toMatchObject({
      wsname: "XBT/USD",
      pair_decimals: 1,
      lot_decimals: 8,
      tick_size: "0.1",
    });
    expect((await get("/0/public/AssetPairs?pair=NOPE")).error).toEqual(["EQuery:Unknown asset pair"]);
    const depth = await get("/0/public/Depth?pair=XBTUSD&count=25");
    const { asks, bids } = depth.result.XXBTZUSD as {
      asks: [string, string, number][];
      bids: [string, string, number][];
    };
    expect([asks.length, bids.length]).toEqual([25, 25]);
    expect(asks[0]?.[0]).toMatch(/^\d+\.\d{5}$/);
    expect(asks[0]?.[1]).toMatch(/^\d+\.\d{3}$/);
    expect((await get("/0/public/SystemStatus")).result.status).toBe("online");
  });

  test("refuses a WebSocket at an unknown path", async () => {
    emulator = await startMarket("kraken");
    await expect(Client.open(emulator.endpoints.kraken.websocket.replace("/v2", "/v3"))).rejects.toThrow("404");
  });
});
