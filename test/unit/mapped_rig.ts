/**
 * A producer whose segment is a real file in a folder of its own, in the process of the test: the real sync and kernel
 * over an exported memory. Bad case: a test that forgets to close it; the folder is removed by `removeFolders`.
 */
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { HEADER_DELTA_TAIL, HEADER_TRADE_TAIL, SEGMENT_STATE_CLOSED, TRADING_UNKNOWN } from "../../assembly/layout.ts";
import { readAsset } from "../../src/assets.ts";
import { EXCHANGES } from "../../src/exchanges/mod.ts";
import { systemClock, wallNs } from "../../src/feed/clock.ts";
import type { Kernel } from "../../src/kernel/kernel.ts";
import { loadKernel } from "../../src/kernel/load.ts";
import { Bell, ExportedMap, loadLibc, ringingKernel } from "../../src/mapping/mod.ts";
import type { MemoryRange } from "../../src/segment/memory_map.ts";
import { memoryBytes } from "../../src/segment/memory_map.ts";
import { createSegment, type SegmentConfig, type SegmentWriter, segmentBytes } from "../../src/segment/writer.ts";
import { ExchangeSync, SYNC_SETTINGS } from "../../src/sync/mod.ts";
import { readCount } from "../../src/wire/numbers.ts";

const ARENA_BYTES = 24 * 1024 * 1024;
const FRAME_BYTES = 1024 * 1024;
const IMAGE_LEVELS = 1024;
const EXCHANGE = "coinbase_exchange";
const TIME = new Date(1_700_000_000_000).toISOString();

/** Small, so that rings go round quickly and whole files can be mutated often. */
export const MAPPED_SEGMENT: SegmentConfig = {
  instrumentCapacity: 8,
  deltaCapacity: 256,
  tradeCapacity: 64,
  imageAreaBytes: 96 * 1024,
};

const folders: string[] = [];

/** A fresh folder for segments: in memory where the system has such a file system. */
export function freshFolder(): string {
  const folder = mkdtempSync(join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), "alphapulse-test-"));
  folders.push(folder);
  return folder;
}

/** Removes the folders of all tests of this file. */
export function removeFolders(): void {
  for (const folder of folders.splice(0)) {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A producer of Coinbase's BTC-USD and ETH-USD. */
export class MappedProducer {
  readonly map: ExportedMap;
  readonly segment: SegmentWriter;
  readonly range: MemoryRange;
  readonly #kernel: Kernel;
  readonly #sync: ExchangeSync;
  readonly #clock = systemClock();
  /** Frames that were sent before: those who write millions of records should not pay for their text. */
  readonly #updates = new Map<string, Uint8Array>();
  #made = 0;

  constructor(map: ExportedMap, options: { config: SegmentConfig; rings: (kernel: Kernel) => Kernel }) {
    const { config, rings } = options;
    this.map = map;
    const arena = map.reserve("arena", { bytes: ARENA_BYTES });
    const frame = map.reserve("frame", { bytes: FRAME_BYTES });
    this.range = map.reserveSegment(EXCHANGE, { generation: ++this.#made, bytes: segmentBytes(config) });
    this.#kernel = rings(loadKernel({ name: "wasm", memory: map.memory, wasmBytes: readAsset("kernel.wasm") }));
    this.#kernel.arenaInit(arena.address, arena.bytes);
    const { anchorNs, monotonicAnchorNs } = this.#clock;
    this.segment = createSegment(map.memory.buffer, {
      address: this.range.address,
      config,
      identity: {
        exchange: EXCHANGE,
        epoch: anchorNs,
        pid: process.pid,
        wallAnchorNs: anchorNs,
        monotonicAnchorNs,
      },
    });
    this.#kernel.clockAnchor(Number(BigInt.asIntN(32, anchorNs)), Number(BigInt.asIntN(32, anchorNs >> 32n)));
    this.#kernel.producerAttach(this.segment.address);
    this.#sync = new ExchangeSync({
      kernel: this.#kernel,
      exchange: EXCHANGES[EXCHANGE],
      segment: this.segment,
      frame: { address: frame.address, bytes: FRAME_BYTES },
      imageEvery: 32,
      wallNs: (receivedAt) => wallNs(this.#clock, receivedAt),
      random: () => 0.5,
      settings: SYNC_SETTINGS,
    });
    for (const native of ["BTC-USD", "ETH-USD"]) {
      this.#open(native);
    }
    this.#sync.connection(0).opened(0);
  }

  /** Claims the name in a folder and makes the segment; `appeared` says when readers can see it. */
  static async start(directory: string, config = MAPPED_SEGMENT): Promise<MappedProducer> {
    const bytes = memoryBytes([ARENA_BYTES, FRAME_BYTES, segmentBytes(config), 65_536]);
    const map = await ExportedMap.open(bytes, {
      directory,
      isExplicit: true,
      exchanges: [EXCHANGE],
      patienceMs: 0,
      pid: process.pid,
    });
    const libc = await loadLibc();
    const readers = map.readersOf(EXCHANGE)?.address ?? 0;
    try {
      const rings = (kernel: Kernel) => ringingKernel(kernel, new Bell(libc, map.memory, readers));
      const producer = new MappedProducer(map, { config, rings });
      producer.beat();
      map.publishInitialised();
      return producer;
    } catch (error) {
      map.close();
      throw error;
    }
  }

  /** Delta records published so far. */
  get tail(): number {
    return readCount(new DataView(this.map.memory.buffer), this.segment.address + HEADER_DELTA_TAIL);
  }

  /** Trade records published so far. */
  get tradeTail(): number {
    return readCount(new DataView(this.map.memory.buffer), this.segment.address + HEADER_TRADE_TAIL);
  }

  /** What applies and publishes: those who write millions of records cannot send a frame for each. It rings. */
  get kernel(): Kernel {
    return this.#kernel;
  }

  /** The clock of its records, ns since their anchor. */
  now(): number {
    return this.#clock.now();
  }

  /** Gives a sign of life. */
  beat(): void {
    this.segment.beat(wallNs(this.#clock, this.#clock.now()));
  }

  /** A snapshot of so many bids and one ask. */
  snapshot(levels: number, product = "BTC-USD"): void {
    const bids = Array.from({ length: levels }, (_, index) => [String(10_000 - index), "1.5"]);
    this.#send({ type: "snapshot", product_id: product, bids, asks: [["10001", "2"]] });
  }

  /** One change of one bid. */
  update(index: number, product = "BTC-USD"): void {
    const key = `${product} ${index}`;
    let frame = this.#updates.get(key);
    if (frame === undefined) {
      const changes = [["buy", String(9000 + (index % 500)), String(1 + (index % 7))]];
      frame = encoded({ type: "l2update", product_id: product, changes });
      this.#updates.set(key, frame);
    }
    this.#receive(frame);
  }

  /** One event with a change of each of so many bids. */
  burst(levels: number, product = "BTC-USD"): void {
    const changes = Array.from({ length: levels }, (_, index) => ["buy", String(9000 - index), "3"]);
    this.#send({ type: "l2update", product_id: product, changes });
  }

  /** A trade. @param size decimal text */
  trade(id: number, size = "0.5"): void {
    const trade = { trade_id: id, side: "sell", size, price: "10001", product_id: "BTC-USD" };
    this.#send({ type: "match", ...trade });
  }

  /** Ends in an orderly way. @returns delta records published in all */
  close(): number {
    this.#sync.stop(this.#clock.now());
    this.#sync.publish(this.#clock.now());
    this.segment.setState(SEGMENT_STATE_CLOSED);
    const { tail } = this;
    this.map.close();
    return tail;
  }

  #send(message: Record<string, unknown>): void {
    this.#receive(encoded(message));
  }

  #receive(frame: Uint8Array): void {
    const receivedAt = this.#clock.now();
    this.#sync.connection(0).receive(frame, receivedAt);
    this.#sync.publish(receivedAt);
    this.#sync.takeActions();
    this.beat();
  }

  #open(native: string): void {
    const exchange = EXCHANGES[EXCHANGE];
    this.#sync.open({
      native,
      canonical: exchange.canonicalName(native),
      assurance: exchange.assurance(0),
      depth: 0,
      priceExponent: -1,
      quantityExponent: -1,
      tradingStatus: TRADING_UNKNOWN,
      imageLevels: IMAGE_LEVELS,
    });
  }
}

function encoded(message: Record<string, unknown>): Uint8Array {
  return new TextEncoder().encode(JSON.stringify({ ...message, time: TIME }));
}
