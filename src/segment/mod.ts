/**
 * Segments: shared memory in which one producer leaves records, books and statuses for any number of readers.
 * `SegmentView` reads what stands there, `ReplicaJoiner` brings a replica to where a reader stands, `createSegment` is the
 * producer's side, `MemoryMap` cuts one memory into ranges. Reading records and keeping books takes a kernel beside it.
 * Bad case: using a segment of another layout; every reader validates before it trusts.
 */
export { readSegmentHeader, type SegmentHeader } from "./header.ts";
export { type JoinOutcome, ReplicaJoiner } from "./join.ts";
export { MEMORY_BYTES_MAX, MemoryMap, type MemoryRange, memoryBytes, PAGE_BYTES } from "./memory_map.ts";
export { imagePairBytes, type SegmentConfig, type SegmentIdentity, segmentBytes } from "./segment_plan.ts";
export { type InstrumentEntry, SegmentView, type TopOfBook } from "./view.ts";
export {
  createSegment,
  type SegmentHandle,
  type SegmentInstrument,
  type SegmentInstrumentOptions,
  SegmentWriter,
} from "./writer.ts";
