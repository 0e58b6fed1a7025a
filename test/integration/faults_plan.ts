/**
 * Scripts of faults, one after the other on one instrument of each exchange, and what must be true of the books that were
 * published meanwhile. Bad case: a wrong book that nobody looked for; whatever no fault of class B explains is a failure.
 */
import { expect } from "vitest";
import type { FaultKind } from "../../src/emulator/mod.ts";
import type { ExchangeId } from "../../src/model/exchange_id.ts";
import { faultClass } from "../../src/sync/mod.ts";
import { PAIRS, type Storm, timeOf, type Wrong } from "./faults_rig.ts";

/** A fault without its target and time; `later_ms` after the others of its row. */
export type Planned = { readonly kind: FaultKind; readonly later_ms?: number } & Readonly<Record<string, unknown>>;

/** When the first fault comes and how far they are apart, ms after the emulator's start. */
export type Pace = { readonly firstMs: number; readonly everyMs: number };

/** The scripts take half a minute; a starved machine takes its time. */
const STRUCK_WITHIN_MS = 150_000;
const PATIENCE = { timeout: 20_000, interval: 100 };

/** Rules for one exchange, each at its time, aimed at its victim. Faults of one row come together. */
export function rulesFor(
  exchange: ExchangeId,
  rows: readonly (readonly Planned[])[],
  { firstMs, everyMs }: Pace,
): Record<string, unknown>[] {
  return rows.flatMap((row, index) =>
    row.map((planned) => {
      const { later_ms: laterMs = 0, ...fault } = planned;
      const atMs = firstMs + index * everyMs + laterMs;
      const rule = { exchange, instrument: PAIRS[exchange].victim, at_ms: atMs, ...fault };
      return Object.fromEntries(Object.entries(rule).filter(([, value]) => value !== undefined));
    }),
  );
}

/** Waits until every planned rule has struck at least once. */
export async function allStruck(storm: Storm, rules: readonly Record<string, unknown>[]): Promise<void> {
  const waiting = (): string[] => {
    const struck = new Set(storm.emulator.faults().entries.map(({ rule }) => rule));
    return rules.flatMap(({ kind, exchange }, index) => (struck.has(index) ? [] : [`${exchange} ${kind}`]));
  };
  const deadline = performance.now() + STRUCK_WITHIN_MS;
  for (let missing = waiting(); missing.length > 0; missing = waiting()) {
    if (performance.now() > deadline) {
      throw new Error(`Cannot wait any longer: faults did not strike, was ${missing.join(", ")}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** Waits until every book is synced and equal to the truth. */
export async function allWell(storm: Storm): Promise<void> {
  await expect.poll(() => storm.unfinished(), PATIENCE).toEqual([]);
}

/** Wrong books that no fault explains: none, or only faults of class B may have gone before, in the same period. */
export function unexplained(storm: Storm, wrong: readonly Wrong[]): string[] {
  return wrong
    .filter((one) => !isExplained(storm, one))
    .map((one) => {
      const last = storm
        .entries(one.exchange)
        .filter(({ events }) => (events?.[one.native]?.first.time ?? "9") <= timeOf(one.eventAtNs))
        .at(-1);
      const after = last === undefined ? "no fault" : `${last.kind} (${last.detail})`;
      const place = `${one.exchange} ${one.native} version ${one.version} period ${one.period}`;
      return `${place} at ${timeOf(one.eventAtNs)} ${one.sequence} after ${after}; the truth: ${one.truth}`;
    });
}

function isExplained(storm: Storm, one: Wrong): boolean {
  // What struck frames that were kept for a snapshot struck before the period's first book.
  const before = storm.witness.published.findLast(
    ({ exchange, native, period }) => exchange === one.exchange && native === one.native && period < one.period,
  );
  const [from, to] = [timeOf(before?.eventAtNs ?? 0n), timeOf(one.eventAtNs)];
  const depth = one.exchange === "kraken" ? storm.krakenDepth : 0;
  return storm.entries(one.exchange).some(({ kind, events }) => {
    const span = events?.[one.native];
    const isBefore = span !== undefined && span.last.time > from && span.first.time <= to;
    return isBefore && faultClass(kind, one.exchange, { depth, part: "any" }).class === "B";
  });
}

/** The instrument beside the victim noticed nothing: chain, subscription, socket. */
export function expectUndisturbed(storm: Storm, exchange: ExchangeId): void {
  const { other } = PAIRS[exchange];
  const { brokenChains, losses, resets, snapshots, events, status } = storm.witness.of(exchange, other);
  const counts = storm.emulator.counts()[exchange];
  expect({ exchange, brokenChains, losses, resets, snapshots, state: status.state }).toEqual({
    ...{ exchange, brokenChains: 0, losses: 0, resets: [], snapshots: 1, state: "synced" },
  });
  expect({ exchange, subscriptions: counts?.bookSubscriptions[other], connections: counts?.connections }).toEqual({
    ...{ exchange, subscriptions: 1, connections: 1 },
  });
  expect(events).toBeGreaterThan(50);
}
