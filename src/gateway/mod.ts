/**
 * The gateway: consumes every segment, keeps a checked replica of each book, and serves the stream, health and the page.
 * It only reads the segments; what a collector does, and whether it lives, is seen through them alone.
 * Bad case: the gateway falls behind. It loses nothing silently: its reader notices the lap, its books are joined again
 * from images, its clients get a reset and a snapshot, and everything is counted.
 */

import type { WorkerOptions } from "node:worker_threads";
import type { ArbitrageRules } from "../arbitrage/mod.ts";
import { type ServedFolder, startWorker } from "../assets.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { STREAM_PATHS, type StatsMessage } from "../wire/protocol.ts";
import { type AccessRules, accessRules } from "./access.ts";
import type { ArbitrageParts } from "./arbitrage.ts";
import { chooseTransport } from "./choose_transport.ts";
import { GatewayCore, type SegmentReference } from "./core.ts";
import { listenOn } from "./free_port.ts";
import type { GatewayBook } from "./gateway_book.ts";
import { type Stopwatch, systemStopwatch } from "./hop_meter.ts";
import { completeLimits, type GatewayLimits, VIEW_SETS, type ViewSets } from "./limits.ts";
import { type GatewayLog, SILENT_LOG } from "./log.ts";
import type { MetricsRenderer, ThreadFigures } from "./metrics.ts";
import type { BrokerSample } from "./metrics_broker.ts";
import { MetricsThread } from "./metrics_thread.ts";
import type { SegmentPosition } from "./position.ts";
import { nativeWaitAsync, type WaitAsync } from "./pump.ts";
import type { FeedControl } from "./rest/feed_control.ts";
import { SystemProbe } from "./rest/process_probe.ts";
import type { Scheduler } from "./scheduler.ts";
import { StaticFiles } from "./static_files.ts";
import type { Transport } from "./transport.ts";

export type { AccessRules } from "./access.ts";
export type { ArbitrageParts, OpportunityQuery } from "./arbitrage.ts";
export type { SegmentReference } from "./core.ts";
export type { GatewayBook } from "./gateway_book.ts";
export { GATEWAY_LIMITS, type GatewayLimits, type ViewSets } from "./limits.ts";
export type { GatewayLog } from "./log.ts";
export type { ThreadFigures } from "./metrics.ts";
export type { BrokerExchange, BrokerPublisher, BrokerSample } from "./metrics_broker.ts";
export type { FeedControl, FeedEntry, FeedOutcome } from "./rest/feed_control.ts";
export type { Scheduler } from "./scheduler.ts";
export type { Transport } from "./transport.ts";
export { createUwsTransport } from "./uws_transport.ts";
export { createWsTransport } from "./ws_transport.ts";

/** How to start a gateway. */
export type GatewayOptions = {
  /** Of the calling thread, its arena initialised; the gateway takes what it needs from that arena. */
  readonly kernel: Kernel;
  /** The segments, or a function that says which there are now: asked ten times a second. */
  readonly segments: readonly SegmentReference[] | (() => readonly SegmentReference[]);
  /** Default 127.0.0.1. */
  readonly host?: string;
  /** 0 = any free port. */
  readonly port: number;
  /** Of the built page; none = `/` is 404. */
  readonly dashboardFolder?: ServedFolder;
  /** Shown in the welcome and health, e.g. `alphapulse/0.1.0`. */
  readonly server?: string;
  readonly limits?: Partial<GatewayLimits>;
  /** Depths and rates that books can be subscribed with. */
  readonly views?: ViewSets;
  /** How long `close` may take to send clients away one after the other, ms. Default 0: all at once. */
  readonly drainMs?: number;
  /** Who may connect. Default: anybody, from pages of the same origin or of this machine. */
  readonly access?: Partial<AccessRules>;
  /** Default: uWebSockets.js, or `ws` with a warning where the addon cannot load. */
  readonly transport?: Transport;
  /** Unix milliseconds. */
  readonly now?: () => number;
  readonly log?: GatewayLog;
  /** Default Atomics.waitAsync; null = look by timer. */
  readonly waitAsync?: WaitAsync | null;
  /** waitAsync announces by itself that this reader sleeps: the segments are mapped read-only. Default false. */
  readonly announces?: boolean;
  /** Default: the event loop of this thread. */
  readonly scheduler?: Scheduler;
  /** What counts as arbitrage; none = it is not looked for. */
  readonly arbitrage?: ArbitrageRules | undefined;
  /** Adds and removes instruments for REST; none = the collectors are other processes. */
  readonly feeds?: FeedControl | undefined;
  /** The broker that the segments are made from; none = they are collectors' own. */
  readonly broker?: (() => BrokerSample) | undefined;
  /** Measures the hops of events. Default: the clock of the system; null = they are not measured. */
  readonly stopwatch?: Stopwatch | null;
  /** Makes the text of `/metrics`. Default: a thread that starts with the first scrape. */
  readonly renderer?: MetricsRenderer;
  /** Watches this thread until the function that it returns is called. Default: nobody does. */
  readonly watchThread?: (figures: ThreadFigures) => () => void;
};

/** A running gateway. */
export interface Gateway {
  /** Of the page; the stream is at `/ws` below it. */
  readonly url: string;
  readonly port: number;
  /** The name of the transport in use. */
  readonly transport: Transport["name"];
  /** What the `stats` channel would say; rates since its last message. */
  stats(): StatsMessage;
  /** The book of an instrument as the gateway holds it, `depth` levels a side. @returns undefined when it has no book */
  book(instrument: string, depth?: number): GatewayBook | undefined;
  /** Arbitrage between the books that are served; undefined = it is not looked for. */
  readonly arbitrage: ArbitrageParts | undefined;
  /** The exposition of `/metrics`, UTF-8. */
  metrics(): Promise<Uint8Array>;
  /** Where the readers of every segment stand, by its address. */
  positions(): SegmentPosition[];
  /**
   * Takes no other client in and sends those that are there away with 1001 and a hint when to come back, while everything
   * else goes on; `close` begins with it. @returns when they are gone, after `drainMs` at the latest
   */
  drain(): Promise<void>;
  /** Stops within a second after `drainMs`: clients are closed with 1001. */
  close(): Promise<void>;
}

/**
 * Starts a gateway on the calling thread.
 * @throws RangeError when a segment cannot be trusted, a limit is unusable or the kernel's arena is too small
 * @throws ConfigError when the page's folder cannot be read
 * @throws ConnectionError when the port is taken
 */
export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  const { host = "127.0.0.1", port, server = "alphapulse", log = SILENT_LOG } = options;
  const limits = completeLimits(options.limits);
  const access = accessRules(options.access);
  const now = options.now ?? (() => performance.timeOrigin + performance.now());
  const transport = options.transport ?? (await chooseTransport(log));
  const { segments, stopwatch = systemStopwatch() } = options;
  const renderer = options.renderer ?? renderingThread(options.kernel.buffer);
  const core = new GatewayCore({
    kernel: options.kernel,
    segments: typeof segments === "function" ? segments : () => segments,
    limits,
    views: options.views ?? VIEW_SETS,
    access,
    now,
    log,
    server,
    transport: transport.name,
    waitAsync: options.waitAsync === null ? undefined : (options.waitAsync ?? nativeWaitAsync()),
    announces: options.announces ?? false,
    ...(options.scheduler === undefined ? {} : { scheduler: options.scheduler }),
    ...(stopwatch === null ? {} : { stopwatch }),
    ...(renderer === undefined ? {} : { renderer }),
    arbitrage: options.arbitrage,
    feeds: options.feeds,
    broker: options.broker,
    probe: new SystemProbe(now),
    files: options.dashboardFolder === undefined ? undefined : new StaticFiles(options.dashboardFolder),
  });
  const listening = await listenOn(transport, {
    host,
    port,
    webSocketPaths: STREAM_PATHS,
    messageBytesMax: limits.messageBytesMax,
    backpressureBytesMax: limits.backpressureBytesMax,
    idleSeconds: limits.idleSeconds,
    ...(access.tls === undefined ? {} : { tls: access.tls }),
    handlers: core.handlers(),
  });
  core.start(listening);
  const unwatch = options.watchThread?.(core.metrics.watched());
  let drained: Promise<void> | undefined;
  const drain = () => {
    drained ??= core.drain(options.drainMs ?? 0);
    return drained;
  };
  return {
    url: `${access.tls === undefined ? "http" : "https"}://${host.includes(":") ? `[${host}]` : host}:${listening.port}`,
    port: listening.port,
    transport: transport.name,
    stats: () => core.stats(),
    positions: () => core.positions(),
    book: (instrument, depth) => core.book(instrument, depth),
    arbitrage: core.arbitrage,
    metrics: () => core.metrics.render(),
    drain,
    async close() {
      await drain();
      unwatch?.();
      core.stop();
      renderer?.close();
      await listening.close();
    },
  };
}

/** A thread can render what it shares with this one. @returns undefined when the memory is not shared */
function renderingThread(memory: ArrayBufferLike): MetricsThread | undefined {
  const isShared = memory instanceof SharedArrayBuffer;
  const start = (options: WorkerOptions) => startWorker("metrics_worker", options);
  return isShared ? new MetricsThread({ memory, start }) : undefined;
}
