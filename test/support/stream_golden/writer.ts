/**
 * Frames written byte by byte from the grammar of PROTOCOL.md, for vectors that no encoder would make: malformed,
 * contradicting and damaged ones. Bad case: a mistake here that the grammar shares; the first vectors of the kind rebuild
 * what the kernels encode and compare.
 */
import { crc32 } from "node:zlib";

/** Unsigned LEB128. */
export function varint(value: bigint | number): number[] {
  const bytes: number[] = [];
  let rest = BigInt(value);
  while (rest > 127n) {
    bytes.push(Number(rest & 127n) | 128);
    rest >>= 7n;
  }
  return [...bytes, Number(rest)];
}

/** Zigzag of an i64, then varint. */
export function signed(value: bigint | number): number[] {
  return varint(zigzag(BigInt(value)));
}

/** A quantity. */
export function quantity(value: bigint | number): number[] {
  let rest = BigInt(value);
  let factors = 0;
  while (factors < 3 && rest !== 0n && rest % 100n === 0n) {
    rest /= 100n;
    factors++;
  }
  return tagged(rest, factors << 5, 0);
}

/** Price difference of a change. @param tag removed << 1 | side */
export function step(difference: bigint | number, tag: number): number[] {
  return tagged(zigzag(BigInt(difference)), tag, 2);
}

/** A time difference. @param unit ns */
export function time(difference: bigint | number, unit: bigint | number): number[] {
  const [exact, one] = [BigInt(difference), BigInt(unit)];
  return exact % one === 0n ? varint(zigzag(exact / one) << 1n) : varint((zigzag(exact) << 1n) | 1n);
}

/** Little-endian u32. */
export function word(value: number): number[] {
  return [value & 255, (value >>> 8) & 255, (value >>> 16) & 255, value >>> 24];
}

/** Little-endian u64. */
export function long(value: bigint | number): number[] {
  const exact = BigInt.asUintN(64, BigInt(value));
  return [...word(Number(exact & 0xffffffffn)), ...word(Number(exact >> 32n))];
}

/** Ends a frame with the checksum of all before. */
export function seal(bytes: readonly number[]): number[] {
  return [...bytes, ...word(crc32(Uint8Array.from(bytes)))];
}

/** As text. */
export function hex(bytes: Iterable<number>): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** From text. */
export function bytesOf(text: string): number[] {
  return (text.match(/../g) ?? []).map((pair) => Number.parseInt(pair, 16));
}

function zigzag(value: bigint): bigint {
  return BigInt.asUintN(64, (value << 1n) ^ (value >> 63n));
}

function tagged(value: bigint, tag: number, shift: number): number[] {
  const rest = value >> 5n;
  const first = (Number(value & 31n) << shift) | tag;
  return rest === 0n ? [first] : [first | 128, ...varint(rest)];
}
