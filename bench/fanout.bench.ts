/**
 * Fan-out: one book, its deltas at a given rate, to 100 and to 500 clients over real sockets. Ours is the gateway as it is
 * run; the others send each delta to each client by itself, with uWebSockets.js and with ws. What is compared is the CPU
 * time of the serving thread per delta and client, so that the clients' own cost does not count.
 *
 *   feeder thread ── ring ── serving thread ══ sockets ══ clients (another process): same bytes, proved book
 *
 * Bad case: a server that cannot keep the rate; its bursts take longer, and the facts tell how long.
 */
import type { Bench, BenchSettings } from "./context.ts";
import { type Burst, FanoutStage, SERVERS, type ServerName } from "./fanout/mod.ts";
import { pairedRounds } from "./harness.ts";
import { type CaseResult, judge } from "./results.ts";
import { median } from "./statistics.ts";

/** The benchmark. */
export const FANOUT: Bench = {
  name: "fanout",
  about: "CPU time of the serving thread per delta and client",
  run: async ({ settings }) => {
    const results: CaseResult[] = [];
    for (const load of settings.isSmoke ? SMOKE : FULL) {
      results.push(await measure(load, settings));
    }
    return results;
  },
};

type Load = { clients: number; events: number; perSecond: number };

const FULL: readonly Load[] = [
  { clients: 100, events: 2000, perSecond: 10_000 },
  { clients: 500, events: 600, perSecond: 4000 },
];
const SMOKE: readonly Load[] = [{ clients: 10, events: 200, perSecond: 2000 }];
const DIGITS = 5;

async function measure(load: Load, { rounds }: BenchSettings): Promise<CaseResult> {
  const stage = await FanoutStage.open(load.clients);
  try {
    return await measureOn(stage, load, rounds);
  } finally {
    stage.close();
  }
}

async function measureOn(stage: FanoutStage, load: Load, asked: number): Promise<CaseResult> {
  for (const server of SERVERS) {
    await stage.burst(server, load);
  }
  const take = (server: ServerName) => stage.burst(server, load);
  const { taken, rounds } = await pairedRounds({ what: "the fan-out", rounds: asked, sides: SERVERS, take });
  return conclude(load, taken, rounds);
}

function conclude(load: Load, bursts: ReadonlyMap<string, Burst[]>, rounds: CaseResult["rounds"]): CaseResult {
  const sides = [...bursts].map(([name, taken]) => ({
    name,
    samples: taken.map(({ cpuNs, deliveries }) => Number((cpuNs / deliveries).toPrecision(DIGITS))),
  }));
  const facts: CaseResult["facts"] = { clients: load.clients, events: load.events, offeredPerSecond: load.perSecond };
  for (const [name, taken] of bursts) {
    facts[`${name}: deliveries per second of CPU`] = Math.round(
      median(taken.map(({ cpuNs, deliveries }) => deliveries / (cpuNs / 1e9))),
    );
    facts[`${name}: ms per burst`] = Math.round(median(taken.map(({ wallMs }) => wallMs)));
    facts[`${name}: messages per client`] = Math.round(median(taken.map(({ messages }) => messages)));
  }
  const wishes = [
    { other: "ws broadcast", ours: "ours", goal: "P12" },
    { other: "uWebSockets.js send", ours: "ours", goal: "P12_SEND" },
  ] as const;
  return {
    bench: FANOUT.name,
    name: `${load.clients} clients`,
    unit: "ns/delivery",
    rounds,
    sides,
    ratios: judge(sides, wishes, { rounds: rounds.kept }),
    perCall: [],
    facts,
    notes: [],
  };
}
