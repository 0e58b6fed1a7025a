/**
 * A witness at the stream: follows every book in the JSON form, which tells each event with its sequence and time, and keeps
 * what was published as synced. It proves nothing itself; the truth is asked elsewhere.
 * Bad case: a client that repairs what it sees; this one holds what the messages say and counts what does not follow.
 */
import { createHash } from "node:crypto";
import type { ExchangeId } from "../../src/model/exchange_id.ts";
import {
  type JsonLevel,
  type OrderBookDeltaMessage,
  type OrderBookMessage,
  SUBPROTOCOL_JSON,
  type SyncStatus,
} from "../../src/wire/protocol.ts";
import { WitnessSocket } from "../support/server_messages.ts";

/** Canonical names of the native ones above. */
const CANONICAL: Readonly<Record<string, string>> = {
  "ETH-USD": "ETH-USD",
  "BTC-USD": "BTC-USD",
  "ETH/USD": "ETH-USD",
  "BTC/USD": "BTC-USD",
  ETHUSDT: "ETH-USDT",
  BTCUSDT: "BTC-USDT",
  ETHUSD: "ETH-USD",
  BTCUSD: "BTC-USD",
};

/** A synced book as it was published at the gateway. */
export type Published = {
  readonly exchange: ExchangeId;
  readonly native: string;
  readonly version: string;
  readonly sequence: string;
  readonly eventAtNs: bigint;
  readonly digest: string;
  readonly assurance: string;
  /** How often the book was not synced before. */
  readonly period: number;
};

/** As the gateway calls it. */
export function nameOf(exchange: ExchangeId, native: string): string {
  return `${exchange}:${CANONICAL[native] ?? native}`;
}

type Sides = { bids: Map<string, string>; asks: Map<string, string> };

/** What the witness holds of one book. */
class WitnessBook implements Sides {
  readonly bids = new Map<string, string>();
  readonly asks = new Map<string, string>();
  version = "";
  sequence = "0";
  isSynced = false;
  status: Pick<SyncStatus, "state" | "assurance"> = { state: "connecting", assurance: "unknown" };
  eventAtNs = 0n;
  /** How often it was not synced after it had been. */
  losses = 0;
  /** Whole books received. */
  snapshots = 0;
  resets: string[] = [];
  /** Changes that did not follow the version held. */
  brokenChains = 0;
  /** Synced events since the start. */
  events = 0;
}

/** A client of the stream in its JSON form, which tells every event with its sequence and time. */
export class Witness {
  readonly published: Published[] = [];
  readonly opened: Promise<void>;
  readonly #socket: WitnessSocket;
  readonly #books = new Map<string, { exchange: ExchangeId; native: string; book: WitnessBook }>();

  constructor(url: string, natives: readonly { exchange: ExchangeId; native: string; name: string }[]) {
    for (const { exchange, native, name } of natives) {
      this.#books.set(name, { exchange, native, book: new WitnessBook() });
    }
    this.#socket = new WitnessSocket(`${url.replace("http", "ws")}/ws`, [SUBPROTOCOL_JSON]);
    this.opened = new Promise((resolve, reject) => {
      this.#socket.once("error", reject);
      this.#socket.once("open", () => {
        const instruments = [...new Set(natives.map(({ exchange }) => `${exchange}:*`))];
        this.#socket.send(JSON.stringify({ op: "subscribe", id: 1, channels: ["book"], instruments }));
        resolve();
      });
    });
    this.#socket.on("message", (content: Buffer) => this.#read(JSON.parse(content.toString()) as StreamMessage));
  }

  /** Every book. */
  all(): { exchange: ExchangeId; native: string; book: WitnessBook }[] {
    return [...this.#books.values()];
  }

  /** One book, by its native symbol. */
  of(exchange: ExchangeId, native: string): WitnessBook {
    const found = this.#books.get(nameOf(exchange, native));
    if (found === undefined) {
      throw new RangeError(`Cannot find a book: nobody follows it, was ${exchange} ${native}`);
    }
    return found.book;
  }

  close(): void {
    this.#socket.terminate();
  }

  #read(message: StreamMessage): void {
    const followed = this.#books.get(message.instrument ?? "");
    if (followed === undefined) {
      return;
    }
    const { book } = followed;
    switch (message.type) {
      case "subscribed":
      case "status":
        book.status = message;
        break;
      case "reset":
        book.resets.push(message.reason);
        break;
      case "orderbook":
        book.snapshots += 1;
        replace(book.bids, message.bids);
        replace(book.asks, message.asks);
        this.#publish(followed, message);
        break;
      case "orderbook_delta":
        book.brokenChains += message.previousVersion === book.version ? 0 : 1;
        for (const [side, price, quantity] of message.changes) {
          set(side === "bid" ? book.bids : book.asks, price, quantity);
        }
        this.#publish(followed, message);
        break;
    }
  }

  #publish(
    { exchange, native, book }: { exchange: ExchangeId; native: string; book: WitnessBook },
    { version, synced, sequence, eventAtNs }: OrderBookMessage | OrderBookDeltaMessage,
  ): void {
    book.version = version;
    book.sequence = sequence;
    book.losses += book.isSynced && !synced ? 1 : 0;
    book.isSynced = synced;
    book.eventAtNs = eventAtNs === "0" ? book.eventAtNs : BigInt(eventAtNs);
    if (synced) {
      book.events += 1;
      const { assurance } = book.status;
      const period = book.losses;
      this.published.push({
        ...{ exchange, native, version, sequence, assurance, period },
        eventAtNs: book.eventAtNs,
        digest: digestOf(book),
      });
    }
  }
}

type StreamMessage = { instrument?: string } & (
  | OrderBookMessage
  | OrderBookDeltaMessage
  | ({ type: "subscribed" | "status" } & SyncStatus)
  | { type: "reset"; reason: string }
);

function replace(side: Map<string, string>, levels: readonly JsonLevel[]): void {
  side.clear();
  for (const [price, quantity] of levels) {
    set(side, price, quantity);
  }
}

function set(side: Map<string, string>, price: string, quantity: string): void {
  if (plain(quantity) === "0") {
    side.delete(plain(price));
  } else {
    side.set(plain(price), plain(quantity));
  }
}

function plain(decimal: string): string {
  return decimal.includes(".") ? decimal.replace(/\.?0+$/, "") : decimal;
}

/** As the truth makes it. */
export function digestOf({ bids, asks }: Sides): string {
  const hash = createHash("sha256");
  for (const [letter, side, sign] of [["b", bids, -1] as const, ["a", asks, 1] as const]) {
    for (const [price, quantity] of [...side].sort(([one], [other]) => sign * (Number(one) - Number(other)))) {
      hash.update(`${letter} ${price} ${quantity}\n`);
    }
  }
  return hash.digest("hex");
}
