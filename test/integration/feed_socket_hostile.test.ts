/**
 * A collector's WebSocket against servers that break every rule, over real connections: handshakes that are none, frames cut
 * anywhere, floods, ends that stay open. Nothing throws, the end is told once, and what is kept is bounded.
 * Bad case: an exception in a socket's callback; it would end the collector's worker, so vitest fails on unhandled ones.
 */
import { once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import { type FeedSocket, openWebSocket, type Refusal } from "../../src/feed/socket.ts";
import { acceptedKey } from "../../src/feed/upgrade.ts";

const PATIENCE = { timeout: 20_000, interval: 10 };
const FRAME_BYTES_MAX = 100_000;
const closers: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) {
    await close();
  }
});

type Heard = {
  opened: number;
  frames: string[];
  alive: number;
  closed: string[];
  refusals: (Refusal | undefined)[];
  /** Frames and signs of life that were told after the end. */
  late: number;
};

/** A server of bare connections. @param serve gets each with the request it sent and the answer that would accept it */
async function bare(serve: (client: Socket, answer: string) => void): Promise<{ server: Server; port: number }> {
  const clients = new Set<Socket>();
  const server = createServer((client) => {
    clients.add(client);
    client.setNoDelay(true);
    client.on("error", () => client.destroy());
    client.once("data", (head: Buffer) => {
      const key = /^Sec-WebSocket-Key: (\S+)/m.exec(head.toString("latin1"))?.[1] ?? "";
      const lines = ["Upgrade: websocket", "Connection: Upgrade", `Sec-WebSocket-Accept: ${acceptedKey(key)}`];
      serve(client, `HTTP/1.1 101 Switching Protocols\r\n${lines.join("\r\n")}\r\n\r\n`);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  closers.push(() => {
    for (const client of clients) {
      client.destroy();
    }
    server.close();
  });
  return { server, port: (server.address() as AddressInfo).port };
}

function open(url: string): { socket: FeedSocket; heard: Heard } {
  const heard: Heard = { opened: 0, frames: [], alive: 0, closed: [], refusals: [], late: 0 };
  const handlers = {
    opened: () => {
      heard.opened += 1;
    },
    frame: (bytes: Buffer) => {
      heard.late += heard.closed.length;
      heard.frames.push(bytes.toString("latin1"));
    },
    alive: () => {
      heard.late += heard.closed.length;
      heard.alive += 1;
    },
    closed: (reason: string, refusal?: Refusal) => {
      heard.closed.push(reason);
      heard.refusals.push(refusal);
    },
  };
  const socket = openWebSocket(url, handlers, { frameBytesMax: FRAME_BYTES_MAX });
  closers.push(() => socket.drop());
  return { socket, heard };
}

async function closedWith(serve: (client: Socket, answer: string) => void): Promise<Heard> {
  const { port } = await bare(serve);
  const { heard } = open(`ws://127.0.0.1:${port}/`);
  await expect.poll(() => heard.closed.length, PATIENCE).toBe(1);
  return heard;
}

/** A frame of a server. */
function frame(first: number, payload: Uint8Array): Buffer {
  const { length } = payload;
  const head = Buffer.alloc(length < 126 ? 2 : 4);
  head[0] = first;
  head[1] = Math.min(length, 126);
  if (length >= 126) {
    head.writeUInt16BE(length, 2);
  }
  return Buffer.concat([head, payload]);
}

/** Writes in pieces of these sizes, each in a turn of its own. */
async function writeCut(client: Socket, bytes: Buffer, sizes: readonly number[]): Promise<void> {
  let turn = 0;
  for (let at = 0; at < bytes.length && !client.destroyed; turn++) {
    const size = sizes[turn % sizes.length] ?? bytes.length;
    client.write(bytes.subarray(at, at + size));
    at += size;
    await new Promise((resume) => setImmediate(resume));
  }
}

describe("openWebSocket with a hostile server", () => {
  it.each([
    ["speaks something else", "SSH-2.0-OpenSSH_9\r\n\r\n", "does not speak HTTP"],
    ["answers with a head that never ends", `HTTP/1.1 101 X\r\n${"a: b\r\n".repeat(4000)}`, "no end"],
    ["sends us to a place that is none", "HTTP/1.1 302 X\r\nLocation: ws://%\r\n\r\n", "sends us elsewhere"],
    ["sends us to a file", "HTTP/1.1 302 X\r\nLocation: file:///etc/passwd\r\n\r\n", "sends us elsewhere"],
    ["hangs up", "", "socket hang up"],
  ])("tells the end once when it %s", async (_, text, reason) => {
    const heard = await closedWith((client) => client.end(text));
    expect([heard.opened, heard.closed]).toEqual([0, [expect.stringContaining(reason)]]);
  });

  it("tells status and how long to stay away when it is refused", async () => {
    const heard = await closedWith((client) => client.end("HTTP/1.1 429 Slow\r\nRetry-After: 7\r\n\r\n"));
    expect(heard.refusals).toEqual([{ status: 429, retryAfterMs: 7000 }]);
  });

  it("goes on when it is sent to an address whose name cannot be decoded", async () => {
    let asked = 0;
    const heard = await closedWith((client) => {
      asked += 1;
      client.end(
        asked === 1
          ? `HTTP/1.1 302 X\r\nLocation: ws://%zz:%@127.0.0.1:${client.localPort}/\r\n\r\n`
          : "HTTP/1.1 401 Who\r\n\r\n",
      );
    });
    expect([asked, heard.closed, heard.refusals]).toEqual([2, ["Unexpected server response: 401"], [{ status: 401 }]]);
  });

  it("closes with 1009 before anything is kept when a frame claims 2^63 bytes", async () => {
    const heard = await closedWith((client, answer) => {
      client.write(Buffer.concat([Buffer.from(answer), Buffer.from([0x82, 127, 0x80, 0, 0, 0, 0, 0, 0, 0])]));
    });
    expect([heard.opened, heard.closed]).toEqual([1, ["Max payload size exceeded"]]);
  });

  it.each([
    ["compressed", 0xc1, 0],
    ["masked", 0x81, 0x80],
    ["of an unknown kind", 0x83, 0],
    ["a fragmented ping", 0x09, 0],
  ])("closes with 1002 when a frame is %s, and cuts off a server that keeps its end open", async (_, first, second) => {
    const received: Buffer[] = [];
    let hasEnded = false;
    const heard = await closedWith((client, answer) => {
      client.on("data", (bytes: Buffer) => received.push(bytes));
      client.on("close", () => {
        hasEnded = true;
      });
      client.write(Buffer.concat([Buffer.from(answer), Buffer.from([first, second, 0, 0, 0, 0, 0x81, 1, 0x78])]));
    });
    expect([heard.opened, heard.closed, heard.frames]).toEqual([1, [expect.stringContaining("breaks the rules")], []]);
    await expect.poll(() => hasEnded, PATIENCE).toBe(true);
    const close = Buffer.concat(received);
    const [high = 0, low = 0] = [close[6], close[7]].map((byte, index) => (byte ?? 0) ^ (close[2 + index] ?? 0));
    expect([close[0], high * 256 + low]).toEqual([0x88, 1002]);
  });

  it("cuts off a server that pings for ever and reads nothing", async () => {
    const pings = Buffer.concat(Array.from({ length: 500 }, () => frame(0x89, Buffer.alloc(125, 0x70))));
    const heard = await closedWith((client, answer) => {
      client.pause();
      client.write(answer);
      const flood = () => {
        while (!client.destroyed && client.write(pings)) {
          // As much as the system takes.
        }
      };
      client.on("drain", flood);
      flood();
    });
    expect(heard.closed).toEqual([expect.stringContaining("does not read")]);
    expect(heard.alive).toBeGreaterThan(1000);
    expect(heard.late).toBe(0);
  });

  it("reaches a name that stands for an address where nobody listens, too, and says why when nobody does", async () => {
    const { port } = await bare((client, answer) => client.write(answer));
    const { heard } = open(`ws://localhost:${port}/`);
    await expect.poll(() => heard.opened, PATIENCE).toBe(1);
    const absent = open("ws://localhost:9/");
    await expect.poll(() => absent.heard.closed, PATIENCE).toEqual([expect.stringContaining("ECONNREFUSED")]);
  });

  it("tells every message and ping as it was sent when a network cuts them anywhere", async () => {
    const part = fc.uint8Array({ maxLength: 300 });
    const messages = fc.array(
      fc.record({ parts: fc.array(part, { minLength: 1, maxLength: 3 }), ping: fc.boolean() }),
      {
        maxLength: 5,
      },
    );
    const sizes = fc.array(fc.integer({ min: 1, max: 500 }), { minLength: 1, maxLength: 5 });
    await fc.assert(
      fc.asyncProperty(messages, sizes, async (sent, cuts) => {
        const expected = sent.map(({ parts }) => Buffer.concat(parts).toString("latin1"));
        const frames = sent.flatMap(({ parts, ping }) =>
          parts.flatMap((bytes, index) => [
            frame((index === parts.length - 1 ? 0x80 : 0) | (index === 0 ? 2 : 0), bytes),
            ...(ping ? [frame(0x89, Buffer.from("p"))] : []),
          ]),
        );
        const { port } = await bare((client, answer) => {
          const bytes = Buffer.concat([Buffer.from(answer), ...frames, frame(0x88, Buffer.from([3, 0xe8]))]);
          void writeCut(client, bytes, cuts);
        });
        const { heard } = open(`ws://127.0.0.1:${port}/`);
        await expect.poll(() => heard.closed, PATIENCE).toEqual(["closed with 1000"]);
        expect(heard.frames).toEqual(expected);
        expect(heard.alive).toBe(sent.reduce((sum, { parts, ping }) => sum + (ping ? parts.length : 0), 0));
      }),
      { numRuns: 25 },
    );
  });

  it("throws nothing, and tells its end at most once, when head and frames are any bytes", async () => {
    const head = fc.oneof(
      fc.constant("accept"),
      fc.string({ maxLength: 200 }).map((text) => `HTTP/1.1 ${text}\r\n\r\n`),
      fc.constantFrom("HTTP/1.1 301 X\r\nLocation: //[\r\n\r\n", "\r\n\r\n", "HTTP/1.1 101 X\r\n\r\n"),
    );
    await fc.assert(
      fc.asyncProperty(head, fc.uint8Array({ maxLength: 400 }), fc.boolean(), async (text, bytes, isDropped) => {
        let hasServed = false;
        const { port } = await bare((client, answer) => {
          hasServed = true;
          client.write(text === "accept" ? answer : text);
          client.end(Buffer.from(bytes));
        });
        const { socket, heard } = open(`ws://127.0.0.1:${port}/`);
        await expect.poll(() => hasServed, PATIENCE).toBe(true);
        if (isDropped) {
          socket.drop();
          const { length } = heard.closed;
          await new Promise((resume) => setTimeout(resume, 5));
          expect(heard.closed.length).toBe(length);
        } else {
          await expect.poll(() => heard.closed.length, PATIENCE).toBe(1);
        }
        socket.send("late");
        socket.ping();
      }),
      { numRuns: 40 },
    );
  });
});
