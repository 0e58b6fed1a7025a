/** Sizes that segments grew to: kept beside the segment, used by the next process, ignored when they cannot be used. */
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { openLog } from "../../src/commands/log.ts";
import { rangesWithSizes, SizeFiles } from "../../src/commands/segment_sizes.ts";
import { loadConfig, selectExchanges } from "../../src/config/mod.ts";
import { collectorRanges, segmentConfig } from "../../src/feed/supervisor.ts";
import { WHOLE } from "../../src/mapping/mod.ts";
import { imagePairBytes } from "../../src/segment/writer.ts";

const folders: string[] = [];

afterEach(() => {
  for (const folder of folders.splice(0)) {
    rmSync(folder, { recursive: true });
  }
});

function folder(): string {
  folders.push(mkdtempSync(join(tmpdir(), "alphapulse-test-")));
  return folders.at(-1) ?? "";
}

function sizeFiles(directory: string, shard = WHOLE): SizeFiles {
  return new SizeFiles(directory, { shard, log: openLog("silent") });
}

const config = loadConfig({ flags: { exchange: ["kraken"], "exchanges.kraken.image_levels": 1000 } });
const exchanges = selectExchanges(config);
const [kraken] = exchanges;
const [first = "", second = ""] = kraken?.instruments ?? [];

describe("Sizes of segments", () => {
  it("are recalled by the next process of the same shard, and by no other", () => {
    const directory = folder();
    const sizes = { instrumentCapacity: 64, leastImageLevels: { [first]: 5000 } };
    sizeFiles(directory).keep("kraken", sizes);
    expect(sizeFiles(directory).recall("kraken")).toEqual(sizes);
    expect(statSync(join(directory, "kraken.sizes")).mode & 0o777).toBe(0o600);
    expect(sizeFiles(directory, { index: 0, count: 2 }).recall("kraken")).toBe(undefined);
    expect(sizeFiles(directory).recall("binance")).toBe(undefined);
  });

  it("are as if there were none when the file is garbage, or says what no segment can have", () => {
    const directory = folder();
    const path = join(directory, "kraken.sizes");
    for (const text of [
      "",
      "{",
      "[]",
      "null",
      '{"instrumentCapacity":0,"leastImageLevels":{}}',
      '{"instrumentCapacity":1e9,"leastImageLevels":{}}',
      '{"instrumentCapacity":8,"leastImageLevels":{"BTC-USD":-1}}',
      '{"instrumentCapacity":8,"leastImageLevels":{"BTC-USD":1e300}}',
    ]) {
      writeFileSync(path, text);
      expect(sizeFiles(directory).recall("kraken"), text).toBe(undefined);
    }
  });

  it("give the books that grew their room, and leave the others as they are configured", () => {
    if (kraken === undefined) {
      throw new Error("no exchange");
    }
    const before = segmentConfig(config, kraken);
    const sizes = {
      instrumentCapacity: before.instrumentCapacity * 2,
      leastImageLevels: { [first]: 5000, GONE: 9000 },
    };
    const grown = segmentConfig(config, kraken, sizes);
    expect(grown.leastImageLevels).toEqual({ [first]: 5000 });
    expect(grown.instrumentCapacity).toBe(before.instrumentCapacity * 2);
    const more = imagePairBytes(5000) - imagePairBytes(1000);
    expect(grown.imageAreaBytes - before.imageAreaBytes).toBe(3 * more);
    const smaller = { instrumentCapacity: 1, leastImageLevels: { [second]: 10 } };
    expect(segmentConfig(config, kraken, smaller)).toEqual(before);
  });

  it("are forgotten when the memory cannot hold them", () => {
    const directory = folder();
    const leastImageLevels = Object.fromEntries((kraken?.instruments ?? []).map((name) => [name, 2 ** 24]));
    sizeFiles(directory).keep("kraken", { instrumentCapacity: 64, leastImageLevels });
    const sizes = sizeFiles(directory);
    expect(sizes.recall("kraken")).toBeDefined();
    expect(rangesWithSizes(config, exchanges, { sizes, others: [] })).toEqual(collectorRanges(config, exchanges));
    expect(sizes.recall("kraken")).toBe(undefined);
  });

  it("leave the old ones as they are where there is no room for the file", () => {
    const directory = join(folder(), "not there");
    expect(() => sizeFiles(directory).keep("kraken", { instrumentCapacity: 8, leastImageLevels: {} })).not.toThrow();
    expect(() => readFileSync(join(directory, "kraken.sizes"))).toThrow();
  });
});
