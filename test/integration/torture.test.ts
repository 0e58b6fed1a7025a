/**
 * Ring and images under real threads: one producer that never waits, on a ring of 128 records with an image every few
 * records, and two readers with adversarial pauses. No torn record or image may pass, losses must add up exactly, and both
 * readers must end with the producer's book. Bad case: a machine so quiet that nobody is lapped; then the test says so.
 */
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { buildSync } from "esbuild";
import { describe, expect, it } from "vitest";
import {
  ASSURANCE_INFERRED,
  INSTRUMENT_CELL_ADDRESS,
  INSTRUMENT_ID,
  INSTRUMENT_IMAGE_ADDRESS,
  INSTRUMENT_IMAGE_BYTES,
  INSTRUMENT_IMAGE_CAPACITY,
  INSTRUMENT_IMAGE_EVERY,
  INSTRUMENT_PRICE_EXPONENT,
  INSTRUMENT_QUANTITY_EXPONENT,
  INSTRUMENT_TABLE_ADDRESS,
  TRADING_OPEN,
} from "../../assembly/layout.ts";
import { packageFolder, readAsset } from "../../src/assets.ts";
import type { KernelName } from "../../src/kernel/kernel.ts";
import { createSegment, type SegmentConfig, segmentBytes } from "../../src/segment/writer.ts";
import type { TortureReport, TortureStart } from "../support/torture_worker.ts";

const MIB = 1 << 20;
const CONFIG: SegmentConfig = { instrumentCapacity: 4, deltaCapacity: 128, tradeCapacity: 64, imageAreaBytes: MIB };
const FRAMES = 30_000;
const READERS = 2;

function buildWorker(): string {
  const outfile = join(mkdtempSync(join(tmpdir(), "alphapulse-torture-")), "worker.mjs");
  buildSync({
    entryPoints: [join(packageFolder(), "test/support/torture_worker.ts")],
    bundle: true,
    platform: "node",
    format: "esm",
    outfile,
  });
  return outfile;
}

/** Memory with a segment, one instrument in it, and a template of its block. */
function layOut(): Omit<TortureStart, "role" | "kernel" | "arena" | "seed"> & { arenas: number } {
  const pages = (256 * MIB) / 65_536;
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
  const segment = 65_536;
  const identity = { exchange: "coinbase_exchange", epoch: 1n, pid: 0, wallAnchorNs: 1n, monotonicAnchorNs: 0n };
  const writer = createSegment(memory.buffer, { address: segment, config: CONFIG, identity });
  const entry = writer.addInstrument({
    canonical: "X-Y",
    native: "X-Y",
    assurance: ASSURANCE_INFERRED,
    depth: 0,
    priceExponent: 0,
    quantityExponent: 0,
    tradingStatus: TRADING_OPEN,
    imageLevels: 2048,
    sinceNs: 0n,
  });
  if (entry === undefined) {
    throw new Error("Cannot lay out the torture: the segment takes no instrument");
  }
  const instrument = segment + segmentBytes(CONFIG);
  const view = new DataView(memory.buffer);
  const fields: [number, number][] = [
    [INSTRUMENT_ID, entry.id],
    [INSTRUMENT_PRICE_EXPONENT, 0],
    [INSTRUMENT_QUANTITY_EXPONENT, 0],
    [INSTRUMENT_TABLE_ADDRESS, entry.entryAddress],
    [INSTRUMENT_CELL_ADDRESS, entry.cellAddress],
    [INSTRUMENT_IMAGE_ADDRESS, entry.imageAddress],
    [INSTRUMENT_IMAGE_BYTES, entry.imageBytes],
    [INSTRUMENT_IMAGE_CAPACITY, entry.imageCapacity],
    [INSTRUMENT_IMAGE_EVERY, 8],
  ];
  for (const [offset, value] of fields) {
    view.setUint32(instrument + offset, value, true);
  }
  const done = instrument + 4096;
  const frame = instrument + 65_536;
  return {
    memory,
    wasm: new WebAssembly.Module(readAsset("kernel.wasm")),
    segment,
    instrument,
    done,
    frame,
    frames: FRAMES,
    arenas: 16 * MIB,
  };
}

function start(file: string, workerData: TortureStart): Promise<TortureReport> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(file, { workerData });
    worker.once("message", (report: TortureReport) => resolve(report));
    worker.once("error", reject);
  });
}

describe("ring and images", () => {
  const file = buildWorker();
  for (const kernel of ["wasm", "twin"] as const satisfies readonly KernelName[]) {
    it(`pass nothing torn and lose exactly what they say when readers pause (${kernel})`, async () => {
      const { arenas, ...ground } = layOut();
      const roles = ["producer", ...Array.from({ length: READERS }, () => "reader")] as const;
      const reports = await Promise.all(
        roles.map((role, index) => {
          const arena = { address: arenas + index * 64 * MIB, bytes: 60 * MIB };
          return start(file, {
            ...ground,
            role: role === "producer" ? "producer" : "reader",
            kernel,
            arena,
            seed: 77 + index,
          });
        }),
      );
      const producer = reports.find((report) => report.role === "producer");
      const readers = reports.filter((report) => report.role === "reader");
      expect(producer?.records).toBeGreaterThan(FRAMES);
      for (const reader of readers) {
        expect(reader.errors).toEqual([]);
        expect(reader.received + reader.lost).toBe(reader.cursor);
        expect({ version: reader.version, hash: reader.hash >>> 0 }).toEqual({
          version: producer?.version,
          hash: (producer?.hash ?? 0) >>> 0,
        });
        expect(reader.joins).toBeGreaterThan(0);
      }
      expect(
        readers.reduce((laps, reader) => laps + reader.laps, 0),
        "nobody was lapped",
      ).toBeGreaterThan(0);
    });
  }
});
