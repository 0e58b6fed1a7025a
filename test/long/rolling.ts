/**
 * The long rolling restart: `node build.config.mjs bench && node dist/long/rolling.js [rounds] [clients] [seed]`, default
 * 10 rounds of four restarts under 200 clients. A collector ends, its successor is killed, a gateway drains, the other one
 * is killed, while the market moves. It leaves test/long/results/rolling.json.
 * Bad case: a wrong book, a gap that is not repaired, a recovery that is too late; the result says where, the status is 1.
 */
import { keepResult } from "../support/long_result.ts";
import { goalOf, type RollingRow, runRolling } from "../support/rolling.ts";

const DEFAULT_ROUNDS = 10;
const DEFAULT_CLIENTS = 200;
const DRAIN_MS = 500;
/** Longer than a client's connection must last for it to come back at once. */
const SETTLE_MS = 6000;
const RATE = 1;

const rounds = Number(process.argv[2] ?? DEFAULT_ROUNDS);
const clients = Number(process.argv[3] ?? DEFAULT_CLIENTS);
const seed = Number(process.argv[4] ?? Math.floor(Math.random() * 2 ** 31));
if (![rounds, clients].every((count) => Number.isInteger(count) && count > 0) || !Number.isInteger(seed)) {
  const words = process.argv.slice(2).join(" ");
  process.stderr.write(`Cannot roll: rounds, clients and seed must be positive integers, was ${words}\n`);
  process.exit(2);
}

const startedAt = performance.now();
const outcome = await runRolling({
  clients,
  rounds,
  rate: RATE,
  seed,
  drainMs: DRAIN_MS,
  settleMs: SETTLE_MS,
  patienceMs: 60_000,
  onRow: (row) => process.stderr.write(`${JSON.stringify(row)}\n`),
});
const late = outcome.rows.filter(({ what, worstMs }) => worstMs > goalOf(what));
const wrong = outcome.rows.flatMap((row) => row.wrong);
const { faults, resyncs } = outcome.clients;
const isGood =
  late.length === 0 && wrong.length === 0 && faults.length === 0 && resyncs === 0 && outcome.accidents.length === 0;
const recoveryMs = Object.fromEntries(
  [...new Set(outcome.rows.map(({ what }) => what))].map((what) => [
    what,
    recovery(outcome.rows.filter((row) => row.what === what)),
  ]),
);
keepResult("rolling", {
  what: `rolling restart of collector (with a warm standby) and gateways under ${clients} stream clients: no wrong book, no gap that is not repaired; collector death to books synced elsewhere within 5 s, gateway death to clients resumed within 2 s`,
  command: `node dist/long/rolling.js ${rounds} ${clients} ${seed}`,
  startedAt,
  isGood,
  drainMs: DRAIN_MS,
  recoveryMs,
  ...outcome,
});
process.stdout.write(`${JSON.stringify({ isGood, recoveryMs })}\n`);
process.exitCode = isGood ? 0 : 1;

/** Of all restarts of a kind: the median client of the median restart, and the last client of the worst. */
function recovery(rows: readonly RollingRow[]) {
  const medians = rows.map(({ medianMs }) => medianMs).sort((a, b) => a - b);
  return {
    restarts: rows.length,
    clients: rows.reduce((sum, { affected }) => sum + affected, 0),
    medianMs: medians[Math.floor(medians.length / 2)] ?? 0,
    worstMs: Math.max(...rows.map(({ worstMs }) => worstMs)),
  };
}
