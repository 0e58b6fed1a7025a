/**
 * Settles the outcomes after which the same bytes are applied again: an instrument that needs more decimals, one that is
 * not known yet, a book that outgrew its images. Each round removes one cause, so the rounds are bounded by the events of
 * a frame. Bad case: a cause that cannot be removed; the instrument is out of service then and the code says so.
 */
import {
  APPLY_LIMIT,
  APPLY_OVERFLOW,
  APPLY_RESCALE,
  APPLY_UNKNOWN_INSTRUMENT,
  FRAME_EVENTS_MAX,
  LIMIT_IMAGE,
  REASON_WAITING_SNAPSHOT,
  STATE_WAITING,
} from "../../assembly/layout.ts";
import type { InstrumentBlock } from "./instrument_block.ts";
import type { Outcome } from "./outcome.ts";

/** What the settler needs around it. */
export type SettlerGround = {
  readonly outcome: Outcome;
  /** The instrument of a block. */
  readonly blockOf: (address: number) => InstrumentBlock | undefined;
  /** Opens an instrument that a frame names; false when it is not wanted. */
  readonly openUnknown: (native: string) => boolean;
};

/** Two causes for every event that a frame can hold. */
const ROUNDS_MAX = 2 * FRAME_EVENTS_MAX;

/** Whether a code asks for a change before the same bytes can be applied. */
export function needsSettling(code: number): boolean {
  return code === APPLY_RESCALE || code === APPLY_UNKNOWN_INSTRUMENT || code === APPLY_LIMIT;
}

/**
 * Removes causes and applies again until the code is final.
 * @param code of the first attempt @param again applies the same bytes again
 * @returns the final APPLY_* code
 */
export function settle(
  ground: SettlerGround,
  code: number,
  { again, receivedAt }: { again: () => number; receivedAt: number },
): number {
  let last = code;
  for (let round = 0; round < ROUNDS_MAX && needsSettling(last); round++) {
    const next = remedy(ground, last, receivedAt);
    if (next !== undefined) {
      return next;
    }
    last = again();
  }
  return last;
}

/** @returns the final code when nothing can be done, undefined when the bytes are to be applied again */
function remedy(ground: SettlerGround, code: number, receivedAt: number): number | undefined {
  const { outcome } = ground;
  if (code === APPLY_UNKNOWN_INSTRUMENT) {
    return ground.openUnknown(outcome.symbol) ? undefined : code;
  }
  const block = ground.blockOf(outcome.instrument);
  if (block === undefined) {
    return code;
  }
  if (code === APPLY_RESCALE) {
    return block.rescale(outcome.needs, receivedAt) ? undefined : APPLY_OVERFLOW;
  }
  if (outcome.detail !== LIMIT_IMAGE || !block.growImages(outcome.entries, receivedAt)) {
    return code;
  }
  block.unsync(STATE_WAITING, REASON_WAITING_SNAPSHOT, receivedAt);
  return undefined;
}
