/**
 * Which trades were published of late, by the exchange's own ids, so that the first collector to bring one wins.
 * Bad case: an exchange that gives trades no ids; they are told by one collector only.
 */
import { TRADE_ID, TRADE_ID_BYTES_MAX, TRADE_ID_LENGTH } from "../../assembly/layout.ts";

const REMEMBERED = 2048;

/** Remembers trades of one instrument. */
export class TradeMemory {
  readonly #names = new Set<string>();

  /**
   * Notes a trade.
   * @returns whether it was noted before; undefined = it has no id
   */
  isKnown(record: Uint8Array): boolean | undefined {
    const name = tradeName(record);
    if (name === undefined) {
      return undefined;
    }
    if (this.#names.has(name)) {
      return true;
    }
    this.#names.add(name);
    const [oldest] = this.#names;
    if (this.#names.size > REMEMBERED && oldest !== undefined) {
      this.#names.delete(oldest);
    }
    return false;
  }
}

/** @returns undefined when the exchange gave the trade no name */
function tradeName(record: Uint8Array): string | undefined {
  const length = Math.min(record[TRADE_ID_LENGTH] ?? 0, TRADE_ID_BYTES_MAX);
  return length === 0 ? undefined : Buffer.from(record.subarray(TRADE_ID, TRADE_ID + length)).toString("latin1");
}
