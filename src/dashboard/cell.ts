/**
 * A value that tells its listeners when it was replaced: what React's useSyncExternalStore subscribes to. Keeps React
 * out of the path of market messages: only what changes about once a second lives in cells.
 * Bad case: setting an equal value wakes nobody, so a mutated object that is set again is not noticed: replace it.
 */
import { useSyncExternalStore } from "react";

/** A replaceable value with listeners. */
export class Cell<T> {
  #value: T;
  readonly #listeners = new Set<() => void>();

  constructor(value: T) {
    this.#value = value;
  }

  /** The value now. Bound, so that it can be passed as a function. */
  readonly get = (): T => this.#value;

  /** Replaces the value; the listeners are called unless it is the same. */
  set(value: T): void {
    if (Object.is(value, this.#value)) {
      return;
    }
    this.#value = value;
    for (const listener of this.#listeners) {
      listener();
    }
  }

  /** Calls `listener` after each replacement. @returns a function that ends it */
  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  };
}

/** The value of a cell in a component, which renders again when it is replaced. */
export function useCell<T>(cell: Cell<T>): T {
  return useSyncExternalStore(cell.subscribe, cell.get);
}
