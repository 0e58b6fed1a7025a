/**
 * Faults of REST answers: slow, stale, wrong, cut or missing, and the refusals of an exchange that is asked too much.
 * Bad case: a request that was refused with 429 and comes again at once; it is refused again until `Retry-After` is over.
 */
import type { ExchangeId } from "../model/exchange_id.ts";
import type { Clock } from "./clock.ts";
import type { FaultJournal } from "./fault_journal.ts";
import { FAULT_KINDS } from "./fault_kinds.ts";
import type { FaultRule } from "./fault_script.ts";
import { OccasionLog, type Trigger } from "./fault_trigger.ts";
import type { RestAbout, RestAnswer, RestRequest, TrueEvent } from "./protocol.ts";

/** What becomes of a request. */
export type RestOutcome =
  | { readonly is: "answered"; readonly answer: RestAnswer }
  /** The whole length is announced, then the connection ends after so many bytes. */
  | { readonly is: "cut"; readonly answer: RestAnswer; readonly bytes: number }
  | { readonly is: "unanswered" };

/** What the faults need. */
export type RestFaultsOptions = {
  readonly clock: Clock;
  readonly seed: number;
  readonly journal: FaultJournal;
  readonly triggersOf: (exchange: ExchangeId) => readonly Trigger[];
  /** Whether the book of so long ago is known and another than today's. */
  readonly isOlder: (exchange: ExchangeId, symbol: string, ageMs: number) => boolean;
  /** The last event of a book, now or so long ago. */
  readonly eventOf: (exchange: ExchangeId, symbol: string, ageMs: number) => TrueEvent | undefined;
};

/** A request and who answers it. */
export type RestCase = {
  readonly exchange: ExchangeId;
  readonly about: RestAbout;
  readonly request: RestRequest;
  /** The honest answer. */
  readonly answer: (request: RestRequest) => Promise<RestAnswer>;
};

const ERROR_BODIES: Readonly<Record<ExchangeId, string>> = {
  coinbase_exchange: '{"message":"Internal server error"}',
  kraken: '{"error":["EService:Unavailable"]}',
  binance: '{"code":-1001,"msg":"Internal error; unable to process your request. Please try again."}',
  binance_us: '{"code":-1001,"msg":"Internal error; unable to process your request. Please try again."}',
};
const LIMIT_BODIES: Readonly<Record<ExchangeId, string>> = {
  coinbase_exchange: '{"message":"Public rate limit exceeded"}',
  kraken: '{"error":["EGeneral:Too many requests"]}',
  binance: '{"code":-1003,"msg":"Way too much request weight used; IP banned until later."}',
  binance_us: '{"code":-1003,"msg":"Way too much request weight used; IP banned until later."}',
};

/** The REST faults of every exchange. */
export class RestFaults {
  readonly #options: RestFaultsOptions;
  readonly #occasions = new Map<ExchangeId, OccasionLog>();
  readonly #refused = new Map<ExchangeId, { status: number; untilMs: number }>();
  readonly #numbers = new Map<ExchangeId, number>();

  constructor(options: RestFaultsOptions) {
    this.#options = options;
  }

  /** Answers a request, or lets a fault happen to it. */
  async serve(one: RestCase): Promise<RestOutcome> {
    const { exchange, about } = one;
    const atMs = this.#options.clock.now();
    const number = this.#numbers.get(exchange) ?? 0;
    this.#numbers.set(exchange, number + 1);
    const refused = this.#refusal(exchange, atMs);
    if (refused !== undefined) {
      return { is: "answered", answer: refused };
    }
    const trigger = this.#options.triggersOf(exchange).find((other) => this.#strikes(other, one, atMs));
    if (trigger === undefined) {
      return { is: "answered", answer: await one.answer(one.request) };
    }
    const { kind, index: rule, options } = trigger.rule;
    trigger.spend(atMs);
    const { symbol } = about;
    const entry = { kind, exchange, instrument: symbol, connection: 0, frame: number, atMs, rule };
    const event = this.#options.eventOf(exchange, symbol, kind === "rest_stale" ? (options.age_ms ?? 0) : 0);
    const touched = event === undefined ? undefined : { symbol, event };
    this.#options.journal.add({ ...entry, detail: `${about.kind} ${one.request.path}` }, touched);
    return await this.#harm(trigger.rule, one);
  }

  #strikes(trigger: Trigger, { exchange, about }: RestCase, atMs: number): boolean {
    const { kind, requests = ["depth"], instruments, options } = trigger.rule;
    if (FAULT_KINDS[kind].scope !== "rest" || !requests.includes(about.kind)) {
      return false;
    }
    const isNamed = typeof instruments !== "object" || instruments.includes(about.symbol);
    const isPossible = kind !== "rest_stale" || this.#options.isOlder(exchange, about.symbol, options.age_ms ?? 0);
    return isNamed && isPossible && trigger.isDue(atMs, this.#occasionsOf(exchange).of(trigger));
  }

  #occasionsOf(exchange: ExchangeId): OccasionLog {
    const log = this.#occasions.get(exchange) ?? new OccasionLog(this.#options.seed, `${exchange}:rest`);
    this.#occasions.set(exchange, log);
    return log;
  }

  async #harm({ kind, options }: FaultRule, { exchange, request, answer }: RestCase): Promise<RestOutcome> {
    switch (kind) {
      case "rest_slow": {
        const honest = await answer(request);
        await this.#wait(options.ms ?? 0);
        return { is: "answered", answer: honest };
      }
      case "rest_stale":
        return { is: "answered", answer: await answer({ ...request, agedMs: options.age_ms ?? 0 }) };
      case "rest_timeout":
        return { is: "unanswered" };
      case "rest_truncated":
        return halved(await answer(request), options.abrupt ?? false);
      case "rest_error":
        return { is: "answered", answer: { status: options.status ?? 503, body: ERROR_BODIES[exchange] } };
      default: {
        const status = kind === "rest_429" ? 429 : 418;
        const atMs = this.#options.clock.now();
        this.#refused.set(exchange, { status, untilMs: atMs + (options.retry_after_s ?? 1) * 1000 });
        return { is: "answered", answer: this.#refusal(exchange, atMs) ?? { status, body: LIMIT_BODIES[exchange] } };
      }
    }
  }

  #refusal(exchange: ExchangeId, atMs: number): RestAnswer | undefined {
    const refused = this.#refused.get(exchange);
    if (refused === undefined || atMs >= refused.untilMs) {
      return undefined;
    }
    const headers = { "Retry-After": String(Math.ceil((refused.untilMs - atMs) / 1000)) };
    return { status: refused.status, body: LIMIT_BODIES[exchange], headers };
  }

  #wait(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.#options.clock.setTimer(resolve, ms);
    });
  }
}

function halved(answer: RestAnswer, isAbrupt: boolean): RestOutcome {
  const half = Math.floor(answer.body.length / 2);
  return isAbrupt
    ? { is: "cut", answer, bytes: half }
    : { is: "answered", answer: { ...answer, body: answer.body.slice(0, half) } };
}
