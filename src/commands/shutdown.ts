/**
 * Ends a command when it is told to: SIGINT and SIGTERM close everything within a second, a second signal or the deadline
 * ends the process at once. Bad case: something that does not close; the deadline ends it with status 1.
 */

const DEADLINE_MS = 950;
/** For a start that does not come to its end; longer than a slow one takes. */
const START_DEADLINE_MS = 8000;

let signalled: Promise<void> | undefined;

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
        setTimeout(() => process.exit(1), START_DEADLINE_MS).unref();
        resolve();
      });
    }
  });
  return signalled;
}

/** What else there is to a command's end. */
export type StopOptions = {
  /** Settles when the command ends by itself. */
  readonly ended?: Promise<void>;
  /** How long closing may take, ms. */
  readonly deadlineMs?: number;
};

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
  try {
    await Promise.race(ended === undefined ? [stop] : [stop, ended]);
  } finally {
    setTimeout(() => process.exit(1), deadlineMs).unref();
    await close();
  }
}
