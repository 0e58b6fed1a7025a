/**
 * When the gateway's tasks run, as an argument: the event loop's turns and timers by default, virtual time in a
 * simulation. Nothing else in the loop asks for time to pass.
 * Bad case: a scheduler that runs a task within the call that set it; the loop would call itself until the stack is full.
 */

/** Runs tasks later, each once, in the order in which they fall due. */
export type Scheduler = {
  /** Runs a task in the next turn, behind what waits already. */
  soon(task: () => void): void;
  /** Runs a task after so many milliseconds. @returns cancels it; harmless after it ran */
  after(delayMs: number, task: () => void): () => void;
};

/** The event loop of this thread: `soon` lets sockets be read first. */
export const SYSTEM_SCHEDULER: Scheduler = {
  soon(task) {
    setImmediate(task);
  },
  after(delayMs, task) {
    const timer = setTimeout(task, delayMs);
    return () => clearTimeout(timer);
  },
};
