/**
 * Flipped bits in the ring: a record in a hundred thousand is damaged in a copy and handed to a replica of its own that
 * begins with a snapshot of the gateway's. The replica must refuse it, or the record behind it.
 * Bad case: an instrument that ends before its next record; the trial is given up and does not count.
 */
import {
  DELTA_BYTES,
  DELTA_CHANGE_COUNT,
  REPLICA_INSTRUMENT_ID,
  REPLICA_OK,
  REPLICA_STALE,
} from "../../../assembly/layout.ts";
import type { BookView } from "../../../src/gateway/book_view.ts";
import type { Workspace } from "../../../src/gateway/workspace.ts";
import { recordRanges } from "../../../src/replay/flip.ts";
import type { SeededRandom } from "../../support/seeded_random.ts";

/** How many records were damaged and how that was seen. */
export type RingFlips = { flips: number; atOnce: number; byTheNext: number; undetected: number };

/** Damages records. Thread: one. */
export class RingTrials {
  readonly counts: RingFlips = { flips: 0, atOnce: 0, byTheNext: 0, undetected: 0 };
  readonly #workspace: Workspace;
  readonly #random: SeededRandom;
  /** Replicas that took a damaged record, by instrument. */
  readonly #pending = new Map<number, number>();

  constructor(workspace: Workspace, random: SeededRandom) {
    this.#workspace = workspace;
    this.#random = random;
  }

  /** A record comes for an instrument: whoever took a damaged one before must refuse it. */
  follow(id: number, record: number): void {
    const replica = this.#pending.get(id);
    if (replica !== undefined) {
      this.#pending.delete(id);
      this.#count(this.#workspace.kernel.replicaApply(replica, record) < 0 ? "byTheNext" : "undetected");
      this.#workspace.kernel.replicaRelease(replica);
    }
  }

  /** Damages a copy of the record that comes next. @param view its book before the record, between two events */
  attempt(id: number, record: number, view: BookView): void {
    const { kernel, bytes, frame, joinDeltas: copy } = this.#workspace;
    const { replica: held, output } = view;
    const replica = kernel.replicaCreate();
    for (const part of output.snapshot("binary", held.version).parts) {
      if (part instanceof Uint8Array) {
        bytes.set(part, frame);
        if (kernel.frameApply(replica, frame, part.length) !== REPLICA_OK) {
          throw new Error(`Cannot begin a replica of instrument ${id} with a snapshot of the gateway's`);
        }
      }
    }
    this.#workspace.setU32(replica + REPLICA_INSTRUMENT_ID, id);
    bytes.copyWithin(copy, record, record + DELTA_BYTES);
    this.#flip(copy);
    const code = kernel.replicaApply(replica, copy);
    if (code === REPLICA_OK || code === REPLICA_STALE) {
      this.#pending.set(id, replica);
      return;
    }
    this.#count(code < 0 ? "atOnce" : "undetected");
    kernel.replicaRelease(replica);
  }

  /** The instrument ends, or its book comes as an image. */
  giveUp(id: number): void {
    const replica = this.#pending.get(id);
    if (replica !== undefined) {
      this.#pending.delete(id);
      this.#workspace.kernel.replicaRelease(replica);
    }
  }

  #flip(record: number): void {
    const { bytes } = this.#workspace;
    const ranges = recordRanges(bytes[record + DELTA_CHANGE_COUNT] ?? 0);
    let bit = this.#random.below(ranges.reduce((sum, { start, end }) => sum + (end - start) * 8, 0));
    for (const { start, end } of ranges) {
      const bits = (end - start) * 8;
      if (bit < bits) {
        const at = record + start + (bit >>> 3);
        bytes[at] = (bytes[at] ?? 0) ^ (1 << (bit & 7));
        return;
      }
      bit -= bits;
    }
  }

  #count(end: "atOnce" | "byTheNext" | "undetected"): void {
    this.counts.flips += 1;
    this.counts[end] += 1;
  }
}
