/**
 * Time that passes only when it is told to: timers run in order of their due times, equal ones in the order in which they
 * were set, so that a run is a function of its seed alone. Bad case: a timer that sets itself again with no delay; `advance`
 * would never end, hence a limit on the tasks of one instant.
 */
import type { Clock } from "./clock.ts";

/** Tasks that may run without time passing. */
const TASKS_PER_INSTANT_MAX = 1_000_000;

type Timer = { readonly dueMs: number; readonly order: number; task: (() => void) | undefined };

/** A clock for simulations. */
export class VirtualClock implements Clock {
  /** A binary heap: the earliest timer first. */
  readonly #heap: Timer[] = [];
  #nowMs: number;
  #order = 0;

  /** @param startMs Unix milliseconds */
  constructor(startMs: number) {
    this.#nowMs = startMs;
  }

  /** Unix milliseconds. */
  readonly now = (): number => this.#nowMs;

  /** Runs a task once, when time has come so far. */
  readonly setTimer = (task: () => void, afterMs: number): (() => void) => {
    const timer: Timer = { dueMs: this.#nowMs + Math.max(0, afterMs), order: this.#order, task };
    this.#order += 1;
    this.#push(timer);
    return () => {
      timer.task = undefined;
    };
  };

  /** When the next timer is due, Unix milliseconds; infinite when there is none. */
  get dueMs(): number {
    this.#dropCancelled();
    return this.#heap[0]?.dueMs ?? Number.POSITIVE_INFINITY;
  }

  /** Goes to the next timer and runs it. @returns whether there was one */
  step(): boolean {
    this.#dropCancelled();
    const timer = this.#pop();
    if (timer === undefined) {
      return false;
    }
    this.#nowMs = Math.max(this.#nowMs, timer.dueMs);
    timer.task?.();
    return true;
  }

  /**
   * Lets time pass and runs everything that falls due, in order.
   * @param ms milliseconds, ≥ 0
   * @throws RangeError when tasks go on at one instant for ever
   */
  advance(ms: number): void {
    const endMs = this.#nowMs + ms;
    let lastMs = Number.NaN;
    let tasks = 0;
    while (this.dueMs <= endMs) {
      this.step();
      tasks = this.#nowMs === lastMs ? tasks + 1 : 0;
      lastMs = this.#nowMs;
      if (tasks > TASKS_PER_INSTANT_MAX) {
        throw new RangeError(`Cannot advance: tasks go on at one instant, was ${tasks} at ${lastMs}`);
      }
    }
    this.#nowMs = endMs;
  }

  #dropCancelled(): void {
    while (this.#heap.length > 0 && this.#heap[0]?.task === undefined) {
      this.#pop();
    }
  }

  #push(timer: Timer): void {
    const heap = this.#heap;
    let index = heap.length;
    heap.push(timer);
    while (index > 0) {
      const parent = (index - 1) >> 1;
      const above = heap[parent];
      if (above === undefined || isEarlier(above, timer)) {
        break;
      }
      heap[index] = above;
      index = parent;
    }
    heap[index] = timer;
  }

  #pop(): Timer | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (last === undefined || heap.length === 0) {
      return first;
    }
    let index = 0;
    for (;;) {
      const left = 2 * index + 1;
      const right = left + 1;
      const [a, b] = [heap[left], heap[right]];
      const child = b !== undefined && a !== undefined && isEarlier(b, a) ? right : left;
      const below = heap[child];
      if (below === undefined || isEarlier(last, below)) {
        break;
      }
      heap[index] = below;
      index = child;
    }
    heap[index] = last;
    return first;
  }
}

function isEarlier(one: Timer, other: Timer): boolean {
  return one.dueMs < other.dueMs || (one.dueMs === other.dueMs && one.order < other.order);
}
