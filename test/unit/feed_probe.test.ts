/**
 * What a probe concludes. Bad case: a verdict that passes when there was nothing to judge.
 */
import { describe, expect, it } from "vitest";
import {
  ASSURANCE_SEQUENCE,
  COUNTER_CHECKSUM_OK,
  COUNTER_FRAMES,
  COUNTER_GAPS,
  COUNTER_REST_FAILURES,
  REASON_DISCONNECTED,
  STATE_CONNECTING,
  STATE_RETIRED,
  STATE_SYNCED,
} from "../../assembly/layout.ts";
import { judge, type ProbeEvidence } from "../../src/commands/probe_verdict.ts";
import type { InstrumentEntry } from "../../src/segment/view.ts";

function evidence(counters: Record<number, number>, books: Partial<InstrumentEntry>[]): ProbeEvidence {
  const entry = { canonical: "BTC-USD", state: STATE_SYNCED, reason: 0, assurance: ASSURANCE_SEQUENCE };
  return {
    segment: {
      counter: (index: number) => counters[index] ?? 0,
      instruments: () => books.map((book) => ({ ...entry, ...book }) as InstrumentEntry),
    },
    reports: [
      { level: "warn", text: "connect ECONNREFUSED" },
      { level: "info", text: "Connecting" },
    ],
    everSynced: new Set(),
  };
}

function verdicts(it: ProbeEvidence): string[] {
  return judge(it).map(({ isGood, what }) => `${isGood ? "pass" : "FAIL"} ${what}`);
}

describe("judge", () => {
  it("passes everything when books are synced and nothing was wrong", () => {
    expect(verdicts(evidence({ [COUNTER_FRAMES]: 9, [COUNTER_CHECKSUM_OK]: 7 }, [{}]))).toEqual([
      "pass REST: 0 requests, 0 failed",
      "pass handshake: connected, 9 frames",
      "pass BTC-USD: synced (sequence)",
      "pass integrity: 7 checksums held, 0 trades, no fault",
    ]);
  });

  it("fails what failed, and advises with the last thing that went wrong", () => {
    const bad = evidence({ [COUNTER_REST_FAILURES]: 2, [COUNTER_GAPS]: 1 }, [
      { state: STATE_CONNECTING, reason: REASON_DISCONNECTED },
    ]);
    expect(verdicts(bad)).toEqual([
      "FAIL REST: 0 requests, 2 failed",
      "FAIL handshake: never connected, 0 frames",
      "FAIL BTC-USD: connecting (sequence)",
      "FAIL integrity: 1 gaps, 0 resyncs",
    ]);
    expect(judge(bad).map(({ advice }) => advice)).toEqual([
      expect.stringContaining("ECONNREFUSED"),
      expect.stringContaining("websocket_urls"),
      "reason disconnected; connect ECONNREFUSED",
      expect.stringContaining("--record"),
    ]);
  });

  it("fails when the collector did not even start", () => {
    expect(verdicts({ ...evidence({}, []), segment: undefined })).toEqual(["FAIL the collector did not start"]);
  });

  it("leaves retired incarnations out", () => {
    expect(verdicts(evidence({}, [{ state: STATE_RETIRED }, {}]))).toHaveLength(4);
  });
});
