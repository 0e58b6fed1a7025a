/**
 * Circuit breakers on real sockets: an address of an exchange that refuses for a while and then works, another one that
 * is taken meanwhile, a REST interface, and what gateway and Prometheus say of them. Books are right throughout.
 * Bad case: an address that is open is asked all the same; the door counts who comes.
 */
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Endpoint, Exchanges, Health } from "../../src/rest/client_types.d.ts";
import { allWell, unexplained } from "./faults_plan.ts";
import { type Storm, startStorm } from "./faults_rig.ts";

const PATIENCE = { timeout: 30_000, interval: 50 };
const FAILURES_MAX = 5;
const REST_SECONDS = 20;
/** Longer than a socket must last, and than the delays between attempts remember. */
const LASTING_MS = 1300;

/** An address that hands on or refuses, and can cut whoever came through. */
class Door {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  /** On the loopback. */
  target = 0;
  isRefusing = false;
  retryAfter = "";
  /** Unix ms of those who came. */
  readonly refused: number[] = [];
  readonly passed: number[] = [];

  constructor() {
    this.#server = createServer((near) => this.#enter(near));
  }

  get url(): string {
    return `ws://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async open(): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    return this;
  }

  cut(): void {
    for (const socket of this.#sockets) {
      socket.destroy();
    }
  }

  async close(): Promise<void> {
    this.cut();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #enter(near: Socket): void {
    this.#keep(near);
    if (this.isRefusing) {
      this.refused.push(Date.now());
      near.once("data", () => near.end(`HTTP/1.1 503 Busy\r\n${this.retryAfter}Connection: close\r\n\r\n`));
      return;
    }
    this.passed.push(Date.now());
    const far = connect(this.target, "127.0.0.1");
    this.#keep(far);
    near.once("close", () => far.destroy());
    far.once("close", () => near.destroy());
    near.pipe(far);
    far.pipe(near);
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket);
    socket.setNoDelay(true);
    socket.on("error", () => socket.destroy());
    socket.once("close", () => this.#sockets.delete(socket));
  }
}

let first: Door;
let second: Door;
let storm: Storm;

beforeAll(async () => {
  first = await new Door().open();
  second = await new Door().open();
  first.isRefusing = true;
  storm = await startStorm({
    exchanges: ["kraken"],
    faults: [],
    seed: 17,
    settings: { "exchanges.kraken.websocket_urls": [first.url, second.url] },
    begun: ({ endpoints }) => {
      const port = Number(new URL(endpoints.kraken.websocket).port);
      first.target = port;
      second.target = port;
    },
  });
}, 120_000);

afterAll(async () => {
  await storm?.close();
  await first?.close();
  await second?.close();
});

async function ask(path: string): Promise<Response> {
  return await fetch(new URL(path, storm.engine.gateway.url));
}

/** The first address as health tells it. */
async function endpoint(): Promise<Endpoint | undefined> {
  const { roles } = (await (await ask("/api/v1/system/health")).json()) as Health;
  return roles.flatMap((role) => (role.role === "collector" ? role.endpoints : []))[0];
}

async function isSynced(): Promise<boolean> {
  const { exchanges } = (await (await ask("/api/v1/exchanges")).json()) as Exchanges;
  return exchanges.every(({ synced, instruments }) => synced === instruments.length && synced > 0);
}

/** Cuts whatever stands, and waits until another connection stands and lasts. */
async function cutAndRecover(door: Door): Promise<void> {
  const { length } = door.passed;
  first.cut();
  second.cut();
  await expect.poll(() => door.passed.length, PATIENCE).toBe(length + 1);
  await expect.poll(isSynced, PATIENCE).toBe(true);
  await new Promise((resolve) => setTimeout(resolve, LASTING_MS));
}

describe("an exchange with two addresses", () => {
  it("is served by the second while the first refuses, and leaves the first alone when it refused often", async () => {
    await expect.poll(isSynced, PATIENCE).toBe(true);
    for (let turn = first.refused.length; turn < FAILURES_MAX; turn++) {
      expect((await endpoint())?.state).toBe("closed");
      first.retryAfter = turn === FAILURES_MAX - 1 ? `Retry-After: ${REST_SECONDS}\r\n` : "";
      await cutAndRecover(second);
    }
    const open = await endpoint();
    expect(open).toMatchObject({ kind: "websocket", state: "open", last_failure: "status", last_status: 503 });
    expect(open?.address).toBe(`${first.url}/v2`);
    const page = await (await ask("/metrics")).text();
    const shown = page.split("\n").filter((line) => line.startsWith("alphapulse_breaker_state"));
    expect(shown.map((line) => line.replace(/.*endpoint="([^"]*)".* (\d)$/, "$1 $2")).slice(0, 2)).toEqual([
      `${first.url}/v2 2`,
      `${second.url}/v2 0`,
    ]);
    expect(storm.reports.filter((line) => line.includes(`${first.url}/v2 is left alone`))).toHaveLength(1);
    await cutAndRecover(second);
    const [since, until] = [Number(open?.since_ns) / 1e6, Number(open?.open_until_ns) / 1e6];
    expect(until - since).toBeGreaterThanOrEqual(REST_SECONDS * 1000);
    // By two clocks of one machine: one may have been set since.
    const early = first.refused.filter((at) => at > since + 500 && at < until - 500);
    expect(early).toEqual([]);
  });

  it("keeps the time that the first asked for when its worker dies and another takes over", async () => {
    const before = await endpoint();
    expect(before?.state).toBe("open");
    storm.engine.supervisor.replace("kraken");
    await expect.poll(async () => (await endpoint())?.attempts, PATIENCE).toBe(0);
    const after = await endpoint();
    expect(after).toMatchObject({ state: "open", last_failure: "status", last_status: 503 });
    const movedMs = Math.abs(Number(after?.open_until_ns) - Number(before?.open_until_ns)) / 1e6;
    // Each worker reads the two clocks by itself; a rest that began anew would end seconds later.
    expect(movedMs).toBeLessThan(1000);
    await expect.poll(isSynced, PATIENCE).toBe(true);
  });

  it("tries the first once when its time is over, and takes it again when it works", async () => {
    first.isRefusing = false;
    await expect.poll(async () => (await endpoint())?.state, PATIENCE).toBe("half_open");
    await cutAndRecover(first);
    await expect.poll(async () => (await endpoint())?.state, PATIENCE).toBe("closed");
    expect(storm.reports.some((line) => line.includes(`${first.url}/v2 works again`))).toBe(true);
  });

  it("ends with every book right, and published no wrong one", async () => {
    storm.emulator.pause();
    await allWell(storm);
    const { wrong, asked } = await storm.judge();
    expect(unexplained(storm, wrong)).toEqual([]);
    expect(asked).toBeGreaterThan(20);
  });
});
