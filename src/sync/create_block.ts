/**
 * The kernel's block of an instrument, by the name that frames call it. Frames name it again and again, so the kernel
 * compares bytes. Bad case: a name longer than the kernel's scratch; it is refused.
 */
import { INSTRUMENT_NAME_BYTES_MAX } from "../../assembly/layout.ts";
import type { Kernel } from "../kernel/kernel.ts";

/** @returns its address; 0 when the arena is exhausted @throws RangeError when the name is empty or too long */
export function createBlock(
  { kernel, view, scratch }: { kernel: Kernel; view: DataView; scratch: number },
  native: string,
): number {
  const bytes = new TextEncoder().encode(native);
  if (bytes.length === 0 || bytes.length > INSTRUMENT_NAME_BYTES_MAX) {
    throw new RangeError(
      `Cannot open an instrument: its name must have 1 to ${INSTRUMENT_NAME_BYTES_MAX} bytes, was ${native}`,
    );
  }
  new Uint8Array(view.buffer, scratch, bytes.length).set(bytes);
  return kernel.instrumentCreate(scratch, bytes.length);
}
