/**
 * Types of the REST API, generated from the OpenAPI document: do not edit.
 * Bad case: a document that changed since; the test that compares them names the command that renews this file.
 */

/** SyncState. */
export type SyncState = "connecting" | "waiting" | "synced" | "resyncing" | "out_of_service" | "retired" | "unknown";

/** How the exchange lets us know that the book is right. */
export type Assurance = "none" | "sequence" | "checksum" | "inferred" | "unknown";

/** Why it is not synced. */
export type SyncReason =
  | "none"
  | "connecting"
  | "waiting_snapshot"
  | "gap"
  | "checksum"
  | "crossed"
  | "trade_gap"
  | "heartbeat_ahead"
  | "unreadable_frame"
  | "disconnected"
  | "overflow"
  | "rescaled"
  | "limit"
  | "silent"
  | "maintenance"
  | "refused"
  | "audit"
  | "stopped"
  | "drift"
  | "removed"
  | "unknown";

/** Whether the exchange trades it; separate from the state. */
export type TradingStatus = "unknown" | "open" | "halted" | "auction" | "limited";

/** Connection. */
export type Connection =
  | "initialising"
  | "connecting"
  | "connected"
  | "disconnected"
  | "stale"
  | "superseded"
  | "closed";

/** Endpoint. */
export type Endpoint = {
  kind: "websocket" | "rest" | "unknown";
  /** Without name, password and query. */
  address: string;
  /** closed: may be tried · open: is left alone · half_open: its rest is over, one attempt decides. */
  state: "closed" | "half_open" | "open" | "unknown";
  /** Unix nanoseconds of the last change of state, decimal. */
  since_ns: string;
  /** Unix nanoseconds until which it is left alone, decimal; 0 = it is not open. */
  open_until_ns: string;
  attempts: number;
  /** Connections refused, statuses that refuse, timeouts, connections closed at once. */
  failures: number;
  /** Times that its breaker opened. */
  openings: number;
  last_failure: "none" | "unreachable" | "status" | "timeout" | "closed_at_once" | "unknown";
  /** HTTP status of the last failure; 0 = it had none. */
  last_status: number;
};

/** Microseconds, within 1.6 %. */
export type Quantiles = {
  /** Values. */
  count: number;
  p50: number;
  p95: number;
  p99: number;
  p999: number;
  max: number;
};

/** A crossing of books that leaves something after fees. */
export type Opportunity = {
  /** Unique since the server started. */
  id: number;
  /** Between two exchanges, or in a circle through three books of one. */
  kind: "cross" | "triangular";
  /** What is bought and sold again. */
  base: string;
  /** What profit is counted in. */
  currency: string;
  /** Executable of the base, exact. */
  quantity: string;
  /** After all taker fees, in the currency, exact. */
  profit: string;
  /** Profit ÷ what is paid first without its fee, cut off after four digits. */
  profit_bps: string;
  /** The largest during its life. */
  profit_bps_max: string;
  /** The walk ended at the levels that were looked at; more may be executable. */
  cut: boolean;
  /** Unix ms. */
  opened_at_ms: number;
  /** Unix ms. */
  changed_at_ms: number;
  /** In the order in which they are made. */
  legs: {
    action: "buy" | "sell";
    /** exchange:BASE-QUOTE. */
    instrument: string;
    /** Of the book that this was computed from. */
    version: string;
    /** Of that book. */
    hash: number;
    /** When that book's last event was received, Unix ms. */
    received_at_ms: number;
    /** Taker fee that was reckoned with, basis points of the amount. */
    fee_bps: string;
    /** Of the instrument's base, exact. */
    quantity: string;
    /** Sum of price × quantity before the fee, in the instrument's quote, exact. */
    amount: string;
    /** Amount ÷ quantity, cut off after four digits more than the prices have. */
    average_price: string;
    /** The last level that is used. */
    worst_price: string;
  }[];
};

/** Opportunities. */
export type Opportunities = {
  /** Unix ms. */
  at_ms: number;
  /** Open at this moment, best first. */
  opportunities: Opportunity[];
  /** The last ones that closed, latest first; whatever was asked for. */
  recent: {
    reason: "none" | "prices" | "stale" | "not_synced" | "removed";
    /** When it closed, Unix ms. */
    at_ms: number;
    opportunity: Opportunity;
  }[];
  /** Since the server started; open: how many are open at this moment. */
  counts: Record<string, number>;
};

/** The same events in four forms. */
export type DeltaBytes = {
  /** Received from the exchange: whole JSON frames of book and trades. */
  exchange: number | null;
  /** If every update had sent the whole book again, 16 bytes a level. */
  whole_book: number | null;
  /** In shared memory: 256 bytes a delta record, 128 bytes a trade. */
  records: number | null;
  /** In the binary stream, WebSocket headers included, for one client of book and trades. */
  wire: number | null;
};

/** Quotients of the bytes; null while one of them is 0 or not known. */
export type DeltaRatios = {
  exchange_to_wire: number | null;
  exchange_to_records: number | null;
  whole_book_to_wire: number | null;
  whole_book_to_records: number | null;
};

/** DeltaStats. */
export type DeltaStats = {
  /** exchange:BASE-QUOTE. */
  instrument: string;
  exchange: string;
  /** BASE-QUOTE. */
  symbol: string;
  /** The exchange's own spelling; empty while nothing produces it. */
  native_symbol: string;
  /** From when these figures count; 0 = nothing is counted. */
  since_ns: string;
  /** Book messages of the exchange. */
  total_deltas_processed: number | null;
  /** Levels that changed. */
  total_changes: number | null;
  /** Delta records. */
  total_records: number | null;
  /** total_changes ÷ total_deltas_processed. */
  avg_changes_per_update: number | null;
  bytes: DeltaBytes;
  ratios: DeltaRatios;
  /** The same as ratios.exchange_to_wire. */
  compression_ratio: number | null;
  /** bytes.exchange − bytes.wire; may be below 0. */
  bandwidth_saved_bytes: number | null;
  /** Exchange's clock → published, of the last update, the clock offset taken off; may be below 0 when clocks disagree. */
  last_update_latency_us: number | null;
};

/** DeltaSummary. */
export type DeltaSummary = {
  /** How many are counted here. */
  instruments: number;
  /** From when these figures count; 0 = nothing is counted. */
  since_ns: string;
  /** Book messages of the exchange. */
  total_deltas_processed: number | null;
  /** Levels that changed. */
  total_changes: number | null;
  /** Delta records. */
  total_records: number | null;
  /** total_changes ÷ total_deltas_processed. */
  avg_changes_per_update: number | null;
  bytes: DeltaBytes;
  ratios: DeltaRatios;
  /** The same as ratios.exchange_to_wire. */
  compression_ratio: number | null;
  /** bytes.exchange − bytes.wire; may be below 0. */
  bandwidth_saved_bytes: number | null;
  by_exchange: {
    exchange: string;
    instruments: number;
    /** Book messages of the exchange. */
    total_deltas_processed: number | null;
    /** Levels that changed. */
    total_changes: number | null;
    /** Delta records. */
    total_records: number | null;
    /** total_changes ÷ total_deltas_processed. */
    avg_changes_per_update: number | null;
    bytes: DeltaBytes;
    ratios: DeltaRatios;
    /** The same as ratios.exchange_to_wire. */
    compression_ratio: number | null;
    /** bytes.exchange − bytes.wire; may be below 0. */
    bandwidth_saved_bytes: number | null;
  }[];
};

/** Feed. */
export type Feed = {
  exchange: string;
  /** BASE-QUOTE. */
  symbol: string;
};

/** Feeds. */
export type Feeds = {
  feeds: Feed[];
};

/** FeedRequest. */
export type FeedRequest = {
  /** An exchange id or alias. */
  exchange: string;
  /** BASE-QUOTE, any case. */
  symbol: string;
};

/** FeedChange. */
export type FeedChange = {
  exchange: string;
  symbol: string;
  /** already_there, not_there: nothing was to be done. */
  outcome: "added" | "already_there" | "removed" | "not_there";
};

/** In records; unread, lost: by this gateway. */
export type Ring = {
  capacity: number;
  published: number;
  unread: number;
  lost: number;
};

/** Health. */
export type Health = {
  /** ok: all is live and synced · degraded: something is not · down: nothing is. */
  status: "ok" | "degraded" | "down";
  /** Unix ms. */
  at_ms: number;
  /** What is not well, for people. */
  reasons: string[];
  roles: (
    | {
        role: "gateway";
        server: string;
        kernel: string;
        transport: string;
        uptime_ms: number;
        /** null where nothing is measured. */
        process: {
          pid: number;
          cpu_user_seconds: number;
          cpu_system_seconds: number;
          /** Of one core, over the last second or so; null before that. */
          cpu_share: number | null;
          resident_bytes: number;
          heap_used_bytes: number;
          heap_total_bytes: number;
        } | null;
        /** Lateness of a timer of this thread since it started. */
        event_loop_delay_us: Quantiles | null;
      }
    | {
        role: "collector";
        exchange: string;
        shard: number;
        pid: number;
        connection: Connection;
        heartbeat_age_ms: number;
        /** Since its segment began. */
        uptime_ms: number;
        /** In the order in which they are tried, REST last; none if it tells none. */
        endpoints: Endpoint[];
        heap_used_bytes: number | null;
        event_loop_delay_us: Quantiles | null;
        gc_pause_us: Quantiles | null;
      }
  )[];
  segments: {
    exchange: string;
    shard: number;
    epoch: string;
    /** Version of the segment's layout. */
    layout: number;
    bytes: number;
    instruments: number;
    deltas: Ring;
    trades: Ring;
    unknown_ids: number;
    joins: number;
    join_failures: number;
  }[];
  instruments: {
    /** exchange:BASE-QUOTE. */
    instrument: string;
    exchange: string;
    /** BASE-QUOTE. */
    symbol: string;
    /** The exchange's own spelling; empty while nothing produces it. */
    native_symbol: string;
    state: SyncState;
    assurance: Assurance;
    reason: SyncReason;
    /** Unix nanoseconds of the last change of state, decimal; 0 = never. */
    since_ns: string;
    trading: TradingStatus;
    synced: boolean;
    version: string;
    /** null before the first. */
    last_event_age_ms: number | null;
    bid_levels: number;
    ask_levels: number;
    /** Since its producer began; null where nothing is counted. */
    gaps: number | null;
    /** Time not synced since its producer began, up to the last change of state. */
    not_synced_ms: number | null;
    replica_failures: number;
    client_failures: number;
  }[];
  clients: {
    connected: number;
    /** Those that do not read as fast as they are sent. */
    slow: number;
    bytes_out: number;
    frames_out: number;
    slow_times: number;
    conflated_updates: number;
    resumes: number;
    resets: number;
    dropped: number;
    protocol_errors: number;
    /** Requests and connections that were refused, by reason. */
    refusals: Record<string, number>;
  };
};

/** Since the segments began. */
export type ExchangeTotals = {
  frames: number;
  bytes_in: number;
  records: number;
  book_updates: number;
  trades: number;
  checksum_ok: number;
  checksum_bad: number;
  gaps: number;
  resyncs: number;
  reconnects: number;
  decode_errors: number;
  /** Records that this gateway lost by being too slow. */
  lost: number;
  replica_failures: number;
  client_failures: number;
};

/** Exchange. */
export type Exchange = {
  exchange: string;
  title: string;
  connection: Connection;
  /** Canonical symbols. */
  instruments: string[];
  synced: number;
  /** What the exchange offers to show that a book is right. */
  features: {
    /** Every lost message shows by its number. */
    sequence: boolean;
    /** Messages carry a checksum of the book, which is verified. */
    checksum: boolean;
    /** Losses are found by trade ids, heartbeats, crossing and audits. */
    inferred: boolean;
    /** Books can be compared with the exchange's REST; by what a REST book shows its age. */
    audit: "sequence" | "time" | "content" | null;
    /** Where a book's first state comes from. */
    snapshot: "in_band" | "rest" | null;
    /** Levels a side that can be subscribed, 0 = all. */
    depths: number[];
  };
  shards: {
    /** 0 when there is one only. */
    shard: number;
    /** Of the segment: another one after every start of the collector. */
    epoch: string;
    /** Process of the collector. */
    pid: number;
    connection: Connection;
    /** Since the collector's last sign of life. */
    heartbeat_age_ms: number;
    instruments: number;
    synced: number;
    /** In the order in which they are tried, REST last. */
    endpoints: Endpoint[];
  }[];
  /** Over the last second or so. */
  rates: {
    frames_per_second: number;
    bytes_in_per_second: number;
    records_per_second: number;
  };
  totals: ExchangeTotals;
  /** Since the segments began; null = nothing was measured. */
  latency_us: {
    /** By the exchange's clock, its offset taken off. */
    exchange_to_received: Quantiles | null;
    received_to_published: Quantiles | null;
    /** A frame: decoded, applied, settled. */
    decode: Quantiles | null;
    /** Our clock minus the exchange's as far as it is proved, microseconds. */
    clock_offset: number | null;
  };
};

/** Exchanges. */
export type Exchanges = {
  exchanges: Exchange[];
};

/** Instrument. */
export type Instrument = {
  /** exchange:BASE-QUOTE. */
  instrument: string;
  exchange: string;
  /** BASE-QUOTE. */
  symbol: string;
  /** The exchange's own spelling; empty while nothing produces it. */
  native_symbol: string;
  state: SyncState;
  assurance: Assurance;
  reason: SyncReason;
  /** Unix nanoseconds of the last change of state, decimal; 0 = never. */
  since_ns: string;
  trading: TradingStatus;
  /** Digits after the point; -1 = not yet known. */
  price_exponent: number;
  /** Digits after the point; -1 = not yet known. */
  quantity_exponent: number;
  /** By the producer's word, and the gateway's book equals the producer's. */
  synced: boolean;
  /** Levels a side that the exchange sends, 0 = all. */
  depth: number;
  /** Of the book. */
  version: string;
};

/** Instruments. */
export type Instruments = {
  instruments: Instrument[];
};

/** A synced book; another one is never sent. */
export type OrderBook = {
  /** exchange:BASE-QUOTE. */
  instrument: string;
  exchange: string;
  /** BASE-QUOTE. */
  symbol: string;
  /** The exchange's own spelling; empty while nothing produces it. */
  native_symbol: string;
  state: "synced";
  assurance: Assurance;
  reason: SyncReason;
  /** Unix nanoseconds of the last change of state, decimal; 0 = never. */
  since_ns: string;
  trading: TradingStatus;
  /** Digits after the point; -1 = not yet known. */
  price_exponent: number;
  /** Digits after the point; -1 = not yet known. */
  quantity_exponent: number;
  /** Bids reach asks: an auction or a halt. */
  crossed: boolean;
  version: string;
  /** Of all levels, as PROTOCOL.md defines it. */
  hash: number;
  /** The last event, by the exchange's clock; 0 = unknown. */
  event_at_ns: string;
  /** The same by our clock, at the socket. */
  received_at_ns: string;
  /** Of the whole book. */
  bid_levels: number;
  ask_levels: number;
  /** Price and quantity, exact decimals, best first. */
  bids: [string, string][];
  /** Price and quantity, exact decimals, best first. */
  asks: [string, string][];
};

/** Trade. */
export type Trade = {
  /** The exchange's own. */
  id: string;
  price: string;
  quantity: string;
  /** The taker's side. */
  aggressor: "unknown" | "buy" | "sell";
  /** It happened before the subscription. */
  history: boolean;
  /** Trades before it may be missing. */
  gap_before: boolean;
  /** Counts the trades of the instrument. */
  version: string;
  /** Of the book when it was received. */
  book_version: string;
  /** Unix nanoseconds, decimal; 0 = unknown. */
  event_at_ns: string;
  /** Unix nanoseconds, decimal; 0 = unknown. */
  received_at_ns: string;
};

/** Trades. */
export type Trades = {
  /** exchange:BASE-QUOTE. */
  instrument: string;
  exchange: string;
  /** BASE-QUOTE. */
  symbol: string;
  /** The exchange's own spelling; empty while nothing produces it. */
  native_symbol: string;
  state: SyncState;
  assurance: Assurance;
  reason: SyncReason;
  /** Unix nanoseconds of the last change of state, decimal; 0 = never. */
  since_ns: string;
  trading: TradingStatus;
  /** Trades that this gateway has seen since it started. */
  total: number;
  /** Latest first; those that are remembered. */
  trades: Trade[];
};

/** Problem details (RFC 9457). */
export type Problem = {
  /** A URI reference that stands for the code. */
  type: string;
  /** The same for every problem of this code. */
  title: string;
  /** The HTTP status. */
  status: number;
  /** What happened here, for people. */
  detail: string;
  /** The path that was asked. */
  instance?: string;
  /** What programs decide by; state, reason and since_ns come with not_synced. */
  code:
    | "invalid_request"
    | "key_needed"
    | "not_allowed"
    | "not_found"
    | "unknown_exchange"
    | "unknown_instrument"
    | "method_not_allowed"
    | "ambiguous_symbol"
    | "no_room"
    | "too_long"
    | "unsupported_type"
    | "too_many_requests"
    | "failed"
    | "feeds_elsewhere"
    | "arbitrage_off"
    | "not_synced"
    | "unavailable"
    | "too_many_books";
  state?: SyncState;
  reason?: SyncReason;
  /** Unix nanoseconds of the last change of state, decimal; 0 = never. */
  since_ns?: string;
  /** What may have been meant, nearest first. */
  nearest?: string[];
};

/** What each operation takes and answers. */
export type ApiOperations = {
  /** Exchanges with their state, instruments, features, rates and latency. */
  listExchanges: { parameters: Record<never, never>; body: undefined; answer: Exchanges };
  /** All instruments that are served. */
  listInstruments: { parameters: Record<never, never>; body: undefined; answer: Instruments };
  /** The order book of an instrument. */
  getOrderBook: {
    parameters: { exchange: string; symbol: string; depth?: number | "full" };
    body: undefined;
    answer: OrderBook;
  };
  /** The latest trades of an instrument. */
  getTrades: { parameters: { exchange: string; symbol: string; limit?: number }; body: undefined; answer: Trades };
  /** What deltas cost and save, all instruments together. */
  getDeltaSummary: { parameters: Record<never, never>; body: undefined; answer: DeltaSummary };
  /** What deltas cost and save for an instrument. */
  getDeltaStats: { parameters: { exchange: string; symbol: string }; body: undefined; answer: DeltaStats };
  /** Crossings between books that leave something after fees. */
  listOpportunities: {
    parameters: { min_profit_bps?: number; max_age_ms?: number };
    body: undefined;
    answer: Opportunities;
  };
  /** What runs, how it stands and what it uses. */
  getHealth: { parameters: Record<never, never>; body: undefined; answer: Health };
  /** Instruments that are collected. */
  listFeeds: { parameters: Record<never, never>; body: undefined; answer: Feeds };
  /** Collects one more instrument; no other is disturbed. */
  addFeed: { parameters: Record<never, never>; body: FeedRequest; answer: FeedChange };
  /** Collects an instrument no more; no other is disturbed. */
  removeFeed: { parameters: { exchange: string; symbol: string }; body: undefined; answer: FeedChange };
};
