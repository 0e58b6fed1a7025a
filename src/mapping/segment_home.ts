/**
 * The producer's side of a segment's files. Whoever holds the lock of a name may make a segment: as a file of another
 * name, room reserved before the first store, initialised in memory, and only then renamed into its place, so that readers
 * see an old segment or a whole new one. The old one is marked superseded first and its readers are woken.
 * Bad case: a full file system; the error says how much is needed and how much is there, and nothing else has changed.
 */
import {
  closeSync,
  constants,
  fstatSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import {
  HEADER_BYTES,
  HEADER_HEARTBEAT,
  HEADER_MONOTONIC_ANCHOR,
  HEADER_PID,
  HEADER_STATE,
  HEADER_WALL_ANCHOR,
  MAGIC_HIGH,
  MAGIC_LOW,
  SEGMENT_STATE_LIVE,
  SEGMENT_STATE_SUPERSEDED,
} from "../../assembly/layout.ts";
import type { MemoryRange } from "../segment/memory_map.ts";
import { Bell } from "./bell.ts";
import { makeDirectory, trustDirectory } from "./directory.ts";
import { MappingError } from "./errors.ts";
import { heartbeatAgeMs, STALE_MS } from "./heartbeat.ts";
import type { Libc } from "./libc.ts";
import { FileLock } from "./lock.ts";
import { parseSegmentName, type Shard, segmentName, WHOLE } from "./names.ts";
import { createReadersFile, READERS_BYTES } from "./readers_file.ts";
import { mapRegion } from "./region.ts";
import { createSegmentFile, type PendingSegment } from "./segment_file.ts";
import { removeLeftStandbys } from "./standby_files.ts";

/** Whose segment it is, and where. */
export type HomeOptions = {
  readonly libc: Libc;
  readonly directory: string;
  /** The user named the directory. */
  readonly isExplicit: boolean;
  readonly exchange: string;
  /** Default: the whole exchange. */
  readonly shard?: Shard;
  /** How long another may keep the lock before it is an error, ms. */
  readonly patienceMs: number;
  readonly pid: number;
};

const LOCK_RETRY_MS = 20;

/** A name that is ours. Thread: one. */
export class SegmentHome {
  readonly name: string;
  /** Of the segment's file. */
  readonly path: string;
  readonly #options: HomeOptions;
  readonly #lock: FileLock;
  readonly #readersFd: number;
  #bell: Bell | undefined;
  #inode: number | undefined;
  #made = 0;

  constructor(options: HomeOptions, name: string, lock: FileLock) {
    const { directory, libc } = options;
    this.#options = options;
    this.#lock = lock;
    this.name = name;
    this.path = join(directory, `${name}.seg`);
    removeParts(directory, name);
    removeLeftStandbys(libc, directory, name);
    removeOtherDivisions(options);
    this.#readersFd = createReadersFile(libc, join(directory, `${name}.readers`), this.#part("readers"));
  }

  /**
   * Takes the lock of a name and clears away what a dead producer left half made.
   * @throws MappingError `locked` naming the holder, `refused` or `failed` when the directory cannot be used
   */
  static async claim(options: HomeOptions): Promise<SegmentHome> {
    const { libc, directory, isExplicit, exchange, shard = WHOLE, patienceMs } = options;
    makeDirectory(directory, { isExplicit });
    const name = segmentName(exchange, shard);
    const path = lockPath({ directory, name });
    for (const until = performance.now() + patienceMs; ; ) {
      const lock = FileLock.take(libc, path);
      if (lock !== undefined) {
        return new SegmentHome(options, name, lock);
      }
      if (performance.now() >= until) {
        const holder = readPid(join(directory, `${name}.seg`));
        throw new MappingError(`Cannot write the segment ${name}: another producer does${holder}, was ${path}`, {
          reason: "locked",
        });
      }
      await new Promise((resolve) => {
        setTimeout(resolve, LOCK_RETRY_MS);
      });
    }
  }

  /** Maps the readers file, so that readers can be woken. @param range at least READERS_BYTES */
  mapReaders(memory: WebAssembly.Memory, range: MemoryRange): void {
    const { libc } = this.#options;
    mapRegion(libc, { memory, range, fd: this.#readersFd, bytes: READERS_BYTES, access: "readWrite" });
    this.#bell = new Bell(libc, memory, range.address);
    this.#bell.promise(false);
  }

  /** The producer rings after every publish already: says so where readers look now. */
  promiseToRing(): void {
    this.#bell?.promise(true);
  }

  /**
   * Makes a file and maps it over a range of the memory.
   * @param bytes of the segment; a multiple of 64 KiB
   * @throws MappingError `no_room` or `failed`; nothing is left behind
   */
  create(memory: WebAssembly.Memory, options: { range: MemoryRange; bytes: number }): PendingSegment {
    const { libc } = this.#options;
    return createSegmentFile(libc, { ...options, memory, path: this.#part(String(this.#made++)), name: this.name });
  }

  /** Makes a file that was made out of sight, in the same directory, one of this name's own. */
  adopt(pending: PendingSegment): PendingSegment {
    const path = this.#part(String(this.#made++));
    renameSync(pending.path, path);
    return { ...pending, path };
  }

  /** Puts a segment that is live into its place: from now on it is the one. */
  publish({ path, inode }: PendingSegment): void {
    supersede(this.path);
    this.wake();
    renameSync(path, this.path);
    this.#inode = inode;
  }

  /** Drops a file that was never put into its place. */
  discard({ path }: PendingSegment): void {
    rmSync(path, { force: true });
  }

  /** Wakes all readers. */
  wake(): void {
    this.#bell?.ring();
  }

  /** The file that was put into its place still stands there. */
  get isInPlace(): boolean {
    const found = statSync(this.path, { throwIfNoEntry: false });
    return this.#inode === undefined || found?.ino === this.#inode;
  }

  /** Gives up on a file that somebody took away; the next one takes its place. */
  forget(): void {
    this.#inode = undefined;
  }

  /** Takes the segment away, closed by its producer before, and gives the lock back. */
  close(): void {
    if (this.#inode !== undefined && this.isInPlace) {
      unlinkSync(this.path);
    }
    this.#inode = undefined;
    this.wake();
    closeSync(this.#readersFd);
    this.#lock.release();
  }

  #part(what: string): string {
    const { directory, pid } = this.#options;
    return join(directory, `.${this.name}.${pid}.${what}.part`);
  }
}

/**
 * Whether nobody holds a name at this moment. Thread: any process; a claim that meets the look finds the lock held.
 * @param files.name e.g. `kraken.2of4`
 * @throws MappingError `failed` when the lock cannot be opened
 */
export function isNameFree(libc: Libc, files: { directory: string; name: string }): boolean {
  const lock = FileLock.take(libc, lockPath(files));
  lock?.release();
  return lock !== undefined;
}

/**
 * Takes away the segments whose producers ended without doing so: nobody holds their lock and nothing in them moves. What
 * is no segment stays. Thread: any process, at any time; a producer that starts meanwhile finds the lock held and tries it
 * again after 20 ms, while its patience lasts.
 * @param options.name only this one, e.g. `kraken`
 * @returns the names that were removed
 * @throws MappingError `refused` when the directory cannot be trusted
 */
export function removeDeadSegments(options: {
  libc: Libc;
  directory: string;
  isExplicit: boolean;
  name?: string | undefined;
}): string[] {
  const { libc, directory, name: wanted } = options;
  if (!trustDirectory(directory, options)) {
    return [];
  }
  return readdirSync(directory).flatMap((file) => {
    const name = parseSegmentName(file)?.name;
    const path = join(directory, file);
    const isWanted = name !== undefined && (wanted === undefined || wanted === name);
    if (!isWanted || isBeatingOrForeign(path, process.hrtime.bigint())) {
      return [];
    }
    const lock = FileLock.take(libc, lockPath({ directory, name }));
    if (lock === undefined) {
      return [];
    }
    // Between the look and the lock another may have put its segment there and ended, or begun under a lock of its own.
    const isDead = !isBeatingOrForeign(path, process.hrtime.bigint());
    if (isDead) {
      supersede(path);
      unlinkSync(path);
      removeParts(directory, name);
      removeLeftStandbys(libc, directory, name);
    }
    lock.release();
    return isDead ? [name] : [];
  });
}

function lockPath({ directory, name }: { directory: string; name: string }): string {
  return join(directory, `${name}.lock`);
}

/** Only the holder of the lock makes such files: those that are there belong to the dead. */
function removeParts(directory: string, name: string): void {
  for (const file of readdirSync(directory)) {
    if (
      file.startsWith(`.${name}.`) &&
      file.endsWith(".part") &&
      /^\d+\.[a-z0-9]+\.part$/.test(file.slice(name.length + 2))
    ) {
      rmSync(join(directory, file), { force: true });
    }
  }
}

/** Segments of dead producers that divided the same exchange otherwise: they would name instruments twice. */
function removeOtherDivisions({ directory, exchange, shard = WHOLE, libc }: HomeOptions): void {
  for (const file of readdirSync(directory)) {
    const found = parseSegmentName(file);
    if (found === undefined || found.exchange !== exchange || found.count === shard.count) {
      continue;
    }
    const lock = FileLock.take(libc, lockPath({ directory, name: found.name }));
    if (lock !== undefined) {
      supersede(join(directory, file));
      rmSync(join(directory, file), { force: true });
      lock.release();
    }
  }
}

/** Marks a segment that another takes the place of. Anything that is no segment is left as it is. */
function supersede(path: string): void {
  const fd = openFile(path, constants.O_RDWR);
  if (fd === undefined) {
    return;
  }
  if (readHeader(fd) !== undefined) {
    const state = new DataView(new ArrayBuffer(4));
    state.setUint32(0, SEGMENT_STATE_SUPERSEDED, true);
    writeSync(fd, state, 0, 4, HEADER_STATE);
  }
  closeSync(fd);
}

function readPid(path: string): string {
  const fd = openFile(path, constants.O_RDONLY);
  if (fd === undefined) {
    return "";
  }
  const header = new DataView(new ArrayBuffer(HEADER_BYTES));
  const count = readSync(fd, header, 0, HEADER_BYTES, 0);
  closeSync(fd);
  return count === HEADER_BYTES ? `, pid ${header.getUint32(HEADER_PID, true)}` : "";
}

/** @returns undefined when it is no segment's */
function readHeader(fd: number): DataView | undefined {
  const header = new DataView(new ArrayBuffer(HEADER_BYTES));
  const isSegment =
    readSync(fd, header, 0, HEADER_BYTES, 0) === HEADER_BYTES &&
    header.getUint32(0, true) === MAGIC_LOW &&
    header.getUint32(4, true) === MAGIC_HIGH;
  return isSegment ? header : undefined;
}

/** Whether somebody still writes it, whoever holds the lock; a file that is no segment counts, too. */
function isBeatingOrForeign(path: string, nowNs: bigint): boolean {
  const fd = openFile(path, constants.O_RDONLY | constants.O_NONBLOCK);
  if (fd === undefined) {
    return true;
  }
  const header = fstatSync(fd).isFile() ? readHeader(fd) : undefined;
  closeSync(fd);
  if (header === undefined) {
    return true;
  }
  const times = {
    heartbeatNs: header.getBigUint64(HEADER_HEARTBEAT, true),
    wallAnchorNs: header.getBigInt64(HEADER_WALL_ANCHOR, true),
    monotonicAnchorNs: header.getBigUint64(HEADER_MONOTONIC_ANCHOR, true),
  };
  return header.getUint32(HEADER_STATE, true) === SEGMENT_STATE_LIVE && heartbeatAgeMs(times, nowNs) <= STALE_MS;
}

function openFile(path: string, flags: number): number | undefined {
  try {
    return openSync(path, flags | constants.O_NOFOLLOW);
  } catch {
    return undefined;
  }
}
