/**
 * The words for the codes of the segment: sync states, reasons, assurance, trading status. Every surface that people
 * read (stream, REST, logs, page) takes them from here, so that one code has one word.
 * Bad case: a segment of a later build holds a code that is unknown here; `wordOf` answers "unknown", never undefined.
 */
import {
  ASSURANCE_CHECKSUM,
  ASSURANCE_INFERRED,
  ASSURANCE_NONE,
  ASSURANCE_SEQUENCE,
  AUDIT_FAILED,
  AUDIT_INCONCLUSIVE,
  AUDIT_MATCH,
  AUDIT_MISMATCH,
  AUDIT_NONE,
  BREAKER_CLOSED,
  BREAKER_HALF_OPEN,
  BREAKER_OPEN,
  ENDPOINT_REST,
  ENDPOINT_WEBSOCKET,
  FAILURE_CLOSED,
  FAILURE_NONE,
  FAILURE_STATUS,
  FAILURE_TIMEOUT,
  FAILURE_UNREACHABLE,
  REASON_AUDIT,
  REASON_CHECKSUM,
  REASON_CONNECTING,
  REASON_CROSSED,
  REASON_DISCONNECTED,
  REASON_DRIFT,
  REASON_GAP,
  REASON_HEARTBEAT_AHEAD,
  REASON_LIMIT,
  REASON_MAINTENANCE,
  REASON_NONE,
  REASON_OVERFLOW,
  REASON_REFUSED,
  REASON_REMOVED,
  REASON_RESCALED,
  REASON_SILENT,
  REASON_STOPPED,
  REASON_TRADE_GAP,
  REASON_UNREADABLE_FRAME,
  REASON_WAITING_SNAPSHOT,
  STATE_CONNECTING,
  STATE_OUT_OF_SERVICE,
  STATE_RESYNCING,
  STATE_RETIRED,
  STATE_SUSPECT,
  STATE_SYNCED,
  STATE_WAITING,
  TRADING_AUCTION,
  TRADING_HALTED,
  TRADING_LIMITED,
  TRADING_OPEN,
  TRADING_UNKNOWN,
} from "../../assembly/layout.ts";

/** STATE_* → word. A suspect book is shown as resyncing: for a reader both mean "do not trust it at this moment". */
export const STATE_WORDS = {
  [STATE_CONNECTING]: "connecting",
  [STATE_WAITING]: "waiting",
  [STATE_SYNCED]: "synced",
  [STATE_RESYNCING]: "resyncing",
  [STATE_OUT_OF_SERVICE]: "out_of_service",
  [STATE_SUSPECT]: "resyncing",
  [STATE_RETIRED]: "retired",
} as const;

/** REASON_* → word: why an instrument is not synced. */
export const REASON_WORDS = {
  [REASON_NONE]: "none",
  [REASON_CONNECTING]: "connecting",
  [REASON_WAITING_SNAPSHOT]: "waiting_snapshot",
  [REASON_GAP]: "gap",
  [REASON_CHECKSUM]: "checksum",
  [REASON_CROSSED]: "crossed",
  [REASON_TRADE_GAP]: "trade_gap",
  [REASON_HEARTBEAT_AHEAD]: "heartbeat_ahead",
  [REASON_UNREADABLE_FRAME]: "unreadable_frame",
  [REASON_DISCONNECTED]: "disconnected",
  [REASON_OVERFLOW]: "overflow",
  [REASON_RESCALED]: "rescaled",
  [REASON_LIMIT]: "limit",
  [REASON_SILENT]: "silent",
  [REASON_MAINTENANCE]: "maintenance",
  [REASON_REFUSED]: "refused",
  [REASON_AUDIT]: "audit",
  [REASON_STOPPED]: "stopped",
  [REASON_DRIFT]: "drift",
  [REASON_REMOVED]: "removed",
} as const;

/** ASSURANCE_* → word: how the exchange lets us know that the book is right. */
export const ASSURANCE_WORDS = {
  [ASSURANCE_NONE]: "none",
  [ASSURANCE_SEQUENCE]: "sequence",
  [ASSURANCE_CHECKSUM]: "checksum",
  [ASSURANCE_INFERRED]: "inferred",
} as const;

/** TRADING_* → word: whether the exchange trades the instrument; separate from the sync state. */
export const TRADING_WORDS = {
  [TRADING_UNKNOWN]: "unknown",
  [TRADING_OPEN]: "open",
  [TRADING_HALTED]: "halted",
  [TRADING_AUCTION]: "auction",
  [TRADING_LIMITED]: "limited",
} as const;

/** AUDIT_* → word: what the last comparison with REST found. */
export const AUDIT_WORDS = {
  [AUDIT_NONE]: "none",
  [AUDIT_MATCH]: "match",
  [AUDIT_MISMATCH]: "mismatch",
  [AUDIT_INCONCLUSIVE]: "inconclusive",
  [AUDIT_FAILED]: "failed",
} as const;

/** BREAKER_* → word: whether an endpoint may be tried. */
export const BREAKER_WORDS = {
  [BREAKER_CLOSED]: "closed",
  [BREAKER_HALF_OPEN]: "half_open",
  [BREAKER_OPEN]: "open",
} as const;

/** ENDPOINT_* → word: what is spoken there. */
export const ENDPOINT_WORDS = {
  [ENDPOINT_WEBSOCKET]: "websocket",
  [ENDPOINT_REST]: "rest",
} as const;

/** FAILURE_* → word: how an endpoint's last failure looked. */
export const FAILURE_WORDS = {
  [FAILURE_NONE]: "none",
  [FAILURE_UNREACHABLE]: "unreachable",
  [FAILURE_STATUS]: "status",
  [FAILURE_TIMEOUT]: "timeout",
  [FAILURE_CLOSED]: "closed_at_once",
} as const;

/** A sync state as a word. */
export type StateWord = (typeof STATE_WORDS)[keyof typeof STATE_WORDS];
/** A reason as a word. */
export type ReasonWord = (typeof REASON_WORDS)[keyof typeof REASON_WORDS];
/** An assurance as a word. */
export type AssuranceWord = (typeof ASSURANCE_WORDS)[keyof typeof ASSURANCE_WORDS];
/** A trading status as a word. */
export type TradingWord = (typeof TRADING_WORDS)[keyof typeof TRADING_WORDS];

/** An audit's outcome as a word. */
export type AuditWord = (typeof AUDIT_WORDS)[keyof typeof AUDIT_WORDS];

/**
 * The word of a code.
 * @param words one of the tables above
 * @param code as it stands in the segment
 * @returns "unknown" for a code that this build does not know
 */
export function wordOf<Word extends string>(words: Readonly<Record<number, Word>>, code: number): Word | "unknown" {
  return words[code] ?? "unknown";
}
