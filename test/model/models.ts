/**
 * The models, the sizes in which each is searched to the end, and the copies with a seeded bug that must be found, each
 * by the property it breaks. Bad case: a bug that is found by another property than the one it was planted against; the
 * test takes that for a failure, because the reader of the README would be told something false.
 */
import type { Defines } from "./spin.ts";

/** The models of this folder. */
export type ModelFile = "ring.pml" | "join.pml" | "wait.pml" | "park.pml";

/** What a violated property looks like in the verifier's report. */
export const PROPERTIES = {
  whole: "!(torn)",
  exact: "((start+accepted)+lost)==cursor",
  readable: "!(finished)||(fresh>cursor)",
  wholeImage: "!(isTorn)",
  writtenImage: "copiedVersion>0",
  chain: "(record%32)==(held+1)",
  awake: "invalid end state",
} as const;

/** A model in one size, to be searched to the end. */
export type Size = {
  name: string;
  model: ModelFile;
  defines: Defines;
  /** Steps that this size is too small to take, so that nothing is proved about them in silence. */
  unreached?: string[];
  /** More than a test should take: only searched when asked for. */
  isLong?: true;
};

/** A copy with a bug. */
export type SeededBug = { bug: string; model: ModelFile; defines: Defines; violates: keyof typeof PROPERTIES };

/** Every model runs through its ring more than twice, and join.pml writes its first image twice, unless said otherwise. */
export const SIZES: readonly Size[] = [
  { name: "ring", model: "ring.pml", defines: {} },
  { name: "ring that announces ahead", model: "ring.pml", defines: { AHEAD: 1, CLAIM_RECORDS: 2 } },
  {
    name: "ring of eight, one and a half laps, events longer than the ring",
    model: "ring.pml",
    defines: { CAPACITY: 8, RECORDS: 12, EVENT_RECORDS: 9, CLAIM_RECORDS: 0, LIMIT: 2, BUFFER: 60 },
  },
  {
    name: "ring of two, two readers",
    model: "ring.pml",
    defines: { CAPACITY: 2, RECORDS: 5, READERS: 2, EVENT_RECORDS: 3, CLAIM_RECORDS: 0, LIMIT: 1 },
    unreached: ["producer"],
  },
  {
    name: "join, one instrument, no Reset",
    model: "join.pml",
    defines: { OTHERS: 0, RESETS: 0 },
    unreached: ["producer"],
  },
  { name: "join on a ring of two, with a Reset", model: "join.pml", defines: { CAPACITY: 2, RECORDS: 5 } },
  { name: "wait", model: "wait.pml", defines: {} },
  { name: "park", model: "park.pml", defines: {} },
  {
    name: "ring, three laps",
    model: "ring.pml",
    defines: { RECORDS: 13, LIMIT: 4 },
    isLong: true,
  },
  { name: "join", model: "join.pml", defines: {}, isLong: true },
  { name: "wait, three publishes", model: "wait.pml", defines: { PUBLISHES: 3 }, isLong: true },
];

const SMALL_JOIN = { OTHERS: 0, RESETS: 0 };
const ONE_READER = { READERS: 1 };

/** All of them; the test compares with the `BUG_…` that stand in the models. */
export const SEEDED_BUGS: readonly SeededBug[] = [
  { bug: "PUBLISH_BEFORE_WRITE", model: "ring.pml", defines: {}, violates: "whole" },
  { bug: "NO_INTENT", model: "ring.pml", defines: {}, violates: "whole" },
  { bug: "CLAIM_AFTER_WRITE", model: "ring.pml", defines: {}, violates: "whole" },
  { bug: "CHECK_BEFORE_COPY", model: "ring.pml", defines: {}, violates: "whole" },
  { bug: "CHECK_OFF_BY_ONE", model: "ring.pml", defines: {}, violates: "whole" },
  { bug: "STAMP_AFTER_TAIL", model: "ring.pml", defines: {}, violates: "whole" },
  { bug: "LOST_NOT_EXACT", model: "ring.pml", defines: {}, violates: "exact" },
  {
    bug: "REJOIN_BACKWARDS",
    model: "ring.pml",
    defines: { CAPACITY: 8, RECORDS: 12, EVENT_RECORDS: 9, CLAIM_RECORDS: 0, LIMIT: 1, BUFFER: 60 },
    violates: "exact",
  },
  { bug: "CLAIM_TOO_LARGE", model: "ring.pml", defines: { RECORDS: 2 }, violates: "readable" },
  { bug: "CLAIM_RENEWED_LATE", model: "ring.pml", defines: { AHEAD: 1, CLAIM_RECORDS: 2 }, violates: "whole" },
  {
    bug: "STORES_REORDERED",
    model: "ring.pml",
    defines: { CAPACITY: 2, RECORDS: 4, EVENT_RECORDS: 1, CLAIM_RECORDS: 0, LIMIT: 1 },
    violates: "whole",
  },
  { bug: "IMAGE_SWAPPED_EARLY", model: "join.pml", defines: SMALL_JOIN, violates: "writtenImage" },
  { bug: "GENERATION_EVEN_EARLY", model: "join.pml", defines: SMALL_JOIN, violates: "wholeImage" },
  { bug: "NO_GENERATION_CHECK", model: "join.pml", defines: SMALL_JOIN, violates: "wholeImage" },
  { bug: "GENERATION_NOT_REREAD", model: "join.pml", defines: SMALL_JOIN, violates: "wholeImage" },
  { bug: "IMAGE_INSIDE_EVENT", model: "join.pml", defines: SMALL_JOIN, violates: "wholeImage" },
  { bug: "JOIN_AT_TAIL", model: "join.pml", defines: SMALL_JOIN, violates: "chain" },
  { bug: "RING_SEQUENCE_LATE", model: "join.pml", defines: SMALL_JOIN, violates: "chain" },
  { bug: "NO_VERSION_SKIP", model: "join.pml", defines: SMALL_JOIN, violates: "chain" },
  { bug: "LAP_IGNORED", model: "join.pml", defines: SMALL_JOIN, violates: "chain" },
  {
    bug: "STORES_REORDERED",
    model: "join.pml",
    defines: { ...SMALL_JOIN, CAPACITY: 2, RECORDS: 5 },
    violates: "chain",
  },
  { bug: "TAIL_NOT_DRAINED", model: "wait.pml", defines: ONE_READER, violates: "awake" },
  { bug: "WAITING_NOT_DRAINED", model: "wait.pml", defines: ONE_READER, violates: "awake" },
  { bug: "NO_LOOK", model: "wait.pml", defines: ONE_READER, violates: "awake" },
  { bug: "ANNOUNCED_FIRST", model: "wait.pml", defines: ONE_READER, violates: "awake" },
  { bug: "STORES_REORDERED", model: "wait.pml", defines: ONE_READER, violates: "awake" },
  { bug: "TAIL_NOT_DRAINED", model: "park.pml", defines: ONE_READER, violates: "awake" },
  { bug: "NO_LOOK", model: "park.pml", defines: ONE_READER, violates: "awake" },
  { bug: "TICKET_REUSED", model: "park.pml", defines: {}, violates: "awake" },
  { bug: "STORES_REORDERED", model: "park.pml", defines: ONE_READER, violates: "awake" },
];
