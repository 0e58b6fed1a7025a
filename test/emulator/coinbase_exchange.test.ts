/**
 * The Coinbase Exchange emulator against a naive client: the rebuilt book must equal the market's, trades must chain.
 * Bad case: deletes of levels that the client never had; they must occur, as they do in real batches.
 */
import { afterEach, describe, expect, test } from "vitest";
import type { Emulator } from "../../src/emulator/mod.ts";
import { Client, levelsOf, type NaiveBook, put, rest, sleep, startMarket, until } from "./client.ts";

const SUBSCRIBE = {
  type: "subscribe",
  product_ids: ["BTC-USD", "ETH-USD"],
  channels: ["level2_batch", "matches", "heartbeat"],
};

let emulator: Emulator;
const clients: Client[] = [];

afterEach(async () => {
  for (const client of clients.splice(0)) {
    client.close();
  }
  await emulator.close();
});

async function connect(): Promise<Client> {
  const client = await Client.open(emulator.endpoints.coinbase_exchange.websocket);
  clients.push(client);
  return client;
}

type Level2 = {
  type: string;
  product_id: string;
  asks?: [string, string][];
  bids?: [string, string][];
  changes?: [string, string, string][];
};

/** Rebuilds a book from the frames, and counts deletes of levels that were not there. */
function rebuild(client: Client, product: string): NaiveBook & { absentDeletes: number; deletes: number } {
  const book = { bids: new Map<string, string>(), asks: new Map<string, string>(), absentDeletes: 0, deletes: 0 };
  for (const frame of client.objects({ product_id: product }) as Level2[]) {
    for (const side of ["bids", "asks"] as const) {
      for (const [price, size] of frame[side] ?? []) {
        put(book[side], price, size);
      }
    }
    for (const [word, price, size] of frame.changes ?? []) {
      const side = word === "buy" ? book.bids : book.asks;
      const before = side.size;
      put(side, price, size);
      if (size === "0.00000000") {
        book.deletes += 1;
        book.absentDeletes += side.size === before ? 1 : 0;
      }
    }
  }
  return book;
}

describe("Coinbase Exchange", () => {
  test("acknowledges level2_batch as level2_50 and greets with snapshot and last match", async () => {
    emulator = await startMarket("coinbase_exchange");
    const client = await connect();
    client.send(SUBSCRIBE);
    await client.frame((text) => text.includes('"heartbeat","last_trade_id"'));
    const [ack] = client.objects({ type: "subscriptions" });
    expect(ack).toEqual({
      type: "subscriptions",
      channels: ["level2_50", "matches", "heartbeat"].map((name) => ({
        name,
        product_ids: ["BTC-USD", "ETH-USD"],
        account_ids: null,
      })),
    });
    expect(client.objects({ type: "snapshot" })).toHaveLength(2);
    expect(client.objects({ type: "last_match" })).toHaveLength(2);
  });

  test("gives every client the true book when it applies every frame", async () => {
    emulator = await startMarket("coinbase_exchange", { rate: 20 });
    const client = await connect();
    client.send(SUBSCRIBE);
    await until(() => client.frames.length > 150);
    const late = await connect();
    late.send(SUBSCRIBE);
    await until(() => late.frames.length > 50);
    emulator.pause();
    await sleep(100);
    let deletes = 0;
    let absentDeletes = 0;
    for (const product of ["BTC-USD", "ETH-USD"]) {
      const { bids, asks } = emulator.trueBook("coinbase_exchange", product);
      const book = rebuild(client, product);
      expect(levelsOf(book)).toEqual({ bids, asks });
      expect(levelsOf(rebuild(late, product))).toEqual({ bids, asks });
      deletes += book.deletes;
      absentDeletes += book.absentDeletes;
    }
    expect(absentDeletes / deletes).toBeGreaterThan(0.02);
    emulator.resume();
    const count = client.frames.length;
    await until(() => client.frames.length > count + 20);
  });

  test("numbers trades without a gap and repeats the last one in heartbeats", async () => {
    emulator = await startMarket("coinbase_exchange", { rate: 30 });
    const client = await connect();
    client.send(SUBSCRIBE);
    await until(
      () => client.objects({ type: "heartbeat" }).length >= 4 && client.objects({ type: "match" }).length > 20,
    );
    for (const product of ["BTC-USD", "ETH-USD"]) {
      let last: number | undefined;
      let sequence = 0;
      for (const frame of client.objects({ product_id: product })) {
        if (frame.type === "match" || frame.type === "last_match") {
          expect(frame.trade_id).toBe(last === undefined ? frame.trade_id : last + 1);
          expect(Number(frame.sequence)).toBeGreaterThan(sequence);
          last = Number(frame.trade_id);
          sequence = Number(frame.sequence);
        }
        if (frame.type === "heartbeat" && last !== undefined) {
          expect(frame.last_trade_id).toBe(last);
        }
      }
    }
  });

  test("names the maker's side in matches", async () => {
    emulator = await startMarket("coinbase_exchange", { rate: 30 });
    const client = await connect();
    client.send({ ...SUBSCRIBE, product_ids: ["BTC-USD"] });
    await until(() => client.objects({ type: "match" }).length > 20);
    const book: NaiveBook = { bids: new Map(), asks: new Map() };
    let checked = 0;
    for (const frame of client.objects()) {
      if (frame.type === "match" && book.asks.has(String(frame.price)) !== book.bids.has(String(frame.price))) {
        expect(frame.side).toBe(book.asks.has(String(frame.price)) ? "sell" : "buy");
        checked += 1;
      }
      for (const side of ["bids", "asks"] as const) {
        for (const [price, size] of (frame as Level2)[side] ?? []) {
          put(book[side], price, size);
        }
      }
      for (const [word, price, size] of (frame as Level2).changes ?? []) {
        put(word === "buy" ? book.bids : book.asks, price, size);
      }
    }
    expect(checked).toBeGreaterThan(3);
  });

  test("stops a channel when it is unsubscribed and snapshots again when it is subscribed again", async () => {
    emulator = await startMarket("coinbase_exchange");
    const client = await connect();
    client.send({ ...SUBSCRIBE, product_ids: ["BTC-USD"] });
    await client.frame((text) => text.includes('"l2update"'));
    client.send({ type: "unsubscribe", product_ids: ["BTC-USD"], channels: ["level2_batch"] });
    await until(() => client.objects({ type: "subscriptions" }).length === 2);
    const names = client.objects({ type: "subscriptions" })[1]?.channels as { name: string }[];
    expect(names.map((channel) => channel.name)).toEqual(["matches", "heartbeat"]);
    const count = client.objects({ type: "l2update" }).length;
    await sleep(400);
    expect(client.objects({ type: "l2update" })).toHaveLength(count);
    client.send({ type: "subscribe", channels: [{ name: "level2_batch", product_ids: ["BTC-USD"] }] });
    await until(() => client.objects({ type: "snapshot" }).length === 2);
  });

  test("refuses unknown products, closed channels, unknown channels and bad JSON with an error frame", async () => {
    emulator = await startMarket("coinbase_exchange");
    const client = await connect();
    client.send({ ...SUBSCRIBE, product_ids: ["NOPE-USD"] });
    client.send({ ...SUBSCRIBE, channels: ["level2"] });
    client.send({ ...SUBSCRIBE, channels: ["constructor"] });
    client.send({ type: "subscribe", channels: ["matches"] });
    client.send({ type: "subscribe", product_ids: 5, channels: ["matches"] });
    client.send("{");
    client.send("[]");
    await until(() => client.frames.length === 7);
    const errors = client.objects({ type: "error" });
    expect(errors).toHaveLength(7);
    expect(errors[0]).toEqual({
      type: "error",
      message: "Failed to subscribe",
      reason: "NOPE-USD is not a valid product",
    });
    expect(errors[1]?.reason).toContain("require authentication");
    expect(errors[2]?.reason).toBe("constructor is not a valid channel");
  });

  test("closes a client that does not subscribe within 5 s", async () => {
    let atMs = 1_780_000_000_000;
    emulator = await startMarket("coinbase_exchange", { now: () => atMs });
    const idle = await connect();
    const active = await connect();
    active.send(SUBSCRIBE);
    await active.frame((text) => text.includes("subscriptions"));
    atMs += 4_900;
    await sleep(150);
    expect(idle.closeCode).toBeUndefined();
    atMs += 200;
    await until(() => idle.closeCode === 1008);
    expect(active.closeCode).toBeUndefined();
  });

  test("cuts a client that sends more than 100 messages a second", async () => {
    const atMs = 1_780_000_000_000;
    emulator = await startMarket("coinbase_exchange", { now: () => atMs });
    const client = await connect();
    for (let count = 0; count < 101; count += 1) {
      client.send("{}");
    }
    await until(() => client.closeCode === 1008);
    expect(client.frames).toHaveLength(101);
  });

  test("answers products and the full book over REST, within its limits", async () => {
    emulator = await startMarket("coinbase_exchange");
    emulator.pause();
    const products = JSON.parse((await rest(emulator, "coinbase_exchange", "/products")).body) as { id: string }[];
    expect(products.map((product) => product.id)).toEqual(["BTC-USD", "ETH-USD", "SOL-USD"]);
    const one = JSON.parse((await rest(emulator, "coinbase_exchange", "/products/BTC-USD")).body) as Record<
      string,
      string
    >;
    expect([one.quote_increment, one.base_increment]).toEqual(["0.01", "0.00000001"]);
    const { body } = await rest(emulator, "coinbase_exchange", "/products/BTC-USD/book?level=2");
    const book = JSON.parse(body) as { bids: [string, string, number][]; asks: [string, string, number][] };
    const truth = emulator.trueBook("coinbase_exchange", "BTC-USD");
    expect(book.bids.map(([price, size]) => [price, size])).toEqual(truth.bids);
    expect(book.asks.map(([price, size]) => [price, size])).toEqual(truth.asks);
    expect((await rest(emulator, "coinbase_exchange", "/products/NOPE/book?level=2")).status).toBe(404);
    const answers = await Promise.all(
      Array.from({ length: 30 }, () => rest(emulator, "coinbase_exchange", "/products")),
    );
    expect(answers.some((answer) => answer.status === 429)).toBe(true);
  });

  test("serves a book of 45,000 levels", async () => {
    emulator = await startMarket("coinbase_exchange", { levels: 45_000, rate: 1 });
    const client = await connect();
    client.send({ ...SUBSCRIBE, product_ids: ["BTC-USD"] });
    const text = await client.frame((frame) => frame.startsWith('{"type":"snapshot"'));
    expect(text.length).toBeGreaterThan(1_000_000);
    const snapshot = JSON.parse(text) as Level2;
    expect((snapshot.asks?.length ?? 0) + (snapshot.bids?.length ?? 0)).toBeGreaterThan(44_000);
    expect(snapshot.asks?.at(-1)?.[0]).toBe("129034888.00");
    expect(snapshot.bids?.at(-1)?.[0]).toBe("0.01");
  });
});
