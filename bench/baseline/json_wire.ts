/**
 * Deltas as JSON text between two typed-array books: what a JavaScript program without our codec would run. The same
 * work as ours at both ends, but for exact decimals and hashes.
 * Bad case: timing JSON.stringify and JSON.parse alone; then nobody holds a book.
 */
import type { OrderBookDeltaMessage } from "../../src/wire/protocol.ts";
import { BaselineBook } from "./book.ts";

/** Both ends of a JSON stream. */
export class JsonWire {
  readonly #messages: readonly OrderBookDeltaMessage[];
  readonly #starts: ReadonlyMap<string, BaselineBook>;
  readonly #sender = new Map<string, BaselineBook>();
  readonly #receiver = new Map<string, BaselineBook>();

  /** @param starts books that the messages follow, by instrument */
  constructor(messages: readonly OrderBookDeltaMessage[], starts: ReadonlyMap<string, BaselineBook>) {
    this.#messages = messages;
    this.#starts = starts;
    for (const instrument of starts.keys()) {
      this.#sender.set(instrument, new BaselineBook());
      this.#receiver.set(instrument, new BaselineBook());
    }
  }

  /** Brings both ends back to the start. */
  rewind(): void {
    for (const [instrument, start] of this.#starts) {
      this.#sender.get(instrument)?.copyFrom(start);
      this.#receiver.get(instrument)?.copyFrom(start);
    }
  }

  /** Applies, stringifies, parses and applies every message. @returns changes that arrived */
  run(): number {
    let arrived = 0;
    for (let index = 0; index < this.#messages.length; index++) {
      const message = this.#messages[index] as OrderBookDeltaMessage;
      apply(this.#sender.get(message.instrument) as BaselineBook, message);
      const received = JSON.parse(JSON.stringify(message)) as OrderBookDeltaMessage;
      apply(this.#receiver.get(received.instrument) as BaselineBook, received);
      arrived += received.changes.length;
    }
    return arrived;
  }

  /** Levels of a receiver's side. */
  count(instrument: string, side: "bids" | "asks"): number {
    return this.#receiver.get(instrument)?.[side].count ?? 0;
  }
}

function apply(book: BaselineBook, { changes }: OrderBookDeltaMessage): void {
  for (let index = 0; index < changes.length; index++) {
    const change = changes[index] as OrderBookDeltaMessage["changes"][number];
    (change[0] === "bid" ? book.bids : book.asks).set(Number(change[1]), Number(change[2]));
  }
}
