/**
 * Handles of what is no book: trades, best prices, status of one instrument. Each is a listener list and a loop; trades
 * queue up to a bound for a slow loop, of the others a slow loop gets the last.
 * Bad case: a loop over trades that lags further than the bound; the oldest are dropped and counted by the client.
 */
import { Broadcast } from "./broadcast.ts";

/** A stream of values of one instrument, until `close`. */
export interface FeedHandle<Value> extends AsyncIterable<Value> {
  readonly instrument: string;
  /** The value before the next one; undefined before the first. */
  readonly last: Value | undefined;
  /** Calls for every value. @returns ends it */
  on(listener: (value: Value) => void): () => void;
  /** Every value from here on (trades), or the last of several (best prices, status). */
  [Symbol.asyncIterator](): AsyncIterableIterator<Value>;
  /** Gives it back; the last handle ends the subscription. */
  close(): void;
}

/** What a feed needs of its client. */
export type FeedGround<Value> = {
  readonly instrument: string;
  readonly watchers: Set<(value: Value) => void>;
  /** Values that a loop may lag behind. */
  readonly limit: number;
  /** What is known already. */
  last(): Value | undefined;
  /** A loop lagged, and one was dropped. */
  dropped(): void;
  /** Gives the subscription back. */
  release(): void;
};

/** Makes a feed. */
export function createFeedHandle<Value>(ground: FeedGround<Value>): FeedHandle<Value> & { end(): void } {
  return new Feed(ground);
}

class Feed<Value> implements FeedHandle<Value> {
  readonly #ground: FeedGround<Value>;
  readonly #values = new Broadcast<Value>();
  readonly #watch = (value: Value) => {
    this.#heardLast = value;
    this.#values.send(value);
  };
  #heardLast: Value | undefined;
  #isClosed = false;

  constructor(ground: FeedGround<Value>) {
    this.#ground = ground;
    ground.watchers.add(this.#watch);
  }

  get instrument(): string {
    return this.#ground.instrument;
  }

  get last(): Value | undefined {
    return this.#heardLast ?? this.#ground.last();
  }

  on(listener: (value: Value) => void): () => void {
    return this.#values.on(listener);
  }

  [Symbol.asyncIterator](): AsyncIterableIterator<Value> {
    const queue = this.#values.loop(this.#ground.limit, () => this.#ground.dropped());
    if (this.#isClosed) {
      queue.end();
    }
    return queue;
  }

  close(): void {
    if (!this.#isClosed) {
      this.#ground.release();
      this.end();
    }
  }

  /** Nothing more comes. */
  end(): void {
    this.#isClosed = true;
    this.#ground.watchers.delete(this.#watch);
    this.#values.end();
  }
}
