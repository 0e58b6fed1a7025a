/**
 * Reads a segment without a kernel: header, counters, instrument table, top-of-book cells. Everything is validated
 * before anything is trusted, because the bytes may come from another build or another process. This is the cold edge:
 * u64 values become bigint here, positions and counters become numbers (exact below 2^53).
 * Bad case: a cell whose producer died in the middle of a write stays odd for ever; reading it gives up after a bounded
 * number of tries and says so with `undefined`.
 */
import {
  CELL_ASK_PRICE,
  CELL_ASK_QUANTITY,
  CELL_BID_PRICE,
  CELL_BID_QUANTITY,
  CELL_BYTES,
  CELL_EVENT_AT,
  CELL_FLAGS,
  CELL_INSTRUMENT_ID,
  CELL_RECEIVED_AT,
  CELL_SEQUENCE,
  CELL_STATE,
  CELL_TRADE_AT,
  CELL_TRADE_PRICE,
  CELL_TRADE_QUANTITY,
  CELL_TRADE_VERSION,
  CELL_VERSION,
  HEADER_COUNTERS,
  HEADER_COUNTERS_MAX,
  HEADER_DELTA_TAIL,
  HEADER_DELTA_TAIL_INTENT,
  HEADER_EPOCH,
  HEADER_HEARTBEAT,
  HEADER_INSTRUMENT_COUNT,
  HEADER_MAGIC,
  HEADER_STATE,
  HEADER_TRADE_TAIL,
  IMAGE_HEADER_BYTES,
  LEVEL_BYTES,
  MAGIC_HIGH,
  MAGIC_LOW,
  TABLE_ASSURANCE,
  TABLE_AUDIT_OUTCOME,
  TABLE_AUDIT_PERIOD,
  TABLE_AUDITED_AT,
  TABLE_BYTES,
  TABLE_CANONICAL,
  TABLE_CANONICAL_BYTES_MAX,
  TABLE_CURRENT_IMAGE,
  TABLE_DEPTH,
  TABLE_FLAG_RANGE_KNOWN,
  TABLE_FLAGS,
  TABLE_ID,
  TABLE_IMAGE_BYTES,
  TABLE_IMAGE_CAPACITY,
  TABLE_IMAGE_OFFSET,
  TABLE_KNOWN_HIGH,
  TABLE_KNOWN_LOW,
  TABLE_NATIVE,
  TABLE_NATIVE_BYTES_MAX,
  TABLE_PRICE_EXPONENT,
  TABLE_QUANTITY_EXPONENT,
  TABLE_REASON,
  TABLE_RETIRED_TO,
  TABLE_SINCE,
  TABLE_STATE,
  TABLE_TRADING_STATUS,
} from "../../assembly/layout.ts";
import { readSegmentHeader, type SegmentHeader } from "./header.ts";

const TWO_32 = 4_294_967_296;
const CELL_TRIES_MAX = 1024;

/** One entry of the instrument table, as it stood when it was read. Codes are those of the layout. */
export type InstrumentEntry = {
  /** Byte address of the entry in the linear memory. */
  readonly address: number;
  readonly index: number;
  readonly id: number;
  readonly canonical: string;
  readonly native: string;
  /** −1 = not yet known. */
  readonly priceExponent: number;
  /** −1 = not yet known. */
  readonly quantityExponent: number;
  /** Levels per side that are subscribed; 0 = all. */
  readonly depth: number;
  readonly state: number;
  readonly assurance: number;
  readonly reason: number;
  readonly tradingStatus: number;
  /** Unix ns of the last change of state; 0 = never. */
  readonly sinceNs: bigint;
  /** The id that took over after a rescale; 0 = in use. */
  readonly retiredTo: number;
  /** 0 = none yet, else 1 or 2. */
  readonly currentImage: number;
  /** Levels that one image holds. */
  readonly imageCapacity: number;
  /** Both images lie whole in the segment's image area. False: never load them. */
  readonly imagesFit: boolean;
  /** A wrong level is found by the audit within this time, ms; 0 = not audited. */
  readonly auditPeriodMs: number;
  /** AUDIT_* of the last audit. */
  readonly auditOutcome: number;
  /** Unix ns when the last audit ended; 0 = none yet. */
  readonly auditedAtNs: bigint;
  /** Prices outside are not asserted by the exchange; absent = all are. */
  readonly knownRange: { readonly lowTicks: bigint; readonly highTicks: bigint } | undefined;
};

/** What a top-of-book cell says. Prices in ticks, quantities in lots, of the instrument's exponents. */
export type TopOfBook = {
  readonly instrumentId: number;
  readonly state: number;
  readonly version: bigint;
  /** CELL_FLAG_*: which of the sides and the last trade are there; crossed. */
  readonly flags: number;
  readonly bidPrice: bigint;
  readonly bidQuantity: bigint;
  readonly askPrice: bigint;
  readonly askQuantity: bigint;
  readonly tradePrice: bigint;
  readonly tradeQuantity: bigint;
  readonly tradeAtNs: bigint;
  readonly tradeVersion: bigint;
  readonly eventAtNs: bigint;
  readonly receivedAtNs: bigint;
};

/** A read-only view of one segment. It stores nothing: every call reads the memory. */
export class SegmentView {
  /** Byte address of the segment in the linear memory. */
  readonly address: number;
  /** What does not change while the segment lives. */
  readonly header: SegmentHeader;
  readonly #memory: DataView;
  readonly #words: Int32Array;

  /**
   * Attaches to a segment and validates it.
   * @param buffer the linear memory, or a file's mapping
   * @param address of the segment's first byte; 64-aligned
   * @throws RangeError when anything in the header cannot be trusted, naming the field and its value
   */
  constructor(buffer: ArrayBufferLike, address: number) {
    this.#memory = new DataView(buffer);
    this.#words = new Int32Array(buffer, 0, buffer.byteLength >>> 2);
    this.header = readSegmentHeader(this.#memory, address);
    this.address = address;
  }

  /** SEGMENT_STATE_*, as it is now. */
  get state(): number {
    return Atomics.load(this.#words, (this.address + HEADER_STATE) >>> 2);
  }

  /** The epoch that the view was made for still stands there. */
  get isSameEpoch(): boolean {
    const word = (offset: number) => this.#memory.getUint32(this.address + offset, true);
    const isSegment = word(HEADER_MAGIC) === MAGIC_LOW && word(HEADER_MAGIC + 4) === MAGIC_HIGH;
    return isSegment && this.#memory.getBigUint64(this.address + HEADER_EPOCH, true) === this.header.epoch;
  }

  /** When the producer last said that it lives, Unix ns; 0 = it never did. */
  get heartbeatNs(): bigint {
    return this.#position(HEADER_HEARTBEAT, BigInt);
  }

  /** Delta records published so far. */
  get deltaTail(): number {
    return this.#position(HEADER_DELTA_TAIL, Number);
  }

  /** Delta records published or being written: anything `capacity` below may be overwritten. */
  get deltaTailIntent(): number {
    return this.#position(HEADER_DELTA_TAIL_INTENT, Number);
  }

  /** Trade records published so far. */
  get tradeTail(): number {
    return this.#position(HEADER_TRADE_TAIL, Number);
  }

  /** One counter of the producer. @param counter COUNTER_* @returns monotonic within an epoch */
  counter(counter: number): number {
    if (!Number.isInteger(counter) || counter < 0 || counter >= HEADER_COUNTERS_MAX) {
      throw new RangeError(`Cannot read a counter: index must be 0 … ${HEADER_COUNTERS_MAX - 1}, was ${counter}`);
    }
    return this.#position(HEADER_COUNTERS + counter * 8, Number);
  }

  /** Entries in the instrument table; never more than its capacity, whatever stands in memory. */
  get instrumentCount(): number {
    const count = Atomics.load(this.#words, (this.address + HEADER_INSTRUMENT_COUNT) >>> 2) >>> 0;
    return Math.min(count, this.header.instrumentCapacity);
  }

  /** All entries of the table, in the order of their creation, retired ones included. */
  instruments(): InstrumentEntry[] {
    return Array.from({ length: this.instrumentCount }, (_, index) => this.instrument(index));
  }

  /**
   * One entry of the table.
   * @param index 0 … instrumentCount − 1
   * @throws RangeError outside that range
   */
  instrument(index: number): InstrumentEntry {
    const address = this.entryAddress(index);
    const memory = this.#memory;
    const word = (offset: number) => memory.getUint32(address + offset, true);
    const rangeKnown = (word(TABLE_FLAGS) & TABLE_FLAG_RANGE_KNOWN) !== 0;
    return {
      address,
      index,
      id: word(TABLE_ID),
      canonical: readName(memory, address + TABLE_CANONICAL, TABLE_CANONICAL_BYTES_MAX),
      native: readName(memory, address + TABLE_NATIVE, TABLE_NATIVE_BYTES_MAX),
      priceExponent: word(TABLE_PRICE_EXPONENT) | 0,
      quantityExponent: word(TABLE_QUANTITY_EXPONENT) | 0,
      depth: word(TABLE_DEPTH),
      state: word(TABLE_STATE),
      assurance: word(TABLE_ASSURANCE),
      reason: word(TABLE_REASON),
      tradingStatus: word(TABLE_TRADING_STATUS),
      sinceNs: memory.getBigUint64(address + TABLE_SINCE, true),
      retiredTo: word(TABLE_RETIRED_TO),
      currentImage: word(TABLE_CURRENT_IMAGE),
      imageCapacity: word(TABLE_IMAGE_CAPACITY),
      imagesFit: this.#imagesFit(address),
      auditPeriodMs: word(TABLE_AUDIT_PERIOD),
      auditOutcome: word(TABLE_AUDIT_OUTCOME),
      auditedAtNs: memory.getBigUint64(address + TABLE_AUDITED_AT, true),
      knownRange: rangeKnown
        ? {
            lowTicks: memory.getBigInt64(address + TABLE_KNOWN_LOW, true),
            highTicks: memory.getBigInt64(address + TABLE_KNOWN_HIGH, true),
          }
        : undefined,
    };
  }

  /** Byte address of an entry of the table. @throws RangeError when there is no such entry */
  entryAddress(index: number): number {
    if (!Number.isInteger(index) || index < 0 || index >= this.instrumentCount) {
      throw new RangeError(`Cannot read an instrument: index must be 0 … ${this.instrumentCount - 1}, was ${index}`);
    }
    return this.address + this.header.tableOffset + index * TABLE_BYTES;
  }

  /**
   * The top-of-book cell of an instrument, read as one consistent whole.
   * @param index 0 … instrumentCount − 1
   * @returns undefined when the cell was being written during every try
   */
  topOfBook(index: number): TopOfBook | undefined {
    const address = this.address + this.header.cellsOffset + index * CELL_BYTES;
    if (!Number.isInteger(index) || index < 0 || index >= this.instrumentCount) {
      throw new RangeError(`Cannot read a cell: index must be 0 … ${this.instrumentCount - 1}, was ${index}`);
    }
    const sequence = (address + CELL_SEQUENCE) >>> 2;
    for (let tries = 0; tries < CELL_TRIES_MAX; tries++) {
      const before = Atomics.load(this.#words, sequence);
      if ((before & 1) === 0) {
        const cell = readCell(this.#memory, address);
        if (Atomics.load(this.#words, sequence) === before) {
          return cell;
        }
      }
    }
    return undefined;
  }

  #imagesFit(entry: number): boolean {
    const offset = Number(this.#memory.getBigUint64(entry + TABLE_IMAGE_OFFSET, true));
    const bytes = Number(this.#memory.getBigUint64(entry + TABLE_IMAGE_BYTES, true));
    const capacity = this.#memory.getUint32(entry + TABLE_IMAGE_CAPACITY, true);
    const { imagesOffset, segmentBytes } = this.header;
    const isEmpty = offset === 0 && bytes === 0 && capacity === 0;
    const isInside = offset >= imagesOffset && offset % 8 === 0 && offset + 2 * bytes <= segmentBytes;
    return isEmpty || (isInside && bytes % 8 === 0 && IMAGE_HEADER_BYTES + capacity * LEVEL_BYTES <= bytes);
  }

  /** A u64 that another thread may be moving: read again while its high word changes. */
  #position<Value>(offset: number, toValue: (count: number) => Value): Value {
    const index = (this.address + offset) >>> 2;
    for (;;) {
      const high = Atomics.load(this.#words, index + 1);
      const low = Atomics.load(this.#words, index);
      if (Atomics.load(this.#words, index + 1) === high) {
        return toValue((high >>> 0) * TWO_32 + (low >>> 0));
      }
    }
  }
}

function readCell(memory: DataView, address: number): TopOfBook {
  return {
    instrumentId: memory.getUint32(address + CELL_INSTRUMENT_ID, true),
    state: memory.getUint32(address + CELL_STATE, true),
    version: memory.getBigUint64(address + CELL_VERSION, true),
    flags: memory.getUint32(address + CELL_FLAGS, true),
    bidPrice: memory.getBigInt64(address + CELL_BID_PRICE, true),
    bidQuantity: memory.getBigInt64(address + CELL_BID_QUANTITY, true),
    askPrice: memory.getBigInt64(address + CELL_ASK_PRICE, true),
    askQuantity: memory.getBigInt64(address + CELL_ASK_QUANTITY, true),
    tradePrice: memory.getBigInt64(address + CELL_TRADE_PRICE, true),
    tradeQuantity: memory.getBigInt64(address + CELL_TRADE_QUANTITY, true),
    tradeAtNs: memory.getBigUint64(address + CELL_TRADE_AT, true),
    tradeVersion: memory.getBigUint64(address + CELL_TRADE_VERSION, true),
    eventAtNs: memory.getBigUint64(address + CELL_EVENT_AT, true),
    receivedAtNs: memory.getBigUint64(address + CELL_RECEIVED_AT, true),
  };
}

function readName(memory: DataView, address: number, bytesMax: number): string {
  const length = Math.min(memory.getUint8(address), bytesMax);
  const copy = new Uint8Array(length);
  for (let index = 0; index < length; index++) {
    copy[index] = memory.getUint8(address + 1 + index);
  }
  return new TextDecoder().decode(copy);
}
