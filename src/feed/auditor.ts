/**
 * The audits of one collector's books: drives their machines, asks REST behind everything else, repairs a book that
 * differs, and shows period, time and outcome in the segment. Driven by `tick`; clock and randomness are arguments.
 * Bad case: an exchange whose REST is down; every audit fails, is counted, and the books go on as their assurance says.
 */
import {
  AUDIT_FAILED,
  AUDIT_INCONCLUSIVE,
  AUDIT_MATCH,
  AUDIT_MISMATCH,
  AUDIT_NONE,
  COUNTER_AUDIT_FAILURES,
  COUNTER_AUDIT_MISMATCHES,
  COUNTER_AUDITS,
  COUNTER_AUDITS_INCONCLUSIVE,
  REASON_AUDIT,
  STATE_SYNCED,
} from "../../assembly/layout.ts";
import type { Exchange } from "../exchanges/mod.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { SegmentWriter } from "../segment/writer.ts";
import { type AuditAction, AuditMachine } from "../sync/audit_machine.ts";
import { type AuditSchedule, auditSchedule, firstAuditMs } from "../sync/audit_schedule.ts";
import { AuditWatch } from "../sync/audit_watch.ts";
import type { ExchangeSync, TrackedInstrument } from "../sync/mod.ts";
import { type FeedClock, wallNs } from "./clock.ts";
import type { RestClient } from "./rest.ts";

/** What an auditor is built from. */
export type AuditorOptions = {
  readonly exchange: Exchange;
  readonly kernel: Kernel;
  /** Where bodies are put for the kernel; used within a call only. */
  readonly frame: { readonly address: number; readonly bytes: number };
  readonly sync: ExchangeSync;
  readonly segment: SegmentWriter;
  readonly rest: RestClient;
  readonly clock: FeedClock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly periodMs: number;
  readonly confirmMs: number;
  readonly report: (level: "info" | "warn", text: string, native: string) => void;
  /** Something was done to a book. */
  readonly worked: () => void;
};

type Audited = {
  readonly instrument: TrackedInstrument;
  readonly machine: AuditMachine;
  readonly watch: AuditWatch;
  outcome: number;
  auditedAtNs: bigint;
  /** The table entry that shows it; a rescale opens another. */
  shownId: number;
};

const COUNTERS: Readonly<Record<number, readonly number[]>> = {
  [AUDIT_MATCH]: [COUNTER_AUDITS],
  [AUDIT_MISMATCH]: [COUNTER_AUDITS, COUNTER_AUDIT_MISMATCHES],
  [AUDIT_INCONCLUSIVE]: [COUNTER_AUDITS_INCONCLUSIVE],
  [AUDIT_FAILED]: [COUNTER_AUDIT_FAILURES],
};

/** The audits of one collector. Thread: the producer's. */
export class Auditor {
  readonly #options: AuditorOptions;
  #schedule: AuditSchedule;
  #audited: readonly Audited[];
  /** Watches of books that were closed, by the address of their block: each block has one for ever. */
  readonly #closed = new Map<number, number>();
  #hasStopped = false;
  /** Comparisons take turns: the first book that may be compared in the next tick. */
  #compareFrom = 0;

  /** @throws RangeError when the kernel's arena is exhausted */
  constructor(options: AuditorOptions) {
    this.#options = options;
    const { instruments } = options.sync;
    this.#schedule = this.#makeSchedule();
    const phase = options.random();
    this.#audited = instruments.map((instrument, index) => this.#audit(instrument, { index, phase }));
  }

  /** One more book, which the sync has already. @throws RangeError when the kernel's arena is exhausted */
  add(instrument: TrackedInstrument): void {
    this.#schedule = this.#makeSchedule();
    const { length } = this.#audited;
    const audited = this.#audit(instrument, { index: length * this.#options.random(), phase: 0 });
    this.#audited = [...this.#audited, audited];
    this.#pace();
  }

  /** One book less, which the sync has no longer. */
  remove(instrument: TrackedInstrument): void {
    for (const { machine, watch } of this.#audited.filter((one) => one.instrument === instrument)) {
      machine.stop();
      this.#closed.set(instrument.block.address, watch.address);
    }
    this.#audited = this.#audited.filter((one) => one.instrument !== instrument);
    this.#schedule = this.#makeSchedule();
    this.#pace();
  }

  /** Rhythm of each book's audits. */
  get schedule(): AuditSchedule {
    return this.#schedule;
  }

  /** Does what is due; at most one comparison, so that frames never wait for two. Call every 100 ms. */
  tick(now: number): void {
    const at = now / 1e6;
    let hasCompared = false;
    for (const [index, audited] of this.#audited.entries()) {
      this.#show(audited);
      const isHeavy = audited.machine.isHeavy(at);
      if (isHeavy && (hasCompared || index < this.#compareFrom)) {
        continue;
      }
      if (isHeavy) {
        hasCompared = true;
        this.#compareFrom = index + 1;
      }
      const isSynced = audited.instrument.block.state === STATE_SYNCED;
      this.#perform(audited, audited.machine.timer(at, isSynced), now);
    }
    this.#compareFrom = hasCompared ? this.#compareFrom : 0;
  }

  /** Ends all audits without a verdict. */
  stop(): void {
    this.#hasStopped = true;
    for (const { machine } of this.#audited) {
      machine.stop();
    }
  }

  #makeSchedule(): AuditSchedule {
    const { exchange, sync, periodMs, confirmMs } = this.#options;
    const { afterMs, budget } = exchange.header.audit;
    const weights = sync.instruments.map((instrument) => this.#request(exchange, instrument).weight);
    const books = sync.instruments.length;
    return auditSchedule({ periodMs, budget, weight: Math.max(1, ...weights), books, afterMs, confirmMs });
  }

  /** The rhythm that the number of books allows now. */
  #pace(): void {
    for (const audited of this.#audited) {
      audited.machine.pace(this.#schedule.intervalMs);
      audited.shownId = 0;
    }
  }

  #audit(instrument: TrackedInstrument, { index, phase }: { index: number; phase: number }): Audited {
    const { exchange, kernel, frame, clock, confirmMs, sync } = this.#options;
    const { freshness, quantityDecimals, beforeMs, afterMs } = exchange.header.audit;
    const { intervalMs } = this.#schedule;
    const books = sync.instruments.length;
    const reuse = this.#closed.get(instrument.block.address);
    const watch = new AuditWatch(kernel, instrument.block, { frame, ...(reuse === undefined ? {} : { reuse }) });
    const machine = new AuditMachine({
      book: watch,
      range: () => ({ levels: auditLevels(exchange, instrument), quantityDecimals }),
      freshness,
      intervalMs,
      beforeMs,
      afterMs,
      confirmMs,
      firstAt: clock.now() / 1e6 + beforeMs + firstAuditMs(intervalMs, { index, books, random: phase }),
    });
    return { instrument, machine, watch, outcome: AUDIT_NONE, auditedAtNs: 0n, shownId: 0 };
  }

  #request(exchange: Exchange, instrument: TrackedInstrument) {
    return exchange.auditRequest(instrument.block.native, auditLevels(exchange, instrument));
  }

  /** Writes into the entry of the current id; a fresh id knows nothing of the old one's audits. */
  #show(audited: Audited): void {
    const { entry } = audited.instrument.block;
    if (entry.id !== audited.shownId) {
      const { outcome, auditedAtNs } = audited;
      audited.shownId = entry.id;
      this.#options.segment.setAudit(entry, { periodMs: this.#schedule.periodMs, outcome, auditedAtNs });
    }
  }

  #perform(audited: Audited, actions: readonly AuditAction[], now: number): void {
    for (const action of actions) {
      if (action.do === "ask") {
        this.#ask(audited, action.token);
      } else {
        this.#conclude(audited, action, now);
      }
    }
  }

  #ask(audited: Audited, token: number): void {
    const { exchange, rest, clock } = this.#options;
    const { machine, instrument } = audited;
    const isWanted = () => machine.isAwaiting(token);
    rest.get(this.#request(exchange, instrument), { isAudit: true, isWanted }).then(
      (body) => machine.answered(clock.now() / 1e6, token, body),
      (error: unknown) => {
        if (!this.#hasStopped) {
          const why = error instanceof Error ? error.message : String(error);
          this.#perform(audited, machine.failed(clock.now() / 1e6, token, why), clock.now());
        }
      },
    );
  }

  #conclude(audited: Audited, { outcome, why }: Extract<AuditAction, { do: "conclude" }>, now: number): void {
    const { clock, segment, sync, report, worked } = this.#options;
    const { native } = audited.instrument.block;
    for (const counter of COUNTERS[outcome] ?? []) {
      segment.count(counter);
    }
    audited.outcome = outcome;
    audited.auditedAtNs = wallNs(clock, now);
    audited.shownId = 0;
    this.#show(audited);
    if (outcome === AUDIT_MISMATCH) {
      report("warn", `The audit found a wrong book, repairing it: ${why}`, native);
      sync.mistrust(native, { reason: REASON_AUDIT, receivedAt: now });
      worked();
    } else if (outcome === AUDIT_FAILED) {
      report("info", `The audit failed: ${why}`, native);
    }
  }
}

/** Levels per side to ask for; 0 = all. */
function auditLevels(exchange: Exchange, { block }: TrackedInstrument): number {
  const { levels } = exchange.header.audit;
  return block.depth > 0 && (levels === 0 || block.depth < levels) ? block.depth : levels;
}
