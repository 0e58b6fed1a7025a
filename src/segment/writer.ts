/**
 * The producer's side of a segment: lays out header, instrument table, cells, rings and images in a range of the memory,
 * adds and removes instruments, and keeps the host's counters, heartbeat and state. The kernel writes records, cells and images; this
 * file never touches those after their creation. An instrument that needs larger images gets others under a fresh
 * id; those of a removed one are handed out again. Bad case: table or image area exhausted; `addInstrument` says so, and
 * the shortage is kept for whoever can make a larger segment.
 */
import {
  CELL_BYTES,
  CELL_INSTRUMENT_ID,
  CELL_STATE,
  COUNTER_RESYNCS,
  HEADER_COUNTERS,
  HEADER_COUNTERS_MAX,
  HEADER_HEARTBEAT,
  HEADER_IMAGES_USED,
  HEADER_INSTRUMENT_COUNT,
  HEADER_MAGIC,
  HEADER_STATE,
  IMAGE_GENERATION,
  IMAGE_HEADER_BYTES,
  INSTRUMENT_METRICS_BYTES,
  INSTRUMENT_METRICS_REASONS_MAX,
  INSTRUMENT_METRICS_RESYNCS,
  LEVEL_BYTES,
  MAGIC_HIGH,
  MAGIC_LOW,
  METRICS_INSTRUMENTS,
  SEGMENT_ALIGN,
  SEGMENT_STATE_INITIALISING,
  SEGMENT_STATE_LIVE,
  STATE_CONNECTING,
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
import type { SegmentHandle } from "./abandoned.ts";
import { ImageArea, type ImagePair } from "./image_area.ts";
import { beginMetrics } from "./metrics_head.ts";
import {
  imageBytesFor,
  layOut,
  type SegmentConfig,
  type SegmentIdentity,
  type SegmentPlan,
  writeHeader,
  writeText,
} from "./segment_plan.ts";

export { abandonSegment, readHeartbeat, retireAbandoned, type SegmentHandle } from "./abandoned.ts";
export { imagePairBytes, type SegmentConfig, type SegmentIdentity, segmentBytes } from "./segment_plan.ts";

/** What a table entry says at its beginning. */
export type SegmentInstrumentOptions = {
  /** `BASE-QUOTE`, at most 47 bytes. */
  canonical: string;
  /** The exchange's own spelling, at most 63 bytes. */
  native: string;
  /** ASSURANCE_* */
  assurance: number;
  /** Levels per side, 0 = full. */
  depth: number;
  /** −1 = not known yet. */
  priceExponent: number;
  quantityExponent: number;
  /** TRADING_* */
  tradingStatus: number;
  /** Levels of both sides together that one image can hold. */
  imageLevels: number;
  /** STATE_*; default connecting. */
  state?: number;
  reason?: number;
  /** Unix ns. */
  sinceNs: bigint;
};

/** How an instrument is audited. */
export type SegmentAudit = {
  /** A wrong level is found within this time, ms; 0 = not audited. */
  readonly periodMs: number;
  /** AUDIT_* of the last audit. */
  readonly outcome: number;
  /** Unix ns when it ended; 0n = none yet. */
  readonly auditedAtNs: bigint;
};

/** An instrument that found no room in its segment. */
export type SegmentShortage = {
  readonly canonical: string;
  /** Levels that its images should have held. */
  readonly imageLevels: number;
  /** What was exhausted. */
  readonly part: "table" | "images";
};

/** The addresses that an instrument's block in the kernel needs. */
export type SegmentInstrument = {
  readonly id: number;
  readonly entryAddress: number;
  readonly cellAddress: number;
  /** Of its counters. */
  readonly metricsAddress: number;
  /** First of two images. */
  readonly imageAddress: number;
  /** Bytes of one image. */
  readonly imageBytes: number;
  /** Levels that one image holds. */
  readonly imageCapacity: number;
};

/**
 * Initialises a segment and makes it live. Whatever the range held before is erased.
 * @param buffer of the shared memory
 * @param options.address SEGMENT_ALIGN-aligned
 * @throws RangeError when the range is not aligned, lies outside the buffer, or a size is unusable
 */
export function createSegment(
  buffer: ArrayBufferLike,
  options: { address: number; config: SegmentConfig; identity: SegmentIdentity },
): SegmentWriter {
  const { address, config, identity } = options;
  const plan = layOut(config);
  if (address % SEGMENT_ALIGN !== 0 || address + plan.bytes > buffer.byteLength) {
    throw new RangeError(
      `Cannot create a segment of ${plan.bytes} bytes in ${buffer.byteLength}: the address must be a multiple of ${SEGMENT_ALIGN} inside, was ${address}`,
    );
  }
  // Images are erased one by one when they are handed out: most of the area may never be touched.
  new Uint8Array(buffer, address, plan.imagesOffset).fill(0);
  const view = new DataView(buffer, address, plan.bytes);
  view.setUint32(HEADER_STATE, SEGMENT_STATE_INITIALISING, true);
  writeHeader(view, { config, identity, plan });
  beginMetrics(view, plan.metricsOffset);
  const writer = new SegmentWriter(buffer, { address, plan, config, identity });
  view.setUint32(HEADER_MAGIC, MAGIC_LOW, true);
  view.setUint32(HEADER_MAGIC + 4, MAGIC_HIGH, true);
  writer.setState(SEGMENT_STATE_LIVE);
  return writer;
}

/** A live segment. Thread: the producer's only. */
export class SegmentWriter implements SegmentHandle {
  readonly exchange: string;
  readonly address: number;
  readonly bytes: number;
  readonly #buffer: ArrayBufferLike;
  readonly #view: DataView;
  readonly #heartbeat: BigUint64Array;
  readonly #plan: SegmentPlan;
  readonly #config: SegmentConfig;
  readonly #firstId: number;
  #count = 0;
  readonly #images: ImageArea;
  #shortages: SegmentShortage[] = [];

  constructor(
    buffer: ArrayBufferLike,
    options: { address: number; plan: SegmentPlan; config: SegmentConfig; identity: SegmentIdentity },
  ) {
    const { address, plan, config, identity } = options;
    this.exchange = identity.exchange;
    this.address = address;
    this.bytes = plan.bytes;
    this.#buffer = buffer;
    this.#view = new DataView(buffer, address, plan.bytes);
    this.#heartbeat = new BigUint64Array(buffer, address + HEADER_HEARTBEAT, 1);
    this.#plan = plan;
    this.#config = config;
    this.#firstId = identity.firstInstrumentId ?? 1;
    this.#images = new ImageArea(config.imageAreaBytes);
  }

  /** Table entries in use. */
  get instrumentCount(): number {
    return this.#count;
  }

  /**
   * Adds a table entry with its cell and two images; readers see it when it is complete.
   * @returns undefined when the table or the image area is exhausted; nothing changed then but the shortages
   * @throws RangeError when a name is too long
   */
  addInstrument(options: SegmentInstrumentOptions): SegmentInstrument | undefined {
    const imageLevels = this.#imageLevels(options);
    const part = this.lacksRoom(options);
    const pair = part === undefined ? this.#images.take(imageBytesFor(imageLevels)) : undefined;
    if (pair === undefined) {
      this.#shortages.push({ canonical: options.canonical, imageLevels, part: part ?? "images" });
      return undefined;
    }
    const { bytes: imageBytes } = pair;
    const instrument = {
      id: this.#firstId + this.#count,
      entryAddress: this.address + this.#plan.tableOffset + this.#count * TABLE_BYTES,
      cellAddress: this.address + this.#plan.cellsOffset + this.#count * CELL_BYTES,
      metricsAddress: this.metricsAddress + METRICS_INSTRUMENTS + this.#count * INSTRUMENT_METRICS_BYTES,
      imageAddress: this.address + this.#plan.imagesOffset + pair.offset,
      imageBytes,
      imageCapacity: Math.floor((imageBytes - IMAGE_HEADER_BYTES) / LEVEL_BYTES),
    };
    this.#clearImages(instrument, pair);
    this.#writeEntry(instrument, options);
    const cell = new DataView(this.#buffer, instrument.cellAddress, CELL_BYTES);
    cell.setUint32(CELL_INSTRUMENT_ID, instrument.id, true);
    cell.setUint32(CELL_STATE, options.state ?? STATE_CONNECTING, true);
    this.#count += 1;
    this.#view.setBigUint64(HEADER_IMAGES_USED, BigInt(this.#images.usedBytes), true);
    Atomics.store(new Uint32Array(this.#buffer, this.address + HEADER_INSTRUMENT_COUNT, 1), 0, this.#count);
    return instrument;
  }

  /**
   * Whether one more instrument would find no room; asking leaves no shortage behind.
   * @returns what is exhausted; undefined when there is room
   */
  lacksRoom(options: Pick<SegmentInstrumentOptions, "canonical" | "imageLevels">): SegmentShortage["part"] | undefined {
    if (this.#count >= this.#config.instrumentCapacity) {
      return "table";
    }
    return this.#images.hasRoom(imageBytesFor(this.#imageLevels(options))) ? undefined : "images";
  }

  /** The instrument is gone for good: its entry shows no image any more, and others may have its images. */
  releaseImages(instrument: SegmentInstrument): void {
    const entry = (instrument.entryAddress + TABLE_CURRENT_IMAGE) >>> 2;
    Atomics.store(new Uint32Array(this.#buffer), entry, 0);
    const offset = instrument.imageAddress - this.address - this.#plan.imagesOffset;
    this.#images.give({ offset, bytes: instrument.imageBytes });
  }

  /** The instruments that found no room since the last call. */
  takeShortages(): SegmentShortage[] {
    const taken = this.#shortages;
    this.#shortages = [];
    return taken;
  }

  /** Points a retired entry to its successor. */
  linkRetired(retired: SegmentInstrument, successor: SegmentInstrument): void {
    this.#entry(retired).setUint32(TABLE_RETIRED_TO, successor.id, true);
  }

  /** Sets state and reason of an entry that the kernel does not mirror. @param sinceNs Unix ns */
  setEntryState(instrument: SegmentInstrument, state: number, options: { reason: number; sinceNs: bigint }): void {
    const entry = this.#entry(instrument);
    entry.setUint32(TABLE_STATE, state, true);
    entry.setUint32(TABLE_REASON, options.reason, true);
    entry.setBigUint64(TABLE_SINCE, options.sinceNs, true);
  }

  /** Sets the depth and the assurance that goes with it. @param depth levels per side, 0 = full @param assurance ASSURANCE_* */
  setDepth(instrument: SegmentInstrument, depth: number, assurance: number): void {
    const entry = this.#entry(instrument);
    entry.setUint32(TABLE_DEPTH, depth, true);
    entry.setUint32(TABLE_ASSURANCE, assurance, true);
  }

  /** @param status TRADING_* */
  setTradingStatus(instrument: SegmentInstrument, status: number): void {
    this.#entry(instrument).setUint32(TABLE_TRADING_STATUS, status, true);
  }

  /** Bounds what the exchange told about an instrument, in ticks; levels outside are not asserted. */
  setKnownRange(instrument: SegmentInstrument, lowTicks: bigint, highTicks: bigint): void {
    const entry = this.#entry(instrument);
    entry.setBigInt64(TABLE_KNOWN_LOW, lowTicks, true);
    entry.setBigInt64(TABLE_KNOWN_HIGH, highTicks, true);
    entry.setUint32(TABLE_FLAGS, entry.getUint32(TABLE_FLAGS, true) | TABLE_FLAG_RANGE_KNOWN, true);
  }

  /** Says how an instrument is audited, and what the last audit found. */
  setAudit(instrument: SegmentInstrument, { periodMs, outcome, auditedAtNs }: SegmentAudit): void {
    const entry = this.#entry(instrument);
    entry.setUint32(TABLE_AUDIT_PERIOD, periodMs, true);
    entry.setUint32(TABLE_AUDIT_OUTCOME, outcome, true);
    entry.setBigUint64(TABLE_AUDITED_AT, auditedAtNs, true);
  }

  /** Shows that the producer lives. @param nowNs Unix ns */
  beat(nowNs: bigint): void {
    Atomics.store(this.#heartbeat, 0, nowNs);
  }

  /** Address of the metrics part. */
  get metricsAddress(): number {
    return this.address + this.#plan.metricsOffset;
  }

  /** A repair of an instrument begins. @param reason REASON_* */
  countResync(instrument: SegmentInstrument, reason: number): void {
    this.count(COUNTER_RESYNCS);
    if (reason >= 0 && reason < INSTRUMENT_METRICS_REASONS_MAX) {
      const offset = instrument.metricsAddress - this.address + INSTRUMENT_METRICS_RESYNCS + reason * 8;
      this.#view.setBigUint64(offset, this.#view.getBigUint64(offset, true) + 1n, true);
    }
  }

  /** Adds to a counter. The kernel owns those below 32, the host the others. @param counter COUNTER_* */
  count(counter: number, by = 1): void {
    const offset = counterOffset(counter);
    this.#view.setBigUint64(offset, this.#view.getBigUint64(offset, true) + BigInt(by), true);
  }

  /** Reads a counter, exact up to 2^53. @param counter COUNTER_* */
  counter(counter: number): number {
    return Number(this.#view.getBigUint64(counterOffset(counter), true));
  }

  /** @param state SEGMENT_STATE_* */
  setState(state: number): void {
    Atomics.store(new Uint32Array(this.#buffer, this.address + HEADER_STATE, 1), 0, state);
  }

  #imageLevels({ canonical, imageLevels }: Pick<SegmentInstrumentOptions, "canonical" | "imageLevels">): number {
    return Math.max(imageLevels, this.#config.leastImageLevels?.[canonical] ?? 0);
  }

  /** The generations of images that somebody may still be reading go on. */
  #clearImages({ imageAddress, imageBytes }: SegmentInstrument, { isUsed }: ImagePair): void {
    for (const address of [imageAddress, imageAddress + imageBytes]) {
      const words = new Int32Array(this.#buffer, address, IMAGE_HEADER_BYTES / 4);
      const generation = isUsed ? Atomics.load(words, IMAGE_GENERATION / 4) : 0;
      Atomics.store(words, IMAGE_GENERATION / 4, generation + 1);
      words.fill(0, IMAGE_GENERATION / 4 + 1);
      Atomics.store(words, IMAGE_GENERATION / 4, isUsed ? generation + 2 : 0);
    }
  }

  #entry(instrument: SegmentInstrument): DataView {
    return new DataView(this.#buffer, instrument.entryAddress, TABLE_BYTES);
  }

  #writeEntry(instrument: SegmentInstrument, options: SegmentInstrumentOptions): void {
    const entry = this.#entry(instrument);
    const fields: [offset: number, value: number][] = [
      [TABLE_ID, instrument.id],
      [TABLE_STATE, options.state ?? STATE_CONNECTING],
      [TABLE_ASSURANCE, options.assurance],
      [TABLE_REASON, options.reason ?? 0],
      [TABLE_TRADING_STATUS, options.tradingStatus],
      [TABLE_DEPTH, options.depth],
      [TABLE_IMAGE_CAPACITY, instrument.imageCapacity],
    ];
    writeText(entry, TABLE_CANONICAL, { text: options.canonical, bytesMax: TABLE_CANONICAL_BYTES_MAX });
    writeText(entry, TABLE_NATIVE, { text: options.native, bytesMax: TABLE_NATIVE_BYTES_MAX });
    for (const [offset, value] of fields) {
      entry.setUint32(offset, value, true);
    }
    entry.setInt32(TABLE_PRICE_EXPONENT, options.priceExponent, true);
    entry.setInt32(TABLE_QUANTITY_EXPONENT, options.quantityExponent, true);
    entry.setBigUint64(TABLE_IMAGE_OFFSET, BigInt(instrument.imageAddress - this.address), true);
    entry.setBigUint64(TABLE_IMAGE_BYTES, BigInt(instrument.imageBytes), true);
    entry.setBigUint64(TABLE_SINCE, options.sinceNs, true);
  }
}

function counterOffset(counter: number): number {
  if (!(counter >= 0 && counter < HEADER_COUNTERS_MAX)) {
    throw new RangeError(`Cannot count: there are ${HEADER_COUNTERS_MAX} counters, was ${counter}`);
  }
  return HEADER_COUNTERS + counter * 8;
}
