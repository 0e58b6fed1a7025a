/**
 * The endpoints of a collector: what is shown of them, what is told, what a successor takes over.
 * Bad case: an address with a password; it must not reach people.
 */
import { describe, expect, it } from "vitest";
import {
  BREAKER_OPEN,
  ENDPOINT_REST,
  ENDPOINT_WEBSOCKET,
  FAILURE_STATUS,
  FAILURE_TIMEOUT,
} from "../../assembly/layout.ts";
import type { EndpointEntry } from "../../src/segment/endpoints.ts";
import { testEndpoints } from "../support/endpoints.ts";

const NS_PER_MS = 1_000_000n;

describe("Endpoints", () => {
  it("shows addresses without their secrets, and tells those apart that are alike then", () => {
    const { names } = testEndpoints({
      now: () => 0,
      urls: ["wss://user:secret@one.test/ws?key=secret#x", "wss://one.test/ws?key=other", "ws://one.test/"],
    });
    expect(names).toEqual([
      { kind: ENDPOINT_WEBSOCKET, address: "wss://one.test/ws" },
      { kind: ENDPOINT_WEBSOCKET, address: "wss://one.test/ws #2" },
      { kind: ENDPOINT_WEBSOCKET, address: "ws://one.test/" },
      { kind: ENDPOINT_REST, address: "http://rest.test/" },
    ]);
  });

  it("asks the real address, whatever is shown", () => {
    const url = "wss://user:secret@one.test/ws?key=secret";
    const { endpoints } = testEndpoints({ now: () => 0, urls: [url] });
    expect(endpoints.connect(0)?.attempt.url).toBe(url);
  });

  it("shows and tells every change once when it opens, may be tried, and works again", () => {
    const clock = { now: 0 };
    const { endpoints, shown, reports } = testEndpoints({ now: () => clock.now });
    const told = () => {
      endpoints.tick();
      endpoints.tick();
      return reports.splice(0).map(({ level, text }) => `${level} ${text}`);
    };
    expect(told()).toEqual([]);
    endpoints.connect(0)?.attempt.failed({ kind: FAILURE_STATUS, status: 429, restMs: 7000 });
    expect(told()).toEqual(["warn ws://one.test/ is left alone for 7000 ms: its last failure was status 429"]);
    expect(shown.get(0)).toMatchObject({
      state: BREAKER_OPEN,
      openUntilNs: 7000n * NS_PER_MS,
      attempts: 1,
      failures: 1,
      openings: 1,
      lastFailure: FAILURE_STATUS,
      lastStatus: 429,
    });
    clock.now = 7000;
    expect(told()).toEqual(["info ws://one.test/ may be tried once"]);
    endpoints.connect(0)?.attempt.failed({ kind: FAILURE_TIMEOUT });
    expect(told()).toEqual(["warn ws://one.test/ is left alone for 2000 ms: its last failure was timeout"]);
    clock.now = 9000;
    const attempt = endpoints.connect(0)?.attempt;
    attempt?.succeeded();
    attempt?.failed({ kind: FAILURE_TIMEOUT });
    expect(told()).toEqual(["info ws://one.test/ works again"]);
    expect(shown.get(0)).toMatchObject({ state: 0, openUntilNs: 0n, attempts: 3, failures: 2, openings: 2 });
  });

  it("keeps the time that was demanded of its predecessor, of those addresses only", () => {
    const clock = { now: 1000 };
    const leave = (address: string, openUntilMs: bigint): EndpointEntry => ({
      kind: ENDPOINT_WEBSOCKET,
      address,
      state: BREAKER_OPEN,
      sinceNs: 0n,
      openUntilNs: openUntilMs * NS_PER_MS,
      attempts: 3,
      failures: 3,
      openings: 1,
      lastFailure: FAILURE_STATUS,
      lastStatus: 429,
    });
    const left = [leave("ws://one.test/", 50_000n), leave("ws://two.test/", 500n), leave("ws://gone.test/", 50_000n)];
    const urls = ["ws://one.test/", "ws://two.test/"];
    const { endpoints, shown, reports } = testEndpoints({ now: () => clock.now, urls, left });
    const told = () => reports.splice(0).map(({ level, text }) => `${level} ${text}`);
    expect(told()).toEqual(["warn ws://one.test/ is left alone for 49000 ms: its last failure was status 429"]);
    expect(shown.get(0)).toMatchObject({ state: BREAKER_OPEN, openUntilNs: 50_000n * NS_PER_MS, lastStatus: 429 });
    expect(endpoints.connect(0)).toMatchObject({ attempt: { url: "ws://two.test/" }, turn: 2 });
    clock.now = 49_999;
    expect(endpoints.connect(0)?.attempt.url).toBe("ws://two.test/");
    clock.now = 50_000;
    endpoints.tick();
    expect(told()).toEqual(["info ws://one.test/ may be tried once"]);
    expect(endpoints.connect(0)?.attempt.url).toBe("ws://one.test/");
    expect(endpoints.admitsRest).toBe(true);
  });
});
