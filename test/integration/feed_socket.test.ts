/**
 * The real WebSocket of a collector against a real server: what a fake socket cannot show.
 * Bad case: a handler that is called after the socket was dropped.
 */
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { type WebSocket, WebSocketServer } from "ws";
import { type FeedSocket, openWebSocket } from "../../src/feed/socket.ts";

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

type Heard = { opened: number; frames: { text: string; isBinary: boolean }[]; alive: number; closed: string[] };

function open(url: string): { socket: FeedSocket; heard: Heard } {
  const heard: Heard = { opened: 0, frames: [], alive: 0, closed: [] };
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
    },
    { frameBytesMax: FRAME_BYTES_MAX },
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
