/**
 * Ends a command when it is told to: SIGINT and SIGTERM close everything within a second, a second signal or the deadline
 * ends the process at once. Bad case: something that does not close; the deadline ends it with status 1.
 */

const DEADLINE_MS = 950;

/**
 * Waits for a signal, or for `ended`, then closes.
 * @param close must settle within a second
 * @param ended settles when the command ends by itself
 * @returns when everything is closed
 */
export async function runUntilStopped(close: () => Promise<void>, ended?: Promise<void>): Promise<void> {
  const signalled = new Promise<void>((resolve) => {
    let isFirst = true;
    for (const signal of ["SIGINT", "SIGTERM"] as const) {
      process.on(signal, () => {
        if (!isFirst) {
          process.exit(1);
        }
        isFirst = false;
        resolve();
      });
    }
  });
  try {
    await Promise.race(ended === undefined ? [signalled] : [signalled, ended]);
  } finally {
    setTimeout(() => process.exit(1), DEADLINE_MS).unref();
    await close();
  }
}
