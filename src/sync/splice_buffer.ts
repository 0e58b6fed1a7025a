/**
 * Frames of one instrument that wait for its REST snapshot. Bounded by count and bytes: when it is full the oldest frame
 * leaves and is counted, because a later snapshot can still meet the rest, while a dropped newest frame would be a gap.
 * When the exchange begins to number anew, frames of the old numbers are still on their way while a snapshot has fresh
 * ones: that snapshot is kept until the first fresh frame, for asking again would bring the same.
 * Bad case: snapshots that never arrive; the buffer then holds the last few seconds and nothing grows.
 */
import { isNumberedAnew } from "./order_record.ts";

/** A frame that waits. */
export type BufferedFrame = {
  readonly bytes: Uint8Array;
  /** ns since the wall anchor; negative = unknown. */
  readonly receivedAt: number;
  readonly firstSequence: bigint;
  readonly lastSequence: bigint;
};

/** Bounds of one buffer. */
export type SpliceBufferLimits = { readonly framesMax: number; readonly bytesMax: number };

/** A snapshot that waits for frames of its numbers. */
type EarlySnapshot = { readonly body: Uint8Array; readonly sequence: bigint; hasCompany: boolean };

/** The waiting frames of one instrument, oldest first. */
export class SpliceBuffer {
  readonly #limits: SpliceBufferLimits;
  #frames: BufferedFrame[] = [];
  #bytes = 0;
  #early: EarlySnapshot | undefined;

  constructor(limits: SpliceBufferLimits) {
    this.#limits = limits;
  }

  /** Frames waiting. */
  get length(): number {
    return this.#frames.length;
  }

  /** Bytes waiting. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The first sequence of the oldest frame. @returns undefined when nothing waits */
  get firstSequence(): bigint | undefined {
    return this.#frames[0]?.firstSequence;
  }

  /**
   * Whether a snapshot is young enough for the waiting frames to follow it. Frames that the exchange numbered before it
   * began anew are forgotten when the snapshot belongs to younger ones, or when none came since an early one was kept.
   */
  joins(sequence: bigint): boolean {
    const place = this.#frames.findIndex(({ firstSequence }) => firstSequence <= sequence + 1n);
    const isQuiet = this.#early?.hasCompany === false && this.isEarly(sequence);
    if (place < 0 && !isQuiet) {
      return this.#frames.length === 0;
    }
    for (const { bytes } of this.#frames.splice(0, place < 0 ? this.#frames.length : place)) {
      this.#bytes -= bytes.length;
    }
    return true;
  }

  /** Whether a snapshot has fresh numbers while all that waits, to the last frame, has the numbers from before. */
  isEarly(sequence: bigint): boolean {
    const last = this.#frames.at(-1);
    return last !== undefined && isNumberedAnew(sequence, last.firstSequence);
  }

  /** Keeps an early snapshot in place of another one; its body is copied. */
  keepEarly(body: Uint8Array, sequence: bigint): void {
    this.#early = { body: new Uint8Array(body), sequence, hasCompany: false };
  }

  /** Takes the early snapshot out as soon as the last frame has its numbers. @returns undefined when none is due */
  takeEarly(): Uint8Array | undefined {
    const early = this.#early;
    const last = this.#frames.at(-1);
    if (early === undefined || last === undefined || last.firstSequence > early.sequence + 1n) {
      return undefined;
    }
    this.#early = undefined;
    return early.body;
  }

  /** Keeps a frame; its bytes are not copied. @returns frames that had to leave for it */
  push(frame: BufferedFrame): number {
    this.#frames.push(frame);
    if (this.#early !== undefined) {
      this.#early.hasCompany = true;
    }
    this.#bytes += frame.bytes.length;
    let dropped = 0;
    while (this.#frames.length - dropped > this.#limits.framesMax || this.#bytes > this.#limits.bytesMax) {
      this.#bytes -= this.#frames[dropped]?.bytes.length ?? 0;
      dropped += 1;
    }
    this.#frames.splice(0, dropped);
    return dropped;
  }

  /** Takes all frames out, oldest first. */
  take(): BufferedFrame[] {
    const frames = this.#frames;
    this.clear();
    return frames;
  }

  /** Forgets all frames, and an early snapshot. */
  clear(): void {
    this.#frames = [];
    this.#bytes = 0;
    this.#early = undefined;
  }
}
