/**
 * Who carries a merged book on when its carrier is silent. A lane that knows every event since the merged book (it is
 * *covered*) goes on without losing or repeating one, so it is waited for, even when its records are late: five times
 * `patienceMs` before one that only has a later book is taken, sixty times before the merged book goes back to where it is.
 * Five times is enough for one that has the same levels by an earlier time, when a snapshot gave the merged book its time:
 * at rest no event would ever bring them together. From one `patienceMs` on the merged book says that it is not synced.
 * Bad case: an exchange that counts from the beginning again; every lane is behind then, and one is taken after that time.
 */
import { REASON_GAP, REASON_SILENT } from "../../assembly/layout.ts";
import type { LaneState } from "./adopt.ts";
import type { LocalBook } from "./local_book.ts";
import type { MergeHome } from "./merge_home.ts";
import { compareKeys, type Point } from "./points.ts";

/** What is known when it is chosen. */
export type CarrierGround = {
  readonly states: readonly LaneState[];
  readonly local: LocalBook | undefined;
  /** Since when nobody carries the book; undefined = somebody does. */
  readonly orphanSinceMs: number | undefined;
  /** The last event of the merged book. */
  readonly publishedAtMs: number;
  /** No event led the merged book where it stands: its time may be that of a snapshot, later than its last event. */
  readonly isAdopted: boolean;
};

/** What is done. */
export type CarrierChoice = {
  readonly orphanSinceMs: number | undefined;
  /** The merged book becomes this lane's. */
  readonly taken?: LaneState | undefined;
  /** The merged book says that it is not synced. */
  readonly reason?: number;
};

/** Waiting for a lane that loses nothing, in times of `patienceMs`: before a later book is taken, before an earlier one. */
const COVERED_FACTOR = 5;
const BEHIND_FACTOR = 60;

/** Whether a lane could carry the book on without losing an event, were all others to die now. */
export function isWarm(home: MergeHome, local: LocalBook | undefined, state: LaneState): boolean {
  return home.isFresh(state.lane.source) && isExact(local, state);
}

/** Chooses. */
export function chooseCarrier(home: MergeHome, ground: CarrierGround): CarrierChoice {
  const { states, local } = ground;
  const synced = states.filter(({ lane }) => lane.isSynced && home.isFresh(lane.source));
  const living = synced.filter(({ lane }) => lane.isWhole);
  if (synced.some(({ isAligned }) => isAligned) && local?.isSynced === true) {
    return { orphanSinceMs: undefined, taken: beyondStalled(home, { ...ground, living }) };
  }
  const orphanSinceMs = ground.orphanSinceMs ?? home.nowMs();
  const waitedMs = home.nowMs() - orphanSinceMs;
  const best = bestOf(local, living);
  if (best === undefined && synced.length === 0) {
    const isHeard = states.some(({ lane }) => home.isFresh(lane.source));
    return { orphanSinceMs, reason: isHeard ? REASON_GAP : REASON_SILENT };
  }
  // None: all of them are inside an event, which ends soon or never.
  if (best !== undefined && waitedMs >= patienceFor(home, { ...ground, best })) {
    return { orphanSinceMs: undefined, taken: best };
  }
  return { orphanSinceMs, ...(waitedMs >= home.patienceMs ? { reason: REASON_SILENT } : {}) };
}

function bestOf(local: LocalBook | undefined, living: readonly LaneState[]): LaneState | undefined {
  return (
    living.find(({ isAligned }) => isAligned) ??
    living.find((state) => isExact(local, state)) ??
    [...living].sort((one, other) => compareKeys(other.lane.front, one.lane.front))[0]
  );
}

/** How long nobody may carry the book before this lane does. */
function patienceFor(home: MergeHome, { states, local, isAdopted, best }: CarrierGround & { best: LaneState }): number {
  if (local?.hasBook !== true) {
    return 0;
  }
  const { front } = best.lane;
  const order = compareKeys(front, local.mark);
  // One number is one event, however much of the book each of them knows; one time can be several.
  const isSame = order === 0 && (front.hash === local.hash || front.sourceSequence > 0n);
  if (order > 0 || isSame) {
    const isAwaited = states.some((state) => home.isHeard(state.lane.source) && isExact(local, state));
    return isAwaited && !isExact(local, best) ? COVERED_FACTOR * home.patienceMs : 0;
  }
  // The time may be that at which a snapshot was sent: the same levels by an event before it are the same place then.
  const isAlike = isAdopted && front.sourceSequence === 0n && front.hash === local.hash;
  return (isExact(local, best) && !isAlike ? BEHIND_FACTOR : COVERED_FACTOR) * home.patienceMs;
}

/** A lane that has long been beyond the aligned ones while they say nothing: they stall. */
function beyondStalled(
  home: MergeHome,
  { local, publishedAtMs, living }: CarrierGround & { living: readonly LaneState[] },
): LaneState | undefined {
  const now = home.nowMs();
  const isStalled = (state: LaneState) => {
    const spanMs = (isExact(local, state) ? 1 : COVERED_FACTOR) * home.patienceMs;
    const isAhead = state.aheadSinceMs !== undefined && now - state.aheadSinceMs >= spanMs;
    return !state.isAligned && isAhead && now - publishedAtMs >= spanMs;
  };
  const stalled = living.filter(isStalled);
  const beyond = stalled.find((state) => isExact(local, state)) ?? stalled[0];
  if (beyond === undefined || local === undefined || compareKeys(beyond.lane.front, local.mark) > 0) {
    return beyond;
  }
  beyond.aheadSinceMs = undefined;
  return undefined;
}

/** It has every event since the merged book, or will have when it reaches it. */
function isExact(local: LocalBook | undefined, { lane, since, isAligned }: LaneState): boolean {
  const isCovered = since !== undefined && (isBehind(local, since) || isBehind(local, lane.front));
  return lane.isSynced && (isAligned || isCovered);
}

function isBehind(local: LocalBook | undefined, point: Pick<Point, "sourceSequence" | "eventAtNs">): boolean {
  return local?.hasBook === true && compareKeys(point, local.mark) < 0;
}
