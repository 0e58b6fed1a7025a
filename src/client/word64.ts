/**
 * An unsigned number of 64 bits as two 32-bit words, for versions, times and sequences: they are added to with every
 * event and are beyond what a double holds, and a BigInt per event would be garbage.
 * Bad case: overflow; it wraps at 2^64, as the kernel's numbers do.
 */
import { TWO_32 } from "./constants.ts";
import { type Exact, highWord, lowWord } from "./exact.ts";

/** A u64 in place. */
export class Word64 {
  /** Low 32 bits, signed. */
  low = 0;
  /** High 32 bits, signed. */
  high = 0;

  /** Sets both words. */
  set(low: number, high: number): void {
    this.low = low;
    this.high = high;
  }

  /** Takes over a value; a negative one as its two's complement. */
  assign(value: Exact): void {
    this.low = lowWord(value);
    this.high = highWord(value);
  }

  /** Takes over another's value. */
  copy(other: Word64): void {
    this.low = other.low;
    this.high = other.high;
  }

  /** Adds a signed number, modulo 2^64. */
  add(value: Exact): void {
    const sum = (this.low >>> 0) + (lowWord(value) >>> 0);
    this.low = sum | 0;
    this.high = (this.high + highWord(value) + (sum >= TWO_32 ? 1 : 0)) | 0;
  }

  /** The value. */
  get value(): bigint {
    return (BigInt(this.high >>> 0) << 32n) | BigInt(this.low >>> 0);
  }

  /** True when it is the u64 of `value`. */
  equals(value: Exact): boolean {
    return this.low === lowWord(value) && this.high === highWord(value);
  }

  /** Decimal text. */
  get text(): string {
    return this.high === 0 ? String(this.low >>> 0) : String(this.value);
  }
}
