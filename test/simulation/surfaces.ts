/**
 * What a segment says of a book beside its records: the table's state, the cell with the best prices, the image. All of it
 * must agree with the records. Bad case: records that are written and not yet published; the cell is ahead of them then.
 */
import { CELL_FLAG_ASK, CELL_FLAG_BID } from "../../assembly/layout.ts";
import type { InstrumentEntry, SegmentView } from "../../src/segment/view.ts";
import { digestOf, type PublishedBook } from "./published_book.ts";
import type { RingTap } from "./ring_tap.ts";

/** What disagrees; undefined when all is well. */
export type Disagreement = { readonly what: string; readonly expected: string; readonly found: string } | undefined;

/** The cell against the book of the same version. */
export function cellDisagreement(
  view: SegmentView,
  { index, priceExponent }: InstrumentEntry,
  { book, version }: { book: PublishedBook; version: number },
): Disagreement {
  const cell = view.topOfBook(index);
  if (cell === undefined || Number(cell.version) !== version) {
    const isAhead = cell !== undefined && Number(cell.version) > version;
    const found = cell === undefined ? "one that is never whole" : `version ${cell.version}`;
    return isAhead ? undefined : { what: "the cell is as new as the records", expected: `version ${version}`, found };
  }
  const found = [
    (cell.flags & CELL_FLAG_BID) === 0 ? undefined : Number(cell.bidPrice) / 10 ** priceExponent,
    (cell.flags & CELL_FLAG_ASK) === 0 ? undefined : Number(cell.askPrice) / 10 ** priceExponent,
  ];
  const expected = [best(book.sides[0], Math.max), best(book.sides[1], Math.min)];
  const isSame = expected.every((price, side) => price === found[side]);
  return isSame
    ? undefined
    : { what: "the cell holds the best prices", expected: expected.join(" / "), found: found.join(" / ") };
}

/** The image against the book that was published at its version. */
export function imageDisagreement(
  tap: RingTap,
  entry: InstrumentEntry,
  digests: ReadonlyMap<number, number>,
): Disagreement {
  const image = tap.image(entry);
  const expected = image === undefined ? undefined : digests.get(image.version);
  if (image === undefined || expected === undefined) {
    return undefined;
  }
  const found = digestOf(image.sides);
  return found === expected
    ? undefined
    : { what: "an image holds the book of its version", expected: `digest ${expected}`, found: `digest ${found}` };
}

function best(side: ReadonlyMap<string, string>, choose: (...prices: number[]) => number): number | undefined {
  return side.size === 0 ? undefined : choose(...[...side.keys()].map(Number));
}
