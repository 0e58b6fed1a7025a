/**
 * One client of Kraken's WebSocket v1, which is frozen: only captures of it are served, there is no synthetic v1.
 * Frames name channels by number, so acknowledgements repeat the numbers that the capture has.
 * Bad case: a pair or channel that the capture does not hold; refused as v1 refuses unknown pairs.
 */
import type { Audience, RecordedFrame, Topic } from "./audience.ts";
import type { CapturePlayer } from "./capture_player.ts";
import { type ClientSession, type Connection, type FrameAbout, REPLY } from "./protocol.ts";
import { isObject, parseObject, textArray } from "./text.ts";

const HEARTBEAT_MS = 1_000;
const HEARTBEAT_FRAME = '{"event":"heartbeat"}';
const HEARTBEAT: FrameAbout = { kind: "heartbeat", symbol: "" };
const OTHER: FrameAbout = { kind: "other", symbol: "" };

type SessionOptions = { connection: Connection; id: string; now: () => number };

/** One client. */
export class KrakenV1Session implements ClientSession, Audience {
  readonly connection: Connection;
  subscribedAtMs: number | undefined;
  readonly #player: CapturePlayer;
  readonly #now: () => number;
  readonly #channels = new Set<string>();
  #hasEnded = false;
  #beatAtMs = 0;

  /** @param id connection id, digits @param now Unix milliseconds */
  constructor(player: CapturePlayer, { connection, id, now }: SessionOptions) {
    this.#player = player;
    this.connection = connection;
    this.#now = now;
    player.join(this);
    connection.send(`{"connectionID":${id},"event":"systemStatus","status":"online","version":"1.8.3"}`, OTHER);
  }

  message(text: string): void {
    const request = parseObject(text);
    if (request?.event === "ping") {
      const id = Number.isSafeInteger(request.reqid) ? `,"reqid":${String(request.reqid)}` : "";
      this.connection.send(`{"event":"pong"${id}}`, REPLY);
    } else if (request?.event === "subscribe" || request?.event === "unsubscribe") {
      this.#change(request.event, request);
    } else {
      this.connection.send(JSON.stringify({ errorMessage: "Malformed request", event: "error" }), REPLY);
    }
  }

  control(): void {
    // Pings are answered by the socket itself; this exchange counts none.
  }

  tick(atMs: number): void {
    if (this.subscribedAtMs !== undefined && atMs - this.#beatAtMs >= HEARTBEAT_MS) {
      this.#beatAtMs = atMs;
      if (this.#hasEnded || !this.#player.capture.hasHeartbeats) {
        this.connection.send(HEARTBEAT_FRAME, HEARTBEAT);
      }
    }
  }

  volunteer(): boolean {
    return false;
  }

  closed(): void {
    this.#player.leave(this);
  }

  wants({ kind, symbol, channel }: Topic): boolean {
    return kind === "heartbeat" || kind === "other"
      ? this.subscribedAtMs !== undefined
      : this.#channels.has(`${channel} ${symbol}`);
  }

  print(frame: RecordedFrame): string {
    return frame.text;
  }

  sent(): void {
    // Nothing a later frame of this exchange would have to repeat.
  }

  ended(): void {
    this.#hasEnded = true;
  }

  #change(event: "subscribe" | "unsubscribe", request: Record<string, unknown>): void {
    const subscription = isObject(request.subscription) ? request.subscription : {};
    const name = typeof subscription.name === "string" ? subscription.name.slice(0, 64) : "";
    for (const pair of textArray(request.pair) ?? []) {
      const found = this.#player.capture.krakenChannels.find((one) => one.pair === pair && one.name.startsWith(name));
      const about = { pair: pair.slice(0, 64), status: "error", subscription: { name } };
      if (name === "" || found === undefined) {
        const errorMessage = `Currency pair not supported ${pair.slice(0, 64)}`;
        this.connection.send(JSON.stringify({ errorMessage, event: "subscriptionStatus", ...about }), REPLY);
        continue;
      }
      const key = `${found.name} ${pair}`;
      const status = event === "subscribe" ? "subscribed" : "unsubscribed";
      if (this.#channels.has(key) !== (event === "subscribe")) {
        const kind = name === "book" ? "book" : "trade";
        this.connection.subscription({ symbol: pair, kind, isOn: event === "subscribe" });
      }
      if (event === "subscribe") {
        this.#channels.add(key);
        this.subscribedAtMs ??= this.#now();
      } else {
        this.#channels.delete(key);
      }
      const details = found.depth === undefined ? { name } : { depth: found.depth, name };
      const identity = { channelID: found.id, channelName: found.name };
      const ack = JSON.stringify({ ...identity, event: "subscriptionStatus", pair, status, subscription: details });
      this.connection.send(ack, { kind: "reply", symbol: pair });
    }
  }
}
