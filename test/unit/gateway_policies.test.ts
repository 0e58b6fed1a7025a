/**
 * Clients that read too slowly, by what they asked for: what may be merged is merged into one update, what may not is kept
 * up to a limit and then begun anew, and who asked for it is closed. Bad case: a slow client that costs the others anything;
 * they never see a difference.
 */
import { afterEach, describe, expect, it } from "vitest";
import type { GatewayLimits } from "../../src/gateway/limits.ts";
import { BTC, ETH, stir } from "../integration/gateway_rig.ts";
import { Scene, type SceneClient } from "./gateway_scene.ts";

let scene: Scene | undefined;

function started(limits: Partial<GatewayLimits> = {}): Scene {
  scene = new Scene(limits);
  return scene;
}

afterEach(() => scene?.core.stop());

const SLOW = 140_000;
const SLOWER = 1_100_000;

/** Lets the market move and the gateway look at its clients. */
function move(world: Scene, from: number, events = 20): void {
  for (let event = from; event < from + events; event++) {
    stir(world.producer, "BTC-USD", { events: 1, from: event });
    world.run(10);
  }
}

/** Puts so many levels below all others. */
function deepen(world: Scene, levels: number): void {
  for (let done = 0; done < levels; done += 4000) {
    const changes = Array.from(
      { length: 4000 },
      (_, index) => ["buy", (900 - (done + index) / 100).toFixed(2), "3"] as const,
    );
    world.producer.update("BTC-USD", changes);
    world.run(100);
  }
}

function agrees(world: Scene, client: SceneClient): void {
  const truth = world.core.book(BTC, 200_000);
  const held = client.book(BTC);
  expect(held.version).toBe(Number(truth?.version));
  expect(held.bids.map(([price]) => price)).toEqual(
    truth?.bids.map(([price]) => String(Math.round(Number(price) * 100))),
  );
}

describe("A client that conflates", () => {
  it("gets one update per book when it has read, whatever happened meanwhile, and no reset", () => {
    const world = started();
    const client = world.connect();
    world.follow(client, { instruments: [BTC, ETH] });
    client.buffered = SLOW;
    move(world, 0, 200);
    expect([...client.topics]).toEqual([]);
    const before = client.got.length;
    world.drain(client, SLOW / 2);
    expect(client.got).toHaveLength(before);
    world.drain(client);
    expect(client.got.slice(before)).toEqual(["conflated"]);
    agrees(world, client);
    move(world, 200, 5);
    agrees(world, client);
    expect(world.core.sessions.totals).toMatchObject({ slowTimes: 1, resets: 0, conflatedUpdates: 1 });
  });

  it("gets a snapshot instead when so much changed that it is smaller", () => {
    const world = started({ historyEntries: 128 });
    const client = world.connect();
    world.follow(client);
    client.buffered = SLOW;
    move(world, 0, 150);
    const before = client.got.length;
    world.drain(client);
    expect(client.got.slice(before)).toEqual(["snapshot"]);
    agrees(world, client);
  });

  it("gets the last best prices, and of the statuses only those that changed", () => {
    const world = started();
    const client = world.connect("json");
    world.say(client, { op: "subscribe", channels: ["bbo", "status"], instruments: [BTC, ETH] });
    world.run(20);
    client.buffered = SLOW;
    move(world, 0, 50);
    world.producer.open("SOL-USD");
    const before = client.messages.length;
    world.drain(client);
    expect(client.got.slice(before)).toEqual(["bbo", "bbo"]);
    expect(client.messages.at(-2)?.bid).toEqual(world.core.book(BTC)?.bids[0]);
  });

  it("is not taken off twice while it does not read, and is closed when its answers pile up", () => {
    const world = started();
    const client = world.connect();
    world.follow(client);
    client.buffered = SLOW;
    move(world, 0, 20);
    expect(world.core.sessions.totals.slowTimes).toBe(1);
    client.buffered = 2 * SLOW;
    move(world, 20, 20);
    expect(client.closed).toEqual({ code: 1008, reason: "answers are not read" });
  });
});

describe("A client without loss", () => {
  it("stays on its topic up to its limit, then is reset, and begins anew when it has read", () => {
    const world = started();
    const client = world.connect();
    world.follow(client, { policy: "lossless" });
    world.say(client, { op: "subscribe", channels: ["trades"], instruments: [BTC] });
    world.run(20);
    client.buffered = SLOW;
    const before = client.got.length;
    move(world, 0, 20);
    expect(client.got.slice(before).filter((one) => one === "deltas").length).toBeGreaterThan(10);
    expect(world.core.stats().clients).toMatchObject([{ client: 1, state: "conflated", resets: 0 }]);
    client.buffered = SLOWER;
    move(world, 20, 5);
    expect([...client.topics]).toEqual([]);
    expect(world.core.stats().clients).toMatchObject([{ state: "reset", resets: 2 }]);
    const then = client.got.length;
    move(world, 25, 5);
    world.drain(client);
    expect(client.got.slice(then)).toEqual(["reset slow_client", "snapshot", "reset slow_client"]);
    expect(client.of("reset")).toMatchObject([
      { channel: "book", instrument: BTC, depth: 0, rateMs: 0 },
      { channel: "trades", instrument: BTC, depth: 0, rateMs: 0 },
    ]);
    agrees(world, client);
  });
});

describe("A client that wants to be closed", () => {
  it("is closed with 4001 when it reads too slowly, and the others go on", () => {
    const world = started();
    const [slow, quick] = [world.connect(), world.connect()];
    world.follow(slow, { policy: "disconnect" });
    world.follow(quick);
    slow.buffered = SLOW;
    move(world, 0, 20);
    expect(slow.closed).toEqual({ code: 4001, reason: "slow_client" });
    expect([...slow.topics]).toEqual([]);
    agrees(world, quick);
    expect(quick.got.filter((one) => one === "conflated")).toEqual([]);
  });
});

describe("Slow clients", () => {
  it("are told in the log once per change, and not more often than a few times a second", () => {
    const world = started();
    const clients = Array.from({ length: 60 }, () => world.connect());
    for (const client of clients) {
      world.follow(client);
    }
    for (const client of clients) {
      client.buffered = SLOW;
    }
    move(world, 0, 20);
    const lines = world.log.filter((line) => line.includes("is conflated"));
    expect(lines.length).toBeGreaterThanOrEqual(20);
    expect(lines.length).toBeLessThan(30);
    expect(lines[0]).toBe(`Client 1 (test) is conflated: ${SLOW} bytes wait for it`);
    expect(world.core.stats().gateway.slowClients).toBe(60);
    expect(world.core.stats().clients).toHaveLength(10);
    world.run(10_000);
    world.drain(clients[0] as SceneClient);
    expect(world.log.at(-1)).toMatch(/^Client 1 \(test\) is live: 0 bytes wait for it \(and \d+ changes/);
  });

  it("are shown and told in the log when the transport dropped something of theirs, and begin anew", () => {
    const world = started();
    const client = world.connect();
    world.follow(client);
    world.core.sessions.dropped(client);
    world.run(300);
    expect(client.got.filter((one) => one !== "deltas").slice(-2)).toEqual(["reset dropped", "snapshot"]);
    expect(world.core.stats().clients).toMatchObject([{ client: 1, state: "live", dropped: 1, resets: 1 }]);
    expect(world.log).toContain("Cannot send to client 1 (test): the transport dropped a message");
  });

  it("cost one snapshot together when they come back one after the other while the market moves", () => {
    const world = started();
    deepen(world, 12_000);
    const clients = Array.from({ length: 50 }, (_, index) => {
      const client = world.connect();
      world.follow(client);
      stir(world.producer, "BTC-USD", { events: 1, from: index });
      world.run(5);
      return client;
    });
    world.run(100);
    for (const client of clients) {
      agrees(world, client);
    }
    const parts = clients.map(({ got }) => got.filter((one) => one === "snapshot").length);
    expect(new Set(parts)).toEqual(new Set([1]));
    const snapshots = clients.map(({ got, sizes }) => sizes[got.indexOf("snapshot")]);
    expect(new Set(snapshots).size).toBe(1);
  });

  it("get the parts of a large snapshot as they read, and then what changed meanwhile", () => {
    const world = started();
    deepen(world, 80_000);
    const client = world.connect();
    client.isStuck = true;
    world.follow(client);
    expect(client.got.filter((one) => one === "snapshot")).toHaveLength(2);
    expect(client.buffered).toBeLessThan(100_000);
    expect(client.topics).toEqual(new Set(["status.1"]));
    for (let read = 0; read < 20 && client.topics.size < 2; read++) {
      move(world, read * 5, 5);
      world.drain(client);
    }
    expect(client.got.filter((one) => one === "snapshot").length).toBeGreaterThan(2);
    expect(client.got.at(-1)).toBe("conflated");
    expect(Math.max(...client.sizes)).toBeLessThanOrEqual(65_536);
    expect(world.core.sessions.totals.slowTimes).toBe(0);
    agrees(world, client);
  });
});

describe("Subscriptions", () => {
  it("of the status alone are told the status and nothing else", () => {
    const world = started();
    const client = world.connect();
    world.say(client, { op: "subscribe", channels: ["status"], instruments: [BTC] });
    world.run(20);
    move(world, 0, 20);
    expect(client.got).toEqual(["welcome", "subscribed"]);
    expect(client.of("subscribed")).toMatchObject([
      { channel: "status", policy: "conflate", state: "synced", resumed: false },
    ]);
    world.producer.sync.connection(0).closed(1e12);
    world.producer.publish();
    world.run(500);
    expect(client.of("status")).toMatchObject([{ instrument: BTC, reason: "disconnected" }]);
    expect(client.of("status")[0]).not.toHaveProperty("alias");
  });

  it("are refused all together when they are more than the limit, and nothing is subscribed", () => {
    const world = started({ subscriptionsMax: 3 });
    const client = world.connect();
    world.say(client, { op: "subscribe", channels: ["book", "bbo"], instruments: [BTC, ETH] });
    expect(client.of("error")).toMatchObject([{ code: "too_many_subscriptions" }]);
    expect(client.of("subscribed")).toEqual([]);
  });
});
