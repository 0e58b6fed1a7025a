/**
 * Errors of the REST API: problem details as RFC 9457 has them, with a code that programs may decide by.
 * Bad case: deciding by `title` or `detail`; both are sentences for people and may change.
 * @see https://www.rfc-editor.org/rfc/rfc9457 (read 2026-11)
 */
import { z } from "zod";
import { named, statusFields } from "./fields.ts";

/** Media type of a problem. */
export const PROBLEM_TYPE = "application/problem+json";

/** Codes, with their status and title. */
export const PROBLEMS = {
  invalid_request: { status: 400, title: "The request is not valid" },
  key_needed: { status: 401, title: "A valid key is needed" },
  not_allowed: { status: 403, title: "This is not allowed" },
  not_found: { status: 404, title: "There is no such path" },
  unknown_exchange: { status: 404, title: "There is no such exchange" },
  unknown_instrument: { status: 404, title: "There is no such instrument" },
  method_not_allowed: { status: 405, title: "The method is not allowed here" },
  ambiguous_symbol: { status: 409, title: "The symbol names several instruments" },
  no_room: { status: 409, title: "There is no room for it" },
  too_long: { status: 413, title: "The body is too long" },
  unsupported_type: { status: 415, title: "The body is not JSON" },
  too_many_requests: { status: 429, title: "There were too many requests" },
  failed: { status: 500, title: "The server failed" },
  feeds_elsewhere: { status: 501, title: "The collectors are other processes" },
  arbitrage_off: { status: 501, title: "Arbitrage is not looked for" },
  not_synced: { status: 503, title: "The book is not known to be right" },
  unavailable: { status: 503, title: "It cannot be done at this moment" },
  too_many_books: { status: 503, title: "Too many whole books are being sent" },
} as const;

/** A code. */
export type ProblemCode = keyof typeof PROBLEMS;

const CODES = Object.keys(PROBLEMS) as [ProblemCode, ...ProblemCode[]];

/** A problem. */
export const problemSchema = named(
  "Problem",
  z
    .strictObject({
      type: z.string().describe("A URI reference that stands for the code"),
      title: z.string().describe("The same for every problem of this code"),
      status: z.number().int().min(400).max(599).describe("The HTTP status"),
      detail: z.string().describe("What happened here, for people"),
      instance: z.string().optional().describe("The path that was asked"),
      code: z.enum(CODES).describe("What programs decide by; state, reason and since_ns come with not_synced"),
      state: statusFields.state.optional(),
      reason: statusFields.reason.optional(),
      since_ns: statusFields.since_ns.optional(),
      nearest: z.array(z.string()).optional().describe("What may have been meant, nearest first"),
    })
    .describe("Problem details (RFC 9457)"),
);

/** A problem. */
export type Problem = z.output<typeof problemSchema>;

/** What is said beside the code. */
export type ProblemParts = Omit<Problem, "type" | "title" | "status" | "code">;

/** Makes a problem. */
export function makeProblem(code: ProblemCode, parts: ProblemParts): Problem {
  const { status, title } = PROBLEMS[code];
  return { type: `urn:alphapulse:problem:${code}`, title, status, ...parts, code };
}
