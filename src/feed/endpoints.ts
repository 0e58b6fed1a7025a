/**
 * The addresses of one exchange and their circuit breakers, for all connections and the REST client of a collector together.
 * An address whose breaker is open is passed over for the next one. How they stand goes into the segment and the log.
 * Bad case: every address is open; nobody connects until the first of them is half-open, and books stay not synced.
 */
import {
  BREAKER_CLOSED,
  BREAKER_OPEN,
  ENDPOINT_REST,
  ENDPOINT_WEBSOCKET,
  FAILURE_NONE,
  FAILURE_STATUS,
} from "../../assembly/layout.ts";
import { FAILURE_WORDS, wordOf } from "../model/states.ts";
import type { EndpointEntry, EndpointName, EndpointTable } from "../segment/endpoints.ts";
import { Breaker, type BreakerAttempt, type BreakerLimits, type BreakerLook } from "../sync/mod.ts";
import { type FeedClock, wallNs } from "./clock.ts";
import type { Report } from "./collector_settings.ts";

/** What went wrong with an attempt. */
export type EndpointFailure = {
  /** FAILURE_* */
  readonly kind: number;
  /** HTTP status; absent = there was none. */
  readonly status?: number | undefined;
  /** What the endpoint asks for. */
  readonly restMs?: number | undefined;
};

/** An attempt at an endpoint. Its outcome is told once; later calls count for nothing. */
export type EndpointAttempt = {
  readonly url: string;
  readonly succeeded: () => void;
  readonly failed: (failure: EndpointFailure) => void;
  /** It says nothing about the endpoint. */
  readonly abandoned: () => void;
};

/** What endpoints are made from. */
export type EndpointsOptions = {
  /** Tried in turn. */
  readonly websocketUrls: readonly string[];
  readonly restUrl: string;
  readonly limits: BreakerLimits;
  /** How a predecessor left them. */
  readonly left: readonly EndpointEntry[];
  readonly clock: FeedClock;
  readonly random: () => number;
  /** Where it is shown. @param names in the order of the table's indexes */
  readonly table: (names: readonly EndpointName[]) => Pick<EndpointTable, "set">;
  readonly report: (report: Report) => void;
};

/** Failures in a row that open a breaker: a transient one, or a few connections' first ones, change nothing. */
const FAILURES_MAX = 5;
const WINDOW_MS = 60_000;
/** Books wait for REST to be repaired, and whoever asks spaces its own questions out: no longer than this unless demanded. */
const REST_CAP_MS = 5000;
const SHOWN_CHARACTERS_MAX = 180;

/** The limits that go with a collector's own. */
export function breakerLimits(limits: {
  readonly reconnectBaseMs: number;
  readonly reconnectCapMs: number;
  readonly healthyMs: number;
  readonly connectTimeoutMs: number;
  readonly restTimeoutMs: number;
}): BreakerLimits {
  return {
    failuresMax: FAILURES_MAX,
    windowMs: WINDOW_MS,
    baseMs: Math.min(2 * limits.reconnectBaseMs, limits.reconnectCapMs),
    capMs: limits.reconnectCapMs,
    healthyMs: limits.healthyMs,
    trialMs: 2 * Math.max(limits.connectTimeoutMs, limits.restTimeoutMs),
  };
}

/** The endpoints of one collector. Thread: the collector's. */
export class Endpoints {
  readonly #clock: FeedClock;
  readonly #report: (report: Report) => void;
  readonly #table: Pick<EndpointTable, "set">;
  readonly #websockets: readonly Endpoint[];
  readonly #rest: Endpoint;

  constructor(options: EndpointsOptions) {
    const { websocketUrls, restUrl, limits, left, clock, random, table, report } = options;
    this.#clock = clock;
    this.#report = report;
    const addresses = shownAddresses([...websocketUrls, restUrl]);
    const make = (url: string, index: number, own: BreakerLimits) =>
      new Endpoint(url, addresses[index] ?? "", new Breaker(own, { random, at: this.#now() }));
    this.#websockets = websocketUrls.map((url, index) => make(url, index, limits));
    const restLimits = { ...limits, capMs: Math.min(limits.capMs, REST_CAP_MS) };
    this.#rest = make(restUrl, websocketUrls.length, restLimits);
    this.#takeOver(left);
    this.#table = table([
      ...this.#websockets.map(({ address }) => ({ kind: ENDPOINT_WEBSOCKET, address })),
      { kind: ENDPOINT_REST, address: this.#rest.address },
    ]);
    this.tick();
  }

  /**
   * Begins a connection at the first address from a place on that may be tried, round and round.
   * @param turn any whole number
   * @returns undefined when none may be tried now; `turn`: what to begin with next time
   */
  connect(turn: number): { readonly attempt: EndpointAttempt; readonly turn: number } | undefined {
    const count = this.#websockets.length;
    for (let step = 0; step < count; step++) {
      const endpoint = this.#websockets[(turn + step) % count];
      const attempt = endpoint && this.#begin(endpoint);
      if (attempt !== undefined) {
        return { attempt, turn: turn + step + 1 };
      }
    }
    return undefined;
  }

  /** Whether a REST request may be sent now. */
  get admitsRest(): boolean {
    return this.#rest.breaker.admits(this.#now());
  }

  /** Begins a REST request. @returns undefined when none may be sent */
  request(): EndpointAttempt | undefined {
    return this.#begin(this.#rest);
  }

  /** Shows how they stand, and says what changed. */
  tick(): void {
    const at = this.#now();
    [...this.#websockets, this.#rest].forEach((endpoint, index) => {
      const look = endpoint.breaker.look(at);
      this.#tell(endpoint, look, at);
      if (endpoint.hasChanged(look)) {
        this.#table.set(index, {
          ...look,
          sinceNs: this.#wallNs(look.sinceMs),
          openUntilNs: look.openUntilMs === undefined ? 0n : this.#wallNs(look.openUntilMs),
          lastFailure: endpoint.last.kind,
          lastStatus: endpoint.last.status ?? 0,
        });
      }
    });
  }

  #takeOver(left: EndpointsOptions["left"]): void {
    const { anchorNs } = this.#clock;
    for (const endpoint of [...this.#websockets, this.#rest]) {
      const before = left.find(({ address }) => address === endpoint.address);
      if (before !== undefined) {
        endpoint.last = { kind: before.lastFailure, status: before.lastStatus };
        endpoint.breaker.holdUntil(Number(before.openUntilNs - anchorNs) / 1e6, this.#now());
      }
    }
  }

  #begin(endpoint: Endpoint): EndpointAttempt | undefined {
    const attempt = endpoint.breaker.begin(this.#now());
    return attempt && this.#watched(endpoint, attempt);
  }

  #watched(endpoint: Endpoint, attempt: BreakerAttempt): EndpointAttempt {
    return {
      url: endpoint.url,
      succeeded: () => attempt.succeeded(this.#now()),
      failed: (failure) => {
        const before = endpoint.breaker.look(this.#now()).failures;
        attempt.failed(this.#now(), { restMs: failure.restMs });
        if (endpoint.breaker.look(this.#now()).failures !== before) {
          endpoint.last = failure;
        }
      },
      abandoned: () => attempt.abandoned(),
    };
  }

  #tell(endpoint: Endpoint, look: BreakerLook, at: number): void {
    const { state, openings } = look;
    // One that was never shown was closed before, unless a predecessor left it open.
    const before = endpoint.shown ?? { state: BREAKER_CLOSED, openings };
    if (before.state === state && before.openings === openings) {
      return;
    }
    const { address } = endpoint;
    if (state === BREAKER_OPEN) {
      const restMs = Math.round((look.openUntilMs ?? at) - at);
      const text = `${address} is left alone for ${restMs} ms: its last failure was ${failureText(endpoint.last)}`;
      this.#report({ level: "warn", text, fields: { endpoint: address, breaker: "open" } });
    } else if (state === BREAKER_CLOSED) {
      this.#report({ level: "info", text: `${address} works again`, fields: { endpoint: address, breaker: "closed" } });
    } else {
      const text = `${address} may be tried once`;
      this.#report({ level: "info", text, fields: { endpoint: address, breaker: "half_open" } });
    }
  }

  #wallNs(ms: number): bigint {
    return wallNs(this.#clock, Math.max(0, Math.floor(ms * 1e6)));
  }

  #now(): number {
    return this.#clock.now() / 1e6;
  }
}

class Endpoint {
  readonly url: string;
  readonly address: string;
  readonly breaker: Breaker;
  last: EndpointFailure = { kind: FAILURE_NONE };
  shown: BreakerLook | undefined;

  constructor(url: string, address: string, breaker: Breaker) {
    this.url = url;
    this.address = address;
    this.breaker = breaker;
  }

  /** Whether it differs from what is shown; from now on that is shown. */
  hasChanged(look: BreakerLook): boolean {
    const before = this.shown;
    this.shown = look;
    return (
      before === undefined ||
      before.state !== look.state ||
      before.attempts !== look.attempts ||
      before.failures !== look.failures ||
      before.openings !== look.openings ||
      before.openUntilMs !== look.openUntilMs
    );
  }
}

/** Without name, password, query and fragment, because people see them; those that are alike then are numbered. */
function shownAddresses(urls: readonly string[]): string[] {
  const plain = urls.map((url) => {
    const { protocol, host, pathname } = new URL(url);
    return `${protocol}//${host}${pathname}`.slice(0, SHOWN_CHARACTERS_MAX);
  });
  return plain.map((address, index) => {
    const twins = plain.slice(0, index).filter((other) => other === address).length;
    return twins === 0 ? address : `${address} #${twins + 1}`;
  });
}

function failureText({ kind, status }: EndpointFailure): string {
  return kind === FAILURE_STATUS ? `status ${status}` : wordOf(FAILURE_WORDS, kind).replaceAll("_", " ");
}
