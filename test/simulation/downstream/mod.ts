/**
 * Everything behind the rings in one thread on virtual time: the real gateway core over a transport in memory, and real
 * clients that read promptly, slowly, or are cut off and come back. What goes wrong on the way is drawn from one source of
 * randomness, so that a run is a function of its seed.
 * Bad case: whoever drives the clock forgets `stop`; timers of clients and hub would go on for ever.
 */
import type { Clock } from "../../../src/emulator/clock.ts";
import { GatewayCore } from "../../../src/gateway/core.ts";
import { completeLimits, type GatewayLimits } from "../../../src/gateway/limits.ts";
import { type GatewayLog, SILENT_LOG } from "../../../src/gateway/log.ts";
import type { Kernel } from "../../../src/kernel/kernel.ts";
import { type Policy, STREAM_PATHS } from "../../../src/wire/protocol.ts";
import { Damage, type DamageCounts, type DownstreamFaults } from "./faults.ts";
import { HubThread } from "./hub_thread.ts";
import { MemoryTransport } from "./memory_transport.ts";
import { repeat } from "./repeat.ts";
import { type ClientKind, SimClient, type SimView } from "./sim_client.ts";
import { type TextFault, TextWitness } from "./text_witness.ts";

export { CALM, type DamageCounts, type DownstreamFaults, ROUGH } from "./faults.ts";
export type { ClientKind, SimBook, SimClient, SimClientCounts, SimView } from "./sim_client.ts";
export type { TextFault } from "./text_witness.ts";

import { ViewJudge } from "./view_judge.ts";

/** Small enough that slow clients and large books meet the limits, and those who come back late find a history that lapped. */
const LIMITS: Partial<GatewayLimits> = {
  backlogBytesMax: 8192,
  snapshotWindowBytes: 4096,
  losslessBytesMax: 32_768,
  backpressureBytesMax: 4_194_304,
  historyEntries: 512,
  viewKeepMs: 5000,
};

/** What clients follow beside the whole books, in turn. */
const VIEWS: readonly [SimView, ...SimView[]] = [
  { depth: 10, rateMs: 0 },
  { depth: 0, rateMs: 100 },
  { depth: 50, rateMs: 250 },
  { depth: 10, rateMs: 1000 },
];
/** Every so many clients want nothing merged, and every so many read JSON. */
const LOSSLESS_EVERY = 5;
const JSON_EVERY = 4;

const KINDS: readonly [ClientKind, ...ClientKind[]] = ["prompt", "slow", "resuming"];

/** How to start a downstream. */
export type DownstreamOptions = {
  /** Of the hub, its arena initialised. */
  readonly kernel: Kernel;
  /** The segments that there are now. */
  readonly segments: () => readonly { readonly address: number }[];
  readonly clock: Clock;
  /** 0 ≤ x < 1 */
  readonly random: () => number;
  /** How many; prompt, slow and resuming ones take turns, every fourth reads JSON. */
  readonly clients: number;
  /** Where in their turns the first one stands: which kinds, forms, policies and views meet. Default 0. */
  readonly firstTurn?: number;
  /** Whether one follows a view beside the whole books. Default: all do. */
  readonly hasView?: (index: number) => boolean;
  readonly faults: DownstreamFaults;
  readonly limits?: Partial<GatewayLimits>;
  readonly log?: GatewayLog;
};

/** Sums since the start, over all clients that there are and were. */
export type DownstreamCounts = DamageCounts & {
  /** Checks that failed in clients: version chain, hash, consistency, unreadable book messages, exponents. */
  mismatches: number;
  /** Books that clients asked for again; the hub's answers are counted as `resets` only when it told one. */
  resyncs: number;
  /** Resets that clients were told. */
  resets: number;
  reconnects: number;
  /** Frames that clients could not read. */
  malformed: number;
  /** Checks that failed in the hub's own replicas. */
  hubFailures: number;
  /** Records that the hub's readers lost. */
  hubLost: number;
  hubSleeps: number;
  /** Times that the hub took a client off its topics, and the updates that clients were given instead of what they missed. */
  slowTimes: number;
  conflatedUpdates: number;
  /** Books that went on after a reconnect from where they stood. */
  resumes: number;
  /** Views that were compared with the hub's book of the same moment. */
  viewsJudged: number;
  /** Texts of the hub that were held against their schemas. */
  textsJudged: number;
};

/** A running downstream. */
export type Downstream = {
  readonly hub: GatewayCore;
  readonly clients: readonly SimClient[];
  counts(): DownstreamCounts;
  /**
   * Views of an instrument that clients call right and that are not the best levels of the hub's book at the same event.
   * @param options.isWhole compares levels also where the hash says it all
   */
  wrongViews(instrument: string, options: { isWhole: boolean }): string[];
  /** Clients whose view of an instrument is not the hub's book of now. */
  lateViews(instrument: string): string[];
  /** How a client's view is called in what `wrongViews` and `lateViews` tell; undefined when it follows none. */
  viewName(client: SimClient): string | undefined;
  /** Texts that were received since the last call and are against their schemas. */
  textFaults(): TextFault[];
  /** The hub's thread runs nothing for so long: its readers may be lapped. @param ms of virtual time */
  sleepHub(ms: number): void;
  readonly isHubAsleep: boolean;
  /** From here on nothing goes wrong any more: no damage, cuts or sleeps; slow clients stay slow. */
  endFaults(): void;
  /** Stops hub and clients; nothing is told. */
  stop(): void;
};

/** Starts hub and clients; everything happens on the clock from here on. */
export function startDownstream(options: DownstreamOptions): Downstream {
  const { clock, random, faults } = options;
  const thread = new HubThread(clock);
  const transport = new MemoryTransport({ clock, thread, random });
  const limits = completeLimits({ ...LIMITS, ...options.limits });
  const hub = new GatewayCore({
    kernel: options.kernel,
    segments: options.segments,
    limits,
    now: clock.now,
    log: options.log ?? SILENT_LOG,
    server: "simulation",
    transport: "memory",
    waitAsync: undefined,
    scheduler: thread.scheduler,
  });
  hub.start(
    transport.listen({ host: "memory", port: 0, webSocketPaths: STREAM_PATHS, ...limits, handlers: hub.handlers() }),
  );
  const damage = new Damage({ faults, random });
  const witness = new TextWitness();
  const clients = Array.from({ length: options.clients }, (_, index) => {
    const role = roleOf((options.firstTurn ?? 0) + index);
    const view = options.hasView?.(index) === false ? undefined : role.view;
    return new SimClient({ ...role, view, clock, random, faults, damage, transport, witness });
  });
  const cancelSleeps = repeat({ clock, random, everyMs: faults.sleepEveryMs }, () =>
    thread.sleep(random() * faults.sleepMs),
  );
  const views = new ViewJudge(hub, clients);
  return {
    hub,
    clients,
    counts: () => ({
      ...countAll({ hub, clients, damage, thread }),
      viewsJudged: views.judged,
      textsJudged: witness.judged,
    }),
    wrongViews: (instrument, how) => views.wrong(instrument, how),
    lateViews: (instrument) => views.late(instrument),
    viewName: (client) => views.nameOf(client),
    textFaults: () => witness.takeFaults(),
    sleepHub: (ms) => thread.sleep(ms),
    get isHubAsleep() {
      return thread.isAsleep;
    },
    endFaults() {
      cancelSleeps();
      damage.end();
      for (const client of clients) {
        client.endFaults();
      }
    },
    stop() {
      cancelSleeps();
      for (const client of clients) {
        client.stop();
      }
      hub.stop();
      thread.stop();
    },
  };
}

function roleOf(turn: number): { kind: ClientKind; form: "binary" | "json"; view: SimView; policy: Policy } {
  return {
    kind: KINDS[turn % KINDS.length] ?? KINDS[0],
    form: turn % JSON_EVERY === JSON_EVERY - 1 ? "json" : "binary",
    view: VIEWS[turn % VIEWS.length] ?? VIEWS[0],
    policy: turn % LOSSLESS_EVERY === LOSSLESS_EVERY - 1 ? "lossless" : "conflate",
  };
}

function countAll(parts: {
  hub: GatewayCore;
  clients: readonly SimClient[];
  damage: Damage;
  thread: HubThread;
}): Omit<DownstreamCounts, "viewsJudged" | "textsJudged"> {
  const { hub, clients, damage, thread } = parts;
  const sum = (read: (client: SimClient) => number): number => clients.reduce((total, one) => total + read(one), 0);
  const stats = hub.stats();
  return {
    ...damage.counts,
    mismatches: sum(({ counts }) => counts.mismatches),
    resyncs: sum(({ counts }) => counts.resyncs),
    resets: sum(({ counts }) => counts.resets),
    reconnects: sum(({ counts }) => counts.reconnects),
    malformed: sum(({ counts }) => counts.malformed),
    hubFailures: stats.instruments.reduce((total, { replicaFailures }) => total + replicaFailures, 0),
    hubLost: stats.exchanges.reduce((total, { totals }) => total + totals.lost, 0),
    hubSleeps: thread.sleeps,
    slowTimes: stats.gateway.totals.slowTimes,
    conflatedUpdates: stats.gateway.totals.conflatedUpdates,
    resumes: sum(({ counts }) => counts.resumes),
  };
}
