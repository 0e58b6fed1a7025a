/**
 * The long run of kills: `node build.config.mjs bench && node dist/long/kills.js [kills] [seed]`, default 50. Three
 * collectors, a gateway, a Node and a Python reader (ALPHAPULSE_PYTHON, or python3, with numpy) run together over the
 * emulator; one after another is killed with kill -9 and started again. It leaves test/long/results/kills.json.
 * Bad case: a death that is shown too late, a wrong book, somebody disturbed; the result says where, and the status is 1.
 */
import { keepResult } from "../support/long_result.ts";
import { pythonWithNumpy } from "../support/mapped_fleet.ts";
import { type KillRow, type KillsResult, runKills, type Times } from "../support/mapped_kills.ts";

const DEFAULT_KILLS = 50;
const DEADLINE_MS = 500;
/** Of one core. */
const IDLE_CPU_MAX = 0.02;

const kills = Number(process.argv[2] ?? DEFAULT_KILLS);
const seed = Number(process.argv[3] ?? Math.floor(Math.random() * 2 ** 31));
if (!Number.isInteger(kills) || kills < 1 || !Number.isInteger(seed)) {
  process.stderr.write(
    `Cannot kill: kills and seed must be positive integers, was ${process.argv.slice(2).join(" ")}\n`,
  );
  process.exit(2);
}

const startedAt = performance.now();
const outcome = await runKills(kills, {
  seed,
  python: pythonWithNumpy(),
  onRow: (row, index) => process.stderr.write(`${index + 1} of ${kills}: ${JSON.stringify(row)}\n`),
});
const isGood = judge(outcome);
keepResult("kills", {
  what: "kill -9 of collectors, gateway and readers: deaths shown and next segments taken within 500 ms, no wrong book, nobody else disturbed; the gateway on the same port each time, idle below 2 % of a core",
  command: `node dist/long/kills.js ${kills} ${seed}`,
  startedAt,
  isGood,
  kills: Object.fromEntries(
    [...new Set(outcome.rows.map(({ role }) => role))].map((role) => [
      role,
      outcome.rows.filter((row) => row.role === role).length,
    ]),
  ),
  unsyncedMs: summary(outcome.rows, ({ unsyncedMs }) => unsyncedMs),
  attachedMs: summary(outcome.rows, ({ attachedMs }) => attachedMs),
  wholeMs: spread(outcome.rows.map(({ wholeMs }) => wholeMs)),
  stalledMs: Math.max(...outcome.rows.map(({ stalledMs }) => stalledMs)),
  disturbances: outcome.rows.flatMap(({ disturbed }) => disturbed).length,
  wrongBooks: outcome.rows.flatMap(({ wrong }) => wrong).length,
  ...outcome,
});
process.exitCode = isGood ? 0 : 1;

function judge({ rows, contradictions, accidents, clientFaults, idleGatewayCpu }: KillsResult): boolean {
  const isGoodRow = ({ unsyncedMs, attachedMs, disturbed, wrong }: KillRow) =>
    [...Object.values(unsyncedMs), ...Object.values(attachedMs)].every((ms) => ms <= DEADLINE_MS) &&
    disturbed.length === 0 &&
    wrong.length === 0;
  const faults = contradictions.length + accidents.length + clientFaults;
  return rows.every(isGoodRow) && faults === 0 && idleGatewayCpu < IDLE_CPU_MAX;
}

function summary(rows: readonly KillRow[], of: (row: KillRow) => Times) {
  const times = rows.flatMap((row) => Object.entries(of(row)));
  const witnesses = [...new Set(times.map(([witness]) => witness))];
  return Object.fromEntries(
    witnesses.map((witness) => [witness, spread(times.flatMap(([name, ms]) => (name === witness ? [ms] : [])))]),
  );
}

function spread(values: readonly number[]) {
  const sorted = [...values].sort((a, b) => a - b);
  return { median: sorted[Math.floor(sorted.length / 2)] ?? 0, max: sorted.at(-1) ?? 0, count: sorted.length };
}
