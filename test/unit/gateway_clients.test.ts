/**
 * What the gateway does with each client, call by call: a real market and kernel, sockets and clock faked, so that every
 * order and every full buffer can be made. Bad case: a fake that forgets the transport's contract; the integration tests
 * hold the real transports to it.
 */
import { afterEach, describe, expect, it } from "vitest";
import { FRAME_DELTAS, FRAME_FLAG_CHECK, FRAME_KIND_MASK, FRAME_SNAPSHOT } from "../../assembly/layout.ts";
import { GatewayCore } from "../../src/gateway/core.ts";
import { completeLimits, type GatewayLimits } from "../../src/gateway/limits.ts";
import { SILENT_LOG } from "../../src/gateway/log.ts";
import type { Connection, Payload } from "../../src/gateway/transport.ts";
import { loadKernel } from "../../src/kernel/load.ts";
import { dissectFrame } from "../../src/wire/dissect.ts";
import { Market, type Producer, until } from "../integration/gateway_market.ts";
import { BTC, ETH, stir, wideBook } from "../integration/gateway_rig.ts";
import { checkText } from "./gateway_scene.ts";

const cores: GatewayCore[] = [];

afterEach(() => {
  for (const core of cores.splice(0)) {
    core.stop();
  }
});

/** A client's end of a connection: keeps what it got, buffers as the test says. */
class FakeConnection implements Connection {
  readonly id = 1;
  readonly protocol: string;
  readonly remote = "test";
  readonly got: string[] = [];
  readonly frames: Uint8Array[] = [];
  readonly topics = new Set<string>();
  buffered = 0;
  /** It reads nothing: what is sent stays in the buffer. */
  isStuck = false;
  closed: { code: number; reason: string } | undefined;

  constructor(protocol = "alphapulse.v1.bin") {
    this.protocol = protocol;
  }

  send(payload: Payload): void {
    this.got.push(nameOf(payload));
    this.buffered += this.isStuck ? payload.length : 0;
    if (typeof payload === "string") {
      checkText(payload);
    } else {
      this.frames.push(payload.slice());
    }
  }

  subscribe(topic: string): void {
    this.topics.add(topic);
  }

  unsubscribe(topic: string): void {
    this.topics.delete(topic);
  }

  bufferedBytes(): number {
    return this.buffered;
  }

  close(code: number, reason: string): void {
    this.closed = { code, reason };
  }
}

/** What a message is, in a word. */
function nameOf(payload: Payload): string {
  if (typeof payload === "string") {
    const { type, reason } = JSON.parse(payload) as { type: string; reason?: string };
    return type === "reset" ? `reset ${reason}` : type;
  }
  const kind = (payload[0] ?? 0) & FRAME_KIND_MASK;
  return kind === FRAME_SNAPSHOT ? "snapshot" : kind === FRAME_DELTAS ? "deltas" : `frame ${kind}`;
}

/** A gateway core whose server delivers to fake connections. */
class Scene {
  readonly market = new Market(400);
  readonly producer: Producer;
  readonly core: GatewayCore;
  readonly connections: FakeConnection[] = [];
  nowMs = performance.timeOrigin + performance.now();

  constructor(limits: Partial<GatewayLimits> = {}) {
    this.producer = this.market.produce();
    this.producer.snapshot("BTC-USD", wideBook(50));
    this.producer.snapshot("ETH-USD", wideBook(30));
    const arena = this.market.map.reserve("gateway", { bytes: 96 << 20 });
    const kernel = loadKernel({ name: "twin", memory: this.market.map.memory });
    kernel.arenaInit(arena.address, arena.bytes);
    this.core = new GatewayCore({
      kernel,
      segments: () => [this.producer.segment],
      limits: completeLimits({ heartbeatStaleMs: 1e9, ...limits }),
      now: () => this.nowMs,
      log: SILENT_LOG,
      server: "test",
      transport: "ws",
      waitAsync: undefined,
    });
    this.core.start({
      port: 1,
      publish: (topic, payload) => {
        for (const connection of this.connections.filter(({ topics }) => topics.has(topic))) {
          connection.send(payload);
        }
      },
      close: () => Promise.resolve(),
    });
    cores.push(this.core);
  }

  connect(protocol?: string): FakeConnection {
    const connection = new FakeConnection(protocol);
    this.connections.push(connection);
    this.core.sessions.open(connection);
    return connection;
  }

  say(connection: FakeConnection, message: object): void {
    this.core.sessions.message(connection, new TextEncoder().encode(JSON.stringify({ id: 1, ...message })), true);
  }

  follow(connection: FakeConnection, instruments: string[]): void {
    this.say(connection, { op: "subscribe", channels: ["book"], instruments });
  }

  /** Lets the gateway take its turns: long enough for every timer of the loop. */
  async settle(ms = 130): Promise<void> {
    this.nowMs += 200;
    await new Promise((resume) => setTimeout(resume, ms));
  }
}

async function started(limits: Partial<GatewayLimits> = {}): Promise<Scene> {
  const scene = new Scene(limits);
  await until("books", () => scene.core.book(BTC) !== undefined && scene.core.book(ETH) !== undefined);
  return scene;
}

describe("Clients of the gateway", () => {
  it("get the acknowledgement, then the snapshot, then deltas, and are on the topic only after the snapshot", async () => {
    const scene = await started();
    const connection = scene.connect();
    scene.follow(connection, [BTC]);
    expect(connection.got).toEqual(["welcome", "subscribed"]);
    expect([...connection.topics]).toEqual(["status.1"]);
    await scene.settle();
    stir(scene.producer, "BTC-USD", { events: 2 });
    await scene.settle();
    expect(connection.got).toEqual(["welcome", "subscribed", "snapshot", "deltas"]);
    expect([...connection.topics]).toEqual(["status.1", "book.binary.1"]);
  });

  it("share one snapshot when they join in the same turn", async () => {
    const scene = await started();
    const both = [scene.connect(), scene.connect()];
    for (const connection of both) {
      scene.follow(connection, [BTC]);
    }
    await scene.settle();
    expect(both.map(({ frames }) => frames.length)).toEqual([1, 1]);
    expect(both[0]?.frames).toEqual(both[1]?.frames);
  });

  it("get the next snapshot only when they have read the one before", async () => {
    const scene = await started();
    const connection = scene.connect();
    connection.buffered = 300_000;
    scene.follow(connection, ["*:*"]);
    await scene.settle();
    expect(connection.got.filter((name) => name === "snapshot")).toHaveLength(0);
    connection.buffered = 0;
    scene.core.sessions.drain(connection);
    expect(connection.got.filter((name) => name === "snapshot")).toHaveLength(2);
  });

  it("are taken off everything when they are over both limits, and go on when they have read", async () => {
    const scene = await started();
    const [slow, quick] = [scene.connect(), scene.connect()];
    scene.follow(slow, [BTC]);
    scene.follow(quick, [BTC]);
    scene.say(slow, { op: "subscribe", channels: ["trades", "bbo", "stats"], instruments: [BTC] });
    await scene.settle();
    slow.buffered = 1_100_000;
    await scene.settle();
    expect([...slow.topics]).toEqual([]);
    const before = slow.got.length;
    stir(scene.producer, "BTC-USD", { events: 5 });
    await scene.settle();
    expect(slow.got).toHaveLength(before);
    expect(quick.got.at(-1)).toBe("deltas");
    slow.buffered = 500_000;
    scene.core.sessions.drain(slow);
    expect(slow.got).toHaveLength(before);
    slow.buffered = 1000;
    scene.core.sessions.drain(slow);
    expect(slow.got.slice(before)).toEqual(["frame 5", "frame 4", "reset slow_client"]);
    expect(slow.topics).toEqual(new Set(["status.1", "stats", "book.binary.1", "trades.binary.1", "bbo.binary.1"]));
    expect(scene.core.sessions.totals.resets).toBe(1);
  });

  it("are not slow because of a snapshot that is larger than the limit by itself, and are live when they have read it", async () => {
    const scene = await started({ backlogBytesMax: 1000, snapshotWindowBytes: 900 });
    const connection = scene.connect("alphapulse.v1.json");
    connection.isStuck = true;
    scene.follow(connection, [BTC]);
    await scene.settle();
    expect(connection.buffered).toBeGreaterThan(2000);
    expect(connection.topics).toEqual(new Set(["status.1"]));
    stir(scene.producer, "BTC-USD", { events: 20 });
    await scene.settle();
    expect(scene.core.sessions.totals.slowTimes).toBe(0);
    connection.buffered = 0;
    scene.core.sessions.drain(connection);
    expect(connection.got.slice(-2)).toEqual(["orderbook", "orderbook_delta"]);
    expect(connection.topics.has("book.json.1")).toBe(true);
    connection.buffered = 1001;
    stir(scene.producer, "BTC-USD", { events: 20, from: 20 });
    await scene.settle();
    expect(connection.topics).toEqual(new Set());
    expect(scene.core.sessions.totals).toMatchObject({ slowTimes: 1, resets: 0 });
  });

  it("are reset after the turn, not within it, when the transport dropped something", async () => {
    const scene = await started();
    const connection = scene.connect();
    scene.follow(connection, [BTC]);
    await scene.settle();
    scene.core.sessions.dropped(connection);
    expect(connection.topics.has("book.binary.1")).toBe(true);
    await scene.settle();
    await scene.settle();
    expect(connection.got.slice(-2)).toEqual(["reset dropped", "snapshot"]);
    expect(scene.core.stats().gateway.totals).toMatchObject({ dropped: 1, resets: 1 });
  });

  it("are closed when they go on asking and read nothing", async () => {
    const scene = await started();
    const connection = scene.connect();
    scene.follow(connection, [BTC]);
    await scene.settle();
    connection.buffered = 1_100_000;
    await scene.settle();
    connection.buffered = 2_300_000;
    await scene.settle();
    expect(connection.closed).toMatchObject({ code: 1008 });
    const before = connection.got.length;
    scene.say(connection, { op: "ping" });
    expect(connection.got).toHaveLength(before);
  });

  it("leave nothing behind when they go", async () => {
    const scene = await started();
    const connection = scene.connect();
    scene.say(connection, { op: "subscribe", channels: ["book", "stats"], instruments: ["*:*"] });
    await scene.settle();
    scene.core.sessions.close(connection);
    const { framesOut } = scene.core.stats().gateway.totals;
    stir(scene.producer, "BTC-USD", { events: 3 });
    scene.nowMs += 2000;
    await scene.settle();
    expect(scene.core.stats().gateway).toMatchObject({ clients: 0, totals: { framesOut } });
  });
});

describe("Frames of a book", () => {
  it("carry the hash at least every 64th time and after every second", async () => {
    const scene = await started();
    const connection = scene.connect();
    scene.follow(connection, [BTC]);
    await scene.settle();
    for (let event = 0; event < 140; event++) {
      stir(scene.producer, "BTC-USD", { events: 1, from: event });
      const frames = connection.frames.length;
      await until("its frame", () => connection.frames.length > frames);
    }
    const deltas = connection.frames.filter((frame) => ((frame[0] ?? 0) & FRAME_KIND_MASK) === FRAME_DELTAS);
    const checked = deltas.flatMap((frame, index) => (((frame[0] ?? 0) & FRAME_FLAG_CHECK) === 0 ? [] : [index]));
    expect(deltas).toHaveLength(140);
    expect(Math.max(...checked.map((at, index) => at - (checked[index - 1] ?? -1)))).toBeLessThanOrEqual(64);
    scene.nowMs += 1100;
    stir(scene.producer, "BTC-USD", { events: 1, from: 140 });
    await until("one more", () => connection.frames.length === 142);
    expect((connection.frames.at(-1)?.[0] ?? 0) & FRAME_FLAG_CHECK).toBe(FRAME_FLAG_CHECK);
  });

  it("prove a book that went quiet within a second, then every ten seconds", async () => {
    const scene = await started();
    const connection = scene.connect();
    scene.follow(connection, [BTC]);
    await scene.settle();
    for (const from of [0, 1]) {
      stir(scene.producer, "BTC-USD", { events: 1, from });
      await until("its frame", () => connection.frames.length === 2 + from);
    }
    expect((connection.frames.at(-1)?.[0] ?? 0) & FRAME_FLAG_CHECK).toBe(0);
    scene.nowMs += 1100;
    await until("the proof", () => connection.frames.length === 4);
    expect(dissectFrame(connection.frames.at(-1) ?? new Uint8Array())?.map(({ name }) => name)).toEqual([
      "kind",
      "alias",
      "hash",
      "chain",
    ]);
    scene.nowMs += 5000;
    await scene.settle();
    expect(connection.frames).toHaveLength(4);
    scene.nowMs += 5000;
    await scene.settle();
    expect(connection.frames).toHaveLength(5);
  });

  it("hold many events when the producer was quicker than the loop, and one frame stays small", async () => {
    const scene = await started();
    const connection = scene.connect();
    scene.follow(connection, [BTC]);
    await scene.settle();
    stir(scene.producer, "BTC-USD", { events: 900 });
    await scene.settle();
    const sizes = connection.frames.slice(1).map((frame) => frame.length);
    const events = connection.frames
      .slice(1)
      .flatMap((frame) => dissectFrame(frame) ?? [])
      .filter(({ name }) => name === "eventHead");
    expect(events).toHaveLength(900);
    expect(sizes.length).toBeLessThan(20);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(65_536);
  });

  it("stay whole when one event needs more than the buffer had", async () => {
    const scene = await started({ encodeBytes: 4096 });
    const connection = scene.connect();
    scene.follow(connection, [BTC]);
    await scene.settle();
    const changes = Array.from({ length: 3000 }, (_, index) => ["buy", (500 + index / 100).toFixed(2), "3"] as const);
    scene.producer.update("BTC-USD", changes);
    await until("the event", () => connection.frames.length === 2);
    const fields = dissectFrame(connection.frames[1] ?? new Uint8Array()) ?? [];
    expect(fields.filter(({ name }) => name === "price")).toHaveLength(3000);
    expect(scene.core.book(BTC)).toMatchObject({ synced: true, bidLevels: 3050 });
  });

  it("come whole, and nobody joins in between, when one event takes many turns to read", async () => {
    const scene = await started({ batchRecords: 16 });
    const [binary, json, late] = [scene.connect(), scene.connect("alphapulse.v1.json"), scene.connect()];
    scene.follow(binary, [BTC]);
    scene.follow(json, [BTC]);
    await scene.settle();
    const changes = Array.from({ length: 3000 }, (_, index) => ["buy", (500 + index / 100).toFixed(2), "3"] as const);
    scene.producer.update("BTC-USD", changes);
    scene.follow(late, [BTC]);
    await until("everybody", () => binary.frames.length === 2 && late.frames.length > 0);
    await scene.settle();
    const fields = dissectFrame(binary.frames[1] ?? new Uint8Array()) ?? [];
    expect(fields.filter(({ name }) => name === "eventHead")).toHaveLength(1);
    expect(fields.filter(({ name }) => name === "price")).toHaveLength(3000);
    expect(json.got.filter((name) => name === "orderbook_delta")).toHaveLength(1);
    const held = (dissectFrame(late.frames[0] ?? new Uint8Array()) ?? []).filter(({ name }) => name === "price").length;
    expect([held, late.frames.length]).toEqual(held === 100 ? [100, 2] : [3100, 1]);
  });
});
