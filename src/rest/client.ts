/**
 * Asks a gateway's REST API, typed by its OpenAPI document; for pages and for Node, Deno and Bun. It is small on purpose:
 * a path, a fetch, and problems as errors. Bad case: a proxy that answers with a page instead of JSON; it is an error with
 * the status and no problem.
 */
import { API_PLACES } from "./client_places.ts";
import type { ApiOperations, Problem } from "./client_types.d.ts";

/** The name of an operation. */
export type ApiOperation = keyof ApiOperations;

/** What an operation takes. */
export type ApiTaking<Id extends ApiOperation> = ApiOperations[Id]["parameters"] &
  (ApiOperations[Id]["body"] extends undefined ? Record<never, never> : { readonly body: ApiOperations[Id]["body"] });

/** How to reach a gateway. */
export type RestClientOptions = {
  /** Where the gateway is, e.g. `http://127.0.0.1:8765/`; relative addresses work in pages. */
  readonly url: string;
  /** The runtime's own fetch, or one like it. */
  readonly fetch: (url: string, init: RequestInit) => Promise<Response>;
  /** Where keys are needed. */
  readonly key?: string;
};

/** An answer that is no success. */
export class RestError extends Error {
  override readonly name = "RestError";
  /** HTTP status. */
  readonly status: number;
  /** What the gateway says; undefined when it was something else that answered. */
  readonly problem: Problem | undefined;

  constructor(message: string, { status, problem }: { status: number; problem: Problem | undefined }) {
    super(message);
    this.status = status;
    this.problem = problem;
  }
}

/** Asks one gateway. */
export class RestClient {
  readonly #options: RestClientOptions;

  constructor(options: RestClientOptions) {
    this.#options = options;
  }

  /**
   * Asks for an operation.
   * @param id its name @param taking its parameters by name, and its body
   * @returns the answer; rejects with RestError when it is a problem, and as fetch does when nobody answers
   * @example await client.ask("getOrderBook", { exchange: "kraken", symbol: "BTC-USD", depth: 10 })
   */
  async ask<Id extends ApiOperation>(id: Id, taking: ApiTaking<Id>): Promise<ApiOperations[Id]["answer"]> {
    const { method, path, query } = API_PLACES[id];
    const { body, ...parameters } = taking as Readonly<Record<string, unknown>>;
    const text = (name: string) => encodeURIComponent(String(parameters[name]));
    const filled = path.replace(/\{(\w+)\}/g, (_whole, name: string) => text(name));
    const asked = query.filter((name) => parameters[name] !== undefined).map((name) => `${name}=${text(name)}`);
    const url = `${this.#options.url.replace(/\/$/, "")}${filled}${asked.length === 0 ? "" : `?${asked.join("&")}`}`;
    const response = await this.#options.fetch(url, this.#request(method, body));
    if (!response.ok) {
      throw await readError(response, url);
    }
    return (await response.json()) as ApiOperations[Id]["answer"];
  }

  #request(method: string, body: unknown): RequestInit {
    const { key } = this.#options;
    return {
      method,
      headers: {
        accept: "application/json",
        ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
        ...(body === undefined ? {} : { "content-type": "application/json" }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    };
  }
}

async function readError(response: Response, url: string): Promise<RestError> {
  const { status } = response;
  const isProblem = response.headers.get("content-type")?.startsWith("application/problem+json") === true;
  const problem = isProblem ? ((await response.json()) as Problem) : undefined;
  return new RestError(`Cannot read ${url}: ${problem?.detail ?? "no problem was told"}, was ${status}`, {
    status,
    problem,
  });
}
