/**
 * Mapping a file over a range of the shared WebAssembly.Memory, so that kernels work on it as on any other address.
 * Before: a nonce proves that the address is the range's, /proc/self/maps that every byte of it is ours, anonymous and
 * writable. After: what stands in the file and what stands in the memory are the same bytes.
 * Bad case: an engine that moved or shared the memory otherwise; nothing is mapped and the error says what was found.
 */
import { readFileSync, readSync, writeSync } from "node:fs";
import type { MemoryRange } from "../segment/memory_map.ts";
import { MappingError } from "./errors.ts";
import { type Libc, PROTECTION } from "./libc.ts";

const NONCE_BYTES = 8;
const COMPARED_BYTES = 40;

/** A piece of /proc/self/maps. */
export type MapsEntry = { readonly from: bigint; readonly to: bigint; readonly rights: string; readonly file: string };

/** What is mapped where. */
export type RegionOptions = {
  readonly memory: WebAssembly.Memory;
  readonly range: MemoryRange;
  readonly fd: number;
  /** Of the file; at most those of the range. */
  readonly bytes: number;
  readonly access: "read" | "readWrite";
  /** Nobody else uses the file yet: it may be written to for the check. Else what stands in it is compared. */
  readonly isFresh?: boolean;
  readonly random?: () => number;
};

/**
 * Maps a file over a range that nobody uses.
 * @throws MappingError `failed` when a check does not hold; the range is ordinary memory then
 */
export function mapRegion(libc: Libc, options: RegionOptions): void {
  const { memory, range, fd, bytes, access } = options;
  if (bytes > range.bytes || bytes < COMPARED_BYTES) {
    throw new MappingError(`Cannot map a file over ${range.name}: ${range.bytes} bytes are there, was ${bytes}`, {
      reason: "failed",
    });
  }
  const address = libc.addressOf(memory.buffer) + BigInt(range.address);
  const view = new DataView(memory.buffer, range.address, range.bytes);
  const nonce = nonceOf(options.random ?? Math.random);
  view.setBigUint64(0, nonce, true);
  if (libc.peek(address) !== nonce) {
    throw new MappingError(`Cannot map a file over ${range.name}: the memory lies elsewhere, was ${address}`, {
      reason: "failed",
    });
  }
  const fault = rangeFault(readMaps(), { from: address, to: address + BigInt(range.bytes) });
  if (fault !== undefined) {
    throw new MappingError(`Cannot map a file over ${range.name}: ${fault}, was ${address}`, { reason: "failed" });
  }
  libc.mapFile(address, { bytes, fd, protection: PROTECTION[access] });
  const isSame = options.isFresh === true ? roundTrips(view, fd, nonce) : isSameText(view, fd);
  if (!isSame) {
    libc.mapAnonymous(address, range.bytes);
    throw new MappingError(`Cannot map a file over ${range.name}: memory and file differ, was ${address}`, {
      reason: "failed",
    });
  }
  libc.populate(address, { bytes: Math.min(bytes, POPULATE_MAX), forWriting: access === "readWrite" });
}

/** Header, table, cells and usual rings; images may be large and rarely used. */
const POPULATE_MAX = 24 * 1024 * 1024;

/** Makes a range ordinary zeroed memory again. Bad case: a thread that still reads there; it reads zeros. */
export function unmapRegion(libc: Libc, { memory, range }: Pick<RegionOptions, "memory" | "range">): void {
  libc.mapAnonymous(libc.addressOf(memory.buffer) + BigInt(range.address), range.bytes);
}

/** Parses /proc/self/maps. */
export function parseMaps(text: string): MapsEntry[] {
  return text.split("\n").flatMap((line) => {
    const match = /^([0-9a-f]+)-([0-9a-f]+) (\S{4}) \S+ \S+ \d+\s*(.*)$/.exec(line);
    return match === null
      ? []
      : [{ from: BigInt(`0x${match[1]}`), to: BigInt(`0x${match[2]}`), rights: match[3] ?? "", file: match[4] ?? "" }];
  });
}

/** What is wrong with a range that shall be mapped over. @returns undefined when all of it is ours, anonymous and writable */
export function rangeFault(
  entries: readonly MapsEntry[],
  { from, to }: { from: bigint; to: bigint },
): string | undefined {
  let reached = from;
  for (const entry of entries) {
    if (entry.to <= reached || entry.from >= to) {
      continue;
    }
    if (entry.from > reached) {
      break;
    }
    if (!entry.rights.startsWith("rw") || (entry.file !== "" && !entry.file.startsWith("[anon"))) {
      return `a part of it is ${entry.rights} ${entry.file || "anonymous"}`;
    }
    reached = entry.to;
  }
  return reached >= to ? undefined : `it is not all mapped, from ${reached}`;
}

function readMaps(): MapsEntry[] {
  return parseMaps(readFileSync("/proc/self/maps", "utf8"));
}

function nonceOf(random: () => number): bigint {
  const part = () => BigInt(Math.floor(random() * 2 ** 32));
  return (part() << 32n) | part();
}

/** Writes through the memory and reads through the file, and the other way round; leaves zeros. */
function roundTrips(view: DataView, fd: number, nonce: bigint): boolean {
  const saved = view.getBigUint64(0, true);
  const bytes = new DataView(new ArrayBuffer(NONCE_BYTES));
  view.setBigUint64(0, nonce, true);
  readSync(fd, bytes, 0, NONCE_BYTES, 0);
  const isThere = bytes.getBigUint64(0, true) === nonce;
  bytes.setBigUint64(0, nonce ^ 0xffffn, true);
  writeSync(fd, bytes, 0, NONCE_BYTES, 0);
  const isBack = view.getBigUint64(0, true) === (nonce ^ 0xffffn);
  view.setBigUint64(0, saved, true);
  return isThere && isBack;
}

/** Compares the part of a header that does not change. */
function isSameText(view: DataView, fd: number): boolean {
  const bytes = new Uint8Array(COMPARED_BYTES);
  const count = readSync(fd, bytes, 0, COMPARED_BYTES, 0);
  return count === COMPARED_BYTES && bytes.every((byte, index) => view.getUint8(index) === byte);
}
