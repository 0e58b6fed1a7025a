/**
 * A real producer with a segment as small as it can be, for the golden files of the Python package: the sync and a
 * kernel, and the segment's bytes as they would stand in a file.
 * Bad case: more instruments than the image area holds; the sync takes them out of service and the stage is not the one meant.
 */
import { HEADER_SEGMENT_BYTES, TRADING_UNKNOWN } from "../../assembly/layout.ts";
import { readAsset } from "../../src/assets.ts";
import { EXCHANGES } from "../../src/exchanges/mod.ts";
import type { Kernel, KernelName } from "../../src/kernel/kernel.ts";
import { loadKernel } from "../../src/kernel/load.ts";
import type { ExchangeId } from "../../src/model/exchange_id.ts";
import { createSegment, type SegmentWriter, segmentBytes } from "../../src/segment/writer.ts";
import { ExchangeSync, SYNC_SETTINGS } from "../../src/sync/mod.ts";

const PAGE = 65_536;
const ARENA_BYTES = 96 * 1024 * 1024;
const FRAME_BYTES = 1024 * 1024;
const SCRATCH_BYTES = 64 * 1024;
const IMAGE_LEVELS = 1024;
const CONFIG = { instrumentCapacity: 8, deltaCapacity: 256, tradeCapacity: 64, imageAreaBytes: 192 * 1024 };
const WALL_ANCHOR_NS = 1_700_000_000_000_000_000n;

/** One exchange, one connection. */
export class GoldenProducer {
  readonly kernel: Kernel;
  readonly segment: SegmentWriter;
  readonly sync: ExchangeSync;
  readonly buffer: ArrayBufferLike;
  /** Arena bytes for levels. */
  readonly scratch: number;
  #at = 0;

  constructor(name: KernelName, exchange: ExchangeId, natives: readonly string[]) {
    const segmentAt = PAGE + ARENA_BYTES;
    const frameAt = segmentAt + segmentBytes(CONFIG);
    const pages = Math.ceil((frameAt + FRAME_BYTES) / PAGE);
    const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
    this.buffer = memory.buffer;
    const wasmBytes = new WebAssembly.Module(readAsset("kernel.wasm"));
    this.kernel = loadKernel({ name, memory, wasmBytes });
    this.kernel.arenaInit(PAGE, ARENA_BYTES);
    const identity = { exchange, epoch: 7n, pid: 4242, wallAnchorNs: WALL_ANCHOR_NS, monotonicAnchorNs: 1n };
    this.segment = createSegment(memory.buffer, { address: segmentAt, config: CONFIG, identity });
    this.kernel.clockAnchor(Number(WALL_ANCHOR_NS & 0xffffffffn), Number(WALL_ANCHOR_NS >> 32n));
    this.kernel.producerAttach(segmentAt);
    this.scratch = this.kernel.arenaAllocate(SCRATCH_BYTES);
    this.sync = new ExchangeSync({
      kernel: this.kernel,
      exchange: EXCHANGES[exchange],
      segment: this.segment,
      frame: { address: frameAt, bytes: FRAME_BYTES },
      imageEvery: CONFIG.deltaCapacity / 4,
      wallNs: (receivedAt) => WALL_ANCHOR_NS + BigInt(Math.max(0, Math.round(receivedAt))),
      random: () => 0.5,
      settings: SYNC_SETTINGS,
      opensUnknown: false,
    });
    for (const native of natives) {
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
      imageLevels: IMAGE_LEVELS,
    });
  }

  /** Applies a frame a millisecond after the one before, and publishes. */
  send(frame: Record<string, unknown>): void {
    this.#at += 1_000_000;
    const time = new Date(1_700_000_000_000 + this.#at / 1_000_000).toISOString();
    this.sync.connection(0).receive(new TextEncoder().encode(JSON.stringify({ ...frame, time })), this.#at);
    this.#publish();
  }

  /** Hands over the body of a REST snapshot. */
  rest(native: string, body: object): void {
    this.#at += 1_000_000;
    const bytes = new TextEncoder().encode(JSON.stringify(body));
    this.sync.snapshotArrived(native, bytes, { receivedAt: this.#at });
    this.#publish();
  }

  #publish(): void {
    this.sync.publish(this.#at + 500);
    this.sync.takeActions();
    this.segment.beat(WALL_ANCHOR_NS + BigInt(this.#at));
  }

  /** The segment as it would stand in a file. @returns a copy */
  file(): Uint8Array {
    const { address } = this.segment;
    const bytes = Number(new DataView(this.buffer, address).getBigUint64(HEADER_SEGMENT_BYTES, true));
    return new Uint8Array(this.buffer, address, bytes).slice();
  }
}
