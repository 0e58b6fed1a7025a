/**
 * The baseline on the same frames as an engine: its books begin at the engine's snapshots, and after each run they must
 * hold what the replicas behind our ring hold, level for level, as doubles.
 * Bad case: two decimals that are one double; then the baseline cannot be right, and the comparison says so.
 */
import { type BaselineFeed, createFeed } from "./baseline/feeds.ts";
import type { Engine, FrameChoice } from "./engine.ts";
import { mustEqual } from "./harness.ts";
import type { Followed } from "./ring_check.ts";

/** A baseline feed over an engine's stream. */
export class BaselineRun {
  readonly feed: BaselineFeed;
  readonly #engine: Engine;
  readonly #restore: () => void;
  #end = "";

  constructor(engine: Engine) {
    this.#engine = engine;
    this.feed = createFeed(engine.stream.exchange.header.id);
    for (const { frame, native } of engine.snapshots) {
      if (native === undefined) {
        this.feed.apply(frame.text);
      } else {
        this.feed.applySnapshot(native, frame.text);
      }
    }
    this.#restore = this.feed.save();
  }

  /** Whether its end was compared with the engine's, level for level; afterwards its own first end counts. */
  get isCompared(): boolean {
    return this.#end !== "";
  }

  /** Brings the books back to their snapshots. */
  reset(): void {
    this.#restore();
  }

  /** Parses and applies every frame of a list. @returns frames refused */
  run(choice: FrameChoice): number {
    const { frames } = this.#engine.list(choice);
    const { feed } = this;
    const before = feed.refused;
    for (let index = 0; index < frames.length; index++) {
      feed.apply(frames[index]?.text ?? "");
    }
    return feed.refused - before;
  }

  /** The same from a socket's buffers. */
  runBuffers(choice: FrameChoice): number {
    const { frames } = this.#engine.list(choice);
    const { feed } = this;
    const before = feed.refused;
    for (let index = 0; index < frames.length; index++) {
      feed.apply(frames[index]?.bytes.toString("utf8") ?? "");
    }
    return feed.refused - before;
  }

  /**
   * Judges a run. The first time the engine must stand at the same end: every level is compared with its replicas.
   * @throws Error when a frame was refused, or the books are not those
   */
  verify(refused: number): void {
    const { id } = this.#engine.stream;
    mustEqual(`the baseline of ${id}: frames refused`, refused, 0);
    if (!this.isCompared) {
      for (const followed of this.#engine.check.followed) {
        this.#compare(followed);
      }
    }
    const end = this.#summary();
    this.#end = this.isCompared ? this.#end : end;
    mustEqual(`the baseline of ${id}: the books`, end, this.#end);
  }

  /** Counts, best prices, and a sum over every level of every book. */
  #summary(): string {
    const parts = [...this.feed.books].map(([native, { bids, asks }]) => {
      const sums = [bids, asks].map((side) => {
        let sum = 0;
        for (let rank = 0; rank < side.count; rank++) {
          sum += side.price(rank) * side.quantity(rank);
        }
        return `${side.count} ${side.count > 0 ? side.price(0) : "none"} ${sum}`;
      });
      return `${native} ${sums.join(" ")}`;
    });
    return parts.join(", ");
  }

  /** Every level of a book, once: later runs must end in the same hashes. */
  #compare(followed: Followed): void {
    const { native } = followed.block;
    const book = this.feed.books.get(native);
    for (const side of ["bids", "asks"] as const) {
      const own = book?.[side];
      const levels = this.#engine.levels(followed.block);
      mustEqual(`the baseline's ${side} of ${native}`, own?.count ?? -1, levels[side]);
      for (const [rank, { price, quantity }] of this.#engine.check.levels(followed, side).entries()) {
        mustEqual(`the baseline's price ${rank} of the ${side} of ${native}`, own?.price(rank) ?? Number.NaN, price);
        mustEqual(`the baseline's quantity ${rank} of the ${side} of ${native}`, own?.quantity(rank) ?? -1, quantity);
      }
    }
  }
}

/** JSON.parse of every frame and nothing else. @returns frames that gave no object */
export function parseFrames(texts: readonly string[]): number {
  let empty = 0;
  for (let index = 0; index < texts.length; index++) {
    empty += typeof JSON.parse(texts[index] ?? "") === "object" ? 0 : 1;
  }
  return empty;
}
