/**
 * Three collectors, a gateway, a Node reader and a Python reader together: kill -9 of each of them once, in an order by a
 * seed; the long run is test/long/kills.ts. Deadlines here are five times those that the long run judges.
 * Bad case: a machine so slow that a living producer seems silent; readers then say stale, and that is told
 * apart from a disturbance.
 */
import { expect, it } from "vitest";
import { pythonWithNumpy } from "../support/mapped_fleet.ts";
import { type KillRow, runKills } from "../support/mapped_kills.ts";
import { optionalPart } from "../support/require.ts";
import { checkServerTexts } from "../support/server_messages.ts";

const KILLS = 6;
const SLACK_MS = 2500;
const IDLE_SECONDS = 4;
/** Share of a core that the idle gateway may use, five times over. */
const IDLE_CPU_MAX = 0.1;
/** Exchanges that stand still for so long lose their connections, and rightly so. */
const STALL_MS = 1000;
const python = pythonWithNumpy();
const hasPython = optionalPart("Python with numpy", python !== undefined);

it("roles show every death, take every next segment, disturb nobody and hold the emulator's books when any is killed", async () => {
  const seed = Math.floor(Math.random() * 2 ** 31);
  const result = await runKills(KILLS, { seed, python, idleSeconds: IDLE_SECONDS });
  const label = JSON.stringify(result, undefined, 1);
  expect(result.witnesses, label).toEqual(hasPython ? ["node", "python", "gateway"] : ["node", "gateway"]);
  for (const [index, row] of result.rows.entries()) {
    const times = [...Object.values(row.unsyncedMs), ...Object.values(row.attachedMs)];
    expect(Math.max(0, ...times), label).toBeLessThan(SLACK_MS + row.stalledMs);
    expect(row.wrong, label).toEqual([]);
    expect(
      row.disturbed.filter((what) => !isExcused(what, [row, result.rows[index - 1] ?? row])),
      label,
    ).toEqual([]);
  }
  expect(checkServerTexts(), label).toBeGreaterThan(0);
  const { contradictions, accidents, clientFaults } = result;
  expect({ contradictions, accidents, clientFaults }, label).toEqual({
    contradictions: [],
    accidents: [],
    clientFaults: 0,
  });
  expect(result.booksCompared, label).toBe(KILLS * 6 * result.witnesses.length);
  expect(result.idleGatewayCpu, label).toBeLessThan(IDLE_CPU_MAX);
}, 180_000);

/** The machine was too busy for a producer to beat, or, now or just before, for the exchanges to answer. */
function isExcused(what: string, rows: readonly KillRow[]): boolean {
  return rows.some(
    ({ starved, stalledMs }) => starved.some((exchange) => what.includes(exchange)) || stalledMs > STALL_MS,
  );
}
