/**
 * The gateway without its socket server: sources, instruments, clients and the loop, put together; and the housekeeping
 * ten times a second: segments that came or went, table entries that are new, statuses, proofs of quiet books, rates.
 * Bad case: a segment that cannot be trusted while the gateway runs; it is left out with a line in the log and tried
 * again, and the others go on.
 */
import type { ArbitrageRules } from "../arbitrage/mod.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { StatsMessage } from "../wire/protocol.ts";
import { Access, type AccessRules, accessRules } from "./access.ts";
import { type ArbitrageParts, GatewayArbitrage } from "./arbitrage.ts";
import { ClientLog } from "./client_log.ts";
import { depart } from "./departure.ts";
import { mixEpoch } from "./epochs.ts";
import { type GatewayBook, readGatewayBook } from "./gateway_book.ts";
import type { Stopwatch } from "./hop_meter.ts";
import type { ServedInstrument } from "./instrument.ts";
import { Instruments } from "./instruments.ts";
import { type GatewayLimits, VIEW_SETS, type ViewSets } from "./limits.ts";
import type { GatewayLog } from "./log.ts";
import { GatewayMetrics, type MetricsRenderer } from "./metrics.ts";
import type { BrokerSample } from "./metrics_broker.ts";
import { answerMetrics } from "./metrics_page.ts";
import { Outlet } from "./outlet.ts";
import { answerPage } from "./pages.ts";
import { positionOf, type SegmentPosition } from "./position.ts";
import { Pump, type WaitAsync } from "./pump.ts";
import { CoreParts } from "./rest/core_parts.ts";
import type { FeedControl } from "./rest/feed_control.ts";
import type { ProcessProbe } from "./rest/parts.ts";
import { RestRouter } from "./rest/router.ts";
import { type Scheduler, SYSTEM_SCHEDULER } from "./scheduler.ts";
import { SegmentSource } from "./segment_source.ts";
import { Sessions } from "./sessions.ts";
import type { StaticFiles } from "./static_files.ts";
import { Statistics } from "./statistics.ts";
import { STATS_TOPIC } from "./topics.ts";
import type { TransportHandlers, TransportServer } from "./transport.ts";
import { ViewRegistry } from "./view_registry.ts";
import { Workspace } from "./workspace.ts";

const HOUSEKEEPING_MS = 100;
/** A turn may come so much sooner behind its tick than the one before, and keeps house all the same. */
const JITTER_MS = 10;
const STATS_MS = 1000;
const BOOK_DEPTH = 10;

/** A segment in the kernel's memory. */
export type SegmentReference = {
  readonly address: number;
  /** Whether its producer lives, where something better than the heartbeat alone knows it. */
  readonly isProducerAlive?: () => boolean;
  /** Its readers in other processes, where they are known. */
  readonly readers?: () => number;
};

/** What a core is made from. */
export type CoreOptions = {
  readonly kernel: Kernel;
  readonly segments: () => readonly SegmentReference[];
  readonly limits: GatewayLimits;
  /** Default VIEW_SETS. */
  readonly views?: ViewSets;
  /** Default: whoever comes from the gateway's own pages or without a page. */
  readonly access?: AccessRules;
  readonly now: () => number;
  readonly log: GatewayLog;
  readonly server: string;
  /** Shown in statistics. */
  readonly transport: string;
  /** Undefined = looks at the rings by the scheduler's timers. */
  readonly waitAsync: WaitAsync | undefined;
  /** waitAsync announces by itself that this reader sleeps: the segments are mapped read-only. Default false. */
  readonly announces?: boolean;
  /** Measures the hops of events; absent = they are not measured. */
  readonly stopwatch?: Stopwatch;
  /** Makes the text of `/metrics`; absent = there is none. */
  readonly renderer?: MetricsRenderer;
  /** Default: the event loop of this thread. */
  readonly scheduler?: Scheduler;
  /** The page's files; none = `/` is 404. */
  readonly files?: StaticFiles | undefined;
  /** What counts as arbitrage; undefined = it is not looked for. */
  readonly arbitrage?: ArbitrageRules | undefined;
  /** Adds and removes instruments; undefined = the collectors are other processes. */
  readonly feeds?: FeedControl | undefined;
  /** Undefined = segments are read. */
  readonly broker?: (() => BrokerSample) | undefined;
  /** Undefined where time is not real. */
  readonly probe?: ProcessProbe | undefined;
};

/** Everything but the sockets. */
export class GatewayCore {
  readonly sessions: Sessions;
  readonly metrics: GatewayMetrics;
  readonly #options: CoreOptions;
  readonly #workspace: Workspace;
  readonly #outlet = new Outlet();
  readonly #instruments: Instruments;
  readonly #views: ViewRegistry;
  readonly #statistics: Statistics;
  readonly #pump: Pump;
  readonly #arbitrage: GatewayArbitrage | undefined;
  readonly #rest: CoreParts;
  readonly #dirty = new Set<ServedInstrument>();
  readonly #refused = new Set<string>();
  #sources: readonly SegmentSource[] = [];
  readonly #scheduler: Scheduler;
  readonly #startedAtMs: number;
  #cancelTick: () => void = () => undefined;
  #cancelRated: () => void = () => undefined;
  /** When the turn for views that wait for their rate is set; infinite = none is. */
  #ratedAtMs = Number.POSITIVE_INFINITY;
  #keptAtMs = 0;
  #statsAtMs: number;
  /** What was told last on the `stats` channel. */
  #told: StatsMessage | undefined;

  /** @throws RangeError when a segment cannot be trusted or the arena is too small */
  constructor(options: CoreOptions) {
    const { kernel, limits, now } = options;
    this.#options = options;
    this.#workspace = new Workspace(kernel, limits.batchRecords, { stopwatch: options.stopwatch });
    this.#instruments = new Instruments(this.#workspace, { outlet: this.#outlet, limits, now });
    this.#scheduler = options.scheduler ?? SYSTEM_SCHEDULER;
    const startedAtMs = now();
    this.#startedAtMs = startedAtMs;
    this.#statsAtMs = startedAtMs;
    const epoch = Math.round(startedAtMs * 1000);
    this.#views = new ViewRegistry(this.#workspace, {
      outlet: this.#outlet,
      limits,
      sets: options.views ?? VIEW_SETS,
      now,
      seed: mixEpoch([epoch % 2 ** 32, Math.floor(epoch / 2 ** 32)]),
      takeAlias: () => this.#instruments.takeAlias(),
      interrupted: (instrument, view, form) => this.sessions.interruptView(instrument, view, form),
    });
    const { arbitrage: rules, log } = options;
    const arbitrage = rules && new GatewayArbitrage(this.#workspace, { rules, outlet: this.#outlet, now, log });
    this.#arbitrage = arbitrage;
    const access = new Access(options.access ?? accessRules(), { limits, now });
    this.sessions = new Sessions({
      instruments: this.#instruments,
      views: this.#views,
      outlet: this.#outlet,
      limits,
      access,
      greeting: { server: options.server, epoch: String(epoch) },
      log: new ClientLog({ log, now }),
      opportunities: arbitrage && (() => arbitrage.listText()),
      now,
      wake: () => this.#pump.wake(),
    });
    const { transport, server, renderer } = options;
    const facts = { kernel: kernel.name, transport, startedAtMs, ...this.pageParts() };
    this.metrics = new GatewayMetrics(this.#workspace, {
      ...facts,
      server,
      now,
      sessions: this.sessions,
      refusals: () => access.refusals,
      outlet: () => this.#outlet.totals,
      arbitrage: () => this.#arbitrage?.counts,
      told: () => this.#told,
      renderer,
    });
    this.#statistics = new Statistics({
      ...facts,
      hops: (source) => this.metrics.hops(source),
      totals: () => this.#totals(),
      slow: () => ({ count: this.sessions.slowCount, worst: this.sessions.worst() }),
    });
    const parts = { workspace: this.#workspace, instruments: this.#instruments, access, arbitrage };
    const told = { ...this.pageParts(), stats: () => this.#told ?? this.stats() };
    const delay = () => this.metrics.delays();
    this.#rest = new CoreParts({ ...options, ...told, ...parts, delay });
    this.#pump = new Pump(this.#workspace.words, {
      parts: {
        sources: () => this.#sources,
        afterSource: () => this.#flush(),
        afterRead: () => this.#afterRead(),
      },
      waitAsync: options.waitAsync,
      scheduler: this.#scheduler,
      announces: options.announces ?? false,
    });
    this.#sources = options.segments().map((segment) => this.#attach(segment));
  }

  /** What a transport's events do here. */
  handlers(): TransportHandlers {
    const { sessions } = this;
    const { server, files, now } = this.#options;
    const pages = {
      server,
      startedAtMs: this.#startedAtMs,
      files,
      now,
      rest: new RestRouter(this.#rest),
      ...this.pageParts(),
    };
    return {
      upgrade: (request) => sessions.upgrade(request),
      open: (connection) => sessions.open(connection),
      message: (connection, bytes, isText) => sessions.message(connection, bytes, isText),
      drain: (connection) => sessions.drain(connection),
      dropped: (connection) => sessions.dropped(connection),
      close: (connection) => sessions.close(connection),
      request: (request) => answerMetrics(this.metrics, request) ?? answerPage(pages, request),
    };
  }

  /** What pages and statistics are made from. */
  pageParts() {
    return {
      sources: () => this.#sources,
      instruments: () => this.#instruments.all(),
      clients: () => this.sessions.size,
      broker: this.#options.broker,
      isDraining: () => this.sessions.isDraining,
    };
  }

  /** Begins to consume and to publish. */
  start(server: TransportServer): void {
    this.#outlet.attach(server);
    this.#tick();
  }

  /** Sends all clients away within so many milliseconds, while everything goes on; takes no other one in. */
  drain(drainMs: number): Promise<void> {
    const { now } = this.#options;
    return depart({ sessions: this.sessions, scheduler: this.#scheduler, now }, drainMs);
  }

  /** Nothing is read or published after this. */
  stop(): void {
    this.#cancelTick();
    this.#cancelRated();
    this.#pump.stop();
  }

  /** Looks after segments and producers in the next turn, which comes at once. */
  look(): void {
    this.#keptAtMs = Number.NEGATIVE_INFINITY;
    this.#pump.wake();
  }

  /** Where the readers of every segment stand. */
  positions(): SegmentPosition[] {
    return this.#sources.map((source) => positionOf(this.#workspace.memory, source));
  }

  /** What the `stats` channel would say now. */
  stats(): StatsMessage {
    return this.#statistics.read(this.#options.now());
  }

  /** Arbitrage between the books that are served; undefined = it is not looked for. */
  get arbitrage(): ArbitrageParts | undefined {
    return this.#arbitrage;
  }

  /** The book of an instrument, `depth` levels a side; undefined when it has no book. */
  book(name: string, depth = BOOK_DEPTH): GatewayBook | undefined {
    const instrument = this.#instruments.get(name);
    return instrument && readGatewayBook(instrument, depth);
  }

  #tick(): void {
    this.#cancelTick = this.#scheduler.after(HOUSEKEEPING_MS, () => this.#tick());
    this.#pump.wake();
  }

  #attach({ address, isProducerAlive, readers }: SegmentReference): SegmentSource {
    return new SegmentSource(this.#workspace, {
      address,
      isProducerAlive,
      countReaders: readers,
      instruments: this.#instruments,
      limits: this.#options.limits,
      log: this.#options.log,
      events: {
        changed: (instrument) => {
          this.#dirty.add(instrument);
          this.#arbitrage?.update(instrument);
        },
        interrupted: (instrument, reason) => {
          this.#arbitrage?.update(instrument);
          this.#views.restart(instrument);
          this.sessions.interruptBook(instrument, reason);
        },
        tradesInterrupted: (instrument, reason) => {
          instrument.trades.recent.noteGap();
          this.sessions.interruptTrades(instrument, reason);
        },
      },
    });
  }

  #afterRead(): boolean {
    const nowMs = this.#options.now();
    let hasMore = false;
    for (const source of this.#sources) {
      hasMore = source.join(nowMs) || hasMore;
    }
    this.#flush();
    this.#followRated(nowMs);
    const isTime = nowMs - this.#keptAtMs >= HOUSEKEEPING_MS - JITTER_MS || nowMs < this.#keptAtMs;
    if (isTime) {
      this.#keptAtMs = nowMs;
      this.#keepHouse(nowMs);
    }
    hasMore = this.sessions.advance() || hasMore;
    this.sessions.checkBacklogs(isTime);
    return hasMore;
  }

  /** Sends what changed; a turn that has much to send looks for slow clients while it does. */
  #flush(): void {
    const nowMs = this.#options.now();
    for (const instrument of this.#dirty) {
      this.#views.flush(instrument, nowMs);
      this.sessions.checkBurst();
    }
    this.#dirty.clear();
  }

  /** Views that may change by now do, and a turn is set for the next one. */
  #followRated(nowMs: number): void {
    const dueAtMs = this.#views.flushDue(nowMs);
    if (dueAtMs !== undefined && dueAtMs < this.#ratedAtMs) {
      this.#cancelRated();
      this.#ratedAtMs = dueAtMs;
      this.#cancelRated = this.#scheduler.after(dueAtMs - nowMs, () => {
        this.#ratedAtMs = Number.POSITIVE_INFINITY;
        this.#pump.wake();
      });
    }
  }

  #keepHouse(nowMs: number): void {
    this.#followSegments();
    for (const source of this.#sources) {
      source.refresh();
      source.setAlive(source.isAlive(nowMs));
      source.checkQuiet(nowMs);
    }
    for (const instrument of this.#instruments.all()) {
      instrument.publishStatus();
      instrument.book.proveQuiet();
      instrument.book.output.snapshots.forgetIdle(nowMs);
    }
    this.#arbitrage?.expire();
    this.#rest.keepHouse();
    this.#views.keepHouse(nowMs);
    if (nowMs - this.#statsAtMs >= STATS_MS || nowMs < this.#statsAtMs) {
      this.#statsAtMs = nowMs;
      this.metrics.keep(nowMs);
      this.#told = this.#statistics.take(nowMs);
      this.#outlet.publish(STATS_TOPIC, JSON.stringify(this.#told));
    }
  }

  /** Attaches segments that are new, lets go of those that are gone or began a new epoch. */
  #followSegments(): void {
    const wanted = this.#options.segments();
    const isWanted = (source: SegmentSource) => wanted.some(({ address }) => address === source.view.address);
    const kept = this.#sources.filter((source) => isWanted(source) && source.view.isSameEpoch);
    for (const source of this.#sources.filter((one) => !kept.includes(one))) {
      source.detach();
    }
    const known = new Set(kept.map((source) => source.view.address));
    const added = wanted.filter(({ address }) => !known.has(address)).map((segment) => this.#tryAttach(segment));
    this.#sources = [...kept, ...added.filter((source) => source !== undefined)];
  }

  #tryAttach(segment: SegmentReference): SegmentSource | undefined {
    try {
      return this.#attach(segment);
    } catch (error) {
      if (!(error instanceof RangeError)) {
        throw error;
      }
      if (!this.#refused.has(error.message)) {
        this.#refused.add(error.message);
        this.#options.log.error(error.message);
      }
      return undefined;
    }
  }

  #totals() {
    const { bytesOut, framesOut, wireFrames } = this.#outlet.totals;
    return { ...this.sessions.totals, bytesOut, framesOut, wireFrames };
  }
}
