/**
 * One kernel over a memory of its own, with a segment to produce into: what a benchmark needs around the functions that it
 * measures. Bad case: a kernel that is not built; the error says which command builds it.
 */
import { readAsset } from "../src/assets.ts";
import type { Kernel, KernelName } from "../src/kernel/kernel.ts";
import { loadKernel } from "../src/kernel/load.ts";
import { MemoryMap, type MemoryRange } from "../src/segment/memory_map.ts";
import { SegmentView } from "../src/segment/view.ts";
import { createSegment, type SegmentConfig, type SegmentWriter, segmentBytes } from "../src/segment/writer.ts";

const MIB = 1 << 20;
const MEMORY_BYTES = 896 * MIB;
const ARENA_BYTES = 128 * MIB;
const SEGMENT: SegmentConfig = {
  instrumentCapacity: 256,
  deltaCapacity: 65_536,
  tradeCapacity: 16_384,
  imageAreaBytes: 40 * MIB,
};

let compiled: WebAssembly.Module | undefined;

/** A kernel that produces, one that reads, and the segment between them. */
export type Workbench = {
  readonly name: KernelName;
  readonly map: MemoryMap;
  readonly producer: Kernel;
  readonly reader: Kernel;
  readonly segment: SegmentWriter;
  readonly segmentView: SegmentView;
  readonly config: SegmentConfig;
  readonly view: DataView;
  readonly bytes: Uint8Array;
};

/**
 * Sets a workbench up.
 * @throws Error when the kernel is not built
 */
export function openWorkbench(name: KernelName): Workbench {
  const map = new MemoryMap(MEMORY_BYTES);
  const producer = addKernel(map, name, "producer");
  const reader = addKernel(map, name, "reader");
  const range = map.reserve("segment", { bytes: segmentBytes(SEGMENT) });
  const identity = { exchange: "bench", epoch: 1n, pid: 0, wallAnchorNs: 0n, monotonicAnchorNs: 0n };
  const { buffer } = map.memory;
  const segment = createSegment(buffer, { address: range.address, config: SEGMENT, identity });
  producer.producerAttach(range.address);
  return {
    name,
    map,
    producer,
    reader,
    segment,
    segmentView: new SegmentView(buffer, range.address),
    config: SEGMENT,
    view: new DataView(buffer),
    bytes: new Uint8Array(buffer),
  };
}

/** One more kernel instance on the same memory. @param owner names its arena */
export function addKernel(map: MemoryMap, name: KernelName, owner: string): Kernel {
  const kernel = loadKernel(
    name === "wasm" ? { name, memory: map.memory, wasmBytes: kernelModule() } : { name, memory: map.memory },
  );
  const arena = map.reserve(owner, { bytes: ARENA_BYTES });
  kernel.arenaInit(arena.address, arena.bytes);
  return kernel;
}

/** Bytes laid one behind the other in the memory, each at a multiple of eight. */
export type LaidBytes = { readonly range: MemoryRange; readonly addresses: Int32Array; readonly lengths: Int32Array };

/** Lays texts into the memory. @param name of the range */
export function layBytes(bench: Workbench, name: string, texts: readonly Uint8Array[]): LaidBytes {
  const addresses = new Int32Array(texts.length);
  const lengths = new Int32Array(texts.length);
  let used = 0;
  for (const [index, text] of texts.entries()) {
    addresses[index] = used;
    lengths[index] = text.length;
    used += (text.length + 7) & ~7;
  }
  const range = bench.map.reserve(name, { bytes: Math.max(used, 1) });
  for (const [index, text] of texts.entries()) {
    const address = (addresses[index] ?? 0) + range.address;
    addresses[index] = address;
    bench.bytes.set(text, address);
  }
  return { range, addresses, lengths };
}

/** Zeroed bytes of the memory. @returns their address */
export function reserveBytes(bench: Workbench, name: string, bytes: number): number {
  return bench.map.reserve(name, { bytes }).address;
}

function kernelModule(): WebAssembly.Module {
  compiled ??= new WebAssembly.Module(readAsset("kernel.wasm"));
  return compiled;
}
