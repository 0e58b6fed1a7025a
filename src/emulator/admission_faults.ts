/**
 * Faults at the door: attempts to connect that are refused or left without an answer, and the limits on attempts that
 * the exchanges document. Bad case: everybody shares one address; limits count per address, as they do in the world.
 * @see exchange documentation on connection limits (read 2026-11)
 */
import type { ExchangeId } from "../model/exchange_id.ts";
import type { Clock } from "./clock.ts";
import type { FaultJournal } from "./fault_journal.ts";
import { FAULT_KINDS } from "./fault_kinds.ts";
import { OccasionLog, type Trigger } from "./fault_trigger.ts";

/** What happens to an attempt to connect. */
export type Verdict =
  | { readonly is: "accepted" }
  | { readonly is: "refused"; readonly status: number; readonly retryAfterS?: number }
  | { readonly is: "unanswered" };

/** What the door needs. */
export type AdmissionOptions = {
  readonly clock: Clock;
  readonly seed: number;
  readonly journal: FaultJournal;
  readonly triggersOf: (exchange: ExchangeId) => readonly Trigger[];
};

/** A span in which everybody is refused, Unix milliseconds. */
export type Span = { readonly fromMs: number; readonly untilMs: number };

type Limit = { readonly attempts: number; readonly perMs: number; readonly banMs: number };

const MINUTE_MS = 60_000;
const TOO_MANY = 429;
const UNAVAILABLE = 503;
/** Coinbase: 8 a second, 20 at once. Kraken: about 150 in 10 minutes, then a ban of 10. Binance: 300 in 5 minutes. */
const LIMITS: Readonly<Record<ExchangeId, Limit>> = {
  coinbase_exchange: { attempts: 20, perMs: 2_500, banMs: 0 },
  kraken: { attempts: 150, perMs: 10 * MINUTE_MS, banMs: 10 * MINUTE_MS },
  binance: { attempts: 300, perMs: 5 * MINUTE_MS, banMs: 0 },
  binance_us: { attempts: 300, perMs: 5 * MINUTE_MS, banMs: 0 },
};

/** The door of every exchange. */
export class AdmissionFaults {
  readonly #options: AdmissionOptions;
  readonly #occasions = new Map<ExchangeId, OccasionLog>();
  readonly #attempts = new Map<string, number[]>();
  readonly #bannedUntilMs = new Map<string, number>();
  readonly #closed = new Map<ExchangeId, Span>();
  readonly #numbers = new Map<ExchangeId, number>();

  constructor(options: AdmissionOptions) {
    this.#options = options;
  }

  /** What happens to an attempt. @param remote address of the client */
  judge(exchange: ExchangeId, remote: string): Verdict {
    const atMs = this.#options.clock.now();
    const number = this.#numbers.get(exchange) ?? 0;
    this.#numbers.set(exchange, number + 1);
    const span = this.#closed.get(exchange);
    if (span !== undefined && atMs >= span.fromMs && atMs < span.untilMs) {
      return { is: "refused", status: UNAVAILABLE };
    }
    for (const trigger of this.#options.triggersOf(exchange)) {
      const verdict = this.#suffer(trigger, { exchange, remote, atMs });
      if (verdict !== undefined) {
        const { kind, index: rule } = trigger.rule;
        const detail = verdict.is === "refused" ? `refused with ${verdict.status}` : "unanswered";
        this.#options.journal.add({ kind, exchange, instrument: "", connection: 0, frame: number, atMs, rule, detail });
        return verdict;
      }
    }
    return { is: "accepted" };
  }

  /** Refuses everybody for a time. */
  refuse(exchange: ExchangeId, span: Span): void {
    this.#closed.set(exchange, span);
  }

  #suffer(trigger: Trigger, { exchange, remote, atMs }: Attempt): Verdict | undefined {
    const { rule } = trigger;
    if (rule.kind === "connection_limit") {
      return trigger.isHolding(atMs) ? this.#limit(trigger, { exchange, remote, atMs }) : undefined;
    }
    if (FAULT_KINDS[rule.kind].scope !== "connect" || !trigger.isDue(atMs, this.#occasionsOf(exchange).of(trigger))) {
      return undefined;
    }
    trigger.spend(atMs);
    return rule.kind === "connect_silent"
      ? { is: "unanswered" }
      : { is: "refused", status: rule.options.status ?? UNAVAILABLE };
  }

  #occasionsOf(exchange: ExchangeId): OccasionLog {
    const log = this.#occasions.get(exchange) ?? new OccasionLog(this.#options.seed, `${exchange}:door`);
    this.#occasions.set(exchange, log);
    return log;
  }

  #limit({ rule }: Trigger, { exchange, remote, atMs }: Attempt): Verdict | undefined {
    const documented = LIMITS[exchange];
    const { attempts = documented.attempts, per_ms: perMs = documented.perMs } = rule.options;
    const { ban_ms: banMs = documented.banMs } = rule.options;
    const key = `${rule.index} ${exchange} ${remote}`;
    const past = (this.#attempts.get(key) ?? []).filter((one) => atMs - one < perMs);
    const isBanned = atMs < (this.#bannedUntilMs.get(key) ?? 0);
    this.#attempts.set(key, isBanned ? past : [...past, atMs]);
    if (!isBanned && past.length < attempts) {
      return undefined;
    }
    if (!isBanned && banMs > 0) {
      this.#bannedUntilMs.set(key, atMs + banMs);
    }
    const untilMs = Math.max(this.#bannedUntilMs.get(key) ?? 0, (past[0] ?? atMs) + perMs);
    return { is: "refused", status: TOO_MANY, retryAfterS: Math.max(1, Math.ceil((untilMs - atMs) / 1000)) };
  }
}

type Attempt = { exchange: ExchangeId; remote: string; atMs: number };
