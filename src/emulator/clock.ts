/**
 * Time as an argument: what the emulator knows of clocks and timers. The servers run on the system's; a simulation hands
 * in virtual ones and holds the whole emulator still between two of its steps.
 * Bad case: a task that is due at once; it still runs in a later turn, never inside the call that set it.
 */

/** A clock with timers. */
export type Clock = {
  /** Unix milliseconds; fractions allowed. */
  readonly now: () => number;
  /** Runs a task once. @param afterMs 0 or less: in the next turn @returns cancels it; harmless after it ran */
  readonly setTimer: (task: () => void, afterMs: number) => () => void;
};

/** The system's clock. @param now instead of `Date.now`, Unix milliseconds */
export function systemClock(now: () => number = Date.now): Clock {
  return { now, setTimer: setSystemTimer };
}

function setSystemTimer(task: () => void, afterMs: number): () => void {
  if (afterMs <= 0) {
    const turn = setImmediate(task);
    return () => clearImmediate(turn);
  }
  const timer = setTimeout(task, afterMs);
  return () => clearTimeout(timer);
}
