/**
 * REST of Binance and Binance.US: ping, time, metadata and depth, each with its weight. Beyond the weight of a minute
 * every request is answered 429 with `Retry-After`. Bad case: a client that goes on regardless; it is banned with 418,
 * for two minutes at first and twice as long each time, up to three days.
 */
import { symbolObject } from "./binance_frames.ts";
import type { BinanceRules } from "./binance_rules.ts";
import type { Listing } from "./instruments.ts";
import { jsonAnswer, REST_OTHER, type RestAbout, type RestAnswer, type RestRequest } from "./protocol.ts";
import { Window } from "./rate_limit.ts";
import { textArray } from "./text.ts";

const MINUTE_MS = 60_000;
/** Refused requests that are forgiven before a ban. */
const REFUSED_MAX = 10;
const BAN_MS = 2 * MINUTE_MS;
const BAN_MS_MAX = 3 * 24 * 60 * MINUTE_MS;
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
  readonly #clients = new Map<string, Client>();

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
    const { weightPerMinute } = this.#rules;
    const client = this.#clients.get(request.remote) ?? new Client(weightPerMinute);
    this.#clients.set(request.remote, client);
    const atMs = this.#options.now();
    const refused = client.refusal(this.#weight(request), atMs);
    const headers = { "X-MBX-USED-WEIGHT-1M": String(client.used) };
    if (refused !== undefined) {
      const { status, retryAfterS } = refused;
      const msg =
        status === 429
          ? `Too much request weight used; current limit is ${weightPerMinute} request weight per 1 MINUTE. Please use WebSocket Streams for live updates to avoid polling the API.`
          : `Way too much request weight used; IP banned until ${atMs + retryAfterS * 1000}. Please use WebSocket Streams for live updates to avoid bans.`;
      return jsonAnswer(status, { code: -1003, msg }, { ...headers, "Retry-After": String(retryAfterS) });
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

/** What one address has asked for. */
class Client {
  readonly #window: Window;
  #refused = 0;
  #bannedUntilMs = 0;
  #banMs = BAN_MS;

  constructor(weightPerMinute: number) {
    this.#window = new Window(weightPerMinute, MINUTE_MS);
  }

  /** Weight used in this minute. */
  get used(): number {
    return this.#window.used;
  }

  /** Counts a request. @returns undefined when it may be answered */
  refusal(weight: number, atMs: number): { status: 429 | 418; retryAfterS: number } | undefined {
    const isWithin = this.#window.take(weight, atMs);
    if (atMs < this.#bannedUntilMs) {
      return this.#banned(atMs);
    }
    if (isWithin) {
      this.#refused = 0;
      return undefined;
    }
    this.#refused += 1;
    if (this.#refused <= REFUSED_MAX) {
      return { status: 429, retryAfterS: this.#window.retryAfter(atMs) };
    }
    this.#refused = 0;
    this.#bannedUntilMs = atMs + this.#banMs;
    this.#banMs = Math.min(BAN_MS_MAX, 2 * this.#banMs);
    return this.#banned(atMs);
  }

  #banned(atMs: number): { status: 418; retryAfterS: number } {
    return { status: 418, retryAfterS: Math.ceil((this.#bannedUntilMs - atMs) / 1000) };
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
