/**
 * The stream as an AsyncAPI 3 document, made from the schemas that the server runs: for documentation sites and for
 * generators of clients in other languages. The server is the application: it receives what clients send.
 * Bad case: the binary frames, which no schema language describes; the document names PROTOCOL.md for their grammar.
 */
import { z } from "zod";
import { CLIENT_EXAMPLES, SERVER_EXAMPLES } from "./examples.ts";
import { CLIENT_SCHEMAS } from "./messages.ts";
import { PROTOCOL_VERSION, STREAM_PATHS, SUBPROTOCOL_BINARY, SUBPROTOCOL_JSON } from "./protocol.ts";
import { SERVER_SCHEMAS } from "./server_schemas.ts";

type Json = string | number | boolean | null | readonly Json[] | JsonFields;
type JsonFields = { readonly [field: string]: Json };

/** What the server answers to each operation; `error` is always possible. */
const ANSWERS: Readonly<Record<keyof typeof CLIENT_SCHEMAS, readonly (keyof typeof SERVER_SCHEMAS)[]>> = {
  subscribe: ["subscribed", "error"],
  unsubscribe: ["unsubscribed", "error"],
  instruments: ["instruments", "error"],
  ping: ["pong", "error"],
};
const BINARY_FRAME = "binaryFrame";

/** Where a gateway serves it. */
export const ASYNCAPI_PATH = "/api/v1/asyncapi.json";

let kept: string | undefined;

/** The text of the document. Cost: milliseconds at the first call, then nothing. */
export function asyncApiText(): string {
  kept ??= JSON.stringify(asyncApiDocument());
  return kept;
}

/** The document, fresh at each call. Cost: milliseconds. */
export function asyncApiDocument(): JsonFields {
  return {
    asyncapi: "3.0.0",
    info: {
      title: "AlphaPulse stream",
      version: PROTOCOL_VERSION,
      description: `Order books, trades and best prices of crypto exchanges over WebSocket. Ask for the subprotocol ${SUBPROTOCOL_JSON} (everything is JSON text; also without a subprotocol) or ${SUBPROTOCOL_BINARY} (market messages are binary frames). Meaning, order and the grammar of the binary frames are in src/wire/PROTOCOL.md. Integers that a double would round are decimal text. A server that stops closes with 1001 and may say in the reason when to come back.`,
      license: { name: "MIT" },
    },
    defaultContentType: "application/json",
    servers: { local: { host: "127.0.0.1:8765", protocol: "ws", description: "Default address of a gateway" } },
    channels: Object.fromEntries(STREAM_PATHS.map((path, index) => [channelName(index), channel(path)])),
    operations: { ...receiveOperations(), ...sendOperations() },
    components: {
      messages: Object.fromEntries([
        ...Object.entries(CLIENT_SCHEMAS).map(([op, schema]) => [clientMessage(op), message(schema, examplesOf(op))]),
        ...Object.entries(SERVER_SCHEMAS).map(([type, schema]) => [type, message(schema, examplesOf(type))]),
        [BINARY_FRAME, binaryFrame()],
      ]),
    },
  };
}

function channelName(index: number): string {
  return index === 0 ? "stream" : `stream${index + 1}`;
}

function channel(address: string): JsonFields {
  const names = [...Object.keys(CLIENT_SCHEMAS).map(clientMessage), ...Object.keys(SERVER_SCHEMAS), BINARY_FRAME];
  return {
    address,
    messages: Object.fromEntries(names.map((name) => [name, { $ref: `#/components/messages/${name}` }])),
    bindings: { ws: { method: "GET", bindingVersion: "0.1.0" } },
  };
}

function receiveOperations(): JsonFields {
  const operations = Object.entries(ANSWERS).map(([op, answers]): [string, JsonFields] => [
    clientMessage(op),
    {
      action: "receive",
      channel: { $ref: "#/channels/stream" },
      messages: [channelMessage(clientMessage(op))],
      reply: { channel: { $ref: "#/channels/stream" }, messages: answers.map(channelMessage) },
    },
  ]);
  return Object.fromEntries(operations);
}

function sendOperations(): JsonFields {
  const answers = new Set(Object.values(ANSWERS).flat());
  const told = Object.keys(SERVER_SCHEMAS).filter((type) => !answers.has(type as keyof typeof SERVER_SCHEMAS));
  const operations = [...told, "subscribed", "error", BINARY_FRAME].map((name): [string, JsonFields] => [
    `send${name.charAt(0).toUpperCase()}${name.slice(1)}`,
    { action: "send", channel: { $ref: "#/channels/stream" }, messages: [channelMessage(name)] },
  ]);
  return Object.fromEntries(operations);
}

/** Clients and servers both have a message `instruments`. */
function clientMessage(op: string): string {
  return `request_${op}`;
}

function channelMessage(name: string): JsonFields {
  return { $ref: `#/channels/stream/messages/${name}` };
}

function message(schema: z.ZodType, examples: readonly JsonFields[]): JsonFields {
  const { $schema: _dialect, description, ...payload } = z.toJSONSchema(schema, { target: "draft-7", io: "input" });
  return {
    ...(description === undefined ? {} : { summary: description }),
    payload: plain(payload),
    examples: examples.map((example) => ({ payload: example })),
  };
}

function examplesOf(name: string): JsonFields[] {
  const ours = [...CLIENT_EXAMPLES.filter(({ op }) => op === name && name in CLIENT_SCHEMAS)];
  const theirs = SERVER_EXAMPLES.filter(({ type }) => type === name);
  return [...ours, ...theirs].map(plain);
}

function binaryFrame(): JsonFields {
  return {
    summary: `Market messages under ${SUBPROTOCOL_BINARY}: deltas, snapshot parts, trades, best prices, conflated updates`,
    contentType: "application/octet-stream",
    payload: { type: "string", format: "binary", maxLength: 8_388_608 },
  };
}

function plain(value: object): JsonFields {
  return JSON.parse(JSON.stringify(value)) as JsonFields;
}
