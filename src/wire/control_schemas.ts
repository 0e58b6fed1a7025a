/**
 * The messages about the stream itself that a server sends in both forms, as strict schemas: what is not written here is
 * not sent. Tests judge every message of a server by them, and the AsyncAPI document is made from them.
 * Bad case: a field added to protocol.ts only; the types are compared with these schemas when the tests are type-checked.
 */
import { z } from "zod";
import { ASSURANCE_WORDS, REASON_WORDS, STATE_WORDS, TRADING_WORDS } from "../model/states.ts";
import { count, exponentOrUnknown, instrumentName, messageId, nanoseconds, u32 } from "./fields.ts";
import { CHANNELS, ERROR_CODES, POLICIES, RESET_REASONS, SERVER_CHANNELS } from "./protocol.ts";

/** A word of a table, or `unknown` for a code of a later build. */
function wordIn<Word extends string>(words: Readonly<Record<number, Word>>) {
  const known: (Word | "unknown")[] = [...new Set(Object.values(words))];
  return z.enum([...new Set<Word | "unknown">([...known, "unknown"])]);
}

/** How well an instrument can be trusted; part of several messages. */
export const statusFields = {
  state: wordIn(STATE_WORDS),
  assurance: wordIn(ASSURANCE_WORDS).describe("How the exchange lets us know that the book is right"),
  reason: wordIn(REASON_WORDS).describe("Why it is not synced"),
  sinceNs: nanoseconds.describe("Unix nanoseconds of the last change of state, decimal; 0 = never"),
  trading: wordIn(TRADING_WORDS),
  priceExponent: exponentOrUnknown,
  quantityExponent: exponentOrUnknown,
};
/** Which book of an instrument. */
export const viewFields = {
  depth: u32.describe("Levels a side; 0 = all, and for other channels than book"),
  rateMs: u32.describe("Least milliseconds between updates; 0 = every change, and for other channels than book"),
};
const marketChannel = z.enum(CHANNELS).exclude([...SERVER_CHANNELS]);
const serverChannel = z.enum(SERVER_CHANNELS);

const welcome = z
  .strictObject({ type: z.literal("welcome"), protocol: z.string(), server: z.string(), epoch: z.string() })
  .describe("First message on every connection");

const listing = z.strictObject({
  instrument: instrumentName,
  exchange: z.string(),
  symbol: z.string().describe("BASE-QUOTE"),
  native: z.string().describe("The exchange's spelling"),
  depth: u32.describe("Levels per side that the exchange sends; 0 = all"),
  ...statusFields,
});
const instruments = z
  .strictObject({ type: z.literal("instruments"), id: messageId, instruments: z.array(listing) })
  .describe("Answer to the operation instruments");

const subscribedMarket = z.strictObject({
  type: z.literal("subscribed"),
  id: messageId.describe("That of the subscribe message; 0 = an instrument that appeared later and matches a pattern"),
  channel: marketChannel,
  instrument: instrumentName,
  alias: u32.describe("What binary frames of this view are addressed to; belongs to this connection"),
  policy: z.enum(POLICIES),
  resumed: z.boolean().describe("A conflated update from the version that the client named follows, not a snapshot"),
  ...viewFields,
  ...statusFields,
});
const subscribedServer = z.strictObject({ type: z.literal("subscribed"), id: messageId, channel: serverChannel });
const subscribed = z
  .discriminatedUnion("channel", [subscribedMarket, subscribedServer])
  .describe("Acknowledges one channel of one instrument, before its first market message");

const unsubscribedMarket = z.strictObject({
  type: z.literal("unsubscribed"),
  id: messageId,
  channel: marketChannel,
  instrument: instrumentName,
  ...viewFields,
});
const unsubscribedServer = z.strictObject({ type: z.literal("unsubscribed"), id: messageId, channel: serverChannel });
const unsubscribed = z
  .discriminatedUnion("channel", [unsubscribedMarket, unsubscribedServer])
  .describe("Acknowledges the end of one channel of one instrument");

const status = z
  .strictObject({ type: z.literal("status"), instrument: instrumentName, ...statusFields })
  .describe("Sent at every change to every subscriber of the instrument");
const reset = z
  .strictObject({
    type: z.literal("reset"),
    instrument: instrumentName,
    channel: marketChannel,
    reason: z.enum(RESET_REASONS),
    ...viewFields,
  })
  .describe("What was sent before on this channel does not lead to what follows; for book a snapshot follows");
const pong = z.strictObject({ type: z.literal("pong"), id: messageId }).describe("Answer to ping");
const error = z
  .strictObject({
    type: z.literal("error"),
    id: count.nullable().describe("That of the message refused; null when it could not be read"),
    code: z.enum(ERROR_CODES),
    message: z.string().describe("For people; never to be decided by"),
  })
  .describe("A client message was refused");

/** Messages that are JSON text in both forms, but for statistics; by their `type`. */
export const CONTROL_SCHEMAS = { welcome, instruments, subscribed, unsubscribed, status, reset, pong, error };
