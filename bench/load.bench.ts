/**
 * The gateway under clients that misbehave: all of them come back at once, thousands of them are idle, one of a hundred
 * stops reading. Figures of this machine, and for the stalled client the latency of the others with and without it.
 *
 *   feeder thread ── ring ── gateway ══ sockets ══ clients (another process), some of them with proved books
 *
 * Bad case: more clients than the system gives file descriptors; the benchmark then fails, and says how many were served.
 */
import type { Bench, BenchSettings } from "./context.ts";
import { openServer, type ServerPart } from "./fanout/mod.ts";
import { mustEqual, pairedRounds } from "./harness.ts";
import { type CrowdPart, openCrowd } from "./load/mod.ts";
import { type CaseResult, exactCase, judge } from "./results.ts";

/** The benchmark. */
export const LOAD: Bench = {
  name: "load",
  about: "reconnect storm, idle clients, one client that stops reading",
  run: async ({ settings }) => [await storm(settings), await idle(settings), await stalled(settings)],
};

const IDLE_MS = 5000;
const DIGITS = 5;
/** Bursts until the buffers of the system are full. */
const FILL_ROUNDS_MAX = 100;

const STALLED_SIDES = ["one stalled", "none stalled"] as const;

/** What goals.md asks of a client that stopped: C8. */
const STALLED_BYTES_MAX = 262_144;

async function storm({ isSmoke }: BenchSettings): Promise<CaseResult> {
  const count = isSmoke ? 50 : 2000;
  return await withClients({ count, subscribes: true }, async (server, crowd) => {
    const before = await server.ask({ order: "report" }, "report");
    const { ms } = await crowd.ask({ order: "storm" }, "served");
    const after = await server.ask({ order: "report" }, "report");
    const facts = { clients: count, cpuMs: Math.round((after.cpuNs - before.cpuNs) / 1e6) };
    return exactCase(
      {
        bench: LOAD.name,
        name: `${count} clients cut off come back at once`,
        unit: "ms until all have the book",
        facts,
      },
      { ours: Math.round(ms) },
      [],
    );
  });
}

async function idle({ isSmoke }: BenchSettings): Promise<CaseResult> {
  const count = isSmoke ? 100 : 5000;
  const bare = await rssAlone();
  return await withClients({ count, subscribes: false }, async (server) => {
    const before = await server.ask({ order: "report" }, "report");
    await new Promise((resume) => setTimeout(resume, isSmoke ? IDLE_MS / 10 : IDLE_MS));
    const after = await server.ask({ order: "report" }, "report");
    const seconds = (isSmoke ? IDLE_MS / 10 : IDLE_MS) / 1000;
    const facts = { clients: count, residentBytesPerClient: Math.max(0, Math.round((after.rss - bare) / count)) };
    return exactCase(
      { bench: LOAD.name, name: `${count} idle clients`, unit: "% of a core", facts },
      { ours: Number(((after.cpuNs - before.cpuNs) / seconds / 1e7).toPrecision(DIGITS)) },
      [],
    );
  });
}

async function rssAlone(): Promise<number> {
  const server = await openServer("ours");
  try {
    return (await server.part.ask({ order: "report" }, "report")).rss;
  } finally {
    server.part.end();
  }
}

async function stalled(settings: BenchSettings): Promise<CaseResult> {
  const load = settings.isSmoke ? { events: 300, perSecond: 1000 } : { events: 20_000, perSecond: 10_000 };
  const clients = { count: settings.isSmoke ? 10 : 100, subscribes: true };
  return await withClients(clients, async (server, crowd) => {
    return await withClients(clients, async (plainServer, plainCrowd) => {
      await crowd.ask({ order: "stall" }, "done");
      await fill(server, crowd);
      const { taken, rounds } = await pairedRounds({
        what: "a stalled client",
        rounds: settings.rounds,
        sides: STALLED_SIDES,
        take: (side) => (side === "one stalled" ? burst(server, crowd, load) : burst(plainServer, plainCrowd, load)),
      });
      const sides = Array.from(taken, ([name, samples]) => ({ name, samples }));
      const after = await goOn(server, crowd);
      return conclude({ ...clients, ...load }, { sides, rounds }, after);
    });
  });
}

/** Feeds as fast as can be until the system's buffers are full and the server knows that the client is slow. */
async function fill(server: ServerPart, crowd: CrowdPart): Promise<void> {
  for (let round = 0; round < FILL_ROUNDS_MAX; round++) {
    if ((await server.ask({ order: "report" }, "report")).slowTimes > 0) {
      return;
    }
    await burst(server, crowd, { events: 20_000, perSecond: 1_000_000 });
  }
  throw new Error("Cannot stall a client: the server never found it slow");
}

/** The stalled client reads again. @throws Error when its book is not the server's, or too much waited for it */
async function goOn(server: ServerPart, crowd: CrowdPart): Promise<{ bytes: number; messages: number }> {
  const stalledAt = await server.ask({ order: "report" }, "report");
  await crowd.ask({ order: "goOn" }, "done");
  const { hash, messages } = await crowd.ask({ order: "prove", version: stalledAt.version }, "proved");
  const after = await server.ask({ order: "report" }, "report");
  mustEqual("the book of a client that was stalled", hash, after.hash);
  if (stalledAt.worstBytes > STALLED_BYTES_MAX) {
    throw new Error(
      `Cannot accept what a stalled client costs: at most ${STALLED_BYTES_MAX}, was ${stalledAt.worstBytes}`,
    );
  }
  return { bytes: stalledAt.worstBytes, messages };
}

/** @returns p99 of the others' latency, ms */
async function burst(
  server: ServerPart,
  crowd: CrowdPart,
  load: { events: number; perSecond: number },
): Promise<number> {
  await crowd.ask({ order: "begin" }, "done");
  const { version } = await server.ask({ order: "burst", ...load }, "fed");
  const { p99 } = await crowd.ask({ order: "finish", version }, "finished");
  return Number(p99.toPrecision(DIGITS));
}

function conclude(
  load: { count: number; events: number; perSecond: number },
  { sides, rounds }: Pick<CaseResult, "sides" | "rounds">,
  seen: { bytes: number; messages: number },
): CaseResult {
  return {
    bench: LOAD.name,
    name: `${load.count} clients at ${load.perSecond} deltas/s, one of them stops reading`,
    unit: "ms, p99 of the others' latency",
    rounds,
    sides,
    ratios: judge(sides, [{ other: "none stalled", ours: "one stalled", goal: "C8" }], { rounds: rounds.kept }),
    perCall: [],
    facts: {
      clients: load.count,
      eventsPerBurst: load.events,
      bytesWaitingForTheStalled: seen.bytes,
      messagesUntilItsBookWasRight: seen.messages,
    },
    notes: [
      "the client stood still all the time; then it read what the system had kept, one snapshot or update, and its book was proved by hash",
    ],
  };
}

async function withClients(
  clients: { count: number; subscribes: boolean },
  measure: (server: ServerPart, crowd: CrowdPart) => Promise<CaseResult>,
): Promise<CaseResult> {
  const { part, port } = await openServer("ours");
  const crowd = openCrowd();
  try {
    await crowd.ask({ order: "connect", port, ...clients }, "served");
    return await measure(part, crowd);
  } finally {
    crowd.end();
    part.end();
  }
}
