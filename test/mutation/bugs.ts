/**
 * The catalogue of planted bugs: the nine that the simulation plants by name, and mutants over the whole product. Each
 * would publish wrong, late, reordered or unmarked market data, or leak, or storm; `npm run mutate` plants them one at a
 * time and runs the suite, which must notice every one.
 * Bad case: the source moves on; the freshness test names the edits that no longer fit.
 */
import { AUDIT_MUTANTS } from "./mutants_audit.ts";
import { BOOK_MUTANTS } from "./mutants_books.ts";
import { DECODER_MUTANTS } from "./mutants_decoders.ts";
import { NUMBER_MUTANTS } from "./mutants_numbers.ts";
import { RING_MUTANTS } from "./mutants_ring.ts";
import { STREAM_MUTANTS } from "./mutants_stream.ts";
import { SYNC_MUTANTS } from "./mutants_sync.ts";
import { VIEW_MUTANTS } from "./mutants_views.ts";
import { NAMED_BUGS } from "./named_bugs.ts";
import type { Patch } from "./patch.ts";

export type { Edit, Patch } from "./patch.ts";
export { NAMED_BUGS };

/** Every planted bug, the nine named ones first. */
export const BUGS: readonly Patch[] = [
  ...NAMED_BUGS,
  ...NUMBER_MUTANTS,
  ...BOOK_MUTANTS,
  ...RING_MUTANTS,
  ...DECODER_MUTANTS,
  ...SYNC_MUTANTS,
  ...VIEW_MUTANTS,
  ...AUDIT_MUTANTS,
  ...STREAM_MUTANTS,
];

/**
 * A planted bug by its name.
 * @throws RangeError when there is none of that name
 */
export function bugNamed(name: string): Patch {
  const bug = BUGS.find((candidate) => candidate.name === name);
  if (bug === undefined) {
    const known = NAMED_BUGS.map((candidate) => candidate.name).join(", ");
    throw new RangeError(`Cannot plant a bug: --bug knows ${known}, was ${name}`);
  }
  return bug;
}
