/**
 * What the page needs to be told about the market: the line between the page and the stream client, so that the page's
 * own logic can be tested with a scripted feed. Exact decimal strings throughout.
 * Bad case: a feed that calls `bookChanged` for every message is fine, one that copies a whole book for it is not:
 * books are pulled by `top`, once per painted frame.
 */

/** Connection to the gateway. `reconnecting`: it was open and is lost, or could not be opened; another try is due. */
export type ConnectionState = "connecting" | "open" | "reconnecting" | "closed";

/** The connection as shown. */
export type Connection = {
  state: ConnectionState;
  /** Tries since it was last open; 0 while open. */
  attempt: number;
  /** Why it is not open; empty when it is, or when nothing is known. */
  reason: string;
  /** When this state began, wall clock, milliseconds. */
  sinceMs: number;
};

/** Sync state of an instrument's book, as the stream names it. */
export type SyncState = "connecting" | "waiting" | "synced" | "resyncing" | "out_of_service" | "retired";

/** How the exchange lets us know that a book is right, as the stream names it. */
export type Assurance = "sequence" | "checksum" | "inferred" | "none";

/** What holds for an instrument beside its book. */
export type InstrumentStatus = {
  /** `exchange:BASE-QUOTE`. */
  instrument: string;
  state: SyncState;
  assurance: Assurance;
  /** Why it is not synced; empty when it is. */
  reason: string;
  /** When this state began, wall clock, milliseconds; 0 = unknown. */
  sinceMs: number;
  /** Decimals of a tick; −1 = not yet known. */
  priceExponent: number;
  /** Decimals of a lot; −1 = not yet known. */
  quantityExponent: number;
};

/** A price level: exact price and quantity. */
export type Level = readonly [price: string, quantity: string];

/** The best levels of a book. */
export type BookTop = {
  /** Best first. */
  bids: readonly Level[];
  /** Best first. */
  asks: readonly Level[];
  /** Levels of the whole book. */
  bidLevels: number;
  askLevels: number;
  version: string;
  hash: number;
  /** Whether the exchange's rule says that this book is right. */
  isSynced: boolean;
  isCrossed: boolean;
  /** Milliseconds, wall clock; 0 = unknown. */
  eventAtMs: number;
  receivedAtMs: number;
};

/** A trade as shown. */
export type Trade = {
  id: string;
  price: string;
  quantity: string;
  aggressor: "buy" | "sell" | "unknown";
  /** Milliseconds, wall clock, by the exchange. */
  eventAtMs: number;
  /** The exchange's trade ids jumped before this one. */
  isGapBefore: boolean;
};

/** Sums since the start, of one exchange; rates come from differences. */
export type ExchangeTotals = {
  exchange: string;
  frames: number;
  frameBytes: number;
  bookUpdates: number;
  trades: number;
  gaps: number;
  checksumsOk: number;
  checksumsBad: number;
  resyncs: number;
  reconnects: number;
  decodeErrors: number;
};

/** Sums since the start, of the gateway. */
export type GatewayTotals = {
  atMs: number;
  clients: number;
  /** Sent to all clients, bytes. */
  bytesOut: number;
  messagesOut: number;
  /** Messages or clients' places dropped for slowness. */
  dropped: number;
  exchanges: readonly ExchangeTotals[];
};

/** What a feed tells. Every function is called on the page's one thread. */
export type FeedListener = {
  connectionChanged(connection: Connection): void;
  /** All instruments that there are; replaces what was told before. */
  instrumentsListed(statuses: readonly InstrumentStatus[]): void;
  statusChanged(status: InstrumentStatus): void;
  /** One or more events were applied. */
  bookChanged(instrument: string, events: number): void;
  traded(instrument: string, trade: Trade): void;
  totalsReceived(totals: GatewayTotals): void;
};

/** A source of market events. */
export type MarketFeed = {
  /** Starts telling; to be called once. */
  start(listener: FeedListener): void;
  /** The best levels; undefined when there is no book. Cost: O(depth). */
  top(instrument: string, depth: number): BookTop | undefined;
  /** Bytes received on the stream so far. */
  bytesIn(): number;
  close(): void;
};
