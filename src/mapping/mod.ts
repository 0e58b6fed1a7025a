/**
 * Shared memory across processes: segments as files, mapped over the one linear memory. Linux on x64; elsewhere
 * `loadLibc` says what is missing. Bad case: see the files behind it.
 */
export { Bell, PARK_MS_MAX, ringingKernel, Sleeper } from "./bell.ts";
export { CommonSleep } from "./common_sleep.ts";
export { type DatagramSocket, openDatagramSocket } from "./datagram.ts";
export { segmentDirectory } from "./directory.ts";
export { MappingError, type MappingReason } from "./errors.ts";
export { ExportedMap, type ExportOptions } from "./exported_map.ts";
export {
  type Attachment,
  checkedSize,
  checkHeader,
  type FollowerChange,
  type FollowerOptions,
  type SegmentCondition,
  SegmentFollower,
} from "./follower.ts";
export { heartbeatAgeMs, STALE_MS, segmentAgeMs } from "./heartbeat.ts";
export { type Libc, loadLibc } from "./libc.ts";
export { parseSegmentName, parseShard, type Shard, segmentName, shardOf, WHOLE } from "./names.ts";
export { DOUBT_MS, hasEnded, processIdentity } from "./producer_life.ts";
export {
  isProcessAlive,
  READER_KINDS,
  READERS_BYTES,
  ReaderPlace,
  type ReaderSlot,
  readSlots,
} from "./readers_file.ts";
export { mapRegion, unmapRegion } from "./region.ts";
export { isNameFree, removeDeadSegments } from "./segment_home.ts";
export { type StandbyFile, standbyFiles } from "./standby_files.ts";
