/**
 * REST requests within an exchange's budget: a queue by weight, a timeout, a size limit. 429 and 418 silence the whole
 * client for as long as the exchange asks; nothing is retried here, the asker decides. Driven by `tick`, so that a test
 * holds the clock. Bad case: a body that trickles; the timeout covers the whole answer.
 */
import { ConnectionError } from "../errors.ts";
import type { Rate, RestRequest } from "../exchanges/mod.ts";
import { RateWindow } from "./rate_window.ts";

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

const SILENCE_MS: Readonly<Record<number, number>> = { 418: 120_000, 429: 60_000 };

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
  #silentUntil = Number.NEGATIVE_INFINITY;

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
    while (at >= this.#silentUntil) {
      const next = this.#next(at);
      if (next === undefined) {
        return;
      }
      this.#fetch(next).then(next.resolve, next.reject);
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
    for (const controller of this.#underWay) {
      controller.abort();
    }
    for (const { reject, request } of [...this.#queue, ...this.#audits]) {
      reject(new ConnectionError(`Cannot get ${request.path}: the collector stops, was waiting`));
    }
    this.#queue = [];
    this.#audits = [];
  }

  async #fetch({ request: { path }, isAudit }: Waiting): Promise<Uint8Array> {
    const { baseUrl, timeoutMs, fetch, onBody, onCount, onDate, now } = this.#options;
    const askedAtMs = now();
    const url = baseUrl.replace(/\/$/, "") + path;
    onCount?.("request");
    const controller = new AbortController();
    const expire = () => controller.abort(new Error(`timeout of ${timeoutMs} ms`));
    const cancel = this.#setTimer(expire, timeoutMs);
    this.#underWay.add(controller);
    try {
      const response = await fetch(url, {
        signal: controller.signal,
        headers: { accept: "application/json", "user-agent": "alphapulse" },
      });
      onDate?.(response.headers.get("date"), askedAtMs);
      if (!response.ok) {
        throw new ConnectionError(`Cannot get ${url}: ${await this.#refusal(response)}, was status ${response.status}`);
      }
      const body = await this.#body(response, url);
      if (!isAudit) {
        onBody?.(url, body);
      }
      return body;
    } catch (cause) {
      onCount?.("failure");
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

  /** Reads what a refusal says, and falls silent when the exchange asks for it. */
  async #refusal(response: Response): Promise<string> {
    const silence = SILENCE_MS[response.status];
    if (silence !== undefined) {
      const seconds = Number(response.headers.get("retry-after"));
      this.#silentUntil = this.#options.now() + (seconds > 0 ? seconds * 1000 : silence);
    }
    const text = await response.text();
    return text.slice(0, 200) || "no body";
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
