/**
 * The exchange's own best-bid-offer stream as an oracle: wherever a `bookTicker` frame has the update id of a diff that we
 * applied, prices and quantities of both sides must be equal. Either may come first.
 * Bad case: an id that comes twice; the first one counts.
 */
import { plainDecimal } from "./decimal.ts";

/** Best bid and offer as plain decimals, `undefined` for an empty side. */
export type Best = { readonly bid: string | undefined; readonly ask: string | undefined };

type TickerFrame = { s?: unknown; u?: unknown; b?: unknown; B?: unknown; a?: unknown; A?: unknown };

const UPDATE_ID = /"u"\s*:\s*(\d+)/;

/** Collects both streams of a capture and compares them. */
export class BookTickerOracle {
  readonly #tickers = new Map<string, Best>();
  readonly #diffs = new Map<string, Best>();

  /** A ticker frame as text. */
  ticker(text: string): void {
    const outer = JSON.parse(text) as { data?: TickerFrame } & TickerFrame;
    const frame = outer.data ?? outer;
    const id = UPDATE_ID.exec(text)?.[1];
    if (typeof frame.s !== "string" || id === undefined) {
      return;
    }
    const key = `${frame.s} ${id}`;
    if (!this.#tickers.has(key)) {
      this.#tickers.set(key, { bid: best(frame.b, frame.B), ask: best(frame.a, frame.A) });
    }
  }

  /** The best prices after an applied diff. @param updateId the exchange's */
  diff(native: string, updateId: bigint, book: Best): void {
    this.#diffs.set(`${native} ${updateId}`, book);
  }

  /** @returns undefined when the capture has no ticker frames */
  result(): { atEqualUpdateId: number; equal: number } | undefined {
    if (this.#tickers.size === 0) {
      return undefined;
    }
    let atEqualUpdateId = 0;
    let equal = 0;
    for (const [key, ticker] of this.#tickers) {
      const diff = this.#diffs.get(key);
      if (diff !== undefined) {
        atEqualUpdateId += 1;
        equal += diff.bid === ticker.bid && diff.ask === ticker.ask ? 1 : 0;
      }
    }
    return { atEqualUpdateId, equal };
  }
}

function best(price: unknown, quantity: unknown): string | undefined {
  return typeof price === "string" && typeof quantity === "string"
    ? `${plainDecimal(price)} ${plainDecimal(quantity)}`
    : undefined;
}
