/**
 * The last trades of one instrument, for those who ask instead of listening: copies of the records in a ring of fixed
 * size, made text only when somebody asks.
 * Bad case: trades recorded under other exponents, before a rescale; each keeps the exponents that it came with.
 */
import { TRADE_BYTES, TRADE_FLAG_GAP_BEFORE, TRADE_FLAGS } from "../../assembly/layout.ts";
import { type Exponents, tradeMessage } from "../wire/json_form.ts";
import type { TradeMessage } from "../wire/protocol.ts";

/** A ring of trades. */
export class RecentTrades {
  readonly #capacity: number;
  readonly #instrument: string;
  /** Taken with the first trade. */
  #records: DataView | undefined;
  readonly #exponents: Exponents[] = [];
  /** What was made of the records already. */
  readonly #messages: (TradeMessage | undefined)[] = [];
  #count = 0;
  #hasGap = false;

  /** @param options.capacity trades that are remembered */
  constructor({ capacity, instrument }: { capacity: number; instrument: string }) {
    this.#capacity = capacity;
    this.#instrument = instrument;
  }

  /** Trades were missed: the next one says so. */
  noteGap(): void {
    this.#hasGap = this.#count > 0;
  }

  /** Remembers a trade. @param bytes that hold the record @param record its place in them */
  add(bytes: Uint8Array, record: number, exponents: Exponents): void {
    this.#records ??= new DataView(new ArrayBuffer(this.#capacity * TRADE_BYTES));
    const slot = this.#count % this.#capacity;
    const at = slot * TRADE_BYTES;
    new Uint8Array(this.#records.buffer, at, TRADE_BYTES).set(bytes.subarray(record, record + TRADE_BYTES));
    if (this.#hasGap) {
      const flags = this.#records.getUint16(at + TRADE_FLAGS, true);
      this.#records.setUint16(at + TRADE_FLAGS, flags | TRADE_FLAG_GAP_BEFORE, true);
      this.#hasGap = false;
    }
    this.#exponents[slot] = exponents;
    this.#messages[slot] = undefined;
    this.#count += 1;
  }

  /** The last ones, latest first. @param limit at most so many */
  latest(limit: number): TradeMessage[] {
    const trades: TradeMessage[] = [];
    const kept = Math.min(this.#count, this.#capacity, limit);
    for (let back = 1; back <= kept; back++) {
      const message = this.#message((this.#count - back) % this.#capacity);
      if (message !== undefined) {
        trades.push(message);
      }
    }
    return trades;
  }

  /** Each record becomes a message once. */
  #message(slot: number): TradeMessage | undefined {
    const exponents = this.#exponents[slot];
    if (this.#records === undefined || exponents === undefined) {
      return undefined;
    }
    const options = { ...exponents, instrument: this.#instrument };
    const message = this.#messages[slot] ?? tradeMessage(this.#records, slot * TRADE_BYTES, options);
    this.#messages[slot] = message;
    return message;
  }
}
