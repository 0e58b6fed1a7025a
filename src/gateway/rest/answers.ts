/**
 * HTTP answers of the REST API: JSON values and problems, with the headers that every answer has.
 * Bad case: a page of another origin that guesses types; `nosniff` and exact media types leave nothing to guess.
 */
import { makeProblem, PROBLEM_TYPE, PROBLEMS, type ProblemCode, type ProblemParts } from "../../rest/problem.ts";
import type { HttpAnswer } from "../transport.ts";

const COMMON_HEADERS = { "x-content-type-options": "nosniff" };

/** What is said about an answer beside its body. */
export type AnswerOptions = {
  readonly status?: number;
  /** The body is kept by the client and asked for again with this. */
  readonly etag?: string;
};

/** An answer of JSON text. */
export function jsonAnswer(body: HttpAnswer["body"], { status = 200, etag }: AnswerOptions = {}): HttpAnswer {
  const caching = etag === undefined ? { "cache-control": "no-store" } : { "cache-control": "no-cache", etag };
  return {
    status,
    headers: { ...COMMON_HEADERS, "content-type": "application/json; charset=utf-8", ...caching },
    body,
  };
}

/** An answer of a value. */
export function valueAnswer(value: unknown, options: AnswerOptions = {}): HttpAnswer {
  return jsonAnswer(`${JSON.stringify(value)}\n`, options);
}

/** The client has it already. */
export function unchangedAnswer(etag: string): HttpAnswer {
  return { status: 304, headers: { ...COMMON_HEADERS, "cache-control": "no-cache", etag }, body: "" };
}

/** A problem. @param options.headers beside the usual ones */
export function problemAnswer(
  code: ProblemCode,
  parts: ProblemParts,
  { headers = {} }: { headers?: Readonly<Record<string, string>> } = {},
): HttpAnswer {
  return {
    status: PROBLEMS[code].status,
    headers: { ...COMMON_HEADERS, "content-type": PROBLEM_TYPE, "cache-control": "no-store", ...headers },
    body: `${JSON.stringify(makeProblem(code, parts))}\n`,
  };
}

/** Whether an If-None-Match header names a tag. */
export function matchesTag(ifNoneMatch: string, etag: string): boolean {
  return ifNoneMatch.split(",").some((text) => text.trim().replace(/^W\//, "") === etag);
}
