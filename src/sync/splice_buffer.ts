/**
 * Frames of one instrument that wait for its REST snapshot. Bounded by count and bytes: when it is full the oldest frame
 * leaves and is counted, because a later snapshot can still meet the rest, while a dropped newest frame would be a gap.
 * Bad case: snapshots that never arrive; the buffer then holds the last few seconds and nothing grows.
 */

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

/** The waiting frames of one instrument, oldest first. */
export class SpliceBuffer {
  readonly #limits: SpliceBufferLimits;
  #frames: BufferedFrame[] = [];
  #bytes = 0;

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
   * began anew are forgotten when the snapshot belongs to younger ones.
   */
  joins(sequence: bigint): boolean {
    const place = this.#frames.findIndex(({ firstSequence }) => firstSequence <= sequence + 1n);
    if (place < 0) {
      return this.#frames.length === 0;
    }
    for (const { bytes } of this.#frames.splice(0, place)) {
      this.#bytes -= bytes.length;
    }
    return true;
  }

  /** Keeps a frame; its bytes are not copied. @returns frames that had to leave for it */
  push(frame: BufferedFrame): number {
    this.#frames.push(frame);
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

  /** Forgets all frames. */
  clear(): void {
    this.#frames = [];
    this.#bytes = 0;
  }
}
