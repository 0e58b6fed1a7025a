/**
 * What passes between the producer of the long run of the stream and its consumers, and how a consumer judges a damaged
 * frame. Bad case: a bit whose flip changes the coding of a frame and not its meaning; the book is right then, and the
 * flip is counted for itself.
 */

/** What the producer holds behind the frames so far. */
export type Proof = {
  readonly alias: number;
  readonly version: number;
  readonly hash: number;
  /** Bytes of both sides, best first: their counts as u32, then price and quantity of each level as i64. */
  readonly levels: Uint8Array | undefined;
};

/** Which kind of frame a bit was flipped in; `checked` is a deltas frame that carries the hash. */
export type FlipKind = "deltas" | "checked" | "snapshot" | "conflated";

/** One bit, and what a book of its own is fed around it: the last frame carries the hash. */
export type Trial = {
  readonly alias: number;
  readonly kind: FlipKind;
  /** A snapshot of the book before. */
  readonly parts: readonly Uint8Array[];
  readonly frames: readonly Uint8Array[];
  /** Which of the frames is damaged. */
  readonly at: number;
  readonly bit: number;
};

/** How a flipped bit was seen, or why it did no harm. */
export type FlipEnd =
  /** The damaged frame was refused. */
  | "at once"
  /** A later frame was refused: it contradicted the book. */
  | "before the hash"
  /** The next hash, or the chain in it, did not hold. */
  | "by the hash"
  /** The frame lost its meaning as the beginning of a book: there is none, and the consumer knows. */
  | "no book"
  /** The frame means what it meant: every field of the book is right. */
  | "same meaning"
  /** Nobody saw it. */
  | "undetected";

/** What a consumer did. */
export type ConsumerAccount = {
  readonly name: string;
  readonly frames: number;
  readonly bytes: number;
  /** Hashes and versions that were compared with the producer's. */
  readonly proofs: number;
  /** Whole books that were compared level by level, and the levels of all. */
  readonly books: number;
  readonly levels: number;
  readonly trials: number;
  /** How flipped bits ended, by kind of frame. */
  readonly flips: Readonly<Record<string, Readonly<Record<string, number>>>>;
  /** Whatever contradicts the promise; empty when it holds. */
  readonly problems: readonly string[];
  /** Of processes of its own. */
  readonly cpuSeconds: number | undefined;
};

/** Somebody who follows the stream. */
export interface Consumer {
  /** The frame of a view; its bytes are valid during the call only. */
  frame(alias: number, bytes: Uint8Array): void;
  /** Compares its book. */
  expect(proof: Proof): void;
  /** Judges a damaged frame on a book of its own. */
  attempt(trial: Trial): void;
  /** The view ends for good. */
  drop(alias: number): void;
  /** Waits until what was given is taken in. */
  settle(): Promise<void>;
  finish(): Promise<ConsumerAccount>;
}

/** Problems that are written down at most. */
export const PROBLEMS_MAX = 20;

/** A copy of a frame with one bit turned. */
export function flipped(frame: Uint8Array, bit: number): Uint8Array {
  const copy = frame.slice();
  const at = bit >>> 3;
  copy[at] = (copy[at] ?? 0) ^ (1 << (bit & 7));
  return copy;
}
