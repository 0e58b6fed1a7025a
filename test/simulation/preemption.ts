/**
 * Preemption in one thread: while it is on, another reader looks at every atomic store of a producer, and something else
 * may run at an atomic load of a reader. So a position that is visible before its record, or a record that is overwritten
 * while it is copied, shows. Only the twin's atomics are JavaScript; the other kernel's cannot be interrupted here.
 * Bad case: what runs in between stores by itself; it is not interrupted again.
 */

/** What runs in between. */
export type Interruptions = { atStore: () => void; atLoad: () => void };

const store = Atomics.store;
const load = Atomics.load;

/** Begins to interrupt. @returns ends it */
export function interruptAtomics(interruptions: Interruptions): () => void {
  let isInside = false;
  const inside = (task: () => void): void => {
    if (!isInside) {
      isInside = true;
      try {
        task();
      } finally {
        isInside = false;
      }
    }
  };
  const target = Atomics as { -readonly [Key in "store" | "load"]: unknown };
  target.store = (...[array, index, value]: Parameters<typeof store>): unknown => {
    const stored = store(array, index, value);
    inside(interruptions.atStore);
    return stored;
  };
  target.load = (...[array, index]: Parameters<typeof load>): unknown => {
    inside(interruptions.atLoad);
    return load(array, index);
  };
  return () => {
    target.store = store;
    target.load = load;
  };
}
