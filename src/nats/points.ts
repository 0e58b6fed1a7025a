/**
 * Where a book stands between two events, and how two such places compare. Bad case: exchanges without sequence numbers
 * whose clock gives two events one time; places of one time are then told apart by the hashes around the event.
 */

/** Where a book stands between two events. */
export type Point = {
  /** Of the book before the event that led here; undefined = a snapshot led here. */
  readonly before: number | undefined;
  readonly hash: number;
  readonly eventAtNs: bigint;
  readonly sourceSequence: bigint;
};

/** What is compared: by the exchange's sequence where both have one, else by its clock. */
export type Key = Pick<Point, "sourceSequence" | "eventAtNs">;

/** @returns below 0 when the first is earlier */
export function compareKeys(one: Key, other: Key): number {
  const isNumbered = one.sourceSequence > 0n && other.sourceSequence > 0n;
  const [first, second] = isNumbered ? [one.sourceSequence, other.sourceSequence] : [one.eventAtNs, other.eventAtNs];
  return first < second ? -1 : first > second ? 1 : 0;
}

/** The same levels, reached by the same event. */
export function isSamePoint(one: Point, other: Point): boolean {
  const isSameStep = one.before === undefined || other.before === undefined || one.before === other.before;
  return (
    isSameStep &&
    one.hash === other.hash &&
    one.eventAtNs === other.eventAtNs &&
    one.sourceSequence === other.sourceSequence
  );
}
