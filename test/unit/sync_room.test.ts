/** A book that found no room in its segment waits, asks for nothing, and is out of service only when there will be none. */
import { describe, expect, it } from "vitest";
import {
  REASON_DISCONNECTED,
  REASON_LIMIT,
  STATE_CONNECTING,
  STATE_RESYNCING,
  STATE_WAITING,
} from "../../assembly/layout.ts";
import { InstrumentSync } from "../../src/sync/mod.ts";

function synced(snapshot: "in_band" | "rest"): InstrumentSync {
  const sync = new InstrumentSync({
    snapshot,
    unreadable: () => "resync",
    ackMs: 10_000,
    firstDataMs: 5000,
    suspectMs: 60_000,
    refusedMs: 30_000,
    backoff: { baseMs: 500, capMs: 30_000, healthyMs: 60_000 },
    random: () => 0.5,
  });
  sync.opened(0);
  sync.accepted(10);
  sync.synced(20);
  return sync;
}

describe.each(["in_band", "rest"] as const)("A book with snapshots %s that found no room", (snapshot) => {
  it("is resyncing for that reason and nothing is asked for it", () => {
    const sync = synced(snapshot);
    expect(sync.isAwaitingRoom).toBe(false);
    expect(sync.awaitRoom()).toEqual([{ do: "unsync", state: STATE_RESYNCING, reason: REASON_LIMIT }]);
    expect([sync.isAwaitingRoom, sync.deadline, sync.awaitedSnapshot]).toEqual([true, undefined, undefined]);
    expect([sync.timer(1e9), sync.buffered(), sync.unreadable(1e9)]).toEqual([[], [], []]);
    expect(sync.snapshotFailed(100, 1)).toEqual([]);
  });

  it("tries again over the next connection", () => {
    const sync = synced(snapshot);
    sync.awaitRoom();
    expect(sync.closed()).toEqual([{ do: "unsync", state: STATE_CONNECTING, reason: REASON_DISCONNECTED }]);
    expect(sync.opened(200)[0]).toMatchObject({ state: STATE_WAITING });
    expect(sync.isAwaitingRoom).toBe(false);
  });
});
