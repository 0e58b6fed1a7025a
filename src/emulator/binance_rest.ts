/**
 * REST of Binance and Binance.US: ping, time, metadata and depth, each with its weight. Beyond the weight of a minute
 * every request is answered 429 with `Retry-After`. Bad case: a client that goes on regardless; it gets 429 until the
 * minute ends (the real exchange would ban it with 418).
 */
import { symbolObject } from "./binance_frames.ts";
import type { BinanceRules } from "./binance_rules.ts";
import type { Listing } from "./instruments.ts";
import { jsonAnswer, REST_OTHER, type RestAbout, type RestAnswer, type RestRequest } from "./protocol.ts";
import { Window } from "./rate_limit.ts";
import { textArray } from "./text.ts";

const MINUTE_MS = 60_000;
const LIMIT_DEFAULT = 100;
const LIMIT_MAX = 5_000;

type RestOptions = {
  listings: readonly Listing[];
  now: () => number;
  /** Answers a valid depth request. */
  depth: (request: RestRequest, options: { symbol: string; limit: number }) => RestAnswer | Promise<RestAnswer>;
};

/** Answers REST requests. */
export class BinanceRest {
  readonly #rules: BinanceRules;
  readonly #options: RestOptions;
  readonly #listings: Map<string, Listing>;
  readonly #used = new Map<string, Window>();

  constructor(rules: BinanceRules, options: RestOptions) {
    this.#rules = rules;
    this.#options = options;
    this.#listings = new Map(options.listings.map((listing) => [listing.native, listing]));
  }

  /** Native symbols that are listed. */
  get symbols(): readonly string[] {
    return [...this.#listings.keys()];
  }

  /** Lists an instrument otherwise. */
  relist(listing: Listing): void {
    this.#listings.set(listing.native, listing);
  }

  /** What a request asks for. */
  about({ path, query }: RestRequest): RestAbout {
    const kind = path.endsWith("/depth") ? "depth" : path.endsWith("/exchangeInfo") ? "metadata" : "other";
    return kind === "other" ? REST_OTHER : { kind, symbol: query.get("symbol") ?? "" };
  }

  /** Answers one request; depth may be held. */
  answer(request: RestRequest): RestAnswer | Promise<RestAnswer> {
    const used = this.#used.get(request.remote) ?? new Window(this.#rules.weightPerMinute, MINUTE_MS);
    this.#used.set(request.remote, used);
    const atMs = this.#options.now();
    const isWithin = used.take(this.#weight(request), atMs);
    const headers = { "X-MBX-USED-WEIGHT-1M": String(used.used) };
    if (!isWithin) {
      const msg = `Too much request weight used; current limit is ${this.#rules.weightPerMinute} request weight per 1 MINUTE. Please use WebSocket Streams for live updates to avoid polling the API.`;
      return jsonAnswer(429, { code: -1003, msg }, { ...headers, "Retry-After": String(used.retryAfter(atMs)) });
    }
    const answer =
      request.method === "GET"
        ? this.#route(request, atMs)
        : jsonAnswer(405, { code: -1000, msg: "Method not allowed" });
    return answer instanceof Promise
      ? answer.then((held) => ({ ...held, headers: { ...held.headers, ...headers } }))
      : { ...answer, headers: { ...answer.headers, ...headers } };
  }

  #weight({ path, query }: RestRequest): number {
    if (path.endsWith("/exchangeInfo")) {
      return this.#rules.metadataWeight;
    }
    if (!path.endsWith("/depth")) {
      return 1;
    }
    const limit = Number(query.get("limit") ?? LIMIT_DEFAULT);
    const row = this.#rules.depthWeights.find(([most]) => limit <= most) ?? this.#rules.depthWeights.at(-1);
    return row?.[1] ?? 1;
  }

  #route(request: RestRequest, atMs: number): RestAnswer | Promise<RestAnswer> {
    switch (request.path) {
      case "/api/v3/ping":
        return jsonAnswer(200, {});
      case "/api/v3/time":
        return jsonAnswer(200, { serverTime: Math.floor(atMs) });
      case "/api/v3/exchangeInfo":
        return this.#metadata(request.query, atMs);
      case "/api/v3/depth":
      case "/api/v1/depth":
        return this.#depth(request);
      default:
        return jsonAnswer(404, { code: -1000, msg: "Not found" });
    }
  }

  #depth(request: RestRequest): RestAnswer | Promise<RestAnswer> {
    const { query } = request;
    const symbol = query.get("symbol");
    const limit = query.get("limit") ?? String(LIMIT_DEFAULT);
    if (symbol === null || symbol === "") {
      return jsonAnswer(400, {
        code: -1102,
        msg: "Mandatory parameter 'symbol' was not sent, was empty/null, or malformed.",
      });
    }
    if (!/^[0-9]{1,20}$/.test(limit) || Number(limit) === 0) {
      return jsonAnswer(400, {
        code: -1100,
        msg: "Illegal characters found in parameter 'limit'; legal range is '^[0-9]{1,20}$'.",
      });
    }
    return this.#listings.has(symbol)
      ? this.#options.depth(request, { symbol, limit: Math.min(Number(limit), LIMIT_MAX) })
      : invalidSymbol();
  }

  #metadata(query: URLSearchParams, atMs: number): RestAnswer {
    const asked = askedSymbols(query);
    const listings =
      asked === undefined ? [...this.#listings.values()] : asked.map((symbol) => this.#listings.get(symbol));
    const known = listings.filter((listing) => listing !== undefined);
    if (known.length < listings.length) {
      return invalidSymbol();
    }
    const weight = {
      rateLimitType: "REQUEST_WEIGHT",
      interval: "MINUTE",
      intervalNum: 1,
      limit: this.#rules.weightPerMinute,
    };
    return jsonAnswer(200, {
      timezone: "UTC",
      serverTime: Math.floor(atMs),
      rateLimits: [weight],
      exchangeFilters: [],
      symbols: known.map(symbolObject),
    });
  }
}

// `symbol=A` or `symbols=["A","B"]`; undefined for all, an unknown name where the parameter is no JSON.
function askedSymbols(query: URLSearchParams): string[] | undefined {
  const one = query.get("symbol");
  const several = query.get("symbols");
  if (several === null) {
    return one === null ? undefined : [one];
  }
  try {
    return textArray(JSON.parse(several)) ?? [""];
  } catch (cause) {
    if (cause instanceof SyntaxError) {
      return [""];
    }
    throw cause;
  }
}

function invalidSymbol(): RestAnswer {
  return jsonAnswer(400, { code: -1121, msg: "Invalid symbol." });
}
