/** What a stream client tells, and what it can be asked: types only. Prices and quantities are exact decimal strings. */
import type {
  BboMessage,
  InstrumentListing,
  JsonLevel,
  OpportunitiesMessage,
  OpportunityMessage,
  ResetMessage,
  ResyncReason,
  StatsMessage,
  SyncStatus,
  TradeMessage,
} from "../wire/protocol.ts";
import type { SocketState } from "./socket.ts";

export type {
  BboMessage,
  Channel,
  ClosedOpportunity,
  InstrumentListing,
  JsonLevel,
  Opportunity,
  OpportunityLeg,
  Policy,
  ResyncReason,
  StatsMessage,
  SyncStatus,
  TradeMessage,
} from "../wire/protocol.ts";

/** How well an instrument can be trusted; while the connection is down the state is `connecting`, the reason `disconnected`. */
export type InstrumentStatus = SyncStatus & { instrument: string };

/** The connection changed. */
export type ConnectionEvent = {
  type: "connection";
  state: SocketState;
  /** Tries since it was last open. */
  attempt: number;
  /** Why it is not open, as far as anybody knows. */
  reason: string;
};
/** A book changed, one or more whole events were applied and the checks that came with them held; or a check came alone. */
export type BookEvent = {
  type: "book";
  instrument: string;
  /** Levels a side of the view; 0 = all. */
  depth: number;
  /** Least milliseconds between its updates; 0 = every change. */
  rateMs: number;
  version: string;
  /** Records applied since the event before; 0 after a snapshot and when nothing but a check came. */
  records: number;
  /** It was replaced by a snapshot. */
  isSnapshot: boolean;
};
/** A trade. */
export type TradeEvent = TradeMessage;
/** The best bid or offer changed. */
export type BboEvent = BboMessage;
/** State, assurance or exponents of an instrument changed, or were told for the first time. */
export type StatusEvent = { type: "status" } & InstrumentStatus;
/** All instruments of the server, after `listInstruments`. */
export type InstrumentsEvent = { type: "instruments"; instruments: InstrumentListing[] };
/** Rates and totals, once a second. */
export type StatsEvent = StatsMessage;
/** An opportunity of arbitrage opened, changed or closed; after `subscribe({ channels: ["arbitrage"], instruments: [] })`. */
export type OpportunityEvent = OpportunityMessage;
/** All that is open; replaces what is held. First after subscribing, and after a time in which nothing was read. */
export type OpportunitiesEvent = OpportunitiesMessage;
/** The server says that a snapshot follows instead of changes, or that trades were lost. */
export type ResetEvent = ResetMessage;
/**
 * A check failed here; the book is asked for again: `chain` an event is missing or came twice, `hash` the proof does not
 * hold, `inconsistent` a change contradicts the book, `malformed` bytes that cannot be read, `exponents` the units are
 * not those announced.
 */
export type ResyncEvent = { type: "resync"; instrument: string; depth: number; rateMs: number; reason: ResyncReason };
/** The server refused a message. */
export type RefusalEvent = { type: "error"; code: string; message: string };

/** Whatever a client tells. */
export type ClientEvent =
  | ConnectionEvent
  | BookEvent
  | TradeEvent
  | BboEvent
  | StatusEvent
  | InstrumentsEvent
  | StatsEvent
  | OpportunityEvent
  | OpportunitiesEvent
  | ResetEvent
  | ResyncEvent
  | RefusalEvent;

/** A book as it is held now. */
export type ClientBook = SyncStatus & {
  instrument: string;
  /** The server says synced, the last event says so too, and every check held: only then the levels are right. */
  isSynced: boolean;
  isCrossed: boolean;
  version: string;
  /** The version at which the server's hash last held here: of the last snapshot or check, at most 64 frames or a second ago. */
  provedVersion: string;
  /** Book hash, u32. */
  hash: number;
  /** Levels of the whole book. */
  bidLevels: number;
  askLevels: number;
  /** Best first. */
  bids: JsonLevel[];
  /** Best first. */
  asks: JsonLevel[];
  /** Exchange clock at the last event, Unix ns; "0" = unknown. */
  eventAtNs: string;
  /** Server's clock when it received the last event, Unix ns; "0" = unknown. */
  receivedAtNs: string;
};

/** Sums since the client was made. */
export type ClientCounts = {
  /** Payload bytes received. */
  bytesIn: number;
  messagesIn: number;
  bytesOut: number;
  /** Delta and snapshot frames (or messages) applied. */
  framesApplied: number;
  /** Frames and messages that could not be read: a book that they name is asked for again, without one the connection is given up. */
  malformed: number;
  /** Books asked for again after a failed check. */
  resyncs: number;
  /** Books that went on after a reconnect from where they stood. */
  resumes: number;
  /** Resets that the server told. */
  resets: number;
  /** Times that the connection was lost or could not be opened. */
  reconnects: number;
  /** Trades missing between two that arrived, by their versions. */
  tradesMissed: number;
  /** Events that a slow `for await` did not get. */
  droppedEvents: number;
};
