/**
 * What a client may send, as strict schemas: an unknown field, a missing one or a wrong type is refused with its name,
 * because a misspelt `instrument` that is silently ignored costs its author an afternoon.
 * Bad case: hostile input; the number and the length of everything is limited before anything is looked up.
 */
import { z } from "zod";
import { ProtocolError } from "../errors.ts";
import { CHANNELS, ERROR_CODES, RESYNC_REASONS } from "./protocol.ts";

/** Channels named in one message. */
export const CHANNELS_MAX = 16;
/** Instruments and patterns named in one message. */
export const INSTRUMENTS_MAX = 256;
/** Characters of an instrument or pattern: exchange, colon, symbol. */
export const INSTRUMENT_LENGTH_MAX = 96;

const id = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER);
const channels = z.array(z.enum(CHANNELS)).min(1).max(CHANNELS_MAX);
const instruments = z.array(z.string().min(1).max(INSTRUMENT_LENGTH_MAX)).max(INSTRUMENTS_MAX).default([]);

const reason = z.enum(RESYNC_REASONS).optional();

const subscribe = z.strictObject({ op: z.literal("subscribe"), id, channels, instruments, reason });
const unsubscribe = z.strictObject({ op: z.literal("unsubscribe"), id, channels, instruments });
const list = z.strictObject({ op: z.literal("instruments"), id });
const ping = z.strictObject({ op: z.literal("ping"), id });

/** Every message that a client may send. */
export const clientMessageSchema = z.discriminatedUnion("op", [subscribe, unsubscribe, list, ping]);

/** A client message after validation: `instruments` is always there, empty when only `stats` is meant. */
export type ClientMessage = z.infer<typeof clientMessageSchema>;
/** Subscribe or unsubscribe, after validation. */
export type SubscriptionMessage = Extract<ClientMessage, { op: "subscribe" | "unsubscribe" }>;

/** What reading a client message gives; `id` is known whenever it could still be read. */
export type ClientMessageResult =
  | { readonly message: ClientMessage }
  | { readonly error: ProtocolError; readonly id: number | null };

/**
 * Reads one text message of a client.
 * @param text as received; its length is limited by the transport
 * @returns the message, or the error to answer with; never throws, whatever the text
 */
export function parseClientMessage(text: string): ClientMessageResult {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    const message = `Cannot read the message: not JSON, was ${quote(text)}`;
    return { error: new ProtocolError(ERROR_CODES.badJson, message, { cause }), id: null };
  }
  const parsed = clientMessageSchema.safeParse(value);
  const messageId = readId(value);
  if (!parsed.success) {
    return { error: badMessage(describeIssue(parsed.error)), id: messageId };
  }
  const { data: message } = parsed;
  if (message.op === "subscribe" || message.op === "unsubscribe") {
    const needsInstruments = message.channels.some((channel) => channel !== "stats");
    if (needsInstruments !== message.instruments.length > 0) {
      const rule = needsInstruments ? "book, trades and bbo need instruments" : "stats takes no instruments";
      return { error: badMessage(`instruments: ${rule}`), id: messageId };
    }
  }
  return { message };
}

function badMessage(reason: string): ProtocolError {
  return new ProtocolError(ERROR_CODES.badMessage, `Cannot accept the message: ${reason}`);
}

function describeIssue(error: z.ZodError): string {
  const [issue] = error.issues;
  if (issue === undefined) {
    return "it does not fit the protocol";
  }
  const path = issue.path.join(".");
  return path === "" ? issue.message : `${path}: ${issue.message}`;
}

function readId(value: unknown): number | null {
  const candidate = typeof value === "object" && value !== null && "id" in value ? value.id : null;
  return Number.isSafeInteger(candidate) ? (candidate as number) : null;
}

function quote(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text);
}
