/**
 * A value for useSyncExternalStore that is another one once per frame at most. While nobody listens nothing is held open.
 * Bad case: a component that unmounts between change and frame; the frame finds no listener and does nothing.
 */
import type { Frames } from "./frames.ts";

/** Where the values come from. */
export type FrameSource<Value> = {
  /** Before anything is known. */
  readonly initial: Value;
  /** Somebody listens: call `changed` from now on. @returns ends it */
  open(changed: () => void): () => void;
  /** The value as it is now; the one before when nothing that shows is another. */
  read(before: Value): Value;
};

/** A store of one value. */
export class FrameStore<Value> {
  readonly #frames: Frames;
  readonly #source: FrameSource<Value>;
  readonly #listeners = new Set<() => void>();
  #value: Value;
  #close: (() => void) | undefined;

  constructor(frames: Frames, source: FrameSource<Value>) {
    this.#frames = frames;
    this.#source = source;
    this.#value = source.initial;
  }

  /** As useSyncExternalStore wants it. */
  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    this.#close ??= this.#source.open(() => this.#frames.add(this.#refresh));
    this.#frames.add(this.#refresh);
    return () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size === 0) {
        this.#frames.drop(this.#refresh);
        this.#close?.();
        this.#close = undefined;
      }
    };
  };

  /** As useSyncExternalStore wants it. */
  readonly get = (): Value => this.#value;

  readonly #refresh = (): void => {
    if (this.#close === undefined) {
      return;
    }
    const value = this.#source.read(this.#value);
    if (value !== this.#value) {
      this.#value = value;
      for (const listener of this.#listeners) {
        listener();
      }
    }
  };
}
