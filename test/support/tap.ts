/**
 * A reader behind a rig on the same kernel: ring reader, one replica with encoder per instrument, and the frames that a
 * stream would send. Two taps on equal rigs must produce equal bytes.
 * Bad case: a check that fails; it throws at once, because here nothing was damaged.
 */
import {
  DELTA_BYTES,
  DELTA_INSTRUMENT_ID,
  IMAGE_OK,
  REPLICA_ALIAS,
  REPLICA_FRAME_ADDRESS,
  REPLICA_INSTRUMENT_ID,
  REPLICA_NEXT_LEVEL,
  REPLICA_OK,
  REPLICA_PRICE_EXPONENT,
  REPLICA_QUANTITY_EXPONENT,
  REPLICA_RESET,
  REPLICA_STALE,
  REPLICA_TIME_UNIT,
  RING_DELTAS,
  RING_TRADES,
  TRADE_BYTES,
} from "../../assembly/layout.ts";
import { SegmentView } from "../../src/segment/view.ts";
import type { Rig } from "./rig.ts";

const POLL_RECORDS = 512;
const BUFFER_BYTES = 1 << 18;
const PART_BYTES = 1024;
const TRADES_ALIAS = 9;
const FRAME_BYTES = 1 << 17;
const FINISHED = 0xffffffff;

/** A frame as it would go over the wire. */
export type TappedFrame = {
  readonly id: number;
  readonly kind: "deltas" | "snapshot" | "bbo" | "trades";
  readonly bytes: Uint8Array<ArrayBuffer>;
};

/** Taps one rig. */
export class Tap {
  readonly #rig: Rig;
  readonly #view: DataView;
  readonly #segment: SegmentView;
  readonly #deltas: number;
  readonly #trades: number;
  readonly #records: number;
  readonly #out: number;
  readonly #replicas = new Map<number, number>();
  readonly #partBytes: number;
  readonly #tradesAlias: number;
  #taken = 0;

  /** @param options.partBytes of a snapshot part at most @param options.tradesAlias that trade frames name */
  constructor(rig: Rig, options: { partBytes?: number; tradesAlias?: number } = {}) {
    this.#rig = rig;
    this.#partBytes = options.partBytes ?? PART_BYTES;
    this.#tradesAlias = options.tradesAlias ?? TRADES_ALIAS;
    this.#view = new DataView(rig.buffer);
    this.#segment = new SegmentView(rig.buffer, rig.segment.address);
    this.#deltas = rig.kernel.readerCreate(rig.segment.address, RING_DELTAS);
    this.#trades = rig.kernel.readerCreate(rig.segment.address, RING_TRADES);
    this.#records = rig.kernel.arenaAllocate(POLL_RECORDS * DELTA_BYTES);
    this.#out = rig.kernel.arenaAllocate(FRAME_BYTES);
  }

  /** Every frame for what was published since the last call: deltas, snapshots after resets, best prices, trades. */
  take(): TappedFrame[] {
    const { kernel } = this.#rig;
    const frames: TappedFrame[] = [];
    const touched = new Set<number>();
    for (let count = 1; count > 0; ) {
      count = kernel.readerPoll(this.#deltas, this.#records, POLL_RECORDS);
      for (let index = 0; index < count; index++) {
        this.#record(this.#records + index * DELTA_BYTES, frames, touched);
      }
    }
    for (const id of touched) {
      this.#taken += 1;
      this.#flush(id, this.#taken % 3 === 0 ? 1 : 0, frames);
    }
    for (let count = 1; count > 0; ) {
      count = kernel.readerPoll(this.#trades, this.#records, POLL_RECORDS);
      for (let index = 0; index < count; index++) {
        this.#trade(this.#records + index * TRADE_BYTES, frames);
      }
    }
    return frames;
  }

  /** A snapshot of every instrument, in small parts. */
  snapshots(): TappedFrame[] {
    const frames: TappedFrame[] = [];
    for (const id of this.#replicas.keys()) {
      this.#flush(id, 1, frames);
      this.#snapshot(id, frames);
    }
    return frames;
  }

  /** Address of the replica that followed an instrument's records; 0 = there were none. */
  replica(id: number): number {
    return this.#replicas.get(id) ?? 0;
  }

  #record(record: number, frames: TappedFrame[], touched: Set<number>): void {
    const { kernel, segment } = this.#rig;
    const id = this.#view.getUint32(record + DELTA_INSTRUMENT_ID, true);
    const replica = this.#replicas.get(id) ?? this.#open(id);
    const code = kernel.replicaApply(replica, record);
    if (code === REPLICA_RESET) {
      const entry = this.#segment.instruments().find((one) => one.id === id)?.address ?? 0;
      const loaded = kernel.imageLoad(replica, segment.address, entry);
      if (loaded !== IMAGE_OK) {
        throw new Error(`Cannot load the image of ${id}: code ${loaded}`);
      }
      touched.delete(id);
      this.#snapshot(id, frames);
    } else if (code !== REPLICA_OK && code !== REPLICA_STALE) {
      throw new Error(`A record of ${id} was refused: code ${code}`);
    } else {
      touched.add(id);
    }
  }

  #open(id: number): number {
    const { kernel } = this.#rig;
    const entry = this.#segment.instruments().find((one) => one.id === id);
    const replica = kernel.replicaCreate();
    if (entry === undefined || kernel.frameBufferCreate(replica, BUFFER_BYTES) !== 0) {
      throw new Error(`Cannot open a replica of ${id}`);
    }
    const fields: [number, number][] = [
      [REPLICA_INSTRUMENT_ID, id],
      [REPLICA_ALIAS, id * 77],
      [REPLICA_TIME_UNIT, 1000],
      [REPLICA_PRICE_EXPONENT, entry.priceExponent],
      [REPLICA_QUANTITY_EXPONENT, entry.quantityExponent],
    ];
    for (const [offset, value] of fields) {
      this.#view.setUint32(replica + offset, value, true);
    }
    kernel.replicaBegin(replica);
    this.#replicas.set(id, replica);
    return replica;
  }

  #flush(id: number, check: number, frames: TappedFrame[]): void {
    const { kernel } = this.#rig;
    const replica = this.#replicas.get(id) ?? 0;
    const bytes = kernel.frameTake(replica, check);
    if (bytes > 0) {
      frames.push({
        id,
        kind: "deltas",
        bytes: this.#copy(this.#view.getUint32(replica + REPLICA_FRAME_ADDRESS, true), bytes),
      });
    }
    frames.push({ id, kind: "bbo", bytes: this.#copy(this.#out, kernel.bboEncode(replica, this.#out)) });
  }

  #snapshot(id: number, frames: TappedFrame[]): void {
    const { kernel } = this.#rig;
    const replica = this.#replicas.get(id) ?? 0;
    this.#view.setUint32(replica + REPLICA_NEXT_LEVEL, 0, true);
    while (this.#view.getUint32(replica + REPLICA_NEXT_LEVEL, true) !== FINISHED) {
      const bytes = kernel.snapshotEncode(replica, this.#out, this.#partBytes);
      frames.push({ id, kind: "snapshot", bytes: this.#copy(this.#out, bytes) });
    }
  }

  #trade(trade: number, frames: TappedFrame[]): void {
    const bytes = this.#rig.kernel.tradesEncode(this.#tradesAlias, trade, 1, this.#out, FRAME_BYTES);
    frames.push({ id: this.#tradesAlias, kind: "trades", bytes: this.#copy(this.#out, bytes) });
  }

  #copy(address: number, bytes: number): Uint8Array<ArrayBuffer> {
    return new Uint8Array(this.#rig.buffer, address, bytes).slice();
  }
}
