/**
 * The real WebSocket of a collector against a real server: what a fake socket cannot show.
 * Bad case: a handler that is called after the socket was dropped.
 */
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { type AddressInfo, createServer as createPlainServer } from "node:net";
import { join } from "node:path";
import { afterEach, describe, expect, it, vi } from "vitest";
import { type WebSocket, WebSocketServer } from "ws";
import { packageFolder } from "../../src/assets.ts";
import { type FeedSocket, type Landing, openWebSocket } from "../../src/feed/socket.ts";
import { acceptedKey } from "../../src/feed/upgrade.ts";

const PATIENCE = { timeout: 10_000, interval: 10 };
const FRAME_BYTES_MAX = 1_000_000;
const closers: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) {
    await close();
  }
});

type Bench = { server: Server; sockets: WebSocketServer; url: string; requests: IncomingMessage[] };

async function serve(): Promise<Bench> {
  const server = createServer((_request, response) => response.writeHead(451).end("not from there"));
  const sockets = new WebSocketServer({ noServer: true, perMessageDeflate: true });
  const requests: IncomingMessage[] = [];
  server.on("upgrade", (request, socket, head) => {
    requests.push(request);
    if (request.url === "/moved" || request.url === "/round") {
      socket.end(`HTTP/1.1 302 Found\r\nLocation: ${request.url === "/moved" ? "/" : "/round"}\r\n\r\n`);
      return;
    }
    if (request.url === "/refused") {
      socket.end("HTTP/1.1 451 Unavailable For Legal Reasons\r\nConnection: close\r\n\r\n");
      return;
    }
    sockets.handleUpgrade(request, socket, head, (client) => sockets.emit("connection", client, request));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  closers.push(() => {
    for (const client of sockets.clients) {
      client.terminate();
    }
    server.close();
  });
  return { server, sockets, url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}/`, requests };
}

type HeardFrame = { text: string; isBinary: boolean };
type Heard = {
  opened: number;
  reads: number;
  frames: HeardFrame[];
  landed: HeardFrame[];
  alive: number;
  closed: string[];
};

function open(url: string, landing?: Landing): { socket: FeedSocket; heard: Heard } {
  const heard: Heard = { opened: 0, reads: 0, frames: [], landed: [], alive: 0, closed: [] };
  const socket = openWebSocket(
    url,
    {
      opened: () => {
        heard.opened += 1;
      },
      frame: (bytes, isBinary) => heard.frames.push({ text: bytes.toString("utf8"), isBinary }),
      alive: () => {
        heard.alive += 1;
      },
      closed: (reason) => heard.closed.push(reason),
      arrived: () => {
        heard.reads += 1;
      },
      ...(landing === undefined
        ? {}
        : {
            landed: (address: number, length: number, isBinary: boolean) => {
              const start = address - landing.address;
              const text = Buffer.from(landing.bytes.slice(start, start + length)).toString("utf8");
              heard.landed.push({ text, isBinary });
            },
          }),
    },
    { frameBytesMax: FRAME_BYTES_MAX, landing },
  );
  closers.push(() => socket.drop());
  return { socket, heard };
}

async function connected(): Promise<Bench & { socket: FeedSocket; heard: Heard; client: WebSocket }> {
  const bench = await serve();
  const arrival = once(bench.sockets, "connection") as Promise<[WebSocket]>;
  const { socket, heard } = open(bench.url);
  const [client] = await arrival;
  await expect.poll(() => heard.opened, PATIENCE).toBe(1);
  return { ...bench, socket, heard, client };
}

describe("openWebSocket", () => {
  it("hands on text and binary frames whole, fragmented ones too, and sends text", async () => {
    const { client, heard, socket } = await connected();
    const received = once(client, "message");
    socket.send('{"method":"subscribe"}');
    const [content] = (await received) as [Buffer];
    expect(content.toString()).toBe('{"method":"subscribe"}');
    client.send("a", { fin: false });
    client.send("b", { fin: true });
    client.send(Buffer.from([1, 2]));
    await expect
      .poll(() => heard.frames, PATIENCE)
      .toEqual([
        { text: "ab", isBinary: false },
        { text: "\u0001\u0002", isBinary: true },
      ]);
  });

  it("tells a frame by its place when reads land in a shared memory, and by its bytes when it is larger than that", async () => {
    const bench = await serve();
    const memory = new WebAssembly.Memory({ initial: 3, maximum: 3, shared: true });
    const landing = { address: 70_000, bytes: new Uint8Array(memory.buffer, 70_000, 65_536) };
    const arrival = once(bench.sockets, "connection") as Promise<[WebSocket]>;
    const { heard } = open(bench.url, landing);
    const [client] = await arrival;
    client.send('{"a":1}');
    await expect.poll(() => heard.landed, PATIENCE).toEqual([{ text: '{"a":1}', isBinary: false }]);
    client.send(Buffer.alloc(200_000, "x"));
    await expect.poll(() => heard.frames.length, PATIENCE).toBe(1);
    expect(heard.frames[0]).toEqual({ text: "x".repeat(200_000), isBinary: true });
    client.send("é");
    await expect.poll(() => heard.landed[1], PATIENCE).toEqual({ text: "é", isBinary: false });
    expect(heard.reads).toBeGreaterThan(3);
    const outside = new Uint8Array(memory.buffer);
    expect(outside.subarray(0, 70_000).every((byte) => byte === 0)).toBe(true);
    expect(outside.subarray(70_000 + 65_536).every((byte) => byte === 0)).toBe(true);
  });

  it("follows when the server sends it elsewhere, and gives up when that has no end", async () => {
    const { url, requests } = await serve();
    const { heard } = open(`${url}moved`);
    await expect.poll(() => heard.opened, PATIENCE).toBe(1);
    expect(requests.map((request) => request.url)).toEqual(["/moved", "/"]);
    const lost = open(`${url}round`);
    await expect.poll(() => lost.heard.closed, PATIENCE).toEqual(["Maximum redirects exceeded"]);
    expect([heard.closed, lost.heard.opened]).toEqual([[], 0]);
  });

  it("opens when the answer comes byte by byte, with frames right behind it", async () => {
    const server = createPlainServer((client) => {
      client.setNoDelay(true);
      client.on("error", () => client.destroy());
      client.once("data", async (head: Buffer) => {
        const key = /^Sec-WebSocket-Key: (\S+)/m.exec(head.toString())?.[1] ?? "";
        const answer = `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${acceptedKey(key)}\r\n\r\n`;
        for (const byte of Buffer.from(answer).subarray(0, -1)) {
          client.write(Buffer.of(byte));
          await new Promise((resume) => setImmediate(resume));
        }
        client.write(Buffer.from([0x0a, 0x81, 2, 0x68, 0x69, 0x81, 1]));
        await new Promise((resume) => setTimeout(resume, 20));
        client.write("x");
      });
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    closers.push(() => server.close());
    const { heard } = open(`ws://127.0.0.1:${(server.address() as AddressInfo).port}/`);
    const expected = [
      { text: "hi", isBinary: false },
      { text: "x", isBinary: false },
    ];
    await expect.poll(() => heard.frames, PATIENCE).toEqual(expected);
    expect([heard.opened, heard.closed]).toEqual([1, []]);
  });

  it("speaks TLS, and refuses a certificate that nobody vouches for", async () => {
    const folder = join(packageFolder(), "test/support/tls");
    const tls = { key: readFileSync(join(folder, "key.pem")), cert: readFileSync(join(folder, "cert.pem")) };
    const server = createTlsServer(tls);
    const sockets = new WebSocketServer({ server });
    sockets.on("connection", (client) => client.send("over TLS"));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    closers.push(() => {
      for (const client of sockets.clients) {
        client.terminate();
      }
      server.close();
    });
    const url = `wss://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    const strange = open(url);
    await expect.poll(() => strange.heard.closed, PATIENCE).toEqual([expect.stringContaining("certificate")]);
    vi.stubEnv("NODE_TLS_REJECT_UNAUTHORIZED", "0");
    closers.push(() => vi.unstubAllEnvs());
    const { heard } = open(url);
    await expect.poll(() => heard.frames, PATIENCE).toEqual([{ text: "over TLS", isBinary: false }]);
    expect(strange.heard.opened).toBe(0);
  });

  it("asks for no compression, though the server offers it", async () => {
    const { requests } = await connected();
    expect(requests[0]?.headers["sec-websocket-extensions"]).toBeUndefined();
  });

  it("answers pings and tells of pings and pongs", async () => {
    const { client, heard, socket } = await connected();
    const pong = once(client, "pong");
    client.ping("x");
    expect(String((await pong)[0])).toBe("x");
    socket.ping();
    await expect.poll(() => heard.alive, PATIENCE).toBe(2);
  });

  it("tells once of a clean close, and of its reason", async () => {
    const { client, heard } = await connected();
    client.close(1001, "maintenance");
    await expect.poll(() => heard.closed, PATIENCE).toEqual(["closed with 1001 maintenance"]);
  });

  it("tells of a cut connection", async () => {
    const { client, heard } = await connected();
    client.terminate();
    await expect.poll(() => heard.closed, PATIENCE).toEqual(["closed with 1006"]);
  });

  it("closes when a frame is larger than allowed, and says so", async () => {
    const { client, heard } = await connected();
    client.send("x".repeat(FRAME_BYTES_MAX));
    await expect.poll(() => heard.frames.length, PATIENCE).toBe(1);
    client.send("x".repeat(FRAME_BYTES_MAX + 1));
    await expect.poll(() => heard.closed, PATIENCE).toEqual(["Max payload size exceeded"]);
    expect(heard.frames).toHaveLength(1);
  });

  it("tells why when the handshake is refused, or nobody listens", async () => {
    const { url } = await serve();
    const refused = open(`${url}refused`);
    await expect.poll(() => refused.heard.closed, PATIENCE).toEqual(["Unexpected server response: 451"]);
    const absent = open("ws://127.0.0.1:9/");
    await expect.poll(() => absent.heard.closed, PATIENCE).toEqual([expect.stringContaining("ECONNREFUSED")]);
    expect([refused.heard.opened, absent.heard.opened]).toEqual([0, 0]);
  });

  it("tells nothing any more when it was dropped, and the server hears the close", async () => {
    const { client, heard, socket } = await connected();
    const closed = once(client, "close");
    socket.drop();
    client.send("late");
    client.ping();
    const [code] = (await closed) as [number];
    expect([code, heard.frames, heard.alive, heard.closed]).toEqual([1001, [], 0, []]);
    socket.send("nothing");
    socket.ping();
  });

  it("can be dropped before it is open", async () => {
    const { url } = await serve();
    const { socket, heard } = open(url);
    socket.drop();
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect([heard.opened, heard.closed]).toEqual([0, []]);
  });
});
