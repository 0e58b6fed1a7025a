/** The stream over real sockets, on both transports: what every client must end with, whatever happens on the way. */
import { afterEach, describe, expect, it } from "vitest";
import { createUwsTransport, createWsTransport } from "../../src/gateway/mod.ts";
import { until } from "./gateway_market.ts";
import {
  agrees,
  BTC,
  closeAll,
  ETH,
  follow,
  PausableSocket,
  startClient,
  startMarket,
  stir,
  type Witness,
  wideBook,
} from "./gateway_rig.ts";

afterEach(closeAll);

describe.each([
  ["uWebSockets.js", createUwsTransport],
  ["ws", () => Promise.resolve(createWsTransport())],
] as const)("Stream over %s", (_name, createTransport) => {
  it("gives binary and JSON clients the producer's exact book when levels change", async () => {
    const market = startMarket();
    const producer = market.produce();
    producer.snapshot("BTC-USD", {
      bids: [
        ["100.50", "1.25"],
        ["99.01", "2"],
      ],
      asks: [
        ["101.00", "0.5"],
        ["129034888.00", "3"],
      ],
    });
    const gateway = await market.serve({ transport: await createTransport() });
    const witnesses = [startClient(market.streamUrl), startClient(market.streamUrl, { form: "json" })];
    for (const witness of witnesses) {
      await follow(witness, BTC);
    }
    producer.update("BTC-USD", [
      ["buy", "100.5", "0"],
      ["buy", "100.75", "3"],
      ["sell", "101", "0.25"],
    ]);
    for (const witness of witnesses) {
      await until("the update", () => witness.client.peek(BTC)?.bids[0]?.[0] === "100.75");
      expect(witness.client.peek(BTC)).toMatchObject({
        bids: [
          ["100.75", "3"],
          ["99.01", "2"],
        ],
        asks: [
          ["101", "0.25"],
          ["129034888", "3"],
        ],
        isSynced: true,
        isCrossed: false,
        assurance: "inferred",
        hash: gateway.book(BTC)?.hash,
      });
      expect(witness.client.counts).toMatchObject({ resyncs: 0, malformed: 0, resets: 0, reconnects: 0 });
    }
  });

  it("ends with the same book for clients that join at any moment when the market moves", async () => {
    const market = startMarket();
    const producer = market.produce();
    producer.snapshot("BTC-USD", wideBook(3000));
    producer.snapshot("ETH-USD", wideBook(100));
    const gateway = await market.serve({ transport: await createTransport() });
    const witnesses: Witness[] = [];
    for (let round = 0; round < 12; round++) {
      const witness = startClient(market.streamUrl, { form: round % 3 === 2 ? "json" : "binary" });
      witness.client.subscribe({ channels: ["book"], instruments: ["coinbase_exchange:*"] });
      witnesses.push(witness);
      for (let burst = 0; burst < 8; burst++) {
        stir(producer, "BTC-USD", { events: 20, from: round * 160 + burst * 20 });
        stir(producer, "ETH-USD", { events: 5, from: round * 40 + burst * 5 });
        await new Promise((resume) => setTimeout(resume, burst % 4));
      }
    }
    for (const witness of witnesses) {
      await until("equal books", () => agrees(witness, gateway, BTC) && agrees(witness, gateway, ETH));
      expect(witness.client.counts).toMatchObject({ resyncs: 0, malformed: 0, resets: 0, reconnects: 0 });
      const versions = witness.events.filter((event) => event.type === "book" && event.instrument === BTC);
      expect(versions.length).toBeGreaterThan(1);
    }
    expect(gateway.stats().exchanges[0]?.totals.lost).toBe(0);
  });

  it("delivers every trade once and in order when several clients listen", async () => {
    const market = startMarket();
    const producer = market.produce();
    producer.snapshot("BTC-USD", wideBook(10));
    await market.serve({ transport: await createTransport() });
    const witnesses = [startClient(market.streamUrl), startClient(market.streamUrl, { form: "json" })];
    for (const { client, events } of witnesses) {
      client.subscribe({ channels: ["trades"], instruments: [BTC] });
      await until("an acknowledgement", () => events.some((event) => event.type === "status"));
    }
    await new Promise((resume) => setTimeout(resume, 50));
    const ids: string[] = [];
    for (let index = 0; index < 50; index++) {
      ids.push(
        producer.trade("BTC-USD", { price: `${1000 + index}.25`, size: "0.00000001", jump: index === 30 ? 2 : 0 }),
      );
      if (index % 10 === 0) {
        await new Promise((resume) => setTimeout(resume, 5));
      }
    }
    for (const { client, events } of witnesses) {
      const trades = () => events.filter((event) => event.type === "trade");
      await until("all trades", () => trades().length >= ids.length);
      expect(trades().map(({ id }) => id)).toEqual(ids);
      expect(trades()[0]).toMatchObject({
        price: "1000.25",
        quantity: "0.00000001",
        aggressor: "buy",
        gapBefore: false,
      });
      expect(
        trades()
          .filter(({ gapBefore }) => gapBefore)
          .map(({ id }) => id),
      ).toEqual([ids[30]]);
      expect(client.counts).toMatchObject({ malformed: 0, tradesMissed: 0 });
    }
    const [binary, json] = witnesses.map(({ events }) => events.filter((event) => event.type === "trade"));
    expect(binary).toEqual(json);
  });

  it("sends the best bid and offer when they change and not when deeper levels do", async () => {
    const market = startMarket();
    const producer = market.produce();
    producer.snapshot("BTC-USD", wideBook(10));
    await market.serve({ transport: await createTransport() });
    const witnesses = [startClient(market.streamUrl), startClient(market.streamUrl, { form: "json" })];
    const quotes = (index: number) => witnesses[index]?.events.filter((event) => event.type === "bbo") ?? [];
    for (const [index, { client }] of witnesses.entries()) {
      client.subscribe({ channels: ["bbo"], instruments: [BTC] });
      await until("the first quote", () => quotes(index).length > 0);
    }
    const before = quotes(0).length;
    producer.update("BTC-USD", [["buy", "999.95", "77"]]);
    await new Promise((resume) => setTimeout(resume, 50));
    expect(quotes(0).length).toBeLessThanOrEqual(before + 1);
    producer.update("BTC-USD", [["buy", "999.995", "4"]]);
    await until("the change", () => [0, 1].every((index) => quotes(index).at(-1)?.bid?.[0] === "999.995"));
    expect(quotes(0).at(-1)).toEqual(quotes(1).at(-1));
    expect(quotes(0).at(-1)).toMatchObject({
      bid: ["999.995", "4"],
      ask: ["1000.01", "2"],
      synced: true,
      crossed: false,
    });
  });

  it("gives a client that did not read one update per book, without a reset, and serves the others meanwhile", async () => {
    const market = startMarket();
    const producer = market.produce();
    producer.snapshot("BTC-USD", wideBook(200));
    const gateway = await market.serve({
      transport: await createTransport(),
      limits: { backlogBytesMax: 65_536, snapshotWindowBytes: 32_768 },
    });
    const slow = startClient(market.streamUrl, { form: "json", WebSocket: PausableSocket });
    const quick = startClient(market.streamUrl);
    await follow(slow, BTC);
    await follow(quick, BTC);
    const paused = PausableSocket.last;
    paused?.pause();
    let event = 0;
    await until(
      "a slow client",
      () => {
        stir(producer, "BTC-USD", { events: 100, from: event });
        event += 100;
        return gateway.stats().gateway.slowClients > 0;
      },
      30_000,
    );
    stir(producer, "BTC-USD", { events: 500, from: event });
    await until("the quick client", () => agrees(quick, gateway, BTC));
    expect(quick.client.counts).toMatchObject({ resets: 0, resyncs: 0, malformed: 0 });
    expect(gateway.stats().clients).toMatchObject([{ state: "conflated", slowTimes: 1, conflatedUpdates: 0 }]);
    paused?.resume();
    await until("the slow client", () => agrees(slow, gateway, BTC));
    expect(slow.client.counts).toMatchObject({ resets: 0, resyncs: 0, malformed: 0 });
    expect(gateway.stats().gateway).toMatchObject({
      slowClients: 0,
      totals: { slowTimes: 1, conflatedUpdates: 1, resets: 0, dropped: 0 },
    });
  });
});
