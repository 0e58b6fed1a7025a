/**
 * The twin's hashes against independent ones: MurmurHash3 x86-32 over the level's twenty bytes, written plainly with
 * BigInt, and zlib's CRC-32. Bad case: a sign that survives; both are compared as unsigned numbers.
 */
import { crc32 } from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createTwin } from "../../src/kernel/twin/mod.ts";

const kernel = createTwin(new ArrayBuffer(8192));
const bytes = new Uint8Array(kernel.buffer);
const view = new DataView(kernel.buffer);
const U32 = 0xffffffffn;

/** MurmurHash3 x86-32, seed 0, of whole words. */
function murmur(words: bigint[]): number {
  const turn = (value: bigint, by: bigint): bigint => ((value << by) | (value >> (32n - by))) & U32;
  let hash = 0n;
  for (const word of words) {
    const mixed = (turn((word * 0xcc9e2d51n) & U32, 15n) * 0x1b873593n) & U32;
    hash = (turn(hash ^ mixed, 13n) * 5n + 0xe6546b64n) & U32;
  }
  hash ^= BigInt(words.length * 4);
  hash = ((hash ^ (hash >> 16n)) * 0x85ebca6bn) & U32;
  hash = ((hash ^ (hash >> 13n)) * 0xc2b2ae35n) & U32;
  return Number(hash ^ (hash >> 16n));
}

function wordsOf(value: bigint): bigint[] {
  const bits = BigInt.asUintN(64, value);
  return [bits & U32, bits >> 32n];
}

describe("levelHash", () => {
  it("equals MurmurHash3 of side, price and quantity when any level is given", () => {
    const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1 }), int64, int64, (side, price, quantity) => {
        view.setBigInt64(0, price, true);
        view.setBigInt64(8, quantity, true);
        expect(kernel.levelHash(side, 0)).toBe(murmur([BigInt(side), ...wordsOf(price), ...wordsOf(quantity)]));
      }),
    );
  });

  it("gives the known values when the level is 63501.60 × 0.63889204", () => {
    view.setBigInt64(0, 6350160n, true);
    view.setBigInt64(8, 63889204n, true);
    expect([kernel.levelHash(0, 0), kernel.levelHash(1, 0)]).toEqual([murmurOf(0n), murmurOf(1n)]);
  });
});

function murmurOf(side: bigint): number {
  return murmur([side, 6350160n, 0n, 63889204n, 0n]);
}

describe("crc32", () => {
  it("equals zlib's when any bytes at any position are given", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 700 }), fc.nat(7), (content, offset) => {
        bytes.set(content, offset);
        expect(kernel.crc32(offset, content.length)).toBe(crc32(content));
      }),
    );
  });
});
