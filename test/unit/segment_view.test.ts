/** The segment view: reads what the writer wrote, and refuses every header that cannot be trusted. */
import { beforeEach, describe, expect, it } from "vitest";
import {
  ASSURANCE_CHECKSUM,
  CELL_ASK_PRICE,
  CELL_BID_PRICE,
  CELL_FLAG_BID,
  CELL_FLAGS,
  CELL_SEQUENCE,
  COUNTER_FRAMES,
  HEADER_CELLS_OFFSET,
  HEADER_DELTA_BYTES,
  HEADER_DELTA_CAPACITY,
  HEADER_DELTA_RING_OFFSET,
  HEADER_EXCHANGE,
  HEADER_HEADER_BYTES,
  HEADER_IMAGES_OFFSET,
  HEADER_INSTRUMENT_CAPACITY,
  HEADER_INSTRUMENT_COUNT,
  HEADER_LAYOUT_VERSION,
  HEADER_MAGIC,
  HEADER_SEGMENT_BYTES,
  HEADER_STATE,
  HEADER_TABLE_OFFSET,
  HEADER_TRADE_CAPACITY,
  HEADER_TRADE_RING_OFFSET,
  REASON_GAP,
  SEGMENT_STATE_CLOSED,
  SEGMENT_STATE_LIVE,
  STATE_RESYNCING,
  TABLE_IMAGE_BYTES,
  TABLE_IMAGE_CAPACITY,
  TABLE_IMAGE_OFFSET,
  TRADING_OPEN,
} from "../../assembly/layout.ts";
import { createSegment, SegmentView, type SegmentWriter } from "../../src/segment/mod.ts";

const ADDRESS = 65_536;
const CONFIG = { instrumentCapacity: 4, deltaCapacity: 64, tradeCapacity: 64, imageAreaBytes: 65_536 };

let buffer = new SharedArrayBuffer(0);
let memory = new DataView(buffer);
let writer: SegmentWriter;

beforeEach(() => {
  buffer = new SharedArrayBuffer(262_144);
  memory = new DataView(buffer);
  writer = createSegment(buffer, {
    address: ADDRESS,
    config: CONFIG,
    identity: {
      exchange: "kraken",
      epoch: 77n,
      pid: 5,
      wallAnchorNs: 1_700_000_000_000_000_000n,
      monotonicAnchorNs: 9n,
    },
  });
});

function add(canonical: string) {
  return writer.addInstrument({
    canonical,
    native: canonical.replace("-", "/"),
    assurance: ASSURANCE_CHECKSUM,
    depth: 10,
    priceExponent: 1,
    quantityExponent: 8,
    tradingStatus: TRADING_OPEN,
    imageLevels: 100,
    sinceNs: 3n,
  });
}

describe("SegmentView", () => {
  it("reads what the writer wrote", () => {
    const btc = add("BTC-USD");
    add("ETH-USD");
    writer.beat(1_700_000_000_500_000_000n);
    writer.count(COUNTER_FRAMES, 12);
    const view = new SegmentView(buffer, ADDRESS);
    expect(view.header).toMatchObject({
      exchange: "kraken",
      epoch: 77n,
      pid: 5,
      shardIndex: 0,
      shardCount: 1,
      deltaCapacity: 64,
    });
    expect([view.state, view.heartbeatNs, view.deltaTail, view.tradeTail, view.counter(COUNTER_FRAMES)]).toEqual([
      SEGMENT_STATE_LIVE,
      1_700_000_000_500_000_000n,
      0,
      0,
      12,
    ]);
    expect(view.instruments().map(({ canonical, native }) => [canonical, native])).toEqual([
      ["BTC-USD", "BTC/USD"],
      ["ETH-USD", "ETH/USD"],
    ]);
    expect(view.instrument(0)).toMatchObject({
      id: btc?.id,
      address: btc?.entryAddress,
      priceExponent: 1,
      quantityExponent: 8,
      depth: 10,
      assurance: ASSURANCE_CHECKSUM,
      tradingStatus: TRADING_OPEN,
      retiredTo: 0,
      currentImage: 0,
      imagesFit: true,
      knownRange: undefined,
    });
  });

  it("shows changes of state, range and successor when the producer makes them", () => {
    const [first, second] = [add("BTC-USD"), add("BTC-USD")];
    if (first === undefined || second === undefined) {
      throw new Error("Cannot test: the segment has no room, was 4 entries");
    }
    const view = new SegmentView(buffer, ADDRESS);
    writer.setEntryState(first, STATE_RESYNCING, { reason: REASON_GAP, sinceNs: 8n });
    writer.setKnownRange(first, -5n, 1_000_000_000_000n);
    writer.linkRetired(first, second);
    writer.setState(SEGMENT_STATE_CLOSED);
    expect(view.instrument(0)).toMatchObject({
      state: STATE_RESYNCING,
      reason: REASON_GAP,
      sinceNs: 8n,
      retiredTo: second.id,
      knownRange: { lowTicks: -5n, highTicks: 1_000_000_000_000n },
    });
    expect(view.state).toBe(SEGMENT_STATE_CLOSED);
  });

  it("reads a cell whole, and gives up with undefined when it stays half written", () => {
    const cell = add("BTC-USD")?.cellAddress ?? 0;
    const view = new SegmentView(buffer, ADDRESS);
    memory.setBigInt64(cell + CELL_BID_PRICE, 12_903_488_800n, true);
    memory.setBigInt64(cell + CELL_ASK_PRICE, -1n, true);
    memory.setUint32(cell + CELL_FLAGS, CELL_FLAG_BID, true);
    expect(view.topOfBook(0)).toMatchObject({
      bidPrice: 12_903_488_800n,
      askPrice: -1n,
      flags: CELL_FLAG_BID,
      version: 0n,
    });
    memory.setUint32(cell + CELL_SEQUENCE, 7, true);
    expect(view.topOfBook(0)).toBeUndefined();
  });

  it("throws for instruments, cells and counters that there are not", () => {
    add("BTC-USD");
    const view = new SegmentView(buffer, ADDRESS);
    expect(() => view.instrument(1)).toThrow("was 1");
    expect(() => view.topOfBook(-1)).toThrow(RangeError);
    expect(() => view.counter(64)).toThrow("was 64");
  });

  it("never reads beyond the table when the count is too large", () => {
    memory.setUint32(ADDRESS + HEADER_INSTRUMENT_COUNT, 1000, true);
    expect(new SegmentView(buffer, ADDRESS).instruments()).toHaveLength(4);
  });

  it.each([
    ["offset beyond the segment", TABLE_IMAGE_OFFSET, 1n << 40n],
    ["offset into the rings", TABLE_IMAGE_OFFSET, 4096n],
    ["size beyond the segment", TABLE_IMAGE_BYTES, 1n << 20n],
  ])("says that images do not fit when their %s", (_what, field, value) => {
    const entry = add("BTC-USD")?.entryAddress ?? 0;
    memory.setBigUint64(entry + field, value, true);
    expect(new SegmentView(buffer, ADDRESS).instrument(0).imagesFit).toBe(false);
  });

  it("says that images do not fit when they are smaller than their capacity", () => {
    const entry = add("BTC-USD")?.entryAddress ?? 0;
    memory.setUint32(entry + TABLE_IMAGE_CAPACITY, 1_000_000, true);
    expect(new SegmentView(buffer, ADDRESS).instrument(0).imagesFit).toBe(false);
  });

  it.each([
    ["magic", HEADER_MAGIC, 4, 0, "magic"],
    ["layout version", HEADER_LAYOUT_VERSION, 4, 9, "layout"],
    ["layout version 0", HEADER_LAYOUT_VERSION, 4, 0, "layout"],
    ["header size", HEADER_HEADER_BYTES, 4, 512, "header size"],
    ["record size", HEADER_DELTA_BYTES, 4, 128, "delta record size"],
    ["segment size", HEADER_SEGMENT_BYTES, 8, 1 << 30, "size"],
    ["delta capacity", HEADER_DELTA_CAPACITY, 4, 63, "delta capacity"],
    ["trade capacity", HEADER_TRADE_CAPACITY, 4, 0, "trade capacity"],
    ["instrument capacity", HEADER_INSTRUMENT_CAPACITY, 4, 1 << 20, "instrument table"],
    ["table offset", HEADER_TABLE_OFFSET, 8, 64, "instrument table"],
    ["cells offset", HEADER_CELLS_OFFSET, 8, 4097, "aligned"],
    ["delta ring offset", HEADER_DELTA_RING_OFFSET, 8, 1 << 22, "delta ring"],
    ["trade ring offset", HEADER_TRADE_RING_OFFSET, 8, 8192, "ring"],
    ["images offset", HEADER_IMAGES_OFFSET, 8, 1 << 24, "images"],
    ["name length", HEADER_EXCHANGE, 1, 32, "name"],
    ["name", HEADER_EXCHANGE + 1, 1, 0x20, "name"],
  ])("refuses a segment whose %s is wrong", (_what, offset, bytes, value, reason) => {
    if (bytes === 8) {
      memory.setBigUint64(ADDRESS + offset, BigInt(value), true);
    } else if (bytes === 4) {
      memory.setUint32(ADDRESS + offset, value, true);
    } else {
      memory.setUint8(ADDRESS + offset, value);
    }
    expect(() => new SegmentView(buffer, ADDRESS)).toThrow(RangeError);
    expect(() => new SegmentView(buffer, ADDRESS)).toThrow(new RegExp(`^Cannot read the segment: .*${reason}`));
  });

  it.each([1, -64, 262_144, Number.NaN])("refuses address %s", (address) => {
    expect(() => new SegmentView(buffer, address)).toThrow(RangeError);
  });

  it("reads a segment that is still being initialised or was closed: its state says so", () => {
    memory.setUint32(ADDRESS + HEADER_STATE, 0, true);
    expect(new SegmentView(buffer, ADDRESS).state).toBe(0);
  });
});
