/**
 * What was injected: every fault with its target, its place in the stream and its time, and the number of each kind.
 * Bad case: a long run; the newest entries are kept, the numbers count all.
 */
import type { ExchangeId } from "../model/exchange_id.ts";
import type { FaultKind } from "./fault_kinds.ts";

/** Entries kept. */
export const FAULT_ENTRIES_KEPT = 100_000;

/** One injected fault. */
export type FaultEntry = {
  readonly kind: FaultKind;
  readonly exchange: ExchangeId;
  /** Native symbol; empty where it is about none in particular. */
  readonly instrument: string;
  /** Number of the connection on its exchange, from 1; 0 where there is none. */
  readonly connection: number;
  /** Number of the frame on the connection, of the request or of the attempt, from 0; −1 where there is none. */
  readonly frame: number;
  /** Unix milliseconds of the emulator's clock. */
  readonly atMs: number;
  /** Place of its rule in the script, from 0. */
  readonly rule: number;
  /** What exactly was done, for people. */
  readonly detail: string;
};

/** What was injected so far. */
export type FaultReport = {
  /** Number of every kind that occurred. */
  readonly counts: Readonly<Partial<Record<FaultKind, number>>>;
  readonly total: number;
  /** The newest, oldest first. */
  readonly entries: readonly FaultEntry[];
};

/** Collects what was injected. */
export class FaultJournal {
  readonly #onFault: (entry: FaultEntry) => void;
  readonly #counts = new Map<FaultKind, number>();
  #entries: FaultEntry[] = [];
  #total = 0;

  /** @param onFault called with every entry, at the moment of the fault */
  constructor(onFault: (entry: FaultEntry) => void = () => undefined) {
    this.#onFault = onFault;
  }

  /** Adds a fault. */
  add(entry: FaultEntry): void {
    this.#onFault(entry);
    this.#total += 1;
    this.#counts.set(entry.kind, (this.#counts.get(entry.kind) ?? 0) + 1);
    this.#entries.push(entry);
    if (this.#entries.length >= 2 * FAULT_ENTRIES_KEPT) {
      this.#entries = this.#entries.slice(-FAULT_ENTRIES_KEPT);
    }
  }

  /** What was injected so far. */
  report(): FaultReport {
    const counts = Object.fromEntries(this.#counts);
    return { counts, total: this.#total, entries: this.#entries.slice(-FAULT_ENTRIES_KEPT) };
  }
}
