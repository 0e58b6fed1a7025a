/**
 * Reconnects as a consumer sees them that replays nothing but records: the true difference or a Reset, no break in the
 * chain, and the truth in the end. Bad case: a level that left the book while the connection was gone and stays for ever.
 */
import { describe, expect, it, vi } from "vitest";
import { EXCHANGE_IDS } from "../../src/model/exchange_id.ts";
import { SyncRig } from "./sync_rig.ts";

vi.setConfig({ testTimeout: 60_000 });

describe.each(EXCHANGE_IDS)("reconnecting to %s", (exchange) => {
  it.each(["cut", "close", "half_open"])(
    "leaves a follower of records with the truth when the fault is %s",
    async (kind) => {
      const faults = [
        { kind, at_ms: 8000 },
        { kind, at_ms: 90_000 },
      ];
      const rig = await SyncRig.start({ exchange, faults, count: 3 });
      await rig.pass(200_000);
      await rig.settle();
      expect(rig.states()).toEqual({ "synced none": 3 });
      for (const native of rig.natives) {
        const follower = rig.follower(native);
        expect(follower.wrongs).toEqual([]);
        expect(follower.book).toEqual(rig.truth(native));
      }
      expect(rig.connects.length).toBe(3);
      rig.close();
    },
  );
});
