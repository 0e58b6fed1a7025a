/**
 * The gateway's loop: sleep until a producer publishes, read and apply a bounded batch of every ring, flush, let clients
 * begin, look at slow ones, and give the event loop back to the sockets. Sleeping is Atomics.waitAsync on the low word
 * of the delta tail; `waiting` is set first, then the tails are read again, so that no wake-up can be missed, and the
 * gateway's own tick, ten times a second, bounds what would follow if one were.
 * Bad case: a runtime without waitAsync; then the tails are looked at by timer, every millisecond while there is traffic.
 */
import { HEADER_WAITING } from "../../assembly/layout.ts";
import type { Scheduler } from "./scheduler.ts";
import type { SegmentSource } from "./segment_source.ts";

const WAIT_MS = 100;
const POLL_MS_MIN = 1;
const POLL_MS_MAX = 16;

/** What a turn does around the rings. */
export type TurnParts = {
  /** The segments being consumed; may change from turn to turn. */
  sources(): readonly SegmentSource[];
  /** After the rings of one segment were read: what that changed is sent before the next one is read. */
  afterSource(): void;
  /** After the rings were read: joins, flushes, clients. @returns true when it has more to do at once */
  afterRead(): boolean;
};

type WaitResult = { readonly async: boolean; readonly value: Promise<unknown> | string };
/** Sleeps until somebody notifies a word that held `value`, or, where that costs nothing, the timeout passes. */
export type WaitAsync = (word: { words: Int32Array; index: number; value: number }, timeoutMs: number) => WaitResult;
/** What the library's declarations leave out. */
type NativeWaits = { waitAsync?(...parameters: [Int32Array, number, number]): WaitResult };

/**
 * Atomics.waitAsync of this runtime; undefined where it has none. Its timeout is left away: it would post a task to this
 * very loop at every sleep, which costs a turn of the loop and 10 µs of CPU (Node 20), and turns come ten times a second.
 */
export function nativeWaitAsync(): WaitAsync | undefined {
  const atomics: NativeWaits = Atomics as unknown as NativeWaits;
  return atomics.waitAsync === undefined
    ? undefined
    : ({ words, index, value }) => atomics.waitAsync?.(words, index, value) ?? { async: false, value: "timed-out" };
}

/** Runs turns until it is stopped. */
export class Pump {
  readonly #words: Int32Array;
  readonly #parts: TurnParts;
  readonly #waitAsync: WaitAsync | undefined;
  readonly #scheduler: Scheduler;
  readonly #announces: boolean;
  readonly #sleeping = new Set<SegmentSource>();
  #isScheduled = false;
  #isStopped = false;
  #cancelPoll: () => void = () => undefined;
  #pollMs = POLL_MS_MIN;
  /** Turns since start. */
  turns = 0;

  /**
   * @param words over the linear memory
   * @param options.waitAsync Atomics.waitAsync, or undefined where the runtime has none
   * @param options.scheduler runs the turns, and the looks at the tails when there is no waitAsync
   * @param options.announces waitAsync announces that this reader sleeps by itself: the segments are mapped read-only
   */
  constructor(
    words: Int32Array,
    options: { parts: TurnParts; waitAsync: WaitAsync | undefined; scheduler: Scheduler; announces: boolean },
  ) {
    this.#words = words;
    this.#parts = options.parts;
    this.#waitAsync = options.waitAsync;
    this.#scheduler = options.scheduler;
    this.#announces = options.announces;
  }

  /** Asks for a turn as soon as the event loop comes round. */
  wake(): void {
    if (!this.#isScheduled && !this.#isStopped) {
      this.#isScheduled = true;
      this.#scheduler.soon(() => this.#turn());
    }
  }

  /** No turn begins after this. */
  stop(): void {
    this.#isStopped = true;
    this.#cancelPoll();
  }

  #turn(): void {
    this.#isScheduled = false;
    if (this.#isStopped) {
      return;
    }
    this.turns += 1;
    let hasMore = false;
    for (const source of this.#parts.sources()) {
      hasMore = source.poll() || hasMore;
      this.#parts.afterSource();
    }
    hasMore = this.#parts.afterRead() || hasMore;
    if (hasMore) {
      this.#pollMs = POLL_MS_MIN;
      this.wake();
    } else {
      this.#sleep();
    }
  }

  #sleep(): void {
    if (this.#waitAsync === undefined) {
      this.#sleepByTimer();
      return;
    }
    for (const source of this.#parts.sources()) {
      if (!this.#sleeping.has(source) && this.#sleepOn(source, this.#waitAsync) === "behind") {
        this.wake();
        return;
      }
    }
  }

  #sleepOn(source: SegmentSource, waitAsync: WaitAsync): "asleep" | "behind" {
    const tail = Atomics.load(this.#words, source.tailWord);
    const result = waitAsync({ words: this.#words, index: source.tailWord, value: tail }, WAIT_MS);
    if (!result.async || typeof result.value === "string") {
      return "behind";
    }
    this.#sleeping.add(source);
    const rise = () => {
      this.#sleeping.delete(source);
      this.#rise();
    };
    result.value.then(rise, rise);
    // First wait, then announce, then look: announced earlier, a producer could take the word for a reader that has not
    // begun to wait, wake nobody, and leave this one asleep (test/model/wait.pml). The look is also for trades, which do
    // not move the word that is waited on.
    if (!this.#announces) {
      Atomics.store(this.#words, (source.view.address + HEADER_WAITING) >>> 2, 1);
    }
    return source.isBehind ? "behind" : "asleep";
  }

  #rise(): void {
    if (!this.#isScheduled) {
      this.#turn();
    }
  }

  #sleepByTimer(): void {
    this.#cancelPoll();
    this.#cancelPoll = this.#scheduler.after(this.#pollMs, () => {
      const isBehind = this.#parts.sources().some((source) => source.isBehind);
      this.#pollMs = isBehind ? POLL_MS_MIN : Math.min(this.#pollMs * 2, POLL_MS_MAX);
      if (isBehind) {
        this.#turn();
      } else {
        this.#sleepByTimer();
      }
    });
  }
}
