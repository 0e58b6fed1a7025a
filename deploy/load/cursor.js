/**
 * Reads the primitives of the stream's binary frames (PROTOCOL.md), front to back. Numbers are doubles: exact up to 2^53,
 * enough for versions, counts and times relative to a book's own.
 * Bad case: a frame that ends too early; reading throws, and the frame counts as broken.
 */
const TABLE = Uint32Array.from({ length: 256 }, (_, index) => {
  let word = index;
  for (let bit = 0; bit < 8; bit++) {
    word = word & 1 ? (word >>> 1) ^ 0xedb88320 : word >>> 1;
  }
  return word >>> 0;
});

/** CRC-32 (IEEE 802.3) of the first bytes. */
export function crc32(bytes, length) {
  let sum = 0xffffffff;
  for (let index = 0; index < length; index++) {
    sum = TABLE[(sum ^ bytes[index]) & 0xff] ^ (sum >>> 8);
  }
  return (sum ^ 0xffffffff) >>> 0;
}

/** A place in a frame. */
export class Cursor {
  constructor(bytes) {
    this.bytes = bytes;
    this.at = 0;
    this.end = bytes.length;
  }

  u8() {
    if (this.at >= this.end) {
      throw new Error("a frame ends too early");
    }
    return this.bytes[this.at++];
  }

  u32() {
    const low = this.u8() | (this.u8() << 8) | (this.u8() << 16);
    return (low | (this.u8() << 24)) >>> 0;
  }

  /** A u64 of nanoseconds, as milliseconds. */
  timeMs() {
    const low = this.u32();
    return (this.u32() * 4294967296 + low) / 1e6;
  }

  varint() {
    const first = this.u8();
    if (first < 128) {
      return first;
    }
    let value = first & 127;
    let factor = 128;
    for (let count = 1; count < 10; count++) {
      const byte = this.u8();
      value += (byte & 127) * factor;
      if (byte < 128) {
        return value;
      }
      factor *= 128;
    }
    throw new Error("a varint has more than ten bytes");
  }

  zigzag() {
    return unzigzag(this.varint());
  }

  /** A difference of times, ns. @param unit ns */
  time(unit) {
    const coded = this.varint();
    const half = Math.floor(coded / 2);
    return coded % 2 === 1 ? unzigzag(half) : unzigzag(half) * unit;
  }

  /** The rest of a value whose first byte was read. */
  more(first) {
    return first > 127 ? this.varint() : 0;
  }

  /** A change of a level: price, side, and quantity unless it was removed. */
  change() {
    const first = this.u8();
    this.more(first);
    if ((first & 2) === 0) {
      this.more(this.u8());
    }
  }

  /** Takes the checksum off the end. @returns whether it holds; frames of more bytes are believed */
  checked(bytesMax) {
    const length = this.end - 4;
    const bytes = this.bytes;
    if (length < 2) {
      throw new Error("a frame is too short for its checksum");
    }
    this.end = length;
    const told = bytes[length] | (bytes[length + 1] << 8) | (bytes[length + 2] << 16) | (bytes[length + 3] << 24);
    return length > bytesMax || crc32(bytes, length) === told >>> 0;
  }

  mustEnd() {
    if (this.at !== this.end) {
      throw new Error(`a frame has ${this.end - this.at} bytes too many`);
    }
  }
}

function unzigzag(value) {
  return value % 2 === 1 ? -(value + 1) / 2 : value / 2;
}
