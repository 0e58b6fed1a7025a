/**
 * Sends a body part by part, for both transports: the next part is asked for when the client has room, and the event
 * loop turns between two parts, so that streams and deltas go on meanwhile.
 * Bad case: a client that goes away or stands still; the producer of the parts is told by `return`, and may let go.
 */
import { setImmediate as turn } from "node:timers/promises";
import type { BodyParts, HttpAnswer } from "./transport.ts";

/** Where parts go. */
export interface PartSink {
  /** The client is gone; nothing may be written any more. */
  readonly isGone: boolean;
  /** Writes one part. @returns false when the client should read before more is written */
  write(part: Uint8Array): boolean;
  /** Resolves when there is room again, or the client is gone. */
  room(): Promise<void>;
  /** All parts were written. */
  end(): void;
  /** The parts ended too early: the client must see that something is missing. */
  destroy(): void;
}

/** True for a body that is sent in parts. */
export function isParts(body: HttpAnswer["body"]): body is BodyParts {
  return typeof body !== "string" && !(body instanceof Uint8Array);
}

/** Sends every part. It never rejects. */
export async function sendParts(parts: BodyParts, sink: PartSink): Promise<void> {
  const iterator = Symbol.asyncIterator in parts ? parts[Symbol.asyncIterator]() : parts[Symbol.iterator]();
  try {
    for (let next = await iterator.next(); next.done !== true; next = await iterator.next()) {
      if (!sink.isGone && !sink.write(next.value)) {
        await sink.room();
      }
      await turn();
      if (sink.isGone) {
        await iterator.return?.();
        return;
      }
    }
    sink.end();
  } catch {
    sink.destroy();
  }
}

/** Lets go of a body that nobody wants. */
export function dropParts(body: HttpAnswer["body"]): void {
  if (isParts(body)) {
    const iterator = Symbol.asyncIterator in body ? body[Symbol.asyncIterator]() : body[Symbol.iterator]();
    void iterator.return?.();
  }
}
