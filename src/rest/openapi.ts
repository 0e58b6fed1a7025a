/**
 * The REST API as an OpenAPI 3.1 document, made from the table of operations and the schemas that tests judge answers by.
 * Bad case: a schema without a name; it would stand in the document at each place where it is used.
 * @see https://spec.openapis.org/oas/v3.1.1 (read 2026-11)
 */
import { z } from "zod";
import { NAMED_SCHEMAS } from "./fields.ts";
import { API_ROOT, COMMON_PROBLEMS, OPERATIONS, type Operation, type Parameter } from "./operations.ts";
import { PROBLEM_TYPE, PROBLEMS, problemSchema } from "./problem.ts";

type Json = string | number | boolean | null | readonly Json[] | JsonFields;
/** A JSON object. */
export type JsonFields = { readonly [field: string]: Json };

/** Version of the API. */
export const API_VERSION = "1.0.0";
const TAGS = {
  market: "Exchanges, instruments, order books and trades",
  compression: "What deltas cost and save",
  arbitrage: "Crossings between books",
  system: "What runs and how it stands",
  feeds: "Which instruments are collected",
} as const;
const SECURITY = [{ bearer: [] }, { header: [] }, { query: [] }, {}];

let kept: string | undefined;

/** The text of the document. Cost: milliseconds at the first call, then nothing. */
export function openApiText(): string {
  kept ??= `${JSON.stringify(openApiDocument(), null, 2)}\n`;
  return kept;
}

/** The document, fresh at each call. Cost: milliseconds. */
export function openApiDocument(): JsonFields {
  return {
    openapi: "3.1.1",
    info: {
      title: "AlphaPulse REST API",
      version: API_VERSION,
      summary: "Exact order books of crypto exchanges, and how they are known to be right",
      description:
        "Prices, quantities and u64 numbers are decimal text; what is not known is null. Errors are problem details (RFC 9457). Reading needs a key when keys are configured; changing needs one, or comes from the machine itself when none is configured. HEAD and OPTIONS are answered for every path.",
      license: { name: "MIT", identifier: "MIT" },
    },
    servers: [{ url: "/", description: "The gateway that serves this document" }],
    security: SECURITY,
    tags: Object.entries(TAGS).map(([name, description]) => ({ name, description })),
    paths: paths(),
    components: {
      securitySchemes: {
        bearer: { type: "http", scheme: "bearer", description: "Authorization: Bearer KEY" },
        header: { type: "apiKey", in: "header", name: "x-api-key" },
        query: { type: "apiKey", in: "query", name: "key", description: "Shows in logs of proxies: the last choice" },
      },
      schemas: namedSchemas(),
    },
  };
}

function namedSchemas(): JsonFields {
  const { schemas } = z.toJSONSchema(NAMED_SCHEMAS, { uri: (id) => reference(id), io: "output" });
  const entries = Object.entries(schemas as Record<string, object>);
  return Object.fromEntries(
    entries.map(([id, schema]) => [id, plain({ ...schema, $id: undefined, $schema: undefined })]),
  );
}

function paths(): JsonFields {
  const found: Record<string, Record<string, Json>> = {};
  for (const [id, operation] of Object.entries(OPERATIONS) as [string, Operation][]) {
    const path = `${API_ROOT}${operation.path}`;
    found[path] = { ...found[path], [operation.method.toLowerCase()]: describeOperation(id, operation) };
  }
  return found;
}

function describeOperation(id: string, operation: Operation): JsonFields {
  const { tag, summary, description, parameters, body, answer, status = 200, problems } = operation;
  return plain({
    operationId: id,
    tags: [tag],
    summary,
    description,
    parameters: Object.entries(parameters).map(([name, parameter]) => describeParameter(name, parameter)),
    requestBody: body && { required: true, content: { "application/json": { schema: refer(body) } } },
    responses: {
      [status]: {
        description: summary,
        headers: undefined,
        content: { "application/json": { schema: refer(answer) } },
      },
      ...(id === "addFeed"
        ? { 200: { description: "It was there already", content: { "application/json": { schema: refer(answer) } } } }
        : {}),
      ...(id === "getOrderBook" ? { 304: { description: "The book is the one of If-None-Match" } } : {}),
      ...describeProblems([...COMMON_PROBLEMS, ...problems]),
    },
  });
}

function describeProblems(codes: readonly (keyof typeof PROBLEMS)[]): JsonFields {
  const statuses = [...new Set(codes.map((code) => PROBLEMS[code].status))].sort((one, other) => one - other);
  return Object.fromEntries(
    statuses.map((status) => {
      const meant = codes.filter((code) => PROBLEMS[code].status === status);
      const description = meant.map((code) => `${code}: ${PROBLEMS[code].title}`).join(" · ");
      return [
        String(status),
        {
          description,
          ...(status === 429 ? { headers: RETRY_AFTER } : {}),
          content: { [PROBLEM_TYPE]: { schema: refer(problemSchema) } },
        },
      ];
    }),
  );
}

const RETRY_AFTER = { "Retry-After": { description: "Seconds", schema: { type: "integer", minimum: 1 } } };

function describeParameter(name: string, { place, description, schema, example }: Parameter): JsonFields {
  const { $schema: _dialect, ...shape } = z.toJSONSchema(schema, { io: "input" });
  return plain({ name, in: place, required: place === "path", description, schema: plain(shape), example });
}

function refer(schema: z.ZodType): JsonFields {
  const id = NAMED_SCHEMAS.get(schema)?.id;
  if (id === undefined) {
    throw new TypeError("Cannot describe an operation: its schema has no name");
  }
  return { $ref: reference(id) };
}

function reference(id: string): string {
  return `#/components/schemas/${id}`;
}

function plain(value: object): JsonFields {
  return JSON.parse(JSON.stringify(value)) as JsonFields;
}
