/**
 * The post of one exchange: a worker now and then another. A worker that dies, or whose heartbeat goes stale, is replaced
 * with growing delays: its books are shown as not synced at once, its successor gets a fresh segment and epoch and the
 * instruments that are wanted by then. The old range stays untouched until its readers had time to let go.
 * A worker whose books outgrew its segment makes way for one with a larger segment, as often as the memory allows.
 * Bad case: a worker that dies at once every time; its instruments stay not synced and the log says why.
 */
import { Worker } from "node:worker_threads";
import { startWorker } from "../assets.ts";
import type { Config, SelectedExchange } from "../config/mod.ts";
import { ConfigError } from "../errors.ts";
import type { ExchangeId } from "../model/exchange_id.ts";
import { type EndpointEntry, readEndpoints } from "../segment/endpoints.ts";
import type { MemoryMap, MemoryRange } from "../segment/memory_map.ts";
import {
  abandonSegment,
  readHeartbeat,
  retireAbandoned,
  type SegmentConfig,
  type SegmentHandle,
  type SegmentShortage,
  segmentBytes,
} from "../segment/writer.ts";
import { Backoff } from "../sync/mod.ts";
import type { Report } from "./collector.ts";
import type { FeedChange } from "./feed_changes.ts";
import { quietHeap } from "./quiet_heap.ts";
import { grownConfigs, type SizeRecord, segmentConfig, sizesOf } from "./segment_growth.ts";
import { WantedFeeds } from "./wanted_feeds.ts";
import type { FeedRequest, SupervisorMessage, WorkerMessage, WorkerStart } from "./worker_messages.ts";

/** What a supervisor is built from. */
export type SupervisorOptions = {
  readonly map: MemoryMap;
  readonly config: Config;
  readonly exchanges: readonly SelectedExchange[];
  /** Compiled kernel; absent for the twin. */
  readonly kernelModule?: WebAssembly.Module;
  readonly pid: number;
  /** Where the file of an exchange's readers in other processes is mapped; absent = there are none. */
  readonly readersOf?: (exchange: ExchangeId) => MemoryRange | undefined;
  /** What segments of earlier processes grew to, and where to keep what these grow to. */
  readonly sizes?: SizeRecord | undefined;
  /** The program of each worker; the collector's unless given. */
  readonly program?: () => URL;
  readonly report: (exchange: ExchangeId, report: Report) => void;
};

/** A heartbeat older than this, seen twice in a row, is a stuck worker. */
const STALE_MS = 5000;
/** A worker that has shown no heartbeat at all for so long is stuck too. */
const START_PATIENCE_MS = 30_000;
/** Readers ask ten times a second which segments there are. */
const QUARANTINE_MS = 3000;
const STOP_PATIENCE_MS = 700;
/** Attempts to have the range of a larger segment; ranges in quarantine are free by then. */
const GROWTH_ATTEMPTS_MAX = 3;

/** The post of one exchange: a worker now and then another. */
export class CollectorPost {
  readonly #options: SupervisorOptions;
  readonly #configured: SelectedExchange;
  readonly #feeds: WantedFeeds;
  /** Bytes of segments that posts without a worker are waiting for. */
  readonly #vacant: () => number[];
  #segmentConfig: SegmentConfig;
  /** A larger segment that is not had yet: what to go back to, and the attempts so far. */
  #growth: { readonly before: SegmentConfig; attempts: number } | undefined;
  #hasGrown = false;
  /** Segments so large could not be had. */
  #refusedBytes = Number.POSITIVE_INFINITY;
  readonly #arena: MemoryRange;
  readonly #frame: MemoryRange;
  readonly #backoff: Backoff;
  #worker: Worker | undefined;
  #range: MemoryRange | undefined;
  #segment: SegmentHandle | undefined;
  /** How the last worker left the exchange's addresses: what they demanded binds the next one. */
  #left: readonly EndpointEntry[] = [];
  #restartTimer: NodeJS.Timeout | undefined;
  #isStopping = false;
  /** The worker said what became of its books before it ended. */
  #hasStopped = false;
  #beat = 0n;
  /** By our own monotonic clock: a wall clock that is set must not end a worker. */
  #beatSeenAt = 0;
  #staleChecks = 0;
  #generation = 0;
  #verdict: { resolve: () => void; reject: (error: Error) => void } | undefined;

  constructor(options: SupervisorOptions, place: { selected: SelectedExchange; vacant: () => number[] }) {
    const { selected, vacant } = place;
    const { map, config } = options;
    const { arenaBytes, frameBytesMax, restartBaseMs, reconnectCapMs, healthyMs } = config.collector;
    this.#options = options;
    this.#configured = selected;
    this.#feeds = new WantedFeeds(selected.instruments);
    this.#vacant = vacant;
    this.#segmentConfig = segmentConfig(config, selected, options.sizes?.recall(selected.id));
    this.#arena = map.reserve(`arena of ${selected.id}`, { bytes: arenaBytes });
    this.#frame = map.reserve(`frame of ${selected.id}`, { bytes: frameBytesMax });
    this.#backoff = new Backoff({ baseMs: restartBaseMs, capMs: reconnectCapMs, healthyMs }, Math.random);
  }

  get exchange(): ExchangeId {
    return this.#configured.id;
  }

  /** Canonical names of those that are wanted now. */
  get instruments(): readonly string[] {
    return this.#feeds.instruments;
  }

  get #selected(): SelectedExchange {
    return { ...this.#configured, instruments: this.instruments };
  }

  get segment(): SegmentHandle | undefined {
    return this.#segment;
  }

  /** Bytes of the segment that the next worker will need; none while one is there. */
  get vacantBytes(): number[] {
    return this.#range === undefined ? [segmentBytes(this.#segmentConfig)] : [];
  }

  get restarts(): number {
    return Math.max(0, this.#generation - 1);
  }

  start(): Promise<void> {
    const verdict = new Promise<void>((resolve, reject) => {
      this.#verdict = { resolve, reject };
    });
    this.#launch();
    return verdict;
  }

  /** Looks at the heartbeat: the worker's own, not that of the segment which its predecessor left. */
  check(): void {
    if (this.#worker === undefined || this.#isStopping) {
      return;
    }
    const segment = this.#segment?.address === this.#range?.address ? this.#segment : undefined;
    const beat = segment === undefined ? 0n : readHeartbeat(this.#options.map.memory.buffer, segment);
    if (beat !== this.#beat) {
      this.#beat = beat;
      this.#beatSeenAt = performance.now();
    }
    const age = performance.now() - this.#beatSeenAt;
    this.#staleChecks = age > (segment === undefined ? START_PATIENCE_MS : STALE_MS) ? this.#staleChecks + 1 : 0;
    if (this.#staleChecks >= 2) {
      this.#staleChecks = 0;
      this.#report("error", `The collector is stuck: no heartbeat for ${Math.round(age)} ms, ending it`);
      void this.#worker.terminate();
    }
  }

  change(type: FeedRequest["type"], canonical: string): Promise<FeedChange> {
    const worker = this.#worker;
    if (worker === undefined || this.#isStopping) {
      const change = this.#feeds.withoutWorker(type, canonical);
      this.#showRemoved(type === "remove" ? [canonical] : []);
      return Promise.resolve(change);
    }
    return this.#feeds.ask(type, canonical, (request) => worker.postMessage(request satisfies SupervisorMessage));
  }

  replace(exchange: ExchangeId): void {
    if (exchange === this.exchange) {
      void this.#worker?.terminate();
    }
  }

  async stop(): Promise<void> {
    this.#isStopping = true;
    clearTimeout(this.#restartTimer);
    this.#verdict?.resolve();
    const worker = this.#worker;
    if (worker === undefined) {
      return;
    }
    const exited = new Promise<void>((resolve) => worker.once("exit", () => resolve()));
    end(worker, { type: "stop" });
    await exited;
  }

  #launch(): void {
    const { map, config, kernelModule, pid } = this.#options;
    const { id, settings, instruments } = this.#selected;
    this.#generation += 1;
    const bytes = segmentBytes(this.#segmentConfig);
    const range = map.reserveSegment(id, { generation: this.#generation, bytes });
    this.#growth = undefined;
    const readers = this.#options.readersOf?.(id);
    const start: WorkerStart = {
      exchange: id,
      settings,
      instruments,
      limits: config.collector,
      record: config.record,
      kernelName: config.kernel,
      isSuccessor: this.#generation > 1,
      left: this.#left,
      ...(kernelModule === undefined ? {} : { kernelModule }),
      memory: map.memory,
      arena: this.#arena,
      frame: this.#frame,
      segment: range,
      segmentConfig: this.#segmentConfig,
      pid,
      ...(readers === undefined ? {} : { readers: readers.address }),
    };
    const program = this.#options.program?.();
    const options = { workerData: start, name: `collector ${id}` };
    quietHeap();
    const worker = program === undefined ? startWorker("collector_worker", options) : new Worker(program, options);
    this.#worker = worker;
    this.#hasStopped = false;
    this.#range = range;
    this.#beat = 0n;
    this.#beatSeenAt = performance.now();
    this.#staleChecks = 0;
    worker.on("message", (message: WorkerMessage) => this.#hear(message, range));
    worker.on("error", (error) => this.#report("error", `The collector failed: ${error.stack ?? error.message}`));
    worker.once("exit", () => this.#exited());
  }

  #hear(message: WorkerMessage, range: MemoryRange): void {
    switch (message.type) {
      case "live":
        this.#segment = { exchange: this.exchange, address: range.address, bytes: range.bytes };
        this.#backoff.succeeded(performance.now());
        this.#keepSizes();
        break;
      case "ready":
        this.#verdict?.resolve();
        break;
      case "outgrown":
        if (range === this.#range && this.#growth === undefined && !this.#isStopping) {
          this.#outgrown(message.shortages, range);
        }
        break;
      case "refused":
        this.#report("error", message.message);
        this.#verdict?.reject(new ConfigError(message.message));
        break;
      case "changed":
        this.#feeds.answered(message.request, message.change);
        break;
      case "report":
        this.#options.report(this.exchange, message.report);
        break;
      case "stopped":
        this.#hasStopped = true;
        void this.#worker?.terminate();
        break;
    }
  }

  #exited(): void {
    const range = this.#range;
    this.#worker = undefined;
    this.#range = undefined;
    this.#verdict?.resolve();
    const removed = this.#feeds.workerEnded();
    if (this.#isStopping || range === undefined) {
      return;
    }
    const { map } = this.#options;
    if (this.#segment?.address === range.address) {
      this.#left = readEndpoints(map.memory.buffer, range.address);
      if (!this.#hasStopped) {
        abandonSegment(map.memory.buffer, this.#segment);
      }
    }
    this.#showRemoved(removed);
    setTimeout(() => this.#release(range), QUARANTINE_MS).unref();
    if (this.#growth !== undefined) {
      this.#relaunch();
      return;
    }
    const delay = QUARANTINE_MS / 10 + this.#backoff.failed(performance.now());
    this.#report("error", `The collector ended: starting another in ${Math.round(delay)} ms`);
    this.#restartTimer = setTimeout(() => this.#relaunch(), delay);
  }

  /** Nobody may look into a range that was given back: it is zeros then, or another exchange's segment. */
  #release(range: MemoryRange): void {
    if (this.#segment?.address === range.address) {
      this.#segment = undefined;
    }
    this.#options.map.release(range);
  }

  /** In the segment of a worker that is gone, in its place. */
  #showRemoved(removed: readonly string[]): void {
    const segment = this.#segment;
    if (segment !== undefined) {
      for (const canonical of removed) {
        retireAbandoned(this.#options.map.memory.buffer, segment, canonical);
      }
    }
  }

  /** Gives the exchange a larger segment, where there is room: all its instruments begin anew in it, once. */
  #outgrown(shortages: readonly SegmentShortage[], range: MemoryRange): void {
    const names = [...new Set(shortages.map(({ canonical }) => canonical))].join(", ");
    const grown = this.#roomFor(grownConfigs(this.#segmentConfig, this.#selected, shortages), range);
    if (grown === undefined) {
      const bytes = this.#options.map.bytes;
      this.#report(
        "error",
        `Cannot make a larger segment: the memory is full; out of service: ${names}, was ${bytes} bytes`,
      );
      this.#worker?.postMessage({ type: "no_room" } satisfies SupervisorMessage);
      return;
    }
    const [from, to] = [segmentBytes(this.#segmentConfig), segmentBytes(grown)];
    this.#report("warn", `Books outgrew the segment: beginning a larger one, ${from} to ${to} bytes, for ${names}`);
    this.#growth = { before: this.#segmentConfig, attempts: 0 };
    this.#segmentConfig = grown;
    this.#hasGrown = true;
    if (this.#worker !== undefined) {
      end(this.#worker, { type: "make_way" });
    }
  }

  /** The next process of this exchange begins with what this one has come to. */
  #keepSizes(): void {
    if (this.#hasGrown) {
      this.#hasGrown = false;
      this.#options.sizes?.keep(this.exchange, sizesOf(this.#segmentConfig));
    }
  }

  /** The first that fits beside everything else, the old segment included; else the first that fits in its stead. */
  #roomFor(configs: readonly SegmentConfig[], range: MemoryRange): SegmentConfig | undefined {
    const { map } = this.#options;
    const vacant = this.#vacant();
    const possible = configs.filter((config) => segmentBytes(config) < this.#refusedBytes);
    const fits = (without: readonly MemoryRange[]) =>
      possible.find((config) => map.hasRoom([segmentBytes(config), ...vacant], without));
    return fits([]) ?? fits([range]);
  }

  /** Goes back to the smaller segment when the larger one cannot be had after all: the exchange matters more. */
  #giveUpGrowing(error: RangeError): void {
    if (this.#growth === undefined) {
      return;
    }
    this.#growth.attempts += 1;
    if (this.#growth.attempts === GROWTH_ATTEMPTS_MAX) {
      this.#refusedBytes = segmentBytes(this.#segmentConfig);
      this.#segmentConfig = this.#growth.before;
      this.#growth = undefined;
      this.#report("error", `Cannot make a larger segment: going on with the old size: ${error.message}`);
    }
  }

  /** Waits when the ranges of earlier workers are still in quarantine. */
  #relaunch(): void {
    try {
      this.#launch();
    } catch (error) {
      if (!(error instanceof RangeError)) {
        throw error;
      }
      this.#generation -= 1;
      this.#giveUpGrowing(error);
      this.#restartTimer = setTimeout(() => this.#relaunch(), QUARANTINE_MS);
    }
  }

  #report(level: Report["level"], text: string): void {
    this.#options.report(this.exchange, { level, text });
  }
}

/** Asks a worker to end, and ends it when it does not. */
function end(worker: Worker, message: SupervisorMessage): void {
  const timer = setTimeout(() => void worker.terminate(), STOP_PATIENCE_MS);
  worker.once("exit", () => clearTimeout(timer));
  worker.postMessage(message);
}
