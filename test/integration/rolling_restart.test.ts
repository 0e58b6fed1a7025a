/**
 * A rolling restart of collectors and gateways under 200 stream clients: nobody sees a wrong book or a version gap that is
 * not repaired, and everybody is served again soon. Bad case: a starved machine; deadlines are five times the goals.
 */
import { afterAll, describe, expect, it } from "vitest";
import { goalOf, type RollingRow, runRolling } from "../support/rolling.ts";

const CLIENTS = 200;
const SLACK = 5;

const rows: RollingRow[] = [];

afterAll(() => {
  for (const { what, affected, medianMs, worstMs, endedMs } of rows) {
    process.stdout.write(
      `${what}: ${affected} clients disturbed, right again after ${medianMs} ms (median), ${worstMs} ms (worst); it ended in ${endedMs} ms\n`,
    );
  }
});

describe("a rolling restart under 200 subscribed clients", () => {
  it("shows nobody a wrong book or a gap that is not repaired, and recovers in time", async () => {
    const { clients, accidents } = await runRolling({
      clients: CLIENTS,
      rounds: 1,
      rate: 1,
      seed: 7,
      drainMs: 500,
      settleMs: 0,
      patienceMs: 40_000,
      onRow: (row) => rows.push(row),
    });
    expect(accidents).toEqual([]);
    expect(clients.faults).toEqual([]);
    expect(clients.resyncs).toBe(0);
    expect(clients.compared).toBeGreaterThan(CLIENTS);
    expect(rows.map(({ wrong }) => wrong)).toEqual([[], [], [], []]);
    expect(rows.map(({ status }) => status)).toEqual([0, null, 0, null]);
    // A gateway that drains tells each of its clients when to come back.
    expect(clients.hinted).toBeGreaterThan(0);
    expect(rows.map(({ affected }) => affected > 0)).toEqual([true, true, true, true]);
    for (const { what, worstMs } of rows) {
      expect(worstMs, what).toBeLessThan(SLACK * goalOf(what));
    }
  }, 180_000);
});
