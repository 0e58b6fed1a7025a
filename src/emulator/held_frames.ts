/**
 * Frames that are held back: a stream that stalls, with everything that comes after on it, and a frame that waits for
 * the next one to overtake it. Bad case: a frame that waits while its instrument is subscribed anew; it is forgotten,
 * because behind a new snapshot it would be something that no network does.
 */
import type { Clock } from "./clock.ts";
import type { FrameAbout, FrameKind } from "./protocol.ts";

/** A frame on its way. */
export type Parcel = {
  frame: string | Buffer;
  readonly about: FrameAbout;
  /** Number of the frame on its connection. */
  readonly index: number;
  copies: number;
  /** Another frame that is sent right behind it. */
  follower: string | undefined;
};

/** A stream that stands. */
export type Stall = {
  readonly only: readonly string[] | undefined;
  readonly queue: Parcel[];
  readonly cancel: () => void;
  /** Called for every frame that it holds back. */
  whenQueued: (parcel: Parcel) => void;
};
type Swap = { readonly parcel: Parcel; readonly frames: readonly FrameKind[]; readonly whenSent: () => void };

/** The held frames of one connection. */
export class HeldFrames {
  readonly #clock: Clock;
  readonly #deliver: (frame: string | Buffer, onWritten?: () => void) => void;
  readonly #swaps = new Map<string, Swap>();
  #stalls: Stall[] = [];

  constructor(clock: Clock, deliver: (frame: string | Buffer, onWritten?: () => void) => void) {
    this.#clock = clock;
    this.#deliver = deliver;
  }

  /** Sends a frame, or queues it where its stream stands. */
  dispatch(parcel: Parcel): void {
    const { symbol } = parcel.about;
    if (this.#swaps.get(symbol)?.parcel === parcel) {
      return;
    }
    const stall = this.#stalls.find(({ only }) => only?.includes(symbol) ?? true);
    if (stall === undefined) {
      this.#send(parcel);
    } else {
      stall.queue.push(parcel);
      stall.whenQueued(parcel);
    }
  }

  /** Lets a stream stand for a time. @param only these symbols; undefined: everything @returns undefined when it stands already */
  stall(only: readonly string[] | undefined, ms: number): Stall | undefined {
    const isStanding = this.#stalls.some((one) => one.only === undefined || only?.some((it) => one.only?.includes(it)));
    if (isStanding) {
      return undefined;
    }
    const cancel = this.#clock.setTimer(() => this.#release(stall), ms);
    const stall: Stall = { only, queue: [], cancel, whenQueued: () => undefined };
    this.#stalls.push(stall);
    return stall;
  }

  /** Lets a frame wait for the next one of its symbol. @returns false when one waits already */
  swap(parcel: Parcel, { frames, whenSent }: { frames: readonly FrameKind[]; whenSent: () => void }): boolean {
    const { symbol } = parcel.about;
    if (this.#swaps.has(symbol)) {
      return false;
    }
    this.#swaps.set(symbol, { parcel, frames, whenSent });
    return true;
  }

  /** Forgets the frame that waits to be overtaken. */
  forget(symbol: string): void {
    this.#swaps.get(symbol)?.parcel.about.onWritten?.();
    this.#swaps.delete(symbol);
  }

  /** The connection is gone, or might as well be. */
  close(): void {
    for (const { parcel } of this.#swaps.values()) {
      parcel.about.onWritten?.();
    }
    this.#swaps.clear();
    for (const { cancel, queue } of this.#stalls.splice(0)) {
      cancel();
      for (const { about } of queue) {
        about.onWritten?.();
      }
    }
  }

  #release(stall: Stall): void {
    this.#stalls = this.#stalls.filter((one) => one !== stall);
    for (const parcel of stall.queue) {
      this.#send(parcel);
    }
  }

  #send(parcel: Parcel): void {
    const { frame, about, copies, follower } = parcel;
    this.#deliver(frame, about.onWritten);
    for (let copy = 1; copy < copies; copy += 1) {
      this.#deliver(frame);
    }
    if (follower !== undefined) {
      this.#deliver(follower);
    }
    const swap = this.#swaps.get(about.symbol);
    if (swap !== undefined && swap.parcel !== parcel && swap.frames.includes(about.kind)) {
      this.#swaps.delete(about.symbol);
      swap.whenSent();
      this.#send(swap.parcel);
    }
  }
}
