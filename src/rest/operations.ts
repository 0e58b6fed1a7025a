/**
 * The operations of the REST API as one table: the router serves from it, the OpenAPI document and the clients are made
 * from it. Bad case: a path that is served without standing here; nobody would know of it.
 */
import { z } from "zod";
import { opportunitiesSchema } from "./arbitrage_schemas.ts";
import { deltaStatsSchema, deltaSummarySchema } from "./delta_schemas.ts";
import { feedChangeSchema, feedRequestSchema, feedsSchema } from "./feed_schemas.ts";
import { healthSchema } from "./health_schemas.ts";
import { exchangesSchema, instrumentsSchema, orderBookSchema, tradesSchema } from "./market_schemas.ts";
import type { ProblemCode } from "./problem.ts";

/** Under which every path stands. */
export const API_ROOT = "/api/v1";
/** Where the OpenAPI document is served. */
export const OPENAPI_PATH = `${API_ROOT}/openapi.json`;
/** Where the explorer is served. */
export const DOCS_PATH = `${API_ROOT}/docs`;

/** Levels a side of a book, unless others are asked for, and at most. */
export const DEPTH_DEFAULT = 50;
export const DEPTH_MAX = 1000;
/** Trades, unless others are asked for, and at most. */
export const TRADES_DEFAULT = 50;
export const TRADES_MAX = 1000;
const BPS_MAX = 1_000_000;
const AGE_MS_MAX = 86_400_000;

/** A part of the path or of the query. Its schema judges a number where the text is one. */
export type Parameter = {
  readonly place: "path" | "query";
  readonly description: string;
  readonly schema: z.ZodType;
  readonly example: string | number;
};

/** How the area of an operation is called. */
export type Tag = "market" | "compression" | "arbitrage" | "system" | "feeds";

/** One operation. */
export type Operation = {
  readonly method: "GET" | "POST" | "DELETE";
  /** Below the root; `{name}` is a parameter. */
  readonly path: string;
  readonly tag: Tag;
  readonly summary: string;
  readonly description?: string;
  readonly parameters: Readonly<Record<string, Parameter>>;
  readonly body?: z.ZodType;
  readonly answer: z.ZodType;
  /** Status of the answer, 200 unless said. */
  readonly status?: number;
  /** Problems of its own, beside those that every operation has. */
  readonly problems: readonly ProblemCode[];
};

/** Problems that any operation may answer. */
export const COMMON_PROBLEMS: readonly ProblemCode[] = [
  "invalid_request",
  "key_needed",
  "not_allowed",
  "too_many_requests",
  "failed",
];

const exchange: Parameter = {
  place: "path",
  description: "An exchange id, or an alias such as coinbase; any case",
  schema: z.string().min(1).max(32),
  example: "kraken",
};
const symbol: Parameter = {
  place: "path",
  description:
    "BASE-QUOTE in any case, or the exchange's own spelling where that names one instrument (%2F for a slash)",
  schema: z.string().min(1).max(65),
  example: "BTC-USD",
};
const pair = { exchange, symbol };
const pairProblems = ["unknown_exchange", "unknown_instrument", "ambiguous_symbol"] as const;

/** All operations, by the name that the document and the clients give them. */
export const OPERATIONS = {
  listExchanges: {
    method: "GET",
    path: "/exchanges",
    tag: "market",
    summary: "Exchanges with their state, instruments, features, rates and latency",
    parameters: {},
    answer: exchangesSchema,
    problems: [],
  },
  listInstruments: {
    method: "GET",
    path: "/instruments",
    tag: "market",
    summary: "All instruments that are served",
    parameters: {},
    answer: instrumentsSchema,
    problems: [],
  },
  getOrderBook: {
    method: "GET",
    path: "/orderbook/{exchange}/{symbol}",
    tag: "market",
    summary: "The order book of an instrument",
    description:
      "Only a synced book is sent, otherwise the problem not_synced with state and reason. `depth=full` sends all levels of one moment, part by part; it is limited more than other requests.",
    parameters: {
      ...pair,
      depth: {
        place: "query",
        description: `Levels a side, 1 to ${DEPTH_MAX}, or full; ${DEPTH_DEFAULT} when left out`,
        schema: z.union([z.number().int().min(1).max(DEPTH_MAX), z.literal("full")]).default(DEPTH_DEFAULT),
        example: 10,
      },
    },
    answer: orderBookSchema,
    problems: [...pairProblems, "not_synced", "too_many_books"],
  },
  getTrades: {
    method: "GET",
    path: "/trades/{exchange}/{symbol}",
    tag: "market",
    summary: "The latest trades of an instrument",
    parameters: {
      ...pair,
      limit: {
        place: "query",
        description: `Trades at most, 1 to ${TRADES_MAX}; as many as are remembered`,
        schema: z.number().int().min(1).max(TRADES_MAX).default(TRADES_DEFAULT),
        example: 10,
      },
    },
    answer: tradesSchema,
    problems: [...pairProblems],
  },
  getDeltaSummary: {
    method: "GET",
    path: "/delta-stats/summary",
    tag: "compression",
    summary: "What deltas cost and save, all instruments together",
    parameters: {},
    answer: deltaSummarySchema,
    problems: [],
  },
  getDeltaStats: {
    method: "GET",
    path: "/delta-stats/{exchange}/{symbol}",
    tag: "compression",
    summary: "What deltas cost and save for an instrument",
    parameters: pair,
    answer: deltaStatsSchema,
    problems: [...pairProblems],
  },
  listOpportunities: {
    method: "GET",
    path: "/arbitrage/opportunities",
    tag: "arbitrage",
    summary: "Crossings between books that leave something after fees",
    parameters: {
      min_profit_bps: {
        place: "query",
        description: "Profit at least, basis points, rounded up to four decimals; 0 when left out",
        schema: z.number().min(0).max(BPS_MAX).default(0),
        example: 5,
      },
      max_age_ms: {
        place: "query",
        description: "Age at most of the oldest book that one is made from; whatever the detector takes when left out",
        schema: z.number().int().min(0).max(AGE_MS_MAX).optional(),
        example: 1000,
      },
    },
    answer: opportunitiesSchema,
    problems: ["arbitrage_off"],
  },
  getHealth: {
    method: "GET",
    path: "/system/health",
    tag: "system",
    summary: "What runs, how it stands and what it uses",
    description: "Always 200 while the gateway answers; `/ready` is 503 unless everything is live and synced.",
    parameters: {},
    answer: healthSchema,
    problems: [],
  },
  listFeeds: {
    method: "GET",
    path: "/feeds",
    tag: "feeds",
    summary: "Instruments that are collected",
    parameters: {},
    answer: feedsSchema,
    problems: ["feeds_elsewhere"],
  },
  addFeed: {
    method: "POST",
    path: "/feeds",
    tag: "feeds",
    summary: "Collects one more instrument; no other is disturbed",
    description: "Needs a key; when none is configured it is taken from this machine only.",
    parameters: {},
    body: feedRequestSchema,
    answer: feedChangeSchema,
    status: 201,
    problems: [
      "feeds_elsewhere",
      "unknown_exchange",
      "unknown_instrument",
      "no_room",
      "too_long",
      "unsupported_type",
      "unavailable",
    ],
  },
  removeFeed: {
    method: "DELETE",
    path: "/feeds/{exchange}/{symbol}",
    tag: "feeds",
    summary: "Collects an instrument no more; no other is disturbed",
    description: "Needs a key; when none is configured it is taken from this machine only.",
    parameters: pair,
    answer: feedChangeSchema,
    problems: ["feeds_elsewhere", ...pairProblems, "no_room", "too_long", "unavailable"],
  },
} as const satisfies Readonly<Record<string, Operation>>;

/** The name of an operation. */
export type OperationId = keyof typeof OPERATIONS;

/** What an operation answers. */
export type AnswerOf<Id extends OperationId> = z.output<(typeof OPERATIONS)[Id]["answer"]>;
