/**
 * Frames as Coinbase Exchange writes them, of books in ticks and lots or of lists that are JSON text already.
 * Bad case: a time without its microseconds; the exchange always sends six digits, and the decoder's usual path expects them.
 */
import { type DeepBook, type DeepSide, fixedDecimal, PRICE_EXPONENT, QUANTITY_EXPONENT } from "./deep_book.ts";

/** A level that is set: side 0 = buy, 1 = sell; no lots remove it. */
export type LevelChange = { readonly side: number; readonly tick: number; readonly lots: number };

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

/** A snapshot. @param levels JSON texts of the lists of both sides, best level first @param time RFC 3339 with six digits */
export function snapshotFrame(native: string, { bids, asks }: { bids: string; asks: string }, time: string): string {
  return `{"type":"snapshot","product_id":"${native}","asks":${asks},"bids":${bids},"time":"${time}"}`;
}

/** An update. @param changes JSON text of their list @param time RFC 3339 with six digits */
export function updateFrame(native: string, changes: string, time: string): string {
  return `{"type":"l2update","product_id":"${native}","changes":${changes},"time":"${time}"}`;
}

/** A snapshot of a whole book. @param time RFC 3339 with six digits */
export function snapshotText(native: string, { bids, asks }: DeepBook, time: string): string {
  return snapshotFrame(native, { bids: levels(bids), asks: levels(asks) }, time);
}

/** An update of some levels. @param time RFC 3339 with six digits */
export function updateText(native: string, changes: readonly LevelChange[], time: string): string {
  return updateFrame(native, `[${changes.map(changeText).join(",")}]`, time);
}

/** The same of columns, as the operations on a book are made. */
export function columnsText(native: string, { sides, ticks, lots, from, until, time }: ChangeColumns): string {
  let changes = "";
  for (let index = from; index < until; index++) {
    const change = { side: sides[index] ?? 0, tick: ticks[index] ?? 0, lots: lots[index] ?? 0 };
    changes += `${index === from ? "" : ","}${changeText(change)}`;
  }
  return updateFrame(native, `[${changes}]`, time);
}

/** A time as the exchange writes it. @param unixMs whole ms; the µs below are made up */
export function timeText(unixMs: number): string {
  return new Date(unixMs).toISOString().replace("Z", "123Z");
}

function changeText({ side, tick, lots }: LevelChange): string {
  return `["${side === 0 ? "buy" : "sell"}",${pair(tick, lots)}]`;
}

function levels({ ticks, lots }: DeepSide): string {
  return `[${ticks.map((tick) => `[${pair(tick, lots.get(tick) ?? 0)}]`).join(",")}]`;
}

function pair(tick: number, lots: number): string {
  return `"${fixedDecimal(tick, PRICE_EXPONENT)}","${fixedDecimal(lots, QUANTITY_EXPONENT)}"`;
}
