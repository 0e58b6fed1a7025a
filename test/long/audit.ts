/**
 * The long run of the audit: `node build.config.mjs bench && node dist/long/audit.js [virtual seconds] [books] [rate]`,
 * default an hour, 10 books an exchange, 100 times the ordinary rates. Each exchange runs twice: undisturbed, where an
 * audit that finds anything is a false alarm, and for a quarter of the time with a level made wrong every few seconds,
 * where each must be found within the exported period unless the exchange names it again. It leaves test/long/results/audit.json.
 * Bad case: a false alarm or a missed level; the result says which, and the status is 1.
 */
import { type AuditCost, AuditWorld } from "../support/audit_world.ts";
import { keepResult } from "../support/long_result.ts";

const EXCHANGES = ["coinbase_exchange", "kraken", "binance"] as const;
const LEVELS = 300;
const KRAKEN_DEPTH = 100;
const SEED = 20_261_122;
const CHUNK_MS = 1000;
const PLANT_EVERY_MS = 3000;
const PLANTED_SECONDS_MIN = 150;
const COST_LEVELS = 45_000;
const COST_ROUNDS = 40;

type Exchange = (typeof EXCHANGES)[number];
type Row = {
  exchange: Exchange;
  planted: boolean;
  virtualSeconds: number;
  seconds: number;
  periodMs: number;
  counts: ReturnType<AuditWorld["counts"]>;
  ends: ReturnType<AuditWorld["ends"]>;
  /** Longest time from the planting to the audit's verdict, ms. */
  foundWithinMs: number;
  falseAlarms: readonly string[];
};

const [seconds, books, rate] = [3600, 10, 100].map((fallback, index) => argument(index, fallback));
await main(seconds ?? 0, { books: books ?? 0, rate: rate ?? 0 });

async function main(virtualSeconds: number, load: { books: number; rate: number }): Promise<void> {
  const rows: Row[] = [];
  for (const exchange of EXCHANGES) {
    for (const planted of [false, true]) {
      const part = planted ? Math.max(PLANTED_SECONDS_MIN, virtualSeconds / 4) : virtualSeconds;
      rows.push(await run({ exchange, planted, virtualSeconds: part, ...load }));
    }
  }
  const bad = rows.filter((row) => row.falseAlarms.length > 0 || row.ends.missed > 0 || isLate(row));
  keepResult("audit", {
    what: "audit against REST: no false alarm on a moving market, every wrong level found within the period",
    command: `node dist/long/audit.js ${virtualSeconds} ${load.books} ${load.rate}`,
    isGood: bad.length === 0,
    cost: { wasm: await cost("wasm"), twin: await cost("twin") },
    rows,
  });
  process.exitCode = bad.length === 0 ? 0 : 1;
}

async function run(options: {
  exchange: Exchange;
  planted: boolean;
  virtualSeconds: number;
  books: number;
  rate: number;
}): Promise<Row> {
  const { exchange, planted, virtualSeconds, books, rate } = options;
  const startedAt = performance.now();
  const depth = exchange === "kraken" ? { depth: KRAKEN_DEPTH } : {};
  const world = await AuditWorld.start({ exchange, books, rate, levels: LEVELS, seed: SEED, ...depth });
  const periodMs = world.entries()[0]?.auditPeriodMs ?? 0;
  const quietMs = planted ? periodMs + CHUNK_MS : 0;
  for (let passed = 0; passed < virtualSeconds * 1000; passed += CHUNK_MS) {
    await world.run(CHUNK_MS);
    if (planted && passed % PLANT_EVERY_MS === 0 && passed + quietMs < virtualSeconds * 1000) {
      world.plant();
    }
    if (passed % 60_000 === 0) {
      process.stderr.write(`\r${exchange}: ${passed / 1000} of ${virtualSeconds} s `);
    }
  }
  process.stderr.write("\n");
  const found = world.planted.filter(({ end }) => end === "audit").map(({ afterMs }) => afterMs);
  const row = {
    exchange,
    planted,
    virtualSeconds,
    seconds: Math.round((performance.now() - startedAt) / 1000),
    periodMs,
    counts: world.counts(),
    ends: world.ends(),
    foundWithinMs: Math.max(0, ...found),
    falseAlarms: world.falseAlarms,
  };
  await world.stop();
  return row;
}

function isLate({ foundWithinMs, periodMs }: Row): boolean {
  return foundWithinMs > periodMs;
}

async function cost(kernelName: "wasm" | "twin"): Promise<AuditCost> {
  const exchange = "coinbase_exchange";
  const world = await AuditWorld.start({ exchange, books: 1, rate: 1, levels: COST_LEVELS, seed: SEED, kernelName });
  await world.run(1000);
  const measured = await world.measure("BTC-USD", "/products/BTC-USD/book?level=2", COST_ROUNDS);
  await world.stop();
  return measured;
}

function argument(index: number, fallback: number): number {
  const value = Number(process.argv[2 + index] ?? fallback);
  if (!Number.isFinite(value) || value <= 0) {
    process.stderr.write(
      `Cannot audit: each argument must be a positive number, was ${process.argv[2 + index] ?? ""}\n`,
    );
    process.exit(2);
  }
  return value;
}
