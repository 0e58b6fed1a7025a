/**
 * Mutants of histories, conflated frames and views: what a client that lags is told, and what a view of a book is.
 * Bad case: a mutant that only makes frames larger; its test must look at the frame, not at the book alone.
 */
import type { Patch } from "./patch.ts";

const HISTORY = "assembly/history.ts";
const TWIN_WALK = "src/kernel/twin/history_walk.ts";
const CONFLATED = "assembly/frame_conflated.ts";
const TWIN_CONFLATED = "src/kernel/twin/frame_conflated.ts";
const VIEW = "assembly/view.ts";
const TWIN_VIEW = "src/kernel/twin/view.ts";
const HISTORY_TEST = "test/unit/history.test.ts";
const FRAME_TEST = "test/unit/frame_conflated.test.ts";
const VIEW_TEST = "test/unit/view_follow.test.ts";

/** Mutants of views. */
export const VIEW_MUTANTS: readonly Patch[] = [
  {
    name: "history-removes-what-passed",
    why: "a conflated update removes a level that came and went since: the client never held it and drops its book",
    edits: [
      {
        file: HISTORY,
        find: "    if (load<i64>(newest, HISTORY_QUANTITY) == 0 && (load<u32>(oldest, HISTORY_KIND) & HISTORY_HELD) == 0) continue;\n",
        replace: "",
      },
      {
        file: TWIN_WALK,
        find: "      if (!isGone || (fieldOf(words, oldest, HISTORY_KIND) & HISTORY_HELD) !== 0) {",
        replace: "      if (!isGone || oldest !== 0) {",
      },
    ],
    tests: [HISTORY_TEST],
  },
  {
    name: "history-begins-inside-event",
    why: "a conflated update begins in the middle of an event, where no client can stand",
    edits: [
      { file: HISTORY, find: "    if (startOf(entry) < from) return -1;\n", replace: "" },
      {
        file: TWIN_WALK,
        find: "      if (this.#startOrder(entry, fromLow, fromHigh) < 0) {",
        replace: "      if (count < 0) {",
      },
    ],
    tests: [HISTORY_TEST],
  },
  {
    name: "history-reaches-too-far",
    why: "changes that were overwritten are missing from a conflated update: its hash cannot hold",
    edits: [
      {
        file: HISTORY,
        find: "    store<u64>(replica, max(floor, load<u64>(entry, HISTORY_VERSION)), REPLICA_HISTORY_FLOOR);\n",
        replace: "    store<u64>(replica, floor, REPLICA_HISTORY_FLOOR);\n",
      },
      {
        file: "src/kernel/twin/history.ts",
        find: "    raiseFloor(words, replica + REPLICA_HISTORY_FLOOR, entry + HISTORY_VERSION);\n",
        replace: "    raiseFloor(words, replica + REPLICA_HISTORY_FLOOR, replica + REPLICA_HISTORY_FLOOR);\n",
      },
    ],
    tests: [HISTORY_TEST],
  },
  {
    name: "conflated-order-unchecked",
    why: "one update has many codings, and a level may stand in it twice",
    edits: [
      { file: CONFLATED, find: "    if (!first && !turned && price <= before) return 0;\n", replace: "" },
      {
        file: TWIN_CONFLATED,
        find: "      if (i > 0 && compare(low, high, beforeLow, beforeHigh) <= 0) {",
        replace: "      if (i < 0 && compare(low, high, beforeLow, beforeHigh) <= 0) {",
      },
    ],
    tests: [FRAME_TEST],
  },
  {
    name: "conflated-version-unchecked",
    why: "an update for another version is applied; only its hash would tell",
    edits: [
      {
        file: CONFLATED,
        find: "  if (from != load<u64>(replica, REPLICA_VERSION)) return replicaFail(replica, REPLICA_CHAIN_BROKEN);\n",
        replace: "",
      },
      {
        file: TWIN_CONFLATED,
        find: "  if (fromLow !== fieldOf(words, version, 0) || fromHigh !== fieldOf(words, version, 4)) {",
        replace: "  if (fromLow !== fieldOf(words, version, 0) && fromHigh !== fieldOf(words, version, 4)) {",
      },
    ],
    tests: [FRAME_TEST],
  },
  {
    name: "view-hides-status",
    why: "a view whose levels stay says nothing when the book is no longer known to be right",
    edits: [
      { file: VIEW, find: "  if (changes == 0 && turned == 0) {", replace: "  if (changes == 0) {" },
      { file: TWIN_VIEW, find: "  if (changes === 0 && turned === 0) {", replace: "  if (changes === 0) {" },
    ],
    tests: [VIEW_TEST],
  },
  {
    name: "view-keeps-buffer-half-full",
    why: "a step that did not fit leaves an open event behind: nothing is ever sent again",
    edits: [
      {
        file: VIEW,
        find: "    encodeEventCancel(view);\n    return REPLICA_BUFFER_FULL;\n",
        replace: "    return REPLICA_BUFFER_FULL;\n",
      },
      {
        file: TWIN_VIEW,
        find: "    cancelEvent(words, view);\n    return REPLICA_BUFFER_FULL;\n",
        replace: "    return REPLICA_BUFFER_FULL;\n",
      },
    ],
    tests: [VIEW_TEST],
  },
];
