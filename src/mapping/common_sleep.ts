/**
 * One sleep for a loop that waits on several segments, in the shape of Atomics.waitAsync: each wait announces its reader
 * at once, and when the loop has looked at all rings, one thread of the pool sleeps on all of them together.
 * Bad case: a producer that does not wake, or no readers file; that wait ends by itself after a few milliseconds.
 */
import { HEADER_DELTA_TAIL } from "../../assembly/layout.ts";
import { Sleeper } from "./bell.ts";
import type { Libc } from "./libc.ts";

/** Where nobody wakes. */
const POLL_MS = 5;

/** How a wait began; the value settles when it ended. */
type CommonWait = { readonly async: true; readonly value: Promise<string> };

/** Waits of one loop. Thread: one. */
export class CommonSleep {
  readonly #sleeper: Sleeper;
  readonly #readersOf: (segment: number) => number;
  readonly #waiting = new Map<number, (() => void)[]>();
  #isPlanned = false;
  /** The readers files being slept on; empty = awake. */
  #asleep: readonly number[] = [];

  /** @param options.readersOf address of the readers file of the segment at an address; 0 = there is none */
  constructor(libc: Libc, options: { memory: WebAssembly.Memory; readersOf: (segment: number) => number }) {
    this.#sleeper = new Sleeper(libc, options.memory);
    this.#readersOf = options.readersOf;
  }

  /**
   * Announces that the reader of a segment will sleep. The rings are to be looked at after this call.
   * @param word.index of the low half of the segment's delta tail
   */
  wait({ index }: { readonly index: number }, timeoutMs: number): CommonWait {
    const readers = this.#readersOf(index * 4 - HEADER_DELTA_TAIL);
    const value = new Promise<string>((resolve) => {
      const end = () => resolve("ok");
      if (!this.#sleeper.isRung(readers)) {
        setTimeout(end, Math.min(POLL_MS, timeoutMs));
        return;
      }
      this.#sleeper.announce([readers]);
      this.#waiting.set(readers, [...(this.#waiting.get(readers) ?? []), end]);
      this.#plan(timeoutMs);
    });
    return { async: true, value };
  }

  /** Sleeps when the loop has announced and looked at everything that it will in this turn. */
  #plan(timeoutMs: number): void {
    if (this.#asleep.length > 0) {
      if ([...this.#waiting.keys()].some((readers) => !this.#asleep.includes(readers))) {
        this.#sleeper.interrupt();
      }
      return;
    }
    if (!this.#isPlanned) {
      this.#isPlanned = true;
      queueMicrotask(() => void this.#sleep(timeoutMs));
    }
  }

  async #sleep(timeoutMs: number): Promise<void> {
    this.#isPlanned = false;
    const all = [...this.#waiting.keys()];
    this.#asleep = all;
    await this.#sleeper.sleepAsync(all, timeoutMs);
    this.#asleep = [];
    const ended = all.flatMap((readers) => this.#waiting.get(readers) ?? []);
    for (const readers of all) {
      this.#waiting.delete(readers);
    }
    for (const end of ended) {
      end();
    }
    if (this.#waiting.size > 0) {
      this.#plan(timeoutMs);
    }
  }
}
