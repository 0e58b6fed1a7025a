/**
 * The words of the stream's protocol: subprotocols, paths, channels, error codes, close codes and the types of every
 * message a server sends. Types and constants only, so that clients in browsers carry no schema library; what a client
 * may send is judged by messages.ts. The grammar of the binary frames is in PROTOCOL.md.
 * Bad case: a field added here and not there; PROTOCOL.md is what other people's clients are written from.
 */
import type { AssuranceWord, ReasonWord, StateWord, TradingWord } from "../model/states.ts";
import type { OpportunitiesMessage, OpportunityMessage } from "./opportunity.ts";
import type { StatsMessage } from "./statistics.ts";

export type {
  ClosedOpportunity,
  ClosingReason,
  OpportunitiesMessage,
  Opportunity,
  OpportunityLeg,
  OpportunityMessage,
} from "./opportunity.ts";

export type {
  ClientStateWord,
  ClientStats,
  ConnectionWord,
  ExchangeStats,
  InstrumentStats,
  StatsMessage,
} from "./statistics.ts";

/** Version of this protocol: major as in the subprotocols; minor grows with what older clients may ignore. */
export const PROTOCOL_VERSION = "1.1.0";
/** Market messages are binary frames, control messages JSON text. */
export const SUBPROTOCOL_BINARY = "alphapulse.v1.bin";
/** Everything is JSON text; also what a client gets that asks for no subprotocol. */
export const SUBPROTOCOL_JSON = "alphapulse.v1.json";
/** Where the stream is served. */
export const STREAM_PATHS = ["/ws", "/api/v1/stream/deltas"] as const;

/** Channels that belong to the server. */
export const SERVER_CHANNELS = ["stats", "arbitrage"] as const;
/** What can be subscribed: what belongs to an instrument, and what belongs to the server. */
export const CHANNELS = ["book", "trades", "bbo", "status", "stats", "arbitrage"] as const;
/** A channel. */
export type Channel = (typeof CHANNELS)[number];
/** A channel of the server. */
export type ServerChannel = (typeof SERVER_CHANNELS)[number];
/** A channel of an instrument. */
export type MarketChannel = Exclude<Channel, ServerChannel>;

/** A channel belongs to the server. Spelt out, so that bundles carry no list. */
export function isServerChannel(channel: unknown): channel is ServerChannel {
  return channel === "stats" || channel === "arbitrage";
}

/** What becomes of a client that reads too slowly. */
export const POLICIES = {
  /** What it missed comes as one update when it reads again: last quantity per price, last best prices. */
  conflate: "conflate",
  /** Nothing is merged; a bounded number of bytes waits for it, then the channel is reset. */
  lossless: "lossless",
  /** The connection is closed with `slowClient`. */
  disconnect: "disconnect",
} as const;
/** A policy. */
export type Policy = (typeof POLICIES)[keyof typeof POLICIES];
/** The policies that a channel takes; the first one is its default. */
export const CHANNEL_POLICIES: Readonly<Record<MarketChannel, readonly [Policy, ...Policy[]]>> = {
  book: ["conflate", "lossless", "disconnect"],
  trades: ["lossless", "disconnect"],
  bbo: ["conflate", "disconnect"],
  status: ["conflate", "disconnect"],
};

/** Why a client message was refused. Those in `COUNTED_ERRORS` count towards the limit that closes the connection. */
export const ERROR_CODES = {
  /** The text is not JSON. */
  badJson: "bad_json",
  /** JSON, but no message of this protocol; the error message names the field. */
  badMessage: "bad_message",
  /** Clients send text only. */
  binaryMessage: "binary_message",
  /** More messages than the server reads from one client; the message was not acted on. */
  tooManyMessages: "too_many_messages",
  /** No instrument matches; the nearest names are in the message. A subscription begins should it appear. */
  unknownInstrument: "unknown_instrument",
  /** The server does not serve books of that depth or rate; the sets that it has are in the message. */
  unsupportedView: "unsupported_view",
  /** The server does not have that channel: it is switched off. */
  unsupportedChannel: "unsupported_channel",
  /** Unsubscribed from what was not subscribed. */
  notSubscribed: "not_subscribed",
  /** The client would have more subscriptions than the server keeps for one; nothing was subscribed. */
  tooManySubscriptions: "too_many_subscriptions",
  /** The server has no memory for another view at this moment; that item was not subscribed. */
  noRoom: "no_room",
  /** The patterns match more instruments than one message may; nothing was subscribed. */
  tooManyMatches: "too_many_matches",
} as const;
/** An error code. */
export type ErrorCode = (typeof ERROR_CODES)[keyof typeof ERROR_CODES];

/** Errors that only a broken or hostile client makes. Spelt out, so that bundles that do not need them leave them out. */
export const COUNTED_ERRORS: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "bad_json",
  "bad_message",
  "binary_message",
  "too_many_messages",
  "too_many_subscriptions",
  "too_many_matches",
]);

/** WebSocket close codes that the server uses. */
export const CLOSE_CODES = {
  /** The server stops. */
  goingAway: 1001,
  /** Too many protocol errors, or control messages that are never read. */
  policyViolation: 1008,
  /** The server has no room at this moment. */
  tryAgainLater: 1013,
  /** The client read too slowly for its policy `disconnect`. */
  slowClient: 4001,
} as const;

/** The reason that comes with `goingAway` while a server sends its clients away. @param delayMs when to come back, ms */
export function comeBackReason(delayMs: number): string {
  return `server stops, come back in ${delayMs} ms`;
}

/** Why a client gets a snapshot instead of the changes. */
export const RESET_REASONS = {
  /** The client read too slowly; its buffer was over the limit. */
  slowClient: "slow_client",
  /** The server's own reader was overtaken by the ring. */
  lapped: "lapped",
  /** The server's own book failed its version chain, hash or consistency check. */
  integrity: "integrity",
  /** The collector started again, or the exponents changed. */
  restarted: "restarted",
  /** The transport dropped a message: a fault of the server. */
  dropped: "dropped",
  /** The instrument was removed while the server runs; it goes on if it is added again. */
  removed: "removed",
} as const;
/** A reason of a reset. */
export type ResetReason = (typeof RESET_REASONS)[keyof typeof RESET_REASONS];

/** What a client found wrong with a book when it asks for it again; counted by the server. */
export const RESYNC_REASONS = ["chain", "hash", "inconsistent", "malformed", "exponents"] as const;
/** A reason of a client's resync. */
export type ResyncReason = (typeof RESYNC_REASONS)[number];

/** A code of a later build than this one's is `unknown`. */
type OrUnknown<Word> = Word | "unknown";

/** How well an instrument's book can be trusted, in every message that says it. */
export type SyncStatus = {
  state: OrUnknown<StateWord>;
  assurance: OrUnknown<AssuranceWord>;
  reason: OrUnknown<ReasonWord>;
  /** Unix ns of the last change of state, decimal; "0" = never. */
  sinceNs: string;
  trading: OrUnknown<TradingWord>;
  /** Digits after the point of a price tick; −1 = not yet known. */
  priceExponent: number;
  /** Digits after the point of a quantity lot; −1 = not yet known. */
  quantityExponent: number;
};

/** First message on every connection. */
export type WelcomeMessage = { type: "welcome"; protocol: string; server: string; epoch: string };

/** One instrument as listed. */
export type InstrumentListing = SyncStatus & {
  /** `exchange:BASE-QUOTE`. */
  instrument: string;
  exchange: string;
  /** `BASE-QUOTE`. */
  symbol: string;
  /** The exchange's spelling. */
  native: string;
  /** Levels per side that the exchange sends; 0 = all. */
  depth: number;
};
/** Answer to `instruments`. */
export type InstrumentsMessage = { type: "instruments"; id: number; instruments: InstrumentListing[] };

/** Which book of an instrument: a view has versions and a hash of its own. Both are 0 for other channels than `book`. */
export type ViewName = {
  /** Levels a side; 0 = all. */
  depth: number;
  /** Least milliseconds between updates; 0 = every change. */
  rateMs: number;
};
/** Where a client's book stands, for going on from there after a reconnect. */
export type ResumePoint = {
  /** Of the snapshot that the book began with. */
  epoch: number;
  /** The version held, decimal. */
  version: string;
};

/** Acknowledges one channel of one instrument; sent before its first market message. */
export type SubscribedMessage =
  | ({
      type: "subscribed";
      id: number;
      channel: MarketChannel;
      instrument: string;
      /** What binary frames of this view are addressed to; belongs to this connection. */
      alias: number;
      policy: Policy;
      /** True: a conflated update from the version that the client named follows instead of a snapshot. */
      resumed: boolean;
    } & ViewName &
      SyncStatus)
  | { type: "subscribed"; id: number; channel: ServerChannel };
/** Acknowledges the end of a subscription. */
export type UnsubscribedMessage =
  | ({ type: "unsubscribed"; id: number; channel: MarketChannel; instrument: string } & ViewName)
  | { type: "unsubscribed"; id: number; channel: ServerChannel };
/** Sent at every change to every subscriber of the instrument. */
export type StatusMessage = { type: "status"; instrument: string } & SyncStatus;
/** What was sent before on this channel does not lead to what follows; for `book` a snapshot follows. */
export type ResetMessage = {
  type: "reset";
  instrument: string;
  channel: MarketChannel;
  reason: ResetReason;
} & ViewName;
/** Answer to `ping`. */
export type PongMessage = { type: "pong"; id: number };
/** A client message was refused. `id` is that of the message, or null when it could not be read. */
export type ErrorMessage = { type: "error"; id: number | null; code: ErrorCode; message: string };

/** Price and quantity, exact decimals. */
export type JsonLevel = [price: string, quantity: string];
/** Side, price and the level's quantity from now on; quantity "0" removes the level. */
export type JsonChange = [side: "bid" | "ask", price: string, quantity: string];

type JsonBookHead = ViewName & {
  instrument: string;
  /** The view's version after this message, decimal. */
  version: string;
  /** Hash of the view's book after this message. */
  hash: number;
  /** False: the book is not known to be right. */
  synced: boolean;
  /** Best bid above best ask. */
  crossed: boolean;
  /** Exchange clock, Unix ns, decimal; "0" = unknown. */
  eventAtNs: string;
  /** Our clock at the socket, Unix ns, decimal; "0" = unknown. */
  receivedAtNs: string;
  /** What the exchange numbered, decimal; "0" = it does not number. */
  sequence: string;
};
/** The whole book; replaces whatever was held. */
export type OrderBookMessage = { type: "orderbook" } & JsonBookHead & {
    /** Versions of one epoch lead on from each other; named when resuming. */
    epoch: number;
    priceExponent: number;
    quantityExponent: number;
    bids: JsonLevel[];
    asks: JsonLevel[];
  };
/** What changed between two versions, one whole event or several conflated; applies when `previousVersion` is the version held. */
export type OrderBookDeltaMessage = { type: "orderbook_delta"; previousVersion: string } & JsonBookHead & {
    changes: readonly JsonChange[];
  };
/** One trade. `history`: a replay of a past print. `gapBefore`: the exchange's trade ids jumped before it. */
export type TradeMessage = {
  type: "trade";
  instrument: string;
  id: string;
  /** The taker's side. */
  aggressor: "buy" | "sell" | "unknown";
  price: string;
  quantity: string;
  history: boolean;
  gapBefore: boolean;
  /** +1 per trade of the instrument; begins again after `restarted`. */
  version: string;
  bookVersion: string;
  eventAtNs: string;
  receivedAtNs: string;
};
/** Best bid and offer after whole events; null = that side is empty. */
export type BboMessage = {
  type: "bbo";
  instrument: string;
  version: string;
  synced: boolean;
  crossed: boolean;
  bid: JsonLevel | null;
  ask: JsonLevel | null;
  eventAtNs: string;
  receivedAtNs: string;
};

/** Messages that are JSON text in both forms. */
export type ControlMessage =
  | WelcomeMessage
  | InstrumentsMessage
  | SubscribedMessage
  | UnsubscribedMessage
  | StatusMessage
  | ResetMessage
  | StatsMessage
  | OpportunityMessage
  | OpportunitiesMessage
  | PongMessage
  | ErrorMessage;
/** Messages that the binary form sends as binary frames. */
export type MarketMessage = OrderBookMessage | OrderBookDeltaMessage | TradeMessage | BboMessage;
/** Whatever a server sends as text. */
export type ServerMessage = ControlMessage | MarketMessage;
