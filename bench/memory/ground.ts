/**
 * One producer on a memory of its own, sized by whoever asks: kernel, segment and the sync of Coinbase Exchange in front of
 * them, and a second kernel that reads. Smaller and larger than the workbench of the other benchmarks.
 * Bad case: sizes that do not fit into one memory; the map says what did not.
 */
import { readAsset } from "../../src/assets.ts";
import { EXCHANGES } from "../../src/exchanges/mod.ts";
import type { Kernel } from "../../src/kernel/kernel.ts";
import { loadKernel } from "../../src/kernel/load.ts";
import { createSegment, MemoryMap, memoryBytes, type SegmentConfig, segmentBytes } from "../../src/segment/mod.ts";
import type { SegmentWriter } from "../../src/segment/writer.ts";
import { ExchangeSync, SYNC_SETTINGS } from "../../src/sync/mod.ts";

/** Sizes of a ground. */
export type GroundSizes = {
  readonly producerBytes: number;
  readonly readerBytes: number;
  readonly frameBytes: number;
  readonly config: SegmentConfig;
  /** Levels of one image. */
  readonly imageLevels: number;
  /** Records of an instrument after which its image is written again. */
  readonly imageEvery: number;
};

/** A producer and a reader. */
export type Ground = {
  readonly producer: Kernel;
  readonly reader: Kernel;
  readonly segment: SegmentWriter;
  readonly sync: ExchangeSync;
  readonly view: DataView;
  readonly bytes: Uint8Array;
  /** Reserves bytes beside the rest. @returns their address */
  readonly reserve: (name: string, bytes: number) => number;
};

const MIB = 1 << 20;
/** Compiled once, so that what V8 learned of it in one ground is there in the next. */
let compiled: WebAssembly.Module | undefined;

/**
 * Sets a ground up.
 * @param anchorNs Unix ns of receivedAt 0 @param spareBytes that `reserve` may hand out
 * @throws RangeError when it does not fit into one memory
 */
export function openGround(
  sizes: GroundSizes,
  { anchorNs, spareBytes = MIB }: { anchorNs: bigint; spareBytes?: number },
): Ground {
  const { config } = sizes;
  const bytes = [sizes.producerBytes, sizes.readerBytes, sizes.frameBytes, segmentBytes(config), spareBytes, MIB];
  const map = new MemoryMap(memoryBytes(bytes));
  const load = (owner: string, arenaBytes: number) => {
    const kernel = loadKernel({ name: "wasm", memory: map.memory, wasmBytes: kernelModule() });
    const arena = map.reserve(owner, { bytes: arenaBytes });
    kernel.arenaInit(arena.address, arena.bytes);
    return kernel;
  };
  const producer = load("arena of the producer", sizes.producerBytes);
  const reader = load("arena of the reader", sizes.readerBytes);
  const { address } = map.reserve("segment", { bytes: segmentBytes(config) });
  const segment = createSegment(map.memory.buffer, {
    address,
    config,
    identity: { exchange: "coinbase_exchange", epoch: 1n, pid: 0, wallAnchorNs: anchorNs, monotonicAnchorNs: 0n },
  });
  producer.clockAnchor(Number(anchorNs & 0xffffffffn), Number(anchorNs >> 32n));
  producer.producerAttach(address);
  const exchange = EXCHANGES.coinbase_exchange;
  const sync = new ExchangeSync({
    kernel: producer,
    exchange: { ...exchange, header: { ...exchange.header, imageLevels: sizes.imageLevels } },
    segment,
    frame: map.reserve("frame", { bytes: sizes.frameBytes }),
    imageEvery: sizes.imageEvery,
    wallNs: (receivedAt) => (receivedAt < 0 ? 0n : anchorNs + BigInt(Math.round(receivedAt))),
    random: () => 0.5,
    settings: SYNC_SETTINGS,
    opensUnknown: true,
  });
  sync.connection(0).opened(0);
  const { buffer } = map.memory;
  const reserve = (name: string, wanted: number) => map.reserve(name, { bytes: wanted }).address;
  return { producer, reader, segment, sync, view: new DataView(buffer), bytes: new Uint8Array(buffer), reserve };
}

function kernelModule(): WebAssembly.Module {
  compiled ??= new WebAssembly.Module(readAsset("kernel.wasm"));
  return compiled;
}
