/**
 * What other people's clients begin with, against a real gateway: the ten lines of JavaScript in PROTOCOL.md, run as they
 * stand, hold its book; the AsyncAPI document is served.
 * Bad case: lines that work by chance because nothing changed; the market changes and levels leave.
 */
import { afterEach, describe, expect, it } from "vitest";
import { asyncApiDocument } from "../../src/wire/asyncapi.ts";
import { protocolBlocks } from "../support/protocol_text.ts";
import { WitnessSocket } from "../support/server_messages.ts";
import { until } from "./gateway_market.ts";
import { BTC, closeAll, startMarket, stir, wideBook } from "./gateway_rig.ts";

const NATIVE = "BTC-USD";
const ADDRESS = "ws://127.0.0.1:8765/ws";
const INSTRUMENT = "kraken:BTC-USD";
const EVENTS = 200;
const EVENTS_PER_TURN = 20;

afterEach(closeAll);

type Held = { bid: Map<string, string>; ask: Map<string, string>; version: string };
type Started = { book: Held; socket: WitnessSocket };

function text({ bid, ask, version }: Held): string {
  const sorted = (levels: Map<string, string>, sign: number) =>
    [...levels].sort(([one], [other]) => sign * (Number(one) - Number(other)));
  return JSON.stringify([version, sorted(bid, -1), sorted(ask, 1)]);
}

describe("A gateway", () => {
  it("serves the AsyncAPI document of the stream when it is asked", async () => {
    const gateway = await startMarket().serve();
    const answer = await fetch(`http://127.0.0.1:${gateway.port}/api/v1/asyncapi.json`);
    expect(answer.headers.get("content-type")).toContain("application/json");
    expect(await answer.json()).toEqual(asyncApiDocument());
  });
});

describe("The ten lines of JavaScript in PROTOCOL.md", () => {
  it("hold the gateway's book when levels come, change and leave", async () => {
    const [program = ""] = protocolBlocks("Ten lines of JavaScript", "js");
    expect(program.trim().split("\n")).toHaveLength(10);
    expect(program).toContain(ADDRESS);
    expect(program).toContain(INSTRUMENT);
    const market = startMarket();
    const producer = market.produce({ natives: [NATIVE] });
    producer.snapshot(NATIVE, wideBook(100));
    const gateway = await market.serve();
    const url = `ws://127.0.0.1:${gateway.port}/ws`;
    const lines = program.replace(ADDRESS, url).replace(INSTRUMENT, BTC);
    const start = new Function("WebSocket", `${lines}\nreturn { book, socket };`) as (socket: object) => Started;
    const { book, socket } = start(WitnessSocket);
    await until("a book", () => book.version !== "");
    for (let from = 0; from < EVENTS; from += EVENTS_PER_TURN) {
      stir(producer, NATIVE, { events: EVENTS_PER_TURN, from });
      await new Promise((resume) => setImmediate(resume));
    }
    const wanted = () => {
      const { bids = [], asks = [], version = "" } = gateway.book(BTC, 1000) ?? {};
      return text({ bid: new Map(bids), ask: new Map(asks), version });
    };
    // Before the gateway has read the last event, both may agree on an earlier book.
    await until("the gateway's book", () => Number(book.version) > EVENTS && text(book) === wanted());
    expect(book.bid.size).toBeGreaterThan(50);
    socket.terminate();
  });
});
