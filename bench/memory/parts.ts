/** The parts of which memory is told, and what one measurement holds. Bad case: none, these are names and types. */

/** What is counted by itself. */
export const PART_NAMES = ["producer books", "images", "replica books", "histories", "encode buffers"] as const;
/** A part. */
export type PartName = (typeof PART_NAMES)[number];

/** Bytes at one moment. */
export type Footprint = {
  /** Of all books, both sides, at one end. */
  readonly levels: number;
  readonly parts: Readonly<Record<PartName, number>>;
  /** The sum of the parts. */
  readonly written: number;
  /** Room of the images that nothing was written to: addresses only. */
  readonly untouched: number;
  /** Pages of the whole kernel memory that the system holds; undefined where it does not tell. */
  readonly resident: number | undefined;
};
