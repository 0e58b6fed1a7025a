/**
 * Our book alone on decoded changes: books of a kernel that nobody publishes, every level set by a call from JavaScript.
 * Bad case: it pays that call for every level; a program that is called once for all of them does not.
 */
import type { Engine } from "../engine.ts";
import { mustEqual, type Side } from "../harness.ts";
import { layBytes } from "../workbench.ts";
import { bookDigest, CHANGE_BYTES, changeColumns, type LevelChanges } from "./level_changes.ts";

/** A side that applies the changes of `takeChanges` and must end in their digests. */
export function ownBooks(engine: Engine, { first, changes, digests }: LevelChanges): Side {
  const { producer, name } = engine.bench;
  const books = digests.map(() => producer.bookCreate());
  const lay = (bytes: Buffer, what: string) => {
    const [address = 0] = layBytes(engine.bench, what, [bytes]).addresses;
    return { address, count: bytes.length / CHANGE_BYTES, ...changeColumns(bytes) };
  };
  const apply = (laid: ReturnType<typeof lay>) => {
    const { address, count, sides } = laid;
    for (let index = 0; index < count; index++) {
      producer.bookApply(books[laid.books[index] ?? 0] ?? 0, sides[index] ?? 0, address + index * CHANGE_BYTES);
    }
  };
  const snapshot = lay(first, "first levels");
  const update = lay(changes, "changes");
  return {
    name,
    prepare: () => {
      for (const book of books) {
        producer.bookClear(book);
      }
      apply(snapshot);
    },
    work: () => {
      apply(update);
      return 0;
    },
    verify: () => {
      for (const [index, expected] of digests.entries()) {
        mustEqual(`our book ${index}`, bookDigest(engine, books[index] ?? 0), expected);
      }
    },
  };
}
