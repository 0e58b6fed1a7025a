/**
 * The event loop that the hub would have to itself: whatever it does runs here, in order, and not while it sleeps. A
 * sleep is what a machine under load does to a thread; long enough, the ring goes round and the hub's readers are lapped.
 * Bad case: sleeping again while asleep; the later end counts.
 */
import type { Clock } from "../../../src/emulator/clock.ts";
import type { Scheduler } from "../../../src/gateway/mod.ts";

/** Runs the hub's tasks on virtual time. */
export class HubThread {
  readonly #clock: Clock;
  #asleepUntilMs = Number.NEGATIVE_INFINITY;
  #isStopped = false;
  /** Times that it was put to sleep. */
  sleeps = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** For the gateway's core. */
  readonly scheduler: Scheduler = {
    soon: (task) => void this.after(0, task),
    after: (delayMs, task) => this.after(delayMs, task),
  };

  get isAsleep(): boolean {
    return this.#clock.now() < this.#asleepUntilMs;
  }

  /** Runs nothing for so long, beginning now. @param ms of virtual time */
  sleep(ms: number): void {
    this.sleeps += 1;
    this.#asleepUntilMs = Math.max(this.#asleepUntilMs, this.#clock.now() + ms);
  }

  /** Runs a task after a while, or when the thread wakes. @returns cancels it */
  after(delayMs: number, task: () => void): () => void {
    let cancel = this.#clock.setTimer(() => {
      if (this.isAsleep) {
        cancel = this.after(this.#asleepUntilMs - this.#clock.now(), task);
      } else if (!this.#isStopped) {
        task();
      }
    }, delayMs);
    return () => cancel();
  }

  /** Nothing runs any more. */
  stop(): void {
    this.#isStopped = true;
  }
}
