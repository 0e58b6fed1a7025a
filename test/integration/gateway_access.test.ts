/**
 * Who may connect, over real sockets and both transports: keys, origins, proxies, TLS, limits per address, and sockets
 * that never finish what they began. Bad case: a refusal that leaves a socket behind; the counts of clients say so.
 */
import { readFileSync } from "node:fs";
import { connect as connectTcp, type Socket } from "node:net";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { packageFolder } from "../../src/assets.ts";
import { createUwsTransport, createWsTransport, type GatewayOptions } from "../../src/gateway/mod.ts";
import { WitnessSocket } from "../support/server_messages.ts";
import { until } from "./gateway_market.ts";
import { BTC, closeAll, startMarket, startSocket, wideBook } from "./gateway_rig.ts";

const KEY = "0123456789abcdef-secret";
const TLS = join(packageFolder(), "test/support/tls");
const tls = { certFile: join(TLS, "cert.pem"), keyFile: join(TLS, "key.pem") };
const rawSockets: Socket[] = [];

afterEach(async () => {
  for (const socket of rawSockets.splice(0)) {
    socket.destroy();
  }
  await closeAll();
});

describe.each([
  ["uWebSockets.js", createUwsTransport],
  ["ws", () => Promise.resolve(createWsTransport())],
] as const)("Access over %s", (_name, createTransport) => {
  async function serve(options: Partial<GatewayOptions> = {}) {
    const market = startMarket();
    market.produce().snapshot("BTC-USD", wideBook(20));
    const gateway = await market.serve({ transport: await createTransport(), ...options });
    await until("a book", () => gateway.book(BTC) !== undefined);
    return { gateway, url: `${gateway.url.replace(/^http/, "ws")}/ws` };
  }

  it("lets in by key, whether header, subprotocol or query carries it, and nobody else", async () => {
    const { url } = await serve({ access: { keys: [{ name: "page", key: KEY }] } });
    const protocols = ["alphapulse.v1.bin", `alphapulse.key.${Buffer.from(KEY).toString("base64url")}`];
    expect(await attempt(url)).toMatchObject({ status: 401, body: expect.stringContaining("key") });
    expect(await attempt(url, { headers: { authorization: "Bearer wrong-key-wrong-key" } })).toMatchObject({
      status: 401,
    });
    expect(await attempt(url, { headers: { authorization: `Bearer ${KEY}` } })).toMatchObject({ status: 101 });
    expect(await attempt(url, { headers: { "x-api-key": KEY } })).toMatchObject({ status: 101 });
    expect(await attempt(`${url}?key=${KEY}`)).toMatchObject({ status: 101 });
    expect(await attempt(url, { protocols })).toMatchObject({ status: 101, protocol: "alphapulse.v1.bin" });
  });

  it("refuses pages of other origins with 403 and takes its own and the configured ones", async () => {
    const { gateway, url } = await serve({ access: { origins: ["https://app.example"] } });
    const from = async (origin: string) => (await attempt(url, { headers: { origin } })).status;
    expect(await from("https://evil.example")).toBe(403);
    expect(await from("null")).toBe(403);
    expect(await from("https://app.example")).toBe(101);
    expect(await from(gateway.url)).toBe(101);
    expect(await from("http://localhost:5173")).toBe(101);
  });

  it("limits connections by the client's own address when the peer is a proxy that is trusted", async () => {
    const limits = { connectionsPerAddressMax: 2 };
    const { gateway, url } = await serve({ limits, access: { proxies: ["127.0.0.1"] } });
    const as = (address: string) => ({ headers: { "x-forwarded-for": address } });
    const kept = [await open(url, as("198.51.100.1")), await open(url, as("198.51.100.1"))];
    expect(await attempt(url, as("198.51.100.1"))).toMatchObject({ status: 429 });
    expect(await attempt(url, as("198.51.100.2"))).toMatchObject({ status: 101 });
    kept[0]?.close();
    await until("room again", () => gateway.stats().gateway.clients === 1);
    expect(await attempt(url, as("198.51.100.1"))).toMatchObject({ status: 101 });
  });

  it("does not believe X-Forwarded-For of anybody else", async () => {
    const { url } = await serve({ limits: { connectionsPerAddressMax: 1 } });
    await open(url, { headers: { "x-forwarded-for": "198.51.100.1" } });
    expect(await attempt(url, { headers: { "x-forwarded-for": "198.51.100.2" } })).toMatchObject({ status: 429 });
  });

  it("answers a flood of attempts of one address with 429 and goes on serving who is there", async () => {
    const { gateway, url } = await serve({ limits: { attemptsPerAddressPerSecondMax: 5 } });
    const first = await startSocket(url);
    const statuses: number[] = [];
    for (let round = 0; round < 10; round++) {
      const batch = await Promise.all(Array.from({ length: 20 }, () => attempt(url)));
      statuses.push(...batch.map(({ status }) => status));
    }
    expect(statuses.filter((status) => status === 429).length).toBeGreaterThan(100);
    expect(new Set(statuses)).toEqual(new Set([101, 429]));
    first.socket.send(JSON.stringify({ op: "ping", id: 7 }));
    await until("an answer", () => first.messages.some(({ type }) => type === "pong"));
    await until("the others gone", () => gateway.stats().gateway.clients === 1);
  });

  it("serves wss with a certificate", async () => {
    const { gateway, url } = await serve({ access: { tls } });
    expect([gateway.url.startsWith("https://"), url.startsWith("wss://")]).toEqual([true, true]);
    const socket = await open(url, { ca: readFileSync(tls.certFile) });
    const book = new Promise((resolve) => {
      socket.on("message", (content: Buffer) => {
        const message = JSON.parse(content.toString()) as { type: string };
        if (message.type === "orderbook") {
          resolve(message.type);
        }
      });
    });
    socket.send(JSON.stringify({ op: "subscribe", id: 1, channels: ["book"], instruments: [BTC] }));
    expect(await book).toBe("orderbook");
  });

  it("refuses to start with a certificate that cannot be used", async () => {
    const market = startMarket();
    const wrong = { certFile: tls.certFile, keyFile: join(TLS, "missing.pem") };
    await expect(market.serve({ transport: await createTransport(), access: { tls: wrong } })).rejects.toMatchObject({
      name: "ConfigError",
      message: expect.stringContaining("missing.pem"),
    });
  });

  it("ends sockets that never finish their request, and serves others meanwhile", async () => {
    const { gateway } = await serve();
    const silent = await Promise.all(Array.from({ length: 50 }, () => openTcp(gateway.port)));
    silent.forEach((socket, index) => {
      socket.write(index % 2 === 0 ? "GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: webs" : "\u0016\u0003\u0001garbage\r\n");
    });
    expect((await fetch(`${gateway.url}/health`)).ok).toBe(true);
    await until("all of them ended", () => silent.every((socket) => socket.destroyed || socket.closed), 60_000);
    expect(gateway.stats().gateway.clients).toBe(0);
  }, 90_000);
});

type Options = { protocols?: string[]; headers?: Record<string, string>; ca?: Buffer };

/** Tries to connect and closes at once. @returns status 101 when it could */
async function attempt(url: string, { protocols = [], ...options }: Options = {}) {
  const socket = new WitnessSocket(url, protocols, options);
  return await new Promise<{ status: number; body?: string; protocol?: string }>((resolve, reject) => {
    socket.once("open", () => {
      socket.close();
      socket.once("close", () => resolve({ status: 101, protocol: socket.protocol }));
    });
    socket.once("unexpected-response", (_request, response) => {
      let body = "";
      response.on("data", (part: Buffer) => {
        body += part.toString();
      });
      response.on("end", () => resolve({ status: response.statusCode ?? 0, body }));
    });
    socket.once("error", reject);
  });
}

async function open(url: string, { protocols = [], ...options }: Options = {}): Promise<WitnessSocket> {
  const socket = new WitnessSocket(url, protocols, options);
  await new Promise((resolve, reject) => {
    socket.once("open", resolve);
    socket.once("error", reject);
  });
  return socket;
}

async function openTcp(port: number): Promise<Socket> {
  const socket = connectTcp(port, "127.0.0.1");
  rawSockets.push(socket);
  socket.on("error", () => undefined);
  socket.resume();
  await new Promise((resolve) => {
    socket.once("connect", resolve);
  });
  return socket;
}
