/**
 * A merged book becomes a lane's: event by event where the exchange numbers them, else by the exact difference in one event.
 * Bad case: books that have too little in common; nothing is done and the whole book is published by the caller.
 */
import { FLAG_CROSSED, FLAG_NOT_SYNCED, FLAG_SNAPSHOT } from "../../assembly/layout.ts";
import { bookDifference } from "./difference.ts";
import type { Lane, LaneEvent } from "./lane.ts";
import type { LocalBook } from "./local_book.ts";
import type { MergeHome } from "./merge_home.ts";
import { compareKeys, type Point } from "./points.ts";
import { differenceRecords, type EventStamp } from "./record_writer.ts";
import { takeOver } from "./take_over.ts";

/** A lane and where it stands beside the merged book. */
export type LaneState = {
  readonly lane: Lane;
  isAligned: boolean;
  /** Where its kept events begin; undefined = it has no book that is right. */
  since: Point | undefined;
  /** Every event from there on. */
  ahead: LaneEvent[];
  /** Since when it has something beyond the merged book. */
  aheadSinceMs: number | undefined;
};

const DIFFERENCE_MAX = 8192;

/** Makes a merged book a lane's. @returns false when it must be replaced by the lane's whole book */
export function adoptBook(home: MergeHome, local: LocalBook, state: LaneState): boolean {
  return local.hasBook && (followEvents(home, local, state) || takeDifference(home, local, state.lane));
}

/** What an event says that makes a book a lane's. */
export function laneStamp(lane: Lane): EventStamp {
  const { eventAtNs, sourceSequence } = lane.front;
  const flags = FLAG_SNAPSHOT | (lane.flags & (FLAG_CROSSED | FLAG_NOT_SYNCED));
  return { eventAtNs, sourceSequence, receivedAtNs: lane.receivedAtNs, flags };
}

function followEvents({ workspace, counts }: MergeHome, local: LocalBook, { lane, since, ahead }: LaneState): boolean {
  const here = local.mark.sourceSequence;
  const isCovered = since !== undefined && since.sourceSequence > 0n && since.sourceSequence <= here;
  if (!isCovered || lane.front.sourceSequence < here || local.hash === lane.front.hash) {
    return false;
  }
  const events = ahead.filter(({ point }) => point.sourceSequence > here);
  const isDone = takeOver(workspace, { local, lane, events, limit: DIFFERENCE_MAX });
  counts.takeovers += isDone ? 1 : 0;
  counts.events += isDone ? events.length : 0;
  return isDone;
}

function takeDifference({ workspace, counts }: MergeHome, local: LocalBook, lane: Lane): boolean {
  const changes = local.hasBook
    ? bookDifference(workspace, { from: local.book, to: lane.book, limit: DIFFERENCE_MAX })
    : undefined;
  if (changes === undefined) {
    return false;
  }
  if (local.isSynced && changes.length === 0) {
    return true;
  }
  const isDone = local.append(differenceRecords(workspace, changes, { hash: local.hash, stamp: laneStamp(lane) }));
  counts.differences += isDone && changes.length > 0 ? 1 : 0;
  return isDone;
}

/** Keeps an event that may be beyond the merged book; those before it are known. @returns how many are known */
export function keepEvent(
  { waitingMax, nowMs }: MergeHome,
  local: LocalBook | undefined,
  { state, event }: { state: LaneState; event: LaneEvent },
): number {
  const here = local?.hasBook === true ? local.mark : undefined;
  let known = 0;
  if (state.since === undefined) {
    state.since = { ...event.point, before: undefined };
  } else {
    state.ahead.push(event);
  }
  while (here !== undefined && state.ahead[0] !== undefined && compareKeys(state.ahead[0].point, here) < 0) {
    state.since = state.ahead.shift()?.point;
    known += 1;
  }
  if (state.ahead.length > waitingMax) {
    state.since = state.ahead.shift()?.point;
  }
  const isBeyond = local !== undefined && compareKeys(event.point, local.mark) > 0;
  state.aheadSinceMs = isBeyond ? (state.aheadSinceMs ?? nowMs()) : undefined;
  return known;
}
