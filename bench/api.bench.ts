/**
 * The REST API of the running demo under 1,000 requests per second, one route after the other: latency from the intended
 * sending to the last byte, over kept connections on this machine, while three emulated exchanges change their books.
 *
 *   emulator process ══ collectors + gateway (one process) ══ loopback ══ load (another process, open loop)
 *   bare server, same transport, constant answer           ══ loopback ══ the same load, in turns with each route
 *
 * Bad case: an answer that is not 200, or that never comes, of either server; the benchmark fails.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { assetPath, packageFolder } from "../src/assets.ts";
import { API_WORD, BARE_WORD, type BareAnswer, type LoadAnswer } from "./api/words.ts";
import type { Bench, BenchSettings } from "./context.ts";
import { Part } from "./fanout/mod.ts";
import { pairedRounds } from "./harness.ts";
import { type CaseResult, judge } from "./results.ts";
import { median } from "./statistics.ts";

const PER_SECOND = 1000;
const START_MS = 60_000;
const DIGITS = 4;
/** What each route is held to: p99, ms; books up to a depth of 100. */
const GOAL_MS = 1;
/** Rounds in turns with the bare server: seconds of each, and of warming up before the first. */
const WHOLE = { seconds: 1, warmSeconds: 1, rounds: 5 };
const SMOKE = { seconds: 0.2, warmSeconds: 0.1, rounds: 1 };
const BOOKS = "/api/v1/orderbook";

/** The routes, and whether the goal is theirs. */
const ROUTES: readonly [path: string, hasGoal: boolean][] = [
  [`${BOOKS}/kraken/BTC-USD?depth=10`, true],
  [`${BOOKS}/coinbase_exchange/BTC-USD`, true],
  [`${BOOKS}/coinbase_exchange/BTC-USD?depth=100`, true],
  [`${BOOKS}/coinbase_exchange/BTC-USD?depth=1000`, false],
  ["/api/v1/trades/kraken/BTC-USD", true],
  ["/api/v1/exchanges", true],
  ["/api/v1/instruments", true],
  ["/api/v1/delta-stats/kraken/BTC-USD", true],
  ["/api/v1/delta-stats/summary", true],
  ["/api/v1/arbitrage/opportunities", true],
  ["/api/v1/system/health", true],
  ["/api/v1/openapi.json", true],
];

type Loaded = Extract<LoadAnswer, { answer: "loaded" }>;

/** The benchmark. */
export const API: Bench = {
  name: "api",
  about: "REST at 1,000 requests per second while the demo runs",
  run: async ({ settings }) => {
    const { child, port } = await startDemo();
    const load = new Part<LoadAnswer>([API_WORD]);
    const bare = new Part<BareAnswer>([API_WORD, BARE_WORD]);
    try {
      const { port: barePort } = await bare.next("listening");
      await awaitHealth(port);
      const results: CaseResult[] = [];
      for (const [path, hasGoal] of ROUTES) {
        results.push(await measure(load, { port, barePort, path, hasGoal }, settings));
      }
      return results;
    } finally {
      load.end();
      bare.end();
      child.kill("SIGINT");
    }
  },
};

async function measure(
  load: Part<LoadAnswer>,
  { port, barePort, path, hasGoal }: { port: number; barePort: number; path: string; hasGoal: boolean },
  { isSmoke }: BenchSettings,
): Promise<CaseResult> {
  const { seconds, warmSeconds, rounds: asked } = isSmoke ? SMOKE : WHOLE;
  const targets = { ours: { port, path }, bare: { port: barePort, path: "/" } };
  const warm = new Set<string>();
  const { taken, rounds } = await pairedRounds({
    what: path,
    rounds: asked,
    sides: ["bare", "ours"],
    take: async (side) => {
      const order = { order: "load", perSecond: PER_SECOND, seconds, warmSeconds: warm.has(side) ? 0 : warmSeconds };
      warm.add(side);
      return accepted(side, await load.ask({ ...order, ...targets[side] }, "loaded"));
    },
  });
  return conclude({ path, hasGoal }, taken, rounds);
}

/** @throws Error when an answer was not 200, or none came */
export function accepted(what: string, loaded: Loaded): Loaded {
  if (loaded.other > 0 || loaded.count === 0) {
    throw new Error(`Cannot accept the run: every answer must be 200, was not so for ${loaded.other} of ${what}`);
  }
  return loaded;
}

function conclude(
  { path, hasGoal }: { path: string; hasGoal: boolean },
  taken: ReadonlyMap<"bare" | "ours", Loaded[]>,
  rounds: CaseResult["rounds"],
): CaseResult {
  const [bare, done] = [middleOf(taken.get("bare") ?? []), middleOf(taken.get("ours") ?? [])];
  const shown = (us: number) => Number(us.toPrecision(DIGITS));
  const facts = {
    p50Us: shown(done.p50),
    p99Us: shown(done.p99),
    p999Us: shown(done.p999),
    maxUs: shown(done.max),
    bareP50Us: shown(bare.p50),
    bareP99Us: shown(bare.p99),
    requests: done.count,
    answerBytes: done.bytes,
    ...(hasGoal ? { goalP99Us: GOAL_MS * 1000, verdict: verdictOf(done.p99, bare.p99) } : {}),
  };
  const sides = (["ours", "bare"] as const).map((name) => ({
    name,
    samples: (taken.get(name) ?? []).map(({ p99 }) => shown(p99)),
  }));
  return {
    bench: API.name,
    name: `GET ${path}`,
    unit: "µs, p99",
    rounds,
    sides,
    ratios: judge(sides, [{ other: "bare", ours: "ours" }], { rounds: rounds.kept }),
    perCall: [],
    facts,
    notes: [],
  };
}

/** What a route did: the median round's p50 and p99, the worst of all rounds' p99.9 and maximum. */
function middleOf(rounds: readonly Loaded[]): Loaded {
  const all = (name: "p50" | "p99" | "p999" | "max" | "count" | "other" | "bytes") => rounds.map((one) => one[name]);
  const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
  return {
    answer: "loaded",
    p50: median(all("p50")),
    p99: median(all("p99")),
    p999: Math.max(...all("p999")),
    max: Math.max(...all("max")),
    count: sum(all("count")),
    other: sum(all("other")),
    bytes: Math.max(...all("bytes")),
  };
}

/** A machine that keeps even the bare server waiting says nothing about ours. */
function verdictOf(p99: number, bareP99: number): string {
  const goal = GOAL_MS * 1000;
  return p99 <= goal ? "reached" : bareP99 > goal ? "not judged: the bare server missed it, too" : "missed";
}

async function startDemo(): Promise<{ child: ChildProcess; port: number }> {
  const words = ["demo", "--port", "0", "--set", "gateway.requests_per_address_per_second_max=100000"];
  const child = spawn(process.execPath, [assetPath("main.js"), ...words], {
    cwd: packageFolder(),
    stdio: ["ignore", "pipe", "inherit"],
  });
  return await new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new Error(`Cannot start the demo: it says nothing for ${START_MS} ms`)),
      START_MS,
    );
    child.once("exit", (status) => reject(new Error(`Cannot start the demo: it ended, was ${status}`)));
    child.stdout?.on("data", (text: Buffer) => {
      const port = /http:\/\/127\.0\.0\.1:(\d+)/.exec(text.toString())?.[1];
      if (port !== undefined) {
        clearTimeout(timer);
        child.removeAllListeners("exit");
        resolve({ child, port: Number(port) });
      }
    });
  });
}

/** Waits until every book is synced. */
async function awaitHealth(port: number): Promise<void> {
  for (const startedAt = performance.now(); performance.now() - startedAt < START_MS; ) {
    const health = (await (await fetch(`http://127.0.0.1:${port}/api/v1/system/health`)).json()) as { status: string };
    if (health.status === "ok") {
      return;
    }
    await new Promise((resume) => setTimeout(resume, 200));
  }
  throw new Error(`Cannot measure: the demo's books were not synced within ${START_MS} ms`);
}
