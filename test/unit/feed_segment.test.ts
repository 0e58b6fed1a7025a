/**
 * The memory map and the segment writer, read back through the validated view that readers use.
 * Bad case: two ranges that overlap; every reader would see the other's bytes.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  ASSURANCE_CHECKSUM,
  COUNTER_RECONNECTS,
  REASON_DISCONNECTED,
  SEGMENT_STATE_CLOSED,
  SEGMENT_STATE_LIVE,
  SEGMENT_STATE_SUPERSEDED,
  STATE_CONNECTING,
  STATE_SYNCED,
  TRADING_OPEN,
} from "../../assembly/layout.ts";
import { MEMORY_BYTES_MAX, MemoryMap, memoryBytes, PAGE_BYTES } from "../../src/segment/memory_map.ts";
import { SegmentView } from "../../src/segment/view.ts";
import {
  abandonSegment,
  createSegment,
  imagePairBytes,
  readHeartbeat,
  type SegmentConfig,
  type SegmentInstrumentOptions,
  segmentBytes,
} from "../../src/segment/writer.ts";

const CONFIG: SegmentConfig = { instrumentCapacity: 3, deltaCapacity: 64, tradeCapacity: 128, imageAreaBytes: 20_000 };
const IDENTITY = {
  exchange: "kraken",
  epoch: 77n,
  pid: 9,
  wallAnchorNs: 1_700_000_000_000_000_000n,
  monotonicAnchorNs: 5n,
};

const BTC: SegmentInstrumentOptions = {
  canonical: "BTC-USD",
  native: "BTC/USD",
  assurance: ASSURANCE_CHECKSUM,
  depth: 10,
  priceExponent: -1,
  quantityExponent: 8,
  tradingStatus: TRADING_OPEN,
  imageLevels: 100,
  sinceNs: 123n,
};

function segment(config = CONFIG) {
  const buffer = new SharedArrayBuffer(8 * PAGE_BYTES);
  new Uint8Array(buffer).fill(0xaa);
  const writer = createSegment(buffer, { address: PAGE_BYTES, config, identity: IDENTITY });
  return { buffer, writer, view: new SegmentView(buffer, PAGE_BYTES) };
}

describe("MemoryMap", () => {
  it("hands out ranges that are aligned, inside, and apart, whatever is reserved and released", () => {
    const steps = fc.array(
      fc.tuple(fc.boolean(), fc.integer({ min: 1, max: 5 * PAGE_BYTES }), fc.constantFrom(1, 2, 4)),
      {
        maxLength: 40,
      },
    );
    fc.assert(
      fc.property(steps, (list) => {
        const map = new MemoryMap(32 * PAGE_BYTES);
        list.forEach(([isRelease, bytes, pages], index) => {
          const [first] = map.ranges;
          if (isRelease && first !== undefined) {
            map.release(first);
            return;
          }
          try {
            const range = map.reserve(String(index), { bytes, align: pages * PAGE_BYTES });
            expect([range.address % (pages * PAGE_BYTES), range.bytes >= bytes]).toEqual([0, true]);
          } catch (error) {
            expect(error).toBeInstanceOf(RangeError);
          }
        });
        let end = PAGE_BYTES;
        for (const { address, bytes } of map.ranges) {
          expect(address).toBeGreaterThanOrEqual(end);
          end = address + bytes;
        }
        expect(end).toBeLessThanOrEqual(32 * PAGE_BYTES);
      }),
      { numRuns: 50 },
    );
  });

  it("holds exactly the ranges that it was sized for", () => {
    const sizes = [1, PAGE_BYTES, PAGE_BYTES + 1];
    const map = new MemoryMap(memoryBytes(sizes));
    for (const [index, bytes] of sizes.entries()) {
      map.reserve(`range ${index}`, { bytes });
    }
    expect(map.memory.buffer.byteLength).toBe(5 * PAGE_BYTES);
    expect(() => map.reserve("one more", { bytes: 1 })).toThrow(
      "Cannot reserve one more: it does not fit beside [range 0 65536, range 1 65536, range 2 131072] in 327680 bytes, was 65536 bytes",
    );
  });

  it("refuses a name that is taken, a size that is none, and a memory that cannot be", () => {
    const map = new MemoryMap(4 * PAGE_BYTES);
    const range = map.reserve("a", { bytes: 1 });
    expect(() => map.reserve("a", { bytes: 1 })).toThrow(/the name is taken/);
    expect(() => map.reserve("b", { bytes: 0 })).toThrow(RangeError);
    expect(() => map.reserve("b", { bytes: 1, align: 3 })).toThrow(RangeError);
    map.release(range);
    expect(() => map.release(range)).toThrow(/not in use/);
    expect(() => new MemoryMap(MEMORY_BYTES_MAX + PAGE_BYTES)).toThrow(/Cannot create the memory/);
    expect(() => new MemoryMap(0)).toThrow(RangeError);
  });
});

describe("createSegment", () => {
  it("erases what was there and writes a header that readers trust", () => {
    const { view, writer } = segment();
    expect(view.header).toMatchObject({
      segmentBytes: segmentBytes(CONFIG),
      epoch: 77n,
      pid: 9,
      exchange: "kraken",
      shardIndex: 0,
      shardCount: 1,
      instrumentCapacity: 3,
      deltaCapacity: 64,
      tradeCapacity: 128,
      wallAnchorNs: IDENTITY.wallAnchorNs,
      monotonicAnchorNs: 5n,
    });
    expect([view.state, view.instrumentCount, view.deltaTail, view.counter(0), writer.bytes % PAGE_BYTES]).toEqual([
      SEGMENT_STATE_LIVE,
      0,
      0,
      0,
      0,
    ]);
  });

  it("refuses sizes that cannot be and places that are none", () => {
    const buffer = new SharedArrayBuffer(2 * PAGE_BYTES);
    const at = (address: number, config: SegmentConfig) => () =>
      createSegment(buffer, { address, config, identity: IDENTITY });
    expect(at(0, { ...CONFIG, deltaCapacity: 100 })).toThrow(/deltaCapacity must be a power of two/);
    expect(at(0, { ...CONFIG, tradeCapacity: 32 })).toThrow(/tradeCapacity/);
    expect(at(0, { ...CONFIG, instrumentCapacity: 0 })).toThrow(/instrumentCapacity/);
    expect(at(64, CONFIG)).toThrow(/multiple of 65536/);
    expect(at(2 * PAGE_BYTES, CONFIG)).toThrow(RangeError);
  });
});

describe("SegmentWriter", () => {
  it("adds instruments that readers see whole, ids counting up", () => {
    const { view, writer } = segment();
    const first = writer.addInstrument(BTC);
    const second = writer.addInstrument({ ...BTC, canonical: "ETH-USD", native: "ETH/USD", state: STATE_SYNCED });
    expect([first?.id, second?.id]).toEqual([1, 2]);
    expect(view.instruments()).toMatchObject([
      {
        canonical: "BTC-USD",
        native: "BTC/USD",
        state: STATE_CONNECTING,
        assurance: ASSURANCE_CHECKSUM,
        depth: 10,
        priceExponent: -1,
        quantityExponent: 8,
        tradingStatus: TRADING_OPEN,
        sinceNs: 123n,
        retiredTo: 0,
        currentImage: 0,
        imageCapacity: 100,
        knownRange: undefined,
      },
      { id: 2, canonical: "ETH-USD", state: STATE_SYNCED },
    ]);
    expect(view.topOfBook(1)).toMatchObject({ instrumentId: 2, state: STATE_SYNCED, version: 0n });
    expect(first?.entryAddress).toBe(view.entryAddress(0));
  });

  it("says no and changes nothing when the table or the images are full", () => {
    const { view, writer } = segment();
    expect(writer.addInstrument({ ...BTC, imageLevels: 1000 })).toBeUndefined();
    for (const name of ["A", "B", "C"]) {
      expect(writer.addInstrument({ ...BTC, canonical: name })).toBeDefined();
    }
    expect(writer.addInstrument(BTC)).toBeUndefined();
    expect([view.instrumentCount, 3 * imagePairBytes(100) <= CONFIG.imageAreaBytes]).toEqual([3, true]);
  });

  it("keeps images apart from each other and inside the segment", () => {
    const { view, writer } = segment();
    const added = ["A", "B", "C"].map((canonical) => writer.addInstrument({ ...BTC, canonical }));
    let end = view.address + view.header.imagesOffset;
    for (const instrument of added) {
      expect(instrument?.imageAddress).toBe(end);
      end += 2 * (instrument?.imageBytes ?? 0);
    }
    expect(end).toBeLessThanOrEqual(writer.address + writer.bytes);
  });

  it("refuses names that do not fit", () => {
    const { writer, view } = segment();
    expect(() => writer.addInstrument({ ...BTC, native: "x".repeat(64) })).toThrow(/more than 63 bytes/);
    expect(() => writer.addInstrument({ ...BTC, canonical: "ü".repeat(24) })).toThrow(/more than 47 bytes/);
    expect(view.instrumentCount).toBe(0);
  });

  it("shows successor, depth, trading status and known range", () => {
    const { view, writer } = segment();
    const first = writer.addInstrument(BTC);
    const second = writer.addInstrument(BTC);
    if (first === undefined || second === undefined) {
      throw new Error("Cannot go on: no room, was undefined");
    }
    writer.linkRetired(first, second);
    writer.setDepth(second, 100, 3);
    writer.setTradingStatus(second, 4);
    writer.setKnownRange(second, -5n, 2n ** 62n);
    expect(view.instruments()).toMatchObject([
      { retiredTo: 2 },
      { depth: 100, assurance: 3, tradingStatus: 4, knownRange: { lowTicks: -5n, highTicks: 2n ** 62n } },
    ]);
  });

  it("shows heartbeat, counters and the end", () => {
    const { view, writer, buffer } = segment();
    writer.beat(99n);
    writer.count(COUNTER_RECONNECTS);
    writer.count(COUNTER_RECONNECTS, 4);
    writer.setState(SEGMENT_STATE_CLOSED);
    expect([
      view.heartbeatNs,
      readHeartbeat(buffer, writer),
      view.counter(COUNTER_RECONNECTS),
      writer.counter(COUNTER_RECONNECTS),
    ]).toEqual([99n, 99n, 5, 5]);
    expect(view.state).toBe(SEGMENT_STATE_CLOSED);
    expect(() => writer.count(64)).toThrow(RangeError);
  });

  it("shows no book as synced when it was abandoned", () => {
    const { view, writer, buffer } = segment();
    writer.addInstrument({ ...BTC, state: STATE_SYNCED });
    abandonSegment(buffer, writer);
    expect(view.state).toBe(SEGMENT_STATE_SUPERSEDED);
    expect(view.instruments()).toMatchObject([{ state: STATE_CONNECTING, reason: REASON_DISCONNECTED }]);
    expect(view.topOfBook(0)?.state).toBe(STATE_CONNECTING);
  });
});
