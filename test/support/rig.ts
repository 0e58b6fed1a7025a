/**
 * One producer with everything around it, on a kernel of choice: the real sync, a small segment, and the bytes of that
 * segment to compare. Two rigs that were fed the same must hold the same bytes.
 * Bad case: a rig whose rings lap between comparisons; compare at least every quarter of the ring.
 */
import {
  DELTA_BYTES,
  HEADER_BYTES,
  HEADER_COUNTERS,
  HEADER_DELTA_RING_OFFSET,
  LEVEL_BYTES,
  REASON_WAITING_SNAPSHOT,
  SIDE_ASK,
  SIDE_BID,
  STATE_OUT_OF_SERVICE,
  STATE_WAITING,
  TRADING_UNKNOWN,
} from "../../assembly/layout.ts";
import { readAsset } from "../../src/assets.ts";
import { EXCHANGES } from "../../src/exchanges/mod.ts";
import type { Kernel, KernelName } from "../../src/kernel/kernel.ts";
import { loadKernel } from "../../src/kernel/load.ts";
import type { ExchangeId } from "../../src/model/exchange_id.ts";
import { createSegment, type SegmentConfig, type SegmentWriter, segmentBytes } from "../../src/segment/writer.ts";
import { ExchangeSync, SYNC_SETTINGS } from "../../src/sync/mod.ts";

const MIB = 1 << 20;
const FIRST = 65_536;
const ARENA_BYTES = 96 * MIB;
const FRAME_BYTES = 8 * MIB;

/** Sizes of a rig's segment; small, so that whole segments can be compared often. */
export const RIG_SEGMENT: SegmentConfig = {
  instrumentCapacity: 64,
  deltaCapacity: 4096,
  tradeCapacity: 1024,
  imageAreaBytes: 24 * MIB,
};

/** Levels of an image in a rig. */
const RIG_IMAGE_LEVELS = 4096;

let module: WebAssembly.Module | undefined;

/** A kernel over a memory of its own, with an arena behind the first page. */
export function freshKernel(name: KernelName, bytes = 64 * MIB): { kernel: Kernel; memory: WebAssembly.Memory } {
  const pages = Math.ceil(bytes / 65_536);
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
  module ??= new WebAssembly.Module(readAsset("kernel.wasm"));
  const kernel = loadKernel({ name, memory, wasmBytes: module });
  kernel.arenaInit(FIRST, bytes - FIRST);
  return { kernel, memory };
}

/** A producer on one kernel. */
export class Rig {
  readonly kernel: Kernel;
  readonly segment: SegmentWriter;
  readonly sync: ExchangeSync;
  readonly buffer: ArrayBufferLike;
  readonly #scratch: number;

  /** @param natives opened at once, no others are; absent = whatever a frame names is opened */
  constructor(name: KernelName, exchange: ExchangeId, natives?: readonly string[]) {
    const config = RIG_SEGMENT;
    const segmentAt = FIRST + ARENA_BYTES;
    const frameAt = segmentAt + segmentBytes(config);
    const pages = Math.ceil((frameAt + FRAME_BYTES) / 65_536);
    const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
    module ??= new WebAssembly.Module(readAsset("kernel.wasm"));
    this.kernel = loadKernel({ name, memory, wasmBytes: module });
    this.buffer = memory.buffer;
    this.kernel.arenaInit(FIRST, ARENA_BYTES);
    const identity = { exchange, epoch: 7n, pid: 0, wallAnchorNs: 1_700_000_000_000_000_000n, monotonicAnchorNs: 0n };
    this.segment = createSegment(memory.buffer, { address: segmentAt, config, identity });
    this.kernel.clockAnchor(Number(identity.wallAnchorNs & 0xffffffffn), Number(identity.wallAnchorNs >> 32n));
    this.kernel.producerAttach(segmentAt);
    this.#scratch = this.kernel.arenaAllocate(1024 * LEVEL_BYTES);
    this.sync = new ExchangeSync({
      kernel: this.kernel,
      exchange: EXCHANGES[exchange],
      segment: this.segment,
      frame: { address: frameAt, bytes: FRAME_BYTES },
      imageEvery: config.deltaCapacity / 8,
      wallNs: (receivedAt) => identity.wallAnchorNs + BigInt(Math.max(0, Math.round(receivedAt))),
      random: () => 0.5,
      settings: SYNC_SETTINGS,
      opensUnknown: natives === undefined,
    });
    for (const native of natives ?? []) {
      this.#open(native);
    }
    this.sync.connection(0).opened(0);
  }

  #open(native: string): void {
    const { exchange } = this.sync;
    const { defaultDepth } = exchange.header;
    this.sync.open({
      native,
      canonical: exchange.canonicalName(native),
      assurance: exchange.assurance(defaultDepth),
      depth: defaultDepth,
      priceExponent: -1,
      quantityExponent: -1,
      tradingStatus: TRADING_UNKNOWN,
      imageLevels: RIG_IMAGE_LEVELS,
    });
  }

  /** Applies one frame and publishes. @returns APPLY_* */
  frame(bytes: Uint8Array, receivedAt: number): number {
    const code = this.sync.connection(0).receive(bytes, receivedAt);
    this.sync.publish(receivedAt);
    this.sync.takeActions();
    return code;
  }

  /** Puts instruments that a hostile number took out of service back to waiting. */
  revive(receivedAt: number): void {
    for (const { block } of this.sync.instruments) {
      if (block.state === STATE_OUT_OF_SERVICE) {
        block.unsync(STATE_WAITING, REASON_WAITING_SNAPSHOT, receivedAt);
      }
    }
  }

  /** The connection closes and opens again; buffers are forgotten. */
  reconnect(receivedAt: number): void {
    this.sync.connection(0).closed(receivedAt);
    this.sync.connection(0).opened(receivedAt);
    this.sync.publish(receivedAt);
    this.sync.takeActions();
  }

  /** Hands over a REST body; the instrument is opened when a frame named it before. */
  rest(native: string, body: Uint8Array, receivedAt: number): string {
    const verdict = this.sync.snapshotArrived(native, body, { receivedAt });
    this.sync.publish(receivedAt);
    this.sync.takeActions();
    return verdict;
  }

  /** Header counters, instrument table and cells. */
  head(): Uint8Array {
    const view = new DataView(this.buffer);
    const ring = Number(view.getBigUint64(this.segment.address + HEADER_DELTA_RING_OFFSET, true));
    return new Uint8Array(this.buffer, this.segment.address + HEADER_COUNTERS, ring - HEADER_COUNTERS);
  }

  /** Everything of the segment behind the header page. */
  body(): Uint8Array {
    return new Uint8Array(this.buffer, this.segment.address + HEADER_BYTES, this.segment.bytes - HEADER_BYTES);
  }

  /** The ring's bytes between two positions. */
  deltas(from: number, to: number): Uint8Array {
    const view = new DataView(this.buffer);
    const ring =
      this.segment.address + Number(view.getBigUint64(this.segment.address + HEADER_DELTA_RING_OFFSET, true));
    const bytes = new Uint8Array((to - from) * DELTA_BYTES);
    for (let position = from; position < to; position++) {
      const slot = ring + (position % RIG_SEGMENT.deltaCapacity) * DELTA_BYTES;
      bytes.set(new Uint8Array(this.buffer, slot, DELTA_BYTES), (position - from) * DELTA_BYTES);
    }
    return bytes;
  }

  /** A book as the producer holds it: price and quantity as decimals of its exponents, scaled to integers of 10^-18. */
  book(native: string): { bids: Map<bigint, bigint>; asks: Map<bigint, bigint> } | undefined {
    const block = this.sync.instrument(native)?.block;
    if (block === undefined || block.priceExponent < 0) {
      return undefined;
    }
    const scales = {
      price: 10n ** BigInt(18 - block.priceExponent),
      quantity: 10n ** BigInt(18 - block.quantityExponent),
    };
    return { bids: this.#side(block.book, SIDE_BID, scales), asks: this.#side(block.book, SIDE_ASK, scales) };
  }

  #side(book: number, side: number, scales: { price: bigint; quantity: bigint }): Map<bigint, bigint> {
    const view = new DataView(this.buffer);
    const levels = new Map<bigint, bigint>();
    const total = this.kernel.bookCount(book, side);
    for (let from = 0; from < total; from += 1024) {
      const count = this.kernel.bookWalk(book, side, from, 1024, this.#scratch);
      for (let index = 0; index < count; index++) {
        const at = this.#scratch + index * LEVEL_BYTES;
        levels.set(view.getBigInt64(at, true) * scales.price, view.getBigInt64(at + 8, true) * scales.quantity);
      }
    }
    return levels;
  }
}

/** First offset at which two byte ranges differ, −1 when they are equal. Cost: a native comparison when they are equal. */
export function firstDifference(a: Uint8Array, b: Uint8Array): number {
  if (
    Buffer.compare(Buffer.from(a.buffer, a.byteOffset, a.length), Buffer.from(b.buffer, b.byteOffset, b.length)) === 0
  ) {
    return -1;
  }
  const at = a.findIndex((byte, index) => byte !== b[index]);
  return at < 0 ? Math.min(a.length, b.length) : at;
}
