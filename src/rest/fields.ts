/**
 * Fields that several answers of the REST API share, and the registry that gives schemas their names in the OpenAPI
 * document. All names are snake_case; exact decimals and u64 are text, because a double would round them.
 * Bad case: a figure that is not known; it is null, never 0, unless 0 is said to mean that.
 */
import { z } from "zod";
import {
  ASSURANCE_WORDS,
  BREAKER_WORDS,
  ENDPOINT_WORDS,
  FAILURE_WORDS,
  REASON_WORDS,
  STATE_WORDS,
  TRADING_WORDS,
} from "../model/states.ts";
import { amount, count, decimal, exponentOrUnknown, nanoseconds, quantity, u32, u64Decimal } from "../wire/fields.ts";
import { CONNECTION_WORDS } from "../wire/statistics.ts";

export { amount, count, decimal, exponentOrUnknown, nanoseconds, quantity, u32, u64Decimal };

/** Schemas with a name of their own in the document. */
export const NAMED_SCHEMAS = z.registry<{ id: string }>();

/** Gives a schema its name in the document. */
export function named<Schema extends z.ZodType>(id: string, schema: Schema): Schema {
  NAMED_SCHEMAS.add(schema, { id });
  return schema;
}

/** A word of a table, or `unknown` for a code of a later build. */
function wordIn<Word extends string>(words: Readonly<Record<number, Word>>) {
  return z.enum([...new Set<Word | "unknown">([...Object.values(words), "unknown"])]);
}

/** Names of an instrument. */
export const instrumentFields = {
  instrument: z.string().describe("exchange:BASE-QUOTE"),
  exchange: z.string(),
  symbol: z.string().describe("BASE-QUOTE"),
  native_symbol: z.string().describe("The exchange's own spelling; empty while nothing produces it"),
};

const stateSchema = named("SyncState", wordIn(STATE_WORDS));
const assuranceSchema = named(
  "Assurance",
  wordIn(ASSURANCE_WORDS).describe("How the exchange lets us know that the book is right"),
);
const reasonSchema = named("SyncReason", wordIn(REASON_WORDS).describe("Why it is not synced"));
const tradingSchema = named(
  "TradingStatus",
  wordIn(TRADING_WORDS).describe("Whether the exchange trades it; separate from the state"),
);

/** How a collector's connection stands. */
export const connectionSchema = named("Connection", z.enum(CONNECTION_WORDS));

/** An address of the exchange and its circuit breaker. */
export const endpointSchema = named(
  "Endpoint",
  z.strictObject({
    kind: wordIn(ENDPOINT_WORDS),
    address: z.string().describe("Without name, password and query"),
    state: wordIn(BREAKER_WORDS).describe(
      "closed: may be tried · open: is left alone · half_open: its rest is over, one attempt decides",
    ),
    since_ns: nanoseconds.describe("Unix nanoseconds of the last change of state, decimal"),
    open_until_ns: nanoseconds.describe("Unix nanoseconds until which it is left alone, decimal; 0 = it is not open"),
    attempts: count,
    failures: count.describe("Connections refused, statuses that refuse, timeouts, connections closed at once"),
    openings: count.describe("Times that its breaker opened"),
    last_failure: wordIn(FAILURE_WORDS),
    last_status: count.describe("HTTP status of the last failure; 0 = it had none"),
  }),
);

/** How well an instrument can be trusted. */
export const statusFields = {
  state: stateSchema,
  assurance: assuranceSchema,
  reason: reasonSchema,
  since_ns: nanoseconds.describe("Unix nanoseconds of the last change of state, decimal; 0 = never"),
  trading: tradingSchema,
};

/** Digits after the point. */
export const exponentFields = { price_exponent: exponentOrUnknown, quantity_exponent: exponentOrUnknown };

/** A number, or null while it is not known. */
export const knownNumber = z.number().nullable();
/** A ratio of two counts of bytes, or null while one of them is 0 or not known. */
export const ratio = z.number().min(0).nullable();
/** Bytes, or null where they are not counted. */
export const knownCount = count.nullable();

/** Quantiles of a duration, microseconds. */
export const quantilesSchema = named(
  "Quantiles",
  z
    .strictObject({
      count: count.describe("Values"),
      p50: amount,
      p95: amount,
      p99: amount,
      p999: amount,
      max: amount,
    })
    .describe("Microseconds, within 1.6 %"),
);
