/**
 * The times of one connection's frames: when each arrived, and how long it took until it was applied. At 100,000 frames a
 * second a number that crosses a call would be boxed, 16 bytes each time, so times stand in places that are written to.
 * Bad case: frames that arrived together and wait for each other; the later ones count from when their turn came.
 */
import type { LandedFrame } from "../sync/mod.ts";
import type { FeedClock } from "./clock.ts";

const NS_PER_US = 1000;
const STARTED = 0;
const APPLIED = 1;
const INT_MAX = 0x7fffffff;

/** Stamps the frames of one connection. */
export class FrameClock {
  /** The frame under way: its time, and where it lies in a landing if it does. */
  readonly frame: LandedFrame = { address: 0, length: 0, receivedAt: 0 };
  readonly #clock: FeedClock;
  /** In fine steps where the clock has them. */
  readonly #times = new Float64Array(2);

  constructor(clock: FeedClock) {
    this.#clock = clock;
  }

  /** A read came in: the frames that follow arrived together. */
  arrived(): void {
    this.#look(STARTED);
  }

  /** A frame's turn came: `frame.receivedAt` is its time. */
  begin(): void {
    // Whole microseconds as everywhere, written out: this runs for every frame.
    this.frame.receivedAt = Math.floor((this.#times[STARTED] ?? 0) / NS_PER_US) * NS_PER_US;
  }

  /** It was applied. @param tell gets the ns that it took; the next frame of the same read counts from now on */
  applied(tell: (elapsedNs: number) => void): void {
    this.#look(APPLIED);
    const elapsed = (this.#times[APPLIED] ?? 0) - (this.#times[STARTED] ?? 0);
    // A small whole number is passed without being boxed.
    tell(elapsed < INT_MAX ? elapsed | 0 : elapsed);
    this.#times[STARTED] = this.#times[APPLIED] ?? 0;
  }

  #look(place: number): void {
    const { fineInto, fine, now } = this.#clock;
    if (fineInto === undefined) {
      this.#times[place] = (fine ?? now)();
    } else {
      fineInto(this.#times, place);
    }
  }
}
