/**
 * Values to whoever listens: functions that are called at once, and loops with a bounded queue each.
 * Bad case: a listener that throws; the error reaches whoever brought the value, and later listeners do not hear it.
 */
import { EventQueue } from "./event_queue.ts";

/** Listeners and loops of one kind of value. */
export class Broadcast<Value> {
  readonly #listeners = new Set<(value: Value) => void>();
  readonly #queues = new Set<EventQueue<Value>>();

  /** Calls for every value. @returns ends it */
  on(listener: (value: Value) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /**
   * A loop over values from here on.
   * @param limit values that it may lag behind; the oldest is dropped beyond @param onDrop one was dropped
   */
  loop(limit: number, onDrop?: () => void): EventQueue<Value> {
    const queue: EventQueue<Value> = new EventQueue({
      limit,
      onDrop,
      onEnd: () => void this.#queues.delete(queue),
    });
    this.#queues.add(queue);
    return queue;
  }

  /** Tells everybody. */
  send(value: Value): void {
    for (const queue of this.#queues) {
      queue.push(value);
    }
    for (const listener of this.#listeners) {
      listener(value);
    }
  }

  /** Ends every loop; what is in a queue can still be read. */
  end(): void {
    for (const queue of this.#queues) {
      queue.end();
    }
  }
}
