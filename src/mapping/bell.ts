/**
 * Waking readers in other processes. The word `waiting` of the readers file is a ticket: odd while somebody sleeps or is
 * about to. A reader makes it odd, looks at the rings once more, and sleeps while the word is still the ticket that it
 * got; the producer, having stored its tails, adds one to an odd word and wakes. A producer that took the announcement
 * back before the sleeper lay down has changed the ticket, so the sleep ends at once, and as tickets count up this holds
 * even when another reader announced itself meanwhile (a flag would look the same again: test/model finds that one).
 * Bad case: a reader killed while it was announced; the next publish wakes nobody, once.
 */
import type { Kernel } from "../kernel/kernel.ts";
import type { Libc, Ticket } from "./libc.ts";
import { READERS_RINGS, READERS_WAITING } from "./readers_file.ts";

/** No sleep is longer: a thread that sleeps cannot be ended. */
export const PARK_MS_MAX = 100;

/** Where sleeping on all words at once is not possible. */
const POLL_MS = 1;
/** The system's limit for one wait. */
const WORDS_MAX = 128;

/** The producer's side. */
export class Bell {
  readonly #libc: Libc;
  readonly #words: Int32Array;
  readonly #index: number;
  readonly #address: bigint;

  /** @param readers address of the mapped readers file in the linear memory */
  constructor(libc: Libc, memory: WebAssembly.Memory, readers: number) {
    this.#libc = libc;
    this.#words = new Int32Array(memory.buffer);
    this.#index = (readers + READERS_WAITING) >>> 2;
    this.#address = libc.addressOf(memory.buffer) + BigInt(readers + READERS_WAITING);
  }

  /** Says whether the producer rings: readers of one that does not look by timer. */
  promise(rings: boolean): void {
    Atomics.store(this.#words, this.#index + ((READERS_RINGS - READERS_WAITING) >>> 2), rings ? 1 : 0);
  }

  /** Wakes whoever announced to sleep. Call it after every publish: one load when nobody did. */
  ring(): void {
    if ((Atomics.load(this.#words, this.#index) & 1) === 1) {
      Atomics.add(this.#words, this.#index, 1);
      this.#libc.wake(this.#address);
    }
  }
}

/**
 * A kernel that rings after every publish, also of nothing: within a large event the kernel publishes by itself, and the
 * host's publish behind it moves no tail although sleepers have something to read.
 * @param options.hasMoved whether a tail has moved since it was last asked; quiet books are published, too
 */
export function ringingKernel(
  kernel: Kernel,
  bell: Bell,
  { hasMoved = () => true }: { hasMoved?: () => boolean } = {},
): Kernel {
  bell.promise(true);
  return {
    ...kernel,
    publish(now) {
      const published = kernel.publish(now);
      if (hasMoved()) {
        bell.ring();
      }
      return published;
    },
  };
}

/** The readers' side. Thread: one. */
export class Sleeper {
  readonly #libc: Libc;
  readonly #words: Int32Array;
  readonly #base: bigint;
  /** Of this process alone: 1 while it may sleep. */
  readonly #own = new Int32Array(new SharedArrayBuffer(4));
  readonly #ownAddress: bigint;
  /** What the word of a readers file was after the last announcement, by the file's address. */
  readonly #tickets = new Map<number, number>();

  constructor(libc: Libc, memory: WebAssembly.Memory) {
    this.#libc = libc;
    this.#words = new Int32Array(memory.buffer);
    this.#base = libc.addressOf(memory.buffer);
    this.#ownAddress = libc.addressOf(this.#own.buffer);
  }

  /** Whether the producer of a segment wakes. @param readers address of its readers file; 0 = there is none */
  isRung(readers: number): boolean {
    return readers !== 0 && Atomics.load(this.#words, (readers + READERS_RINGS) >>> 2) !== 0;
  }

  /** Says that a reader will sleep. Look at the rings afterwards, then sleep. @param readers addresses of readers files */
  announce(readers: readonly number[]): void {
    for (const address of readers) {
      this.#tickets.set(address, Atomics.or(this.#words, (address + READERS_WAITING) >>> 2, 1) | 1);
    }
  }

  /**
   * Blocks the thread until a producer rings, at most so long. For worker threads only.
   * @param readers the first is slept on; when there are more, for a millisecond
   */
  sleep(readers: readonly number[], timeoutMs: number): void {
    const [first] = readers;
    if (first !== undefined) {
      this.#libc.waitOn(this.#ticket(first), Math.min(timeoutMs, readers.length === 1 ? PARK_MS_MAX : POLL_MS));
    }
  }

  /** Sleeps in a thread of the pool until any of the producers rings, at most so long. */
  sleepAsync(readers: readonly number[], timeoutMs: number): Promise<void> {
    if (readers.length === 0 || readers.length >= WORDS_MAX || !this.#libc.canWaitOnMany) {
      return new Promise((resolve) => {
        setTimeout(resolve, Math.min(timeoutMs, POLL_MS));
      });
    }
    const tickets = [...readers.map((address) => this.#ticket(address)), { address: this.#ownAddress, expected: 1 }];
    Atomics.store(this.#own, 0, 1);
    return new Promise((done) => {
      this.#libc.waitOnAny(tickets, { timeoutMs: Math.min(timeoutMs, PARK_MS_MAX), done });
    });
  }

  /** Ends a sleep in the pool. */
  interrupt(): void {
    Atomics.store(this.#own, 0, 0);
    this.#libc.wake(this.#ownAddress);
  }

  /** The word to sleep on, and what it must still be. A reader that never announced itself does not sleep. */
  #ticket(readers: number): Ticket {
    return { address: this.#base + BigInt(readers + READERS_WAITING), expected: this.#tickets.get(readers) ?? -1 };
  }
}
