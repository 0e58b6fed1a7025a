/** What a client may say and what it gets back, also when it means harm; on both transports. */
import { connect as connectTcp } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { createUwsTransport, createWsTransport } from "../../src/gateway/mod.ts";
import { dissectFrame } from "../../src/wire/dissect.ts";
import { until } from "./gateway_market.ts";
import { BTC, closeAll, ETH, type PlainSocket, startMarket, startSocket, stir, wideBook } from "./gateway_rig.ts";

afterEach(closeAll);

const BINARY = ["alphapulse.v1.bin"];

describe.each([
  ["uWebSockets.js", createUwsTransport],
  ["ws", () => Promise.resolve(createWsTransport())],
] as const)("Protocol over %s", (_name, createTransport) => {
  async function serve(limits = {}) {
    const market = startMarket();
    const producer = market.produce();
    producer.snapshot("BTC-USD", wideBook(20));
    const gateway = await market.serve({ transport: await createTransport(), limits });
    await until("a book", () => gateway.book(BTC) !== undefined);
    return { market, producer, gateway };
  }

  it("greets in the chosen subprotocol and in JSON when none is asked", async () => {
    const { market, gateway } = await serve();
    const binary = await startSocket(market.streamUrl, BINARY);
    const json = await startSocket(market.streamUrl, ["something.else", "alphapulse.v1.json"]);
    const plain = await startSocket(`${gateway.url.replace("http", "ws")}/api/v1/stream/deltas`);
    expect(binary.messages[0]).toMatchObject({ type: "welcome", protocol: "alphapulse.v1.bin" });
    expect(json.messages[0]).toMatchObject({ type: "welcome", protocol: "alphapulse.v1.json" });
    expect(plain.messages[0]).toMatchObject({ type: "welcome", protocol: "alphapulse.v1.json" });
    expect([binary, json, plain].map(({ socket }) => socket.protocol)).toEqual([
      "alphapulse.v1.bin",
      "alphapulse.v1.json",
      "",
    ]);
  });

  it("gives an instrument that appears later to whoever subscribed a pattern that names it", async () => {
    const { market, producer } = await serve();
    const all = await startSocket(market.streamUrl);
    const other = await startSocket(market.streamUrl);
    say(all, { op: "subscribe", id: 1, channels: ["book"], instruments: ["*:*", "*:SOL-USD"] });
    say(other, { op: "subscribe", id: 1, channels: ["book"], instruments: ["*:ETH-USD", "kraken:*"] });
    await until("the first books", () => of(all, "orderbook").length === 1 && of(other, "subscribed").length === 1);
    producer.open("SOL-USD");
    producer.snapshot("SOL-USD", wideBook(20));
    await until("the late book", () => of(all, "orderbook").length === 2);
    expect(of(all, "subscribed").at(-1)).toMatchObject({ id: 0, instrument: "coinbase_exchange:SOL-USD" });
    expect(of(other, "orderbook")).toEqual([]);
    expect([...of(all, "error"), ...of(other, "error")]).toEqual([]);
    say(all, { op: "unsubscribe", id: 2, channels: ["book"], instruments: ["*:*", "*:SOL-USD"] });
    await until("the end", () => of(all, "unsubscribed").length >= 3);
    producer.open("ADA-USD");
    producer.snapshot("ADA-USD", wideBook(20));
    say(all, { op: "ping", id: 3 });
    await until("the answer", () => of(all, "pong").length === 1);
    expect(of(all, "orderbook")).toHaveLength(2);
  });

  it("gives an instrument that was refused as unknown to whoever still wants it when it appears", async () => {
    const { market, producer } = await serve();
    const early = await startSocket(market.streamUrl);
    const gone = await startSocket(market.streamUrl);
    const name = "coinbase_exchange:SOL-USD";
    for (const socket of [early, gone]) {
      say(socket, { op: "subscribe", id: 1, channels: ["book", "bbo"], instruments: ["coinbase:SOL-USD"] });
      await until("the refusal", () => of(socket, "error").length === 1);
    }
    say(gone, { op: "unsubscribe", id: 2, channels: ["book", "bbo"], instruments: [name] });
    await until("the second refusal", () => of(gone, "error").length === 2);
    producer.open("SOL-USD");
    producer.snapshot("SOL-USD", wideBook(20));
    await until("the late book", () => of(early, "orderbook").length === 1);
    const acks = of(early, "subscribed").map(({ id, channel, instrument }) => [id, channel, instrument]);
    expect(acks).toEqual([
      [0, "book", name],
      [0, "bbo", name],
    ]);
    say(early, { op: "unsubscribe", id: 3, channels: ["book"], instruments: [name] });
    await until("the end", () => of(early, "unsubscribed").length === 1);
    say(gone, { op: "ping", id: 4 });
    await until("the answer", () => of(gone, "pong").length === 1);
    expect([...of(gone, "subscribed"), ...of(gone, "orderbook")]).toEqual([]);
  });

  it("acknowledges each channel of each instrument before its first market message", async () => {
    const { market, producer } = await serve();
    const plain = await startSocket(market.streamUrl);
    say(plain, { op: "subscribe", id: 7, channels: ["book", "bbo"], instruments: ["coinbase:*"] });
    await until("the book", () => of(plain, "orderbook").length === 1);
    stir(producer, "BTC-USD", { events: 1 });
    await until("the delta", () => of(plain, "orderbook_delta").length === 1);
    const acks = of(plain, "subscribed");
    expect(acks.map(({ id, channel, instrument }) => [id, channel, instrument])).toEqual([
      [7, "book", BTC],
      [7, "bbo", BTC],
      [7, "book", ETH],
      [7, "bbo", ETH],
    ]);
    expect(acks[0]).toMatchObject({
      alias: 1,
      state: "synced",
      assurance: "inferred",
      reason: "none",
      priceExponent: 2,
    });
    const first = plain.messages.findIndex(({ type }) => type === "orderbook");
    expect(first).toBeGreaterThan(plain.messages.indexOf(acks[0] ?? {}));
    const [book] = of(plain, "orderbook");
    const [delta] = of(plain, "orderbook_delta");
    expect(book).toMatchObject({ instrument: BTC, version: "3", synced: true, crossed: false, quantityExponent: 0 });
    expect(delta).toMatchObject({ previousVersion: "3", version: "4", synced: true });
    expect(delta?.changes).toContainEqual(["ask", "1000.02", "0"]);
  });

  it("sends binary frames that follow the written grammar, the first one a snapshot", async () => {
    const { market, producer } = await serve();
    const plain = await startSocket(market.streamUrl, BINARY);
    say(plain, { op: "subscribe", id: 1, channels: ["book"], instruments: [BTC] });
    await until("the snapshot", () => plain.binary.length === 1);
    stir(producer, "BTC-USD", { events: 5 });
    await until("the deltas", () => plain.binary.length >= 2);
    const fields = plain.binary.map((frame) => dissectFrame(frame)?.map(({ name }) => name));
    expect(fields[0]?.slice(0, 6)).toEqual(["kind", "alias", "version", "epoch", "hash", "chain"]);
    expect(fields[0]?.filter((name) => name === "price")).toHaveLength(40);
    expect(
      fields
        .slice(1)
        .flat()
        .filter((name) => name === "eventHead"),
    ).toHaveLength(5);
  });

  it("stops sending what was unsubscribed and refuses what was not subscribed", async () => {
    const { market, producer } = await serve();
    const plain = await startSocket(market.streamUrl);
    say(plain, { op: "subscribe", id: 1, channels: ["book"], instruments: [BTC] });
    await until("the book", () => of(plain, "orderbook").length === 1);
    say(plain, { op: "unsubscribe", id: 2, channels: ["book", "trades"], instruments: [BTC] });
    await until("both answers", () => of(plain, "error").length === 1);
    expect(of(plain, "unsubscribed")).toEqual([
      { type: "unsubscribed", id: 2, channel: "book", instrument: BTC, depth: 0, rateMs: 0 },
    ]);
    expect(of(plain, "error")[0]).toMatchObject({ id: 2, code: "not_subscribed" });
    stir(producer, "BTC-USD", { events: 3 });
    await new Promise((resume) => setTimeout(resume, 50));
    expect(of(plain, "orderbook_delta")).toEqual([]);
  });

  it("lists instruments, answers pings and sends statistics when asked", async () => {
    const { market, producer } = await serve();
    const plain = await startSocket(market.streamUrl);
    say(plain, { op: "instruments", id: 3 });
    say(plain, { op: "ping", id: 4 });
    say(plain, { op: "subscribe", id: 5, channels: ["stats"] });
    await until("answers", () => of(plain, "pong").length === 1 && of(plain, "subscribed").length === 1);
    expect(of(plain, "instruments")[0]).toMatchObject({
      id: 3,
      instruments: [
        {
          instrument: BTC,
          exchange: "coinbase_exchange",
          symbol: "BTC-USD",
          native: "BTC-USD",
          state: "synced",
          trading: "open",
        },
        { instrument: ETH, symbol: "ETH-USD", state: expect.stringMatching(/connecting|waiting/) },
      ],
    });
    expect(of(plain, "pong")).toEqual([{ type: "pong", id: 4 }]);
    stir(producer, "BTC-USD", { events: 20 });
    const busy = () => of(plain, "stats").find(({ exchanges }) => JSON.stringify(exchanges).includes('"frames":21'));
    await until("statistics", () => busy() !== undefined);
    expect(busy()).toMatchObject({
      gateway: { clients: 1, totals: { dropped: 0, protocolErrors: 0 } },
      exchanges: [{ exchange: "coinbase_exchange", connection: "connected", instruments: 2, synced: 1 }],
    });
    say(plain, { op: "unsubscribe", id: 6, channels: ["stats"] });
    await until("the end", () => of(plain, "unsubscribed").length === 1);
  });

  it.each([
    ["text that is not JSON", "{nope", "bad_json"],
    ["JSON of another protocol", JSON.stringify({ event: "subscribe", id: 9 }), "bad_message"],
    ["a misspelt field", JSON.stringify({ op: "ping", id: 9, ids: 1 }), "bad_message"],
    [
      "an unknown channel",
      JSON.stringify({ op: "subscribe", id: 9, channels: ["depth"], instruments: [BTC] }),
      "bad_message",
    ],
    ["no instruments", JSON.stringify({ op: "subscribe", id: 9, channels: ["book"] }), "bad_message"],
    [
      "an unknown instrument",
      JSON.stringify({ op: "subscribe", id: 9, channels: ["book"], instruments: ["coinbase_exchange:BTC-USDD"] }),
      "unknown_instrument",
    ],
    ["binary bytes", new Uint8Array([1, 2, 3]), "binary_message"],
  ])("answers with a code and goes on when it gets %s", async (_what, content, code) => {
    const { market } = await serve();
    const plain = await startSocket(market.streamUrl);
    plain.socket.send(content);
    say(plain, { op: "ping", id: 1 });
    await until("the pong", () => of(plain, "pong").length === 1);
    expect(of(plain, "error")).toHaveLength(1);
    expect(of(plain, "error")[0]).toMatchObject({ code, message: expect.stringMatching(/^Cannot .+/) });
    const isReadable = code === "bad_message" || code === "unknown_instrument";
    expect(of(plain, "error")[0]?.id).toBe(isReadable ? 9 : null);
  });

  it("serves several views of one book side by side, each named in all that is said of it", async () => {
    const { market, producer } = await serve();
    const plain = await startSocket(market.streamUrl);
    const views = [
      { depth: 0, rateMs: 0 },
      { depth: 10, rateMs: 0 },
      { depth: 10, rateMs: 100 },
    ];
    for (const view of views) {
      say(plain, { op: "subscribe", id: 1, channels: ["book"], instruments: [BTC], ...view });
    }
    await until("the books", () => of(plain, "orderbook").length === 3);
    expect(of(plain, "subscribed")).toMatchObject(
      views.map((view) => ({ ...view, policy: "conflate", resumed: false })),
    );
    expect(new Set(of(plain, "subscribed").map(({ alias }) => alias)).size).toBe(3);
    const books = of(plain, "orderbook");
    expect(books.map(({ bids }) => (bids as unknown[]).length).sort()).toEqual([10, 10, 20]);
    stir(producer, "BTC-USD", { events: 1 });
    await until("the changes", () => of(plain, "orderbook_delta").length === 3);
    const named = of(plain, "orderbook_delta").map(({ depth, rateMs }) => ({ depth, rateMs }));
    expect(named).toEqual(expect.arrayContaining(views));
    say(plain, { op: "unsubscribe", id: 2, channels: ["book"], instruments: [BTC], depth: 10, rateMs: 100 });
    await until("the end", () => of(plain, "unsubscribed").length === 1);
    expect(of(plain, "unsubscribed")).toEqual([
      { type: "unsubscribed", id: 2, channel: "book", instrument: BTC, depth: 10, rateMs: 100 },
    ]);
  });

  it.each([
    ["a depth that is not served", { depth: 7 }, "unsupported_view", "depths are 0, 10, 50, 100"],
    ["a rate that is not served", { rateMs: 7 }, "unsupported_view", "rates 0, 100, 250, 1000 ms"],
    ["a policy that the channel does not take", { channels: ["trades"], policy: "conflate" }, "bad_message", "policy"],
    ["a policy that there is not", { policy: "merge" }, "bad_message", "policy"],
    ["a view of trades", { channels: ["trades"], depth: 10 }, "bad_message", "depth"],
    ["a resume of trades", { channels: ["trades"], resume: {} }, "bad_message", "resume"],
    ["a resume without an epoch", { resume: { [BTC]: { version: "1" } } }, "bad_message", "resume"],
    ["a channel that does not exist", { channels: ["candles"] }, "bad_message", "channels"],
    ["arbitrage of an instrument", { channels: ["arbitrage"] }, "bad_message", "takes no instruments"],
    ["arbitrage, switched off", { channels: ["arbitrage"], instruments: [] }, "unsupported_channel", "arbitrage"],
  ])("refuses %s with the reason and subscribes nothing", async (_what, wrong, code, text) => {
    const { market } = await serve();
    const plain = await startSocket(market.streamUrl);
    say(plain, { op: "subscribe", id: 8, channels: ["book"], instruments: [BTC], ...wrong });
    await until("the refusal", () => of(plain, "error").length === 1);
    expect(of(plain, "error")).toMatchObject([{ id: 8, code, message: expect.stringContaining(text) }]);
    expect(of(plain, "subscribed")).toEqual([]);
  });

  it("names the nearest instruments when a name is misspelt", async () => {
    const { market } = await serve();
    const plain = await startSocket(market.streamUrl);
    say(plain, { op: "subscribe", id: 1, channels: ["book"], instruments: ["coinbase_exchange:BTCUSD"] });
    await until("the refusal", () => of(plain, "error").length === 1);
    expect(of(plain, "error")[0]?.message).toContain(`nearest are ${BTC}`);
  });

  it("closes with 1008 after ten protocol errors and keeps serving the others", async () => {
    const { market, gateway } = await serve();
    const hostile = await startSocket(market.streamUrl);
    const other = await startSocket(market.streamUrl);
    for (let index = 0; index < 12; index++) {
      hostile.socket.send("{");
    }
    await until("the close", () => hostile.closeCode !== undefined);
    expect(hostile.closeCode).toBe(1008);
    expect(of(hostile, "error")).toHaveLength(10);
    say(other, { op: "ping", id: 1 });
    await until("the pong", () => of(other, "pong").length === 1);
    expect(gateway.stats().gateway.totals.protocolErrors).toBe(10);
  });

  it("closes a connection whose message is larger than the limit", async () => {
    const { market } = await serve();
    const plain = await startSocket(market.streamUrl);
    plain.socket.send("x".repeat(70_000));
    await until("the close", () => plain.closeCode !== undefined);
    expect([1006, 1009]).toContain(plain.closeCode);
  });

  it("refuses subscriptions, matches and messages beyond their limits", async () => {
    const { market } = await serve({ subscriptionsMax: 3, matchesMax: 1, messagesPerSecondMax: 1 });
    const plain = await startSocket(market.streamUrl);
    say(plain, { op: "subscribe", id: 1, channels: ["book"], instruments: ["*:*"] });
    say(plain, { op: "subscribe", id: 2, channels: ["book", "trades", "bbo"], instruments: [BTC] });
    await until("the acknowledgements", () => of(plain, "subscribed").length === 3);
    say(plain, { op: "subscribe", id: 3, channels: ["book"], instruments: [ETH] });
    for (let id = 4; id < 12; id++) {
      say(plain, { op: "ping", id });
    }
    await until("the refusals", () => of(plain, "error").length === 3);
    expect(of(plain, "error").map(({ id, code }) => [id, code])).toEqual([
      [1, "too_many_matches"],
      [3, "too_many_subscriptions"],
      [null, "too_many_messages"],
    ]);
  });

  it("refuses connections beyond the limit", async () => {
    const { market } = await serve({ connectionsMax: 1 });
    await startSocket(market.streamUrl);
    await expect(startSocket(market.streamUrl)).rejects.toThrow();
  });

  it("begins again with a snapshot when a client subscribes to what it has", async () => {
    const { market, producer } = await serve();
    const plain = await startSocket(market.streamUrl);
    for (const id of [1, 2]) {
      say(plain, { op: "subscribe", id, channels: ["book"], instruments: [BTC] });
      await until("the book", () => of(plain, "orderbook").length === id);
    }
    stir(producer, "BTC-USD", { events: 1 });
    await until("the delta", () => of(plain, "orderbook_delta").length > 0);
    await new Promise((resume) => setTimeout(resume, 30));
    expect(of(plain, "orderbook_delta")).toHaveLength(1);
  });

  it("survives bytes that are no WebSocket", async () => {
    const { market, gateway } = await serve();
    const noise = connectTcp(gateway.port, "127.0.0.1");
    noise.on("error", () => undefined);
    noise.write("GET /ws HTTP/1.1\r\nUpgrade: websocket\r\n\r\n\xff\xff\xff");
    noise.write(Buffer.alloc(100_000, 0xaa));
    await new Promise((resume) => setTimeout(resume, 50));
    noise.destroy();
    const plain = await startSocket(market.streamUrl);
    expect(plain.messages[0]?.type).toBe("welcome");
  });

  it("closes its clients with 1001 within a second and frees the port", async () => {
    const { market, gateway } = await serve();
    const plain = await startSocket(market.streamUrl);
    const startedAt = performance.now();
    await gateway.close();
    expect(performance.now() - startedAt).toBeLessThan(1000);
    await until("the close", () => plain.closeCode !== undefined);
    expect(plain.closeCode).toBe(1001);
    await expect(fetch(`${gateway.url}/health`)).rejects.toThrow();
  });

  it("refuses to start when the port is taken", async () => {
    const { gateway } = await serve();
    const second = startMarket();
    second.produce();
    await expect(second.serve({ transport: await createTransport(), port: gateway.port })).rejects.toMatchObject({
      name: "ConnectionError",
      message: expect.stringContaining(String(gateway.port)),
    });
  });
});

function say({ socket }: PlainSocket, message: object): void {
  socket.send(JSON.stringify(message));
}

function of({ messages }: PlainSocket, type: string): Record<string, unknown>[] {
  return messages.filter((message) => message.type === type);
}
