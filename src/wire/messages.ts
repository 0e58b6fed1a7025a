/**
 * What a client may send, as strict schemas: an unknown field, a missing one or a wrong type is refused with its name,
 * because a misspelt `instrument` that is silently ignored costs its author an afternoon.
 * Bad case: hostile input; the number and the length of everything is limited before anything is looked up.
 */
import { z } from "zod";
import { ProtocolError } from "../errors.ts";
import { u32, u64Decimal } from "./fields.ts";
import { CHANNEL_POLICIES, CHANNELS, ERROR_CODES, isServerChannel, POLICIES, RESYNC_REASONS } from "./protocol.ts";

/** Channels named in one message. */
export const CHANNELS_MAX = 16;
/** Instruments and patterns named in one message. */
export const INSTRUMENTS_MAX = 256;
/** Characters of an instrument or pattern: exchange, colon, symbol. */
export const INSTRUMENT_LENGTH_MAX = 96;

/** Levels a side that can be asked for at most; which ones are served is configured. */
export const DEPTH_MAX = 1_000_000;
/** Milliseconds between updates that can be asked for at most; which ones are served is configured. */
export const RATE_MS_MAX = 3_600_000;

const id = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER);
const channels = z.array(z.enum(CHANNELS)).min(1).max(CHANNELS_MAX);
const instrument = z.string().min(1).max(INSTRUMENT_LENGTH_MAX);
const instruments = z.array(instrument).max(INSTRUMENTS_MAX).default([]);
const depth = z.number().int().min(0).max(DEPTH_MAX).default(0);
const rateMs = z.number().int().min(0).max(RATE_MS_MAX).default(0);
const policy = z.enum(POLICIES).optional();
const resumePoint = z.strictObject({ epoch: u32, version: u64Decimal });
const resume = z
  .record(instrument, resumePoint)
  .refine((points) => Object.keys(points).length <= INSTRUMENTS_MAX, {
    error: `at most ${INSTRUMENTS_MAX} instruments`,
  })
  .optional();
const reason = z.enum(RESYNC_REASONS).optional();

const subscribe = z.strictObject({
  op: z.literal("subscribe"),
  id,
  channels,
  instruments,
  depth,
  rateMs,
  policy,
  resume,
  reason,
});
const unsubscribe = z.strictObject({ op: z.literal("unsubscribe"), id, channels, instruments, depth, rateMs });
const list = z.strictObject({ op: z.literal("instruments"), id });
const ping = z.strictObject({ op: z.literal("ping"), id });

/** The schema of each operation. */
export const CLIENT_SCHEMAS = { subscribe, unsubscribe, instruments: list, ping };
/** Every message that a client may send. */
export const clientMessageSchema = z.discriminatedUnion("op", [subscribe, unsubscribe, list, ping]);

/** A client message as it is sent: what has a default may be left out. */
export type ClientMessageText = z.input<typeof clientMessageSchema>;
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
  const contradiction = "channels" in message ? findContradiction(message) : undefined;
  return contradiction === undefined ? { message } : { error: badMessage(contradiction), id: messageId };
}

/** What no single field is wrong about. @returns undefined when the fields fit each other */
function findContradiction(message: SubscriptionMessage): string | undefined {
  const markets = message.channels.filter((channel) => !isServerChannel(channel));
  if (markets.length > 0 !== message.instruments.length > 0) {
    const rule =
      markets.length > 0
        ? `${markets.join(" and ")} need instruments`
        : `${message.channels.join(" and ")} takes no instruments`;
    return `instruments: ${rule}`;
  }
  const isBook = message.channels.includes("book");
  if (!isBook && (message.depth !== 0 || message.rateMs !== 0)) {
    return "depth, rateMs: only book has views";
  }
  if (message.op === "unsubscribe") {
    return undefined;
  }
  if (!isBook && message.resume !== undefined) {
    return "resume: only book resumes";
  }
  const { policy: asked } = message;
  const refusing = markets.find((channel) => asked !== undefined && !CHANNEL_POLICIES[channel].includes(asked));
  return refusing === undefined ? undefined : `policy: ${refusing} takes ${CHANNEL_POLICIES[refusing].join(" or ")}`;
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
