/**
 * Where everything lies in a segment: sizes in, offsets out, and the header page that says so to readers.
 * Bad case: a capacity that is no power of two; ring positions are masked, so it is refused before anything is written.
 */
import {
  CELL_BYTES,
  DELTA_BYTES,
  HEADER_BYTES,
  HEADER_CELLS_OFFSET,
  HEADER_DELTA_BYTES,
  HEADER_DELTA_CAPACITY,
  HEADER_DELTA_RING_OFFSET,
  HEADER_EPOCH,
  HEADER_EXCHANGE,
  HEADER_EXCHANGE_BYTES_MAX,
  HEADER_HEADER_BYTES,
  HEADER_HEARTBEAT,
  HEADER_IMAGES_OFFSET,
  HEADER_INSTRUMENT_CAPACITY,
  HEADER_LAYOUT_VERSION,
  HEADER_METRICS_OFFSET,
  HEADER_MONOTONIC_ANCHOR,
  HEADER_PID,
  HEADER_SEGMENT_BYTES,
  HEADER_SHARD_COUNT,
  HEADER_SHARD_INDEX,
  HEADER_TABLE_OFFSET,
  HEADER_TRADE_BYTES,
  HEADER_TRADE_CAPACITY,
  HEADER_TRADE_RING_OFFSET,
  HEADER_WALL_ANCHOR,
  IMAGE_HEADER_BYTES,
  INSTRUMENT_METRICS_BYTES,
  LAYOUT_VERSION,
  LEVEL_BYTES,
  METRICS_INSTRUMENTS,
  SEGMENT_ALIGN,
  TABLE_BYTES,
  TRADE_BYTES,
} from "../../assembly/layout.ts";

/** Sizes of a segment. */
export type SegmentConfig = {
  /** Table entries; every rescale and every outgrown image uses one more. */
  instrumentCapacity: number;
  /** Delta records in the ring, a power of two. */
  deltaCapacity: number;
  /** Trade records in the ring, a power of two. */
  tradeCapacity: number;
  /** Bytes for all book images together. */
  imageAreaBytes: number;
  /** Levels that images of these instruments hold at least, by canonical name: books that outgrew an earlier segment. */
  leastImageLevels?: Readonly<Record<string, number>>;
};

/** Who writes a segment, and since when. */
export type SegmentIdentity = {
  /** Exchange id, at most 31 bytes. */
  exchange: string;
  /** Different for every start of a producer; Unix ns serves. */
  epoch: bigint;
  pid: number;
  /** Unix ns that receivedAt and now of the kernel are relative to. */
  wallAnchorNs: bigint;
  /** The monotonic clock at the same moment, ns. */
  monotonicAnchorNs: bigint;
  shardIndex?: number;
  shardCount?: number;
  /** Id of the first instrument; the following ones count up. */
  firstInstrumentId?: number;
};

/** Offsets of the parts of a segment, from its first byte. */
export type SegmentPlan = {
  tableOffset: number;
  cellsOffset: number;
  metricsOffset: number;
  deltaRingOffset: number;
  tradeRingOffset: number;
  imagesOffset: number;
  bytes: number;
};

/**
 * Bytes of a segment with these sizes.
 * @returns a multiple of SEGMENT_ALIGN
 * @throws RangeError when a size is unusable
 */
export function segmentBytes(config: SegmentConfig): number {
  return layOut(config).bytes;
}

/** Bytes that the two images of one instrument take in the image area. @param levels capacity of one image */
export function imagePairBytes(levels: number): number {
  return 2 * imageBytesFor(levels);
}

/**
 * Lays the parts of a segment out one behind the other.
 * @throws RangeError when a size is unusable
 */
export function layOut(config: SegmentConfig): SegmentPlan {
  checkPowerOfTwo("deltaCapacity", config.deltaCapacity);
  checkPowerOfTwo("tradeCapacity", config.tradeCapacity);
  if (!(config.instrumentCapacity >= 1) || !(config.imageAreaBytes >= 0)) {
    throw new RangeError(
      `Cannot lay out a segment: instrumentCapacity ≥ 1 and imageAreaBytes ≥ 0, was ${config.instrumentCapacity} and ${config.imageAreaBytes}`,
    );
  }
  const tableOffset = HEADER_BYTES;
  const cellsOffset = roundUp(tableOffset + config.instrumentCapacity * TABLE_BYTES, 4096);
  const metricsOffset = roundUp(cellsOffset + config.instrumentCapacity * CELL_BYTES, 4096);
  const metricsBytes = METRICS_INSTRUMENTS + config.instrumentCapacity * INSTRUMENT_METRICS_BYTES;
  const deltaRingOffset = roundUp(metricsOffset + metricsBytes, 4096);
  const tradeRingOffset = roundUp(deltaRingOffset + config.deltaCapacity * DELTA_BYTES, 4096);
  const imagesOffset = roundUp(tradeRingOffset + config.tradeCapacity * TRADE_BYTES, 4096);
  const bytes = roundUp(imagesOffset + config.imageAreaBytes, SEGMENT_ALIGN);
  return { tableOffset, cellsOffset, metricsOffset, deltaRingOffset, tradeRingOffset, imagesOffset, bytes };
}

/** Writes the header page but for the magic number and the state, which make a segment live. @param view over the segment */
export function writeHeader(
  view: DataView,
  { config, identity, plan }: { config: SegmentConfig; identity: SegmentIdentity; plan: SegmentPlan },
): void {
  const words: [offset: number, value: number][] = [
    [HEADER_LAYOUT_VERSION, LAYOUT_VERSION],
    [HEADER_HEADER_BYTES, HEADER_BYTES],
    [HEADER_PID, identity.pid],
    [HEADER_INSTRUMENT_CAPACITY, config.instrumentCapacity],
    [HEADER_DELTA_CAPACITY, config.deltaCapacity],
    [HEADER_TRADE_CAPACITY, config.tradeCapacity],
    [HEADER_DELTA_BYTES, DELTA_BYTES],
    [HEADER_TRADE_BYTES, TRADE_BYTES],
  ];
  const longs: [offset: number, value: bigint][] = [
    [HEADER_SEGMENT_BYTES, BigInt(plan.bytes)],
    [HEADER_EPOCH, identity.epoch],
    [HEADER_TABLE_OFFSET, BigInt(plan.tableOffset)],
    [HEADER_CELLS_OFFSET, BigInt(plan.cellsOffset)],
    [HEADER_METRICS_OFFSET, BigInt(plan.metricsOffset)],
    [HEADER_DELTA_RING_OFFSET, BigInt(plan.deltaRingOffset)],
    [HEADER_TRADE_RING_OFFSET, BigInt(plan.tradeRingOffset)],
    [HEADER_IMAGES_OFFSET, BigInt(plan.imagesOffset)],
    [HEADER_MONOTONIC_ANCHOR, identity.monotonicAnchorNs],
    [HEADER_HEARTBEAT, identity.wallAnchorNs],
  ];
  for (const [offset, value] of words) {
    view.setUint32(offset, value, true);
  }
  for (const [offset, value] of longs) {
    view.setBigUint64(offset, value, true);
  }
  view.setBigInt64(HEADER_WALL_ANCHOR, identity.wallAnchorNs, true);
  view.setUint16(HEADER_SHARD_INDEX, identity.shardIndex ?? 0, true);
  view.setUint16(HEADER_SHARD_COUNT, identity.shardCount ?? 1, true);
  writeText(view, HEADER_EXCHANGE, { text: identity.exchange, bytesMax: HEADER_EXCHANGE_BYTES_MAX });
}

/** Writes a u8 length and the UTF-8 bytes. @throws RangeError when the text is too long */
export function writeText(
  view: DataView,
  offset: number,
  { text, bytesMax }: { text: string; bytesMax: number },
): void {
  const bytes = new TextEncoder().encode(text);
  if (bytes.length > bytesMax) {
    throw new RangeError(`Cannot write a name: it has more than ${bytesMax} bytes, was ${text}`);
  }
  view.setUint8(offset, bytes.length);
  bytes.forEach((byte, index) => {
    view.setUint8(offset + 1 + index, byte);
  });
}

/** Bytes of one image. @param levels of both sides together */
export function imageBytesFor(levels: number): number {
  return roundUp(IMAGE_HEADER_BYTES + levels * LEVEL_BYTES, 64);
}

function checkPowerOfTwo(name: string, value: number): void {
  if (!Number.isInteger(value) || value < 64 || value > 2 ** 26 || 2 ** Math.round(Math.log2(value)) !== value) {
    throw new RangeError(`Cannot lay out a segment: ${name} must be a power of two from 64 to 2^26, was ${value}`);
  }
}

function roundUp(value: number, align: number): number {
  return Math.ceil(value / align) * align;
}
