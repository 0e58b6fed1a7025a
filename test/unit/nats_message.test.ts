/**
 * What travels through the broker comes out as it went in, and anything else is refused with a reason.
 * Bad case: a byte changed on the way; the checksum covers all of them.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DELTA_BYTES, DELTA_CHANGE_COUNT, TRADE_BYTES } from "../../assembly/layout.ts";
import { decodeFacts } from "../../src/nats/facts.ts";
import {
  decodeMessage,
  encodeMessage,
  joinPieces,
  KINDS,
  packDelta,
  parseSubject,
  splitPieces,
  subjectOf,
  unpackDeltas,
  unpackTrades,
} from "../../src/nats/message.ts";

const HEAD = { kind: KINDS.deltas, source: 2n ** 63n, epoch: 7n, instrumentId: 3, count: 1, bound: 9n, parts: 0 };

/** A delta record with so many changes; what lies beyond them is zero. */
const record = fc
  .tuple(fc.integer({ min: 0, max: 16 }), fc.uint8Array({ minLength: 256, maxLength: 256 }))
  .map(([changes, noise]) => {
    const bytes = Uint8Array.from(noise);
    bytes[DELTA_CHANGE_COUNT] = changes;
    bytes.fill(0, 64 + changes * 8, 192);
    bytes.fill(0, 192 + changes * 4, DELTA_BYTES);
    return bytes;
  });

describe("a message", () => {
  it("comes out as it went in when records of any kind are packed", () => {
    fc.assert(
      fc.property(fc.array(record, { maxLength: 20 }), (records) => {
        const packed = records.map((bytes) => packDelta(bytes, 0));
        const message = decodeMessage(encodeMessage({ ...HEAD, count: records.length }, packed));
        expect(message).toMatchObject({ ...HEAD, count: records.length });
        expect(typeof message === "string" ? undefined : unpackDeltas(message.body, records.length)).toEqual(records);
      }),
    );
  });

  it("is refused when a single bit is another", () => {
    const bytes = encodeMessage(HEAD, [Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8)]);
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const flipped = Uint8Array.from(bytes);
      flipped[bit >>> 3] = (flipped[bit >>> 3] ?? 0) ^ (1 << (bit & 7));
      expect([bit, typeof decodeMessage(flipped)]).toEqual([bit, "string"]);
    }
  });

  it("is read or refused, and never anything else, when bytes are arbitrary", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 600 }), fc.nat(40), (bytes, count) => {
        decodeMessage(bytes);
        decodeFacts(bytes);
        splitPieces(bytes);
        expect(unpackDeltas(bytes, count)?.length ?? count).toBe(count);
        expect(unpackTrades(bytes, count) === undefined).toBe(bytes.length !== count * TRADE_BYTES);
      }),
    );
  });

  it("holds pieces apart when they are joined", () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 8 }), (pieces) => {
        const joined = Uint8Array.from(joinPieces(pieces).flatMap((piece) => [...piece]));
        expect(splitPieces(joined)?.map((piece) => [...piece])).toEqual(pieces.map((piece) => [...piece]));
      }),
    );
  });
});

describe("a subject", () => {
  it("names exchange and instrument when the instrument's name has any letters", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme", minLength: 1, maxLength: 10 }), (symbol) => {
        const subject = subjectOf("kraken", symbol, "delta");
        expect(subject).toMatch(/^alphapulse\.v1\.kraken\.[A-Za-z0-9_%-]+\.delta$/);
        expect(parseSubject(subject)).toEqual({ exchange: "kraken", symbol, what: "delta" });
      }),
    );
    expect(subjectOf("kraken", "BTC-USD", "trade")).toBe("alphapulse.v1.kraken.BTC-USD.trade");
    expect(parseSubject("alphapulse.v1.kraken.%ZZ.delta")).toBe(undefined);
    expect(parseSubject("alphapulse.v1.kraken.a.b.delta")).toBe(undefined);
  });
});
