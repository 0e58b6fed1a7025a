/**
 * What a producer for loads and tests stands on, in its own process: an exported memory with one segment of Coinbase's, the
 * real kernel that rings its readers, and the real synchronisation over one connection that nobody serves.
 * Bad case: something fails on the way up; the map is closed, and the name is free again.
 */
import { HEADER_DELTA_TAIL, HEADER_TRADE_TAIL, SEGMENT_STATE_CLOSED, TRADING_UNKNOWN } from "../../assembly/layout.ts";
import { readAsset } from "../assets.ts";
import { EXCHANGES } from "../exchanges/mod.ts";
import { systemClock, wallNs } from "../feed/clock.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { loadKernel } from "../kernel/load.ts";
import { Bell, ExportedMap, loadLibc, ringingKernel } from "../mapping/mod.ts";
import { type MemoryRange, memoryBytes } from "../segment/memory_map.ts";
import { createSegment, type SegmentConfig, type SegmentWriter, segmentBytes } from "../segment/writer.ts";
import { ExchangeSync, SYNC_SETTINGS } from "../sync/mod.ts";
import { readCount } from "../wire/numbers.ts";

const EXCHANGE = "coinbase_exchange";
const ARENA_BYTES = 24 * 1024 * 1024;
const FRAME_BYTES = 1024 * 1024;
const SPARE_BYTES = 65_536;
const IMAGE_LEVELS = 1024;
const IMAGE_EVERY = 32;

/** What is made. */
export type GroundOptions = {
  /** Where its files stand. */
  readonly directory: string;
  readonly config: SegmentConfig;
  /** Instruments in the exchange's own spelling, open from the beginning. */
  readonly natives: readonly string[];
  /** 0 ≤ … < 1 */
  readonly random: () => number;
};

/** One segment and what writes it. Thread: one. */
export class SegmentGround {
  readonly map: ExportedMap;
  readonly range: MemoryRange;
  readonly segment: SegmentWriter;
  /** Rings when it publishes. */
  readonly kernel: Kernel;
  readonly sync: ExchangeSync;
  readonly #clock = systemClock();

  constructor(map: ExportedMap, options: Omit<GroundOptions, "directory"> & { rings: (kernel: Kernel) => Kernel }) {
    const { config, natives, random, rings } = options;
    this.map = map;
    const { buffer } = map.memory;
    const arena = map.reserve("arena", { bytes: ARENA_BYTES });
    const frame = map.reserve("frame", { bytes: FRAME_BYTES });
    this.range = map.reserveSegment(EXCHANGE, { generation: 1, bytes: segmentBytes(config) });
    this.kernel = rings(loadKernel({ name: "wasm", memory: map.memory, wasmBytes: readAsset("kernel.wasm") }));
    this.kernel.arenaInit(arena.address, arena.bytes);
    const { anchorNs, monotonicAnchorNs } = this.#clock;
    const anchors = { epoch: anchorNs, wallAnchorNs: anchorNs, monotonicAnchorNs };
    const identity = { exchange: EXCHANGE, pid: process.pid, ...anchors };
    this.segment = createSegment(buffer, { address: this.range.address, config, identity });
    this.kernel.clockAnchor(Number(BigInt.asIntN(32, anchorNs)), Number(BigInt.asIntN(32, anchorNs >> 32n)));
    this.kernel.producerAttach(this.segment.address);
    this.sync = new ExchangeSync({
      kernel: this.kernel,
      exchange: EXCHANGES[EXCHANGE],
      segment: this.segment,
      frame: { address: frame.address, bytes: FRAME_BYTES },
      imageEvery: IMAGE_EVERY,
      wallNs: (receivedAt) => wallNs(this.#clock, receivedAt),
      random,
      settings: SYNC_SETTINGS,
    });
    for (const native of natives) {
      this.#open(native);
    }
    this.sync.connection(0).opened(0);
  }

  /**
   * Claims the name in a directory and makes the segment, which readers can see from then on.
   * @throws MappingError when this machine cannot share memory, or the name is another's
   */
  static async open({ directory, ...options }: GroundOptions): Promise<SegmentGround> {
    const bytes = memoryBytes([ARENA_BYTES, FRAME_BYTES, segmentBytes(options.config), SPARE_BYTES]);
    const place = { directory, isExplicit: true, exchanges: [EXCHANGE] };
    const map = await ExportedMap.open(bytes, { ...place, patienceMs: 0, pid: process.pid });
    try {
      const libc = await loadLibc();
      const readers = map.readersOf(EXCHANGE)?.address ?? 0;
      const rings = (kernel: Kernel) => ringingKernel(kernel, new Bell(libc, map.memory, readers));
      const ground = new SegmentGround(map, { ...options, rings });
      ground.beat();
      map.publishInitialised();
      return ground;
    } catch (error) {
      map.close();
      throw error;
    }
  }

  /** Delta records published so far. */
  get deltas(): number {
    return this.#count(HEADER_DELTA_TAIL);
  }

  /** Trade records published so far. */
  get trades(): number {
    return this.#count(HEADER_TRADE_TAIL);
  }

  /** The clock of its records, ns since their anchor. */
  now(): number {
    return this.#clock.now();
  }

  /** Gives a sign of life. */
  beat(): void {
    this.segment.beat(wallNs(this.#clock, this.#clock.now()));
  }

  /** A frame came over the connection; nothing is published yet. @returns when, ns since the anchor */
  receive(frame: Uint8Array): number {
    const receivedAt = this.#clock.now();
    this.sync.connection(0).receive(frame, receivedAt);
    this.sync.takeActions();
    return receivedAt;
  }

  /** Ends the segment in an orderly way: its books are told not to be synced. @returns delta records published in all */
  close(): number {
    this.sync.stop(this.#clock.now());
    this.sync.publish(this.#clock.now());
    this.segment.setState(SEGMENT_STATE_CLOSED);
    const { deltas } = this;
    this.map.close();
    return deltas;
  }

  #count(offset: number): number {
    return readCount(new DataView(this.map.memory.buffer), this.segment.address + offset);
  }

  #open(native: string): void {
    const exchange = EXCHANGES[EXCHANGE];
    this.sync.open({
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
