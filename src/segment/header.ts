/**
 * The header page of a segment, checked field by field against the length of the memory or file it lies in: magic,
 * layout version, capacities, record sizes, and that every part lies whole inside the segment and beside the others.
 * Bad case: trusting one offset of a foreign file; nothing outside the segment's own bytes may ever be read through it.
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
  HEADER_IMAGES_OFFSET,
  HEADER_INSTRUMENT_CAPACITY,
  HEADER_LAYOUT_VERSION,
  HEADER_MAGIC,
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
  INSTRUMENT_METRICS_BYTES,
  LAYOUT_VERSION,
  MAGIC_HIGH,
  MAGIC_LOW,
  METRICS_INSTRUMENTS,
  TABLE_BYTES,
  TRADE_BYTES,
} from "../../assembly/layout.ts";

const TABLE_ALIGN = 64;
/** The first layout that has metrics. */
const METRICS_SINCE = 3;

/** The part of a header that does not change while the segment lives. Offsets are relative to the segment's start. */
export type SegmentHeader = {
  readonly layoutVersion: number;
  readonly segmentBytes: number;
  /** Unique per creation; a new one means a new segment, sequences and ids start again. */
  readonly epoch: bigint;
  readonly pid: number;
  readonly exchange: string;
  readonly shardIndex: number;
  readonly shardCount: number;
  readonly instrumentCapacity: number;
  /** Records; a power of two. */
  readonly deltaCapacity: number;
  /** Records; a power of two. */
  readonly tradeCapacity: number;
  readonly tableOffset: number;
  readonly cellsOffset: number;
  /** Undefined = a segment of layout 2, which has no metrics. */
  readonly metricsOffset: number | undefined;
  readonly deltaRingOffset: number;
  readonly tradeRingOffset: number;
  readonly imagesOffset: number;
  /** Unix ns that the monotonic anchor stands for. */
  readonly wallAnchorNs: bigint;
  readonly monotonicAnchorNs: bigint;
};

/**
 * Reads and validates a header page.
 * @param memory over the whole linear memory, or the whole file
 * @param address of the segment's first byte
 * @throws RangeError when a field cannot be trusted, naming it and its value; for another layout naming both versions
 */
export function readSegmentHeader(memory: DataView, address: number): SegmentHeader {
  demand(Number.isInteger(address) && address >= 0 && address % TABLE_ALIGN === 0, "address is not aligned", address);
  demand(address + HEADER_BYTES <= memory.byteLength, "the memory ends inside its header", memory.byteLength);
  const word = (offset: number) => memory.getUint32(address + offset, true);
  const magic = [word(HEADER_MAGIC), word(HEADER_MAGIC + 4)];
  demand(magic[0] === MAGIC_LOW && magic[1] === MAGIC_HIGH, "no magic number", magic.join(" "));
  const layoutVersion = word(HEADER_LAYOUT_VERSION);
  demand(
    layoutVersion >= 1 && (layoutVersion === LAYOUT_VERSION || layoutVersion === LAYOUT_VERSION - 1),
    `this build reads layout ${LAYOUT_VERSION} and the one before`,
    layoutVersion,
  );
  demand(word(HEADER_HEADER_BYTES) === HEADER_BYTES, "header size", word(HEADER_HEADER_BYTES));
  demand(word(HEADER_DELTA_BYTES) === DELTA_BYTES, "delta record size", word(HEADER_DELTA_BYTES));
  demand(word(HEADER_TRADE_BYTES) === TRADE_BYTES, "trade record size", word(HEADER_TRADE_BYTES));
  const offset = (field: number) => Number(memory.getBigUint64(address + field, true));
  const header: SegmentHeader = {
    layoutVersion,
    segmentBytes: offset(HEADER_SEGMENT_BYTES),
    epoch: memory.getBigUint64(address + HEADER_EPOCH, true),
    pid: word(HEADER_PID),
    exchange: readExchange(memory, address + HEADER_EXCHANGE),
    shardIndex: memory.getUint16(address + HEADER_SHARD_INDEX, true),
    shardCount: memory.getUint16(address + HEADER_SHARD_COUNT, true),
    instrumentCapacity: word(HEADER_INSTRUMENT_CAPACITY),
    deltaCapacity: word(HEADER_DELTA_CAPACITY),
    tradeCapacity: word(HEADER_TRADE_CAPACITY),
    tableOffset: offset(HEADER_TABLE_OFFSET),
    cellsOffset: offset(HEADER_CELLS_OFFSET),
    metricsOffset: layoutVersion < METRICS_SINCE ? undefined : offset(HEADER_METRICS_OFFSET),
    deltaRingOffset: offset(HEADER_DELTA_RING_OFFSET),
    tradeRingOffset: offset(HEADER_TRADE_RING_OFFSET),
    imagesOffset: offset(HEADER_IMAGES_OFFSET),
    wallAnchorNs: memory.getBigInt64(address + HEADER_WALL_ANCHOR, true),
    monotonicAnchorNs: memory.getBigInt64(address + HEADER_MONOTONIC_ANCHOR, true),
  };
  checkParts(header, memory.byteLength - address);
  return header;
}

function checkParts(header: SegmentHeader, available: number): void {
  const { segmentBytes, instrumentCapacity, deltaCapacity, tradeCapacity } = header;
  demand(segmentBytes > HEADER_BYTES && segmentBytes <= available, `size, ${available} bytes are there`, segmentBytes);
  demand(isPowerOfTwo(deltaCapacity), "delta capacity is no power of two", deltaCapacity);
  demand(isPowerOfTwo(tradeCapacity), "trade capacity is no power of two", tradeCapacity);
  const parts: [string, number, number][] = [
    ["instrument table", header.tableOffset, instrumentCapacity * TABLE_BYTES],
    ["cells", header.cellsOffset, instrumentCapacity * CELL_BYTES],
    ...metricsPart(header),
    ["delta ring", header.deltaRingOffset, deltaCapacity * DELTA_BYTES],
    ["trade ring", header.tradeRingOffset, tradeCapacity * TRADE_BYTES],
    ["images", header.imagesOffset, 0],
  ];
  let end = HEADER_BYTES;
  for (const [name, offset, bytes] of parts.sort((one, other) => one[1] - other[1])) {
    demand(offset % TABLE_ALIGN === 0, `offset of the ${name} is not aligned`, offset);
    demand(offset >= end, `the ${name} overlaps what stands before it (it ends at ${end})`, offset);
    end = offset + bytes;
    demand(end <= segmentBytes, `the ${name} ends outside the segment of ${segmentBytes} bytes`, end);
  }
}

function metricsPart({ metricsOffset, instrumentCapacity }: SegmentHeader): [string, number, number][] {
  const bytes = METRICS_INSTRUMENTS + instrumentCapacity * INSTRUMENT_METRICS_BYTES;
  return metricsOffset === undefined ? [] : [["metrics", metricsOffset, bytes]];
}

function isPowerOfTwo(value: number): boolean {
  return value > 0 && (value & (value - 1)) === 0;
}

function readExchange(memory: DataView, address: number): string {
  const length = memory.getUint8(address);
  demand(length > 0 && length <= HEADER_EXCHANGE_BYTES_MAX, "length of the exchange's name", length);
  const codes = Array.from({ length }, (_, index) => memory.getUint8(address + 1 + index));
  const name = String.fromCharCode(...codes);
  demand(/^[a-z0-9_]+$/.test(name), "the exchange's name", JSON.stringify(name));
  return name;
}

function demand(condition: boolean, reason: string, was: number | string): asserts condition {
  if (!condition) {
    throw new RangeError(`Cannot read the segment: ${reason}, was ${was}`);
  }
}
