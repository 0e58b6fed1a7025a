/**
 * How many processes read a segment, by the advisory file that its readers keep. Bad case: a reader that died without leaving;
 * its process is gone, and it counts no more.
 */
import { isProcessAlive, READERS_BYTES, readSlots } from "../mapping/mod.ts";

/** Readers whose processes live. @param address of the mapped file; 0 = there is none */
export function countReaders(memory: ArrayBufferLike, address: number): number {
  const slots = address === 0 ? [] : readSlots(new DataView(memory, address, READERS_BYTES));
  return slots.filter(({ pid }) => isProcessAlive(pid)).length;
}
