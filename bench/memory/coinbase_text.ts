/**
 * Frames as Coinbase Exchange writes them, of books in ticks and lots.
 * Bad case: a time without its microseconds; the exchange always sends six digits, and the decoder's usual path expects them.
 */
import { type DeepBook, type DeepSide, fixedDecimal, PRICE_EXPONENT, QUANTITY_EXPONENT } from "../deep_book.ts";

/** Changes as columns: 0 = buy, 1 = sell. */
export type ChangeColumns = {
  readonly sides: Uint8Array;
  readonly ticks: Float64Array;
  readonly lots: Float64Array;
  /** The first change of the frame and the one after its last. */
  readonly from: number;
  readonly until: number;
  /** RFC 3339 with six digits. */
  readonly time: string;
};

/** A snapshot of a whole book. @param time RFC 3339 with six digits */
export function snapshotText(native: string, { bids, asks }: DeepBook, time: string): string {
  return `{"type":"snapshot","product_id":"${native}","asks":[${levels(asks)}],"bids":[${levels(bids)}],"time":"${time}"}`;
}

/** An update of some levels. */
export function updateText(native: string, { sides, ticks, lots, from, until, time }: ChangeColumns): string {
  let changes = "";
  for (let index = from; index < until; index++) {
    const side = sides[index] === 0 ? "buy" : "sell";
    changes += `${index === from ? "" : ","}["${side}",${pair(ticks[index] ?? 0, lots[index] ?? 0)}]`;
  }
  return `{"type":"l2update","product_id":"${native}","changes":[${changes}],"time":"${time}"}`;
}

function levels({ ticks, lots }: DeepSide): string {
  return ticks.map((tick) => `[${pair(tick, lots.get(tick) ?? 0)}]`).join(",");
}

function pair(tick: number, lots: number): string {
  return `"${fixedDecimal(tick, PRICE_EXPONENT)}","${fixedDecimal(lots, QUANTITY_EXPONENT)}"`;
}
