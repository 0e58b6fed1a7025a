/**
 * What a segment says of a book beside its records: the table's state, the cell with the best prices, the image. All of it
 * must agree with the records. Bad case: records that are written and not yet published; the cell is ahead of them then.
 */
import { CELL_FLAG_ASK, CELL_FLAG_BID } from "../../assembly/layout.ts";
import type { InstrumentEntry, SegmentView } from "../../src/segment/view.ts";
import { digestOf, type PublishedBook } from "./published_book.ts";
import type { PublishedVersions } from "./published_versions.ts";
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
  const expected = [best(book.sides[0], (one, other) => one > other), best(book.sides[1], (one, other) => one < other)];
  const isSame = expected.every((price, side) => price === found[side]);
  return isSame
    ? undefined
    : { what: "the cell holds the best prices", expected: expected.join(" / "), found: found.join(" / ") };
}

/**
 * The image against the book that was published at its version: by the hash of its levels.
 * @param isWhole by its levels as texts, too
 */
export function imageDisagreement(
  tap: RingTap,
  entry: InstrumentEntry,
  { published, isWhole }: { published: PublishedVersions; isWhole: boolean },
): Disagreement {
  const what = "an image holds the book of its version";
  const sum = tap.imageSum(entry);
  const hash = sum === undefined ? undefined : published.hashOf(sum.version);
  if (sum === undefined || hash === undefined) {
    return undefined;
  }
  if (sum.hash !== hash) {
    return { what, expected: `hash ${hash}`, found: `hash ${sum.hash}` };
  }
  const image = isWhole ? tap.image(entry) : undefined;
  const expected = image === undefined ? undefined : published.digestOf(image.version);
  const found = image === undefined ? undefined : digestOf(image.sides);
  return found === expected ? undefined : { what, expected: `digest ${expected}`, found: `digest ${found}` };
}

function best(
  side: ReadonlyMap<string, string>,
  isBetter: (one: number, other: number) => boolean,
): number | undefined {
  let found: number | undefined;
  for (const text of side.keys()) {
    const price = Number(text);
    found = found === undefined || isBetter(price, found) ? price : found;
  }
  return found;
}
