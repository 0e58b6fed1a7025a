/**
 * An exchange that sends as fast as it is told: Coinbase's snapshot of 45,000 levels, then updates round and round at a
 * steady rate, framed once and written by the millisecond. It speaks just as much HTTP and WebSocket as that takes.
 * Bad case: a client that does not keep up; what waits for it is bounded, and the rate that it got is what its counters say.
 */
import { createHash } from "node:crypto";
import { createServer, type Socket } from "node:net";
import { deepStream } from "../deep_stream.ts";
import type { GarbageAnswer } from "./words.ts";

const UPDATES = 1000;
const WAITING_BYTES_MAX = 4 << 20;
const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const ACKNOWLEDGED = JSON.stringify({
  type: "subscriptions",
  channels: ["level2_50", "matches", "heartbeat"].map((name) => ({ name, product_ids: ["BTC-USD"] })),
});
const FIRST_BYTE_TEXT = 0x81;
const LENGTH_16 = 126;
const LENGTH_64 = 127;

/** Listens until the parent is gone. @param perSecond frames for each client */
export function runExchange(perSecond: number): void {
  const [snapshot, ...updates] = deepStream(UPDATES).frames.map(({ bytes }) => framed(bytes));
  const flow = new Flow(updates, perSecond);
  const server = createServer((socket) => {
    socket.setNoDelay(true);
    socket.on("error", () => socket.destroy());
    let isOpen = false;
    let head = "";
    socket.on("data", (chunk: Buffer) => {
      if (isOpen) {
        return;
      }
      head += chunk.toString("latin1");
      const key = /^sec-websocket-key: *(\S+)/im.exec(head)?.[1];
      if (key !== undefined && head.includes("\r\n\r\n")) {
        isOpen = true;
        socket.write(accepted(key));
        // Its subscription is the next that it sends.
        socket.once("data", () => {
          socket.write(framed(Buffer.from(ACKNOWLEDGED)));
          socket.write(snapshot ?? Buffer.alloc(0));
          flow.start(socket);
        });
      }
    });
  });
  server.listen(0, "127.0.0.1", () => {
    const address = server.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    process.send?.({ answer: "listening", port } satisfies GarbageAnswer);
  });
  process.once("disconnect", () => process.exit(0));
}

/** Updates as one run of bytes, written in parts. */
class Flow {
  readonly #bytes: Buffer;
  readonly #ends: number[] = [];
  readonly #perSecond: number;

  constructor(frames: readonly Buffer[], perSecond: number) {
    this.#bytes = Buffer.concat(frames);
    this.#perSecond = perSecond;
    let end = 0;
    for (const frame of frames) {
      end += frame.length;
      this.#ends.push(end);
    }
  }

  start(socket: Socket): void {
    let startedAt = performance.now();
    let sent = 0;
    const turn = () => {
      if (socket.destroyed) {
        return;
      }
      const due = Math.floor(((performance.now() - startedAt) / 1000) * this.#perSecond);
      if (socket.writableLength > WAITING_BYTES_MAX) {
        // It cannot keep the rate: what it missed is not made up for.
        startedAt += ((due - sent) / this.#perSecond) * 1000;
      } else {
        this.#write(socket, sent, due);
        sent = due;
      }
      setTimeout(turn, 1);
    };
    turn();
  }

  #write(socket: Socket, from: number, until: number): void {
    const total = this.#ends.length;
    for (let at = from; at < until; ) {
      const place = at % total;
      const count = Math.min(until - at, total - place);
      const start = place === 0 ? 0 : (this.#ends[place - 1] ?? 0);
      socket.write(this.#bytes.subarray(start, this.#ends[place + count - 1]));
      at += count;
    }
  }
}

/** A text frame of a server: not masked. */
function framed(payload: Uint8Array): Buffer {
  const { length } = payload;
  if (length < LENGTH_16) {
    return Buffer.concat([Buffer.from([FIRST_BYTE_TEXT, length]), payload]);
  }
  const head = Buffer.alloc(length < 65_536 ? 4 : 10);
  head[0] = FIRST_BYTE_TEXT;
  if (length < 65_536) {
    head[1] = LENGTH_16;
    head.writeUInt16BE(length, 2);
  } else {
    head[1] = LENGTH_64;
    head.writeBigUInt64BE(BigInt(length), 2);
  }
  return Buffer.concat([head, payload]);
}

function accepted(key: string): string {
  const proof = createHash("sha1").update(`${key}${GUID}`).digest("base64");
  const lines = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade"];
  return `${[...lines, `Sec-WebSocket-Accept: ${proof}`].join("\r\n")}\r\n\r\n`;
}
