/** Something that happens now and then, at random. Bad case: a mean of 0 means never. */
import type { Clock } from "../../../src/emulator/clock.ts";

/**
 * Runs a task again and again, with exponential waiting times.
 * @param options.everyMs their mean; 0 = never
 * @returns ends it
 */
export function repeat(options: { clock: Clock; random: () => number; everyMs: number }, task: () => void): () => void {
  const { clock, random, everyMs } = options;
  if (everyMs <= 0) {
    return () => undefined;
  }
  let cancel: () => void = () => undefined;
  const arm = (): void => {
    cancel = clock.setTimer(
      () => {
        arm();
        task();
      },
      -Math.log(1 - random()) * everyMs,
    );
  };
  arm();
  return () => cancel();
}
