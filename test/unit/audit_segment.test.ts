/**
 * Audits in the segment: what the producer writes about them is what readers see, and a segment of the layout before, which
 * has none, is still read. Bad case: a reader that takes spare bytes of an older layout for an audit.
 */
import { describe, expect, it } from "vitest";
import {
  ASSURANCE_CHECKSUM,
  AUDIT_MISMATCH,
  AUDIT_NONE,
  HEADER_LAYOUT_VERSION,
  LAYOUT_VERSION,
  TABLE_AUDIT_OUTCOME,
  TABLE_AUDIT_PERIOD,
  TABLE_AUDITED_AT,
  TABLE_BYTES,
  TABLE_NATIVE,
  TABLE_NATIVE_BYTES_MAX,
  TRADING_OPEN,
  WATCH_BYTES,
  WATCH_LIST,
  WATCH_MISMATCH_BYTES,
  WATCH_MISMATCHES_MAX,
} from "../../assembly/layout.ts";
import { AUDIT_WORDS, wordOf } from "../../src/model/states.ts";
import { SegmentView } from "../../src/segment/view.ts";
import { createSegment } from "../../src/segment/writer.ts";

const ADDRESS = 65_536;

function segment() {
  const buffer = new SharedArrayBuffer(8 * ADDRESS);
  const config = { instrumentCapacity: 3, deltaCapacity: 64, tradeCapacity: 128, imageAreaBytes: 20_000 };
  const identity = { exchange: "kraken", epoch: 1n, pid: 1, wallAnchorNs: 5n, monotonicAnchorNs: 5n };
  const writer = createSegment(buffer, { address: ADDRESS, config, identity });
  const instrument = writer.addInstrument({
    canonical: "BTC-USD",
    native: "BTC/USD",
    assurance: ASSURANCE_CHECKSUM,
    depth: 10,
    priceExponent: -1,
    quantityExponent: 8,
    tradingStatus: TRADING_OPEN,
    imageLevels: 100,
    sinceNs: 123n,
  });
  return { buffer, writer, instrument };
}

function auditOf(buffer: SharedArrayBuffer) {
  const { auditPeriodMs, auditOutcome, auditedAtNs } = new SegmentView(buffer, ADDRESS).instrument(0);
  return { auditPeriodMs, auditOutcome, auditedAtNs };
}

describe("the audit in the segment", () => {
  it("is read as it was written, and says none before the first", () => {
    const { buffer, writer, instrument } = segment();
    expect(auditOf(buffer)).toEqual({ auditPeriodMs: 0, auditOutcome: AUDIT_NONE, auditedAtNs: 0n });
    if (instrument !== undefined) {
      writer.setAudit(instrument, { periodMs: 61_000, outcome: AUDIT_MISMATCH, auditedAtNs: 9n ** 18n });
    }
    expect(auditOf(buffer)).toEqual({ auditPeriodMs: 61_000, auditOutcome: AUDIT_MISMATCH, auditedAtNs: 9n ** 18n });
  });

  it("is none in a segment of the layout before, which is still accepted", () => {
    const { buffer } = segment();
    new DataView(buffer, ADDRESS).setUint32(HEADER_LAYOUT_VERSION, LAYOUT_VERSION - 1, true);
    expect(auditOf(buffer)).toEqual({ auditPeriodMs: 0, auditOutcome: AUDIT_NONE, auditedAtNs: 0n });
  });

  it("lies in what was spare: the entry and everything around it stay where they were", () => {
    expect([LAYOUT_VERSION, TABLE_BYTES, TABLE_NATIVE + 1 + TABLE_NATIVE_BYTES_MAX]).toEqual([
      3,
      256,
      TABLE_AUDIT_PERIOD,
    ]);
    expect([TABLE_AUDIT_PERIOD, TABLE_AUDIT_OUTCOME, TABLE_AUDITED_AT]).toEqual([208, 212, 216]);
    expect(WATCH_LIST + WATCH_MISMATCHES_MAX * WATCH_MISMATCH_BYTES).toBe(WATCH_BYTES);
  });

  it("has a word for every outcome, and unknown for one of a later build", () => {
    expect([0, 1, 2, 3, 4, 99].map((code) => wordOf(AUDIT_WORDS, code))).toEqual([
      "none",
      "match",
      "mismatch",
      "inconclusive",
      "failed",
      "unknown",
    ]);
  });
});
