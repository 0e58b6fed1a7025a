/**
 * The page's feed from a gateway: the stream client, translated into what the page shows; the only file of the page that
 * talks to it. Best prices and trades come of every instrument, whole books of those that are followed. The instruments
 * are asked for again every LIST_EVERY_MS, so that those that appear later come onto the page by themselves.
 * Bad case: the gateway is not reachable: the client tries again and again, and each try is told.
 */
import { type ClientEvent, type ConnectionEvent, connect, type StreamClient } from "../client/mod.ts";
import { type BboMessage, ERROR_CODES, type SyncStatus, type TradeMessage } from "../wire/protocol.ts";
import type {
  BestPrices,
  BookTop,
  Connection,
  FeedListener,
  InstrumentStatus,
  MarketFeed,
  Trade,
} from "./market_feed.ts";

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
  readonly #listed = new Set<string>();
  #wanted: ReadonlySet<string> = new Set();
  #followed: ReadonlySet<string> = new Set();
  #client: StreamClient | undefined;
  #listener: FeedListener | undefined;
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
    this.#listener = listener;
    client.on((event) => this.#tell(client, listener, event));
    client.subscribe({ channels: ["stats", "arbitrage"], instruments: [] });
    this.#time.every(LIST_EVERY_MS, () => client.listInstruments());
  }

  follow(instruments: readonly string[]): void {
    this.#wanted = new Set(instruments);
    if (this.#client !== undefined) {
      this.#followBooks(this.#client);
    }
  }

  top(instrument: string, depth: number): BookTop | undefined {
    const book = this.#followed.has(instrument) ? this.#client?.peek(instrument, depth) : undefined;
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
    } else if (event.type === "bbo") {
      listener.bestChanged(event.instrument, bestOf(event));
    } else if (event.type === "trade") {
      listener.traded(event.instrument, tradeOf(event));
    } else if (event.type === "stats") {
      listener.statisticsReceived(event);
    } else if (event.type === "opportunity") {
      listener.opportunityTold(event);
    } else if (event.type === "opportunities") {
      listener.opportunitiesListed(event);
    } else if (event.type === "error" && event.code === ERROR_CODES.unsupportedChannel) {
      listener.arbitrageRefused();
    } else if (event.type === "instruments") {
      this.#subscribe(
        client,
        event.instruments.map((listing) => listing.instrument),
      );
      listener.instrumentsListed(event.instruments.map((listing) => ({ ...statusOf(listing), depth: listing.depth })));
    } else if (event.type === "status" && client.state === "open") {
      listener.statusChanged(statusOf(event));
    }
  }

  /** Subscribes what is listed for the first time, ends what is no longer listed. */
  #subscribe(client: StreamClient, listed: readonly string[]): void {
    const { added, gone } = difference(this.#listed, new Set(listed));
    if (added.length > 0) {
      client.subscribe({ channels: ["bbo", "trades"], instruments: added });
    }
    if (gone.length > 0) {
      client.unsubscribe({ channels: ["bbo", "trades"], instruments: gone });
    }
    for (const instrument of added) {
      this.#listed.add(instrument);
    }
    for (const instrument of gone) {
      this.#listed.delete(instrument);
    }
    this.#followBooks(client);
  }

  /** A book can be followed when it is wanted and listed. */
  #followBooks(client: StreamClient): void {
    const next = new Set([...this.#wanted].filter((instrument) => this.#listed.has(instrument)));
    const { added, gone } = difference(this.#followed, next);
    this.#followed = next;
    if (added.length > 0) {
      client.subscribe({ channels: ["book"], instruments: added });
    }
    if (gone.length > 0) {
      client.unsubscribe({ channels: ["book"], instruments: gone });
    }
    // A copy that is no longer followed is no longer doubted either.
    for (const instrument of gone) {
      this.#listener?.copyDoubted(instrument, false);
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

function difference(before: ReadonlySet<string>, after: ReadonlySet<string>): { added: string[]; gone: string[] } {
  return {
    added: [...after].filter((instrument) => !before.has(instrument)),
    gone: [...before].filter((instrument) => !after.has(instrument)),
  };
}

function bestOf({ bid, ask, version, synced, crossed }: BboMessage): BestPrices {
  return { bid: bid ?? undefined, ask: ask ?? undefined, version, isSynced: synced, isCrossed: crossed };
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
