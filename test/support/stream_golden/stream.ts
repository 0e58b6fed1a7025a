/**
 * One encoded view: the kernel's replica that encodes, fed with records written by hand, and beside it the model that
 * says what a client must hold. Versions, stamps and prices may be any 64-bit value.
 * Bad case: the replica refuses a record (a change that alters nothing, say); it throws, for the vector would be empty.
 */
import {
  BBO_BYTES,
  DELTA_ADD_MASK,
  DELTA_BASE_PRICE,
  DELTA_BOOK_HASH,
  DELTA_BYTES,
  DELTA_CHANGE_COUNT,
  DELTA_CHANGES_MAX,
  DELTA_EVENT_AT,
  DELTA_FLAGS,
  DELTA_INSTRUMENT_ID,
  DELTA_PRICE_OFFSETS,
  DELTA_QUANTITIES,
  DELTA_RECEIVED_AT,
  DELTA_SIDE_MASK,
  DELTA_SOURCE_SEQUENCE,
  DELTA_VERSION,
  FLAG_LAST,
  REPLICA_ALIAS,
  REPLICA_EPOCH,
  REPLICA_EVENT_VERSION,
  REPLICA_FRAME_ADDRESS,
  REPLICA_HISTORY_FLOOR,
  REPLICA_INSTRUMENT_ID,
  REPLICA_NEXT_LEVEL,
  REPLICA_OK,
  REPLICA_PRICE_EXPONENT,
  REPLICA_QUANTITY_EXPONENT,
  REPLICA_TIME_UNIT,
  REPLICA_VERSION,
  SIDE_ASK,
  SIDE_BID,
  TRADE_BYTES,
} from "../../../assembly/layout.ts";
import type { Kernel } from "../../../src/kernel/kernel.ts";
import { type BookState, type Change, ModelBook, STATUS, type Stamps } from "./model.ts";
import { hex } from "./writer.ts";

const OUT_BYTES = 65_536;
const BUFFER_BYTES = 65_536;
const HISTORY_ENTRIES = 256;
const INSTRUMENT = 9;
const FINISHED = 0xffffffff;
const TRADES_MAX = 64;
const I32_MAX = 2n ** 31n;

/** A kernel with the memory that its streams share. */
export type GoldenKernel = {
  readonly kernel: Kernel;
  readonly memory: DataView;
  readonly record: number;
  readonly out: number;
  readonly trades: number;
};

/** What a view is made with; each has a default. */
export type StreamOptions = {
  alias: number;
  epoch: number;
  version: bigint;
  priceExponent: number;
  quantityExponent: number;
  /** ns: 1, 1000 or 1000000. */
  timeUnit: number;
};
/** An event: what changes, and what differs from the defaults. */
export type EventOptions = Partial<Stamps> & { status?: number };

const DEFAULTS: StreamOptions = {
  alias: 3,
  epoch: 7,
  version: 0n,
  priceExponent: 2,
  quantityExponent: 3,
  timeUnit: 1000,
};

/** Allocates what streams share. */
export function goldenKernel(kernel: Kernel): GoldenKernel {
  const record = kernel.arenaAllocate(DELTA_BYTES);
  const trades = kernel.arenaAllocate(TRADES_MAX * TRADE_BYTES);
  const out = kernel.arenaAllocate(OUT_BYTES + BBO_BYTES);
  return { kernel, memory: new DataView(kernel.buffer), record, out, trades };
}

/** A view that is encoded. */
export class GoldenStream {
  readonly model = new ModelBook();
  readonly options: StreamOptions;
  readonly replica: number;
  readonly #golden: GoldenKernel;

  constructor(golden: GoldenKernel, options: Partial<StreamOptions> = {}) {
    this.#golden = golden;
    this.options = { ...DEFAULTS, ...options };
    const { kernel, memory } = golden;
    this.replica = kernel.replicaCreate();
    const { alias, epoch, version, priceExponent, quantityExponent, timeUnit } = this.options;
    memory.setUint32(this.replica + REPLICA_INSTRUMENT_ID, INSTRUMENT, true);
    memory.setUint32(this.replica + REPLICA_ALIAS, alias, true);
    memory.setUint32(this.replica + REPLICA_EPOCH, epoch, true);
    memory.setInt32(this.replica + REPLICA_PRICE_EXPONENT, priceExponent, true);
    memory.setInt32(this.replica + REPLICA_QUANTITY_EXPONENT, quantityExponent, true);
    memory.setUint32(this.replica + REPLICA_TIME_UNIT, timeUnit, true);
    if (kernel.frameBufferCreate(this.replica, BUFFER_BYTES) !== 0) {
      throw new RangeError(`Cannot create a golden stream: the arena is exhausted, was ${kernel.arenaUsed()} used`);
    }
    kernel.replicaBegin(this.replica);
    for (const field of [REPLICA_VERSION, REPLICA_EVENT_VERSION, REPLICA_HISTORY_FLOOR]) {
      memory.setBigUint64(this.replica + field, version, true);
    }
    this.model.version = version;
    if (kernel.historyCreate(this.replica, HISTORY_ENTRIES) !== 0) {
      throw new RangeError("Cannot create a golden stream: no history, was exhausted");
    }
  }

  /** Gives the replica back. */
  release(): void {
    this.#golden.kernel.replicaRelease(this.replica);
  }

  /** One event of the exchange. Its times go on by 1 ms unless they are given; crossed is judged here. */
  event(changes: readonly Change[], options: EventOptions = {}): this {
    const { eventAt, receivedAt, sequence } = this.model.stamps;
    const nextEventAt = options.eventAt ?? eventAt + 1_000_000n;
    const stamps: Stamps = {
      eventAt: nextEventAt,
      receivedAt:
        options.receivedAt ?? (receivedAt === 0n ? nextEventAt + 250_000n : nextEventAt + receivedAt - eventAt),
      sequence: options.sequence ?? sequence,
    };
    const records = recordsOf(changes);
    for (const [index, record] of records.entries()) {
      this.#record(record, { stamps, status: options.status ?? 0, isLast: index === records.length - 1 });
    }
    return this;
  }

  /** Closes the frame of the events since the last one. */
  frame(check = false): string {
    const { kernel, memory } = this.#golden;
    const bytes = kernel.frameTake(this.replica, check ? 1 : 0);
    return this.#text(memory.getUint32(this.replica + REPLICA_FRAME_ADDRESS, true), bytes);
  }

  /** The whole book, in parts of at most so many bytes. */
  snapshot(limit = OUT_BYTES): string[] {
    const { kernel, memory, out } = this.#golden;
    kernel.frameTake(this.replica, 0);
    memory.setUint32(this.replica + REPLICA_NEXT_LEVEL, 0, true);
    const parts: string[] = [];
    do {
      parts.push(this.#text(out, kernel.snapshotEncode(this.replica, out, limit)));
    } while (memory.getUint32(this.replica + REPLICA_NEXT_LEVEL, true) !== FINISHED);
    return parts;
  }

  /** What changed since a version. */
  conflated(from: bigint): string {
    const { kernel, out } = this.#golden;
    const [low, high] = [Number(from & 0xffffffffn), Number(from >> 32n)];
    kernel.frameTake(this.replica, 0);
    return this.#text(out, kernel.conflatedEncode(this.replica, low, high, out, OUT_BYTES));
  }

  /** Best bid and offer. */
  bbo(): string {
    const { kernel, out } = this.#golden;
    return this.#text(out, kernel.bboEncode(this.replica, out));
  }

  /** What a client must hold now. */
  state(): BookState {
    const { model } = this;
    const { epoch, priceExponent, quantityExponent } = this.options;
    return {
      epoch,
      version: String(model.version),
      hash: model.hash(),
      chain: model.chain,
      status: model.status,
      eventAtNs: String(BigInt.asUintN(64, model.stamps.eventAt)),
      receivedAtNs: String(BigInt.asUintN(64, model.stamps.receivedAt)),
      sequence: String(model.stamps.sequence),
      priceExponent,
      quantityExponent,
      bids: model.texts("bid"),
      asks: model.texts("ask"),
    };
  }

  #record(changes: readonly Change[], event: { stamps: Stamps; status: number; isLast: boolean }): void {
    const { kernel, memory, record } = this.#golden;
    const { stamps, isLast } = event;
    const { model } = this;
    const base = changes[0]?.[1] ?? 0n;
    let sides = 0;
    let added = 0;
    new Uint8Array(kernel.buffer, record, DELTA_BYTES).fill(0);
    for (const [index, change] of changes.entries()) {
      const [side, price, lots] = change;
      sides |= (side === "ask" ? SIDE_ASK : SIDE_BID) << index;
      added |= (model.set(change) ? 1 : 0) << index;
      memory.setInt32(record + DELTA_PRICE_OFFSETS + 4 * index, Number(price - base), true);
      memory.setBigInt64(record + DELTA_QUANTITIES + 8 * index, lots, true);
    }
    model.version = BigInt.asUintN(64, model.version + 1n);
    const status = event.status | (isLast && model.isCrossed() ? STATUS.crossed : 0);
    memory.setBigUint64(record + DELTA_EVENT_AT, BigInt.asUintN(64, stamps.eventAt), true);
    memory.setBigUint64(record + DELTA_RECEIVED_AT, BigInt.asUintN(64, stamps.receivedAt), true);
    memory.setBigUint64(record + DELTA_SOURCE_SEQUENCE, stamps.sequence, true);
    memory.setBigUint64(record + DELTA_VERSION, model.version, true);
    memory.setBigInt64(record + DELTA_BASE_PRICE, base, true);
    memory.setUint32(record + DELTA_INSTRUMENT_ID, INSTRUMENT, true);
    memory.setUint16(record + DELTA_FLAGS, status | (isLast ? FLAG_LAST : 0), true);
    memory.setUint8(record + DELTA_CHANGE_COUNT, changes.length);
    memory.setUint16(record + DELTA_SIDE_MASK, sides, true);
    memory.setUint16(record + DELTA_ADD_MASK, added, true);
    memory.setUint32(record + DELTA_BOOK_HASH, model.hash(), true);
    const code = kernel.replicaApply(this.replica, record);
    if (code !== REPLICA_OK) {
      throw new Error(`Cannot make a golden event: the replica refused it, was ${code}`);
    }
    if (isLast) {
      model.end(status, stamps);
    }
  }

  #text(address: number, bytes: number): string {
    if (bytes === 0) {
      throw new Error("Cannot make a golden frame: the encoder gave none, was 0 bytes");
    }
    return hex(new Uint8Array(this.#golden.kernel.buffer, address, bytes));
  }
}

/** Changes in groups that fit a record: few enough, and near enough to the first. */
function recordsOf(changes: readonly Change[]): Change[][] {
  const records: Change[][] = [[]];
  for (const change of changes) {
    const last = records.at(-1) ?? [];
    const distance = change[1] - (last[0]?.[1] ?? change[1]);
    if (last.length < DELTA_CHANGES_MAX && distance < I32_MAX && distance >= -I32_MAX) {
      last.push(change);
    } else {
      records.push([change]);
    }
  }
  return records;
}
