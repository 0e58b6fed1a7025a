/**
 * Who may connect: keys, origins of pages, and how often and how much from one address. Everything is judged before the
 * upgrade, from the request alone; each refusal has an HTTP status, a reason in words, and a counter.
 * Bad case: a proxy in front that is not configured; all its clients share one address then, and its limits. A proxy that
 * is configured must overwrite X-Forwarded-For or append to it, as proxies do.
 */
import { createHash, timingSafeEqual } from "node:crypto";
import { BlockList } from "node:net";
import { ConfigError } from "../errors.ts";
import { isLoopback, networkOf, plainAddress, readNetwork } from "./addresses.ts";
import type { GatewayLimits } from "./limits.ts";
import { MessageCredit } from "./message_credit.ts";
import type { HttpRequest, RequestSource, TlsFiles, UpgradeRequest } from "./transport.ts";

/** A key that opens stream and REST. */
export type AccessKey = {
  /** Shown in logs and statistics instead of the key. */
  readonly name: string;
  readonly key: string;
};

/** Who may connect. */
export type AccessRules = {
  /** Empty = no key is needed. */
  readonly keys: readonly AccessKey[];
  /** Origins of pages beyond the gateway's own, e.g. `https://example.com`; `*` = any, `null` = local files. */
  readonly origins: readonly string[];
  /** Addresses or networks whose X-Forwarded-For is believed. */
  readonly proxies: readonly string[];
  /** Absent = plain HTTP and WebSocket. */
  readonly tls?: TlsFiles;
};

/** Why a request was refused: the first three to connect, `requests` and `full_books` to be answered, the others both. */
export const REFUSALS = [
  "connections",
  "address_connections",
  "address_attempts",
  "requests",
  "full_books",
  "origin",
  "key",
] as const;
/** A reason of a refusal. */
export type Refusal = (typeof REFUSALS)[number];

/** Subprotocol by which a page gives its key: this and the key in base64url. */
export const KEY_SUBPROTOCOL = "alphapulse.key.";
const BEARER = /^bearer +/i;

/** What a request asks for: `open` needs no key; `change` alters what runs; `full_book` costs more than others. */
export type RequestKind = "open" | "read" | "change" | "full_book";

/** Why a request is not answered. `retryAfter`: seconds. */
export type RequestRefusal = {
  readonly code: Refusal;
  readonly status: number;
  readonly reason: string;
  readonly retryAfter?: number;
};

type Visitor = { connections: number; attempts: MessageCredit; requests: MessageCredit; fullBooks: MessageCredit };

/** Completes rules by the defaults. @throws ConfigError when a proxy is no address and no network */
export function accessRules(given: Partial<AccessRules> = {}): AccessRules {
  for (const proxy of given.proxies ?? []) {
    if (readNetwork(proxy) === undefined) {
      throw new ConfigError(`Cannot trust a proxy: it must be an address or a network, was ${proxy}`);
    }
  }
  return { keys: [], origins: [], proxies: [], ...given };
}

/** The rules at work. */
export class Access {
  /** Refusals since start, by reason. */
  readonly refusals: Record<Refusal, number> = {
    connections: 0,
    address_connections: 0,
    address_attempts: 0,
    requests: 0,
    full_books: 0,
    origin: 0,
    key: 0,
  };
  readonly #rules: AccessRules;
  readonly #limits: GatewayLimits;
  readonly #now: () => number;
  readonly #proxies = new BlockList();
  readonly #keyDigests: readonly Buffer[];
  /** By network, the one seen longest ago first. */
  readonly #visitors = new Map<string, Visitor>();

  constructor(rules: AccessRules, { limits, now }: { limits: GatewayLimits; now: () => number }) {
    this.#rules = rules;
    this.#limits = limits;
    this.#now = now;
    this.#keyDigests = rules.keys.map(({ key }) => digest(key));
    for (const network of rules.proxies.map(readNetwork)) {
      if (network !== undefined) {
        this.#proxies.addSubnet(network.address, network.bits, network.family);
      }
    }
  }

  /**
   * Judges a request to connect, and counts the attempt.
   * @param connected clients at the moment
   * @returns status and reason, undefined when it may connect
   */
  refuse(request: UpgradeRequest, connected: number): { status: number; body: string } | undefined {
    const { connectionsMax, connectionsPerAddressMax, attemptsPerAddressPerSecondMax } = this.#limits;
    const address = this.addressOf(request);
    const visitor = this.#visitor(address);
    if (!visitor.attempts.take(this.#now())) {
      return this.#refused("address_attempts", 429, `at most ${attemptsPerAddressPerSecondMax} attempts per second`);
    }
    if (visitor.connections >= connectionsPerAddressMax) {
      return this.#refused("address_connections", 429, `at most ${connectionsPerAddressMax} connections per address`);
    }
    if (connected >= connectionsMax) {
      return this.#refused("connections", 503, `the server takes ${connectionsMax} connections`);
    }
    if (!this.#isOriginAllowed(request)) {
      return this.#refused("origin", 403, `pages of this origin are not allowed, was ${request.origin.slice(0, 200)}`);
    }
    return this.#hasKey(request) ? undefined : this.#refused("key", 401, "a valid key is needed");
  }

  /**
   * Judges a plain request, and counts it. Changes need a key; when none is configured they are taken from this machine,
   * under a name of this machine, so that no page of another name can ask for them.
   * @returns undefined when it may be answered
   */
  refuseRequest(request: HttpRequest, kind: RequestKind): RequestRefusal | undefined {
    const { requestsPerAddressPerSecondMax, fullBooksPerAddressPerSecondMax } = this.#limits;
    const address = this.addressOf(request);
    const { requests, fullBooks } = this.#visitor(address);
    const nowMs = this.#now();
    if (!requests.take(nowMs)) {
      const reason = `at most ${requestsPerAddressPerSecondMax} requests per second from one address`;
      return this.#refusedRequest("requests", { status: 429, reason, retryAfter: requests.secondsUntilNext });
    }
    if (!this.#isOriginAllowed(request)) {
      const reason = `pages of this origin are not allowed, was ${request.origin.slice(0, 200)}`;
      return this.#refusedRequest("origin", { status: 403, reason });
    }
    if (kind !== "open" && !this.#hasKey(request)) {
      return this.#refusedRequest("key", { status: 401, reason: "a valid key is needed" });
    }
    if (kind === "change" && this.#keyDigests.length === 0 && !this.#isLocal(request)) {
      const reason = "changes are taken from this machine only, because no key is configured";
      return this.#refusedRequest("key", { status: 403, reason });
    }
    if (kind === "full_book" && !fullBooks.take(nowMs)) {
      const reason = `at most ${fullBooksPerAddressPerSecondMax} whole books per second to one address`;
      return this.#refusedRequest("full_books", { status: 429, reason, retryAfter: fullBooks.secondsUntilNext });
    }
    return undefined;
  }

  /** Pages of this origin may connect and read. */
  allowsOrigin(request: RequestSource): boolean {
    return this.#isOriginAllowed(request);
  }

  /** Addresses that are remembered. */
  get addresses(): number {
    return this.#visitors.size;
  }

  /** A client connected. @param address as `addressOf` gave it */
  opened(address: string): void {
    this.#visitor(address).connections += 1;
  }

  /** A client is gone. */
  closed(address: string): void {
    const visitor = this.#visitors.get(networkOf(address));
    if (visitor !== undefined && visitor.connections > 0) {
      visitor.connections -= 1;
    }
  }

  /** The client's own address: the peer's, or what trusted proxies say of it. */
  addressOf({ address, forwardedFor }: RequestSource): string {
    let nearest = plainAddress(address);
    const before = forwardedFor.split(",").map((part) => plainAddress(part.trim()));
    while (this.#isProxy(nearest)) {
      const next = before.pop();
      if (next === undefined || readNetwork(next) === undefined) {
        return nearest;
      }
      nearest = next;
    }
    return nearest;
  }

  #refused(why: Refusal, status: number, reason: string): { status: number; body: string } {
    this.refusals[why] += 1;
    return { status, body: `Cannot connect: ${reason}` };
  }

  #refusedRequest(code: Refusal, refusal: Omit<RequestRefusal, "code">): RequestRefusal {
    this.refusals[code] += 1;
    return { code, ...refusal };
  }

  #isLocal(request: RequestSource): boolean {
    const host = `http://${request.host}`;
    return isLoopback(this.addressOf(request)) && URL.canParse(host) && isLoopback(new URL(host).hostname);
  }

  #isProxy(address: string): boolean {
    return this.#proxies.check(address, address.includes(":") ? "ipv6" : "ipv4");
  }

  #isOriginAllowed(request: RequestSource): boolean {
    const { origin, host } = request;
    const { origins } = this.#rules;
    if (origin === "" || origins.includes("*") || origins.includes(origin)) {
      return true;
    }
    if (!URL.canParse(origin)) {
      return false;
    }
    const page = new URL(origin);
    return page.host === host.toLowerCase() || (isLoopback(page.hostname) && isLoopback(this.addressOf(request)));
  }

  /** Compares with every key, so that the time tells nothing. */
  #hasKey(request: RequestSource): boolean {
    if (this.#keyDigests.length === 0) {
      return true;
    }
    const given = digest(keyOf(request));
    return this.#keyDigests.reduce((found, known) => timingSafeEqual(known, given) || found, false);
  }

  #visitor(address: string): Visitor {
    const network = networkOf(address);
    const visitor = this.#visitors.get(network) ?? this.#visitorAt(this.#now());
    this.#visitors.delete(network);
    this.#visitors.set(network, visitor);
    if (this.#visitors.size > this.#limits.addressesMax) {
      this.#forgetOne();
    }
    return visitor;
  }

  #visitorAt(nowMs: number): Visitor {
    const credit = (perSecond: number) => new MessageCredit({ perSecond, nowMs });
    return {
      connections: 0,
      attempts: credit(this.#limits.attemptsPerAddressPerSecondMax),
      requests: credit(this.#limits.requestsPerAddressPerSecondMax),
      fullBooks: credit(this.#limits.fullBooksPerAddressPerSecondMax),
    };
  }

  /** Forgets whoever was seen longest ago and has no connection. */
  #forgetOne(): void {
    for (const [network, { connections }] of this.#visitors) {
      if (connections === 0) {
        this.#visitors.delete(network);
        return;
      }
    }
  }
}

/** The key of a request: header, subprotocol or query, in this order. */
function keyOf({ authorization, apiKey, query, ...rest }: RequestSource & { protocols?: readonly string[] }): string {
  if (BEARER.test(authorization)) {
    return authorization.replace(BEARER, "").trim();
  }
  if (apiKey !== "") {
    return apiKey;
  }
  const offered = rest.protocols?.find((name) => name.startsWith(KEY_SUBPROTOCOL));
  return offered === undefined
    ? (new URLSearchParams(query).get("key") ?? "")
    : Buffer.from(offered.slice(KEY_SUBPROTOCOL.length), "base64url").toString();
}

function digest(key: string): Buffer {
  return createHash("sha256").update(key).digest();
}
