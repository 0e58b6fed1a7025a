/**
 * An instrument that is removed and added again, as clients of the stream see it: they are told why, nobody can subscribe
 * what is not there, whoever subscribed it may end that, and it goes on by itself when it comes back.
 * Bad case: a client that subscribed a pattern and ends it while the instrument is away; it must not come back for it.
 */
import { afterEach, describe, expect, it } from "vitest";
import type { Gateway } from "../../src/gateway/mod.ts";
import { type Market, type Producer, until } from "./gateway_market.ts";
import { BTC, closeAll, ETH, type PlainSocket, startMarket, startSocket, wideBook } from "./gateway_rig.ts";

afterEach(closeAll);

type World = { market: Market; producer: Producer; gateway: Gateway };

async function serve(): Promise<World> {
  const market = startMarket();
  const producer = market.produce();
  producer.snapshot("BTC-USD", wideBook(20));
  producer.snapshot("ETH-USD", wideBook(20));
  const gateway = await market.serve();
  await until("both books", () => gateway.book(BTC) !== undefined && gateway.book(ETH) !== undefined);
  return { market, producer, gateway };
}

function remove({ producer }: World): void {
  const instrument = producer.sync.instrument("ETH-USD");
  if (instrument !== undefined) {
    producer.sync.close(instrument, 2_000_000_000);
    producer.publish();
  }
}

function addAgain({ producer }: World): void {
  producer.open("ETH-USD");
  producer.snapshot("ETH-USD", wideBook(30));
}

const say = ({ socket }: PlainSocket, message: object) => socket.send(JSON.stringify(message));
const of = ({ messages }: PlainSocket, type: string) => messages.filter((message) => message.type === type);
const ofEth = (plain: PlainSocket, type: string) => of(plain, type).filter(({ instrument }) => instrument === ETH);

async function ask(plain: PlainSocket, message: { id: number } & Record<string, unknown>, answers = 1): Promise<void> {
  say(plain, message);
  await until("the answer", () => plain.messages.filter(({ id }) => id === message.id).length >= answers);
}

describe("An instrument that is removed while the gateway runs", () => {
  it("ends in a status and a reset that say why, and is nowhere any more; the others go on", async () => {
    const world = await serve();
    const plain = await startSocket(world.market.streamUrl);
    await ask(plain, { op: "subscribe", id: 1, channels: ["book", "trades"], instruments: ["*:*"] }, 4);
    await until("both books", () => of(plain, "orderbook").length === 2);
    remove(world);
    await until("the resets", () => ofEth(plain, "reset").length === 2);
    expect(ofEth(plain, "status").at(-1)).toMatchObject({ state: "retired", reason: "removed" });
    const shape = { depth: 0, rateMs: 0, reason: "removed" };
    expect(ofEth(plain, "reset")).toEqual([
      { type: "reset", instrument: ETH, channel: "book", ...shape },
      { type: "reset", instrument: ETH, channel: "trades", ...shape },
    ]);
    const { messages } = plain;
    const statusAt = messages.findIndex(({ type, state }) => type === "status" && state === "retired");
    expect(statusAt).toBeLessThan(messages.findIndex(({ type }) => type === "reset"));
    expect(world.gateway.book(ETH)).toBeUndefined();
    expect(world.gateway.stats().instruments.map(({ instrument }) => instrument)).toEqual([BTC]);
    await ask(plain, { op: "instruments", id: 2 });
    expect(of(plain, "instruments")[0]).toMatchObject({ instruments: [{ instrument: BTC, state: "synced" }] });
    world.producer.update("BTC-USD", [["buy", "999", "5"]]);
    await until("the change", () => of(plain, "orderbook_delta").length === 1);
    expect(of(plain, "reset").filter(({ instrument }) => instrument === BTC)).toEqual([]);
  });

  it("cannot be subscribed, with the nearest names, but who subscribed it may end that", async () => {
    const world = await serve();
    const [early, late] = [await startSocket(world.market.streamUrl), await startSocket(world.market.streamUrl)];
    await ask(early, { op: "subscribe", id: 1, channels: ["book"], instruments: [ETH] });
    remove(world);
    await until("the reset", () => ofEth(early, "reset").length === 1);
    await ask(late, { op: "subscribe", id: 1, channels: ["book"], instruments: [ETH] });
    expect(of(late, "error")[0]).toMatchObject({
      id: 1,
      code: "unknown_instrument",
      message: expect.stringContaining(BTC),
    });
    say(late, { op: "unsubscribe", id: 2, channels: ["book"], instruments: ["*:ETH-USD"] });
    await ask(late, { op: "ping", id: 3 });
    expect(of(late, "error")).toHaveLength(1);
    await ask(early, { op: "unsubscribe", id: 2, channels: ["book"], instruments: [ETH] });
    expect(ofEth(early, "unsubscribed")).toHaveLength(1);
    addAgain(world);
    await until("the book", () => world.gateway.book(ETH) !== undefined);
    await ask(early, { op: "ping", id: 3 });
    expect(ofEth(early, "orderbook").length).toBeLessThanOrEqual(1);
    expect([...ofEth(late, "subscribed"), ...ofEth(late, "orderbook")]).toEqual([]);
  });

  it("goes on by itself when it is added again: a status, a snapshot, and for patterns also to who came meanwhile", async () => {
    const world = await serve();
    const held = await startSocket(world.market.streamUrl);
    await ask(held, { op: "subscribe", id: 1, channels: ["book"], instruments: [ETH, "*:*"] }, 2);
    await until("the book", () => ofEth(held, "orderbook").length === 1);
    remove(world);
    await until("the reset", () => ofEth(held, "reset").length === 1);
    const meanwhile = await startSocket(world.market.streamUrl);
    await ask(meanwhile, { op: "subscribe", id: 1, channels: ["book"], instruments: ["coinbase:*"] });
    const ended = await startSocket(world.market.streamUrl);
    await ask(ended, { op: "subscribe", id: 1, channels: ["book"], instruments: ["*:*"] });
    await ask(ended, { op: "unsubscribe", id: 2, channels: ["book"], instruments: ["*:*"] });
    addAgain(world);
    await until("both", () => ofEth(held, "orderbook").length === 2 && ofEth(meanwhile, "orderbook").length === 1);
    const [, snapshot] = ofEth(held, "orderbook");
    expect(snapshot).toEqual(ofEth(meanwhile, "orderbook")[0]);
    expect(snapshot?.bids).toHaveLength(30);
    expect(ofEth(held, "status").at(-1)).toMatchObject({ state: "synced", reason: "none" });
    expect(ofEth(held, "subscribed")).toHaveLength(1);
    expect(ofEth(meanwhile, "subscribed")).toMatchObject([{ id: 0, channel: "book" }]);
    await ask(ended, { op: "ping", id: 3 });
    expect(ofEth(ended, "orderbook").length).toBe(0);
    world.producer.update("ETH-USD", [["buy", "999", "5"]]);
    await until("the change", () => ofEth(held, "orderbook_delta").length === 1);
  });
});
