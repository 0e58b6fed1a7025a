/**
 * The state machine of one instrument, event by event. Bad case: two repairs for one fault, or none.
 */
import { describe, expect, it } from "vitest";
import {
  REASON_AUDIT,
  REASON_CHECKSUM,
  REASON_DISCONNECTED,
  REASON_DRIFT,
  REASON_GAP,
  REASON_LIMIT,
  REASON_MAINTENANCE,
  REASON_OVERFLOW,
  REASON_REFUSED,
  REASON_SILENT,
  REASON_UNREADABLE_FRAME,
  STATE_CONNECTING,
  STATE_OUT_OF_SERVICE,
  STATE_RESYNCING,
  STATE_SUSPECT,
  STATE_SYNCED,
  STATE_WAITING,
} from "../../assembly/layout.ts";
import { type InstrumentAction, InstrumentSync, type InstrumentSyncOptions } from "../../src/sync/mod.ts";

function machine(options: Partial<InstrumentSyncOptions> = {}): InstrumentSync {
  return new InstrumentSync({
    snapshot: "in_band",
    unreadable: () => "resync",
    ackMs: 10_000,
    firstDataMs: 5000,
    suspectMs: 60_000,
    refusedMs: 30_000,
    backoff: { baseMs: 500, capMs: 30_000, healthyMs: 60_000 },
    random: () => 0.5,
    ...options,
  });
}

/** What is wanted, without the calls to the kernel. */
function wanted(actions: readonly InstrumentAction[]): string[] {
  return actions.map((action) => action.do).filter((word) => word !== "unsync" && word !== "count_resync");
}

function synced(options: Partial<InstrumentSyncOptions> = {}): InstrumentSync {
  const sync = machine(options);
  sync.opened(0);
  sync.accepted(10);
  sync.synced(20);
  return sync;
}

describe("InstrumentSync with snapshots in band", () => {
  it("waits for its snapshot when the connection opened, and an acknowledgement is no proof", () => {
    const sync = machine();
    expect(sync.state).toBe(STATE_CONNECTING);
    expect(sync.opened(0)).toEqual([{ do: "unsync", state: STATE_WAITING, reason: 2 }]);
    expect(sync.deadline).toBe(10_000);
    expect(sync.accepted(100)).toEqual([]);
    expect([sync.state, sync.deadline]).toEqual([STATE_WAITING, 5100]);
    sync.synced(200);
    expect([sync.state, sync.deadline]).toEqual([STATE_SYNCED, undefined]);
  });

  it("ignores the acknowledgement when the snapshot came first", () => {
    const sync = machine();
    sync.opened(0);
    sync.synced(50);
    expect(sync.accepted(100)).toEqual([]);
    expect([sync.state, sync.deadline]).toEqual([STATE_SYNCED, undefined]);
  });

  it("asks for one repair at once when a fault is found, and for none more until it failed", () => {
    const sync = synced();
    expect(wanted(sync.fault(1000, REASON_CHECKSUM))).toEqual(["resubscribe"]);
    expect([sync.state, sync.reason]).toEqual([STATE_RESYNCING, REASON_CHECKSUM]);
    expect(wanted(sync.timer(10_999))).toEqual([]);
    expect(wanted(sync.timer(11_000))).toEqual(["resubscribe"]);
  });

  it("waits with growing delays when fresh snapshots are bad again and again", () => {
    const sync = synced();
    sync.fault(1000, REASON_CHECKSUM);
    const delays = [0, 1, 2, 3].map((round) => {
      const at = 2000 + round * 100_000;
      sync.accepted(at);
      expect(wanted(sync.fault(at, REASON_CHECKSUM))).toEqual([]);
      const delay = (sync.deadline ?? 0) - at;
      expect(wanted(sync.timer(at + delay))).toEqual(["resubscribe"]);
      return delay;
    });
    expect(delays).toEqual([250, 500, 1000, 2000]);
  });

  it("schedules nothing more when a fault comes while a repair is scheduled", () => {
    const sync = synced();
    sync.fault(1000, REASON_CHECKSUM);
    sync.fault(2000, REASON_CHECKSUM);
    const { deadline } = sync;
    expect(wanted(sync.fault(2100, REASON_CHECKSUM))).toEqual([]);
    expect(sync.deadline).toBe(deadline);
  });

  it("counts every fault when it begins a repair", () => {
    const sync = synced();
    const counted = (actions: readonly InstrumentAction[]) => actions.filter((it) => it.do === "count_resync").length;
    expect(counted(sync.fault(1000, REASON_GAP))).toBe(1);
    sync.synced(1100);
    expect(counted(sync.unreadable(1200))).toBe(1);
  });

  it("resubscribes when it stays silent after the acknowledgement, and suspects the connection at the third time", () => {
    const sync = machine();
    sync.opened(0);
    sync.accepted(0);
    expect(sync.timer(4999)).toEqual([]);
    expect(wanted(sync.timer(5000))).toEqual(["resubscribe"]);
    expect([sync.state, sync.reason]).toEqual([STATE_WAITING, REASON_SILENT]);
    expect(wanted(sync.timer(15_000))).toEqual(["resubscribe"]);
    expect(wanted(sync.timer(25_000))).toEqual(["resubscribe", "silent"]);
  });

  it("doubts nothing when a frame is unreadable before there is a book", () => {
    const sync = machine();
    sync.opened(0);
    expect(sync.unreadable(10)).toEqual([]);
  });

  it("repairs when a frame is unreadable and nothing would show what it was", () => {
    const sync = synced();
    expect(sync.unreadable(1000)[0]).toEqual({
      do: "unsync",
      state: STATE_RESYNCING,
      reason: REASON_UNREADABLE_FRAME,
    });
    expect(sync.deadline).toBe(11_000);
  });

  it("shows the reason of the close and waits for nothing when the connection is gone", () => {
    const sync = synced();
    expect(sync.closed()).toEqual([{ do: "unsync", state: STATE_CONNECTING, reason: REASON_DISCONNECTED }]);
    expect(sync.closed(REASON_MAINTENANCE)[0]).toMatchObject({ reason: REASON_MAINTENANCE });
    expect([sync.deadline, wanted(sync.timer(1e9)), wanted(sync.fault(1e9, REASON_GAP))]).toEqual([undefined, [], []]);
  });

  it("stays out of service until it tries again when the exchange refuses it", () => {
    const sync = machine();
    sync.opened(0);
    expect(sync.isUnanswered).toBe(true);
    expect(sync.refused(100)).toEqual([{ do: "unsync", state: STATE_OUT_OF_SERVICE, reason: REASON_REFUSED }]);
    expect(sync.isUnanswered).toBe(false);
    expect(sync.timer(30_099)).toEqual([]);
    expect(wanted(sync.timer(30_100))).toEqual(["resubscribe"]);
    expect(sync.state).toBe(STATE_WAITING);
  });

  it("asks for nothing more when there is no room for the book", () => {
    const sync = synced();
    sync.outOfService(100, REASON_LIMIT);
    expect([sync.state, sync.deadline, sync.timer(1e9)]).toEqual([STATE_OUT_OF_SERVICE, undefined, []]);
  });

  it("tries again later when numbers were out of range, because one broken frame may have held them", () => {
    const sync = synced();
    expect(sync.outOfService(100, REASON_OVERFLOW)).toEqual([
      { do: "unsync", state: STATE_OUT_OF_SERVICE, reason: REASON_OVERFLOW },
    ]);
    expect(sync.timer(30_099)).toEqual([]);
    expect(sync.timer(30_100)).toEqual([
      { do: "unsync", state: STATE_WAITING, reason: REASON_OVERFLOW },
      { do: "resubscribe" },
    ]);
  });

  it("says once that the format drifts, and tries again later", () => {
    const sync = synced();
    expect(sync.drifted(100)).toEqual([{ do: "unsync", state: STATE_OUT_OF_SERVICE, reason: REASON_DRIFT }]);
    expect([sync.drifted(200), sync.isDrifting]).toEqual([[], true]);
    expect(wanted(sync.timer(30_100))).toEqual(["resubscribe"]);
    expect([sync.state, sync.reason, sync.isDrifting]).toEqual([STATE_WAITING, REASON_DRIFT, false]);
    expect(wanted(sync.drifted(30_200))).toEqual([]);
    expect(sync.isDrifting).toBe(true);
  });

  it("does not call an answer overdue while the request waits for its turn", () => {
    const sync = machine();
    sync.opened(0);
    expect([sync.timer(10_000, { isSending: true }), sync.deadline]).toEqual([[], 20_000]);
    expect(wanted(sync.timer(20_000))).toEqual(["resubscribe"]);
  });

  it("is repaired when something else says that it is not right, but only while it is in service", () => {
    const sync = synced();
    expect(sync.mistrusted(100, REASON_AUDIT)).toEqual([
      { do: "unsync", state: STATE_RESYNCING, reason: REASON_AUDIT },
      { do: "count_resync" },
      { do: "resubscribe" },
    ]);
    expect(sync.mistrusted(110, REASON_AUDIT)).toEqual([]);
  });
});

describe("InstrumentSync with REST snapshots", () => {
  const rest = { snapshot: "rest" as const, unreadable: () => "suspect" as const };

  it("asks for a snapshot when it is acknowledged or when events wait, once", () => {
    const sync = machine(rest);
    sync.opened(0);
    expect(wanted(sync.buffered())).toEqual(["snapshot"]);
    expect(wanted(sync.buffered())).toEqual([]);
    expect(wanted(sync.accepted(10))).toEqual([]);
    const other = machine(rest);
    other.opened(0);
    expect(wanted(other.accepted(10))).toEqual(["snapshot"]);
  });

  it("asks again with delays when snapshots fail, and hears only the one that it awaits", () => {
    const sync = machine(rest);
    sync.opened(0);
    sync.accepted(0);
    const token = sync.awaitedSnapshot ?? -1;
    expect(sync.snapshotFailed(100, token + 1)).toEqual([]);
    expect(wanted(sync.snapshotFailed(100, token))).toEqual(["snapshot"]);
    const second = sync.awaitedSnapshot ?? -1;
    expect(second).not.toBe(token);
    expect(wanted(sync.snapshotFailed(200, second))).toEqual([]);
    expect(sync.awaitedSnapshot).toBeUndefined();
    expect(wanted(sync.timer(450))).toEqual(["snapshot"]);
  });

  it("asks for an early snapshot again only when no events of its numbers came in the time for first frames", () => {
    const sync = machine(rest);
    sync.opened(0);
    sync.accepted(0);
    const token = sync.awaitedSnapshot ?? -1;
    expect([sync.snapshotEarly(100, token + 1), sync.deadline]).toEqual([[], undefined]);
    expect([sync.snapshotEarly(100, token), sync.deadline, sync.awaitedSnapshot]).toEqual([[], 5100, undefined]);
    expect(wanted(sync.timer(5100))).toEqual(["snapshot"]);
  });

  it("awaits no snapshot any more when the connection closed", () => {
    const sync = machine(rest);
    sync.opened(0);
    sync.accepted(0);
    const token = sync.awaitedSnapshot ?? -1;
    sync.closed();
    sync.opened(1000);
    expect(sync.snapshotFailed(1100, token)).toEqual([]);
    expect(sync.awaitedSnapshot).toBeUndefined();
  });

  it("is suspect after an unreadable frame and repairs only when nothing proves it right in time", () => {
    const sync = synced(rest);
    expect(sync.unreadable(1000)).toEqual([{ do: "unsync", state: STATE_SUSPECT, reason: REASON_UNREADABLE_FRAME }]);
    sync.unreadable(5000);
    expect(sync.deadline).toBe(61_000);
    sync.synced(6000);
    expect(sync.deadline).toBeUndefined();
    sync.unreadable(7000);
    expect(wanted(sync.timer(67_000))).toEqual(["snapshot"]);
    expect(sync.state).toBe(STATE_RESYNCING);
  });

  it("asks for a snapshot and does not resubscribe when a gap is found", () => {
    const sync = synced(rest);
    expect(wanted(sync.fault(1000, REASON_GAP))).toEqual(["snapshot"]);
  });
});
