/**
 * The faults of one world, as the checker sees them: whom each may disturb, how long, of which class it is, and what it
 * explains. Bad case: a fault that strikes much later than planned, because nothing came that it could strike; it is
 * entered when it strikes.
 */
import type { FaultEntry, FaultKind } from "../../src/emulator/mod.ts";
import { EXCHANGES } from "../../src/exchanges/mod.ts";
import type { ExchangeId } from "../../src/model/exchange_id.ts";
import { type FaultClass, type FaultFrame, faultClass } from "../../src/sync/fault_classes.ts";
import type { PlannedRule } from "./fault_plan.ts";

/** A fault that happened. */
export type Fault = {
  readonly kind: FaultKind | "worker_death";
  readonly exchange: ExchangeId;
  /** Native; empty: everything on the connection. */
  readonly native: string;
  readonly atMs: number;
  /** Until when it goes on by itself. */
  readonly untilMs: number;
  readonly class: FaultClass;
  readonly detail: string;
  /** Books that it may put out of sync: its own, or all. */
  readonly isWide: boolean;
  /** Repairs that it may force: each frame that a lasting one alters may defeat one. */
  readonly repairs: number;
  /** Books that it may put out of sync at all. */
  readonly mayUnsync: boolean;
  /** How much longer a book may be out of sync for it, ms. */
  readonly costMs: number;
};

/** Timers that bound a repair. */
export type RepairLimits = {
  readonly restTimeoutMs: number;
  readonly connectTimeoutMs: number;
  readonly refusedMs: number;
  readonly reconnectCapMs: number;
  readonly repairBaseMs: number;
  readonly repairCapMs: number;
  readonly healthyMs: number;
};

const UNREADABLE: readonly string[] = ["truncate", "corrupt_bit", "corrupt_byte"];
/** Until everybody knows, with retries that are spread. */
const REPAIR_MS = 6000;
/** A subscription stays silent until it is made again; a trade, a timer or the audit shows it. */
const SILENT_MS = 90_000;
/** Numbers that begin anew show with the next ones. */
const RESTART_MS = 60_000;
/** Faults are kept for so long as an explanation of something that is not right. */
export const EXPLAINS_MS = 200_000;

/** All faults of a world. */
export class FaultLedger {
  readonly all: Fault[] = [];
  readonly #rules: readonly PlannedRule[];
  readonly #depths: Readonly<Record<ExchangeId, number>>;
  readonly limits: RepairLimits;
  readonly #happened = new Set<number>();

  /** @param depths levels per side subscribed on each exchange; 0 = full */
  constructor(
    rules: readonly PlannedRule[],
    options: { depths: Readonly<Record<ExchangeId, number>>; limits: RepairLimits },
  ) {
    this.#rules = rules;
    this.#depths = options.depths;
    this.limits = options.limits;
  }

  /** A fault of the emulator's happened. */
  add(entry: FaultEntry): Fault {
    const { kind, exchange, instrument: native, atMs, detail } = entry;
    const rule = this.#rules[entry.rule];
    this.#happened.add(entry.rule);
    const lastsMs = lastingMs(rule);
    const fault: Fault = {
      kind,
      exchange,
      native,
      atMs,
      untilMs: atMs + lastsMs,
      class: this.#classOf(kind, exchange, rule),
      detail,
      isWide: native === "" || UNREADABLE.includes(kind),
      repairs: repairsOf(rule),
      mayUnsync: !kind.startsWith("rest_") || kind === "rest_stale",
      costMs: lastsMs + this.#costMs(kind, exchange),
    };
    this.all.push(fault);
    return fault;
  }

  /** A worker died. */
  death(exchange: ExchangeId, atMs: number, lastsMs: number): void {
    const untilMs = atMs + lastsMs;
    const rest = { native: "", detail: "", isWide: true, mayUnsync: true, repairs: 1, costMs: lastsMs + 20_000 };
    this.all.push({ kind: "worker_death", exchange, atMs, untilMs, class: "A", ...rest });
  }

  /** Faults that may explain why a book is not right. */
  touching(exchange: ExchangeId, native: string, sinceMs: number): Fault[] {
    return this.all.filter(
      (fault) => fault.exchange === exchange && fault.untilMs >= sinceMs && (fault.isWide || fault.native === native),
    );
  }

  /** Faults that may force a request to be made again: its own, and refusals that everybody meets. */
  forcing(exchange: ExchangeId, native: string, sinceMs: number): Fault[] {
    return this.delaying(exchange, sinceMs).filter(
      (fault) => fault.isWide || fault.native === native || fault.kind === "rest_429" || fault.kind === "rest_418",
    );
  }

  /** When a frame was last damaged so that its time may be another: before that nobody can tell how old a book is. */
  blindedAt(exchange: ExchangeId, native: string): number {
    const damaged = this.all.filter(
      (fault) => fault.exchange === exchange && fault.native === native && fault.kind.startsWith("corrupt_"),
    );
    return Math.max(Number.NEGATIVE_INFINITY, ...damaged.map(({ atMs }) => atMs));
  }

  /** How many audits may have failed for faults of REST, or because the worker died. */
  spoilingAudits(exchange: ExchangeId, sinceMs: number): number {
    const spoils = (kind: string): boolean => kind.startsWith("rest_") || kind === "worker_death";
    return this.delaying(exchange, sinceMs).filter(({ kind }) => spoils(kind)).length;
  }

  /** Whether a frame may be held back until the next one comes: such a fault is entered when it is over. */
  isHoldingBack(exchange: ExchangeId, native: string, sinceStartMs: number): boolean {
    return this.#rules.some(
      (rule, index) =>
        rule.kind === "reorder" &&
        rule.exchange === exchange &&
        rule.instrument === native &&
        Number(rule.at_ms) <= sinceStartMs &&
        !this.#happened.has(index),
    );
  }

  /** Faults that may make a repair take longer, whosever they are. */
  delaying(exchange: ExchangeId, sinceMs: number): Fault[] {
    return this.all.filter((fault) => fault.exchange === exchange && fault.untilMs >= sinceMs);
  }

  #classOf(kind: FaultKind, exchange: ExchangeId, rule: PlannedRule | undefined): FaultClass {
    const [frame] = (rule?.frames as FaultFrame[] | undefined) ?? [];
    const part = rule?.where as "any" | "top" | "deep" | undefined;
    const where = { depth: this.#depths[exchange], ...(frame === undefined ? {} : { frame }) };
    return faultClass(kind, exchange, part === undefined ? where : { ...where, part }).class;
  }

  #costMs(kind: FaultKind, exchange: ExchangeId): number {
    const { idleMs, ackMs, firstDataMs } = EXCHANGES[exchange].header.timing;
    const { restTimeoutMs, connectTimeoutMs, refusedMs } = this.limits;
    const again = ackMs + firstDataMs + REPAIR_MS;
    switch (kind) {
      case "half_open":
      case "silence":
        return again + idleMs;
      case "rest_timeout":
      case "rest_slow":
        return again + restTimeoutMs;
      case "connect_silent":
        return again + connectTimeoutMs;
      case "checksum_zero":
      case "drift_renamed":
      case "drift_retyped":
        return again + refusedMs * 2;
      default:
        return again;
    }
  }
}

function lastingMs(rule: PlannedRule | undefined): number {
  const [forMs, forFrames, ms, retryS, perMs] = [
    rule?.for_ms,
    rule?.for_frames,
    rule?.ms,
    rule?.retry_after_s,
    rule?.per_ms,
  ].map((value) => (typeof value === "number" ? value : 0));
  if (rule?.kind === "silent_subscription") {
    return SILENT_MS;
  }
  if (rule?.kind === "sequence_reset") {
    return RESTART_MS;
  }
  const closeAfterMs = typeof rule?.close_after_ms === "number" ? rule.close_after_ms : 0;
  return (forMs ?? 0) + (forFrames ?? 0) * 8000 + (ms ?? 0) + (retryS ?? 0) * 1000 + (perMs ?? 0) + closeAfterMs;
}

/** How many repairs a fault may defeat: one, and as many more as it lasts. */
function repairsOf(rule: PlannedRule | undefined): number {
  if (typeof rule?.for_frames === "number") {
    return rule.for_frames;
  }
  return typeof rule?.for_ms === "number" ? 2 : 1;
}
