/**
 * One collector's view of one instrument, as it arrives: records are proved by version chain and hash in a replica, put
 * together to whole events, and handed on. A record that does not chain empties the replica; records then wait until a
 * snapshot leads to them. Bad case: more records wait than there is room; the oldest go and a later snapshot is needed.
 */
import {
  DELTA_EVENT_AT,
  DELTA_FLAGS,
  DELTA_SOURCE_SEQUENCE,
  DELTA_VERSION,
  FLAG_LAST,
  FLAG_NOT_SYNCED,
  FLAG_RESET,
  REPLICA_BOOK,
  REPLICA_EVENT_AT,
  REPLICA_FLAGS,
  REPLICA_HASH,
  REPLICA_INSTRUMENT_ID,
  REPLICA_OK,
  REPLICA_PRICE_EXPONENT,
  REPLICA_QUANTITY_EXPONENT,
  REPLICA_RECEIVED_AT,
  REPLICA_SOURCE_SEQUENCE,
  REPLICA_STALE,
  REPLICA_STATE,
  REPLICA_STATE_FOLLOWING,
  REPLICA_VERSION,
  TRADE_VERSION,
} from "../../assembly/layout.ts";
import type { InstrumentFacts } from "./facts.ts";
import type { Point } from "./points.ts";
import type { Workspace } from "./workspace.ts";

/** A whole event. */
export type LaneEvent = { readonly records: readonly Uint8Array[]; readonly point: Point; readonly isSynced: boolean };

/** A whole book of a collector. */
export type LaneSnapshot = {
  readonly epoch: bigint;
  readonly instrumentId: number;
  readonly version: bigint;
  readonly facts: InstrumentFacts;
  readonly frames: readonly Uint8Array[];
};

/** What a lane tells. */
export type LaneListener = {
  event(lane: Lane, event: LaneEvent): void;
  /** A snapshot was loaded. */
  loaded(lane: Lane): void;
  /** The chain broke, or the collector began anew: a snapshot is needed. */
  lost(lane: Lane): void;
};

/** A collector's view of an instrument. Thread: one. */
export class Lane {
  readonly source: bigint;
  readonly replica: number;
  facts: InstrumentFacts | undefined;
  /** Records that never came. */
  gaps = 0;
  tradeGaps = 0;
  readonly #workspace: Workspace;
  readonly #listener: LaneListener;
  readonly #waitingMax: number;
  #epoch = 0n;
  #instrumentId = 0;
  #open: Uint8Array[] = [];
  #before: number | undefined;
  #waiting: Uint8Array[] = [];
  #needed = 0n;
  #tradeVersion = 0n;
  #later: { readonly snapshot: LaneSnapshot; readonly arrivedAtMs: number } | undefined;

  /** @throws RangeError when the arena is exhausted */
  constructor(workspace: Workspace, options: { source: bigint; listener: LaneListener; waitingMax: number }) {
    this.#workspace = workspace;
    this.source = options.source;
    this.#listener = options.listener;
    this.#waitingMax = options.waitingMax;
    this.replica = workspace.replica(0);
  }

  /** It has a book that is the collector's. */
  get isFollowing(): boolean {
    return this.#word(REPLICA_STATE) === REPLICA_STATE_FOLLOWING;
  }

  /** That book is right, as the collector says. */
  get isSynced(): boolean {
    return this.isFollowing && (this.#word(REPLICA_FLAGS) & FLAG_NOT_SYNCED) === 0;
  }

  /** Record flags of the last event. */
  get flags(): number {
    return this.#word(REPLICA_FLAGS);
  }

  get version(): bigint {
    return this.#long(REPLICA_VERSION);
  }

  /** Handle of the book. */
  get book(): number {
    return this.#word(REPLICA_BOOK);
  }

  /** Where the book stands. An event under way does not count. */
  get front(): Point {
    return {
      before: undefined,
      hash: this.#word(REPLICA_HASH),
      eventAtNs: this.#long(REPLICA_EVENT_AT),
      sourceSequence: this.#long(REPLICA_SOURCE_SEQUENCE),
    };
  }

  get receivedAtNs(): bigint {
    return this.#long(REPLICA_RECEIVED_AT);
  }

  /** No event is under way. */
  get isWhole(): boolean {
    return this.#open.length === 0;
  }

  /** Takes delta records in the order in which the collector wrote them. Those that are known already are skipped. */
  takeDeltas(records: readonly Uint8Array[], identity: { epoch: bigint; instrumentId: number }): void {
    if (!this.#isOf(identity)) {
      return;
    }
    for (const record of records) {
      this.#take(record);
    }
  }

  /** Trade records that were not seen yet. */
  freshTrades(records: readonly Uint8Array[], identity: { epoch: bigint; instrumentId: number }): Uint8Array[] {
    if (!this.#isOf(identity)) {
      return [];
    }
    return records.filter((record) => {
      const version = viewOf(record).getBigUint64(TRADE_VERSION, true);
      if (version <= this.#tradeVersion) {
        return false;
      }
      this.tradeGaps += this.#tradeVersion > 0n && version !== this.#tradeVersion + 1n ? 1 : 0;
      this.#tradeVersion = version;
      return true;
    });
  }

  /** Takes a whole book, if one is needed; one that is ahead of the records is kept for the case that they never come. */
  takeSnapshot(snapshot: LaneSnapshot, nowMs: number): void {
    if (!this.#isOf(snapshot)) {
      return;
    }
    this.facts = snapshot.facts;
    if (this.isFollowing) {
      this.#later = snapshot.version > this.version ? { snapshot, arrivedAtMs: nowMs } : undefined;
    } else if (snapshot.version >= this.#needed) {
      this.#load(snapshot);
    }
  }

  /** Loads a book that has been ahead for so long that the records to it must be lost. */
  overtake(nowMs: number, patienceMs: number): void {
    if (this.#later === undefined || nowMs - this.#later.arrivedAtMs < patienceMs) {
      return;
    }
    const { snapshot } = this.#later;
    this.#later = undefined;
    if (snapshot.version > this.version && this.#isOf(snapshot)) {
      this.gaps += 1;
      this.#load(snapshot);
    }
  }

  /** Gives the memory back. */
  close(): void {
    this.#workspace.kernel.replicaRelease(this.replica);
  }

  /** A later life of the collector or a later id takes the place of what was; an earlier one is none of ours. */
  #isOf({ epoch, instrumentId }: { epoch: bigint; instrumentId: number }): boolean {
    const isLater = epoch > this.#epoch || (epoch === this.#epoch && instrumentId > this.#instrumentId);
    if (isLater) {
      this.#epoch = epoch;
      this.#instrumentId = instrumentId;
      this.#workspace.kernel.replicaClear(this.replica);
      this.#workspace.memory.setUint32(this.replica + REPLICA_INSTRUMENT_ID, instrumentId, true);
      this.#forget(0n);
      this.#waiting = [];
      this.#tradeVersion = 0n;
      this.#listener.lost(this);
    }
    return epoch === this.#epoch && instrumentId === this.#instrumentId;
  }

  #take(record: Uint8Array): void {
    if (!this.isFollowing) {
      this.#wait(record);
      return;
    }
    const view = viewOf(record);
    if (this.#open.length === 0) {
      this.#before = this.#word(REPLICA_HASH);
    }
    const code = this.#workspace.kernel.replicaApply(this.replica, this.#workspace.placeRecord(record));
    if (code === REPLICA_STALE) {
      return;
    }
    if (code !== REPLICA_OK) {
      this.#lose(record);
      return;
    }
    this.#open.push(record);
    const flags = view.getUint16(DELTA_FLAGS, true);
    if ((flags & FLAG_LAST) !== 0) {
      const records = this.#open;
      this.#open = [];
      const point = {
        before: this.#before,
        hash: this.#word(REPLICA_HASH),
        eventAtNs: view.getBigUint64(DELTA_EVENT_AT, true),
        sourceSequence: view.getBigUint64(DELTA_SOURCE_SEQUENCE, true),
      };
      this.#listener.event(this, { records, point, isSynced: (flags & FLAG_NOT_SYNCED) === 0 });
    }
  }

  #lose(record: Uint8Array): void {
    const view = viewOf(record);
    const version = view.getBigUint64(DELTA_VERSION, true);
    const isReset = (view.getUint16(DELTA_FLAGS, true) & FLAG_RESET) !== 0;
    this.gaps += isReset ? 0 : 1;
    this.#workspace.kernel.replicaClear(this.replica);
    this.#forget(isReset ? version : 0n);
    if (!isReset) {
      this.#wait(record);
    }
    this.#listener.lost(this);
  }

  #wait(record: Uint8Array): void {
    const view = viewOf(record);
    if ((view.getUint16(DELTA_FLAGS, true) & FLAG_RESET) !== 0) {
      this.#needed = view.getBigUint64(DELTA_VERSION, true);
      this.#waiting = [];
      return;
    }
    this.#waiting.push(record);
    if (this.#waiting.length > this.#waitingMax) {
      this.#waiting.splice(0, this.#waitingMax >>> 1);
    }
  }

  #load({ facts, frames }: LaneSnapshot): void {
    const { kernel, memory } = this.#workspace;
    kernel.replicaClear(this.replica);
    this.#forget(0n);
    for (const frame of frames) {
      if (kernel.frameApply(this.replica, this.#workspace.placeFrame(frame), frame.length) !== REPLICA_OK) {
        break;
      }
    }
    const exponents = [REPLICA_PRICE_EXPONENT, REPLICA_QUANTITY_EXPONENT].map((field) =>
      memory.getInt32(this.replica + field, true),
    );
    if (!this.isFollowing || exponents[0] !== facts.priceExponent || exponents[1] !== facts.quantityExponent) {
      kernel.replicaClear(this.replica);
      this.#listener.lost(this);
      return;
    }
    this.#listener.loaded(this);
    for (const record of this.#waiting.splice(0)) {
      this.#take(record);
    }
  }

  #forget(needed: bigint): void {
    this.#open = [];
    this.#before = undefined;
    this.#needed = needed;
    this.#later = undefined;
  }

  #word(field: number): number {
    return this.#workspace.memory.getUint32(this.replica + field, true);
  }

  #long(field: number): bigint {
    return this.#workspace.memory.getBigUint64(this.replica + field, true);
  }
}

function viewOf(record: Uint8Array): DataView {
  return new DataView(record.buffer, record.byteOffset, record.length);
}
