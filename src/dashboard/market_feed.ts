/**
 * What the page needs to be told about the market: the line between the page and the stream client, so that the page's
 * own logic can be tested with a scripted feed. Exact decimal strings throughout.
 * Bad case: a feed that calls `bookChanged` for every message is fine, one that copies a whole book for it is not:
 * books are pulled by `top`, once per painted frame.
 */
import type { OpportunitiesMessage, OpportunityMessage, StatsMessage, SyncStatus } from "../wire/protocol.ts";

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

/** What holds for an instrument beside its book, in the words of the stream. */
export type InstrumentStatus = Omit<SyncStatus, "sinceNs"> & {
  /** `exchange:BASE-QUOTE`. */
  instrument: string;
  /** When this state began, wall clock, milliseconds; 0 = unknown. */
  sinceMs: number;
};

/** An instrument as listed. */
export type ListedInstrument = InstrumentStatus & {
  /** Levels per side that the exchange sends; 0 = all. */
  depth: number;
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

/** The best price of each side. */
export type BestPrices = {
  bid: Level | undefined;
  ask: Level | undefined;
  version: string;
  /** Whether the exchange's rule says that the book behind it is right. */
  isSynced: boolean;
  isCrossed: boolean;
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

/** What a feed tells. Every function is called on the page's one thread. */
export type FeedListener = {
  connectionChanged(connection: Connection): void;
  /** All instruments that there are; replaces what was told before. */
  instrumentsListed(listed: readonly ListedInstrument[]): void;
  statusChanged(status: InstrumentStatus): void;
  /** One or more events were applied to a book that is followed. */
  bookChanged(instrument: string, events: number): void;
  /** The best prices of an instrument changed; told of all instruments, followed or not. */
  bestChanged(instrument: string, best: BestPrices): void;
  /** This page's copy of a book failed a check, or the gateway's did, and is fetched again (true), or it holds again (false). */
  copyDoubted(instrument: string, isDoubted: boolean): void;
  traded(instrument: string, trade: Trade): void;
  /** Once a second. */
  statisticsReceived(statistics: StatsMessage): void;
  /** All opportunities that are open; replaces what was told before. */
  opportunitiesListed(message: OpportunitiesMessage): void;
  opportunityTold(message: OpportunityMessage): void;
  /** The gateway does not look for arbitrage. */
  arbitrageRefused(): void;
};

/** A source of market events. */
export type MarketFeed = {
  /** Starts telling; to be called once. */
  start(listener: FeedListener): void;
  /** Names the instruments whose whole books are wanted from now on; of the others best prices and trades come. */
  follow(instruments: readonly string[]): void;
  /** The best levels; undefined when the book is not followed or not there yet. Cost: O(depth). */
  top(instrument: string, depth: number): BookTop | undefined;
  /** Bytes received on the stream so far. */
  bytesIn(): number;
  close(): void;
};
