/**
 * Where the gateway stands in the rings of a segment, for those who watch over it.
 * Bad case: none of its own.
 */
import { READER_CURSOR, READER_LAPS, READER_LOST } from "../../assembly/layout.ts";
import { readCount } from "../wire/numbers.ts";
import type { SegmentSource } from "./segment_source.ts";

/** Ring positions and losses of a source, and the address of its segment. */
export type SegmentPosition = Readonly<
  Record<"address" | "deltaCursor" | "deltaLost" | "tradeCursor" | "tradeLost" | "laps", number>
>;

/** @param memory over the linear memory */
export function positionOf(memory: DataView, { readers, view }: SegmentSource): SegmentPosition {
  const { deltas, trades } = readers;
  return {
    address: view.address,
    deltaCursor: readCount(memory, deltas + READER_CURSOR),
    deltaLost: readCount(memory, deltas + READER_LOST),
    tradeCursor: readCount(memory, trades + READER_CURSOR),
    tradeLost: readCount(memory, trades + READER_LOST),
    laps: memory.getUint32(deltas + READER_LAPS, true) + memory.getUint32(trades + READER_LAPS, true),
  };
}
