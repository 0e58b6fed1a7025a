/**
 * Bits flipped between a real gateway and a real client by a proxy on real sockets: the stream's checks catch them, the
 * book is dropped, asked for again and right again, and both sides count it. Bad case: a run without a flip; it is counted.
 */
import { afterEach, describe, expect, it } from "vitest";
import { createUwsTransport, createWsTransport } from "../../src/gateway/mod.ts";
import { BookTruth, bookText } from "../simulation/downstream/book_truth.ts";
import { SeededRandom } from "../support/seeded_random.ts";
import { WitnessSocket } from "../support/server_messages.ts";
import { FlipProxy } from "./flip_proxy.ts";
import { until } from "./gateway_market.ts";
import { BTC, closeAll, startClient, startMarket, wideBook } from "./gateway_rig.ts";

const NATIVE = "BTC-USD";
const SEED = 20_261_122;
const EVENTS = 1500;
const proxies: FlipProxy[] = [];

afterEach(async () => {
  for (const proxy of proxies.splice(0)) {
    await proxy.close();
  }
  await closeAll();
});

describe("A stream through a proxy that flips bits", () => {
  it.each([
    ["uWebSockets.js", createUwsTransport],
    ["ws", createWsTransport],
  ])("never leads a client to prove a wrong book, is found, counted and healed over %s", async (_name, transport) => {
    const random = new SeededRandom(SEED);
    const market = startMarket();
    const producer = market.produce({ natives: [NATIVE] });
    const truth = new BookTruth(producer, new DataView(market.map.memory.buffer));
    truth.snapshot(NATIVE, wideBook(200));
    const gateway = await market.serve({ transport: await transport() });
    const proxy = await FlipProxy.start(gateway.port, () => random.next() / 2 ** 32);
    proxies.push(proxy);
    const { client } = startClient(`ws://127.0.0.1:${proxy.port}/ws`, { WebSocket: WitnessSocket });
    const wrong: string[] = [];
    let judged = 0;
    client.on((event) => {
      const book = event.type === "book" ? client.peek(BTC) : undefined;
      if (book?.isSynced === true && book.version === book.provedVersion) {
        judged += 1;
        if (bookText(book) !== truth.text(NATIVE, book.version)) {
          wrong.push(book.version);
        }
      }
    });
    client.subscribe({ channels: ["book"], instruments: [BTC] });
    await until("a book", () => client.peek(BTC)?.isSynced === true);
    proxy.share = 0.02;
    for (let event = 0; event < EVENTS; event++) {
      const step = 1 + random.below(200);
      const side = random.below(2) === 0 ? "buy" : "sell";
      const price = (1000 + ((side === "buy" ? -1 : 1) * step) / 100).toFixed(2);
      truth.update(NATIVE, [[side, price, random.below(4) === 0 ? "0" : String(1 + random.below(50))]]);
      if (event % 3 === 0) {
        await new Promise((resume) => setImmediate(resume));
      }
    }
    proxy.share = 0;
    await until(
      "the client to be right again",
      () => {
        truth.update(NATIVE, [["buy", "999.99", String(1 + random.below(1000))]]);
        const book = client.peek(BTC);
        return (
          book?.isSynced === true && book.provedVersion === book.version && book.version === gateway.book(BTC)?.version
        );
      },
      20_000,
    );
    expect(wrong).toEqual([]);
    expect(judged).toBeGreaterThan(0);
    expect(proxy.flips).toBeGreaterThan(3);
    expect(client.counts.resyncs + client.counts.reconnects).toBeGreaterThan(0);
    const { exchanges, instruments } = gateway.stats();
    expect(instruments[0]?.clientFailures).toBe(exchanges[0]?.totals.clientFailures);
    const health = await (await fetch(`${gateway.url}/health`)).json();
    expect(health).toMatchObject({ instruments: [{ clientFailures: expect.any(Object) }] });
    expect(instruments[0]?.replicaFailures).toBe(0);
  });
});
