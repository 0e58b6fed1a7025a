/**
 * The memory of many books: what is counted is what there is. Bad case: a part that is counted twice, or not at all.
 */
import { describe, expect, it } from "vitest";
import { DeepLot } from "../../bench/memory/lot.ts";
import { PART_NAMES } from "../../bench/memory/parts.ts";
import { parseResident } from "../../bench/memory/resident.ts";

const LEVEL_BYTES = 16;

describe("DeepLot", () => {
  it("counts every part, and what it counts grows when its books live", () => {
    const lot = new DeepLot(2);
    const loaded = lot.measure();
    lot.live();
    const lived = lot.measure();
    lot.verify();
    for (const part of PART_NAMES) {
      expect(loaded.parts[part]).toBeGreaterThan(0);
    }
    expect(loaded.levels).toBe(90_000);
    expect(loaded.parts.images).toBeGreaterThanOrEqual(2 * loaded.levels * LEVEL_BYTES);
    expect(loaded.parts["producer books"]).toBeGreaterThan(loaded.levels * LEVEL_BYTES);
    expect(loaded.parts["replica books"]).toBeGreaterThan(loaded.levels * LEVEL_BYTES);
    expect(lived.parts["producer books"]).toBeGreaterThan(loaded.parts["producer books"]);
    expect(lived.written).toBe(PART_NAMES.reduce((sum, part) => sum + lived.parts[part], 0));
    expect(lived.untouched).toBeGreaterThan(0);
    if (lived.resident !== undefined) {
      expect(lived.resident).toBeGreaterThan(lived.written * 0.9);
    }
  });
});

describe("parseResident", () => {
  const text =
    "7f-8f rw-s 0\nSize:   4 kB\nRss:   1 kB\n9f-af rw-s 0\nSize:   128 kB\nPss: 3 kB\nRss:   64 kB\nSize: 256 kB\n";

  it("finds the mapping of exactly that size", () => {
    expect(parseResident(text, 128 * 1024)).toBe(64 * 1024);
    expect(parseResident(text, 4 * 1024)).toBe(1024);
  });

  it("knows nothing when there is no such mapping", () => {
    expect(parseResident(text, 64 * 1024)).toBeUndefined();
  });
});
