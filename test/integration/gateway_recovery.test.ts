/** What goes wrong between producer, gateway and client, and that every book is right again afterwards, or says that it is not. */
import { afterEach, describe, expect, it } from "vitest";
import {
  DELTA_BYTES,
  DELTA_QUANTITIES,
  REASON_GAP,
  SEGMENT_STATE_SUPERSEDED,
  STATE_RESYNCING,
} from "../../assembly/layout.ts";
import { SegmentView } from "../../src/segment/mod.ts";
import { freePort, type Producer, until } from "./gateway_market.ts";
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

function resetReasons({ events }: Witness): string[] {
  return events.filter((event) => event.type === "reset").map(({ reason }) => reason);
}

describe("Gateway", () => {
  it("gives clients a snapshot under the finer exponents when an instrument is rescaled", async () => {
    const market = startMarket();
    const producer = market.produce();
    producer.snapshot("BTC-USD", { bids: [["100.5", "1"]], asks: [["101", "2"]] });
    const gateway = await market.serve();
    const witnesses = [startClient(market.streamUrl), startClient(market.streamUrl, { form: "json" })];
    for (const witness of witnesses) {
      expect((await follow(witness, BTC)).priceExponent).toBe(1);
      witness.client.subscribe({ channels: ["trades", "bbo"], instruments: [BTC] });
    }
    await new Promise((resume) => setTimeout(resume, 30));
    producer.trade("BTC-USD", { price: "100.7", size: "1" });
    producer.update("BTC-USD", [["buy", "100.625", "0.001"]]);
    producer.trade("BTC-USD", { price: "100.625", size: "0.001" });
    for (const witness of witnesses) {
      await until(
        "the finer book",
        () => agrees(witness, gateway, BTC) && witness.client.peek(BTC)?.priceExponent === 3,
      );
      expect(witness.client.peek(BTC)).toMatchObject({
        bids: [
          ["100.625", "0.001"],
          ["100.5", "1"],
        ],
        asks: [["101", "2"]],
        isSynced: true,
      });
      await until("both trades", () => witness.events.filter((event) => event.type === "trade").length === 2);
      const trades = witness.events.filter((event) => event.type === "trade");
      expect(trades.map(({ price, quantity }) => [price, quantity])).toEqual([
        ["100.7", "1"],
        ["100.625", "0.001"],
      ]);
      expect(witness.events.filter((event) => event.type === "bbo").at(-1)?.bid).toEqual(["100.625", "0.001"]);
      expect(resetReasons(witness)).toContain("restarted");
      expect(witness.client.counts).toMatchObject({ resyncs: 0, malformed: 0 });
    }
  });

  it("says that a book is not synced when the producer says so, and gives the fresh book afterwards", async () => {
    const market = startMarket();
    const producer = market.produce();
    producer.snapshot("BTC-USD", wideBook(1000));
    const gateway = await market.serve();
    const witness = startClient(market.streamUrl);
    await follow(witness, BTC);
    producer.sync.instrument("BTC-USD")?.block.unsync(STATE_RESYNCING, REASON_GAP, 1e9);
    producer.publish();
    await until("not synced", () => witness.client.peek(BTC)?.isSynced === false);
    await until("the reason", () => witness.client.peek(BTC)?.reason === "gap");
    expect((await fetch(`${gateway.url}/ready`)).status).toBe(503);
    const fresh = wideBook(1200);
    producer.snapshot("BTC-USD", fresh);
    await until("the fresh book", () => witness.client.peek(BTC)?.isSynced === true);
    expect(witness.client.peek(BTC)).toMatchObject({ bidLevels: 1200, askLevels: 1200, state: "synced" });
    expect(agrees(witness, gateway, BTC)).toBe(true);
    expect(witness.client.counts).toMatchObject({ resyncs: 0, resets: 0 });
  });

  it("counts exactly what it lost and ends with the right books when the ring overtakes it", async () => {
    const market = startMarket();
    const producer = market.produce({ deltaCapacity: 256 });
    producer.snapshot("BTC-USD", wideBook(500));
    producer.snapshot("ETH-USD", wideBook(20));
    const gateway = await market.serve();
    const witnesses = [startClient(market.streamUrl), startClient(market.streamUrl, { form: "json" })];
    for (const witness of witnesses) {
      await follow(witness, BTC);
      await follow(witness, ETH);
    }
    const view = new SegmentView(market.map.memory.buffer, producer.segment.address);
    await until(
      "a gateway that has read everything",
      () => gateway.book(BTC) !== undefined && gateway.book(ETH) !== undefined,
    );
    await new Promise((resume) => setTimeout(resume, 30));
    const before = view.deltaTail;
    stir(producer, "BTC-USD", { events: 1000 });
    stir(producer, "ETH-USD", { events: 3 });
    const lost = view.deltaTail - 256 / 4 - before;
    await until("the lap to be seen", () => (gateway.stats().exchanges[0]?.totals.lost ?? 0) > 0);
    for (const witness of witnesses) {
      await until("right books", () => agrees(witness, gateway, BTC) && agrees(witness, gateway, ETH));
      expect(resetReasons(witness)).toEqual(["lapped", "lapped"]);
      expect(witness.client.counts).toMatchObject({ resyncs: 0, malformed: 0 });
    }
    expect(gateway.stats().exchanges[0]?.totals.lost).toBe(lost);
    expect(gateway.book(BTC)?.synced).toBe(true);
  });

  it("drops a book whose record was damaged and joins it again from the next image", async () => {
    const market = startMarket();
    const producer = market.produce({ deltaCapacity: 1024 });
    producer.snapshot("BTC-USD", wideBook(50));
    producer.snapshot("ETH-USD", wideBook(50));
    const gateway = await market.serve();
    const witness = startClient(market.streamUrl);
    await follow(witness, BTC);
    await follow(witness, ETH);
    const { buffer } = market.map.memory;
    const view = new SegmentView(buffer, producer.segment.address);
    const position = view.deltaTail;
    producer.update("BTC-USD", [["buy", "999.99", "12345"]]);
    const record = view.address + view.header.deltaRingOffset + (position % 1024) * DELTA_BYTES;
    new DataView(buffer).setUint8(
      record + DELTA_QUANTITIES,
      new DataView(buffer).getUint8(record + DELTA_QUANTITIES) ^ 4,
    );
    await until("a failure", () => failuresOf(gateway.stats(), BTC) > 0);
    expect(gateway.book(BTC)).toBeUndefined();
    const ready = await fetch(`${gateway.url}/ready`);
    expect([ready.status, await ready.text()]).toEqual([503, expect.stringContaining(BTC)]);
    stir(producer, "BTC-USD", { events: 400 });
    await until("the book again", () => agrees(witness, gateway, BTC));
    expect(resetReasons(witness)).toEqual(["integrity"]);
    expect(failuresOf(gateway.stats(), ETH)).toBe(0);
    expect(witness.client.counts).toMatchObject({ resyncs: 0, malformed: 0 });
  });

  it("follows the next epoch of an exchange under the same names when its collector starts again", async () => {
    const market = startMarket();
    const first = market.produce();
    first.snapshot("BTC-USD", wideBook(30));
    const gateway = await market.serve();
    const witness = startClient(market.streamUrl);
    await follow(witness, BTC);
    first.segment.setState(SEGMENT_STATE_SUPERSEDED);
    await until("a word about it", () => witness.client.peek(BTC)?.isSynced === false);
    expect(witness.client.peek(BTC)).toMatchObject({ state: "connecting", reason: "stopped" });
    market.producers.length = 0;
    const second: Producer = market.produce({ epoch: 2n });
    second.snapshot("BTC-USD", { bids: [["7.001", "3"]], asks: [["8", "4"]] });
    await until("the next epoch", () => witness.client.peek(BTC)?.isSynced === true && agrees(witness, gateway, BTC));
    expect(witness.client.peek(BTC)?.bids).toEqual([["7.001", "3"]]);
    stir(second, "BTC-USD", { events: 40 });
    await until("updates", () => agrees(witness, gateway, BTC));
    expect(resetReasons(witness)).toContain("restarted");
    expect(witness.client.counts).toMatchObject({ resyncs: 0, malformed: 0 });
  });

  it("serves an instrument that appears while it runs", async () => {
    const market = startMarket();
    const producer = market.produce({ natives: ["BTC-USD"] });
    producer.snapshot("BTC-USD", wideBook(5));
    const gateway = await market.serve();
    const witness = startClient(market.streamUrl);
    producer.open("ETH-USD");
    producer.sync.connection(0).opened(2e9);
    producer.snapshot("ETH-USD", wideBook(7));
    await until("the gateway's book", () => gateway.book(ETH) !== undefined);
    expect(await follow(witness, ETH)).toMatchObject({ bidLevels: 7, askLevels: 7, isSynced: true });
  });

  it("gives a client that waits the book when its first snapshot arrives", async () => {
    const market = startMarket();
    const producer = market.produce();
    const gateway = await market.serve();
    const witness = startClient(market.streamUrl);
    const waiting = follow(witness, BTC);
    await until("an acknowledgement", () => witness.events.some((event) => event.type === "status"));
    expect(witness.client.peek(BTC)).toBeUndefined();
    expect(witness.client.statuses()).toMatchObject([{ instrument: BTC, priceExponent: -1 }]);
    producer.snapshot("BTC-USD", wideBook(5));
    expect(await waiting).toMatchObject({ bidLevels: 5, isSynced: true, priceExponent: 2 });
    expect(agrees(witness, gateway, BTC)).toBe(true);
    expect(witness.client.counts.resyncs).toBe(0);
  });

  it("lets clients come back by themselves when it is started again on the same port", async () => {
    const market = startMarket(900);
    const producer = market.produce();
    producer.snapshot("BTC-USD", wideBook(5));
    const first = await market.serve({ port: await freePort() });
    const witness = startClient(market.streamUrl);
    await follow(witness, BTC);
    await first.close();
    await until("the loss", () => witness.client.state !== "open");
    expect(witness.client.peek(BTC)).toMatchObject({ isSynced: false, reason: "disconnected" });
    const second = await market.serve({ port: first.port });
    await until("the book again", () => agrees(witness, second, BTC) && witness.client.peek(BTC)?.isSynced === true);
    expect(witness.client.counts.reconnects).toBeGreaterThan(0);
  });

  it.each(["binary", "json"] as const)(
    "lets a %s client go on from where it stood when its connection was cut",
    async (form) => {
      const market = startMarket();
      const producer = market.produce();
      producer.snapshot("BTC-USD", wideBook(2000));
      const gateway = await market.serve();
      const witness = startClient(market.streamUrl, { form, WebSocket: PausableSocket });
      await follow(witness, BTC);
      stir(producer, "BTC-USD", { events: 20 });
      await until("the updates", () => agrees(witness, gateway, BTC) && witness.client.peek(BTC)?.version === "21");
      // The beginning of a book of this size may have ended with an update.
      const { bytesOut, conflatedUpdates } = gateway.stats().gateway.totals;
      PausableSocket.last?.terminate();
      stir(producer, "BTC-USD", { events: 30, from: 20 });
      await until("the loss", () => witness.client.counts.reconnects === 1);
      await until("the book again", () => agrees(witness, gateway, BTC) && witness.client.peek(BTC)?.isSynced === true);
      expect(witness.client.counts).toMatchObject({ resumes: 1, resets: 0, resyncs: 0, malformed: 0 });
      expect(gateway.stats().gateway.totals).toMatchObject({
        resumes: 1,
        conflatedUpdates: conflatedUpdates + 1,
        resets: 0,
      });
      expect(gateway.stats().gateway.totals.bytesOut - bytesOut).toBeLessThan(form === "binary" ? 5000 : 30_000);
    },
  );

  it("reads by timer and loses nothing when the runtime has no waitAsync", async () => {
    const market = startMarket();
    const producer = market.produce();
    producer.snapshot("BTC-USD", wideBook(5));
    const gateway = await market.serve({ waitAsync: null });
    const witness = startClient(market.streamUrl);
    await follow(witness, BTC);
    stir(producer, "BTC-USD", { events: 10 });
    await until("the updates", () => agrees(witness, gateway, BTC) && witness.client.peek(BTC)?.version === "11");
    expect(witness.client.counts).toMatchObject({ resyncs: 0, resets: 0 });
  });
});

function failuresOf(
  stats: { instruments: { instrument: string; replicaFailures: number }[] },
  instrument: string,
): number {
  return stats.instruments.find((one) => one.instrument === instrument)?.replicaFailures ?? 0;
}
