/**
 * Paints what changed once per screen refresh: messages only mark their instrument, the next animation frame paints
 * each marked one once, however many messages came. Nothing runs while nothing changes, and a hidden tab paints nothing.
 * Bad case: a painter that throws would take the others of its frame with it; the error is passed on after them.
 */

/** Paints the newest state. `atMs` is the time of the frame, on the clock of requestAnimationFrame. */
export type Painter = (atMs: number) => void;

/** Collects painters and runs them once in the next frame. */
export class FrameLoop {
  readonly #requestFrame: (callback: (atMs: number) => void) => unknown;
  #due = new Set<Painter>();
  #isRequested = false;

  /** @param requestFrame as `requestAnimationFrame`; a test passes its own */
  constructor(requestFrame: (callback: (atMs: number) => void) => unknown) {
    this.#requestFrame = requestFrame;
  }

  /** Runs `painter` in the next frame; asking twice runs it once. */
  request(painter: Painter): void {
    this.#due.add(painter);
    if (!this.#isRequested) {
      this.#isRequested = true;
      this.#requestFrame((atMs) => this.#paint(atMs));
    }
  }

  #paint(atMs: number): void {
    const painters = this.#due;
    this.#due = new Set();
    this.#isRequested = false;
    const failures: unknown[] = [];
    for (const painter of painters) {
      try {
        painter(atMs);
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) {
      throw failures[0];
    }
  }
}
