/**
 * The faults that can be injected: their stable names, what they act on, on which exchanges they exist, and which options
 * they take with which defaults. Which of them a client can detect, and how, is decided where clients are made, not here.
 * Bad case: an option that a kind does not take; the script is refused, because it would silently do nothing.
 */
import type { ExchangeId } from "../model/exchange_id.ts";

/**
 * What a fault acts on. `frame`: single frames · `stream`: all frames from one on · `connection`: one connection ·
 * `subscription`: what follows an acknowledgement · `policy`: a rule that holds for a while · `rest`: a REST request ·
 * `connect`: an attempt to connect · `market`: the exchange itself, for all its clients.
 */
export type FaultScope = "frame" | "stream" | "connection" | "subscription" | "policy" | "rest" | "connect" | "market";

/** Options by their name in a script; `undefined` where the default is none or stands with the option below. */
export type FaultOptions = {
  /** How long it lasts; none: for ever. */
  readonly for_ms?: number | undefined;
  /** How many frames it lasts; none: for ever. */
  readonly for_frames?: number | undefined;
  /** How long something is held back. */
  readonly ms?: number | undefined;
  /** WebSocket close code. */
  readonly code?: number | undefined;
  /** HTTP status. */
  readonly status?: number | undefined;
  /** `Retry-After` in seconds; every request until then is answered alike. */
  readonly retry_after_s?: number | undefined;
  /** Age of a connection or of a book. */
  readonly age_ms?: number | undefined;
  /** Between the announcement and the close. */
  readonly close_after_ms?: number | undefined;
  /** Which level is missing: `any`, `top` (one of the best ten) or `deep` (below them). */
  readonly where?: "any" | "top" | "deep" | undefined;
  /** A field of book frames, e.g. `changes`; none: the one that holds the levels. */
  readonly field?: string | undefined;
  /** What it is called instead. */
  readonly to?: string | undefined;
  /** Limit of connection attempts; none: as documented. */
  readonly attempts?: number | undefined;
  /** Within this time; none: as documented. */
  readonly per_ms?: number | undefined;
  /** Attempts are refused for so long once the limit was passed; none: as documented. */
  readonly ban_ms?: number | undefined;
  /** Subscribe requests taken at once; 0: none is taken. */
  readonly burst?: number | undefined;
  /** Subscribe requests taken per second after that. */
  readonly requests_per_second?: number | undefined;
  /** What Kraken's status says: `maintenance`, `cancel_only`, `post_only` or `limit_only`. */
  readonly system?: "maintenance" | "cancel_only" | "post_only" | "limit_only" | undefined;
  /** Digits that prices get in addition. */
  readonly price_digits?: number | undefined;
  /** Digits that quantities get in addition. */
  readonly quantity_digits?: number | undefined;
  /** Whether the connection is cut in the midst of the body, instead of a whole answer with half a text. */
  readonly abrupt?: boolean | undefined;
};

/** What there is to know of a kind. */
export type FaultKindSpec = {
  readonly scope: FaultScope;
  /** One sentence, for people who write scripts. */
  readonly says: string;
  /** The options that it takes, with their defaults. */
  readonly options: FaultOptions;
  /** Where it exists; everywhere when absent. */
  readonly exchanges?: readonly ExchangeId[];
  /** Whether it needs a synthetic market. */
  readonly needsMarket?: boolean;
};

const KRAKEN: readonly ExchangeId[] = ["kraken"];
const BINANCE: readonly ExchangeId[] = ["binance"];
const SNAPSHOTS_IN_BAND: readonly ExchangeId[] = ["coinbase_exchange", "kraken"];
const LASTING = { for_ms: undefined, for_frames: undefined };
const DAY_MS = 24 * 60 * 60 * 1000;

const SPECS = {
  drop: frame("A frame is not sent."),
  duplicate: frame("A frame is sent twice."),
  reorder: frame("A frame is sent after the next one of its instrument."),
  delay: frame("A frame, and all that follow it on its stream, are held back.", { ms: 1_000 }),
  truncate: frame("A frame ends too early."),
  corrupt_bit: frame("One bit of a frame is flipped; it stays ASCII."),
  corrupt_byte: frame("One byte of a frame is another; it need not be UTF-8 any more."),
  corrupt_digit: frame("One digit of a price or quantity is another; the frame stays readable."),
  wrong_checksum: { ...frame("The checksum of a frame is wrong."), exchanges: KRAKEN },
  level_missing: frame("One level is missing in a frame that is valid otherwise.", { where: "any" }),
  snapshot_midstream: {
    ...connection("A snapshot that nobody asked for, true at its place in the stream."),
    exchanges: SNAPSHOTS_IN_BAND,
    needsMarket: true,
  },
  drift_unknown: frame("After a frame comes another of a kind that does not exist."),
  silence: stream("Only heartbeats, replies and status come any more."),
  checksum_zero: { ...stream("The checksum is 0."), exchanges: KRAKEN },
  drift_zeros: stream("Decimals lose their trailing zeros."),
  drift_renamed: stream("A field of book frames has another name.", { field: undefined, to: undefined }),
  drift_reordered: stream("The fields of every object come in reverse order."),
  drift_retyped: stream("Book frames call themselves another kind."),
  drift_extra: stream("Every object has fields that do not exist, first and last."),
  half_open: connection("The connection stays open, deaf and mute; after `for_ms` it is cut.", { for_ms: undefined }),
  close: connection("The connection is closed in good order.", { code: 1000 }),
  cut: connection("The connection is cut without a word."),
  server_shutdown: {
    ...connection("`serverShutdown` is sent, then the connection is closed.", { close_after_ms: 5_000 }),
    exchanges: BINANCE,
  },
  age_close: policy("Connections are closed when they reach an age.", { age_ms: DAY_MS, for_ms: undefined }),
  subscribe_dropped: policy("Subscribe requests over a rate are dropped; Kraken says so.", {
    requests_per_second: 1,
    burst: 1,
    for_ms: undefined,
  }),
  silent_subscription: {
    scope: "subscription",
    says: "A book is acknowledged and never comes, until it is subscribed again.",
    options: {},
  },
  connection_limit: policy("Connection attempts over the documented limit are refused with 429.", {
    attempts: undefined,
    per_ms: undefined,
    ban_ms: undefined,
    for_ms: undefined,
  }),
  connect_refused: connect("An attempt to connect is refused.", { status: 503 }),
  connect_silent: connect("An attempt to connect gets no answer.", {}),
  rest_slow: rest("The answer is held back; it is the one of the time of the request.", { ms: 2_000 }),
  rest_stale: { ...rest("The book of some time ago is answered.", { age_ms: 5_000 }), needsMarket: true },
  rest_error: rest("An error is answered.", { status: 503 }),
  rest_timeout: rest("Nothing is answered."),
  rest_truncated: rest("Half a body is answered.", { abrupt: false }),
  rest_429: rest("429 with `Retry-After`, to every request until then.", { retry_after_s: 5 }),
  rest_418: rest("418 with `Retry-After`, to every request until then.", { retry_after_s: 120 }),
  sequence_reset: market("The exchange restarts and numbers an instrument anew, from low numbers."),
  auction: market("An auction: the book is truly crossed, and says so in REST.", { for_ms: 3_000 }),
  drift_decimals: market("Ticks and lots get finer: more decimals than the metadata said.", {
    price_digits: 1,
    quantity_digits: 1,
  }),
  maintenance: {
    ...market(
      "Maintenance is announced, then everything is closed and refused for a time; other systems only say so.",
      {
        system: "maintenance",
        close_after_ms: 1_000,
        for_ms: 5_000,
      },
    ),
    exchanges: KRAKEN,
    needsMarket: false,
  },
} as const satisfies Record<string, FaultKindSpec>;

/** The stable name of a fault. */
export type FaultKind = keyof typeof SPECS;

/** Every kind, by name. */
export const FAULT_KINDS: Readonly<Record<FaultKind, FaultKindSpec>> = SPECS;

/** Every name, in the order of the list. */
export const FAULT_KIND_NAMES = Object.keys(SPECS) as [FaultKind, ...FaultKind[]];

/** Whether a kind exists on an exchange. */
export function existsOn(kind: FaultKind, exchange: ExchangeId): boolean {
  return FAULT_KINDS[kind].exchanges?.includes(exchange) ?? true;
}

function frame(says: string, options: FaultOptions = {}): FaultKindSpec {
  return { scope: "frame", says, options };
}

function stream(says: string, options: FaultOptions = {}): FaultKindSpec {
  return { scope: "stream", says, options: { ...LASTING, ...options } };
}

function connection(says: string, options: FaultOptions = {}): FaultKindSpec {
  return { scope: "connection", says, options };
}

function policy(says: string, options: FaultOptions): FaultKindSpec {
  return { scope: "policy", says, options };
}

function rest(says: string, options: FaultOptions = {}): FaultKindSpec {
  return { scope: "rest", says, options };
}

function connect(says: string, options: FaultOptions): FaultKindSpec {
  return { scope: "connect", says, options };
}

function market(says: string, options: FaultOptions = {}): FaultKindSpec {
  return { scope: "market", says, options, needsMarket: true };
}
