/** One socket of a connection and what is known of it. Bad case: none, this is a type. */
import type { Pacer } from "./pacer.ts";
import type { FeedSocket, Landing } from "./socket.ts";

/** A socket and what is known of it. Times are monotonic ms. */
export type Link = {
  socket: FeedSocket | undefined;
  readonly landing: Landing | undefined;
  /** Its socket says when a read came in: the time is looked at then, not for every frame. */
  tellsReads: boolean;
  pacer: Pacer;
  readonly startedAt: number;
  openedAt: number | undefined;
  /** The last sign of life: a frame, a ping or a pong. */
  heardAt: number;
  /** The last frame. */
  frameAt: number;
  pingedAt: number;
  frames: number;
  /** The exchange sends heartbeats on it: frames never cease. */
  hasBeat: boolean;
};
