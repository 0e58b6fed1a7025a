/**
 * What people write: one thread that gets JSON over `ws`, parses it, keeps the book in maps, and sends each change as JSON
 * to its clients over `ws`. Written as well as that can be: texts stay texts, nothing is sorted, nothing is formatted
 * twice, no compression. A client that comes gets the whole book first.
 * Bad case: taking it for an equal; it proves nothing, keeps no levels in order, and notices no gap.
 */
import type { AddressInfo } from "node:net";
import { type RawData, WebSocket, WebSocketServer } from "ws";
import type { StackMessage } from "./follower.ts";
import type { Change, Level } from "./market.ts";
import { NATIVE, type SideAnswer } from "./words.ts";

type FeedMessage =
  | { type: "subscriptions" }
  | { type: "snapshot"; bids: Level[]; asks: Level[] }
  | { type: "l2update"; changes: Change[]; time: string };

const NOTHING = "0.00000000";

/** Serves until the parent is gone. @param exchangePort of the exchange */
export async function runStack(exchangePort: number): Promise<void> {
  const book = { bids: new Map<string, string>(), asks: new Map<string, string>() };
  let sequence = 0;
  const server = new WebSocketServer({ host: "127.0.0.1", port: 0, perMessageDeflate: false });
  const broadcast = (message: StackMessage) => {
    const text = JSON.stringify(message);
    for (const client of server.clients) {
      client.send(text);
    }
  };
  server.on("connection", (client) => {
    const message: StackMessage = {
      type: "snapshot",
      product: NATIVE,
      sequence,
      bids: [...book.bids],
      asks: [...book.asks],
    };
    client.send(JSON.stringify(message));
  });
  const feed = new WebSocket(`ws://127.0.0.1:${exchangePort}`, { perMessageDeflate: false, maxPayload: 64 << 20 });
  feed.on("open", () => {
    feed.send(JSON.stringify({ type: "subscribe", product_ids: [NATIVE], channels: ["level2_batch"] }));
  });
  const hasBook = new Promise<void>((resolve) => {
    feed.on("message", (raw: RawData) => {
      const message = JSON.parse(raw.toString()) as FeedMessage;
      if (message.type === "snapshot") {
        book.bids = new Map(message.bids);
        book.asks = new Map(message.asks);
        resolve();
      } else if (message.type === "l2update") {
        const { changes, time } = message;
        for (const [side, price, size] of changes) {
          const levels = side === "buy" ? book.bids : book.asks;
          if (size === NOTHING) {
            levels.delete(price);
          } else {
            levels.set(price, size);
          }
        }
        sequence += 1;
        broadcast({ type: "delta", product: NATIVE, sequence, changes, time });
      }
    });
  });
  await hasBook;
  const { port } = server.address() as AddressInfo;
  process.send?.({ answer: "listening", port, pid: process.pid } satisfies SideAnswer);
  process.once("disconnect", () => process.exit(0));
}
