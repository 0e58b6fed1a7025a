/**
 * The two shells, sockets and memory, around one core: the same bytes for the same seed, and the faults that only a shell
 * can commit (deaf connections, cut bodies, attempts without an answer) over real sockets. Virtual time drives both.
 * Bad case: bytes that are on their way while time passes; the test waits for every message before it goes on.
 */
import { connect as connectTcp } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import {
  DEFAULT_INSTRUMENTS,
  type Emulator,
  parseFaultScript,
  startEmulator,
  VirtualClock,
} from "../../src/emulator/mod.ts";
import { ConnectionError } from "../../src/errors.ts";
import type { Fetch } from "../../src/feed/rest.ts";
import type { SocketFactory } from "../../src/feed/socket.ts";
import { EXCHANGE_IDS, type ExchangeId } from "../../src/model/exchange_id.ts";
import { Client, sleep, until } from "./client.ts";
import { ask, openClient, START_MS, SYMBOLS, startRig, subscribe } from "./memory_rig.ts";

const INSTRUMENTS = DEFAULT_INSTRUMENTS.map((instrument) => ({ ...instrument, levels: 200 }));

let emulator: Emulator | undefined;
const clients: Client[] = [];

afterEach(async () => {
  for (const client of clients.splice(0)) {
    client.close();
  }
  await emulator?.close();
});

async function start(
  exchanges: readonly ExchangeId[],
  faults: readonly Record<string, unknown>[],
): Promise<VirtualClock> {
  const clock = new VirtualClock(START_MS);
  emulator = await startEmulator({
    exchanges,
    source: { kind: "market", rate: 10, instruments: INSTRUMENTS },
    seed: 7,
    now: clock.now,
    setTimer: clock.setTimer,
    ...(faults.length === 0 ? {} : { faults: parseFaultScript({ fault: faults }) }),
  });
  return clock;
}

async function open(exchange: ExchangeId): Promise<Client> {
  const names = SYMBOLS[exchange].map((symbol) => symbol.toLowerCase());
  const streams = names.flatMap((name) => [`${name}@depth@100ms`, `${name}@trade`]).join("/");
  const path = exchange.startsWith("binance") ? `/stream?streams=${streams}` : "";
  const client = await Client.open((emulator?.endpoints[exchange].websocket ?? "") + path);
  clients.push(client);
  return client;
}

function messagesOf(exchange: ExchangeId): unknown[] {
  const messages: unknown[] = [];
  subscribe({ send: (message: unknown) => messages.push(message) } as never, exchange);
  return messages;
}

describe("Both shells", () => {
  test.each(EXCHANGE_IDS.map((exchange) => [exchange] as const))(
    "send the same bytes of %s when seed and virtual time are equal, with faults too",
    async (exchange) => {
      const faults = [
        { kind: "level_missing", instrument: "*", probability: 0.05 },
        { kind: "drop", probability: 0.05 },
        { kind: "delay", instrument: "*", probability: 0.01, ms: 333 },
        { kind: "drift_extra", at_ms: 5_000, for_ms: 1_000 },
      ];
      const rig = await startRig([exchange], { faults });
      const memory = openClient(rig, exchange);
      subscribe(memory, exchange);
      rig.clock.advance(1);
      rig.clock.advance(20_000);
      rig.clock.advance(10);
      const clock = await start([exchange], faults);
      const client = await open(exchange);
      clock.advance(1);
      for (const message of messagesOf(exchange)) {
        client.send(message);
      }
      await until(() => emulator?.counts()[exchange]?.clientMessages === messagesOf(exchange).length);
      clock.advance(1);
      clock.advance(20_000);
      clock.advance(10);
      await until(() => client.frames.length >= memory.texts.length);
      await sleep(20);
      expect(memory.texts.length).toBeGreaterThan(80);
      expect(client.frames).toEqual(memory.texts);
      expect(emulator?.faults()).toEqual(rig.emulator.faults());
      expect(emulator?.faults().total).toBeGreaterThan(3);
      rig.emulator.close();
    },
  );

  test("have the shapes that a collector takes", async () => {
    const rig = await startRig(["kraken"]);
    const factory: SocketFactory = rig.emulator.openSocket;
    const fetch: Fetch = rig.emulator.fetch;
    expect([typeof factory, typeof fetch]).toEqual(["function", "function"]);
    rig.emulator.close();
  });
});

describe("The memory shell", () => {
  test("takes its time each way, keeps the order, and delivers nothing within a call", async () => {
    const delays = [30, 10, 50, 5];
    let sent = 0;
    const delayMs = ({ to, by }: { to: string; by: string }): number => {
      sent += 1;
      return by === "rest" ? 100 : to === "exchange" ? 20 : (delays[sent % delays.length] ?? 0);
    };
    const calm = await startRig(["kraken"]);
    const rig = await startRig(["kraken"], { delayMs });
    const [quick, slow] = [openClient(calm, "kraken"), openClient(rig, "kraken")];
    for (const [{ clock }, client] of [[calm, quick] as const, [rig, slow] as const]) {
      clock.advance(100);
      client.send({ method: "ping" });
      client.ping();
      const { length } = client.came;
      expect([client.alive, client.came.length]).toEqual([0, length]);
      clock.advance(100);
      subscribe(client, "kraken");
      clock.advance(5_000);
    }
    const updates = ({ texts }: { texts: string[] }): string[] =>
      texts.filter((text) => text.includes('"book","type":"update"'));
    const fromThere = updates(quick).slice(updates(quick).indexOf(updates(slow)[0] ?? ""));
    expect(updates(slow).length).toBeGreaterThan(30);
    expect(updates(slow)).toEqual(fromThere.slice(0, updates(slow).length));
    expect(slow.alive).toBe(1);
    const times = slow.came.map(({ atMs }) => atMs);
    expect(times).toEqual([...times].sort((a, b) => a - b));
    expect((slow.came[0]?.atMs ?? 0) - START_MS).toBeGreaterThanOrEqual(25);
    const url = `${rig.emulator.endpoints.kraken.rest}/0/public/SystemStatus`;
    expect(await ask(rig, url, { waitMs: 150 })).toBe("nothing");
    expect(await ask(rig, url, { waitMs: 201 })).toMatchObject({ status: 200 });
    await expect(rig.emulator.fetch("http://nowhere.memory/")).rejects.toThrow(ConnectionError);
    expect(() => openClient(rig, "kraken", "/../../x").closed).not.toThrow();
    calm.emulator.close();
    rig.emulator.close();
  });

  test("refuses what a client's library refuses: frames above its limit, addresses that are not there", async () => {
    const rig = await startRig(["coinbase_exchange", "kraken"]);
    const closed: string[] = [];
    const frames: Buffer[] = [];
    const handlers = {
      opened: () => undefined,
      frame: (bytes: Buffer) => frames.push(bytes),
      alive: () => undefined,
      closed: (reason: string) => closed.push(reason),
    };
    const { websocket } = rig.emulator.endpoints.coinbase_exchange;
    const socket = rig.emulator.openSocket(websocket, handlers, { frameBytesMax: 2_000 });
    rig.clock.advance(1);
    socket.send(JSON.stringify({ type: "subscribe", product_ids: ["BTC-USD"], channels: ["level2_batch"] }));
    rig.clock.advance(1_000);
    expect([frames.length, closed]).toEqual([1, ["Max payload size exceeded (1009)"]]);
    expect(rig.emulator.counts().coinbase_exchange?.openConnections).toBe(0);
    const lost = rig.emulator.openSocket(`${rig.emulator.endpoints.kraken.websocket}/no`, handlers, {
      frameBytesMax: 10,
    });
    rig.clock.advance(1);
    expect(closed[1]).toBe("Unexpected server response: 404");
    lost.drop();
    const large = openClient(rig, "kraken");
    large.send("x".repeat(1_000_000));
    rig.clock.advance(1);
    expect(large.closed).toEqual(["closed with 1009"]);
    rig.emulator.close();
  });
});

describe("The socket shell", () => {
  test("leaves a half open connection deaf and mute, notices when its client goes, and cuts it at its time", async () => {
    const clock = await start(["kraken"], [{ kind: "half_open", at_ms: 1_000, connection: [1, 2], for_ms: 30_000 }]);
    const [first, second, other] = [await open("kraken"), await open("kraken"), await open("kraken")];
    clock.advance(2_000);
    for (const client of [first, second, other]) {
      client.send({ method: "ping" });
      client.socket.ping();
    }
    let pongs = 0;
    for (const client of [first, second, other]) {
      client.socket.on("pong", () => {
        pongs += 1;
      });
    }
    await until(() => other.objects({ method: "pong" }).length === 1 && pongs === 1);
    await sleep(50);
    expect([first.frames.length, second.frames.length, pongs]).toEqual([1, 1, 1]);
    expect([first.closeCode, second.closeCode]).toEqual([undefined, undefined]);
    expect(emulator?.counts().kraken?.openConnections).toBe(3);
    first.close();
    await until(() => emulator?.counts().kraken?.openConnections === 2);
    clock.advance(30_000);
    await until(() => second.closeCode === 1006);
    expect(other.closeCode).toBeUndefined();
  });

  test("closes with the code, or cuts without one", async () => {
    const faults = [
      { kind: "close", connection: 1, at_ms: 1_000, code: 4002 },
      { kind: "cut", connection: 2, at_ms: 1_000 },
    ];
    const clock = await start(["kraken"], faults);
    const [first, second, other] = [await open("kraken"), await open("kraken"), await open("kraken")];
    clock.advance(1_100);
    await until(() => first.closeCode !== undefined && second.closeCode !== undefined);
    expect([first.closeCode, second.closeCode, other.closeCode]).toEqual([4002, 1006, undefined]);
  });

  test("refuses attempts with the status, or leaves them without an answer", async () => {
    const faults = [
      { kind: "connect_refused", status: 503 },
      { kind: "connection_limit", attempts: 1, per_ms: 10_000 },
    ];
    const clock = await start(["kraken"], faults);
    await expect(open("kraken")).rejects.toThrow("503");
    await open("kraken");
    await expect(open("kraken")).rejects.toThrow("429");
    expect(await upgrade()).toContain("\r\nRetry-After: ");
    clock.advance(700_000);
    await open("kraken");
    await emulator?.close();
    await start(["kraken"], [{ kind: "connect_silent" }]);
    const silent = open("kraken").catch((error: unknown) => error);
    expect(await Promise.race([silent, sleep(150).then(() => "nothing")])).toBe("nothing");
    await open("kraken");
    await emulator?.close();
    expect(await silent).toBeInstanceOf(Error);
  });

  test("answers REST late, wrongly, in half, or not at all", async () => {
    const depth = "/products/BTC-USD/book?level=2";
    const kinds = ["rest_timeout", "rest_truncated", "rest_slow", "rest_error", "rest_429"];
    const faults = kinds.map((kind) => ({ kind, ...(kind === "rest_truncated" ? { abrupt: true } : {}) }));
    const clock = await start(["coinbase_exchange"], faults);
    const url = (emulator?.endpoints.coinbase_exchange.rest ?? "") + depth;
    await expect(fetch(url, { signal: AbortSignal.timeout(100) })).rejects.toThrow(/timeout/);
    await expect(fetch(url).then((response) => response.text())).rejects.toThrow(TypeError);
    const slow = fetch(url).then((response) => response.status);
    await until(() => emulator?.counts().coinbase_exchange?.restRequests === 3);
    expect(await Promise.race([slow, sleep(100)])).toBeUndefined();
    clock.advance(2_000);
    expect(await slow).toBe(200);
    expect((await fetch(url)).status).toBe(503);
    const refused = await fetch(url);
    expect([refused.status, refused.headers.get("retry-after")]).toEqual([429, "5"]);
    clock.advance(5_000);
    expect((await fetch(url)).status).toBe(200);
    const page = (await (await fetch(`${emulator?.endpoints.coinbase_exchange.rest}/faults`)).json()) as {
      total: number;
    };
    expect(page.total).toBe(5);
  });
});

/** What the server answers to an attempt to connect. */
function upgrade(): Promise<string> {
  const { port } = new URL(emulator?.endpoints.kraken.rest ?? "");
  const lines = [
    "GET /v2 HTTP/1.1",
    "Host: a",
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Version: 13",
  ];
  return new Promise((resolve, reject) => {
    const socket = connectTcp(Number(port), "127.0.0.1", () => {
      socket.write(`${[...lines, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="].join("\r\n")}\r\n\r\n`);
    });
    socket.once("data", (chunk) => {
      resolve(chunk.toString());
      socket.destroy();
    });
    socket.once("error", reject);
  });
}
