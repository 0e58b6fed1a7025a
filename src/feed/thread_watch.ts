/**
 * Watches the calling thread: pauses of its garbage collector, how late its event loop serves a timer, its heap.
 * Bad case: a loop that is stuck; it is told of when it goes on, as one long delay.
 */
import { PerformanceObserver } from "node:perf_hooks";
import { getHeapStatistics } from "node:v8";

/** Ten wake-ups a second cost an idle gateway a tenth of its time already. */
const TIMER_MS = 100;
const TIMERS_PER_HEAP = 10;

/** Where the figures go. */
export type ThreadSink = {
  /** A garbage collection stopped the thread. */
  pause(nanoseconds: number): void;
  /** A timer was served so much later than it was due. */
  late(nanoseconds: number): void;
  /** About once a second. */
  heap(usedBytes: number): void;
};

/** Begins to watch; does not keep the event loop alive. @returns ends it */
export function watchThread(sink: ThreadSink): () => void {
  const observer = new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
      sink.pause(entry.duration * 1e6);
    }
  });
  observer.observe({ entryTypes: ["gc"] });
  let dueAt = performance.now() + TIMER_MS;
  let timers = 0;
  const timer = setInterval(() => {
    const now = performance.now();
    sink.late(Math.max(now - dueAt, 0) * 1e6);
    dueAt = now + TIMER_MS;
    timers += 1;
    if (timers % TIMERS_PER_HEAP === 1) {
      sink.heap(getHeapStatistics().used_heap_size);
    }
  }, TIMER_MS);
  timer.unref();
  return () => {
    clearInterval(timer);
    observer.disconnect();
  };
}
