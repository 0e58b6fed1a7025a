/**
 * The memory map: one shared WebAssembly.Memory, sized once, cut into named page-granular ranges. Kernels, segments and
 * frame areas get their addresses from here and nowhere else, so no two parts can overlap. Pages that nobody touches
 * cost address space only. Bad case: a memory that is too small; the error names what did not fit and what holds the rest.
 */
import { SEGMENT_ALIGN } from "../../assembly/layout.ts";

/** Bytes of a WebAssembly page, and the least alignment of a range. */
export const PAGE_BYTES = 65536;

/** Largest memory in bytes: addresses stay below 2^31, so that they are the same number signed and unsigned. */
export const MEMORY_BYTES_MAX = 2 ** 31 - PAGE_BYTES;

/** The first page belongs to the kernels: a null address is never a range, and static data of a module may lie there. */
const FIRST_ADDRESS = PAGE_BYTES;

/** A named part of the memory. */
export type MemoryRange = {
  readonly name: string;
  /** Address of the first byte, a multiple of PAGE_BYTES. */
  readonly address: number;
  /** A multiple of PAGE_BYTES. */
  readonly bytes: number;
};

/**
 * The bytes that a memory must have to hold ranges of these sizes at the default alignment.
 * @param sizes bytes of each range
 * @returns a multiple of PAGE_BYTES
 */
export function memoryBytes(sizes: readonly number[]): number {
  return sizes.reduce((sum, bytes) => sum + roundUp(bytes, SEGMENT_ALIGN), FIRST_ADDRESS);
}

/** Hands out ranges of one memory. Thread: one thread owns the map; the others get ranges as plain numbers. */
export class MemoryMap {
  /** Shared between threads; never grows. */
  readonly memory: WebAssembly.Memory;
  /** Bytes of the memory. */
  readonly bytes: number;
  #ranges: MemoryRange[] = [];

  /**
   * @param bytes size of the memory, rounded up to pages; see memoryBytes
   * @throws RangeError when it is larger than MEMORY_BYTES_MAX or the machine refuses it
   */
  constructor(bytes: number) {
    this.bytes = roundUp(bytes, PAGE_BYTES);
    if (!(bytes > 0) || this.bytes > MEMORY_BYTES_MAX) {
      throw new RangeError(`Cannot create the memory: it must have 1 to ${MEMORY_BYTES_MAX} bytes, was ${bytes}`);
    }
    const pages = this.bytes / PAGE_BYTES;
    try {
      this.memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
    } catch (cause) {
      throw new RangeError(`Cannot create the memory: the system refuses it, was ${this.bytes} bytes`, { cause });
    }
  }

  /** The ranges in use, by address. */
  get ranges(): readonly MemoryRange[] {
    return this.#ranges;
  }

  /**
   * Reserves the first gap that is large enough.
   * @param name for errors and inspection; unique among the ranges in use
   * @param options.bytes rounded up to pages @param options.align a power of two, at least a page
   * @returns the range; its bytes are those of the last holder, or zero when there was none
   * @throws RangeError when it does not fit or the name is taken
   */
  reserve(name: string, options: { bytes: number; align?: number }): MemoryRange {
    const { align = SEGMENT_ALIGN } = options;
    const bytes = roundUp(options.bytes, PAGE_BYTES);
    if (!(options.bytes > 0) || align < PAGE_BYTES || (align & (align - 1)) !== 0) {
      throw new RangeError(
        `Cannot reserve ${name}: bytes > 0 and align a power of two from ${PAGE_BYTES}, was ${options.bytes} and ${align}`,
      );
    }
    if (this.#ranges.some((range) => range.name === name)) {
      throw new RangeError(`Cannot reserve ${name}: the name is taken, was reserved before`);
    }
    const address = firstGap(this.#ranges, { bytes, align });
    if (address + bytes > this.bytes) {
      throw new RangeError(`Cannot reserve ${name}: it does not fit beside ${this.#describe()}, was ${bytes} bytes`);
    }
    const range = { name, address, bytes };
    this.#ranges = sorted([...this.#ranges, range]);
    return range;
  }

  /**
   * Reserves the range of a segment: what a supervisor calls, so that a map can make of it what readers elsewhere see.
   * @param exchange whose segment it is @param options.generation unlike those of its segments in use
   * @returns the range, as `reserve` does
   * @throws RangeError as `reserve`
   */
  reserveSegment(exchange: string, options: { generation: number; bytes: number }): MemoryRange {
    return this.reserve(`segment ${options.generation} of ${exchange}`, { bytes: options.bytes });
  }

  /**
   * Whether ranges of these sizes could be reserved one after the other at the default alignment.
   * @param sizes bytes of each @param without ranges that would be given back before
   */
  hasRoom(sizes: readonly number[], without: readonly MemoryRange[] = []): boolean {
    let ranges = this.#ranges.filter((range) => !without.includes(range));
    for (const size of sizes) {
      const bytes = roundUp(size, PAGE_BYTES);
      const address = firstGap(ranges, { bytes, align: SEGMENT_ALIGN });
      if (address + bytes > this.bytes) {
        return false;
      }
      ranges = sorted([...ranges, { name: "", address, bytes }]);
    }
    return true;
  }

  /**
   * Gives a range back. Bad case: a thread that still uses it; the holder must have let go.
   * @throws RangeError when the range is not in use
   */
  release(range: MemoryRange): void {
    if (!this.#ranges.includes(range)) {
      throw new RangeError(`Cannot release ${range.name}: it is not in use, was at ${range.address}`);
    }
    this.#ranges = this.#ranges.filter((other) => other !== range);
  }

  #describe(): string {
    const parts = this.#ranges.map((range) => `${range.name} ${range.bytes}`);
    return `[${parts.join(", ")}] in ${this.bytes} bytes`;
  }
}

/** @param ranges by address */
function firstGap(ranges: readonly MemoryRange[], { bytes, align }: { bytes: number; align: number }): number {
  let address = roundUp(FIRST_ADDRESS, align);
  for (const range of ranges) {
    if (address + bytes <= range.address) {
      return address;
    }
    address = Math.max(address, roundUp(range.address + range.bytes, align));
  }
  return address;
}

function sorted(ranges: MemoryRange[]): MemoryRange[] {
  return ranges.sort((a, b) => a.address - b.address);
}

function roundUp(value: number, align: number): number {
  return Math.ceil(value / align) * align;
}
