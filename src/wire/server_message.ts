/**
 * Reads what a server sends as text, far enough that acting on it cannot fail: whatever a field is used for, it has that
 * type. Written by hand, because clients in browsers carry no schema library.
 * Bad case: a damaged text that still is JSON; a field that is not what it must be makes the whole message unreadable.
 */
import { isServerChannel, type ServerMessage } from "./protocol.ts";

type Fields = Readonly<Record<string, unknown>>;

const EXPONENT_MAX = 18;
const U32_MAX = 0xffffffff;

/**
 * Reads one text message.
 * @returns undefined when it is not JSON or not what its type must be; types of a later protocol are let through
 */
export function readServerMessage(text: string): ServerMessage | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) {
      throw error;
    }
    return undefined;
  }
  return isFields(value) && typeof value.type === "string" && (CHECKS[value.type]?.(value) ?? true)
    ? (value as ServerMessage)
    : undefined;
}

const CHECKS: Readonly<Record<string, (fields: Fields) => boolean>> = {
  subscribed: (fields) =>
    isServerChannel(fields.channel) ||
    (isText(fields.channel) &&
      Number.isSafeInteger(fields.alias) &&
      isText(fields.policy) &&
      typeof fields.resumed === "boolean" &&
      isView(fields) &&
      isStatus(fields)),
  status: isStatus,
  reset: (fields) => isText(fields.channel) && isText(fields.reason) && isView(fields),
  orderbook: (fields) =>
    isBook(fields) &&
    isU32(fields.epoch) &&
    isExponent(fields.priceExponent, 0) &&
    isExponent(fields.quantityExponent, 0) &&
    isListOf(fields.bids, 2) &&
    isListOf(fields.asks, 2),
  orderbook_delta: (fields) => isBook(fields) && isCount(fields.previousVersion) && isListOf(fields.changes, 3),
  trade: (fields) => isText(fields.instrument) && isCount(fields.version),
  bbo: (fields) => isText(fields.instrument),
  instruments: (fields) => Array.isArray(fields.instruments),
  opportunity: (fields) => isFields(fields.opportunity),
  opportunities: (fields) => Array.isArray(fields.open),
  stats: (fields) => Array.isArray(fields.exchanges) && Array.isArray(fields.instruments),
};

function isStatus(fields: Fields): boolean {
  return (
    isText(fields.instrument) &&
    isText(fields.state) &&
    isExponent(fields.priceExponent, -1) &&
    isExponent(fields.quantityExponent, -1)
  );
}

function isView(fields: Fields): boolean {
  return isText(fields.instrument) && isU32(fields.depth) && isU32(fields.rateMs);
}

function isBook(fields: Fields): boolean {
  return isView(fields) && isCount(fields.version) && typeof fields.synced === "boolean" && isU32(fields.hash);
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isText(value: unknown): value is string {
  return typeof value === "string";
}

function isU32(value: unknown): boolean {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= U32_MAX;
}

/** A u64 as decimal text. */
function isCount(value: unknown): boolean {
  return isText(value) && /^\d{1,20}$/.test(value);
}

function isExponent(value: unknown, least: number): boolean {
  return Number.isInteger(value) && (value as number) >= least && (value as number) <= EXPONENT_MAX;
}

/** Tuples of texts. */
function isListOf(value: unknown, length: number): boolean {
  return (
    Array.isArray(value) &&
    value.every((one: unknown) => Array.isArray(one) && one.length === length && one.every(isText))
  );
}
