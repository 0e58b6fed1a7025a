/**
 * How V8 is to collect garbage where collectors run: little is made there, and no pause may come in the middle of a burst.
 * Bad case: flags are of the whole process; threads beside the collectors keep their heap at its size, too.
 */
import { setFlagsFromString } from "node:v8";

/**
 * The memory reducer collects everything now and then to give memory back, a pause of 10 ms for nothing. A parallel scavenge
 * waits for its other threads, which busy cores run late: at eight busy threads on two cores, pauses of 45 ms without
 * this and of 0.7 ms with it (`npm run bench -- garbage`).
 */
const FLAGS = ["--no-memory-reducer", "--no-parallel-scavenge"] as const;

/** Sets the flags. To be called before the threads that are meant are started. */
export function quietHeap(): void {
  for (const flag of FLAGS) {
    setFlagsFromString(flag);
  }
}
