/**
 * A view of an instrument's book that holds its best levels, or changes more seldom, or both: a replica of its own with
 * versions and a hash of its own, brought up to the book in one event at a time. It does nothing while nobody subscribes.
 * Bad case: the book is lost; the view is emptied with it, and its versions begin again under another epoch.
 */
import { REPLICA_BUFFER_FULL } from "../../assembly/layout.ts";
import type { BookView } from "./book_view.ts";
import type { GatewayLimits } from "./limits.ts";
import type { Outlet } from "./outlet.ts";
import type { StreamView } from "./stream_view.ts";
import { ViewOutput } from "./view_output.ts";
import type { Workspace } from "./workspace.ts";

/** Bytes of the encode buffer of a view with few levels, at first. */
const ENCODE_BYTES_FEW = 16_384;

/** What following did: `partial` when those who want JSON cannot be told what changed; `lost` when there is no room for the view. */
export type FollowOutcome = "same" | "changed" | "partial" | "lost";

/** One depth and rate of one instrument's book. */
export class DerivedView implements StreamView {
  readonly output: ViewOutput;
  readonly #workspace: Workspace;
  readonly #base: BookView;
  #followedAtMs = Number.NEGATIVE_INFINITY;

  /**
   * @param options.depth levels a side, 0 = all @param options.rateMs between two changes at least
   * @throws RangeError when the arena is exhausted
   */
  constructor(
    workspace: Workspace,
    options: {
      base: BookView;
      instrument: string;
      depth: number;
      rateMs: number;
      alias: number;
      outlet: Outlet;
      limits: GatewayLimits;
      now: () => number;
    },
  ) {
    const { base, instrument, depth, rateMs, ...others } = options;
    const encodeBytes =
      depth === 0 ? options.limits.encodeBytes : Math.min(ENCODE_BYTES_FEW, options.limits.encodeBytes);
    this.#workspace = workspace;
    this.#base = base;
    this.output = new ViewOutput(workspace, { ...others, label: { instrument, depth, rateMs }, encodeBytes });
  }

  get isReady(): boolean {
    return this.output.replica.isFollowing;
  }

  /** When it may change again, by the clock of `follow`. */
  get dueAtMs(): number {
    return this.#followedAtMs + this.output.label.rateMs;
  }

  /** Empties it: the book is another one from here on. @param origin a number that was never used before */
  restart(origin: number): void {
    this.output.replica.clear();
    this.output.restart(origin);
    this.#followedAtMs = Number.NEGATIVE_INFINITY;
  }

  /** Every change is sent as it is made: nothing waits. */
  flush(): void {
    this.output.flush();
  }

  /** Takes over what changed in the book since the last time, as one event, and sends it. */
  follow(nowMs: number): FollowOutcome {
    const { replica } = this.output;
    if (!this.#base.isReady) {
      return "same";
    }
    const { version, isFollowing } = replica;
    const changes = this.#followWithRoom();
    if (!replica.isFollowing) {
      return "lost";
    }
    if (changes <= 0) {
      return "same";
    }
    this.#followedAtMs = nowMs;
    this.output.noteEvent();
    return isFollowing ? this.#publish(version) : "changed";
  }

  /** Gives its memory back; it is not to be used again. */
  release(): void {
    this.output.replica.release();
  }

  #followWithRoom(): number {
    const { frames, replica, label } = this.output;
    for (;;) {
      const code = this.#workspace.kernel.viewFollow(replica.address, this.#base.replica.address, label.depth);
      if (code !== REPLICA_BUFFER_FULL) {
        return code;
      }
      if (frames.hasEvents) {
        this.output.flush();
      } else if (!frames.makeRoom()) {
        replica.clear();
        return code;
      }
    }
  }

  #publish(version: number): FollowOutcome {
    this.output.flush();
    if (!this.output.hasListeners("json")) {
      return "changed";
    }
    const changes = this.output.changesSince(version);
    if (changes === undefined) {
      return "partial";
    }
    this.output.publishChanges(version, changes);
    return "changed";
  }
}
