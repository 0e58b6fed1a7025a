/**
 * What a session must offer so that a capture can be played to it. Sessions answer subscriptions themselves and differ
 * by exchange; the player only asks what a session wants.
 */
import type { Connection, FrameKind } from "./protocol.ts";

/** What a frame is about. */
export type Topic = {
  /** A recorded snapshot of a book is of kind `book` here. */
  kind: Exclude<FrameKind, "snapshot" | "reply">;
  /** Native symbol as the frame spells it; empty where the frame names none. */
  symbol: string;
  /** The exchange's channel or stream name, e.g. `btcusdt@kline_1m`, `book-1000`. */
  channel: string;
};

/** A recorded frame. */
export type RecordedFrame = Topic & {
  /** Text, byte-exact as it was received. */
  text: string;
  /** Microseconds since the capture began. */
  atUs: number;
  /** Coinbase: what a heartbeat after this frame must repeat. */
  lastTrade?: { tradeId: string; sequence: string };
};

/** A session to which a capture can be played. */
export interface Audience {
  readonly connection: Connection;
  /** When the first subscription was accepted, Unix milliseconds; undefined before. */
  readonly subscribedAtMs: number | undefined;
  /** Whether the client subscribed to this. */
  wants(topic: Topic): boolean;
  /** The text for this client: as recorded, unless the client chose another envelope. */
  print(frame: RecordedFrame): string;
  /** A wanted frame was sent. */
  sent(frame: RecordedFrame): void;
  /** The last frame was sent: heartbeats are the session's own from here. */
  ended(): void;
}
