/**
 * The way from the hub to one client, as TCP makes it: a buffer on the hub's side, a window of bytes that are under way or
 * not read yet, parts that arrive in order, and a client that reads as fast as it can.
 * Bad case: a link that ends with half a message under way; a message arrives whole or not at all.
 */
import type { Clock } from "../../../src/emulator/clock.ts";

/** How a link behaves. Times in milliseconds. */
export type LinkOptions = {
  readonly clock: Clock;
  /** 0 ≤ x < 1 */
  readonly random: () => number;
  /** Longest delay of a part; each link has a base of its own below it. */
  readonly delayMs: number;
  /** Bytes that can be under way or unread. */
  readonly windowBytes: number;
  /** How fast the client reads; infinite = at once. */
  readonly bytesPerMs: number;
  /** Share of the parts before which it does not read for a while. */
  readonly stall: number;
  /** Longest such while. */
  readonly stallMs: number;
  /** The hub's buffer became smaller. */
  readonly drained: () => void;
};

/** As TCP does: no crumbs are sent into a window that is nearly full. */
const ROOM_SHARE = 0.25;

type Waiting = { readonly deliver: () => void; left: number };

/** One direction of one connection, hub to client. */
export class MemoryLink {
  readonly #options: LinkOptions;
  readonly #baseMs: number;
  readonly #queue: Waiting[] = [];
  #buffered = 0;
  #underWay = 0;
  #readAtMs = 0;
  #isFrozen = false;

  constructor(options: LinkOptions) {
    this.#options = options;
    this.#baseMs = (options.random() * options.delayMs) / 2;
  }

  /** Bytes that the hub has written and the network has not taken. */
  get bufferedBytes(): number {
    return this.#buffered;
  }

  /** Takes a message; it goes as soon as the window has room. @param bytes ≥ 1 @param deliver it was read whole */
  push(bytes: number, deliver: () => void): void {
    this.#buffered += bytes;
    if (!this.#isFrozen) {
      this.#queue.push({ deliver, left: bytes });
      this.#pump();
    }
  }

  /** Nothing arrives any more; what is pushed stays in the hub's buffer. */
  freeze(): void {
    this.#isFrozen = true;
    this.#queue.length = 0;
  }

  #pump(): void {
    const { windowBytes } = this.#options;
    for (let first = this.#queue[0]; first !== undefined; first = this.#queue[0]) {
      const room = windowBytes - this.#underWay;
      if (room < Math.min(first.left, windowBytes * ROOM_SHARE)) {
        return;
      }
      const part = Math.min(first.left, room);
      first.left -= part;
      this.#buffered -= part;
      if (first.left === 0) {
        this.#queue.shift();
      }
      this.#travel(part, first.left === 0 ? first.deliver : undefined);
    }
  }

  /** @param deliver of the message that this part completes */
  #travel(bytes: number, deliver: (() => void) | undefined): void {
    const { clock, random, delayMs, bytesPerMs, stall, stallMs } = this.#options;
    this.#underWay += bytes;
    const nowMs = clock.now();
    const arrivesMs = nowMs + this.#baseMs + (random() * delayMs) / 2;
    const stalledMs = deliver !== undefined && stall > 0 && random() < stall ? random() * stallMs : 0;
    this.#readAtMs = Math.max(arrivesMs, this.#readAtMs) + bytes / bytesPerMs + stalledMs;
    clock.setTimer(() => this.#read(bytes, deliver), this.#readAtMs - nowMs);
  }

  #read(bytes: number, deliver: (() => void) | undefined): void {
    if (this.#isFrozen) {
      return;
    }
    this.#underWay -= bytes;
    const before = this.#buffered;
    this.#pump();
    deliver?.();
    if (this.#buffered < before) {
      this.#options.drained();
    }
  }
}
