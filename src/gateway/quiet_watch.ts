/**
 * Finds books that are not where their producer is although nothing waits to be read: the version chain shows a loss at the
 * next record only, and a quiet market has none; and a book that was told too high a version takes every later record for
 * one that it has. The producer's own cell says how far it is; one that stays at another version is a loss.
 * Bad case: a cell that is damaged itself; a book is joined again once for each of its own versions, not for ever.
 */
import type { Binding } from "./instrument.ts";

/** How long book and cell may differ without anything arriving: far more than a producer waits between writing and publishing. */
const LOSS_MS = 1000;

type Apart = { readonly held: number; readonly sinceMs: number; isDone: boolean };

/** The version that the producer's cell of an instrument names; undefined when it cannot be read or is another's. */
export function producerVersion({ segment, index, id }: Binding): bigint | undefined {
  const cell = index < segment.instrumentCount ? segment.topOfBook(index) : undefined;
  return cell?.instrumentId === id ? cell.version : undefined;
}

/** Watches the books of one segment. */
export class QuietWatch {
  readonly #apart = new Map<Binding, Apart>();

  /**
   * Compares books with their cells. The ring was read to its end.
   * @param nowMs any clock that only goes forward
   * @returns books that are not where they must be, each once for each of its versions
   */
  check(bindings: readonly Binding[], nowMs: number): Binding[] {
    return bindings.filter((binding) => {
      const apart = this.#apartOf(binding, nowMs);
      if (apart === undefined) {
        this.#apart.delete(binding);
        return false;
      }
      this.#apart.set(binding, apart);
      const isLost = !apart.isDone && nowMs - apart.sinceMs >= LOSS_MS;
      apart.isDone ||= isLost;
      return isLost;
    });
  }

  /** The segment is gone. */
  clear(): void {
    this.#apart.clear();
  }

  #apartOf(binding: Binding, nowMs: number): Apart | undefined {
    const { book } = binding.instrument;
    const before = this.#apart.get(binding);
    if (!book.replica.isFollowing) {
      return before?.isDone === true ? before : undefined;
    }
    const version = producerVersion(binding);
    const held = book.replica.version;
    if (version === undefined || (book.replica.isWhole && version === BigInt(held))) {
      return undefined;
    }
    return before?.held === held ? before : { held, sinceMs: nowMs, isDone: false };
  }
}
