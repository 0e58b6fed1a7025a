/**
 * What a client knows of its instruments: status, views, the trade that comes next. Slots stay when a subscription ends,
 * because a handle may come back for them; an empty book costs eight kilobytes.
 * Bad case: an instrument of which nothing was told yet; its status says connecting and its exponents are −1.
 */
import type { BboMessage, SyncStatus, TradeMessage } from "../wire/protocol.ts";
import type { InstrumentStatus } from "./events.ts";
import { ViewSlot } from "./view_slot.ts";

/** The status of an instrument of which nothing was told. */
export const UNKNOWN: SyncStatus = {
  state: "connecting",
  assurance: "none",
  reason: "none",
  sinceNs: "0",
  trading: "unknown",
  priceExponent: -1,
  quantityExponent: -1,
};

/** One instrument of a client. */
export class InstrumentSlot {
  readonly name: string;
  status: SyncStatus = UNKNOWN;
  /** The server said something of it. */
  isTold = false;
  /** The version that the next trade should have; undefined before the first. */
  nextTrade: bigint | undefined;
  /** Last best prices; undefined before the first or while the connection is down. */
  bbo: BboMessage | undefined;
  readonly tradeWatchers = new Set<(trade: TradeMessage) => void>();
  readonly bboWatchers = new Set<(bbo: BboMessage) => void>();
  readonly statusWatchers = new Set<(status: InstrumentStatus) => void>();
  readonly #views = new Map<string, ViewSlot>();

  constructor(name: string) {
    this.name = name;
  }

  get views(): Iterable<ViewSlot> {
    return this.#views.values();
  }

  /** A view of it; made when there is none. */
  view(options: { depth: number; rateMs: number; isVerified: boolean }): ViewSlot {
    const key = `${options.depth} ${options.rateMs}`;
    const view = this.#views.get(key) ?? new ViewSlot(this, options);
    this.#views.set(key, view);
    return view;
  }

  /** Takes over a status and tells those who watch. */
  setStatus(status: SyncStatus): InstrumentStatus {
    this.status = status;
    this.isTold = true;
    const told = { instrument: this.name, ...status };
    for (const watcher of this.statusWatchers) {
      watcher(told);
    }
    for (const view of this.views) {
      view.tell(undefined);
    }
    return told;
  }
}

/** The instruments of one client. */
export class SlotStore {
  readonly #isVerified: boolean;
  readonly #instruments = new Map<string, InstrumentSlot>();

  /** @param options.isVerified false: hashes are neither computed nor looked at */
  constructor(options: { isVerified: boolean }) {
    this.#isVerified = options.isVerified;
  }

  /** All, in the order in which they were first named. */
  get instruments(): Iterable<InstrumentSlot> {
    return this.#instruments.values();
  }

  /** An instrument; undefined when it was never named. */
  find(name: string): InstrumentSlot | undefined {
    return this.#instruments.get(name);
  }

  /** An instrument; made when there is none. */
  instrument(name: string): InstrumentSlot {
    const slot = this.#instruments.get(name) ?? new InstrumentSlot(name);
    this.#instruments.set(name, slot);
    return slot;
  }

  /** A view; made when there is none. */
  view(name: string, { depth, rateMs }: { depth: number; rateMs: number }): ViewSlot {
    return this.instrument(name).view({ depth, rateMs, isVerified: this.#isVerified });
  }

  /** Statuses that were told. */
  statuses(): InstrumentStatus[] {
    return [...this.instruments]
      .filter(({ isTold }) => isTold)
      .map(({ name, status }) => ({ instrument: name, ...status }));
  }
}
