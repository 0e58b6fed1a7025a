/**
 * Endpoints in a segment's header: what is written is read, by any build. Bad case: a segment of an earlier build, whose
 * header holds zeros there, and a foreign file, whose header holds anything.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  BREAKER_OPEN,
  COUNTER_DRIFTS,
  ENDPOINT_ADDRESS_BYTES_MAX,
  ENDPOINT_BYTES,
  ENDPOINT_REST,
  ENDPOINT_WEBSOCKET,
  ENDPOINTS_MAX,
  FAILURE_STATUS,
  HEADER_BYTES,
  HEADER_COUNTERS,
  HEADER_COUNTERS_MAX,
  HEADER_ENDPOINT_COUNT,
  HEADER_ENDPOINTS,
  LAYOUT_VERSION,
} from "../../assembly/layout.ts";
import { EndpointTable, readEndpoints } from "../../src/segment/endpoints.ts";
import { createSegment, segmentBytes } from "../../src/segment/writer.ts";

const ADDRESS = 65_536;
const CONFIG = { instrumentCapacity: 2, deltaCapacity: 64, tradeCapacity: 64, imageAreaBytes: 65_536 };
const FIGURES = {
  state: BREAKER_OPEN,
  sinceNs: 1_780_000_000_000_000_001n,
  openUntilNs: 1_780_000_060_000_000_000n,
  attempts: 7,
  failures: 6,
  openings: 2,
  lastFailure: FAILURE_STATUS,
  lastStatus: 503,
};

function segment(): ArrayBuffer {
  const buffer = new ArrayBuffer(ADDRESS + segmentBytes(CONFIG));
  createSegment(buffer, {
    address: ADDRESS,
    config: CONFIG,
    identity: { exchange: "kraken", epoch: 1n, pid: 1, wallAnchorNs: 0n, monotonicAnchorNs: 0n },
  });
  return buffer;
}

describe("EndpointTable", () => {
  it("is read as it was written, and touches nothing else", () => {
    const buffer = segment();
    const before = Buffer.from(buffer.slice(0));
    const names = [
      { kind: ENDPOINT_WEBSOCKET, address: "wss://ws.kraken.com/v2" },
      { kind: ENDPOINT_REST, address: `https://${"é".repeat(200)}` },
    ];
    new EndpointTable(buffer, { address: ADDRESS, names }).set(0, FIGURES);
    const [websocket, rest] = readEndpoints(buffer, ADDRESS);
    expect(websocket).toEqual({ ...names[0], ...FIGURES });
    expect(rest).toMatchObject({ kind: ENDPOINT_REST, state: 0, sinceNs: 0n, attempts: 0, lastFailure: 0 });
    expect(Buffer.byteLength(rest?.address ?? "")).toBeLessThanOrEqual(ENDPOINT_ADDRESS_BYTES_MAX + 2);
    const after = Buffer.from(buffer);
    const [from, to] = [ADDRESS + HEADER_ENDPOINT_COUNT, ADDRESS + HEADER_ENDPOINTS + 2 * ENDPOINT_BYTES];
    expect(after.subarray(0, from).equals(before.subarray(0, from))).toBe(true);
    expect(after.subarray(to).equals(before.subarray(to))).toBe(true);
  });

  it("shows the first ones only when there are more than it holds", () => {
    const buffer = segment();
    const names = Array.from({ length: ENDPOINTS_MAX + 2 }, (_, index) => ({
      kind: ENDPOINT_WEBSOCKET,
      address: `ws://${index}/`,
    }));
    const table = new EndpointTable(buffer, { address: ADDRESS, names });
    table.set(ENDPOINTS_MAX, FIGURES);
    expect(readEndpoints(buffer, ADDRESS).map(({ address, state }) => `${address} ${state}`)).toEqual(
      names.slice(0, ENDPOINTS_MAX).map(({ address }) => `${address} 0`),
    );
  });

  it("lies in what the header page leaves over, so that the layout's version stays", () => {
    expect(HEADER_ENDPOINT_COUNT).toBeGreaterThanOrEqual(HEADER_COUNTERS + HEADER_COUNTERS_MAX * 8);
    expect(HEADER_ENDPOINTS + ENDPOINTS_MAX * ENDPOINT_BYTES).toBeLessThanOrEqual(HEADER_BYTES);
    expect([LAYOUT_VERSION, COUNTER_DRIFTS < HEADER_COUNTERS_MAX]).toEqual([3, true]);
  });
});

describe("readEndpoints", () => {
  it("finds none when the segment is of an earlier build", () => {
    expect(readEndpoints(segment(), ADDRESS)).toEqual([]);
  });

  it("stays within the table when the header holds anything", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: HEADER_BYTES, maxLength: HEADER_BYTES }), (bytes) => {
        const entries = readEndpoints(bytes.slice().buffer, 0);
        expect(entries.length).toBeLessThanOrEqual(ENDPOINTS_MAX);
        expect(entries.every(({ kind }) => kind === ENDPOINT_WEBSOCKET || kind === ENDPOINT_REST)).toBe(true);
      }),
      { numRuns: 50 },
    );
  });
});
