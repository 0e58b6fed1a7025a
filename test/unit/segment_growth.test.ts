/**
 * How segments grow: what found no room is told, the sizes that follow hold it, and growth ends at the memory's size.
 */
import { describe, expect, it } from "vitest";
import { TRADING_OPEN } from "../../assembly/layout.ts";
import { loadConfig, selectExchanges } from "../../src/config/mod.ts";
import { collectorRanges, grownConfigs, segmentConfig } from "../../src/feed/segment_growth.ts";
import { MEMORY_BYTES_MAX, MemoryMap, memoryBytes, PAGE_BYTES } from "../../src/segment/memory_map.ts";
import {
  createSegment,
  imagePairBytes,
  type SegmentConfig,
  type SegmentShortage,
  type SegmentWriter,
  segmentBytes,
} from "../../src/segment/writer.ts";

const flags = { exchange: ["kraken"], symbols: "BTC-USD,ETH-USD", "segment.delta_capacity": 1024 };
const config = loadConfig({ flags: { ...flags, "exchanges.kraken.image_levels": 100 } });
const [kraken] = selectExchanges(config);
if (kraken === undefined) {
  throw new Error("Cannot test growth: Kraken is not configured");
}
const first = segmentConfig(config, kraken);

function write(sizes: SegmentConfig): SegmentWriter {
  const buffer = new ArrayBuffer(segmentBytes(sizes));
  const identity = { exchange: "kraken", epoch: 1n, pid: 1, wallAnchorNs: 0n, monotonicAnchorNs: 0n };
  return createSegment(buffer, { address: 0, config: sizes, identity });
}

function add(writer: SegmentWriter, canonical: string, imageLevels: number) {
  return writer.addInstrument({
    canonical,
    native: canonical,
    assurance: 0,
    depth: 0,
    priceExponent: 1,
    quantityExponent: 1,
    tradingStatus: TRADING_OPEN,
    imageLevels,
    sinceNs: 0n,
  });
}

const outgrown = (imageLevels: number): SegmentShortage => ({ canonical: "BTC-USD", imageLevels, part: "images" });

describe("A segment without room", () => {
  it("tells once which instrument found none, how much it wanted, and of what", () => {
    const writer = write({ ...first, instrumentCapacity: 2 });
    expect(add(writer, "BTC-USD", 100)).toBeDefined();
    expect([add(writer, "BTC-USD", 5000), writer.takeShortages()]).toEqual([undefined, [outgrown(5000)]]);
    expect([writer.takeShortages(), writer.instrumentCount]).toEqual([[], 1]);
    add(writer, "ETH-USD", 100);
    expect(add(writer, "BTC-USD", 100)).toBeUndefined();
    expect(writer.takeShortages()).toEqual([{ canonical: "BTC-USD", imageLevels: 100, part: "table" }]);
  });
});

describe("A grown segment", () => {
  it("holds every instrument at once, the outgrown one with the levels that it wanted, also when it is tight", () => {
    for (const sizes of grownConfigs(first, kraken, [outgrown(5000)])) {
      const writer = write(sizes);
      expect(add(writer, "BTC-USD", 100)?.imageCapacity).toBeGreaterThanOrEqual(5000);
      expect(add(writer, "ETH-USD", 100)?.imageCapacity).toBeLessThan(200);
      expect(writer.takeShortages()).toEqual([]);
    }
  });

  it("doubles at least, remembers earlier growth, and doubles the table when that was full", () => {
    const [second = first] = grownConfigs(first, kraken, [outgrown(100)]);
    expect(second.leastImageLevels).toEqual({ "BTC-USD": 200 });
    const other: SegmentShortage = { canonical: "ETH-USD", imageLevels: 900, part: "images" };
    const [third = first] = grownConfigs(second, kraken, [outgrown(210), other]);
    expect(third.leastImageLevels).toEqual({ "BTC-USD": 400, "ETH-USD": 900 });
    const full: SegmentShortage = { canonical: "BTC-USD", imageLevels: 100, part: "table" };
    const [fourth = first] = grownConfigs(third, kraken, [full]);
    expect([fourth.instrumentCapacity, fourth.leastImageLevels]).toEqual([
      2 * third.instrumentCapacity,
      third.leastImageLevels,
    ]);
  });

  it("is beyond any memory after a limited number of steps, whatever books want", () => {
    let sizes: SegmentConfig = first;
    let steps = 0;
    while (segmentBytes(sizes) < MEMORY_BYTES_MAX) {
      sizes = grownConfigs(sizes, kraken, [outgrown(1)])[1] ?? sizes;
      steps += 1;
      expect(steps).toBeLessThan(30);
    }
    expect(steps).toBeGreaterThan(10);
  });
});

describe("The memory of collectors", () => {
  it("has room for growth, and never more than there can be", () => {
    const ranges = collectorRanges(config, [kraken]);
    const segment = segmentBytes(first);
    expect(ranges.slice(2, 4)).toEqual([segment, segment]);
    expect(ranges[4]).toBe(4 * segment);
    const huge = loadConfig({ flags: { ...flags, "segment.image_area_bytes": 500 * 2 ** 20 } });
    const [selected = kraken] = selectExchanges(huge);
    expect(memoryBytes([...collectorRanges(huge, [selected]), huge.gateway.arenaBytes])).toBeLessThan(MEMORY_BYTES_MAX);
  });

  it("knows whether ranges would fit beside those in use, or in the stead of some", () => {
    const map = new MemoryMap(5 * PAGE_BYTES);
    const held = map.reserve("held", { bytes: 2 * PAGE_BYTES });
    expect(map.hasRoom([PAGE_BYTES, PAGE_BYTES])).toBe(true);
    expect(map.hasRoom([PAGE_BYTES, 2 * PAGE_BYTES])).toBe(false);
    expect(map.hasRoom([PAGE_BYTES, 2 * PAGE_BYTES], [held])).toBe(true);
    expect(map.hasRoom([imagePairBytes(1), 4 * PAGE_BYTES], [held])).toBe(false);
    expect(map.ranges).toEqual([held]);
  });
});
