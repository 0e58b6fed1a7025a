/**
 * A segment in the memory of the receiver's process: the same layout as a collector's, so that everything behind it reads
 * merged books as it reads any other. Bad case: table or images are exhausted; `open` says so and a larger segment is made.
 */
import {
  REASON_RESCALED,
  REASON_WAITING_SNAPSHOT,
  SEGMENT_STATE_SUPERSEDED,
  STATE_RESYNCING,
  STATE_RETIRED,
} from "../../assembly/layout.ts";
import type { MemoryMap, MemoryRange } from "../segment/memory_map.ts";
import { createSegment, type SegmentConfig, type SegmentWriter, segmentBytes } from "../segment/writer.ts";
import type { InstrumentFacts } from "./facts.ts";
import { LocalBook } from "./local_book.ts";
import { LocalRing } from "./local_ring.ts";
import type { Workspace } from "./workspace.ts";

/** How a local segment is made. */
export type LocalSegmentOptions = {
  readonly map: MemoryMap;
  readonly workspace: Workspace;
  readonly exchange: string;
  readonly generation: number;
  readonly sizes: SegmentConfig;
};

/** Books that grow find room without another segment. */
const LEVELS_MIN = 1024;
const LEVELS_FACTOR = 2;

/** Unix ns now. */
export function unixNs(): bigint {
  return BigInt(Date.now()) * 1_000_000n;
}

/** One local segment. Thread: one. */
export class LocalSegment {
  readonly range: MemoryRange;
  readonly ring: LocalRing;
  readonly sizes: SegmentConfig;
  readonly #writer: SegmentWriter;
  readonly #workspace: Workspace;
  readonly #epoch: bigint;

  /** @throws RangeError when the memory has no room */
  constructor({ map, workspace, exchange, generation, sizes }: LocalSegmentOptions) {
    this.sizes = sizes;
    this.#workspace = workspace;
    this.#epoch = unixNs() + BigInt(generation);
    this.range = map.reserveSegment(exchange, { generation, bytes: segmentBytes(sizes) });
    this.#writer = createSegment(map.memory.buffer, {
      address: this.range.address,
      config: sizes,
      identity: {
        exchange,
        epoch: this.#epoch,
        pid: process.pid,
        wallAnchorNs: unixNs(),
        monotonicAnchorNs: process.hrtime.bigint(),
      },
    });
    this.ring = new LocalRing(map.memory.buffer, this.range.address);
  }

  /** @returns undefined when there is no room */
  open(facts: InstrumentFacts, options: { levels: number; previous: LocalBook | undefined }): LocalBook | undefined {
    const { knownRange, canonical, native, assurance, depth, tradingStatus, priceExponent, quantityExponent } = facts;
    const imageLevels = Math.max(LEVELS_MIN, options.levels * LEVELS_FACTOR);
    const wanted = { canonical, native, assurance, depth, tradingStatus, priceExponent, quantityExponent, imageLevels };
    if (this.#writer.lacksRoom(wanted) !== undefined) {
      return undefined;
    }
    const sinceNs = unixNs();
    const instrument = this.#writer.addInstrument({
      ...wanted,
      state: STATE_RESYNCING,
      reason: REASON_WAITING_SNAPSHOT,
      sinceNs,
    });
    if (instrument === undefined) {
      return undefined;
    }
    if (knownRange !== undefined) {
      this.#writer.setKnownRange(instrument, knownRange.lowTicks, knownRange.highTicks);
    }
    if (options.previous !== undefined) {
      this.#writer.setEntryState(options.previous.instrument, STATE_RETIRED, { reason: REASON_RESCALED, sinceNs });
      this.#writer.linkRetired(options.previous.instrument, instrument);
    }
    return new LocalBook({
      workspace: this.#workspace,
      writer: this.#writer,
      ring: this.ring,
      instrument,
      epoch: this.#epoch,
      nowNs: unixNs,
    });
  }

  /** Shows that its producer lives. */
  beat(): void {
    this.#writer.beat(unixNs());
  }

  /** Another segment takes its place. Whoever sleeps on this one is woken: it would wait for ever. */
  supersede(): void {
    this.#writer.setState(SEGMENT_STATE_SUPERSEDED);
    this.ring.rouse();
  }
}
