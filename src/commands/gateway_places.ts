/**
 * The gateway's slots in the readers files of the segments that it serves, so that `inspect` can show how far it is from
 * being overtaken. Bad case: no free slot, or no readers file; that segment is served all the same.
 */
import { type Attachment, isProcessAlive, READER_KINDS, READERS_BYTES, ReaderPlace } from "../mapping/mod.ts";
import type { MemoryMap } from "../segment/memory_map.ts";

/** Where a gateway stands in a segment; the address is the segment's. */
type Position = Readonly<
  Record<"address" | "deltaCursor" | "deltaLost" | "tradeCursor" | "tradeLost" | "laps", number>
>;

/** The slots of one gateway. Thread: one. */
export class GatewayPlaces {
  readonly #map: MemoryMap;
  /** By address of the readers file; undefined = none was free. */
  readonly #places = new Map<number, ReaderPlace | undefined>();

  constructor(map: MemoryMap) {
    this.#map = map;
  }

  /** Says where the gateway stands. */
  report(attachments: readonly Attachment[], positions: readonly Position[]): void {
    const nowNs = process.hrtime.bigint();
    for (const { readers, view } of attachments) {
      const position = positions.find(({ address }) => address === view.address);
      if (readers !== 0 && position !== undefined) {
        this.#place(readers, nowNs)?.report({ ...position, nowNs, epoch: view.header.epoch });
      }
    }
    const used = new Set(attachments.map(({ readers }) => readers));
    for (const readers of [...this.#places.keys()].filter((address) => !used.has(address))) {
      this.#places.delete(readers);
    }
  }

  /** Frees the slots. */
  leave(): void {
    for (const place of this.#places.values()) {
      place?.leave();
    }
    this.#places.clear();
  }

  #place(readers: number, nowNs: bigint): ReaderPlace | undefined {
    if (!this.#places.has(readers)) {
      const place = ReaderPlace.take(new DataView(this.#map.memory.buffer, readers, READERS_BYTES), {
        pid: process.pid,
        kind: READER_KINDS.gateway,
        name: "gateway",
        nowNs,
        isAlive: isProcessAlive,
      });
      this.#places.set(readers, place);
    }
    return this.#places.get(readers);
  }
}
