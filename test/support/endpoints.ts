/**
 * The endpoints of a collector for tests that hold the clock: real breakers, and what they showed and told.
 * Bad case: a test without a clock of its own; time stands still then, and an open breaker stays open.
 */
import type { Report } from "../../src/feed/collector.ts";
import { breakerLimits, Endpoints } from "../../src/feed/endpoints.ts";
import type { EndpointEntry, EndpointFigures, EndpointName } from "../../src/segment/endpoints.ts";
import type { BreakerLimits } from "../../src/sync/mod.ts";

/** As a collector has them when nothing is configured. */
export const USUAL_BREAKER: BreakerLimits = breakerLimits({
  reconnectBaseMs: 500,
  reconnectCapMs: 30_000,
  healthyMs: 60_000,
  connectTimeoutMs: 10_000,
  restTimeoutMs: 10_000,
});

/** How to make some. */
export type TestEndpointsOptions = {
  /** Monotonic ms. */
  readonly now: () => number;
  readonly urls?: readonly string[];
  readonly limits?: BreakerLimits;
  /** How a predecessor left them. */
  readonly left?: readonly EndpointEntry[];
  /** Uniform in [0, 1); always 1 unless given, so that rests are as long as they may be. */
  readonly random?: () => number;
};

/** Makes endpoints. */
export function testEndpoints(options: TestEndpointsOptions): {
  readonly endpoints: Endpoints;
  readonly names: EndpointName[];
  readonly shown: Map<number, EndpointFigures>;
  readonly reports: Report[];
} {
  const { now, urls = ["ws://one.test/"], limits = USUAL_BREAKER, random = () => 1 } = options;
  const names: EndpointName[] = [];
  const shown = new Map<number, EndpointFigures>();
  const reports: Report[] = [];
  const endpoints = new Endpoints({
    websocketUrls: urls,
    restUrl: "http://rest.test",
    limits,
    left: options.left ?? [],
    clock: { anchorNs: 0n, monotonicAnchorNs: 0n, now: () => now() * 1e6 },
    random,
    table: (given) => {
      names.push(...given);
      return { set: (index, figures) => shown.set(index, figures) };
    },
    report: (report) => reports.push(report),
  });
  return { endpoints, names, shown, reports };
}
