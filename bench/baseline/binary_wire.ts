/**
 * A plain binary delta in JavaScript: fixed-width doubles, one message per event, applied to a typed-array book at both
 * ends. Compact to write and quick; no hash, no exact decimals, about four times our bytes.
 * Bad case: an event larger than the buffer; events of captures stay far below it.
 */
import type { OrderBookDeltaMessage } from "../../src/wire/protocol.ts";
import { BaselineBook } from "./book.ts";

/** version, event time, receive time, count; then signed price and quantity of each change. */
const HEAD = 4;
const MESSAGE_NUMBERS = 8192;
const NS_PER_MS = 1e6;

/** Events as numbers: prices negative for asks. */
type Event = { instrument: string; numbers: Float64Array };

/** Both ends of a plain binary stream. */
export class BinaryWire {
  /** Bytes sent since the last rewind. */
  bytes = 0;
  readonly #events: Event[];
  readonly #starts: ReadonlyMap<string, BaselineBook>;
  readonly #sender = new Map<string, BaselineBook>();
  readonly #receiver = new Map<string, BaselineBook>();
  readonly #message = new Float64Array(MESSAGE_NUMBERS);

  /** @param starts books that the events follow, by instrument */
  constructor(messages: readonly OrderBookDeltaMessage[], starts: ReadonlyMap<string, BaselineBook>) {
    this.#starts = starts;
    this.#events = messages.map(({ instrument, version, eventAtNs, receivedAtNs, changes }) => {
      const times = [Number(eventAtNs) / NS_PER_MS, Number(receivedAtNs) / NS_PER_MS];
      const levels = changes.flatMap(([side, price, quantity]) => [
        side === "bid" ? Number(price) : -Number(price),
        Number(quantity),
      ]);
      return { instrument, numbers: Float64Array.from([Number(version), ...times, changes.length, ...levels]) };
    });
    for (const instrument of starts.keys()) {
      this.#sender.set(instrument, new BaselineBook());
      this.#receiver.set(instrument, new BaselineBook());
    }
  }

  /** Brings both ends back to the start. */
  rewind(): void {
    this.bytes = 0;
    for (const [instrument, start] of this.#starts) {
      this.#sender.get(instrument)?.copyFrom(start);
      this.#receiver.get(instrument)?.copyFrom(start);
    }
  }

  /** Applies, encodes, decodes and applies every event. @returns changes that arrived */
  run(): number {
    let arrived = 0;
    for (let index = 0; index < this.#events.length; index++) {
      const { instrument, numbers } = this.#events[index] as Event;
      const sender = this.#sender.get(instrument) as BaselineBook;
      const receiver = this.#receiver.get(instrument) as BaselineBook;
      this.bytes += this.#encode(sender, numbers);
      arrived += this.#decode(receiver);
    }
    return arrived;
  }

  /** Levels of a receiver's side. */
  count(instrument: string, side: "bids" | "asks"): number {
    return this.#receiver.get(instrument)?.[side].count ?? 0;
  }

  #encode(book: BaselineBook, numbers: Float64Array): number {
    const message = this.#message;
    for (let place = 0; place < HEAD; place++) {
      message[place] = numbers[place] as number;
    }
    for (let place = HEAD; place < numbers.length; place += 2) {
      const price = numbers[place] as number;
      const quantity = numbers[place + 1] as number;
      if (price > 0) {
        book.bids.set(price, quantity);
      } else {
        book.asks.set(-price, quantity);
      }
      message[place] = price;
      message[place + 1] = quantity;
    }
    return numbers.length * Float64Array.BYTES_PER_ELEMENT;
  }

  #decode(book: BaselineBook): number {
    const message = this.#message;
    const count = message[HEAD - 1] as number;
    for (let change = 0; change < count; change++) {
      const price = message[HEAD + 2 * change] as number;
      const quantity = message[HEAD + 2 * change + 1] as number;
      if (price > 0) {
        book.bids.set(price, quantity);
      } else {
        book.asks.set(-price, quantity);
      }
    }
    return count;
  }
}
