/**
 * The exchange of the pipeline benchmark: a WebSocket server on loopback that acknowledges a subscription, sends the
 * snapshot, and then writes prepared frames to the bare socket, as many at once as are due; and the product list over REST.
 * Bad case: a side that does not read; frames wait in this process, as they would at an exchange, and the latency shows it.
 */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { type WebSocket, WebSocketServer } from "ws";
import { subscriptionsFrame } from "../../src/emulator/coinbase_exchange_frames.ts";
import { type FrameTrain, type Market, snapshotText } from "./market.ts";
import { NATIVE } from "./words.ts";

const PRODUCT = {
  id: NATIVE,
  quote_increment: "0.01",
  base_increment: "0.00000001",
  status: "online",
  trading_disabled: false,
};
const CHANNELS = new Map(["level2_50", "matches", "heartbeat"].map((name) => [name, new Set([NATIVE])]));

/** An exchange with one client. */
export class BenchExchange {
  readonly #market: Market;
  readonly #http = createServer((request, response) => {
    const isKnown = request.url === "/products";
    response.writeHead(isKnown ? 200 : 404, { "content-type": "application/json" });
    response.end(isKnown ? JSON.stringify([PRODUCT]) : '{"message":"NotFound"}');
  });
  readonly #server = new WebSocketServer({ noServer: true, perMessageDeflate: false });
  #socket: Duplex | undefined;

  constructor(market: Market) {
    this.#market = market;
    this.#http.on("upgrade", (request, socket, head) => {
      this.#server.handleUpgrade(request, socket, head, (client) => this.#serve(client, socket));
    });
  }

  /** @returns its port, for both protocols */
  async listen(): Promise<number> {
    await new Promise<void>((resolve) => {
      this.#http.listen(0, "127.0.0.1", resolve);
    });
    return (this.#http.address() as AddressInfo).port;
  }

  /** Writes frames. @param from the first one @param to behind the last one */
  send({ bytes, ends }: FrameTrain, from: number, to: number): void {
    this.#socket?.write(bytes.subarray(from === 0 ? 0 : ends[from - 1], ends[to - 1]));
  }

  #serve(client: WebSocket, socket: Duplex): void {
    client.once("message", () => {
      client.send(subscriptionsFrame(CHANNELS));
      client.send(snapshotText(this.#market, Math.round(Date.now() * 1000)), () => {
        this.#socket = socket;
      });
    });
  }
}
