/**
 * A workbench whose segment is a file that other processes map; sleeping readers are woken as a collector wakes them.
 * Bad case: a machine that cannot map files; the error says what is missing, and the benchmark is skipped by name.
 */
import { RING_DELTAS } from "../../assembly/layout.ts";
import { Bell, ExportedMap, loadLibc, SegmentFollower } from "../../src/mapping/mod.ts";
import { READERS_WAITING } from "../../src/mapping/readers_file.ts";
import type { MemoryMap } from "../../src/segment/memory_map.ts";
import { SegmentView } from "../../src/segment/view.ts";
import { createSegment, type SegmentConfig, segmentBytes } from "../../src/segment/writer.ts";
import { openInstrument } from "../instrument.ts";
import type { Workbench } from "../workbench.ts";
import { addDriver, type RingDriver } from "./ring_driver.ts";
import { PATIENCE_MS } from "./stage.ts";

/** Records of a ring, as collectors have by default. */
const RING_RECORDS = 65_536;

const MEMORY_BYTES = 384 * 1024 * 1024;
const INSTRUMENT = "BTC-USD";
const SEGMENT = { instrumentCapacity: 4, tradeCapacity: 64, imageAreaBytes: 64 * 1024 } as const;

/** A producer whose segment other processes map. */
export type MappedBench = Workbench & {
  readonly driver: RingDriver;
  readonly directory: string;
  readonly bell: Bell;
  /** The announcement of sleeping readers; odd while somebody sleeps. */
  readonly waiting: { readonly words: Int32Array; readonly index: number };
  readonly close: () => void;
};

/**
 * Makes a segment in a folder.
 * @param exchange the name of its file @param deltaCapacity records of its ring, a power of two
 * @throws MappingError when this machine cannot
 */
export async function openMappedBench(
  directory: string,
  exchange: string,
  deltaCapacity = RING_RECORDS,
): Promise<MappedBench> {
  const config: SegmentConfig = { ...SEGMENT, deltaCapacity };
  const exchanges = [exchange];
  const options = { directory, isExplicit: true, exchanges, patienceMs: PATIENCE_MS, pid: process.pid };
  const map = await ExportedMap.open(MEMORY_BYTES, options);
  const producer = addDriver(map, "producer");
  const reader = addDriver(map, "reader");
  const range = map.reserveSegment(exchange, { generation: 1, bytes: segmentBytes(config) });
  const readers = map.readersOf(exchange)?.address ?? 0;
  const bell = new Bell(await loadLibc(), map.memory, readers);
  bell.promise(true);
  const epoch = BigInt(Date.now()) * 1_000_000n;
  const identity = {
    exchange,
    epoch,
    pid: process.pid,
    wallAnchorNs: epoch,
    monotonicAnchorNs: process.hrtime.bigint(),
  };
  const { buffer } = map.memory;
  const segment = createSegment(buffer, { address: range.address, config, identity });
  producer.producerAttach(range.address);
  producer.ringWaiting(readers + READERS_WAITING);
  const bench: Workbench = {
    name: "wasm",
    map,
    producer,
    reader,
    segment,
    segmentView: new SegmentView(buffer, range.address),
    config,
    view: new DataView(buffer),
    bytes: new Uint8Array(buffer),
  };
  // As a collector has: the image patrol of every publish looks at it.
  openInstrument(bench, INSTRUMENT);
  map.publishInitialised();
  return {
    ...bench,
    driver: producer,
    directory,
    bell,
    waiting: { words: new Int32Array(buffer), index: (readers + READERS_WAITING) >>> 2 },
    close: () => map.close(),
  };
}

/** A ring reader on a segment of another process. */
export type MappedReader = {
  readonly map: MemoryMap;
  readonly driver: RingDriver;
  readonly reader: number;
  readonly view: SegmentView;
  /** Address of the readers file. */
  readonly readers: number;
};

/**
 * Attaches to a segment, read-only.
 * @param map that the segment is mapped into
 * @throws Error when the segment does not appear
 */
export async function attachReader(
  map: MemoryMap,
  { directory, exchange }: { directory: string; exchange: string },
): Promise<MappedReader> {
  const driver = addDriver(map, `reader of ${exchange}`);
  const follower = new SegmentFollower({ libc: await loadLibc(), map, directory, isExplicit: true, exchange });
  for (const until = performance.now() + PATIENCE_MS; performance.now() < until; ) {
    const changes = follower.look();
    const [refused] = changes.flatMap((change) => (change.kind === "refused" ? [change.reason] : []));
    if (refused !== undefined) {
      throw new Error(`Cannot attach to the segment: ${refused}, was ${exchange}`);
    }
    const [found] = changes.flatMap((change) => (change.kind === "attached" ? [change.attachment] : []));
    if (found !== undefined) {
      const reader = driver.readerCreate(found.view.address, RING_DELTAS);
      return { map, driver, reader, view: found.view, readers: found.readers };
    }
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  throw new Error(`Cannot attach to the segment: it does not appear, was ${exchange} in ${directory}`);
}

/** Writes records and publishes them in batches, in one call, and wakes who sleeps. @returns how many */
export function writeRecords({ driver, bell }: MappedBench, count: number, batch: number): number {
  let done = 0;
  while (done < count) {
    done += driver.ringFill(count - done, batch);
    bell.ring();
  }
  return done;
}

/** The same with a call of the kernel for each batch, as a collector makes one for each group of frames. */
export function writeBatches({ driver, bell }: MappedBench, count: number, batch: number): number {
  let done = 0;
  while (done < count) {
    done += driver.ringFill(batch, batch);
    bell.ring();
  }
  return done;
}
