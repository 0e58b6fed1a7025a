/**
 * What was injected: every fault with its target, its place in the stream and its time, and the number of each kind.
 * Bad case: a long run; the newest entries are kept, the numbers count all.
 */
import type { ExchangeId } from "../model/exchange_id.ts";
import type { FaultKind } from "./fault_kinds.ts";
import type { FrameAbout, TrueEvent } from "./protocol.ts";
import { microTime } from "./text.ts";

/** Entries kept. */
export const FAULT_ENTRIES_KEPT = 100_000;

/** An event as the truth can be asked for it. */
export type TrueMoment = {
  readonly sequence: number;
  /** RFC 3339. */
  readonly time: string;
};

/** The events of one book that a fault hid, altered, held back or touched. */
export type EventSpan = { readonly frames: number; readonly first: TrueMoment; readonly last: TrueMoment };

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
  /**
   * By native symbol, the events of the true book that were hidden, altered or held back; for a fault of the exchange or
   * of REST, the event at which it happened. While a fault lasts this grows. Absent where no book is concerned.
   */
  readonly events?: Readonly<Record<string, EventSpan>>;
};

/** A fault in the journal, for as long as it lasts. */
export type FaultRecord = {
  /** It hid or altered this frame too. */
  touched(about: Pick<FrameAbout, "symbol" | "event">): void;
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

  /** Adds a fault. @param about the frame, or what else of a book, it concerns first */
  add(fault: Omit<FaultEntry, "events">, about?: Pick<FrameAbout, "symbol" | "event">): FaultRecord {
    const entry: Growing = { ...fault };
    const record: FaultRecord = { touched: ({ symbol, event }) => touch(entry, symbol, event) };
    if (about !== undefined) {
      record.touched(about);
    }
    this.#onFault(entry);
    this.#total += 1;
    this.#counts.set(entry.kind, (this.#counts.get(entry.kind) ?? 0) + 1);
    this.#entries.push(entry);
    if (this.#entries.length >= 1.25 * FAULT_ENTRIES_KEPT) {
      this.#entries = this.#entries.slice(-FAULT_ENTRIES_KEPT);
    }
    return record;
  }

  /** What was injected so far. */
  report(): FaultReport {
    const counts = Object.fromEntries(this.#counts);
    return { counts, total: this.#total, entries: this.#entries.slice(-FAULT_ENTRIES_KEPT) };
  }
}

type Growing = Omit<FaultEntry, "events"> & { events?: Record<string, EventSpan> };

function touch(entry: Growing, symbol: string, event: TrueEvent | undefined): void {
  if (event === undefined) {
    return;
  }
  const last: TrueMoment = { sequence: event.sequence, time: microTime(event.timeUs) };
  entry.events ??= {};
  const { frames, first } = entry.events[symbol] ?? { frames: 0, first: last };
  entry.events[symbol] = { frames: frames + 1, first, last };
}
