/**
 * Clients on real sockets that stop reading while the market moves fast, on both transports: what waits for them stays
 * small, the others notice nothing, and what they hold is exact again after one update per book; or they are reset or
 * closed, as they asked. Bad case: the operating system's buffers, which hold megabytes before the server knows; the market
 * goes on until they are full.
 */
import { afterEach, describe, expect, it } from "vitest";

import { createUwsTransport, createWsTransport, type Gateway } from "../../src/gateway/mod.ts";
import type { Policy } from "../../src/wire/protocol.ts";
import { WitnessSocket } from "../support/server_messages.ts";
import type { Producer } from "./gateway_market.ts";
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
  wideBook,
} from "./gateway_rig.ts";

const OTHERS = 98;
const MEMORY_BYTES_MAX = 262_144;
/** All that changes while the client does not read: what is asserted is the update, not when a snapshot is smaller. */
const HISTORY_ENTRIES = 524_288;
const EVENTS_PER_BURST = 40;
const LEVELS_PER_EVENT = 40;
const BURST_MS = 8;

const sockets: WitnessSocket[] = [];

afterEach(async () => {
  for (const socket of sockets.splice(0)) {
    socket.terminate();
  }
  await closeAll();
});

/** Moves both books, tens of thousands of levels a second, until it is stopped. */
class Storm {
  events = 0;
  readonly #producer: Producer;
  readonly #timer: ReturnType<typeof setInterval>;
  readonly #startedAt = performance.now();

  constructor(producer: Producer) {
    this.#producer = producer;
    this.#timer = setInterval(() => this.#burst(), BURST_MS);
  }

  /** Changes of levels per second so far. */
  get perSecond(): number {
    return (this.events * LEVELS_PER_EVENT * 1000) / (performance.now() - this.#startedAt);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #burst(): void {
    for (let event = 0; event < EVENTS_PER_BURST; event++) {
      const native = this.events % 2 === 0 ? "BTC-USD" : "ETH-USD";
      const changes = Array.from({ length: LEVELS_PER_EVENT }, (_, index): ["buy" | "sell", string, string] => {
        const step = 1 + ((this.events * 13 + index * 7) % 190);
        const size = String(1 + ((this.events + index) % 997));
        return index % 2 === 0
          ? ["buy", (1000 - step / 100).toFixed(2), size]
          : ["sell", (1000 + step / 100).toFixed(2), size];
      });
      this.#producer.update(native, changes);
      this.events += 1;
    }
  }
}

/** A socket that follows both books in the binary form and counts what it gets. */
async function startReader(url: string): Promise<{ bytes: number; texts: string[] }> {
  const socket = new WitnessSocket(url, ["alphapulse.v1.bin"]);
  sockets.push(socket);
  const reader: { bytes: number; texts: string[] } = { bytes: 0, texts: [] };
  socket.on("message", (content: Buffer, isBinary) => {
    reader.bytes += content.length;
    if (!isBinary) {
      reader.texts.push(content.toString());
    }
  });
  await new Promise((resolve) => socket.once("open", resolve));
  socket.send(JSON.stringify({ op: "subscribe", id: 1, channels: ["book"], instruments: [BTC, ETH] }));
  return reader;
}

/** One level of both books changes. */
function touch(producer: Producer, size: number): void {
  for (const native of ["BTC-USD", "ETH-USD"]) {
    producer.update(native, [["buy", "999.99", String(size)]]);
  }
}

/** Waits until an event brings all readers the same bytes: none is at the beginning of a book any more. */
async function untilAllFollow(readers: readonly { bytes: number }[], producer: Producer): Promise<void> {
  for (let turn = 1, isEqual = false; !isEqual; turn++) {
    expect(turn).toBeLessThan(100);
    for (const reader of readers) {
      reader.bytes = 0;
    }
    touch(producer, turn);
    await until("an event", () => readers.every(({ bytes }) => bytes > 0), 30_000);
    await new Promise((resolve) => setTimeout(resolve, BURST_MS));
    isEqual = new Set(readers.map(({ bytes }) => bytes)).size === 1;
  }
}

/** What waits for the worst client. */
function backlog(gateway: Gateway): number {
  return Math.max(0, ...gateway.stats().clients.map(({ bufferedBytes }) => bufferedBytes));
}

describe.each([
  ["uWebSockets.js", createUwsTransport],
  ["ws", () => Promise.resolve(createWsTransport())],
] as const)("A client that stops reading over %s", (_name, createTransport) => {
  async function serve(limits = {}) {
    const market = startMarket();
    const producer = market.produce({ deltaCapacity: 65_536 });
    producer.snapshot("BTC-USD", wideBook(2000));
    producer.snapshot("ETH-USD", wideBook(2000));
    const gateway = await market.serve({ transport: await createTransport(), limits });
    await until("books", () => gateway.book(BTC) !== undefined && gateway.book(ETH) !== undefined);
    return { market, producer, gateway };
  }

  async function startPaused({ market, producer, gateway }: Awaited<ReturnType<typeof serve>>, policy: Policy) {
    const witness = startClient(market.streamUrl, { form: "json", WebSocket: PausableSocket });
    witness.client.subscribe({ channels: ["book"], instruments: [BTC, ETH], policy });
    await until("its books", () => [BTC, ETH].every((name) => witness.client.peek(name)?.isSynced), 30_000);
    // It may hold a book that the gateway has not begun to follow for it; whoever got an event behind it is followed.
    touch(producer, 1000);
    await until("an event", () => [BTC, ETH].every((name) => agrees(witness, gateway, name)), 30_000);
    const socket = PausableSocket.last;
    socket?.pause();
    return { ...witness, socket };
  }

  it("costs little, disturbs none of 98 others, and is exact after one update per book", async () => {
    const scene = await serve({ historyEntries: HISTORY_ENTRIES });
    const { market, producer, gateway } = scene;
    const readers = await Promise.all(Array.from({ length: OTHERS }, () => startReader(market.streamUrl)));
    const quick = startClient(market.streamUrl);
    await follow(quick, BTC);
    await follow(quick, ETH);
    await untilAllFollow(readers, producer);
    const slow = await startPaused(scene, "conflate");
    await until("the same bytes", () => new Set(readers.map(({ bytes }) => bytes)).size === 1, 30_000);
    const { conflatedUpdates } = gateway.stats().gateway.totals;
    const storm = new Storm(producer);
    let worst = 0;
    const watch = () => {
      worst = Math.max(worst, backlog(gateway));
      return gateway.stats().gateway.slowClients > 0;
    };
    await until("a slow client", watch, 40_000);
    const until1s = performance.now() + 1000;
    await until("a second more", () => watch() && performance.now() > until1s);
    storm.stop();
    expect(storm.perSecond).toBeGreaterThan(5000);
    expect(worst).toBeGreaterThan(0);
    expect(worst).toBeLessThanOrEqual(MEMORY_BYTES_MAX);
    await until("the quick client", () => agrees(quick, gateway, BTC) && agrees(quick, gateway, ETH), 30_000);
    expect(quick.client.counts).toMatchObject({ resets: 0, resyncs: 0, malformed: 0 });
    await until("the others", () => new Set(readers.map(({ bytes }) => bytes)).size === 1, 30_000);
    expect(readers.flatMap(({ texts }) => texts.filter((text) => text.includes('"reset"')))).toEqual([]);
    slow.socket?.resume();
    await until("the slow client", () => agrees(slow, gateway, BTC) && agrees(slow, gateway, ETH), 20_000);
    expect(slow.client.counts).toMatchObject({ resets: 0, resyncs: 0, malformed: 0 });
    expect(gateway.stats().gateway.totals).toMatchObject({
      slowTimes: 1,
      conflatedUpdates: conflatedUpdates + 2,
      resets: 0,
      dropped: 0,
    });
  }, 150_000);

  it("is reset when it wants nothing merged and is over its limit, and begins anew", async () => {
    const limits = { losslessBytesMax: 524_288 };
    const scene = await serve(limits);
    const { producer, gateway } = scene;
    const slow = await startPaused(scene, "lossless");
    const { conflatedUpdates } = gateway.stats().gateway.totals;
    const storm = new Storm(producer);
    let worst = 0;
    await until(
      "a reset",
      () => {
        worst = Math.max(worst, backlog(gateway));
        return gateway.stats().gateway.totals.resets > 0;
      },
      40_000,
    );
    storm.stop();
    expect(worst).toBeLessThanOrEqual(2 * limits.losslessBytesMax);
    slow.socket?.resume();
    await until("the slow client", () => agrees(slow, gateway, BTC) && agrees(slow, gateway, ETH), 20_000);
    expect(slow.events.filter(({ type }) => type === "reset")).toMatchObject([
      { channel: "book", reason: "slow_client" },
      { channel: "book", reason: "slow_client" },
    ]);
    expect(slow.client.counts).toMatchObject({ resyncs: 0, malformed: 0 });
    expect(gateway.stats().gateway.totals).toMatchObject({ conflatedUpdates, dropped: 0 });
  }, 150_000);

  it("is closed with 4001 when it wants that", async () => {
    const scene = await serve();
    const { producer, gateway } = scene;
    const slow = await startPaused(scene, "disconnect");
    const { conflatedUpdates } = gateway.stats().gateway.totals;
    let code: number | undefined;
    slow.socket?.on("close", (closed) => {
      code = closed;
    });
    const storm = new Storm(producer);
    await until("the end", () => gateway.stats().gateway.totals.slowTimes > 0, 40_000);
    storm.stop();
    slow.socket?.resume();
    await until("the close", () => code !== undefined, 20_000);
    expect(code).toBe(4001);
    expect(gateway.stats().gateway.totals).toMatchObject({ conflatedUpdates, resets: 0, dropped: 0 });
  }, 150_000);
});
