/**
 * Events for `for await`: a bounded queue per iterator. Bad case: a loop that is slower than the stream; the oldest
 * events are dropped and counted, books stay right because they do not live in events.
 */

/** A bounded queue that is read by `for await`. */
export class EventQueue<Item> implements AsyncIterableIterator<Item> {
  readonly #limit: number;
  readonly #onDrop: (() => void) | undefined;
  readonly #onEnd: () => void;
  #items: Item[] = [];
  #waiting: ((result: IteratorResult<Item>) => void) | undefined;
  #isEnded = false;

  /** @param options.limit events kept at most @param options.onDrop one was dropped @param options.onEnd nobody reads any more */
  constructor(options: { limit: number; onDrop: (() => void) | undefined; onEnd: () => void }) {
    this.#limit = options.limit;
    this.#onDrop = options.onDrop;
    this.#onEnd = options.onEnd;
  }

  /** Adds an event. */
  push(item: Item): void {
    if (this.#waiting !== undefined) {
      this.#waiting({ done: false, value: item });
      this.#waiting = undefined;
      return;
    }
    if (this.#items.length >= this.#limit) {
      this.#items.shift();
      this.#onDrop?.();
    }
    this.#items.push(item);
  }

  /** No more events will come; those in the queue can still be read. */
  end(): void {
    this.#isEnded = true;
    this.#waiting?.({ done: true, value: undefined });
    this.#waiting = undefined;
  }

  next(): Promise<IteratorResult<Item>> {
    const item = this.#items.shift();
    if (item !== undefined) {
      return Promise.resolve({ done: false, value: item });
    }
    if (this.#isEnded) {
      return Promise.resolve({ done: true, value: undefined });
    }
    return new Promise((resolve) => {
      this.#waiting = resolve;
    });
  }

  return(): Promise<IteratorResult<Item>> {
    this.#items = [];
    this.end();
    this.#onEnd();
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}
