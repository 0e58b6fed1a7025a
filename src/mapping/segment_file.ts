/**
 * Making the file of a segment: room reserved before the first store, then mapped over a range of the memory.
 * Bad case: a full file system; the error says how much is needed and how much is there, and nothing is left behind.
 */
import { closeSync, constants, fstatSync, openSync, rmSync, statfsSync } from "node:fs";
import { dirname } from "node:path";
import type { MemoryRange } from "../segment/memory_map.ts";
import { FILE_MODE } from "./directory.ts";
import { MappingError } from "./errors.ts";
import { errorText, type Libc } from "./libc.ts";
import { mapRegion } from "./region.ts";

/** A file that is mapped and not yet in its place. */
export type PendingSegment = { readonly path: string; readonly inode: number };

/** What is made where. */
export type SegmentFileOptions = {
  readonly memory: WebAssembly.Memory;
  readonly range: MemoryRange;
  /** Of the segment; a multiple of 64 KiB. */
  readonly bytes: number;
  /** Nothing stands there. */
  readonly path: string;
  /** Of the segment, for errors. */
  readonly name: string;
};

/**
 * Makes a file and maps it over a range of the memory.
 * @throws MappingError `no_room` or `failed`; nothing is left behind
 */
export function createSegmentFile(libc: Libc, options: SegmentFileOptions): PendingSegment {
  const { memory, range, bytes, path, name } = options;
  const fd = openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW, FILE_MODE);
  try {
    const refused = libc.allocate(fd, bytes);
    if (refused !== 0) {
      const directory = dirname(path);
      const { bavail, bsize } = statfsSync(directory);
      throw new MappingError(
        `Cannot make the segment ${name}: ${errorText(refused)}: ${bytes} bytes are needed, ${bavail * bsize} available, was ${directory}`,
        { reason: "no_room" },
      );
    }
    mapRegion(libc, { memory, range, fd, bytes, access: "readWrite", isFresh: true });
    return { path, inode: fstatSync(fd).ino };
  } catch (error) {
    rmSync(path, { force: true });
    throw error;
  } finally {
    closeSync(fd);
  }
}
