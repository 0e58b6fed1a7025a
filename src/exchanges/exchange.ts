/**
 * What an exchange is to the rest of the program: a declarative header (where it lives, what it allows, how it lets us
 * know that a book is right) and pure functions between bytes and meaning. No I/O, no clock. One file per exchange
 * implements this; shared code reads the header and never asks for a name.
 * Bad case: shared code that needs an exchange's name; then a field is missing here.
 */
import type { ExchangeId } from "../model/exchange_id.ts";

/** At most `count` of something in any window of `perMs`. */
export type Rate = { readonly count: number; readonly perMs: number };

/** What is subscribed for an instrument. */
export type Channel = "book" | "trades" | "heartbeat";

/** The declarative part. Times in ms, sizes in what the name says; every figure has its source in the exchange's file. */
export type ExchangeHeader = {
  readonly id: ExchangeId;
  /** For people, e.g. `Kraken`. */
  readonly title: string;
  /** Tried in turn when one cannot be reached. */
  readonly websocketUrls: readonly string[];
  /** The path for an address that is given without one; empty when the exchange needs none. */
  readonly websocketPath: string;
  /** Base of the REST paths, without a trailing slash. */
  readonly restUrl: string;
  /** DECODER_* of the kernel. */
  readonly decoder: number;
  /** Canonical instruments taken when none are configured. */
  readonly defaultInstruments: readonly string[];
  /** Depths that can be subscribed, levels per side; 0 = full. */
  readonly depths: readonly number[];
  /** The depth taken when none is configured. */
  readonly defaultDepth: number;
  /** Where a book's first state comes from. */
  readonly snapshot: "in_band" | "rest";
  /** Levels per side asked of a REST snapshot. */
  readonly snapshotLevels: number;
  /** Levels of both sides together that a book image is made for. */
  readonly imageLevels: number;
  /** Whether two connections may carry the same books for a while: only sequences tell repeats from changes. */
  readonly canOverlap: boolean;
  readonly timing: ExchangeTiming;
  readonly limits: ExchangeLimits;
  readonly audit: ExchangeAudit;
  /**
   * What a taker pays at the lowest tier of the public fee page, basis points: what arbitrage is reckoned with unless the
   * account's own fee is configured. It differs between accounts, pairs and months; the exchange's file says how it is known.
   */
  readonly takerFeeBps: number;
};

/**
 * What shows that a REST book is not older than it may be: the update id that it carries, the time that it carries, or
 * nothing but its own levels.
 */
export type AuditFreshness = "sequence" | "time" | "content";

/** How books are audited against REST. Times in ms. */
export type ExchangeAudit = {
  readonly freshness: AuditFreshness;
  /** Levels per side that an audit asks for at most; 0 = all. */
  readonly levels: number;
  /** Decimals that REST rounds quantities to; −1 = they are exact. */
  readonly quantityDecimals: number;
  /** Changes of the socket are noted from so long before the request. */
  readonly beforeMs: number;
  /** The socket must have told within this time what an answer knows. */
  readonly afterMs: number;
  /** REST weight that audits may spend: half of what the exchange documents. */
  readonly budget: Rate;
};

/** Timers of an exchange, ms. */
export type ExchangeTiming = {
  /** No frame, ping or pong for this long: the connection is dead. */
  readonly idleMs: number;
  /** An acknowledgement must come within this time after the request was sent. */
  readonly ackMs: number;
  /** The first book must come within this time after the acknowledgement. */
  readonly firstDataMs: number;
  /** A client WebSocket ping this often; 0 = none. */
  readonly pingMs: number;
  /** A connection is replaced, with overlap, at this age; 0 = never. */
  readonly rotateMs: number;
};

/** Limits of an exchange, or a safe share of them. */
export type ExchangeLimits = {
  /** Connection attempts of one collector. */
  readonly connects: Rate;
  /** Messages a client may send on one connection. */
  readonly messages: Rate;
  readonly instrumentsPerConnection: number;
  readonly instrumentsPerMessage: number;
  /** REST weight of everything together; the requests say their own. */
  readonly rest: Rate;
};

/** An instrument as the exchange lists it. */
export type InstrumentMetadata = {
  /** The exchange's spelling in its frames. */
  readonly native: string;
  /** `BASE-QUOTE`. */
  readonly canonical: string;
  /** Decimals of the tick as text says them, without trailing zeros. */
  readonly priceExponent: number;
  /** Decimals of the lot. */
  readonly quantityExponent: number;
  /** TRADING_* */
  readonly tradingStatus: number;
};

/** What a metadata body held. */
export type Metadata = {
  readonly instruments: readonly InstrumentMetadata[];
  /** Entries that could not be read; one bad entry never costs the others. */
  readonly unreadable: readonly string[];
};

/** A REST request, relative to the base URL. */
export type RestRequest = {
  readonly path: string;
  /** What it costs of the REST budget. */
  readonly weight: number;
};

/** A message to send, and what it asks for. */
export type ClientMessage = {
  readonly text: string;
  /** The id that the answer repeats; 0 when this exchange's answers carry none. */
  readonly requestId: number;
  readonly natives: readonly string[];
  readonly channels: readonly Channel[];
};

/** What to subscribe or unsubscribe. */
export type SubscriptionRequest = {
  readonly natives: readonly string[];
  readonly channels: readonly Channel[];
  /** Levels per side, 0 = full. */
  readonly depth: number;
  /** Unique among the requests of a connection. */
  readonly nextRequestId: () => number;
};

/** What a control frame means. `native` and `requestId` are there when the exchange says them. */
export type ControlEvent =
  | {
      readonly kind: "accepted";
      readonly channel?: Channel;
      readonly native?: string;
      readonly requestId?: number;
      readonly depth?: number;
    }
  | {
      readonly kind: "refused";
      readonly channel?: Channel;
      readonly native?: string;
      readonly requestId?: number;
      readonly reason: string;
    }
  /** An error that names neither an instrument nor a request: it refuses what is not yet acknowledged. */
  | { readonly kind: "error"; readonly reason: string }
  /** Something failed that asks for nothing, e.g. an unsubscribe of what was not subscribed. */
  | { readonly kind: "notice"; readonly reason: string }
  /** Requests come too fast; those that follow may have been dropped. */
  | { readonly kind: "rate_limited"; readonly reason: string }
  /** The state of the whole exchange. @param tradingStatus TRADING_* */
  | {
      readonly kind: "status";
      readonly tradingStatus: number;
      readonly isMaintenance: boolean;
      readonly reason: string;
    }
  /** The server is about to close: reconnect before it does. */
  | { readonly kind: "reconnect"; readonly reason: string };

/** One exchange. */
export interface Exchange {
  readonly header: ExchangeHeader;
  /** How we can know that a book of this depth is right: ASSURANCE_*. */
  assurance(depth: number): number;
  /**
   * What an unreadable frame does to the books of its connection: `suspect` when the exchange's own rule proves with the
   * next event whether something was lost, `resync` when nothing would show it.
   */
  unreadable(depth: number): "suspect" | "resync";
  /** The exchange's spelling of a canonical name, in its frames. */
  nativeName(canonical: string): string;
  /** The canonical name of a native one, as well as it can be told without metadata. */
  canonicalName(native: string): string;
  /** The request for the list of instruments. */
  metadataRequest(): RestRequest;
  /** @throws DecodeError when the body is not what the documentation promises */
  readMetadata(body: string): Metadata;
  /** Messages that subscribe, within the limits of one message. */
  subscribe(request: SubscriptionRequest): ClientMessage[];
  /** Messages that unsubscribe. */
  unsubscribe(request: SubscriptionRequest): ClientMessage[];
  /**
   * Reads a frame that the kernel called control: acknowledgement, error, status.
   * @returns empty when it means nothing for us
   */
  readControl(text: string): ControlEvent[];
  /** The request for a REST snapshot; undefined when snapshots come in band. */
  snapshotRequest(native: string, levels: number): RestRequest | undefined;
  /** The request for a book to compare ours with. @param levels per side, 0 = all */
  auditRequest(native: string, levels: number): RestRequest;
  /** The instrument that a snapshot request named. @param url absolute or relative @returns undefined when it is no such request */
  snapshotNative(url: string): string | undefined;
  /** The sequence of a snapshot body, without parsing the levels. @returns undefined when it has none */
  snapshotSequence(body: Uint8Array): bigint | undefined;
}
