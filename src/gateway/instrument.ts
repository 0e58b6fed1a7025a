/**
 * One instrument as clients know it: a name and an alias that stay, and behind them the table entry that produces it at
 * present. A rescale or a restart of the collector changes the entry, its exponents and its versions; clients keep their
 * subscriptions, are told so, and get a fresh snapshot.
 * Bad case: the producer is gone and its table still says "synced"; the status then says otherwise, whatever the table says.
 */
import {
  HEADER_EPOCH,
  REASON_REMOVED,
  SEGMENT_STATE_LIVE,
  STATE_RETIRED,
  STATE_SYNCED,
  TABLE_ASSURANCE,
  TABLE_DEPTH,
  TABLE_PRICE_EXPONENT,
  TABLE_QUANTITY_EXPONENT,
  TABLE_REASON,
  TABLE_SINCE,
  TABLE_STATE,
  TABLE_TRADING_STATUS,
} from "../../assembly/layout.ts";
import { ASSURANCE_WORDS, REASON_WORDS, STATE_WORDS, TRADING_WORDS, wordOf } from "../model/states.ts";
import type { SegmentView } from "../segment/view.ts";
import type { Exponents } from "../wire/json_form.ts";
import type { InstrumentListing, ResyncReason, StatusMessage, SyncStatus } from "../wire/protocol.ts";
import { BookView } from "./book_view.ts";
import { mixEpoch } from "./epochs.ts";
import { InstrumentTally } from "./instrument_tally.ts";
import type { GatewayLimits } from "./limits.ts";
import type { Outlet } from "./outlet.ts";
import { statusTopic } from "./topics.ts";
import { TradeView } from "./trade_view.ts";
import type { Workspace } from "./workspace.ts";

/** A table entry that produces an instrument. */
export type Binding = {
  readonly instrument: ServedInstrument;
  readonly segment: SegmentView;
  /** Address of the table entry. */
  readonly entry: number;
  /** Its place in the table. */
  readonly index: number;
  readonly id: number;
  readonly native: string;
  /** False once the producer is stale or gone. */
  isAlive: boolean;
};

/** Names of an instrument. */
export type InstrumentName = {
  /** `exchange:BASE-QUOTE` */
  readonly instrument: string;
  readonly exchange: string;
  /** `BASE-QUOTE` */
  readonly symbol: string;
};

const REMOVED = { state: "retired", reason: "removed" } as const;

const UNBOUND: SyncStatus = {
  state: "connecting",
  assurance: "none",
  reason: "stopped",
  sinceNs: "0",
  trading: "unknown",
  priceExponent: -1,
  quantityExponent: -1,
};

/** An instrument with its book, trades and status. */
export class ServedInstrument {
  readonly name: InstrumentName;
  readonly alias: number;
  readonly book: BookView;
  readonly trades: TradeView;
  /** What its producers counted meanwhile. */
  readonly tally: InstrumentTally;
  /** Checks of this book that failed at clients, by what they said. */
  readonly clientFailures: Record<ResyncReason, number> = {
    chain: 0,
    hash: 0,
    inconsistent: 0,
    malformed: 0,
    exponents: 0,
  };
  /** Grows with every status that was told. */
  statusSerial = 0;
  readonly #workspace: Workspace;
  readonly #outlet: Outlet;
  #binding: Binding | undefined;
  #shown = "";
  #toldExponents = "";
  /** Since when nobody collects it any more, Unix ns; undefined = it is served. */
  #removedAtNs: string | undefined;

  /** @throws RangeError when the arena is exhausted */
  constructor(
    workspace: Workspace,
    options: { name: InstrumentName; alias: number; outlet: Outlet; limits: GatewayLimits; now: () => number },
  ) {
    const { name, alias, outlet, limits, now } = options;
    this.name = name;
    this.alias = alias;
    this.#workspace = workspace;
    this.#outlet = outlet;
    const meter = workspace.meters?.of(name.exchange);
    this.book = new BookView(workspace, { instrument: name.instrument, alias, outlet, limits, now, meter });
    const remembered = limits.recentTrades;
    this.tally = new InstrumentTally(workspace.kernel.buffer);
    this.trades = new TradeView(workspace, { instrument: name.instrument, alias, outlet, remembered });
  }

  /** It was removed at run time: nobody sees it but those who subscribed it before. */
  get isRemoved(): boolean {
    return this.#removedAtNs !== undefined;
  }

  /** Its table entry says that it was removed: the book is empty, and its subscribers are told. */
  remove(): void {
    this.#removedAtNs = this.status().sinceNs;
    this.bind(undefined);
    this.publishStatus();
  }

  /** It is collected again: an entry is about to be bound. */
  comeBack(): void {
    this.#removedAtNs = undefined;
  }

  /** What produces it at present. */
  get binding(): Binding | undefined {
    return this.#binding;
  }

  /** Another entry, or none, produces it from here on: the book is empty until it is joined. */
  bind(binding: Binding | undefined): void {
    const before = this.#binding?.segment;
    const isThere = before !== undefined && this.#epochAt(before.address) === before.header.epoch;
    this.tally.bind(binding, { isThere });
    this.#binding = binding;
    this.book.replica.bind(binding?.id ?? 0);
    this.loadExponents();
    this.book.begin(binding === undefined ? 0 : originOf(binding));
  }

  /**
   * Takes the exponents of the table entry, and tells clients when they are others than were told: whatever is coded
   * with them must come later. They are final once a record was published under the entry's id.
   */
  loadExponents(): void {
    if (this.#binding === undefined) {
      return;
    }
    const exponents = this.exponents(this.#binding);
    this.book.replica.exponents = exponents;
    const text = `${exponents.priceExponent} ${exponents.quantityExponent}`;
    if (text !== this.#toldExponents) {
      this.#toldExponents = text;
      this.publishStatus();
    }
  }

  /** Exponents of a table entry. */
  exponents(binding: Binding): Exponents {
    return {
      priceExponent: this.#workspace.u32(binding.entry + TABLE_PRICE_EXPONENT) | 0,
      quantityExponent: this.#workspace.u32(binding.entry + TABLE_QUANTITY_EXPONENT) | 0,
    };
  }

  /** How well it can be trusted now. */
  status(): SyncStatus {
    const binding = this.#binding;
    if (binding === undefined) {
      return this.#removedAtNs === undefined ? UNBOUND : { ...UNBOUND, ...REMOVED, sinceNs: this.#removedAtNs };
    }
    const word = (offset: number) => this.#workspace.u32(binding.entry + offset);
    const status: SyncStatus = {
      state: wordOf(STATE_WORDS, word(TABLE_STATE)),
      assurance: wordOf(ASSURANCE_WORDS, word(TABLE_ASSURANCE)),
      reason: wordOf(REASON_WORDS, word(TABLE_REASON)),
      sinceNs: this.#workspace.memory.getBigUint64(binding.entry + TABLE_SINCE, true).toString(),
      trading: wordOf(TRADING_WORDS, word(TABLE_TRADING_STATUS)),
      ...this.exponents(binding),
    };
    if (binding.isAlive) {
      return status;
    }
    const reason = binding.segment.state === SEGMENT_STATE_LIVE ? "silent" : "stopped";
    return { ...status, state: "connecting", reason };
  }

  /** Synced by the producer's word, and the book here equals the producer's. */
  get isSynced(): boolean {
    const binding = this.#binding;
    const isSaid = binding?.isAlive === true && this.#workspace.u32(binding.entry + TABLE_STATE) === STATE_SYNCED;
    return isSaid && this.book.isReady && this.book.replica.isSynced;
  }

  /** Checks that failed at clients, summed. */
  get clientFailureCount(): number {
    return Object.values(this.clientFailures).reduce((sum, count) => sum + count, 0);
  }

  /** The status as a message. */
  statusText(): string {
    return JSON.stringify({
      type: "status",
      instrument: this.name.instrument,
      ...this.status(),
    } satisfies StatusMessage);
  }

  /** The instrument as listed. */
  listing(): InstrumentListing {
    const depth = this.#binding === undefined ? 0 : this.#workspace.u32(this.#binding.entry + TABLE_DEPTH);
    return { ...this.name, native: this.#binding?.native ?? "", depth, ...this.status() };
  }

  #epochAt(segment: number): bigint {
    return this.#workspace.memory.getBigUint64(segment + HEADER_EPOCH, true);
  }

  /** Tells its subscribers when the status is another than they were told. @returns true when it was */
  publishStatus(): boolean {
    const text = this.statusText();
    if (text === this.#shown) {
      return false;
    }
    this.#shown = text;
    this.statusSerial += 1;
    this.#outlet.publish(statusTopic(this.alias), text);
    return true;
  }
}

/** Whether a table entry says that its instrument was removed: retired, and no other entry goes on for it. */
export function isEntryRemoved(workspace: Workspace, { entry }: Binding): boolean {
  const word = (offset: number) => workspace.u32(entry + offset);
  return word(TABLE_STATE) === STATE_RETIRED && word(TABLE_REASON) === REASON_REMOVED;
}

/** Stands for the versions of a table entry, the same in every gateway: the entry begins at 0 and never goes back. */
function originOf({ segment, id }: Binding): number {
  const { epoch } = segment.header;
  return mixEpoch([Number(epoch & 0xffffffffn), Number(epoch >> 32n), id]);
}
