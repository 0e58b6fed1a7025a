/**
 * Animation frames: whatever changed since the last frame is read once and told once, however many ticks there were. One
 * callback serves all stores of a provider, and none is asked for while nothing changes.
 * Bad case: a hidden page; browsers then give no frames, nothing is rendered, and the first frame shows the last state.
 */

/** Runs a task before the next paint. */
export type RequestFrame = (task: () => void) => unknown;

const FALLBACK_MS = 16;

/** requestAnimationFrame, or a timer where there is none. */
export const requestFrame: RequestFrame = (task) =>
  globalThis.requestAnimationFrame === undefined
    ? setTimeout(task, FALLBACK_MS)
    : globalThis.requestAnimationFrame(task);

/** Tasks for the next frame, each once. */
export class Frames {
  readonly #request: RequestFrame;
  #tasks = new Set<() => void>();

  constructor(request: RequestFrame) {
    this.#request = request;
  }

  /** Runs a task in the next frame. */
  add(task: () => void): void {
    if (this.#tasks.size === 0) {
      this.#request(() => this.#run());
    }
    this.#tasks.add(task);
  }

  /** Runs it no more. */
  drop(task: () => void): void {
    this.#tasks.delete(task);
  }

  #run(): void {
    const tasks = this.#tasks;
    this.#tasks = new Set();
    for (const task of tasks) {
      task();
    }
  }
}
