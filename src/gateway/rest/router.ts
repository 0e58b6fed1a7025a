/**
 * Serves the REST API: finds the operation of a request, judges who asks and what, and gives it to its route.
 * Bad case: a fault of ours in a route; it is logged and answered with a problem of 500, and the stream goes on.
 */
import {
  API_ROOT,
  DOCS_PATH,
  OPENAPI_PATH,
  OPERATIONS,
  type Operation,
  type OperationId,
} from "../../rest/operations.ts";
import { PROBLEMS, type ProblemCode } from "../../rest/problem.ts";
import type { Refusal, RequestKind } from "../access.ts";
import type { HttpAnswer, HttpRequest } from "../transport.ts";
import { problemAnswer } from "./answers.ts";
import { Documents } from "./documents.ts";
import type { RestParts } from "./parts.ts";
import { readBody, readParameters } from "./request_values.ts";
import { createRoutes, type Routes } from "./routes.ts";

const REFUSAL_CODES: Readonly<Record<Refusal, ProblemCode>> = {
  connections: "unavailable",
  address_connections: "too_many_requests",
  address_attempts: "too_many_requests",
  requests: "too_many_requests",
  full_books: "too_many_requests",
  origin: "not_allowed",
  key: "key_needed",
};
const PREFLIGHT_SECONDS = "600";
const ALLOWED_HEADERS = "authorization, content-type, if-none-match, x-api-key";
const EXPOSED_HEADERS = "etag, retry-after";

type Place = { readonly operations: ReadonlyMap<string, OperationId>; readonly path: Readonly<Record<string, string>> };
type KnownPath = { readonly parts: readonly string[]; readonly operations: Map<string, OperationId> };

/** The REST API of one gateway. */
export class RestRouter {
  readonly #parts: RestParts;
  readonly #routes: Routes;
  readonly #documents: Documents;
  readonly #paths: readonly KnownPath[] = knownPaths();

  constructor(parts: RestParts) {
    this.#parts = parts;
    this.#routes = createRoutes(parts);
    this.#documents = new Documents(parts.files);
  }

  /** Whether a path belongs to the API. */
  serves(path: string): boolean {
    return path === API_ROOT || path.startsWith(`${API_ROOT}/`);
  }

  /** Answers a request below the root of the API. */
  answer(request: HttpRequest): HttpAnswer | Promise<HttpAnswer> {
    try {
      const answer = this.#answer(request);
      return answer instanceof Promise
        ? answer.then(
            (late) => this.#finish(request, late),
            (error: unknown) => this.#finish(request, this.#fail(request, error)),
          )
        : this.#finish(request, answer);
    } catch (error) {
      return this.#finish(request, this.#fail(request, error));
    }
  }

  #answer(request: HttpRequest): HttpAnswer | Promise<HttpAnswer> {
    const isDocument =
      request.path === OPENAPI_PATH || request.path === DOCS_PATH || request.path.startsWith(`${DOCS_PATH}/`);
    const place = isDocument ? undefined : this.#find(request.path);
    const allowed = isDocument ? ["GET", "HEAD", "OPTIONS"] : methodsOf(place);
    if (request.method === "OPTIONS" && allowed.length > 0) {
      return this.#refuse(request, "open") ?? preflight(allowed);
    }
    const method = request.method === "HEAD" ? "GET" : request.method;
    const id = place?.operations.get(method);
    const refusal = this.#refuse(request, isDocument ? "open" : kindOf(id, request));
    if (refusal !== undefined) {
      return refusal;
    }
    if (allowed.length === 0) {
      return problemAnswer("not_found", { detail: "Cannot find the path; openapi.json lists all", ...at(request) });
    }
    if (!allowed.includes(request.method)) {
      const detail = `Cannot ${request.method.slice(0, 32)} here: only ${allowed.join(", ")}`;
      return problemAnswer(
        "method_not_allowed",
        { detail, ...at(request) },
        { headers: { allow: allowed.join(", ") } },
      );
    }
    return place === undefined || id === undefined ? this.#documents.answer(request) : this.#run(request, id, place);
  }

  #run(request: HttpRequest, id: OperationId, place: Place): HttpAnswer | Promise<HttpAnswer> {
    const operation: Operation = OPERATIONS[id];
    const read = readParameters(operation, { path: place.path, query: request.query });
    if ("errors" in read) {
      return invalid(request, read.errors);
    }
    if (request.isTooLong) {
      return problemAnswer("too_long", { detail: "Cannot read the body: it is longer than it may be", ...at(request) });
    }
    let body: Readonly<Record<string, unknown>> = {};
    if (operation.body !== undefined) {
      if (!request.contentType.toLowerCase().startsWith("application/json")) {
        const detail = `Cannot read the body: its type must be application/json, was ${request.contentType.slice(0, 64)}`;
        return problemAnswer("unsupported_type", { detail, ...at(request) });
      }
      const judged = readBody(operation.body, request);
      if ("errors" in judged) {
        return invalid(request, judged.errors);
      }
      body = judged.values;
    }
    return this.#routes[id]({ request, values: { ...read.values, ...body } });
  }

  #refuse(request: HttpRequest, kind: RequestKind): HttpAnswer | undefined {
    const refusal = this.#parts.access.refuseRequest(request, kind);
    if (refusal === undefined) {
      return undefined;
    }
    const { code, status, reason, retryAfter } = refusal;
    // A key that is missing is 401; a change from elsewhere while there is no key at all is 403.
    const named = REFUSAL_CODES[code];
    const problem = PROBLEMS[named].status === status ? named : "not_allowed";
    const headers = {
      ...(retryAfter === undefined ? {} : { "retry-after": String(retryAfter) }),
      ...(status === 401 ? { "www-authenticate": 'Bearer realm="alphapulse"' } : {}),
    };
    return problemAnswer(problem, { detail: `Cannot answer: ${reason}`, ...at(request) }, { headers });
  }

  #find(path: string): Place | undefined {
    const parts = decodeParts(path.slice(API_ROOT.length + 1));
    if (parts === undefined) {
      return undefined;
    }
    for (const known of this.#paths) {
      const found = matchPath(known, parts);
      if (found !== undefined) {
        return found;
      }
    }
    return undefined;
  }

  #fail(request: HttpRequest, error: unknown): HttpAnswer {
    this.#parts.failed(request.path, error);
    return problemAnswer("failed", { detail: "Cannot answer: an error of the server, see its log", ...at(request) });
  }

  /** What pages of other origins need. */
  #finish(request: HttpRequest, answer: HttpAnswer): HttpAnswer {
    const headers: Record<string, string> = { ...answer.headers, vary: "origin" };
    if (request.origin !== "" && this.#parts.access.allowsOrigin(request)) {
      headers["access-control-allow-origin"] = request.origin;
      headers["access-control-expose-headers"] = EXPOSED_HEADERS;
    }
    return { ...answer, headers };
  }
}

function kindOf(id: OperationId | undefined, { query }: HttpRequest): RequestKind {
  if (id === undefined) {
    return "read";
  }
  if (OPERATIONS[id].method !== "GET") {
    return "change";
  }
  return id === "getOrderBook" && new URLSearchParams(query).get("depth") === "full" ? "full_book" : "read";
}

function methodsOf(place: Place | undefined): string[] {
  if (place === undefined) {
    return [];
  }
  const methods = [...place.operations.keys()];
  return [...methods, ...(methods.includes("GET") ? ["HEAD"] : []), "OPTIONS"];
}

function preflight(allowed: readonly string[]): HttpAnswer {
  const methods = allowed.join(", ");
  return {
    status: 204,
    headers: {
      allow: methods,
      "access-control-allow-methods": methods,
      "access-control-allow-headers": ALLOWED_HEADERS,
      "access-control-max-age": PREFLIGHT_SECONDS,
      "cache-control": "no-store",
    },
    body: "",
  };
}

function invalid(request: HttpRequest, errors: readonly string[]): HttpAnswer {
  return problemAnswer("invalid_request", { detail: `Cannot answer: ${errors.join("; ")}`, ...at(request) });
}

function at({ path }: HttpRequest): { instance: string } {
  return { instance: path.slice(0, 256) };
}

/** Paths without parameters come first: `delta-stats/summary` is no exchange. */
function knownPaths(): KnownPath[] {
  const found = new Map<string, KnownPath>();
  for (const [id, { path, method }] of Object.entries(OPERATIONS) as [OperationId, Operation][]) {
    const known = found.get(path) ?? { parts: path.split("/").slice(1), operations: new Map<string, OperationId>() };
    found.set(path, known);
    known.operations.set(method, id);
  }
  const free = ({ parts }: KnownPath) => parts.filter((part) => part.startsWith("{")).length;
  return [...found.values()].sort((one, other) => free(one) - free(other));
}

function matchPath({ parts, operations }: KnownPath, given: readonly string[]): Place | undefined {
  if (parts.length !== given.length) {
    return undefined;
  }
  const path: Record<string, string> = {};
  for (const [index, part] of parts.entries()) {
    const text = given[index] ?? "";
    if (part.startsWith("{")) {
      path[part.slice(1, -1)] = text;
    } else if (part !== text) {
      return undefined;
    }
  }
  return { operations, path };
}

/** @returns undefined when the path is not well encoded */
function decodeParts(path: string): string[] | undefined {
  try {
    return path.split("/").map((part) => decodeURIComponent(part));
  } catch (error) {
    if (error instanceof URIError) {
      return undefined;
    }
    throw error;
  }
}
