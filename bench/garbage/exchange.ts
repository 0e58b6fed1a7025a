/**
 * An exchange that sends as fast as it is told: Coinbase's snapshot of 45,000 levels, then updates round and round at a
 * steady rate, framed once and written to the bare socket by the millisecond.
 * Bad case: a client that does not keep up; what waits for it is bounded, and the rate that it got is what its counters say.
 */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { deepStream } from "../deep_stream.ts";
import { textFrame } from "../text_frames.ts";
import type { GarbageAnswer } from "./words.ts";

const UPDATES = 1000;
const WAITING_BYTES_MAX = 4 << 20;
const ACKNOWLEDGED = JSON.stringify({
  type: "subscriptions",
  channels: ["level2_50", "matches", "heartbeat"].map((name) => ({ name, product_ids: ["BTC-USD"] })),
});

/** Listens until the parent is gone. @param perSecond frames for each client */
export async function runExchange(perSecond: number): Promise<void> {
  // Loaded here: what is imported above is part of the heap that the other roles of this program watch.
  const { WebSocketServer } = await import("ws");
  const [snapshot, ...updates] = deepStream(UPDATES).frames.map(({ bytes }) => textFrame(bytes));
  const flow = new Flow(updates, perSecond);
  const sockets = new WebSocketServer({ noServer: true, perMessageDeflate: false });
  const server = createServer();
  server.on("upgrade", (request, socket, head) => {
    socket.on("error", () => socket.destroy());
    sockets.handleUpgrade(request, socket, head, (client) => {
      // Its subscription is the first that it sends.
      client.once("message", () => {
        socket.write(textFrame(Buffer.from(ACKNOWLEDGED)));
        socket.write(snapshot ?? Buffer.alloc(0));
        flow.start(socket);
      });
    });
  });
  server.listen(0, "127.0.0.1", () => {
    const { port } = server.address() as AddressInfo;
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

  start(socket: Duplex): void {
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

  #write(socket: Duplex, from: number, until: number): void {
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
