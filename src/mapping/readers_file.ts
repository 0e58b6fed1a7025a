/**
 * The advisory file of a segment's readers: one word that says that somebody sleeps, and a slot per reader with pid,
 * heartbeat, cursors and losses for those who inspect. Readers map it read-write, because the segment itself is
 * read-only to them. Bad case: garbage in it; it costs the producer a futile wake and shows nonsense to people, no more.
 */
import { closeSync, constants, fstatSync, openSync, readSync, renameSync, rmSync, writeSync } from "node:fs";
import { FILE_MODE } from "./directory.ts";
import { MappingError } from "./errors.ts";
import { errorText, type Libc } from "./libc.ts";

/** First eight bytes, "ALPHRDRS". */
export const READERS_MAGIC_LOW = 0x48504c41;
export const READERS_MAGIC_HIGH = 0x53524452;
export const READERS_VERSION = 1;
export const READERS_HEADER_BYTES = 4096;
export const READERS_SLOT_BYTES = 128;
export const READERS_SLOTS = 64;
export const READERS_BYTES = READERS_HEADER_BYTES + READERS_SLOTS * READERS_SLOT_BYTES;

/** Header: 0 magic 2×u32 │ 8 version u32 │ 12 slotBytes u32 │ 16 slotCount u32 │ 64 waiting i32 (odd: somebody sleeps) │ 68 rings i32: the producer wakes */
export const READERS_WAITING = 64;
export const READERS_RINGS = 68;
const READERS_VERSION_AT = 8;
const READERS_SLOT_BYTES_AT = 12;
const READERS_SLOTS_AT = 16;

/**
 * Slot: 0 pid u32 │ 4 waiting u32 │ 8 heartbeatNs u64 (monotonic) │ 16 epoch u64 │ 24 deltaCursor u64 │ 32 deltaLost u64
 * 40 tradeCursor u64 │ 48 tradeLost u64 │ 56 laps u32 │ 60 kind u32 │ 64 name, u8 length + 31 bytes
 */
export const SLOT_PID = 0;
export const SLOT_WAITING = 4;
export const SLOT_HEARTBEAT = 8;
export const SLOT_EPOCH = 16;
export const SLOT_DELTA_CURSOR = 24;
export const SLOT_DELTA_LOST = 32;
export const SLOT_TRADE_CURSOR = 40;
export const SLOT_TRADE_LOST = 48;
export const SLOT_LAPS = 56;
export const SLOT_KIND = 60;
export const SLOT_NAME = 64;
export const SLOT_NAME_BYTES_MAX = 31;

/** What kind of reader. */
export const READER_KINDS = { node: 1, gateway: 2, python: 3 } as const;

const ABANDONED_NS = 10_000_000_000n;

/** What a slot says. */
export type ReaderSlot = {
  readonly index: number;
  readonly pid: number;
  readonly kind: number;
  readonly name: string;
  readonly isWaiting: boolean;
  /** Monotonic ns. */
  readonly heartbeatNs: bigint;
  readonly epoch: bigint;
  readonly deltaCursor: number;
  readonly deltaLost: number;
  readonly tradeCursor: number;
  readonly tradeLost: number;
  readonly laps: number;
};

/** What a reader says of itself. */
export type ReaderReport = {
  readonly nowNs: bigint;
  readonly epoch: bigint;
  readonly deltaCursor: number;
  readonly deltaLost: number;
  readonly tradeCursor: number;
  readonly tradeLost: number;
  readonly laps: number;
};

/**
 * Opens the file of a name, making it when it is missing or unusable.
 * @returns an open file, to be closed by the caller
 * @throws MappingError `no_room` or `failed`
 */
export function createReadersFile(libc: Libc, path: string, part: string): number {
  const existing = openReadersFile(path);
  if (existing !== undefined) {
    return existing;
  }
  rmSync(part, { force: true });
  const fd = openSync(part, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW, FILE_MODE);
  const refused = libc.allocate(fd, READERS_BYTES);
  if (refused !== 0) {
    closeSync(fd);
    rmSync(part, { force: true });
    throw new MappingError(`Cannot make the file of the readers: ${errorText(refused)}, was ${path}`, {
      reason: "no_room",
    });
  }
  const header = new DataView(new ArrayBuffer(READERS_WAITING));
  header.setUint32(0, READERS_MAGIC_LOW, true);
  header.setUint32(4, READERS_MAGIC_HIGH, true);
  header.setUint32(READERS_VERSION_AT, READERS_VERSION, true);
  header.setUint32(READERS_SLOT_BYTES_AT, READERS_SLOT_BYTES, true);
  header.setUint32(READERS_SLOTS_AT, READERS_SLOTS, true);
  writeSync(fd, header, 0, header.byteLength, 0);
  renameSync(part, path);
  return fd;
}

/** Opens the file of a name for reading and writing. @returns undefined when it is missing, unusable or not ours to write */
export function openReadersFile(path: string): number | undefined {
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDWR | constants.O_NOFOLLOW);
  } catch {
    return undefined;
  }
  const header = new DataView(new ArrayBuffer(READERS_WAITING));
  const found = fstatSync(fd);
  readSync(fd, header, 0, header.byteLength, 0);
  const isOurs =
    found.isFile() &&
    found.size === READERS_BYTES &&
    header.getUint32(0, true) === READERS_MAGIC_LOW &&
    header.getUint32(4, true) === READERS_MAGIC_HIGH &&
    header.getUint32(READERS_VERSION_AT, true) === READERS_VERSION;
  if (!isOurs) {
    closeSync(fd);
    return undefined;
  }
  return fd;
}

/** The slots in use. @param view over the whole file or its mapping */
export function readSlots(view: DataView): ReaderSlot[] {
  return Array.from({ length: READERS_SLOTS }, (_, index) => readSlot(view, index)).filter(({ pid }) => pid !== 0);
}

/** A reader's own slot. Bad case: none is free; the reader goes on without. */
export class ReaderPlace {
  readonly #view: DataView;
  readonly #pid: number;

  constructor(view: DataView, pid: number) {
    this.#view = view;
    this.#pid = pid;
  }

  /**
   * Takes a slot that is free or abandoned.
   * @param view over the mapping of the file @param options.nowNs monotonic
   * @returns undefined when all are taken
   */
  static take(
    view: DataView,
    options: { pid: number; kind: number; name: string; nowNs: bigint; isAlive: (pid: number) => boolean },
  ): ReaderPlace | undefined {
    const { pid, nowNs, isAlive } = options;
    for (let index = 0; index < READERS_SLOTS; index++) {
      const slot = readSlot(view, index);
      const age = nowNs - slot.heartbeatNs;
      if (slot.pid === 0 || age > ABANDONED_NS || age < -ABANDONED_NS || !isAlive(slot.pid)) {
        const at = READERS_HEADER_BYTES + index * READERS_SLOT_BYTES;
        const own = new DataView(view.buffer, view.byteOffset + at, READERS_SLOT_BYTES);
        own.setBigUint64(SLOT_HEARTBEAT, nowNs, true);
        own.setUint32(SLOT_KIND, options.kind, true);
        writeName(own, options.name);
        own.setUint32(SLOT_PID, pid, true);
        return new ReaderPlace(own, pid);
      }
    }
    return undefined;
  }

  /** Says where the reader stands. */
  report(report: ReaderReport): void {
    if (this.#view.getUint32(SLOT_PID, true) !== this.#pid) {
      return;
    }
    const fields: [offset: number, value: number][] = [
      [SLOT_DELTA_CURSOR, report.deltaCursor],
      [SLOT_DELTA_LOST, report.deltaLost],
      [SLOT_TRADE_CURSOR, report.tradeCursor],
      [SLOT_TRADE_LOST, report.tradeLost],
    ];
    for (const [offset, value] of fields) {
      this.#view.setBigUint64(offset, BigInt(value), true);
    }
    this.#view.setUint32(SLOT_LAPS, report.laps, true);
    this.#view.setBigUint64(SLOT_EPOCH, report.epoch, true);
    this.#view.setBigUint64(SLOT_HEARTBEAT, report.nowNs, true);
  }

  /** For people only: whether the reader sleeps. */
  setWaiting(isWaiting: boolean): void {
    this.#view.setUint32(SLOT_WAITING, isWaiting ? 1 : 0, true);
  }

  /** Frees the slot, unless another took it meanwhile. */
  leave(): void {
    if (this.#view.getUint32(SLOT_PID, true) === this.#pid) {
      this.#view.setUint32(SLOT_PID, 0, true);
    }
  }
}

/** Whether a process of this machine lives. @param pid anything: it may come from a file of garbage */
export function isProcessAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}

function readSlot(view: DataView, index: number): ReaderSlot {
  const at = READERS_HEADER_BYTES + index * READERS_SLOT_BYTES;
  const count = (offset: number) => Number(view.getBigUint64(at + offset, true));
  return {
    index,
    pid: view.getUint32(at + SLOT_PID, true),
    kind: view.getUint32(at + SLOT_KIND, true),
    name: readName(view, at + SLOT_NAME),
    isWaiting: view.getUint32(at + SLOT_WAITING, true) !== 0,
    heartbeatNs: view.getBigUint64(at + SLOT_HEARTBEAT, true),
    epoch: view.getBigUint64(at + SLOT_EPOCH, true),
    deltaCursor: count(SLOT_DELTA_CURSOR),
    deltaLost: count(SLOT_DELTA_LOST),
    tradeCursor: count(SLOT_TRADE_CURSOR),
    tradeLost: count(SLOT_TRADE_LOST),
    laps: view.getUint32(at + SLOT_LAPS, true),
  };
}

/** Anything but printable ASCII is shown as a question mark: the file may hold garbage. */
function readName(view: DataView, at: number): string {
  const length = Math.min(view.getUint8(at), SLOT_NAME_BYTES_MAX);
  const codes = Array.from({ length }, (_, index) => view.getUint8(at + 1 + index));
  return String.fromCharCode(...codes.map((code) => (code >= 32 && code < 127 ? code : 63)));
}

function writeName(slot: DataView, name: string): void {
  const codes = [...name].map((letter) => letter.charCodeAt(0)).filter((code) => code >= 32 && code < 127);
  const kept = codes.slice(0, SLOT_NAME_BYTES_MAX);
  slot.setUint8(SLOT_NAME, kept.length);
  kept.forEach((code, index) => {
    slot.setUint8(SLOT_NAME + 1 + index, code);
  });
}
