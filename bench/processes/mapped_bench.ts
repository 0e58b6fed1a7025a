/**
 * A workbench whose segment is a file that other processes map, and the page through which a peer answers: that it lives,
 * how far it verified the ring, and what it found wrong. The producer rings the bell after every publish, as a collector
 * does. Bad case: a machine that cannot map files; the error says what is missing, and the benchmark is skipped by name.
 */
import { closeSync, constants, openSync, writeSync } from "node:fs";
import { join } from "node:path";
import { RING_DELTAS } from "../../assembly/layout.ts";
import { Bell, ExportedMap, loadLibc, ringingKernel, SegmentFollower } from "../../src/mapping/mod.ts";
import { READERS_WAITING } from "../../src/mapping/readers_file.ts";
import { mapRegion } from "../../src/mapping/region.ts";
import type { MemoryMap } from "../../src/segment/memory_map.ts";
import { SegmentView } from "../../src/segment/view.ts";
import { createSegment, type SegmentConfig, segmentBytes } from "../../src/segment/writer.ts";
import type { InstrumentBlock } from "../../src/sync/instrument_block.ts";
import { openInstrument } from "../instrument.ts";
import { addKernel, type Workbench } from "../workbench.ts";
import { PATIENCE_MS, spinUntil } from "./stage.ts";

/** Records of a ring. */
export const RING_RECORDS = 65_536;

const MEMORY_BYTES = 384 * 1024 * 1024;
const PAGE_BYTES = 65_536;
const INSTRUMENT = "BTC-USD";
/** In a peer's page, on cache lines of their own. */
const CURSOR_WORD = 16;
const ERRORS_WORD = 32;
const SEGMENT: SegmentConfig = {
  instrumentCapacity: 4,
  deltaCapacity: RING_RECORDS,
  tradeCapacity: 64,
  imageAreaBytes: 64 * 1024,
};

/** A producer whose segment other processes map. */
export type MappedBench = Workbench & {
  readonly instrument: InstrumentBlock;
  readonly directory: string;
  /** The announcement of sleeping readers; odd while somebody sleeps. */
  readonly waiting: { readonly words: Int32Array; readonly index: number };
  readonly close: () => void;
};

/**
 * Makes a segment in a folder.
 * @param exchange the name of its file
 * @throws MappingError when this machine cannot
 */
export async function openMappedBench(directory: string, exchange: string): Promise<MappedBench> {
  const exchanges = [exchange];
  const options = { directory, isExplicit: true, exchanges, patienceMs: PATIENCE_MS, pid: process.pid };
  const map = await ExportedMap.open(MEMORY_BYTES, options);
  const plain = addKernel(map, "wasm", "producer");
  const reader = addKernel(map, "wasm", "reader");
  const range = map.reserveSegment(exchange, { generation: 1, bytes: segmentBytes(SEGMENT) });
  const readers = map.readersOf(exchange)?.address ?? 0;
  const producer = ringingKernel(plain, new Bell(await loadLibc(), map.memory, readers));
  const epoch = BigInt(Date.now()) * 1_000_000n;
  const identity = {
    exchange,
    epoch,
    pid: process.pid,
    wallAnchorNs: epoch,
    monotonicAnchorNs: process.hrtime.bigint(),
  };
  const { buffer } = map.memory;
  const segment = createSegment(buffer, { address: range.address, config: SEGMENT, identity });
  producer.producerAttach(range.address);
  const bench: Workbench = {
    name: "wasm",
    map,
    producer,
    reader,
    segment,
    segmentView: new SegmentView(buffer, range.address),
    config: SEGMENT,
    view: new DataView(buffer),
    bytes: new Uint8Array(buffer),
  };
  const instrument = openInstrument(bench, INSTRUMENT);
  map.publishInitialised();
  return {
    ...bench,
    instrument,
    directory,
    waiting: { words: new Int32Array(buffer), index: (readers + READERS_WAITING) >>> 2 },
    close: () => map.close(),
  };
}

/** A ring reader on a segment of another process. */
export type MappedReader = {
  readonly map: MemoryMap;
  readonly kernel: Workbench["reader"];
  readonly reader: number;
  readonly view: SegmentView;
  /** Address of the readers file. */
  readonly readers: number;
};

/**
 * Attaches to a segment, read-only.
 * @param bench.map that the segment is mapped into @param bench.reader a kernel on it
 * @throws Error when the segment does not appear
 */
export async function attachReader(
  { map, reader: kernel }: Pick<Workbench, "map" | "reader">,
  { directory, exchange }: { directory: string; exchange: string },
): Promise<MappedReader> {
  const follower = new SegmentFollower({ libc: await loadLibc(), map, directory, isExplicit: true, exchange });
  for (const until = performance.now() + PATIENCE_MS; performance.now() < until; ) {
    const changes = follower.look();
    const [refused] = changes.flatMap((change) => (change.kind === "refused" ? [change.reason] : []));
    if (refused !== undefined) {
      throw new Error(`Cannot attach to the segment: ${refused}, was ${exchange}`);
    }
    const [found] = changes.flatMap((change) => (change.kind === "attached" ? [change.attachment] : []));
    if (found !== undefined) {
      const reader = kernel.readerCreate(found.view.address, RING_DELTAS);
      return { map, kernel, reader, view: found.view, readers: found.readers };
    }
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  throw new Error(`Cannot attach to the segment: it does not appear, was ${exchange} in ${directory}`);
}

/** What a peer tells, in a page of a file that both sides map. Counts are exact up to 2^31. */
export class PeerPage {
  readonly #words: Int32Array;
  readonly #at: number;

  /** @param address of the mapped page */
  constructor(buffer: ArrayBufferLike, address: number) {
    this.#words = new Int32Array(buffer);
    this.#at = address >>> 2;
  }

  /**
   * Maps a page.
   * @param options.isFresh makes the file
   */
  static async open(map: MemoryMap, options: { directory: string; name: string; isFresh: boolean }): Promise<PeerPage> {
    const { directory, name, isFresh } = options;
    const flags = isFresh ? constants.O_RDWR | constants.O_CREAT | constants.O_EXCL : constants.O_RDWR;
    const fd = openSync(join(directory, `${name}.page`), flags, 0o600);
    const range = map.reserve(`page of ${name}`, { bytes: PAGE_BYTES });
    if (isFresh) {
      writeSync(fd, new Uint8Array(PAGE_BYTES));
    }
    const { memory } = map;
    mapRegion(await loadLibc(), { memory, range, fd, bytes: PAGE_BYTES, access: "readWrite", isFresh });
    closeSync(fd);
    return new PeerPage(memory.buffer, range.address);
  }

  /** Rises while the peer has nothing to read. */
  get beat(): number {
    return Atomics.load(this.#words, this.#at);
  }

  /** Records verified. */
  get verified(): number {
    return Atomics.load(this.#words, this.#at + CURSOR_WORD);
  }

  /** What was wrong. */
  get errors(): number {
    return Atomics.load(this.#words, this.#at + ERRORS_WORD);
  }

  /** Gives a sign of life. */
  live(): void {
    Atomics.add(this.#words, this.#at, 1);
  }

  /** Adds records. */
  tell(records: number, wrong: number): void {
    if (wrong > 0) {
      Atomics.add(this.#words, this.#at + ERRORS_WORD, wrong);
    }
    Atomics.add(this.#words, this.#at + CURSOR_WORD, records);
  }

  /** Spins until the peer lives. */
  awake(): void {
    const { beat } = this;
    spinUntil("waking a peer", () => this.beat !== beat);
  }
}
