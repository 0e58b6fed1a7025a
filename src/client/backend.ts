/**
 * What does a client's work: a socket in this thread, or a worker that has one. Handles, listeners and loops of the
 * client stand in front of it and are the same for both.
 */
import type { ClientCounts, ClientEvent } from "./events.ts";
import type { SlotStore } from "./instrument_slot.ts";
import type { SocketState } from "./socket.ts";
import type { Asker, Request } from "./subscriptions.ts";

/** The working half of a client. */
export interface Backend {
  /** The books and statuses as they are now. */
  readonly store: SlotStore;
  readonly counts: ClientCounts;
  readonly state: SocketState;
  /** Connects for the first time. */
  start(): void;
  /** Wants something from now on, over reconnects. */
  add(request: Request, asker: Asker): void;
  /** Wants it no longer. */
  remove(request: Request, asker: Asker): void;
  listInstruments(): void;
  close(): void;
}

/** Hears everything that a backend tells. */
export type BackendListener = (event: ClientEvent) => void;

/** Counts of a client that saw nothing yet. */
export function emptyCounts(): ClientCounts {
  return {
    bytesIn: 0,
    messagesIn: 0,
    bytesOut: 0,
    framesApplied: 0,
    malformed: 0,
    resyncs: 0,
    resumes: 0,
    resets: 0,
    reconnects: 0,
    tradesMissed: 0,
    droppedEvents: 0,
  };
}
