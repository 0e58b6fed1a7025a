/**
 * The encode buffer of one replica: takes frames out of it, decides when a frame carries the hash, and lets the buffer
 * grow for an event that is larger than all before.
 * The hash goes with every 64th frame, with the first frame of a second, after every change of synced or crossed, and
 * alone within a second after the last event, then every ten seconds: a client never stays long on a book that nothing proved.
 * Bad case: an event beyond the largest buffer; `makeRoom` says so and the caller joins the book anew.
 */
import {
  REPLICA_BUFFER_BYTES,
  REPLICA_BUFFER_USED,
  REPLICA_EVENTS,
  REPLICA_FRAME_ADDRESS,
  REPLICA_FRAMES_SINCE_CHECK,
} from "../../assembly/layout.ts";
import type { ReplicaBook } from "./replica_book.ts";
import type { Workspace } from "./workspace.ts";

const FRAMES_PER_CHECK = 64;
const CHECK_EVERY_MS = 1000;
/** A quiet book is proved again and again, for a client that lost its last frame and would not know until the next change. */
const QUIET_CHECK_MS = 10_000;
/** A frame is closed when it has grown to this, so that with one more event it stays below FRAME_BYTES_MAX. */
const FRAME_FULL_BYTES = 16_384;

/** Frames of one book. */
export class BookFrames {
  readonly #workspace: Workspace;
  readonly #book: ReplicaBook;
  readonly #bytesMax: number;
  #checkedAtMs = 0;
  #checkedFlags = -1;
  #isUnchecked = false;

  /**
   * @param options.bytes of the buffer at first @param options.bytesMax up to which it grows
   * @throws RangeError when the arena is exhausted
   */
  constructor(workspace: Workspace, options: { book: ReplicaBook; bytes: number; bytesMax: number }) {
    this.#workspace = workspace;
    this.#book = options.book;
    this.#bytesMax = options.bytesMax;
    if (workspace.kernel.frameBufferCreate(options.book.address, options.bytes) !== 0) {
      const used = workspace.kernel.arenaUsed();
      throw new RangeError(`Cannot create an encode buffer: the gateway's arena is exhausted, was ${used} bytes used`);
    }
  }

  /** Whole events wait in the buffer. */
  get hasEvents(): boolean {
    return this.events > 0;
  }

  /** Whole events that wait in the buffer. */
  get events(): number {
    return this.#workspace.u32(this.#book.address + REPLICA_EVENTS);
  }

  /** The buffer holds as much as one frame should. */
  get isFull(): boolean {
    return this.#workspace.u32(this.#book.address + REPLICA_BUFFER_USED) >= FRAME_FULL_BYTES;
  }

  /**
   * Closes the frame of the events that wait.
   * @param nowMs any clock that only goes forward
   * @returns the frame in the kernel's memory, valid until the next record is applied; undefined when there is nothing to send
   */
  take(nowMs: number): Uint8Array | undefined {
    const wantsCheck = this.#wantsCheck(nowMs);
    const bytes = this.#workspace.kernel.frameTake(this.#book.address, wantsCheck ? 1 : 0);
    if (bytes === 0) {
      return undefined;
    }
    if (wantsCheck) {
      this.#checkedAtMs = nowMs;
      this.#checkedFlags = this.#book.flags;
    }
    this.#isUnchecked = !wantsCheck;
    return this.#workspace.view(this.#workspace.u32(this.#book.address + REPLICA_FRAME_ADDRESS), bytes);
  }

  /** Throws away what waits: nobody may receive it, or nobody listens. @returns the bytes that it would have had */
  discard(): number {
    const bytes = this.#workspace.kernel.frameTake(this.#book.address, 0);
    this.#isUnchecked = false;
    return bytes;
  }

  /** Clients that hold the book so far were given a snapshot, which carries the hash. */
  restart(): void {
    this.#isUnchecked = false;
    this.#checkedFlags = this.#book.flags;
  }

  /** The last hash went out long enough ago: a second when frames came after it, else ten. */
  isCheckDue(nowMs: number): boolean {
    return nowMs - this.#checkedAtMs >= (this.#isUnchecked ? CHECK_EVERY_MS : QUIET_CHECK_MS);
  }

  /** Lets the buffer grow for an open event. @returns false when it has its largest size or the arena is exhausted */
  makeRoom(): boolean {
    const { address } = this.#book;
    const bytes = this.#workspace.u32(address + REPLICA_BUFFER_BYTES) * 2;
    return bytes <= this.#bytesMax && this.#workspace.kernel.frameBufferCreate(address, bytes) === 0;
  }

  #wantsCheck(nowMs: number): boolean {
    return (
      this.#workspace.u32(this.#book.address + REPLICA_FRAMES_SINCE_CHECK) >= FRAMES_PER_CHECK - 1 ||
      nowMs - this.#checkedAtMs >= CHECK_EVERY_MS ||
      this.#book.flags !== this.#checkedFlags
    );
  }
}
