/**
 * The page's feed from a gateway: the stream client, translated into what the page shows. The instruments are asked for
 * again every LIST_EVERY_MS, so that those that appear later come onto the page by themselves.
 * Bad case: the gateway is not reachable: the client tries again and again, and each try is told.
 */
import { type ClientEvent, type ConnectionEvent, connect, type StreamClient } from "../client/mod.ts";
import type { SyncStatus, TradeMessage } from "../wire/protocol.ts";
import type { BookTop, Connection, FeedListener, InstrumentStatus, MarketFeed, Trade } from "./market_feed.ts";

/** Time between two questions for the list of instruments, milliseconds. */
const LIST_EVERY_MS = 5_000;

/** Clock and timer of a feed. */
export type FeedTime = {
  /** Wall clock, milliseconds. */
  nowMs: () => number;
  /** As setInterval. */
  every: (milliseconds: number, task: () => void) => unknown;
};

/** A feed from the gateway's binary stream. */
export class ClientFeed implements MarketFeed {
  readonly #url: string;
  readonly #time: FeedTime;
  readonly #subscribed = new Set<string>();
  #client: StreamClient | undefined;
  #connection: Connection;

  /** @param url of the stream, `ws://HOST:PORT/ws` */
  constructor(url: string, time: FeedTime) {
    this.#url = url;
    this.#time = time;
    this.#connection = { state: "connecting", attempt: 0, reason: "", sinceMs: time.nowMs() };
  }

  start(listener: FeedListener): void {
    const client = connect(this.#url);
    this.#client = client;
    client.on((event) => this.#tell(client, listener, event));
    client.subscribe({ channels: ["stats"], instruments: [] });
    this.#time.every(LIST_EVERY_MS, () => client.listInstruments());
  }

  top(instrument: string, depth: number): BookTop | undefined {
    const book = this.#client?.book(instrument, depth);
    return book === undefined
      ? undefined
      : { ...book, eventAtMs: milliseconds(book.eventAtNs), receivedAtMs: milliseconds(book.receivedAtNs) };
  }

  bytesIn(): number {
    return this.#client?.counts.bytesIn ?? 0;
  }

  close(): void {
    this.#client?.close();
  }

  #tell(client: StreamClient, listener: FeedListener, event: ClientEvent): void {
    if (event.type === "connection") {
      this.#connection = this.#next(event);
      listener.connectionChanged(this.#connection);
      if (event.state === "open") {
        client.listInstruments();
      }
    } else if (event.type === "book") {
      if (event.isSnapshot) {
        listener.copyDoubted(event.instrument, false);
      }
      listener.bookChanged(event.instrument, event.records > 0 || event.isSnapshot ? 1 : 0);
    } else if (event.type === "resync" || (event.type === "reset" && event.channel === "book")) {
      listener.copyDoubted(event.instrument, true);
    } else if (event.type === "trade") {
      listener.traded(event.instrument, tradeOf(event));
    } else if (event.type === "stats") {
      listener.statisticsReceived(event);
    } else if (event.type === "instruments") {
      this.#subscribe(
        client,
        event.instruments.map((listing) => listing.instrument),
      );
      listener.instrumentsListed(event.instruments.map(statusOf));
    } else if (event.type === "status" && client.state === "open") {
      listener.statusChanged(statusOf(event));
    }
  }

  /** Subscribes what is listed for the first time, ends what is no longer listed. */
  #subscribe(client: StreamClient, listed: readonly string[]): void {
    const added = listed.filter((instrument) => !this.#subscribed.has(instrument));
    const gone = [...this.#subscribed].filter((instrument) => !listed.includes(instrument));
    if (added.length > 0) {
      client.subscribe({ channels: ["book", "trades"], instruments: added });
    }
    if (gone.length > 0) {
      client.unsubscribe({ channels: ["book", "trades"], instruments: gone });
    }
    for (const instrument of added) {
      this.#subscribed.add(instrument);
    }
    for (const instrument of gone) {
      this.#subscribed.delete(instrument);
    }
  }

  /** A try to connect after a loss is still the same loss: reason and since-when stay. */
  #next({ state, attempt, reason }: ConnectionEvent): Connection {
    const before = this.#connection;
    if (state === "open" || state === "closed") {
      return { state, attempt: 0, reason: state === "open" ? "" : reason, sinceMs: this.#time.nowMs() };
    }
    if (attempt === 0) {
      return { ...before, state: "connecting" };
    }
    const sinceMs = before.state === "reconnecting" ? before.sinceMs : this.#time.nowMs();
    return { state: "reconnecting", attempt, reason: reason === "" ? before.reason : reason, sinceMs };
  }
}

function statusOf(status: SyncStatus & { instrument: string }): InstrumentStatus {
  const { instrument, state, assurance, reason, trading, priceExponent, quantityExponent } = status;
  const sinceMs = milliseconds(status.sinceNs);
  return { instrument, state, assurance, reason, trading, priceExponent, quantityExponent, sinceMs };
}

function tradeOf(message: TradeMessage): Trade {
  const { id, price, quantity, aggressor } = message;
  return { id, price, quantity, aggressor, eventAtMs: milliseconds(message.eventAtNs), isGapBefore: message.gapBefore };
}

/** Unix nanoseconds as text → milliseconds. */
function milliseconds(nanoseconds: string): number {
  return Number(BigInt(nanoseconds) / 1_000n) / 1_000;
}
