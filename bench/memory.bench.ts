/**
 * Memory of a hundred deep books from end to end: the producer's books, their two images each, and the gateway's replicas
 * with history and encode buffer, all in real kernels and a real segment, every replica joined by its image and proved.
 * What is judged is what was written to; images keep room for growth that nobody has touched, and that stands beside it.
 * Bad case: books as they were loaded, every chunk full; so they live for a while first, at both ends.
 */
import type { Bench, BenchContext } from "./context.ts";
import { DeepLot, IMAGE_LEVELS } from "./memory/lot.ts";
import { PART_NAMES } from "./memory/parts.ts";
import { type CaseResult, exactCase } from "./results.ts";

/** The benchmark. */
export const MEMORY: Bench = {
  name: "memory",
  about: "arena bytes of producer books, images and gateway replicas",
  run: async (context) => [measure(context)],
};

const MB = 1e6;
const BOOKS = 100;
const SMOKE_BOOKS = 3;
const DIGITS = 6;
const NOTES = [
  "producer books, two images each, replicas with history and encode buffers; after 4,000 changes a book",
  "judged: bytes that were written to; room of images that nothing was written to takes addresses, no memory",
];

function measure({ settings }: BenchContext): CaseResult {
  const books = settings.isSmoke ? SMOKE_BOOKS : BOOKS;
  const lot = new DeepLot(books);
  const loaded = lot.measure();
  lot.live();
  const lived = lot.measure();
  lot.verify();
  const facts: CaseResult["facts"] = { books, levels: lived.levels };
  for (const part of PART_NAMES) {
    facts[`${part}: B per level as loaded`] = digits(loaded.parts[part] / loaded.levels);
    facts[`${part}: B per level`] = digits(lived.parts[part] / lived.levels);
  }
  facts["MB as loaded"] = digits(loaded.written / MB);
  facts["MB with image room not written to"] = digits((lived.written + lived.untouched) / MB);
  facts["image capacity, levels"] = IMAGE_LEVELS;
  if (lived.resident !== undefined) {
    facts["MB resident, ring and frame included"] = digits(lived.resident / MB);
  }
  const head = { bench: MEMORY.name, name: `${books} books of 45,000 levels`, unit: "MB", facts, notes: NOTES };
  // Fewer books than the goal names say nothing about it.
  return exactCase(
    head,
    { ours: digits(lived.written / MB) },
    [],
    settings.isSmoke ? [] : [{ side: "ours", goal: "P15" }],
  );
}

function digits(value: number): number {
  return Number(value.toPrecision(DIGITS));
}
