/**
 * What can go wrong between an exchange and us, and how it shows: for every kind of fault and every exchange a class and
 * a word on the evidence. Class A: the exchange's own rule shows it, with a frame or a timer. Class B: only inference or
 * the audit can find it. Harmless: a right client is not disturbed. The README's table is made from this one.
 * Bad case: a kind that is an A in one part of a book and a B in another; its entry is the worst one, its cases say more.
 */
import type { ExchangeId } from "../model/exchange_id.ts";

/** How a fault can be known. */
export type FaultClass = "A" | "B" | "harmless";

/** What is known of one kind on one exchange. */
export type FaultClassEntry = {
  readonly class: FaultClass;
  /** By what it shows, or why it does no harm; for people. */
  readonly shownBy: string;
  /** Where it is otherwise; the first that fits counts. */
  readonly cases?: readonly FaultClassCase[];
};

/** Where an entry is another. */
export type FaultClassCase = {
  /** Only for books deeper than what a checksum covers. */
  readonly isDeeper?: true;
  /** Only for levels of this part of the book. */
  readonly part?: "top" | "deep";
  /** Only for frames of this kind; absent: those that tell levels, updates and first books. */
  readonly frame?: FaultFrame;
  readonly class: FaultClass;
  readonly shownBy: string;
};

/** Kinds of frames that matter for a class. */
export type FaultFrame = "book" | "snapshot" | "trade" | "heartbeat" | "reply";

/** Where a fault strikes. */
export type FaultPlace = {
  /** Levels per side that are subscribed; 0 = full. */
  readonly depth: number;
  /** Which levels it concerns: the best ten, those below them, or it is not known. */
  readonly part?: "any" | "top" | "deep";
  /** Absent: updates of a book. */
  readonly frame?: FaultFrame;
};

/** The checksum covers this many levels per side, whatever the depth. */
const CHECKSUM_LEVELS = 10;

const CHECKSUM = "checksum of this or the next message";
const BELOW_TOP = "below the top ten no checksum: audit, or when the level rises";
const UPDATE_IDS = "update ids of the next event";
const NO_SEQUENCE = "no sequence on updates: crossing, audit";
const NO_CHECKSUM = "no checksum: crossing, audit";
const SOCKET_CLOSE = "the socket's close";
const TRADE_IDS: FaultClassCase = { frame: "trade", class: "A", shownBy: "trade id of the next trade or heartbeat" };
const TRADE_FLAG: FaultClassCase = { frame: "trade", class: "A", shownBy: "trade id: the next trade says GapBefore" };
const NO_TRADE_CHECK: FaultClassCase = { frame: "trade", class: "B", shownBy: "nothing covers the digits of a trade" };
const NO_BOOK: FaultClassCase = { frame: "snapshot", class: "A", shownBy: "no first book: timer" };
const NO_REPLY: FaultClassCase = { frame: "reply", class: "A", shownBy: "no acknowledgement: timer" };
const NEXT_BEAT: FaultClassCase = { frame: "heartbeat", class: "harmless", shownBy: "the next one comes" };
/** What a lost frame is that is not of a book. */
const LOST: readonly FaultClassCase[] = [NO_BOOK, NO_REPLY, NEXT_BEAT];

const UNREADABLE = each(a("unreadable frame: all books of the connection"), {
  kraken: {
    ...a("unreadable frame: the next checksum proves each book or not"),
    cases: [{ isDeeper: true, ...a("unreadable frame: all books of the connection") }],
  },
  binance: a("unreadable frame: the next update ids prove each book or not"),
});
const SOCKET_ENDS = on(a(SOCKET_CLOSE));
const AT_THE_DOOR = on(a("refused or no answer: attempts are paced"));
const CHANGED_LEVEL = each(b(NO_CHECKSUM), { kraken: atDepth(CHECKSUM, [NO_TRADE_CHECK]) });
const SNAPSHOT_MISSING = each(harmless("REST is for audits only"), {
  binance: a("the book waits until a snapshot joins its events"),
});

/** Every kind of fault, on every exchange where it exists. The kinds are those of `alphapulse emulate --faults`. */
export const FAULT_CLASSES: Readonly<Record<string, Readonly<Record<string, FaultClassEntry>>>> = {
  drop: each(b(NO_SEQUENCE, [TRADE_IDS, ...LOST]), {
    kraken: atDepth("checksum of the next message", [TRADE_FLAG, ...LOST]),
    binance: a(UPDATE_IDS, [TRADE_FLAG, NO_REPLY]),
  }),
  duplicate: each(harmless("sizes are absolute: a repeat right behind changes nothing; trade ids tell repeats"), {
    binance: harmless("update ids and trade ids tell repeats"),
  }),
  reorder: each(b(NO_SEQUENCE, [TRADE_IDS]), {
    kraken: atDepth(CHECKSUM, [TRADE_FLAG]),
    binance: a(UPDATE_IDS, [TRADE_FLAG]),
  }),
  delay: on(harmless("order is kept; longer than the idle time: the connection is replaced")),
  truncate: UNREADABLE,
  corrupt_bit: CHANGED_LEVEL,
  corrupt_byte: CHANGED_LEVEL,
  corrupt_digit: CHANGED_LEVEL,
  wrong_checksum: { kraken: a("checksum of this message") },
  level_missing: CHANGED_LEVEL,
  snapshot_midstream: {
    coinbase_exchange: harmless("it replaces the book"),
    kraken: harmless("it replaces the book"),
  },
  drift_unknown: on(harmless("unknown kinds beside the book's own are counted and ignored")),
  silence: each(b("heartbeats with a later trade id; without trades: audit"), {
    kraken: b("nothing while it lasts: audit; then as for drop"),
    binance: b("nothing while it lasts: audit; then update ids"),
  }),
  checksum_zero: { kraken: a("checksum of each message: out of service with `drift`, tried again slowly") },
  drift_zeros: each(harmless("values are compared, not digits"), {
    kraken: a("digits count as the widest token said; if none did: checksum"),
  }),
  drift_renamed: on(a("missing field: out of service with `drift` after three frames, tried again slowly")),
  drift_reordered: on(harmless("fields are read by name")),
  drift_retyped: each(b("three frames of an unknown kind in place of the book's own: `drift`"), {
    kraken: {
      ...a("three frames of an unknown kind: `drift`; after fewer the next checksum"),
      cases: [{ isDeeper: true, ...b("three frames of an unknown kind in place of the book's own: `drift`") }],
    },
    binance: a("three frames of an unknown kind: `drift`; after fewer the next update ids"),
  }),
  drift_extra: on(harmless("unknown fields are skipped")),
  half_open: each(a("heartbeats stop: a ping, then another connection"), {
    binance: a("nothing comes, a ping is not answered: another connection"),
  }),
  close: SOCKET_ENDS,
  cut: SOCKET_ENDS,
  server_shutdown: { binance: a("announced: a second connection takes over") },
  age_close: SOCKET_ENDS,
  subscribe_dropped: on(a("no acknowledgement: timer")),
  silent_subscription: each(a("acknowledged and no first book: timer"), {
    binance: b("trades without events of the book; without trades: audit"),
  }),
  connection_limit: AT_THE_DOOR,
  connect_refused: AT_THE_DOOR,
  connect_silent: AT_THE_DOOR,
  rest_slow: SNAPSHOT_MISSING,
  rest_stale: each(harmless("REST is for audits only"), {
    binance: a("its update id does not join the events: asked again"),
  }),
  rest_error: SNAPSHOT_MISSING,
  rest_timeout: SNAPSHOT_MISSING,
  rest_truncated: SNAPSHOT_MISSING,
  rest_429: SNAPSHOT_MISSING,
  rest_418: SNAPSHOT_MISSING,
  sequence_reset: each(a("heartbeats or trades fall behind the last trade id"), {
    kraken: harmless("books have no numbers; trades are counted as repeats until three fell, the next says GapBefore"),
    binance: a("update ids fall"),
  }),
  auction: on(a("crossed: subscribed once more, then published as crossed")),
  drift_decimals: each(harmless("exact rescale under a fresh id"), {
    kraken: a("exact rescale under a fresh id; digits as the widest token says, else checksum"),
  }),
  maintenance: { kraken: a("status, then the socket's close") },
};

/**
 * The class of a fault at a place.
 * @param kind as scripts of faults name it
 * @param where the depth that is subscribed, and the levels and frames that it concerns
 * @throws RangeError when there is no such kind on this exchange
 */
export function faultClass(kind: string, exchange: ExchangeId, where: FaultPlace): FaultClassEntry {
  const entry = FAULT_CLASSES[kind]?.[exchange];
  if (entry === undefined) {
    throw new RangeError(`Cannot tell the class of a fault: no such kind on ${exchange}, was ${kind}`);
  }
  const isDeeper = where.depth === 0 || where.depth > CHECKSUM_LEVELS;
  const found = entry.cases?.find(
    (one) =>
      (one.isDeeper === undefined || isDeeper) &&
      (one.part === undefined || one.part === where.part) &&
      (one.frame === undefined ? tellsLevels(where.frame) : one.frame === where.frame),
  );
  return found === undefined
    ? { class: entry.class, shownBy: entry.shownBy }
    : { class: found.class, shownBy: found.shownBy };
}

function tellsLevels(frame: FaultFrame = "book"): boolean {
  return frame === "book" || frame === "snapshot";
}

function a(shownBy: string, cases?: readonly FaultClassCase[]): FaultClassEntry {
  return { class: "A", shownBy, ...(cases === undefined ? {} : { cases }) };
}

function b(shownBy: string, cases?: readonly FaultClassCase[]): FaultClassEntry {
  return { class: "B", shownBy, ...(cases === undefined ? {} : { cases }) };
}

function harmless(shownBy: string): FaultClassEntry {
  return { class: "harmless", shownBy };
}

/** Proved by the checksum where it reaches: all of a book of ten levels, the top of a deeper one. */
function atDepth(shownBy: string, others: readonly FaultClassCase[] = []): FaultClassEntry {
  const top: FaultClassCase = { isDeeper: true, part: "top", class: "A", shownBy };
  const deep: FaultClassCase = { isDeeper: true, class: "B", shownBy: BELOW_TOP };
  return a(shownBy, [...others, top, deep]);
}

/** The same on every exchange. */
function on(entry: FaultClassEntry): Readonly<Record<ExchangeId, FaultClassEntry>> {
  return each(entry, {});
}

/** The same on every exchange but those named; Binance.US follows Binance's rules. */
function each(
  usual: FaultClassEntry,
  { kraken = usual, binance = usual }: { kraken?: FaultClassEntry; binance?: FaultClassEntry },
): Readonly<Record<ExchangeId, FaultClassEntry>> {
  return { coinbase_exchange: usual, kraken, binance, binance_us: binance };
}
