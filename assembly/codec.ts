/**
 * Primitive codings of the stream (src/wire/PROTOCOL.md): varint, zigzag, quantity, price, time. Writers return the
 * address after what they wrote; readers return the address after what they read, 0 when the bytes are malformed or not
 * minimal, and leave the value in `codecValue`.
 * Bad case: two byte strings for one value; readers refuse every coding but the shortest.
 */
let value: u64 = 0;
let second: u32 = 0;

/** Value of the last read, unsigned. */
export function codecValue(): u64 {
  return value;
}
/** Two low bits that readChange found: removed << 1 | side. */
export function codecBits(): u32 {
  return second;
}

export function zigzag(v: i64): u64 {
  return ((<u64>v) << 1) ^ <u64>(v >> 63);
}
export function unzigzag(v: u64): i64 {
  return <i64>(v >> 1) ^ -(<i64>(v & 1));
}

export function writeVarint(at: usize, v: u64): usize {
  while (v > 127) {
    store<u8>(at, <u8>(<u32>v | 128));
    v >>= 7;
    at++;
  }
  store<u8>(at, <u8>v);
  return at + 1;
}

export function readVarint(at: usize, end: usize): usize {
  let shift: u64 = 0;
  let v: u64 = 0;
  while (at < end) {
    const byte = <u64>load<u8>(at);
    at++;
    v |= (byte & 127) << shift;
    if (byte < 128) {
      if (byte == 0 && shift > 0) return 0;
      if (shift == 63 && byte > 1) return 0;
      value = v;
      return at;
    }
    shift += 7;
    if (shift > 63) return 0;
  }
  return 0;
}

/** First byte holds `low` bits of v under `tag`, a varint the rest. */
function writeTagged(at: usize, v: u64, tag: u32, shift: u32): usize {
  const rest = v >> 5;
  const low = (<u32>v & 31) << shift;
  store<u8>(at, <u8>(low | tag | (rest != 0 ? 128 : 0)));
  return rest != 0 ? writeVarint(at + 1, rest) : at + 1;
}

export function writeChange(at: usize, side: u32, removed: u32, priceDifference: i64): usize {
  return writeTagged(at, zigzag(priceDifference), side | (removed << 1), 2);
}

export function readChange(at: usize, end: usize): usize {
  if (at >= end) return 0;
  const byte = <u32>load<u8>(at);
  second = byte & 3;
  return readRest(at + 1, end, (byte >> 2) & 31, byte & 128);
}

/** Completes a tagged number whose low five bits are known. */
function readRest(at: usize, end: usize, low: u64, more: u32): usize {
  if (more == 0) {
    value = low;
    return at;
  }
  at = readVarint(at, end);
  if (at == 0 || value == 0 || value >> 59) return 0;
  value = (value << 5) | low;
  return at;
}

export function writeQuantity(at: usize, quantity: i64): usize {
  let m = <u64>quantity;
  let z: u32 = 0;
  while (z < 3 && m != 0 && m % 100 == 0) {
    m /= 100;
    z++;
  }
  return writeTagged(at, m, z << 5, 0);
}

/** Reads a quantity; zero is refused: a removal is a bit, not a quantity. */
export function readQuantity(at: usize, end: usize): usize {
  if (at >= end) return 0;
  const byte = <u32>load<u8>(at);
  at = readRest(at + 1, end, byte & 31, byte & 128);
  if (at == 0 || value == 0) return 0;
  const z = (byte >> 5) & 3;
  if (z < 3 && value % 100 == 0) return 0;
  let factor: u64 = 1;
  for (let i: u32 = 0; i < z; i++) factor *= 100;
  if (value > <u64>i64.MAX_VALUE / factor) return 0;
  value *= factor;
  return at;
}

export function writeTime(at: usize, difference: i64, unit: i64): usize {
  const whole = difference / unit;
  if (whole * unit == difference) return writeVarint(at, zigzag(whole) << 1);
  return writeVarint(at, (zigzag(difference) << 1) | 1);
}

/** Reads a time difference in ns into codecValue (as i64 bits). */
export function readTime(at: usize, end: usize, unit: i64): usize {
  at = readVarint(at, end);
  if (at == 0) return 0;
  const difference = unzigzag(value >> 1);
  value = <u64>(value & 1 ? difference : difference * unit);
  return at;
}
