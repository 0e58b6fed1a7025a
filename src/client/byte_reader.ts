/**
 * Reads the primitive codings of the stream (src/wire/PROTOCOL.md) out of one frame: varint, zigzag, quantity, price,
 * time. Numbers come as doubles where they fit. What is malformed, not minimal or cut short sets `failed`, and every
 * further read gives 0; callers look once per step, not after every byte.
 * Bad case: a number of more than 49 bits; it takes the way through BigInt, which costs a microsecond, and is as exact.
 */
import { FACTORS_MAX, HUNDRED, LONG_BYTES_MAX, MORE, SHORT_BYTES, TAGGED_REST_MAX } from "./constants.ts";
import { type Exact, normal } from "./exact.ts";

const FACTORS = [1, 1e2, 1e4, 1e6];
const I64_LIMIT = 1n << 63n;

/** A cursor over one frame. */
export class ByteReader {
  /** The frame. */
  bytes: Uint8Array = new Uint8Array();
  /** Next byte. */
  at = 0;
  /** Behind the last byte. */
  end = 0;
  /** Something could not be read. */
  failed = false;

  /** Begins with a frame. @param end behind the last byte to read */
  open(bytes: Uint8Array, at: number, end: number): void {
    this.bytes = bytes;
    this.at = at;
    this.end = end;
    this.failed = false;
  }

  /** Says that the frame is malformed. @returns 0 */
  fail(): number {
    this.failed = true;
    this.at = this.end;
    return 0;
  }

  /** One byte. */
  byte(): number {
    return this.at < this.end ? (this.bytes[this.at++] as number) : this.fail();
  }

  /** Four bytes, little-endian, signed. */
  word(): number {
    const { bytes, at } = this;
    if (this.end - at < 4) {
      return this.fail();
    }
    this.at = at + 4;
    return wordAt(bytes, at);
  }

  /** An unsigned number of at most 64 bits. */
  varint(): Exact {
    const { bytes, end } = this;
    let at = this.at;
    if (at >= end) {
      return this.fail();
    }
    let byte = bytes[at++] as number;
    if (byte < MORE) {
      this.at = at;
      return byte;
    }
    let value = byte - MORE;
    let scale = MORE;
    for (let count = 1; count < SHORT_BYTES && at < end; count++) {
      byte = bytes[at++] as number;
      if (byte < MORE) {
        if (byte === 0) {
          return this.fail();
        }
        this.at = at;
        return value + byte * scale;
      }
      value += (byte - MORE) * scale;
      scale *= MORE;
    }
    return at < end ? this.#long(at, value) : this.fail();
  }

  /** An unsigned number below 2^31 that counts something. */
  count(): number {
    const value = this.varint();
    return typeof value === "number" && value < 0x80000000 ? value : this.fail();
  }

  /** A signed number. */
  zigzag(): Exact {
    return unzigzag(this.varint());
  }

  /** Price − reference of a change whose first byte was read. */
  step(first: number): Exact {
    const five = (first >> 2) & 31;
    return unzigzag(first < MORE ? five : this.#tagged(five));
  }

  /** A quantity above 0. */
  quantity(): Exact {
    const first = this.byte();
    const five = first & 31;
    const coded = first < MORE ? five : this.#tagged(five);
    const factors = (first >> 5) & FACTORS_MAX;
    if (typeof coded === "number") {
      if (coded === 0 || (factors < FACTORS_MAX && Math.floor(coded / HUNDRED) * HUNDRED === coded)) {
        return this.fail();
      }
      const product = coded * (FACTORS[factors] as number);
      if (product <= Number.MAX_SAFE_INTEGER) {
        return product;
      }
    }
    const exact = BigInt(coded);
    const value = exact * BigInt(FACTORS[factors] as number);
    const isMinimal = factors === FACTORS_MAX || exact % 100n !== 0n;
    return isMinimal && exact < I64_LIMIT && value < I64_LIMIT ? normal(value) : this.fail();
  }

  /** A time difference in ns. @param unit that it is coded in when it is a whole number of them, ns */
  time(unit: number): Exact {
    const coded = this.varint();
    if (typeof coded === "number") {
      const half = Math.floor(coded / 2);
      const difference = unzigzag(half);
      const time = half * 2 === coded ? (difference as number) * unit : (difference as number);
      if (time <= Number.MAX_SAFE_INTEGER && time >= -Number.MAX_SAFE_INTEGER) {
        return time;
      }
    }
    const exact = BigInt(coded);
    const difference = BigInt(unzigzag(normal(exact >> 1n)));
    return normal(BigInt.asIntN(64, (exact & 1n) === 0n ? difference * BigInt(unit) : difference));
  }

  /** The rest of a varint of more than seven bytes. */
  #long(start: number, low: number): Exact {
    let value = BigInt(low);
    let at = start;
    for (let count = SHORT_BYTES; count < LONG_BYTES_MAX && at < this.end; count++) {
      const byte = this.bytes[at++] as number;
      value |= BigInt(byte & (MORE - 1)) << BigInt(count * 7);
      if (byte < MORE) {
        this.at = at;
        return byte === 0 || value >> 64n !== 0n ? this.fail() : normal(value);
      }
    }
    return this.fail();
  }

  /** A number whose low five bits stood in the byte before. */
  #tagged(five: number): Exact {
    const rest = this.varint();
    if (typeof rest === "number" && rest < TAGGED_REST_MAX) {
      return rest === 0 ? this.fail() : rest * 32 + five;
    }
    const exact = BigInt(rest);
    return exact >> 59n === 0n ? normal((exact << 5n) | BigInt(five)) : this.fail();
  }
}

/** A little-endian word at any position, signed. */
export function wordAt(bytes: Uint8Array, at: number): number {
  const low = (bytes[at] as number) | ((bytes[at + 1] as number) << 8);
  return low | ((bytes[at + 2] as number) << 16) | ((bytes[at + 3] as number) << 24);
}

function unzigzag(coded: Exact): Exact {
  if (typeof coded === "number") {
    const half = Math.floor(coded / 2);
    return half * 2 === coded ? half : -half - 1;
  }
  return normal((coded & 1n) === 0n ? coded >> 1n : ~(coded >> 1n));
}
