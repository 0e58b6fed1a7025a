/**
 * WebSocket frames as a server sends them: one text each, final, not masked. Benchmarks lay them out beforehand and write
 * many at once, which no library does.
 * Bad case: a client's frame; those are masked, and this writes none.
 */

/** Most bytes in front of a payload. */
export const TEXT_HEADER_BYTES_MAX = 10;

const TEXT_FINAL = 0x81;
/** Instead of a length: two bytes hold it, or eight. */
const MEDIUM = 126;
const LARGE = 127;
const MEDIUM_LENGTHS = 1 << 16;

/** Writes the header of a frame. @param length of its payload, bytes @returns where the payload begins */
export function writeTextHeader(bytes: Buffer, at: number, length: number): number {
  bytes[at] = TEXT_FINAL;
  if (length < MEDIUM) {
    bytes[at + 1] = length;
    return at + 2;
  }
  if (length < MEDIUM_LENGTHS) {
    bytes[at + 1] = MEDIUM;
    return bytes.writeUInt16BE(length, at + 2);
  }
  bytes[at + 1] = LARGE;
  return bytes.writeBigUInt64BE(BigInt(length), at + 2);
}

/** A whole frame. */
export function textFrame(payload: Uint8Array): Buffer {
  const bytes = Buffer.alloc(TEXT_HEADER_BYTES_MAX + payload.byteLength);
  const at = writeTextHeader(bytes, 0, payload.byteLength);
  bytes.set(payload, at);
  return bytes.subarray(0, at + payload.byteLength);
}
