/**
 * Ends a command when it is told to: SIGINT and SIGTERM close everything within a second, a second signal or the deadline
 * ends the process at once. A service manager hears of it. Bad case: something that does not close; the deadline ends it
 * with status 1.
 */
import { noticeService } from "./service_notice.ts";

const DEADLINE_MS = 950;
/** The time to drain that fits into it. */
const DRAIN_INCLUDED_MS = 250;
/** For a start that does not come to its end; longer than a slow one takes. */
const START_DEADLINE_MS = 8000;

let signalled: Promise<void> | undefined;
let startDeadline: NodeJS.Timeout | undefined;

/**
 * Takes signals from here on: one that comes while a command still starts ends it in order as soon as it runs, instead of
 * in the midst of what it was doing. To be called before anything is begun that has to be closed.
 * Bad case: a start that hangs; seconds after the signal the process ends with status 1.
 */
export function heedSignals(): Promise<void> {
  signalled ??= new Promise<void>((resolve) => {
    let isFirst = true;
    for (const signal of ["SIGINT", "SIGTERM"] as const) {
      process.on(signal, () => {
        if (!isFirst) {
          process.exit(1);
        }
        isFirst = false;
        startDeadline = setTimeout(() => process.exit(1), START_DEADLINE_MS).unref();
        resolve();
      });
    }
  });
  return signalled;
}

/**
 * Takes signals as `heedSignals` does, for a command that ends by itself: what it has begun may take longer to end in order
 * than a start may take, so that no deadline cuts it short. A second signal ends the process at once.
 * Bad case: something that never ends; only the second signal ends it.
 * @returns settles at the first signal
 */
export async function heedInterruption(): Promise<void> {
  await heedSignals();
  clearTimeout(startDeadline);
}

/** What else there is to a command's end. */
export type StopOptions = {
  /** Settles when the command ends by itself. */
  readonly ended?: Promise<void>;
  /** How long closing may take, ms. */
  readonly deadlineMs?: number;
};

/** How long closing may take where a gateway sends its clients away first: a second, or longer when so configured. */
export function deadlineWithDrain(drainMs: number): number {
  return DEADLINE_MS + Math.max(0, drainMs - DRAIN_INCLUDED_MS);
}

/**
 * Waits for a signal, or for `ended`, then closes.
 * @param close must settle within a second, or within `deadlineMs`
 * @returns when everything is closed
 */
export async function runUntilStopped(
  close: () => Promise<void>,
  { ended, deadlineMs = DEADLINE_MS }: StopOptions = {},
): Promise<void> {
  const stop = heedSignals();
  const service = noticeService();
  try {
    await Promise.race(ended === undefined ? [stop] : [stop, ended]);
  } finally {
    clearTimeout(startDeadline);
    setTimeout(() => process.exit(1), deadlineMs).unref();
    await Promise.all([close(), service.then((manager) => manager?.stopping())]);
  }
}
