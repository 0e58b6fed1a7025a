/**
 * The real way from an exchange's frame to the ring and to a replica: decoder, sync, segment, ring reader and the gateway's
 * workspace over one kernel, without threads, as fast as it goes.
 * Bad case: a ring that laps its reader; it is read after every frame, and a lap ends the run.
 */
import {
  DELTA_BYTES,
  INSTRUMENT_BOOK,
  INSTRUMENT_ID,
  INSTRUMENT_VERSION,
  RING_DELTAS,
  TRADING_OPEN,
} from "../../../assembly/layout.ts";
import { readAsset } from "../../../src/assets.ts";
import { EXCHANGES } from "../../../src/exchanges/mod.ts";
import { Workspace } from "../../../src/gateway/workspace.ts";
import { loadKernel } from "../../../src/kernel/load.ts";
import { type InstrumentEntry, SegmentView } from "../../../src/segment/view.ts";
import { createSegment, type SegmentConfig, segmentBytes } from "../../../src/segment/writer.ts";
import { ExchangeSync, SYNC_SETTINGS } from "../../../src/sync/mod.ts";
import { readCount } from "../../../src/wire/numbers.ts";
import { bookBytes } from "./books.ts";
import type { MarketBook } from "./market.ts";

const MIB = 1 << 20;
const FIRST = 65_536;
const ARENA_BYTES = 384 * MIB;
const FRAME_BYTES = 8 * MIB;
const IMAGE_LEVELS = 65_536;
const WALL_NS = 1_767_571_200_000_000_000n;
const SEGMENT: SegmentConfig = {
  instrumentCapacity: 64,
  deltaCapacity: 8192,
  tradeCapacity: 64,
  imageAreaBytes: 128 * MIB,
};

/** Producer and reader. Thread: one. */
export class StreamGround {
  readonly workspace: Workspace;
  readonly view: SegmentView;
  readonly #sync: ExchangeSync;
  readonly #reader: number;

  constructor() {
    const segmentAt = FIRST + ARENA_BYTES;
    const frameAt = segmentAt + segmentBytes(SEGMENT);
    const pages = Math.ceil((frameAt + FRAME_BYTES) / 65_536);
    const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
    const kernel = loadKernel({ name: "wasm", memory, wasmBytes: readAsset("kernel.wasm") });
    kernel.arenaInit(FIRST, ARENA_BYTES);
    const exchange = EXCHANGES.coinbase_exchange;
    const segment = createSegment(memory.buffer, {
      address: segmentAt,
      config: SEGMENT,
      identity: { exchange: exchange.header.id, epoch: 1n, pid: 0, wallAnchorNs: WALL_NS, monotonicAnchorNs: 0n },
    });
    kernel.clockAnchor(Number(WALL_NS & 0xffffffffn), Number(WALL_NS >> 32n));
    kernel.producerAttach(segmentAt);
    this.workspace = new Workspace(kernel, 1024);
    this.view = new SegmentView(memory.buffer, segmentAt);
    this.#reader = kernel.readerCreate(segmentAt, RING_DELTAS);
    this.#sync = new ExchangeSync({
      kernel,
      exchange,
      segment,
      frame: { address: frameAt, bytes: FRAME_BYTES },
      imageEvery: SEGMENT.deltaCapacity / 8,
      wallNs: (receivedAt) => WALL_NS + BigInt(Math.max(0, Math.round(receivedAt))),
      random: () => 0.5,
      settings: SYNC_SETTINGS,
    });
    this.#sync.connection(0).opened(0);
  }

  /** Lists a book; its first snapshot says how its numbers are written. */
  open({ native }: MarketBook): void {
    const { exchange } = this.#sync;
    this.#sync.open({
      native,
      canonical: exchange.canonicalName(native),
      assurance: exchange.assurance(0),
      depth: 0,
      priceExponent: -1,
      quantityExponent: -1,
      tradingStatus: TRADING_OPEN,
      imageLevels: IMAGE_LEVELS,
    });
  }

  /** Applies a frame and publishes. @param receivedAt ns since the run began @returns APPLY_* */
  frame(bytes: Uint8Array, receivedAt: number): number {
    const code = this.#sync.connection(0).receive(bytes, receivedAt);
    this.#publish(receivedAt);
    return code;
  }

  /** The connection closes and opens again: no book is synced until its next snapshot. */
  reconnect(receivedAt: number): void {
    this.#sync.connection(0).closed(receivedAt);
    this.#sync.connection(0).opened(receivedAt);
    this.#publish(receivedAt);
  }

  /** Reads what was published. @throws Error when the ring overtook the reader */
  poll(take: (record: number) => void): void {
    const { kernel, deltas, batchRecords } = this.workspace;
    for (let count = batchRecords; count === batchRecords; ) {
      count = kernel.readerPoll(this.#reader, deltas, batchRecords);
      if (count < 0) {
        throw new Error("Cannot follow the ring: its reader was overtaken");
      }
      for (let index = 0; index < count; index++) {
        take(deltas + index * DELTA_BYTES);
      }
    }
  }

  /** The table entry of an instrument id. @throws RangeError when there is none */
  entry(id: number): InstrumentEntry {
    const entry = this.view.instruments().find((one) => one.id === id);
    if (entry === undefined) {
      throw new RangeError(`Cannot find an instrument in the table: no such id, was ${id}`);
    }
    return entry;
  }

  /** What the producer itself holds of a book; undefined when another id stands for it now. */
  held(native: string, id: number): { version: number; hash: number; levels(depth: number): Uint8Array } | undefined {
    const block = this.#sync.instrument(native)?.block.address ?? 0;
    const { workspace } = this;
    if (block === 0 || workspace.u32(block + INSTRUMENT_ID) !== id) {
      return undefined;
    }
    const book = workspace.u32(block + INSTRUMENT_BOOK);
    return {
      version: readCount(workspace.memory, block + INSTRUMENT_VERSION),
      hash: workspace.kernel.bookHash(book),
      levels: (depth) => bookBytes(workspace, book, depth),
    };
  }

  #publish(receivedAt: number): void {
    this.#sync.takeActions();
    this.#sync.publish(receivedAt);
    this.#sync.takeActions();
  }
}
