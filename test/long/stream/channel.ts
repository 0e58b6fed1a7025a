/**
 * One view of the long run of the stream and how far its consumers are: what it publishes goes to all of them, unless they
 * miss it; snapshots, conflated updates and proofs come in between, and bits are flipped for books of their own.
 * Bad case: a snapshot that replaces a book before the next hash; the flip before it is counted for itself.
 */
import { FRAME_CONFLATED, FRAME_FLAG_CHECK, FRAME_KIND_MASK } from "../../../assembly/layout.ts";
import { BookView } from "../../../src/gateway/book_view.ts";
import { DerivedView } from "../../../src/gateway/derived_view.ts";
import type { StreamView } from "../../../src/gateway/stream_view.ts";
import type { SeededRandom } from "../../support/seeded_random.ts";
import type { StreamGround } from "./ground.ts";
import type { Consumer, FlipKind, Trial } from "./parts.ts";

/** How often something happens: one in so many frames for `flip`, records for `ringFlip`, bursts for the others. */
export type SourceRates = {
  readonly flip: number;
  readonly ringFlip: number;
  readonly skip: number;
  readonly rejoin: number;
  readonly reset: number;
  readonly reconnect: number;
  readonly refine: number;
  /** Proofs between two comparisons of all levels. */
  readonly levels: number;
};

/** What the source did. */
export type SourceCounts = Record<
  | "exchangeFrames"
  | "records"
  | "frames"
  | "bytes"
  | "checks"
  | "snapshots"
  | "snapshotParts"
  | "resets"
  | "reconnects"
  | "rescales"
  | "conflated"
  | "skippedFrames"
  | "flips"
  | "flipsReplaced",
  number
>;

/** What all views of a run share. */
export type ChannelGround = {
  readonly ground: StreamGround;
  readonly consumers: readonly Consumer[];
  readonly counts: SourceCounts;
  readonly rates: SourceRates;
  readonly random: SeededRandom;
  readonly nowMs: () => number;
};

/** Which view of which book. */
export type ChannelLabel = {
  readonly native: string;
  /** Of the instrument. */
  readonly id: number;
  readonly alias: number;
  readonly depth: number;
  readonly rateMs: number;
};

const SKIP_BURSTS_MAX = 40;
/** Every so many snapshots and conflated updates have a bit flipped. */
const FLIP_SNAPSHOTS = 8;
const FLIP_CONFLATED = 8;

/** A view and those who follow it. Thread: one. */
export class Channel {
  readonly view: StreamView;
  readonly label: ChannelLabel;
  readonly #shared: ChannelGround;
  /** The consumers hold a book. */
  #hasBegun = false;
  /** The last frame carried the hash and nobody compared yet. */
  #isProofDue = false;
  #proofs = 0;
  /** They miss what comes until so many bursts are over. */
  #skip: { readonly from: number; readonly parts: readonly Uint8Array[] | undefined; left: number } | undefined;
  #trial: Trial | undefined;

  constructor(view: StreamView, { label, shared }: { label: ChannelLabel; shared: ChannelGround }) {
    this.view = view;
    this.label = label;
    this.#shared = shared;
  }

  /** Whoever followed needs a snapshot. */
  interrupt(): void {
    this.#closeTrial(false);
    this.#hasBegun = false;
    this.#skip = undefined;
  }

  /** The view ends for good. */
  end(): void {
    this.#closeTrial(false);
    for (const consumer of this.#shared.consumers) {
      consumer.drop(this.label.alias);
    }
  }

  /** Behind a flush: a first snapshot, and what is to be proved. */
  settle(): void {
    if (!this.#hasBegun && this.view.isReady) {
      this.#begin();
    }
    this.#prove(false);
  }

  /** Behind a burst: absences begin and end, and now and then everybody begins anew. */
  pass(): void {
    const { rates, random } = this.#shared;
    if (!this.#hasBegun || !this.view.isReady) {
      return;
    }
    if (this.#skip !== undefined) {
      this.#return();
    } else if (this.#trial === undefined && this.#isTime(rates.skip)) {
      const parts = random.below(FLIP_CONFLATED) === 0 ? this.#parts() : undefined;
      this.#skip = { from: this.view.output.heldBy("binary"), parts, left: 1 + random.below(SKIP_BURSTS_MAX) };
    } else if (this.#isTime(rates.rejoin)) {
      this.#begin();
    }
  }

  /** Ends absence and trial, and compares the whole book. */
  finish(): void {
    if (this.#skip !== undefined) {
      this.#skip.left = 0;
      this.#return();
    }
    this.#closeTrial(false);
    this.#prove(true);
  }

  /** What the view published. */
  publish(payload: Uint8Array): void {
    const { counts, rates } = this.#shared;
    if (!this.#hasBegun || this.#skip !== undefined) {
      counts.skippedFrames += this.#hasBegun ? 1 : 0;
      return;
    }
    const isCheck = ((payload[0] ?? 0) & FRAME_FLAG_CHECK) !== 0;
    this.#lengthenTrial(payload, isCheck);
    this.#deliver(payload, isCheck);
    if (isCheck && this.#trial !== undefined && this.#trial.frames.length > 1) {
      this.#closeTrial(true);
    }
    if (this.#trial === undefined && this.#isTime(rates.flip)) {
      this.#openTrial("deltas", { parts: this.#parts(), frames: [] });
    }
  }

  /** One burst less to miss; behind the last one a conflated update, or a snapshot when the history does not reach. */
  #return(): void {
    const skip = this.#skip;
    if (skip === undefined || --skip.left > 0) {
      return;
    }
    this.#skip = undefined;
    const update = this.view.output.update("binary", skip.from);
    if (update instanceof Uint8Array) {
      this.#shared.counts.conflated += 1;
      if (skip.parts !== undefined) {
        this.#openTrial("conflated", { parts: skip.parts, frames: [update.slice()] });
      }
      this.#deliver(update, false);
    } else {
      this.#begin();
    }
    this.#prove(true);
  }

  /** A snapshot for everybody. */
  #begin(): void {
    const { counts, random } = this.#shared;
    this.#closeTrial(false);
    const parts = this.#parts();
    counts.snapshots += 1;
    counts.snapshotParts += parts.length;
    this.#hasBegun = true;
    if (random.below(FLIP_SNAPSHOTS) === 0) {
      this.#openTrial("snapshot", { parts: [], frames: parts });
    }
    for (const part of parts) {
      this.#deliver(part, false);
    }
    this.#isProofDue = true;
  }

  /** A snapshot of the present, copied. */
  #parts(): Uint8Array[] {
    const { output } = this.view;
    const { parts } = output.snapshot("binary", output.replica.version);
    return parts.filter((part) => part instanceof Uint8Array).map((part) => part.slice());
  }

  #deliver(bytes: Uint8Array, isCheck: boolean): void {
    const { counts, consumers } = this.#shared;
    counts.frames += 1;
    counts.bytes += bytes.length;
    counts.checks += isCheck ? 1 : 0;
    this.#isProofDue ||= isCheck || ((bytes[0] ?? 0) & FRAME_KIND_MASK) === FRAME_CONFLATED;
    for (const consumer of consumers) {
      consumer.frame(this.label.alias, bytes);
    }
  }

  /** Says what the producer holds, where the stream said its hash. */
  #prove(isForced: boolean): void {
    const { ground, rates, consumers, nowMs } = this.#shared;
    const { native, id, alias, depth, rateMs } = this.label;
    const { view } = this;
    if (!(isForced || this.#isProofDue) || !this.#hasBegun || this.#skip !== undefined) {
      return;
    }
    const { replica } = view.output;
    const held = ground.held(native, id);
    if (held === undefined || !replica.isWhole) {
      return;
    }
    this.#isProofDue = false;
    this.#proofs += 1;
    // A view that waits for its rate is behind the producer.
    const isBehind = view instanceof DerivedView && rateMs > 0 && view.dueAtMs > nowMs();
    const wantsLevels = (isForced || this.#proofs % rates.levels === 0) && !isBehind;
    const levels = wantsLevels ? held.levels(depth) : undefined;
    const { version, hash } = view instanceof BookView ? held : replica;
    for (const consumer of consumers) {
      consumer.expect({ alias, version, hash, levels });
    }
  }

  #openTrial(kind: FlipKind, { parts, frames }: Pick<Trial, "parts" | "frames">): void {
    const at = kind === "snapshot" ? this.#shared.random.below(frames.length) : 0;
    this.#trial = { alias: this.label.alias, kind, parts, frames, at, bit: this.#bitOf(frames[at]) };
  }

  /** The frame behind the snapshot of a trial is the damaged one; others follow it up to the next hash. */
  #lengthenTrial(payload: Uint8Array, isCheck: boolean): void {
    const trial = this.#trial;
    if (trial === undefined) {
      return;
    }
    const frames = [...trial.frames, payload.slice()];
    const isFirst = trial.frames.length === 0;
    const kind = isFirst && isCheck ? "checked" : trial.kind;
    this.#trial = { ...trial, kind, frames, bit: isFirst ? this.#bitOf(payload) : trial.bit };
  }

  /** @param isProved the hash came behind the flipped bit; without it, a snapshot replaced the book before */
  #closeTrial(isProved: boolean): void {
    const { counts, consumers } = this.#shared;
    const trial = this.#trial;
    this.#trial = undefined;
    if (trial === undefined || trial.frames.length === 0) {
      return;
    }
    if (!isProved) {
      counts.flipsReplaced += 1;
      return;
    }
    counts.flips += 1;
    for (const consumer of consumers) {
      consumer.attempt(trial);
    }
  }

  #bitOf(frame: Uint8Array | undefined): number {
    return frame === undefined ? 0 : this.#shared.random.below(frame.length * 8);
  }

  #isTime(oneIn: number): boolean {
    return this.#shared.random.below(oneIn) === 0;
  }
}
