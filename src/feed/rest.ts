/**
 * REST requests within an exchange's budget: a queue by weight, a timeout, a size limit. While its endpoint's breaker is
 * open everything waits; 429 and 418 open it for as long as the exchange asks. Nothing is retried here, the asker decides. Driven by `tick`, so that a test
 * holds the clock. Bad case: a body that trickles; the timeout covers the whole answer.
 */
import { FAILURE_STATUS, FAILURE_TIMEOUT, FAILURE_UNREACHABLE } from "../../assembly/layout.ts";
import { ConnectionError } from "../errors.ts";
import type { Rate, RestRequest } from "../exchanges/mod.ts";
import type { EndpointAttempt, Endpoints } from "./endpoints.ts";
import { RateWindow } from "./rate_window.ts";
import { demandedRestMs, retryAfterMs } from "./retry_after.ts";

/** `fetch`, or something like it in a test. */
export type Fetch = (
  url: string,
  options: { signal: AbortSignal; headers: Record<string, string> },
) => Promise<Response>;

/** Runs a task once after so many ms. @returns cancels it */
export type SetTimer = (task: () => void, ms: number) => () => void;

/** What a client is built from. */
export type RestClientOptions = {
  /** Base URL without a trailing slash. */
  readonly baseUrl: string;
  readonly endpoints: Pick<Endpoints, "admitsRest" | "request">;
  readonly budget: Rate;
  /** The part of the budget that audits may spend; all of it unless given. */
  readonly auditBudget?: Rate;
  readonly timeoutMs: number;
  readonly bodyBytesMax: number;
  readonly fetch: Fetch;
  /** Monotonic ms. */
  readonly now: () => number;
  /** Runs a task after so many ms unless it is cancelled; the system's timer unless given. */
  readonly setTimer?: SetTimer;
  /** Called with the URL and the body of every answer that is taken, but for audits: a recording is no place for them. */
  readonly onBody?: (url: string, body: Uint8Array) => void;
  readonly onCount?: (what: "request" | "failure") => void;
  /** An answer came. @param date its `date` header @param askedAtMs by `now` */
  readonly onDate?: (date: string | null, askedAtMs: number) => void;
};

type Waiting = {
  readonly request: RestRequest;
  readonly isAudit: boolean;
  readonly isWanted: () => boolean;
  readonly resolve: (body: Uint8Array) => void;
  readonly reject: (error: ConnectionError) => void;
};

/** The endpoint turns us away, whatever is asked; other refusals are about the request. */
const TURNS_AWAY = [403, 418, 429, 451];
const SERVER_FAILURE = 500;
/** Of a refusal's body, so much is told; a character has at most four bytes. */
const REASON_CHARACTERS_MAX = 200;
const REASON_BYTES_MAX = 4 * REASON_CHARACTERS_MAX;

/** The REST client of one collector. */
export class RestClient {
  readonly #options: RestClientOptions;
  readonly #window: RateWindow;
  readonly #auditWindow: RateWindow;
  readonly #setTimer: SetTimer;
  /** Requests under way. Not AbortSignal.any: Node 20 may collect it before its timeout fires. */
  readonly #underWay = new Set<AbortController>();
  #queue: Waiting[] = [];
  #audits: Waiting[] = [];
  #hasStopped = false;

  constructor(options: RestClientOptions) {
    this.#options = options;
    this.#window = new RateWindow(options.budget);
    this.#auditWindow = new RateWindow(options.auditBudget ?? options.budget);
    this.#setTimer = options.setTimer ?? systemTimer;
  }

  /** Requests waiting for the budget. */
  get length(): number {
    return this.#queue.length + this.#audits.length;
  }

  /**
   * Gets a body as soon as the budget allows.
   * @param options.isAudit it gives way to everything else, and spends no more than the audits' part of the budget
   * @param options.isWanted asked when its turn comes; a request that waited too long is not sent
   * @throws ConnectionError when it fails: no connection, a status other than 2xx, too large, timeout, stopped
   */
  get(request: RestRequest, options: { isAudit?: boolean; isWanted?: () => boolean } = {}): Promise<Uint8Array> {
    const { isAudit = false, isWanted = () => true } = options;
    const queue = isAudit ? this.#audits : this.#queue;
    const answer = new Promise<Uint8Array>((resolve, reject) =>
      queue.push({ request, isAudit, isWanted, resolve, reject }),
    );
    this.tick();
    return answer;
  }

  /** Starts what the budget allows by now. */
  tick(): void {
    const at = this.#options.now();
    this.#queue = this.#queue.filter(isStillWanted);
    this.#audits = this.#audits.filter(isStillWanted);
    while (this.#options.endpoints.admitsRest) {
      const next = this.#next(at);
      const attempt = next && this.#options.endpoints.request();
      if (next === undefined || attempt === undefined) {
        return;
      }
      // One that tried for all lets the others go at once.
      void this.#fetch(next, attempt)
        .then(next.resolve, next.reject)
        .then(() => this.tick());
    }
  }

  /** What may start now. Audits wait as long as anything else does. */
  #next(at: number): Waiting | undefined {
    const [first] = this.#queue;
    if (first !== undefined) {
      return this.#window.take(at, first.request.weight) ? this.#queue.shift() : undefined;
    }
    const [audit] = this.#audits;
    const weight = audit?.request.weight ?? 0;
    if (audit === undefined || !this.#auditWindow.hasRoom(at, weight) || !this.#window.take(at, weight)) {
      return undefined;
    }
    this.#auditWindow.take(at, weight);
    return this.#audits.shift();
  }

  /** Ends all requests. */
  stop(): void {
    this.#hasStopped = true;
    for (const controller of this.#underWay) {
      controller.abort();
    }
    for (const { reject, request } of [...this.#queue, ...this.#audits]) {
      reject(new ConnectionError(`Cannot get ${request.path}: the collector stops, was waiting`));
    }
    this.#queue = [];
    this.#audits = [];
  }

  async #fetch({ request: { path }, isAudit }: Waiting, attempt: EndpointAttempt): Promise<Uint8Array> {
    const { baseUrl, timeoutMs, fetch, onBody, onCount, onDate, now } = this.#options;
    const askedAtMs = now();
    const url = baseUrl.replace(/\/$/, "") + path;
    onCount?.("request");
    const controller = new AbortController();
    let hasExpired = false;
    const expire = () => {
      hasExpired = true;
      controller.abort(new Error(`timeout of ${timeoutMs} ms`));
    };
    const cancel = this.#setTimer(expire, timeoutMs);
    this.#underWay.add(controller);
    try {
      const response = await fetch(url, {
        signal: controller.signal,
        headers: { accept: "application/json", "user-agent": "alphapulse" },
      });
      onDate?.(response.headers.get("date"), askedAtMs);
      if (!response.ok) {
        note(response, attempt);
        const text = (await beginningOf(response)) || "no body";
        throw new ConnectionError(`Cannot get ${url}: ${text}, was status ${response.status}`);
      }
      const body = await this.#body(response, url);
      attempt.succeeded();
      if (!isAudit) {
        onBody?.(url, body);
      }
      return body;
    } catch (cause) {
      onCount?.("failure");
      this.#noteFailure(attempt, { cause, hasExpired });
      throw cause instanceof ConnectionError ? cause : this.#failure(url, cause);
    } finally {
      cancel();
      this.#underWay.delete(controller);
    }
  }

  #failure(url: string, cause: unknown): ConnectionError {
    const inner = cause instanceof Error && cause.cause instanceof Error ? `: ${cause.cause.message}` : "";
    const reason = cause instanceof Error ? `${cause.message}${inner}` : String(cause);
    return new ConnectionError(`Cannot get ${url}: ${reason}, was without an answer`, { cause });
  }

  /** A body above the limit, or our own end, says nothing about the endpoint. */
  #noteFailure(attempt: EndpointAttempt, { cause, hasExpired }: { cause: unknown; hasExpired: boolean }): void {
    if (this.#hasStopped) {
      attempt.abandoned();
    } else if (cause instanceof ConnectionError) {
      attempt.succeeded();
    } else {
      attempt.failed({ kind: hasExpired ? FAILURE_TIMEOUT : FAILURE_UNREACHABLE });
    }
  }

  async #body(response: Response, url: string): Promise<Uint8Array> {
    const { bodyBytesMax } = this.#options;
    const chunks: Uint8Array[] = [];
    let bytes = 0;
    for await (const chunk of response.body ?? []) {
      chunks.push(chunk);
      bytes += chunk.length;
      if (bytes > bodyBytesMax) {
        throw new ConnectionError(`Cannot get ${url}: the body has more than ${bodyBytesMax} bytes, was ${bytes}`);
      }
    }
    return Buffer.concat(chunks);
  }
}

/** What a status other than 2xx says about the endpoint: one that was about the request shows that it works. */
function note({ status, headers }: Response, attempt: EndpointAttempt): void {
  if (status < SERVER_FAILURE && !TURNS_AWAY.includes(status)) {
    attempt.succeeded();
    return;
  }
  const saidMs = retryAfterMs(headers.get("retry-after"), headers.get("date"));
  attempt.failed({ kind: FAILURE_STATUS, status, restMs: demandedRestMs(status, saidMs) });
}

/** What a refusal says of its reason; the rest of it is not read, however long it is. */
async function beginningOf({ body }: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of body ?? []) {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes >= REASON_BYTES_MAX) {
      break;
    }
  }
  return Buffer.concat(chunks).toString("utf8").slice(0, REASON_CHARACTERS_MAX);
}

/** A request that nobody waits for any more is refused instead of sent. */
function isStillWanted({ isWanted, reject, request }: Waiting): boolean {
  const isKept = isWanted();
  if (!isKept) {
    reject(new ConnectionError(`Cannot get ${request.path}: nobody wants it any more, was waiting for its turn`));
  }
  return isKept;
}

function systemTimer(task: () => void, ms: number): () => void {
  const timer = setTimeout(task, ms);
  return () => clearTimeout(timer);
}
