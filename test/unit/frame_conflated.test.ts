/**
 * Conflated frames that nobody should send, on both kernels: cut, turned, forged with a right checksum. Whatever comes, the
 * client says so and holds nothing, or holds the very book that was sent.
 * Bad case: a forged frame that is taken for the truth; only one whose hash holds passes.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  FRAME_CONFLATED,
  REPLICA_CHAIN_BROKEN,
  REPLICA_EMPTY,
  REPLICA_HASH_MISMATCH,
  REPLICA_INCONSISTENT,
  REPLICA_OK,
  REPLICA_STATE,
  REPLICA_STATE_EMPTY,
  SIDE_ASK,
  SIDE_BID,
} from "../../assembly/layout.ts";
import type { KernelName } from "../../src/kernel/kernel.ts";
import { Link, OUT } from "./twin_link.ts";

/** Bytes before the changes: kind, alias, from, difference, hash, chain, status, times, sequence, count. */
const COUNT_AT = 1 + 1 + 1 + 1 + 8 + 1 + 16 + 1;
const STATUS_AT = 12;

/** A client at version 2 of a book, and the frame that brings it to version 5. */
function scene(name: KernelName): { link: Link; frame: Uint8Array } {
  const link = new Link(name);
  link.kernel.historyCreate(link.replica, 64);
  const levels: [number, bigint, bigint][] = [
    [SIDE_BID, 10n, 1n],
    [SIDE_ASK, 20n, 2n],
    [SIDE_BID, 10n, 0n],
    [SIDE_BID, 9n, 4n],
    [SIDE_ASK, 21n, 500n],
  ];
  for (const [index, [side, price, quantity]] of levels.entries()) {
    link.write([{ side, price, quantity }], { isLast: true, sequence: 0n, step: 1000n });
    expect(link.apply()).toBe(REPLICA_OK);
    const frame = link.take(1);
    if (index < 2) {
      expect(link.give(frame)).toBe(REPLICA_OK);
    }
  }
  return { link, frame: link.conflated(2n) };
}

/** Gives a frame the checksum that it should have. */
function reseal(link: Link, frame: Uint8Array): Uint8Array {
  const body = frame.length - 4;
  link.bytes.set(frame, OUT);
  new DataView(frame.buffer, frame.byteOffset).setUint32(body, link.kernel.crc32(OUT, body), true);
  return frame;
}

/** The frame with other bytes from a place on, and a right checksum. */
function forge(link: Link, frame: Uint8Array, at: number, bytes: number[]): Uint8Array {
  return reseal(link, Uint8Array.from([...frame.subarray(0, at), ...bytes, 0, 0, 0, 0]));
}

function expectEmpty(link: Link): void {
  expect(link.view.getUint32(link.client + REPLICA_STATE, true)).toBe(REPLICA_STATE_EMPTY);
  expect(link.kernel.bookCount(link.bookOf(link.client), SIDE_BID)).toBe(0);
  expect(link.kernel.bookHash(link.bookOf(link.client))).toBe(0);
}

describe.each(["wasm", "twin"] as const)("a conflated frame on %s", (name) => {
  it("is laid out as expected when three levels changed", () => {
    const { link, frame } = scene(name);
    expect(frame[0]).toBe(FRAME_CONFLATED);
    expect(frame[COUNT_AT]).toBe(3);
    expect([...frame.subarray(COUNT_AT + 1, -4)]).toEqual([18 << 2, 4, (2 << 2) | 2, 128 | (10 << 2) | 1, 1, 5 | 32]);
    expect(link.give(frame)).toBe(REPLICA_OK);
    expect(link.contents(link.client)).toEqual(link.contents(link.replica));
  });

  it.each<[string, number, number[], number]>([
    ["a level twice", COUNT_AT, [3, 18 << 2, 4, 2, 128 | (10 << 2) | 1, 1, 5 | 32], REPLICA_INCONSISTENT],
    [
      "falling prices",
      COUNT_AT,
      [3, (20 << 2) | 2, (1 << 2) | 0, 4, 128 | (10 << 2) | 1, 1, 5 | 32],
      REPLICA_INCONSISTENT,
    ],
    [
      "an ask before a bid",
      COUNT_AT,
      [3, 128 | (10 << 2) | 1, 1, 5 | 32, 18 << 2, 4, (2 << 2) | 2],
      REPLICA_INCONSISTENT,
    ],
    ["the removal of a level that is not held", COUNT_AT, [1, (3 << 2) | 2], REPLICA_INCONSISTENT],
    [
      "more changes than it says",
      COUNT_AT,
      [2, 18 << 2, 4, (2 << 2) | 2, 128 | (10 << 2) | 1, 1, 5 | 32],
      REPLICA_INCONSISTENT,
    ],
    [
      "fewer changes than it says",
      COUNT_AT,
      [4, 18 << 2, 4, (2 << 2) | 2, 128 | (10 << 2) | 1, 1, 5 | 32],
      REPLICA_INCONSISTENT,
    ],
    ["a count beyond its bytes", COUNT_AT, [255, 255, 255, 255, 127, 18 << 2, 4], REPLICA_INCONSISTENT],
    ["a count of 64 bits", COUNT_AT, [255, 255, 255, 255, 255, 255, 255, 255, 255, 1], REPLICA_INCONSISTENT],
    ["a count that is too long", COUNT_AT, [0x83, 0x00, 18 << 2, 4], REPLICA_INCONSISTENT],
    ["a zero quantity", COUNT_AT, [1, 18 << 2, 0], REPLICA_INCONSISTENT],
    ["other levels", COUNT_AT, [1, 18 << 2, 4], REPLICA_HASH_MISMATCH],
    ["no changes", COUNT_AT, [0], REPLICA_HASH_MISMATCH],
    ["an unknown status", STATUS_AT, [1], REPLICA_INCONSISTENT],
    ["no end", STATUS_AT, [], REPLICA_INCONSISTENT],
    ["nothing but its alias", 2, [], REPLICA_INCONSISTENT],
    ["another version", 2, [1, 4], REPLICA_CHAIN_BROKEN],
    ["a later version", 2, [3, 4], REPLICA_CHAIN_BROKEN],
    ["a version without an end", 2, [0x82, 0x80], REPLICA_INCONSISTENT],
    [
      "versions beyond 64 bits",
      3,
      [255, 255, 255, 255, 255, 255, 255, 255, 255, 1, ...new Uint8Array(40)],
      REPLICA_INCONSISTENT,
    ],
  ])("is refused and empties the client when it has %s", (_, at, bytes, code) => {
    const { link, frame } = scene(name);
    const rest = at === STATUS_AT && bytes.length > 0 ? [...frame.subarray(STATUS_AT + 1, -4)] : [];
    expect(link.give(forge(link, frame, at, [...bytes, ...rest]))).toBe(code);
    expectEmpty(link);
    expect(link.give(frame)).toBe(REPLICA_EMPTY);
  });

  it.each([16, 32, 64, 128])("is refused when flag %i is set", (flag) => {
    const { link, frame } = scene(name);
    frame[0] = FRAME_CONFLATED | flag;
    expect(link.give(reseal(link, frame))).toBe(REPLICA_INCONSISTENT);
    expectEmpty(link);
  });

  it("is refused while a snapshot is loading, and when changes come without a version", () => {
    const { link, frame } = scene(name);
    const [first] = link.parts(101);
    for (let at = 0n; at < 30n; at++) {
      link.write([{ side: SIDE_ASK, price: 30n + at, quantity: 123_456_789_012n }], {
        isLast: true,
        sequence: 0n,
        step: 0n,
      });
      link.apply();
    }
    const [part = first ?? new Uint8Array()] = link.parts(101);
    expect(link.give(part)).toBe(REPLICA_OK);
    expect(link.give(frame)).toBe(REPLICA_INCONSISTENT);
    expectEmpty(link);
    const other = scene(name);
    const [head, tail] = [other.frame.subarray(0, 3), other.frame.subarray(4)];
    expect(other.link.give(reseal(other.link, Uint8Array.from([...head, 0, ...tail])))).toBe(REPLICA_INCONSISTENT);
  });

  it("is refused when it is cut or a bit is turned", () => {
    const { frame } = scene(name);
    for (let bit = 0; bit < frame.length * 8; bit += 3) {
      const { link } = scene(name);
      const turned = frame.slice();
      turned[bit >> 3] = (turned[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(link.give(turned)).toBeLessThan(0);
      expectEmpty(link);
    }
    for (let length = 0; length < frame.length; length++) {
      const { link } = scene(name);
      expect(link.give(frame.slice(0, length))).toBeLessThan(0);
      expectEmpty(link);
    }
  });

  it("leads to the book that was sent or to none when any bytes are forged with a right checksum", () => {
    const edit = fc.tuple(fc.nat(), fc.nat(255), fc.constantFrom("set", "insert", "remove"));
    fc.assert(
      fc.property(fc.array(edit, { minLength: 1, maxLength: 6 }), (edits) => {
        const { link, frame } = scene(name);
        const bytes = [...frame.subarray(0, -4)];
        for (const [place, byte, kind] of edits) {
          const at = 1 + (place % Math.max(1, bytes.length - 1));
          bytes.splice(at, kind === "insert" ? 0 : 1, ...(kind === "remove" ? [] : [byte]));
        }
        const code = link.give(reseal(link, Uint8Array.from([...bytes, 0, 0, 0, 0])));
        if (code === REPLICA_OK) {
          const [held, sent] = [link.bookOf(link.client), link.bookOf(link.replica)];
          expect(link.kernel.bookHash(held)).toBe(link.kernel.bookHash(sent));
        } else {
          expect(code).toBeLessThan(0);
          expectEmpty(link);
        }
      }),
      { numRuns: 1500 },
    );
  });
});
