/**
 * How old a producer's last sign of life is, by the machine's monotonic clock alone: the heartbeat counts from the wall
 * anchor, the header says what the monotonic clock was then, so a wall clock that is set changes nothing.
 * Bad case: a file that outlived a reboot; its anchor lies in the future and the age is infinite.
 */
import type { SegmentView } from "../segment/view.ts";

const FUTURE_NS_MAX = 1_000_000_000n;

/** A producer that was silent for so long is shown as stale, ms. It writes ten times a second. */
export const STALE_MS = 400;

/** Times of a segment's producer, ns. */
export type HeartbeatTimes = {
  readonly heartbeatNs: bigint;
  readonly wallAnchorNs: bigint;
  readonly monotonicAnchorNs: bigint;
};

/**
 * Age of a heartbeat in ms.
 * @param nowNs the machine's monotonic clock
 * @returns 0 or more; Infinity when it is of another boot or there never was one
 */
export function heartbeatAgeMs(times: HeartbeatTimes, nowNs: bigint): number {
  const age = nowNs - (times.heartbeatNs - times.wallAnchorNs + times.monotonicAnchorNs);
  if (times.heartbeatNs === 0n || age < -FUTURE_NS_MAX) {
    return Number.POSITIVE_INFINITY;
  }
  return Math.max(0, Number(age) / 1e6);
}

/** Age of a segment's heartbeat in ms. @param nowNs the machine's monotonic clock */
export function segmentAgeMs({ heartbeatNs, header }: SegmentView, nowNs: bigint): number {
  const { wallAnchorNs, monotonicAnchorNs } = header;
  return heartbeatAgeMs({ heartbeatNs, wallAnchorNs, monotonicAnchorNs }, nowNs);
}
