/**
 * Histories on both kernels: whatever happened since a version, a client that held that version and applies one conflated
 * frame holds the book of now; and when the history does not reach, it says so.
 * Bad case: a client that is brought to a wrong book; levels, hash, chain and times are compared with the producer's.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  CHANGE_BYTES,
  CHANGE_PRICE,
  CHANGE_QUANTITY,
  CHANGE_SIDE,
  FRAME_CONFLATED,
  REPLICA_ALIAS,
  REPLICA_EPOCH,
  REPLICA_HISTORY_FROM,
  REPLICA_OK,
  SIDE_ASK,
  SIDE_BID,
} from "../../assembly/layout.ts";
import { type Change, DECODED, Link } from "./twin_link.ts";

const quantity = fc.oneof(
  { weight: 2, arbitrary: fc.constant(0n) },
  { weight: 3, arbitrary: fc.bigInt({ min: 1n, max: 9n }) },
  { weight: 1, arbitrary: fc.bigInt({ min: 1n, max: 2n ** 63n - 1n }) },
);
const price = fc.oneof(
  { weight: 6, arbitrary: fc.bigInt({ min: -8n, max: 8n }) },
  { weight: 1, arbitrary: fc.bigInt({ min: -(2n ** 29n), max: 2n ** 29n }) },
);
const change = fc.record({ side: fc.constantFrom(SIDE_BID, SIDE_ASK), price, quantity });
const record = fc.record({
  changes: fc.array(change, { maxLength: 8 }),
  isLast: fc.boolean(),
  isUnsynced: fc.boolean(),
  sequence: fc.bigInt({ min: 0n, max: 2n ** 63n }),
  step: fc.bigInt({ min: 0n, max: 10n ** 12n }),
});
const story = fc.array(record, { minLength: 1, maxLength: 30 });

/** A whole book as a client takes it, and the version it has. */
type Moment = { version: bigint; parts: Uint8Array[] };

function momentOf(link: Link): Moment {
  return { version: link.versionOf(link.replica), parts: link.parts(65536 - 8192) };
}

/** A fresh client that holds the book of a moment. */
function clientAt(link: Link, moment: Moment): number {
  const client = link.kernel.replicaCreate();
  for (const part of moment.parts) {
    expect(link.give(part, client)).toBe(REPLICA_OK);
  }
  return client;
}

function write(link: Link, changes: Change[], isLast = true): void {
  link.write(changes, { isLast, sequence: 0n, step: 1000n });
  expect(link.apply()).toBe(REPLICA_OK);
}

function reachOf(link: Link): bigint {
  link.kernel.historyReach(link.replica);
  return link.view.getBigUint64(link.replica + REPLICA_HISTORY_FROM, true);
}

describe.each(["wasm", "twin"] as const)("a history on %s", (name) => {
  it("brings a client of any version it reaches to the book of now when anything happened since", () => {
    fc.assert(
      fc.property(story, fc.constantFrom(2, 8, 32, 256), (records, entries) => {
        const link = new Link(name);
        expect(link.kernel.historyCreate(link.replica, entries)).toBe(0);
        const moments = [momentOf(link)];
        for (const [index, { changes, ...rest }] of records.entries()) {
          const isLast = rest.isLast || index === records.length - 1;
          link.write(changes, { ...rest, isLast });
          expect(link.apply()).toBe(REPLICA_OK);
          link.take(0);
          if (isLast) {
            moments.push(momentOf(link));
          }
        }
        const reach = reachOf(link);
        for (const moment of moments) {
          const frame = link.conflated(moment.version);
          expect(frame.length > 0).toBe(moment.version >= reach);
          if (frame.length > 0) {
            const client = clientAt(link, moment);
            expect(link.give(frame, client)).toBe(REPLICA_OK);
            expect(link.contents(client)).toEqual(link.contents(link.replica));
            link.kernel.replicaRelease(client);
          }
        }
      }),
      { numRuns: 150 },
    );
  });

  it("leaves a level out when it came and went since, and removes it when it was there", () => {
    const link = new Link(name);
    link.kernel.historyCreate(link.replica, 64);
    write(link, [{ side: SIDE_BID, price: 5n, quantity: 1n }]);
    write(link, [{ side: SIDE_BID, price: 6n, quantity: 2n }]);
    write(link, [{ side: SIDE_BID, price: 6n, quantity: 0n }]);
    write(link, [{ side: SIDE_BID, price: 5n, quantity: 0n }]);
    write(link, [{ side: SIDE_ASK, price: 9n, quantity: 3n }]);
    const changes = (from: number): unknown[] => {
      const count = link.kernel.historyChanges(link.replica, from, 0, DECODED, 4096);
      return Array.from({ length: count }, (_, index) => {
        const at = DECODED + index * CHANGE_BYTES;
        return [
          link.view.getUint32(at + CHANGE_SIDE, true),
          link.view.getBigInt64(at + CHANGE_PRICE, true),
          link.view.getBigInt64(at + CHANGE_QUANTITY, true),
        ];
      });
    };
    expect(changes(1)).toEqual([
      [SIDE_BID, 5n, 0n],
      [SIDE_ASK, 9n, 3n],
    ]);
    expect(changes(0)).toEqual([[SIDE_ASK, 9n, 3n]]);
    expect(changes(4)).toEqual([[SIDE_ASK, 9n, 3n]]);
    expect(changes(5)).toEqual([]);
    expect(link.kernel.historyChanges(link.replica, 1, 0, DECODED, CHANGE_BYTES * 2 - 1)).toBe(-1);
    expect(link.kernel.historyChanges(link.replica, 6, 0, DECODED, 4096)).toBe(-1);
  });

  it("codes the frame of the protocol when two levels changed", () => {
    const link = new Link(name);
    link.kernel.historyCreate(link.replica, 64);
    link.view.setUint32(link.replica + REPLICA_ALIAS, 300, true);
    write(link, [{ side: SIDE_BID, price: 100n, quantity: 5n }]);
    write(link, [{ side: SIDE_BID, price: 90n, quantity: 700n }]);
    write(link, [{ side: SIDE_BID, price: 100n, quantity: 0n }]);
    const frame = link.conflated(1n);
    const hash = link.kernel.bookHash(link.bookOf(link.replica));
    const view = new DataView(frame.buffer);
    expect([...frame.subarray(0, 5)]).toEqual([FRAME_CONFLATED, 0xac, 0x02, 1, 2]);
    expect(view.getUint32(5, true)).toBe(hash);
    // status, source sequence, count; 90: zigzag 180 = 20 + 5 × 32, quantity 7 × 100; then 10 up, removed.
    expect(frame[13]).toBe(0);
    expect([...frame.subarray(30, -4)]).toEqual([0, 2, 128 | (20 << 2), 5, (1 << 5) | 7, (20 << 2) | 2]);
    expect(link.kernel.crc32(8192, frame.length - 4)).toBe(view.getUint32(frame.length - 4, true));
  });

  it("does not begin in the middle of an event when the event had several records", () => {
    const link = new Link(name);
    link.kernel.historyCreate(link.replica, 64);
    write(link, [{ side: SIDE_BID, price: 1n, quantity: 1n }]);
    write(link, [{ side: SIDE_BID, price: 2n, quantity: 1n }], false);
    expect(link.conflated(1n)).toHaveLength(0);
    write(link, [{ side: SIDE_BID, price: 3n, quantity: 1n }]);
    expect(link.conflated(1n).length).toBeGreaterThan(0);
    expect(link.conflated(2n)).toHaveLength(0);
    expect(link.conflated(3n).length).toBeGreaterThan(0);
    expect(link.conflated(4n)).toHaveLength(0);
    expect(link.conflated(2n ** 64n - 1n)).toHaveLength(0);
  });

  it("reaches to the end of the event that it lost a change of when it overflowed", () => {
    const link = new Link(name);
    link.kernel.historyCreate(link.replica, 4);
    const one = (at: bigint): Change => ({ side: SIDE_BID, price: at, quantity: 1n });
    write(link, [one(1n)]);
    write(link, [one(2n), one(3n)], false);
    write(link, [one(4n)]);
    expect(reachOf(link)).toBe(0n);
    write(link, [one(5n)]);
    expect(reachOf(link)).toBe(1n);
    write(link, [one(6n)]);
    expect(reachOf(link)).toBe(3n);
    expect(link.conflated(1n)).toHaveLength(0);
    expect(link.conflated(3n).length).toBeGreaterThan(0);
  });

  it("begins anew when the book was forgotten, and is not needed for the version held", () => {
    const link = new Link(name);
    write(link, [{ side: SIDE_BID, price: 1n, quantity: 1n }]);
    expect(reachOf(link)).toBe(1n);
    expect(link.conflated(0n)).toHaveLength(0);
    const held = clientAt(link, momentOf(link));
    expect(link.give(link.conflated(1n), held)).toBe(REPLICA_OK);
    link.kernel.historyCreate(link.replica, 4);
    write(link, [{ side: SIDE_BID, price: 2n, quantity: 1n }]);
    expect(reachOf(link)).toBe(1n);
    link.kernel.replicaClear(link.replica);
    expect(link.conflated(0n)).toHaveLength(0);
    link.kernel.historyRelease(link.replica);
    expect(link.kernel.historyCreate(link.replica, 3)).toBe(1);
    expect(link.kernel.historyCreate(link.replica, 1)).toBe(1);
    expect(link.kernel.historyCreate(link.replica, 2 ** 21)).toBe(1);
  });

  it("gives nothing when the frame would be larger than the limit", () => {
    const link = new Link(name);
    link.kernel.historyCreate(link.replica, 64);
    for (let at = 0n; at < 40n; at++) {
      write(link, [{ side: SIDE_ASK, price: at * 1_000_003n, quantity: 123_456_789_012_345n }]);
    }
    const { length } = link.conflated(0n);
    expect(length).toBeGreaterThan(400);
    expect(link.conflated(0n, { limit: length - 1 })).toHaveLength(0);
    expect(link.conflated(0n, { limit: length + 24 })).toHaveLength(length);
    expect(link.conflated(0n, { limit: 0 })).toHaveLength(0);
  });

  it("is kept by a client's replica too when it applies frames", () => {
    const link = new Link(name);
    link.kernel.historyCreate(link.client, 64);
    link.kernel.historyCreate(link.replica, 64);
    const behind = clientAt(link, momentOf(link));
    for (let at = 0n; at < 5n; at++) {
      write(link, [{ side: SIDE_ASK, price: at % 3n, quantity: at + 1n }]);
      expect(link.give(link.take(1))).toBe(REPLICA_OK);
    }
    const relayed = link.conflated(0n, { replica: link.client });
    expect(relayed).toEqual(link.conflated(0n));
    expect(link.give(relayed, behind)).toBe(REPLICA_OK);
    expect(link.contents(behind)).toEqual(link.contents(link.replica));
  });
});

describe.each(["wasm", "twin"] as const)("a snapshot on %s", (name) => {
  it("carries the epoch of the view when it is loaded", () => {
    const link = new Link(name);
    link.view.setUint32(link.replica + REPLICA_EPOCH, 0xfedcba98, true);
    write(link, [{ side: SIDE_BID, price: 1n, quantity: 1n }]);
    const client = clientAt(link, momentOf(link));
    expect(link.view.getUint32(client + REPLICA_EPOCH, true)).toBe(0xfedcba98);
  });
});
