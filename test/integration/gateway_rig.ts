/**
 * What the gateway's tests start and must end: markets and stream clients, with everything that a client told.
 * Bad case: a test that fails half way; `closeAll` in `afterEach` ends what it left.
 */
import type { WebSocket } from "ws";
import {
  type ClientBook,
  type ClientEvent,
  type ConnectOptions,
  connect,
  type StreamClient,
} from "../../src/client/mod.ts";
import type { Gateway } from "../../src/gateway/mod.ts";
import { checkServerTexts, WitnessSocket } from "../support/server_messages.ts";
import { type Level, Market, type Producer, until } from "./gateway_market.ts";

/** The instruments that the default producer has. */
export const BTC = "coinbase_exchange:BTC-USD";
export const ETH = "coinbase_exchange:ETH-USD";

const markets: Market[] = [];
const clients: StreamClient[] = [];
const sockets: WebSocket[] = [];

/** A client and all that it told. */
export type Witness = { client: StreamClient; events: ClientEvent[] };

/** A market of its own for one test. */
export function startMarket(megabytes?: number): Market {
  const market = new Market(megabytes);
  markets.push(market);
  return market;
}

/** Connects a client that keeps every event. */
export function startClient(url: string, options: Partial<ConnectOptions> = {}): Witness {
  const client = connect(url, { WebSocket: WitnessSocket, timing: { firstDelayMs: 20 }, ...options });
  const events: ClientEvent[] = [];
  client.on((event) => events.push(event));
  clients.push(client);
  return { client, events };
}

/** Connects a plain socket, for saying what a client never says. @returns the socket and every message, parsed when it is text */
export async function startSocket(url: string, protocols: string[] = []): Promise<PlainSocket> {
  const socket = new WitnessSocket(url, protocols);
  sockets.push(socket);
  const plain: PlainSocket = { socket, messages: [], binary: [], closeCode: undefined };
  socket.on("message", (content: Buffer, isBinary) => {
    if (isBinary) {
      plain.binary.push(new Uint8Array(content));
    } else {
      plain.messages.push(JSON.parse(content.toString()) as Record<string, unknown>);
    }
  });
  socket.on("close", (code) => {
    plain.closeCode = code;
  });
  await new Promise((resolve, reject) => {
    socket.once("open", resolve);
    socket.once("error", reject);
  });
  socket.on("error", () => undefined);
  await until("a welcome", () => plain.messages.length > 0);
  return plain;
}

/** A socket without a client around it. */
export type PlainSocket = {
  socket: WebSocket;
  messages: Record<string, unknown>[];
  binary: Uint8Array[];
  closeCode: number | undefined;
};

/** Ends everything that was started here. @throws Error when a server sent what the schemas refuse */
export async function closeAll(): Promise<void> {
  for (const client of clients.splice(0)) {
    client.close();
  }
  for (const socket of sockets.splice(0)) {
    socket.terminate();
  }
  for (const market of markets.splice(0)) {
    await market.close();
  }
  checkServerTexts();
}

/** Subscribes and waits for the first book. */
export async function follow(witness: Witness, instrument: string): Promise<ClientBook> {
  witness.client.subscribe({ channels: ["book"], instruments: [instrument] });
  await until(`a book of ${instrument}`, () => witness.client.peek(instrument) !== undefined);
  return witness.client.peek(instrument) as ClientBook;
}

/** The client holds the gateway's book at the gateway's version, and that book is the producer's. */
export function agrees(witness: Witness, gateway: Gateway, instrument: string): boolean {
  const ours = gateway.book(instrument, 100_000);
  const theirs = witness.client.peek(instrument);
  return (
    ours !== undefined &&
    theirs !== undefined &&
    ours.version === theirs.version &&
    ours.hash === theirs.hash &&
    JSON.stringify([ours.bids, ours.asks]) === JSON.stringify([theirs.bids, theirs.asks])
  );
}

/** A book of so many levels a side around 1000. */
export function wideBook(levels: number): { bids: Level[]; asks: Level[] } {
  const prices = Array.from({ length: levels }, (_, index) => index);
  return {
    bids: prices.map((index) => [(1000 - (index + 1) / 100).toFixed(2), String(1 + (index % 7))]),
    asks: prices.map((index) => [(1000 + (index + 1) / 100).toFixed(2), String(2 + (index % 5))]),
  };
}

/** Moves levels of a wide book up and down for so many events, by a counter: the same every time. */
export function stir(
  producer: Producer,
  native: string,
  { events, from = 0 }: { events: number; from?: number },
): void {
  for (let event = from; event < from + events; event++) {
    const step = 1 + ((event * 7) % 50);
    const size = String(1 + (event % 13));
    producer.update(native, [
      ["buy", (1000 - step / 100).toFixed(2), event % 3 === 0 ? "0" : size],
      ["sell", (1000 + (step + 1) / 100).toFixed(2), event % 4 === 0 ? "0" : size],
    ]);
  }
}

/** A WebSocket that can stop reading: the operating system's buffers fill up, then the server's. */
export class PausableSocket extends WitnessSocket {
  /** The one that was made last. */
  static last: PausableSocket | undefined;

  constructor(url: string, protocols: string[]) {
    super(url, protocols);
    PausableSocket.last = this;
  }
}
