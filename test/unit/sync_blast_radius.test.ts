/**
 * A fault that strikes one instrument: every other one keeps its versions, its subscription and its socket, whatever the
 * fault; and the one that was struck is right again when the exchange's rule can show the fault at all.
 * Bad case: a repair that asks for the whole connection because that is simpler.
 */
import { describe, expect, it, vi } from "vitest";
import {
  COUNTER_RECONNECTS,
  COUNTER_RESYNCS,
  FLAG_NOT_SYNCED,
  FLAG_RESET,
  FLAG_SNAPSHOT,
} from "../../assembly/layout.ts";
import { existsOn, FAULT_KIND_NAMES, FAULT_KINDS, type FaultKind } from "../../src/emulator/fault_kinds.ts";
import { EXCHANGE_IDS, type ExchangeId } from "../../src/model/exchange_id.ts";
import { faultClass } from "../../src/sync/mod.ts";
import { nativeAt, SyncRig } from "./sync_rig.ts";

vi.setConfig({ testTimeout: 60_000 });

/** Nobody can tell whose an unreadable frame was, and maintenance is everybody's. */
const WHOLE: readonly FaultKind[] = ["truncate", "corrupt_bit", "corrupt_byte", "maintenance"];
const SCOPES = ["frame", "stream", "subscription", "rest", "market"];
const DISTURBING = FLAG_NOT_SYNCED | FLAG_RESET | FLAG_SNAPSHOT;

function kindsOf(exchange: ExchangeId): FaultKind[] {
  const isAimed = (kind: FaultKind) =>
    existsOn(kind, exchange) && SCOPES.includes(FAULT_KINDS[kind].scope) && !WHOLE.includes(kind);
  return FAULT_KIND_NAMES.filter(
    (kind) => isAimed(kind) || (kind === "snapshot_midstream" && existsOn(kind, exchange)),
  );
}

function ruleOf(kind: FaultKind, native: string): Record<string, unknown> {
  const { scope, options } = FAULT_KINDS[kind];
  const rule = { kind, instrument: native, at_ms: 8000 };
  switch (scope) {
    case "subscription":
      return { kind, instrument: native };
    case "stream":
      return "for_frames" in options ? { ...rule, for_frames: 8 } : rule;
    case "frame":
      return { ...rule, times: 2 };
    default:
      return rule;
  }
}

describe.each(EXCHANGE_IDS)("a fault on one instrument of %s", (exchange) => {
  it.each(kindsOf(exchange))("leaves every other one undisturbed when it is %s", async (kind) => {
    const struck = nativeAt(exchange, 0);
    const rig = await SyncRig.start({ exchange, count: 3, faults: [ruleOf(kind, struck)] });
    const [, ...others] = rig.natives;
    const before = new Map(others.map((native) => [native, rig.records.get(native)?.length ?? 0]));
    const said = rig.sent.length;
    const isOver = () => rig.emulator.faults().total > 0 && rig.state(struck) === "synced none";
    await rig.pass(13_000);
    for (let seconds = 13; seconds < 90 && !isOver(); seconds += 5) {
      await rig.pass(5000);
    }
    await rig.settle();
    expect(rig.emulator.faults().total, "the fault must happen").toBeGreaterThan(0);
    for (const native of others) {
      const records = (rig.records.get(native) ?? []).slice(before.get(native));
      expect(records.length).toBeGreaterThan(40);
      expect(records.filter(({ flags }) => (flags & DISTURBING) !== 0)).toEqual([]);
      expect([rig.follower(native).wrongs, rig.state(native)]).toEqual([[], "synced none"]);
      expect(rig.follower(native).book).toEqual(rig.truth(native));
      expect(rig.sent.slice(said).filter(({ text }) => text.toUpperCase().includes(native))).toEqual([]);
    }
    expect([rig.connects.length, rig.count(COUNTER_RECONNECTS)]).toEqual([1, 0]);
    if (faultClass(kind, exchange, { depth: 10 }).class !== "B") {
      expect([rig.state(struck), rig.follower(struck).wrongs]).toEqual(["synced none", []]);
      expect(rig.follower(struck).book).toEqual(rig.truth(struck));
    }
    if (faultClass(kind, exchange, { depth: 10 }).class === "harmless") {
      expect(rig.count(COUNTER_RESYNCS)).toBe(0);
    }
    rig.close();
  });
});
