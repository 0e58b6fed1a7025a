/**
 * How far behind one client reads, judged by the bytes that wait for it. Above the first limit it is `conflated`: off the
 * topics whose messages may be merged. Above the second one what may not be merged is `reset`, too. It is `live` again when
 * a quarter of the first limit is left. Pure: bytes in, what is to be done out.
 * Bad case: a client that goes on asking while it reads nothing; when its answers fill the first limit once more, it is
 * expelled.
 */
import type { ClientStateWord } from "../wire/protocol.ts";
import type { GatewayLimits } from "./limits.ts";

const DRAINED_SHARE = 4;
const WATCHED_SHARE = 2;

/** What a look at a client's backlog asks for. */
export type BacklogVerdict = "nothing" | "conflate" | "reset" | "drained" | "expel";

/** The backlog of one client. */
export class Backlog {
  readonly #limits: GatewayLimits;
  #state: ClientStateWord = "live";
  #sinceMs: number;
  /** Bytes of messages that are larger than the limit by themselves, allowed beyond it until they have been read. */
  #allowance = 0;
  /** Bytes that waited when the last topic was left: only answers can have come since. */
  #mark = 0;

  constructor(limits: GatewayLimits, nowMs: number) {
    this.#limits = limits;
    this.#sinceMs = nowMs;
  }

  get state(): ClientStateWord {
    return this.#state;
  }

  /** Since when it is in that state, by the clock that `look` is given. */
  get sinceMs(): number {
    return this.#sinceMs;
  }

  /** Reads as fast as it is sent. */
  get isLive(): boolean {
    return this.#state === "live";
  }

  /** Lets a message be sent that is larger than the limit. @param bytes of it */
  allow(bytes: number): void {
    if (bytes > this.#limits.snapshotWindowBytes) {
      this.#allowance += bytes;
    }
  }

  /** Judges the bytes that wait. @param options.hasLossless it is on topics whose messages must not be merged */
  look(bytes: number, { nowMs, hasLossless }: { nowMs: number; hasLossless: boolean }): BacklogVerdict {
    const { backlogBytesMax, losslessBytesMax, snapshotWindowBytes } = this.#limits;
    if (bytes <= snapshotWindowBytes) {
      this.#allowance = 0;
    }
    if (this.#state === "closing") {
      return "nothing";
    }
    if (this.#state === "live") {
      if (bytes <= backlogBytesMax + this.#allowance) {
        return "nothing";
      }
      this.enter("conflated", { bytes, nowMs });
      return "conflate";
    }
    if (bytes <= backlogBytesMax / DRAINED_SHARE) {
      this.enter("live", { bytes, nowMs });
      return "drained";
    }
    if (hasLossless) {
      this.#mark = Math.max(this.#mark, bytes);
      if (bytes <= losslessBytesMax + this.#allowance) {
        return "nothing";
      }
      this.enter("reset", { bytes, nowMs });
      return "reset";
    }
    return bytes > this.#mark + backlogBytesMax ? "expel" : "nothing";
  }

  /** Changes the state. @param options.bytes that wait */
  enter(state: ClientStateWord, { bytes, nowMs }: { bytes: number; nowMs: number }): void {
    this.#state = state;
    this.#sinceMs = nowMs;
    this.#mark = bytes;
  }

  /** It deserves a look after every turn. @param bytes that wait */
  isSuspicious(bytes: number): boolean {
    return (
      this.#state === "conflated" || this.#state === "reset" || bytes > this.#limits.backlogBytesMax / WATCHED_SHARE
    );
  }
}
