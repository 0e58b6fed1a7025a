/**
 * What stands by in a directory, for those who look from outside: the segments that producers in waiting write already,
 * read from their files alone, which are trusted no more than any other segment's.
 * Bad case: a file that is being made, was taken over while it was looked at, or is no segment; left out.
 */
import { closeSync, constants, fstatSync, openSync } from "node:fs";
import { SEGMENT_STATE_LIVE } from "../../assembly/layout.ts";
import {
  checkedSize,
  checkHeader,
  type Libc,
  MappingError,
  mapRegion,
  parseSegmentName,
  type StandbyFile,
  segmentAgeMs,
  standbyFiles,
  unmapRegion,
} from "../mapping/mod.ts";
import type { MemoryMap, MemoryRange } from "../segment/memory_map.ts";
import { SegmentView } from "../segment/view.ts";
import { warmthOf } from "./standby.ts";

/** A producer in waiting. */
export type StandbyReport = {
  readonly segment: string;
  readonly pid: number;
  readonly epoch: string;
  readonly heartbeatAgeMs: number;
  readonly bytes: number;
  /** Books that are warm, and all. */
  readonly synced: number;
  readonly books: number;
};

/** Where to look. */
export type StandbyPlaces = {
  readonly libc: Libc;
  readonly map: MemoryMap;
  readonly directory: string;
  /** Only this one; default all. */
  readonly segment?: string | undefined;
};

/** Producers in waiting that write a segment by now; dead ones show by their heartbeat. */
export function readStandbys({ libc, map, directory, segment }: StandbyPlaces): StandbyReport[] {
  return standbyFiles(directory, segment).flatMap((file) => readStandby(file, { libc, map }) ?? []);
}

function readStandby(file: StandbyFile, { libc, map }: Pick<StandbyPlaces, "libc" | "map">): StandbyReport | undefined {
  const name = parseSegmentName(`${file.name}.seg`);
  if (name === undefined) {
    return undefined;
  }
  let fd: number;
  try {
    fd = openSync(file.path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch {
    return undefined;
  }
  let range: MemoryRange | undefined;
  try {
    const bytes = checkedSize(fstatSync(fd));
    range = map.reserve(`standby of ${file.name}, pid ${file.pid}`, { bytes });
    mapRegion(libc, { memory: map.memory, range, fd, bytes, access: "read" });
    checkHeader(name, new DataView(map.memory.buffer, range.address, bytes));
    const view = new SegmentView(map.memory.buffer, range.address);
    const report = {
      segment: file.name,
      pid: view.header.pid,
      epoch: view.header.epoch.toString(),
      heartbeatAgeMs: Math.round(segmentAgeMs(view, process.hrtime.bigint())),
      bytes,
      ...warmthOf(view),
    };
    return view.state === SEGMENT_STATE_LIVE ? report : undefined;
  } catch (error) {
    if (error instanceof MappingError || error instanceof RangeError) {
      return undefined;
    }
    throw error;
  } finally {
    closeSync(fd);
    if (range !== undefined) {
      unmapRegion(libc, { memory: map.memory, range });
      map.release(range);
    }
  }
}
