/**
 * Every message that a server sends as text, by its `type`: the one list from which tests judge servers and the AsyncAPI
 * document is made. Not for clients in browsers, which carry no schema library: those read by server_message.ts.
 * Bad case: cost; checking a message takes many times what writing it takes, hence in tests and documents only.
 */
import { z } from "zod";
import { CONTROL_SCHEMAS } from "./control_schemas.ts";
import { MARKET_SCHEMAS } from "./market_schemas.ts";
import { OPPORTUNITY_SCHEMAS } from "./opportunity_schemas.ts";
import { statsSchema } from "./statistics_schema.ts";

/** The schema of each type of message. */
export const SERVER_SCHEMAS = { ...CONTROL_SCHEMAS, stats: statsSchema, ...OPPORTUNITY_SCHEMAS, ...MARKET_SCHEMAS };

/** Any message of a server. */
export const serverMessageSchema = z.union(Object.values(SERVER_SCHEMAS));

/**
 * Judges one text message of a server.
 * @returns what is wrong with it, in words; undefined when nothing is
 */
export function faultOf(text: string): string | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) {
      return `not JSON: ${error.message}`;
    }
    throw error;
  }
  const type = typeof value === "object" && value !== null && "type" in value ? value.type : undefined;
  const schema = Object.entries(SERVER_SCHEMAS).find(([name]) => name === type)?.[1];
  if (schema === undefined) {
    return `no message has the type ${JSON.stringify(type)}`;
  }
  const { error } = schema.safeParse(value);
  return error === undefined ? undefined : z.prettifyError(error);
}
