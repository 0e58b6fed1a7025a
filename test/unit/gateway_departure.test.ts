/** How a gateway sends its clients away, with clients and time of our own; and how the client library takes the hint. */
import { describe, expect, it } from "vitest";
import { connect } from "../../src/client/mod.ts";
import { depart } from "../../src/gateway/departure.ts";
import { comeBackReason } from "../../src/wire/protocol.ts";
import { Scene } from "./client_scene.ts";

type Farewell = { readonly atMs: number; readonly code: number; readonly reason: string };

/** Clients that leave when they are told, and time that goes on when something waits for it. */
class World {
  readonly farewells: Farewell[] = [];
  readonly scheduler = { after: (delayMs: number, task: () => void) => this.#later(delayMs, task) };
  nowMs = 5000;
  isDraining = false;
  size: number;
  /** Clients that are told, and stay. */
  deaf = 0;

  constructor(size: number) {
    this.size = size;
  }

  dismiss(count: number, farewell: () => { code: number; reason: string }): number {
    for (let told = 0; told < count; told++) {
      this.farewells.push({ atMs: this.nowMs, ...farewell() });
    }
    this.size = Math.max(this.deaf, this.size - count);
    return count;
  }

  /** Sends everybody away. @returns ms that it took */
  async depart(drainMs: number): Promise<number> {
    const startedAtMs = this.nowMs;
    const rolls = [0, 0.25, 0.5, 0.75, 0.99];
    let rolled = 0;
    const random = () => rolls[rolled++ % rolls.length] ?? 0;
    await depart({ sessions: this, scheduler: this.scheduler, now: () => this.nowMs, random }, drainMs);
    return this.nowMs - startedAtMs;
  }

  #later(delayMs: number, task: () => void): () => void {
    queueMicrotask(() => {
      this.nowMs += delayMs;
      task();
    });
    return () => undefined;
  }
}

describe("depart", () => {
  it("sends every client away once, evenly over the time, each with a hint of its own", async () => {
    const world = new World(100);
    const tookMs = await world.depart(1000);
    expect(world.isDraining).toBe(true);
    expect(world.farewells).toHaveLength(100);
    expect(tookMs).toBeGreaterThan(700);
    expect(tookMs).toBeLessThanOrEqual(800);
    const half = world.farewells.filter(({ atMs }) => atMs - 5000 < 400).length;
    expect(Math.abs(half - 50)).toBeLessThanOrEqual(3);
    expect(new Set(world.farewells.map(({ code }) => code))).toEqual(new Set([1001]));
    const hints = world.farewells.map(({ reason }) => Number(/come back in (\d+) ms$/.exec(reason)?.[1]));
    expect(new Set(hints)).toEqual(new Set([0, 62, 125, 187, 247]));
  });

  it("ends at once when there is nobody, and takes nobody in", async () => {
    const world = new World(0);
    expect(await world.depart(1000)).toBe(0);
    expect(world.isDraining).toBe(true);
  });

  it("tells all at once and waits for none when it has no time", async () => {
    const world = new World(7);
    world.deaf = 7;
    expect(await world.depart(0)).toBe(0);
    expect(world.farewells).toHaveLength(7);
  });

  it("ends when the time is over, and tells nobody twice, when some do not go", async () => {
    const world = new World(10);
    world.deaf = 3;
    expect(await world.depart(500)).toBe(500);
    expect(world.farewells).toHaveLength(10);
  });
});

describe("StreamClient", () => {
  it("comes back when a server that sends it away said so, and believes it once", () => {
    const scene = new Scene();
    const client = connect("ws://gateway/ws", { runtime: scene.runtime, WebSocket: scene.runtime.WebSocket });
    const farewell = () => scene.socket.onclose?.({ code: 1001, reason: comeBackReason(137) });
    scene.open();
    scene.pass(6000);
    farewell();
    scene.pass(136);
    expect(scene.sockets).toHaveLength(1);
    scene.pass(1);
    expect(scene.sockets).toHaveLength(2);
    scene.open();
    farewell();
    scene.pass(249);
    expect(scene.sockets).toHaveLength(2);
    scene.pass(1);
    expect(scene.sockets).toHaveLength(3);
    expect(client.counts.reconnects).toBe(2);
    client.close();
  });

  it("waits as ever when the hint is none that a server of ours gives", () => {
    const scene = new Scene();
    const client = connect("ws://gateway/ws", { runtime: scene.runtime, WebSocket: scene.runtime.WebSocket });
    scene.open();
    scene.pass(6000);
    scene.socket.onclose?.({ code: 1001, reason: "server stops, come back in 99999999 ms" });
    scene.pass(125);
    expect(scene.sockets).toHaveLength(2);
    client.close();
  });
});
