/**
 * The producer's side of a segment's rings in plain TypeScript: announce, write, publish, wake, as the kernel does it; for
 * records that were made elsewhere. Bad case: an event larger than the ring; it is announced whole, readers count the loss.
 */
import {
  DELTA_BYTES,
  DELTA_PUBLISHED_AT,
  HEADER_DELTA_TAIL,
  HEADER_DELTA_TAIL_INTENT,
  HEADER_TRADE_TAIL,
  HEADER_TRADE_TAIL_INTENT,
  HEADER_WAITING,
  TRADE_BYTES,
  TRADE_PUBLISHED_AT,
} from "../../assembly/layout.ts";
import { readSegmentHeader } from "../segment/header.ts";

/** A ring's places. */
type Ring = {
  readonly base: number;
  readonly capacity: number;
  readonly bytes: number;
  readonly tail: number;
  readonly intent: number;
};

/** Writes both rings of one segment. Thread: one. */
export class LocalRing {
  readonly deltaCapacity: number;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #words: Int32Array;
  readonly #longs: BigUint64Array;
  readonly #segment: number;
  readonly #deltas: Ring;
  readonly #trades: Ring;
  #deltaPosition = 0;
  #tradePosition = 0;
  #hasTrades = false;
  #isDirty = false;

  /** @param segment address of a segment that nobody else writes */
  constructor(buffer: ArrayBufferLike, segment: number) {
    this.#bytes = new Uint8Array(buffer);
    this.#view = new DataView(buffer);
    this.#words = new Int32Array(buffer);
    this.#longs = new BigUint64Array(buffer);
    this.#segment = segment;
    const header = readSegmentHeader(this.#view, segment);
    this.deltaCapacity = header.deltaCapacity;
    this.#deltas = {
      base: segment + header.deltaRingOffset,
      capacity: header.deltaCapacity,
      bytes: DELTA_BYTES,
      tail: segment + HEADER_DELTA_TAIL,
      intent: segment + HEADER_DELTA_TAIL_INTENT,
    };
    this.#trades = {
      base: segment + header.tradeRingOffset,
      capacity: header.tradeCapacity,
      bytes: TRADE_BYTES,
      tail: segment + HEADER_TRADE_TAIL,
      intent: segment + HEADER_TRADE_TAIL_INTENT,
    };
  }

  /** The position of the next delta record. */
  get deltaPosition(): number {
    return this.#deltaPosition;
  }

  /** Announces delta records, so that no reader trusts what they overwrite. */
  claimDeltas(count: number): void {
    this.#storeCount(this.#deltas.intent, this.#deltaPosition + count);
  }

  /** Puts a delta record into the next slot. @returns its address; it is not visible before `publish` */
  putDelta(record: Uint8Array, nowNs: bigint): number {
    const slot = slotOf(this.#deltas, this.#deltaPosition);
    this.#bytes.set(record, slot);
    this.#view.setBigUint64(slot + DELTA_PUBLISHED_AT, nowNs, true);
    this.#deltaPosition += 1;
    this.#isDirty = true;
    return slot;
  }

  /** Takes delta records back that are not visible yet. */
  takeBack(position: number): void {
    this.#deltaPosition = position;
  }

  /** Puts a trade record into the next slot. @returns its address */
  putTrade(record: Uint8Array, nowNs: bigint): number {
    this.#storeCount(this.#trades.intent, this.#tradePosition + 1);
    const slot = slotOf(this.#trades, this.#tradePosition);
    this.#bytes.set(record, slot);
    this.#view.setBigUint64(slot + TRADE_PUBLISHED_AT, nowNs, true);
    this.#tradePosition += 1;
    this.#hasTrades = true;
    this.#isDirty = true;
    return slot;
  }

  /** Makes everything visible that was put. */
  publish(): void {
    this.#storeCount(this.#deltas.tail, this.#deltaPosition);
    if (this.#hasTrades) {
      this.#storeCount(this.#trades.tail, this.#tradePosition);
    }
  }

  /** Wakes readers that sleep, if anything was published since the last call. */
  wake(): void {
    if (!this.#isDirty) {
      return;
    }
    this.#isDirty = false;
    const waiting = (this.#segment + HEADER_WAITING) >>> 2;
    if (Atomics.load(this.#words, waiting) !== 0) {
      Atomics.store(this.#words, waiting, 0);
      this.rouse();
    }
  }

  /** Wakes readers that sleep, whether or not anything was published: nothing more will be. */
  rouse(): void {
    Atomics.notify(this.#words, this.#deltas.tail >>> 2);
    Atomics.notify(this.#words, this.#trades.tail >>> 2);
  }

  #storeCount(address: number, count: number): void {
    Atomics.store(this.#longs, address >>> 3, BigInt(count));
  }
}

function slotOf({ base, capacity, bytes }: Ring, position: number): number {
  return base + (position % capacity) * bytes;
}
