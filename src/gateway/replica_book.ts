/**
 * A replica block in the kernel's arena with names for its fields, and its levels as text. Reads only what the layout
 * documents. Bad case: reading levels in the middle of an event; `isWhole` says whether the last record closed one.
 */
import {
  FLAG_CROSSED,
  FLAG_NOT_SYNCED,
  REPLICA_ALIAS,
  REPLICA_BOOK,
  REPLICA_EPOCH,
  REPLICA_EVENT_AT,
  REPLICA_EVENT_OPEN,
  REPLICA_EVENT_VERSION,
  REPLICA_FLAGS,
  REPLICA_HASH,
  REPLICA_HISTORY_FROM,
  REPLICA_INSTRUMENT_ID,
  REPLICA_PRICE_EXPONENT,
  REPLICA_QUANTITY_EXPONENT,
  REPLICA_RECEIVED_AT,
  REPLICA_STATE,
  REPLICA_STATE_FOLLOWING,
  REPLICA_TIME_UNIT,
  REPLICA_VERSION,
  SIDE_ASK,
  SIDE_BID,
} from "../../assembly/layout.ts";
import { type Exponents, levelPairs } from "../wire/json_form.ts";
import { readCount, u64Text } from "../wire/numbers.ts";
import type { JsonLevel } from "../wire/protocol.ts";
import { LEVELS_CHUNK, type Workspace } from "./workspace.ts";

const TWO_32 = 4_294_967_296;

/** A replica of one instrument's book. */
export class ReplicaBook {
  /** Address of the block. */
  readonly address: number;
  readonly #workspace: Workspace;

  /** @throws RangeError when the arena is exhausted */
  constructor(workspace: Workspace, alias: number) {
    this.#workspace = workspace;
    this.address = workspace.kernel.replicaCreate();
    if (this.address === 0) {
      throw new RangeError(
        `Cannot create a replica: the gateway's arena is exhausted, was ${workspace.kernel.arenaUsed()} bytes used`,
      );
    }
    workspace.setU32(this.address + REPLICA_ALIAS, alias);
  }

  /**
   * Keeps the last changes from now on.
   * @param entries how many, a power of two
   * @throws RangeError when the arena is exhausted
   */
  remember(entries: number): void {
    const { kernel } = this.#workspace;
    if (kernel.historyCreate(this.address, entries) !== 0) {
      const used = kernel.arenaUsed();
      throw new RangeError(`Cannot keep a history: the gateway's arena is exhausted, was ${used} bytes used`);
    }
  }

  /** Gives all of its memory back; it is not to be used again. */
  release(): void {
    this.#workspace.kernel.replicaRelease(this.address);
  }

  /** Forgets the book and expects another instrument id. */
  bind(instrumentId: number): void {
    this.#workspace.kernel.replicaClear(this.address);
    this.#workspace.setU32(this.address + REPLICA_INSTRUMENT_ID, instrumentId);
  }

  /** Forgets the book. */
  clear(): void {
    this.#workspace.kernel.replicaClear(this.address);
  }

  /** It follows the ring: its book is the producer's at `version`. */
  get isFollowing(): boolean {
    return this.#workspace.u32(this.address + REPLICA_STATE) === REPLICA_STATE_FOLLOWING;
  }

  /** The last record applied closed its event. */
  get isWhole(): boolean {
    return this.#workspace.u32(this.address + REPLICA_EVENT_OPEN) === 0;
  }

  get version(): number {
    return readCount(this.#workspace.memory, this.address + REPLICA_VERSION);
  }

  /** The version at the end of the last whole event. */
  get eventVersion(): number {
    return readCount(this.#workspace.memory, this.address + REPLICA_EVENT_VERSION);
  }

  /** The history leads from a version to the present one. */
  reaches(version: number): boolean {
    this.#workspace.kernel.historyReach(this.address);
    return version >= readCount(this.#workspace.memory, this.address + REPLICA_HISTORY_FROM) && version <= this.version;
  }

  /** Where the versions come from; snapshots say it. */
  get epoch(): number {
    return this.#workspace.u32(this.address + REPLICA_EPOCH);
  }

  set epoch(epoch: number) {
    this.#workspace.setU32(this.address + REPLICA_EPOCH, epoch);
  }

  get hash(): number {
    return this.#workspace.u32(this.address + REPLICA_HASH);
  }

  /** Record flags at the last event's end: FLAG_NOT_SYNCED, FLAG_CROSSED. */
  get flags(): number {
    return this.#workspace.u32(this.address + REPLICA_FLAGS) & (FLAG_NOT_SYNCED | FLAG_CROSSED);
  }

  /** The last event left the book synced. */
  get isSynced(): boolean {
    return (this.flags & FLAG_NOT_SYNCED) === 0;
  }

  get exponents(): Exponents {
    const { memory } = this.#workspace;
    return {
      priceExponent: memory.getInt32(this.address + REPLICA_PRICE_EXPONENT, true),
      quantityExponent: memory.getInt32(this.address + REPLICA_QUANTITY_EXPONENT, true),
    };
  }

  set exponents(exponents: Exponents) {
    const { memory } = this.#workspace;
    memory.setInt32(this.address + REPLICA_PRICE_EXPONENT, exponents.priceExponent, true);
    memory.setInt32(this.address + REPLICA_QUANTITY_EXPONENT, exponents.quantityExponent, true);
  }

  /** The unit in which event times are coded for the stream, ns: 1, 1000 or 1000000. */
  get timeUnit(): number {
    return this.#workspace.u32(this.address + REPLICA_TIME_UNIT);
  }

  set timeUnit(unit: number) {
    this.#workspace.setU32(this.address + REPLICA_TIME_UNIT, unit);
  }

  /** The last event's time divides by `unit` ns. @param unit at most 1000000 */
  isTimeWhole(unit: number): boolean {
    const low = this.#workspace.u32(this.address + REPLICA_EVENT_AT);
    const high = this.#workspace.u32(this.address + REPLICA_EVENT_AT + 4);
    return (high * (TWO_32 % unit) + low) % unit === 0;
  }

  /** When the last event was, by the exchange's clock and by ours: Unix ns, decimal; "0" = unknown. */
  get times(): { eventAtNs: string; receivedAtNs: string } {
    const { memory } = this.#workspace;
    return {
      eventAtNs: u64Text(memory, this.address + REPLICA_EVENT_AT),
      receivedAtNs: u64Text(memory, this.address + REPLICA_RECEIVED_AT),
    };
  }

  /** Levels of a side. @param side SIDE_* */
  count(side: number): number {
    return this.#workspace.kernel.bookCount(this.#book, side);
  }

  /** Copies levels of a side, best first, as LEVEL_BYTES each. @param options.into address @returns how many there were */
  walk(side: number, { from, count, into }: { from: number; count: number; into: number }): number {
    return this.#workspace.kernel.bookWalk(this.#book, side, from, count, into);
  }

  /**
   * Levels of a side as text, best first.
   * @param side SIDE_*
   * @param limit levels at most
   */
  levels(side: number, limit = Number.MAX_SAFE_INTEGER): JsonLevel[] {
    const { kernel, memory, levels } = this.#workspace;
    const exponents = this.exponents;
    const pairs: JsonLevel[] = [];
    for (;;) {
      const wanted = Math.min(LEVELS_CHUNK, limit - pairs.length);
      const count = wanted > 0 ? kernel.bookWalk(this.#book, side, pairs.length, wanted, levels) : 0;
      if (count === 0) {
        return pairs;
      }
      for (const pair of levelPairs(memory, levels, { ...exponents, count })) {
        pairs.push(pair);
      }
    }
  }

  /** The best level of each side; undefined where a side is empty. */
  best(): { bid: JsonLevel | undefined; ask: JsonLevel | undefined } {
    return { bid: this.levels(SIDE_BID, 1)[0], ask: this.levels(SIDE_ASK, 1)[0] };
  }

  get #book(): number {
    return this.#workspace.u32(this.address + REPLICA_BOOK);
  }
}
