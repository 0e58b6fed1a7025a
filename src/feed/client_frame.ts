/**
 * Frames as a WebSocket client sends them: whole, final, masked. Only small ones are ever sent.
 * Bad case: a payload above 65,535 bytes; exchanges take no such request, and it is refused.
 * @see RFC 6455, 5.2 and 5.3
 */
import { randomBytes } from "node:crypto";

/** A text. */
export const OPCODE_TEXT = 1;
/** Bytes. */
export const OPCODE_BINARY = 2;
/** The end. */
export const OPCODE_CLOSE = 8;
/** A question for a sign of life. */
export const OPCODE_PING = 9;
/** The answer to it. */
export const OPCODE_PONG = 10;

const FINAL = 0x80;
const MASKED = 0x80;
const LENGTH_16 = 126;
const MASK_BYTES = 4;
const PAYLOAD_MAX = 65_535;

/** One frame. @throws RangeError when the payload is too large */
export function clientFrame(opcode: number, payload: Uint8Array = new Uint8Array(0)): Buffer {
  const { length } = payload;
  if (length > PAYLOAD_MAX) {
    throw new RangeError(`Cannot send a frame: its payload has at most ${PAYLOAD_MAX} bytes, was ${length}`);
  }
  const headBytes = length < LENGTH_16 ? 2 : 4;
  const frame = Buffer.alloc(headBytes + MASK_BYTES + length);
  frame[0] = FINAL | opcode;
  if (headBytes === 2) {
    frame[1] = MASKED | length;
  } else {
    frame[1] = MASKED | LENGTH_16;
    frame.writeUInt16BE(length, 2);
  }
  const mask = randomBytes(MASK_BYTES);
  frame.set(mask, headBytes);
  for (let index = 0; index < length; index++) {
    frame[headBytes + MASK_BYTES + index] = (payload[index] ?? 0) ^ (mask[index % MASK_BYTES] ?? 0);
  }
  return frame;
}

/** The payload of a close frame. @param code none when absent */
export function closePayload(code: number): Uint8Array {
  return Uint8Array.of(code >> 8, code & 0xff);
}
