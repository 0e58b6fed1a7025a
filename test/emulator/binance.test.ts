/**
 * The Binance emulators against a client that follows the documented rules: splice, update-id chain, ids, limits, pings.
 * Bad case: a REST snapshot in mid-batch; the test demands that at least one of twelve straddles the next diff.
 */
import { afterEach, describe, expect, test } from "vitest";
import type { Emulator } from "../../src/emulator/mod.ts";
import { Client, levelsOf, type NaiveBook, plain, put, rest, sleep, startMarket, until } from "./client.ts";

let emulator: Emulator;
const clients: Client[] = [];

afterEach(async () => {
  for (const client of clients.splice(0)) {
    client.close();
  }
  await emulator.close();
});

async function connect(path: string, options: { autoPong?: boolean; us?: boolean } = {}): Promise<Client> {
  const { websocket } = options.us ? emulator.endpoints.binance_us : emulator.endpoints.binance;
  const client = await Client.open(websocket + path, options);
  clients.push(client);
  return client;
}

type Diff = { e: string; s: string; U: number; u: number; b: [string, string][]; a: [string, string][] };
type Depth = { lastUpdateId: number; bids: [string, string][]; asks: [string, string][] };

function diffs(client: Client, stream: string): Diff[] {
  const frames = client.objects({ stream }) as { data: Diff }[];
  return frames.map((frame) => frame.data);
}

type Spliced = NaiveBook & { straddles: boolean; applied: number; gaps: number };

/** Splices by the documented rule. */
function splice(depth: Depth, list: readonly Diff[]): Spliced {
  const book: Spliced = { bids: new Map(), asks: new Map(), straddles: false, applied: 0, gaps: 0 };
  for (const side of ["bids", "asks"] as const) {
    for (const [price, quantity] of depth[side]) {
      put(book[side], price, quantity);
    }
  }
  let last = depth.lastUpdateId;
  for (const diff of list.filter((one) => one.u > last)) {
    if (book.applied === 0) {
      book.straddles = diff.U <= last;
      book.gaps += diff.U > last + 1 ? 1 : 0;
    } else {
      book.gaps += diff.U === last + 1 ? 0 : 1;
    }
    for (const [price, quantity] of diff.b) {
      put(book.bids, price, quantity);
    }
    for (const [price, quantity] of diff.a) {
      put(book.asks, price, quantity);
    }
    last = diff.u;
    book.applied += 1;
  }
  return book;
}

describe("Binance", () => {
  test.each([
    ["btcusdt@depth@100ms", 40],
    ["btcusdt@depth", 3],
  ])("splices %s and REST to the true book when every frame is applied", async (stream, count) => {
    emulator = await startMarket("binance", { rate: 30 });
    const client = await connect(`/stream?streams=${stream}/ethusdt@depth@100ms`);
    await until(() => diffs(client, stream).length >= 2);
    const straddles: boolean[] = [];
    const depths: Depth[] = [];
    for (let request = 0; request < 12; request += 1) {
      await sleep(37);
      depths.push(
        JSON.parse((await rest(emulator, "binance", "/api/v3/depth?symbol=BTCUSDT&limit=5000")).body) as Depth,
      );
    }
    await until(() => diffs(client, stream).length >= count);
    emulator.pause();
    await sleep(100);
    const { bids, asks, updateId } = emulator.trueBook("binance", "BTCUSDT");
    const list = diffs(client, stream);
    for (const depth of depths) {
      const book = splice(depth, list);
      expect(levelsOf(book)).toEqual({ bids, asks });
      expect(book.gaps).toBe(0);
      straddles.push(book.straddles);
    }
    expect(list.at(-1)?.u).toBe(updateId);
    expect(list.slice(1).every((diff, index) => diff.U === (list[index]?.u ?? 0) + 1)).toBe(true);
    expect(straddles).toContain(true);
  });

  test("sends a bookTicker that equals the spliced book at the same update id", async () => {
    emulator = await startMarket("binance", { rate: 20 });
    const client = await connect("/stream?streams=btcusdt@depth@100ms/btcusdt@bookTicker");
    await until(() => diffs(client, "btcusdt@depth@100ms").length >= 2);
    const depth = JSON.parse(
      (await rest(emulator, "binance", "/api/v3/depth?symbol=BTCUSDT&limit=5000")).body,
    ) as Depth;
    await until(() => diffs(client, "btcusdt@depth@100ms").length >= 40);
    const tickers = client.objects({ stream: "btcusdt@bookTicker" }) as {
      data: { u: number; b: string; B: string; a: string; A: string };
    }[];
    const byId = new Map(tickers.map(({ data }) => [data.u, data]));
    const list = diffs(client, "btcusdt@depth@100ms");
    let compared = 0;
    for (let end = 1; end <= list.length; end += 1) {
      const last = list[end - 1];
      const ticker = byId.get(last?.u ?? 0);
      if (last !== undefined && ticker !== undefined && last.u > depth.lastUpdateId) {
        const { bids, asks } = levelsOf(splice(depth, list.slice(0, end)));
        expect([bids[0], asks[0]]).toEqual([
          [plain(ticker.b), plain(ticker.B)],
          [plain(ticker.a), plain(ticker.A)],
        ]);
        compared += 1;
      }
    }
    expect(compared).toBeGreaterThan(3);
  });

  test("numbers trades and aggregates without a gap, and aggregates add up", async () => {
    emulator = await startMarket("binance", { rate: 30 });
    const client = await connect("/stream?streams=btcusdt@trade/btcusdt@aggTrade");
    await until(() => client.objects({ stream: "btcusdt@aggTrade" }).length > 30);
    type Trade = { t: number; p: string; q: string; m: boolean };
    type Aggregate = { a: number; p: string; q: string; f: number; l: number; m: boolean };
    const trades = (client.objects({ stream: "btcusdt@trade" }) as { data: Trade }[]).map((frame) => frame.data);
    const aggregates = (client.objects({ stream: "btcusdt@aggTrade" }) as { data: Aggregate }[]).map(
      (frame) => frame.data,
    );
    expect(trades.map((one) => one.t)).toEqual(trades.map((_, index) => (trades[0]?.t ?? 0) + index));
    expect(aggregates.map((one) => one.a)).toEqual(aggregates.map((_, index) => (aggregates[0]?.a ?? 0) + index));
    for (const aggregate of aggregates) {
      const parts = trades.filter((one) => one.t >= aggregate.f && one.t <= aggregate.l);
      const lots = parts.reduce((sum, one) => sum + BigInt(one.q.replace(".", "")), 0n);
      expect(lots).toBe(BigInt(aggregate.q.replace(".", "")));
      expect(parts.every((one) => one.p === aggregate.p && one.m === aggregate.m)).toBe(true);
    }
  });

  test("sends bare payloads at /ws and wrapped ones at /stream", async () => {
    emulator = await startMarket("binance", { rate: 20 });
    const bare = await connect("/ws/btcusdt@depth@100ms");
    const wrapped = await connect("/stream?streams=btcusdt@depth@100ms");
    const live = await connect("/ws");
    live.send({ method: "SUBSCRIBE", params: ["btcusdt@depth@100ms"], id: 1 });
    await until(() => [bare, wrapped, live].every((client) => client.frames.length > 2));
    expect(bare.frames[0]).toMatch(/^\{"e":"depthUpdate"/);
    expect(wrapped.frames[0]).toMatch(/^\{"stream":"btcusdt@depth@100ms","data":\{"e":"depthUpdate"/);
    expect(live.frames[0]).toBe('{"result":null,"id":1}');
    expect(live.frames[1]).toMatch(/^\{"e":"depthUpdate"/);
  });

  test("answers requests and refuses wrong ones", async () => {
    let atMs = 1_780_000_000_000;
    emulator = await startMarket("binance", { now: () => atMs });
    const client = await connect("/stream");
    const requests: [unknown, string][] = [
      [{ method: "SUBSCRIBE", params: ["quiet@trade", "nope@trade"], id: "x1" }, '{"result":null,"id":"x1"}'],
      [{ method: "LIST_SUBSCRIPTIONS", id: 3 }, '{"result":["quiet@trade","nope@trade"],"id":3}'],
      [{ method: "UNSUBSCRIBE", params: ["nope@trade"], id: null }, '{"result":null,"id":null}'],
      [{ method: "GET_PROPERTY", params: ["combined"], id: 5 }, '{"result":true,"id":5}'],
      [{ method: "SET_PROPERTY", params: ["combined", false], id: 6 }, '{"result":null,"id":6}'],
      [
        { method: "SET_PROPERTY", params: ["other", false], id: 7 },
        '{"error":{"code":0,"msg":"Unknown property"},"id":7}',
      ],
      ["{", '{"error":{"code":3,"msg":"Invalid JSON: expected value at line 1 column 1"}}'],
      [{ method: "SUBSCRIBE", params: "quiet@trade", id: 8 }, "Invalid request"],
      [{ method: "SUBSCRIBE", params: ["quiet@trade"] }, "request ID must be an unsigned integer"],
      [{ method: "DANCE", id: 9 }, "unknown variant `DANCE`"],
      [{ id: 10 }, "missing field `method`"],
    ];
    for (const [index, [request, expected]] of requests.entries()) {
      atMs += 1_000;
      client.send(request);
      await until(() => client.frames.length > index);
      expect(client.frames[index]).toContain(expected);
    }
  });

  test("disconnects a client that sends more than 5 messages a second", async () => {
    const atMs = 1_780_000_000_000;
    emulator = await startMarket("binance", { now: () => atMs });
    const client = await connect("/ws");
    for (let id = 1; id <= 6; id += 1) {
      client.send({ method: "LIST_SUBSCRIPTIONS", id });
    }
    await until(() => client.closeCode === 1008);
    expect(client.frames).toHaveLength(5);
  });

  test.each([
    { us: false, pingMs: 20_000, pongMs: 60_000 },
    { us: true, pingMs: 180_000, pongMs: 600_000 },
  ])("pings and cuts whoever does not answer (Binance.US: $us)", async ({ us, pingMs, pongMs }) => {
    let atMs = 1_780_000_000_000;
    emulator = await startMarket(us ? "binance_us" : "binance", { now: () => atMs });
    const mute = await connect("/ws", { autoPong: false, us });
    const polite = await connect("/ws", { us });
    atMs += pingMs - 1;
    await sleep(120);
    expect(mute.pings).toBe(0);
    atMs += 1;
    await until(() => mute.pings === 1 && polite.pings === 1);
    await sleep(50);
    atMs += pongMs + 1;
    await until(() => mute.closeCode === 1008);
    expect(polite.closeCode).toBeUndefined();
  });

  test("closes a connection after 24 hours", async () => {
    let atMs = 1_780_000_000_000;
    emulator = await startMarket("binance", { now: () => atMs });
    const client = await connect("/ws");
    atMs += 24 * 3_600_000 + 1;
    await until(() => client.closeCode === 1000);
  });

  test.each([
    { us: false, weight: 250, requests: 24 },
    { us: true, weight: 50, requests: 24 },
  ])(
    "answers 429 with Retry-After beyond the weight of a minute (Binance.US: $us)",
    async ({ us, weight, requests }) => {
      const exchange = us ? "binance_us" : "binance";
      let atMs = 1_780_000_060_000;
      emulator = await startMarket(exchange, { now: () => atMs });
      const path = `/api/v3/depth?symbol=${us ? "BTCUSD" : "BTCUSDT"}&limit=5000`;
      for (let count = 1; count <= requests; count += 1) {
        const answer = await rest(emulator, exchange, path);
        expect([answer.status, answer.headers.get("x-mbx-used-weight-1m")]).toEqual([200, String(weight * count)]);
      }
      const refused = await rest(emulator, exchange, path);
      expect([refused.status, refused.headers.get("retry-after")]).toEqual([429, "20"]);
      atMs += 20_000;
      expect((await rest(emulator, exchange, path)).status).toBe(200);
    },
  );

  test("answers metadata for all, one or several symbols", async () => {
    emulator = await startMarket("binance_us");
    const get = async (query: string): Promise<{ symbols: { symbol: string; filters: Record<string, unknown>[] }[] }> =>
      JSON.parse((await rest(emulator, "binance_us", `/api/v3/exchangeInfo${query}`)).body) as never;
    expect((await get("")).symbols.map((one) => one.symbol)).toEqual(["BTCUSD", "ETHUSD", "SOLUSD"]);
    expect((await get('?symbols=["SOLUSD","BTCUSD"]')).symbols.map((one) => one.symbol)).toEqual(["SOLUSD", "BTCUSD"]);
    const [one] = (await get("?symbol=BTCUSD")).symbols;
    expect(one?.filters[0]).toMatchObject({ filterType: "PRICE_FILTER", tickSize: "0.0100" });
    expect(one?.filters[2]).toMatchObject({ filterType: "LOT_SIZE", stepSize: "0.00000100" });
    for (const query of ["?symbol=NOPE", "?symbols=[", '?symbols={"a":1}']) {
      expect(await rest(emulator, "binance_us", `/api/v3/exchangeInfo${query}`)).toMatchObject({ status: 400 });
    }
    expect((await rest(emulator, "binance_us", "/api/v3/ping")).body).toBe("{}");
    expect((await rest(emulator, "binance_us", "/api/v3/depth")).body).toContain("-1102");
    expect((await rest(emulator, "binance_us", "/api/v3/depth?symbol=BTCUSD&limit=x")).body).toContain("-1100");
    const few = JSON.parse((await rest(emulator, "binance_us", "/api/v1/depth?symbol=BTCUSD&limit=5")).body) as Depth;
    expect([few.bids.length, few.asks.length]).toEqual([5, 5]);
  });
});
