/**
 * Paints what changed once per screen refresh: messages only mark their instrument, the next animation frame paints
 * each marked one once, however many messages came. Nothing runs while nothing changes, and a hidden tab paints nothing.
 * Bad case: a painter that throws would take the others of its frame with it; the error is passed on after them.
 */

/** Frames whose painting time is kept. */
const KEPT_FRAMES = 600;

/** Paints the newest state. `atMs` is the time of the frame, on the clock of requestAnimationFrame. */
export type Painter = (atMs: number) => void;

/** Collects painters and runs them once in the next frame. */
export class FrameLoop {
  readonly #requestFrame: (callback: (atMs: number) => void) => unknown;
  readonly #preciseMs: (() => number) | undefined;
  readonly #spans: number[] = [];
  #painted = 0;
  #due = new Set<Painter>();
  #isRequested = false;

  /**
   * @param requestFrame as `requestAnimationFrame`; a test passes its own
   * @param preciseMs as `performance.now`; without it nothing is measured
   */
  constructor(requestFrame: (callback: (atMs: number) => void) => unknown, preciseMs?: () => number) {
    this.#requestFrame = requestFrame;
    this.#preciseMs = preciseMs;
  }

  /** Painting time of the last frames, milliseconds: the median, the 99th percentile and the worst; zeros before the first. */
  get spans(): { median: number; p99: number; worst: number } {
    const sorted = [...this.#spans].sort((a, b) => a - b);
    const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
    return { median: at(0.5), p99: at(0.99), worst: at(1) };
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
    const beganMs = this.#preciseMs?.() ?? 0;
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
    if (this.#preciseMs !== undefined) {
      this.#spans[this.#painted % KEPT_FRAMES] = this.#preciseMs() - beganMs;
      this.#painted += 1;
    }
    if (failures.length > 0) {
      throw failures[0];
    }
  }
}
