/**
 * One socket of a connection and what is known of it: when it was heard, whether that is too long ago.
 * Bad case: a socket that answers pings while the exchange behind it is gone; its heartbeats stop, and they count.
 */
import { FAILURE_CLOSED, FAILURE_STATUS, FAILURE_UNREACHABLE } from "../../assembly/layout.ts";
import type { Exchange } from "../exchanges/mod.ts";
import type { EndpointAttempt } from "./endpoints.ts";
import type { Pacer } from "./pacer.ts";
import { demandedRestMs } from "./retry_after.ts";
import type { FeedSocket, Landing, Refusal } from "./socket.ts";

/** A ping that nothing follows for so long: the connection is dead. */
const PONG_MS = 20_000;
/** A socket that lasts for so long shows that its endpoint works; one that is closed before does not. */
const LASTING_MS = 1000;

/** A socket and what is known of it. Times are monotonic ms. */
export type Link = {
  socket: FeedSocket | undefined;
  /** At the endpoint; its outcome is known when the socket lasts. */
  readonly attempt: EndpointAttempt;
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

/** A link whose socket is about to be opened. */
export function beginLink(parts: Pick<Link, "attempt" | "landing" | "pacer">, at: number): Link {
  return {
    ...parts,
    socket: undefined,
    tellsReads: false,
    startedAt: at,
    openedAt: undefined,
    heardAt: at,
    frameAt: at,
    pingedAt: at,
    frames: 0,
    hasBeat: false,
  };
}

/** Pings when it is time, or when nothing was heard for half of the time allowed. @returns why it is dead, if it is */
export function silenceOf(
  link: Link,
  at: number,
  { idleMs, pingMs }: Exchange["header"]["timing"],
): string | undefined {
  const isProbeDue = at - Math.max(link.heardAt, link.pingedAt) >= idleMs / 2;
  const isUnanswered = link.pingedAt > link.heardAt;
  if (isUnanswered && at - link.pingedAt >= PONG_MS) {
    return `a ping was not answered for ${PONG_MS} ms`;
  }
  if (isProbeDue || (!isUnanswered && pingMs > 0 && at - link.pingedAt >= pingMs)) {
    link.pingedAt = at;
    link.socket?.ping();
  }
  if (at - link.heardAt >= idleMs) {
    return `silent for ${idleMs} ms`;
  }
  return link.hasBeat && at - link.frameAt >= idleMs ? `no heartbeat for ${idleMs} ms` : undefined;
}

/** Tells the endpoint that the socket lasts, once it does. */
export function noteLasting(link: Link, at: number): void {
  if (link.openedAt !== undefined && at - link.openedAt >= LASTING_MS) {
    link.attempt.succeeded();
  }
}

/** Tells the endpoint how its end, not ours, ended the socket. */
export function noteEnd(link: Link, at: number, refusal: Refusal | undefined): void {
  noteLasting(link, at);
  if (refusal === undefined) {
    link.attempt.failed({ kind: link.openedAt === undefined ? FAILURE_UNREACHABLE : FAILURE_CLOSED });
    return;
  }
  const { status, retryAfterMs } = refusal;
  link.attempt.failed({ kind: FAILURE_STATUS, status, restMs: demandedRestMs(status, retryAfterMs) });
}
