/**
 * The collector of one exchange: kernel, segment and sync on one side, sockets, REST and the recorder on the other. It
 * does what the sync wants, publishes once for every batch of frames, and shows that it lives. Clock, randomness, sockets
 * and fetch are arguments; `tick` is to be called every 100 ms.
 * Bad case: the instrument list cannot be fetched; the collector goes on without it, exponents come from the first book.
 */
import {
  COUNTER_RECONNECTS,
  COUNTER_REST_FAILURES,
  COUNTER_REST_REQUESTS,
  HEADER_DELTA_TAIL,
  HEADER_TRADE_TAIL,
  SEGMENT_STATE_CLOSED,
  SEGMENT_STATE_SUPERSEDED,
} from "../../assembly/layout.ts";
import { nearestHint } from "../config/mod.ts";
import { ConfigError } from "../errors.ts";
import type { Exchange } from "../exchanges/mod.ts";
import { EndpointTable } from "../segment/endpoints.ts";
import { createSegment, type SegmentWriter } from "../segment/writer.ts";
import { ExchangeSync, type SyncAction } from "../sync/mod.ts";
import { Auditor } from "./auditor.ts";
import { type CorruptedLevel, type Corruption, Corruptor } from "./auditor_corruption.ts";
import { wallNs } from "./clock.ts";
import { type CollectorOptions, completeUrl, configured } from "./collector_settings.ts";
import { Connections } from "./connections.ts";
import { breakerLimits, Endpoints } from "./endpoints.ts";
import { type FeedChange, FeedChanges, instrumentStart } from "./feed_changes.ts";
import { FeedMetrics } from "./feed_metrics.ts";
import { InstrumentList, type Listed } from "./instrument_list.ts";
import { RestClient } from "./rest.ts";
import { Sleeper } from "./sleeper.ts";
import { StateNotes } from "./state_notes.ts";

export type { CollectorOptions, Report } from "./collector_settings.ts";

/** The least distance between two flushes of the recording. */
const FLUSH_MS = 1000;

/** One exchange, live. Thread: all of it on one. */
export class Collector {
  readonly segment: SegmentWriter;
  readonly #options: CollectorOptions;
  readonly #exchange: Exchange;
  readonly #sync: ExchangeSync;
  readonly #endpoints: Endpoints;
  readonly #rest: RestClient;
  readonly #auditor: Auditor | undefined;
  readonly #connections: Connections;
  readonly #sleeper: Sleeper;
  readonly #list: InstrumentList;
  readonly #changes: FeedChanges;
  readonly #metrics: FeedMetrics;
  #isPublishDue = false;
  #hasStopped = false;
  #flushedAt = 0;
  #corruptor: Corruptor | undefined;

  /**
   * Creates the segment with every instrument connecting; nothing is connected yet.
   * @throws RangeError when arena, segment or names do not fit
   */
  constructor(options: CollectorOptions) {
    const { clock, kernel, limits, settings } = options;
    this.#options = options;
    this.#exchange = configured(options.exchange, settings);
    this.segment = createSegment(kernel.buffer, {
      ...options.segment,
      identity: {
        exchange: this.#exchange.header.id,
        epoch: clock.anchorNs,
        pid: options.pid,
        wallAnchorNs: clock.anchorNs,
        monotonicAnchorNs: clock.monotonicAnchorNs,
      },
    });
    kernel.clockAnchor(Number(BigInt.asIntN(32, clock.anchorNs)), Number(BigInt.asIntN(32, clock.anchorNs >> 32n)));
    kernel.producerAttach(this.segment.address);
    const notes = new StateNotes(options.report);
    this.#sync = new ExchangeSync({
      kernel,
      exchange: this.#exchange,
      segment: this.segment,
      frame: options.frame,
      imageEvery: Math.floor(options.segment.config.deltaCapacity / 5),
      wallNs: (receivedAt) => wallNs(clock, receivedAt),
      random: options.random,
      settings: limits,
      canGrow: options.canGrow === true,
      ...(options.tellsStates === true ? { changed: ({ block }) => notes.look(block) } : {}),
    });
    this.#metrics = new FeedMetrics({ kernel, segment: this.segment, clock });
    this.#openInstruments();
    this.#endpoints = this.#makeEndpoints();
    this.#rest = this.#restClient();
    this.#auditor = limits.auditPeriodMs === 0 ? undefined : this.#makeAuditor();
    this.#connections = new Connections({
      collector: options,
      exchange: this.#exchange,
      sync: this.#sync,
      endpoints: this.#endpoints,
      worked: () => this.#worked(),
      reconnected: () => this.segment.count(COUNTER_RECONNECTS),
      decoded: (elapsedNs) => this.#metrics.decoded(elapsedNs),
    });
    this.#sleeper = new Sleeper(() => clock.now() / 1e6);
    this.#list = new InstrumentList({
      exchange: this.#exchange,
      rest: this.#rest,
      sleeper: this.#sleeper,
      now: () => clock.now() / 1e6,
      patienceMs: limits.restTimeoutMs,
      attemptsMax: limits.metadataAttemptsMax,
      pauseMs: limits.reconnectBaseMs,
      hasStopped: () => this.#hasStopped,
      report: options.report,
    });
    this.#changes = this.#makeChanges();
  }

  /**
   * Reads the instrument list, checks the instruments against it, and connects.
   * @returns when connecting has begun
   * @throws ConfigError when the exchange does not list an instrument, with the nearest names
   */
  async start(): Promise<void> {
    const listed = await this.#list.fetch();
    if (this.#hasStopped) {
      return;
    }
    if (listed === undefined) {
      const text = "Going on without the instrument list: decimals come from the first books";
      this.#options.report({ level: "warn", text });
    } else {
      this.#announce(listed);
    }
    this.#connections.start();
    this.#changes.open();
  }

  /** Adds an instrument at run time; the others are left alone. @param canonical `BASE-QUOTE` */
  add(canonical: string): Promise<FeedChange> {
    return this.#changes.add(canonical);
  }

  /** Removes an instrument at run time; the others are left alone. @param canonical `BASE-QUOTE` */
  remove(canonical: string): Promise<FeedChange> {
    return this.#changes.remove(canonical);
  }

  /** Looks after timers, images, heartbeat and recording. Call every 100 ms. */
  tick(): void {
    if (this.#hasStopped) {
      return;
    }
    const { clock, recorder } = this.#options;
    const now = clock.now();
    this.segment.beat(wallNs(clock, now));
    this.#metrics.tick(now);
    this.#rest.tick();
    this.#sleeper.tick();
    this.#connections.tick();
    this.#endpoints.tick();
    this.#sync.tick(now);
    this.#auditor?.tick(now);
    this.#act();
    this.#sync.publish(now);
    if (now / 1e6 - this.#flushedAt >= FLUSH_MS) {
      this.#flushedAt = now / 1e6;
      recorder?.flush();
    }
  }

  /**
   * Says of every book that it ends, closes sockets and recording.
   * @param options.makesWay another epoch takes over at once: readers need not take it for the end
   * @returns when the recording is with the system
   */
  async stop({ makesWay = false }: { makesWay?: boolean } = {}): Promise<void> {
    if (this.#hasStopped) {
      return;
    }
    this.#hasStopped = true;
    const { clock, recorder } = this.#options;
    this.#auditor?.stop();
    this.#rest.stop();
    this.#connections.stop();
    this.#sync.stop(clock.now(), { makesWay });
    this.#sync.publish(clock.now());
    this.segment.setState(makesWay ? SEGMENT_STATE_SUPERSEDED : SEGMENT_STATE_CLOSED);
    this.#rouse();
    await recorder?.close();
  }

  /** There will be no larger segment: books that outgrew this one are out of service. */
  refuseRoom(): void {
    this.#sync.refuseRoom(this.#options.clock.now());
    this.#worked();
  }

  /**
   * For tests and simulations only: makes one level of a book wrong and publishes it, as a lost update would.
   * @param corruption which level and how; one at random that the audit can find unless given
   * @returns undefined when there is no such book, or no such level
   */
  corruptLevel(native: string, corruption?: Corruption): CorruptedLevel | undefined {
    const { kernel, clock, random } = this.#options;
    const block = this.#sync.instrument(native)?.block;
    this.#corruptor ??= new Corruptor(kernel);
    const how = corruption ?? (block && this.#corruptor.choose(block, random));
    const corrupted = block && how && this.#corruptor.corrupt(block, how, clock.now());
    this.#worked();
    return corrupted;
  }

  /** Readers that went to sleep behind the last record wait for ever unless they are told of the end. */
  #rouse(): void {
    const words = new Int32Array(this.#options.kernel.buffer);
    Atomics.notify(words, (this.segment.address + HEADER_DELTA_TAIL) >>> 2);
    Atomics.notify(words, (this.segment.address + HEADER_TRADE_TAIL) >>> 2);
  }

  #openInstruments(): void {
    const { instruments, settings } = this.#options;
    const { instrumentsPerConnection } = this.#exchange.header.limits;
    instruments.forEach((canonical, index) => {
      const start = instrumentStart(this.#exchange, { canonical, ...settings });
      this.#sync.open(start, Math.floor(index / instrumentsPerConnection));
    });
  }

  #makeChanges(): FeedChanges {
    return new FeedChanges({
      collector: this.#options,
      exchange: this.#exchange,
      sync: this.#sync,
      segment: this.segment,
      connections: this.#connections,
      auditor: this.#auditor,
      list: this.#list,
      sleeper: this.#sleeper,
      worked: () => this.#worked(),
    });
  }

  #makeAuditor(): Auditor {
    const { kernel, frame, clock, random, limits, report } = this.#options;
    return new Auditor({
      exchange: this.#exchange,
      kernel,
      frame,
      sync: this.#sync,
      segment: this.segment,
      rest: this.#rest,
      clock,
      random,
      periodMs: limits.auditPeriodMs,
      confirmMs: limits.auditConfirmMs,
      report: (level, text, native) => report({ level, text, native }),
      worked: () => this.#worked(),
    });
  }

  #makeEndpoints(): Endpoints {
    const { settings, limits, clock, random, kernel, report, left = [] } = this.#options;
    const { websocketPath } = this.#exchange.header;
    return new Endpoints({
      websocketUrls: [...new Set(settings.websocketUrls.map((url) => completeUrl(url, websocketPath)))],
      restUrl: settings.restUrl,
      limits: breakerLimits(limits),
      left,
      clock,
      random,
      table: (names) => new EndpointTable(kernel.buffer, { address: this.segment.address, names }),
      report,
    });
  }

  #restClient(): RestClient {
    const { limits, settings, clock, frame, recorder, fetch, setTimer } = this.#options;
    return new RestClient({
      baseUrl: settings.restUrl,
      endpoints: this.#endpoints,
      budget: this.#exchange.header.limits.rest,
      auditBudget: this.#exchange.header.audit.budget,
      timeoutMs: limits.restTimeoutMs,
      bodyBytesMax: frame.bytes,
      fetch,
      now: () => clock.now() / 1e6,
      ...(setTimer === undefined ? {} : { setTimer }),
      onBody: (url, body) => recorder?.http(url, wallNs(clock, clock.now()), body),
      onDate: (date, askedAtMs) => this.#metrics.answered(askedAtMs * 1e6, date),
      onCount: (what) => this.segment.count(what === "request" ? COUNTER_REST_REQUESTS : COUNTER_REST_FAILURES),
    });
  }

  /** After frames: do at once what the sync wants, publish when the batch is through. */
  #worked(): void {
    if (this.#hasStopped) {
      return;
    }
    this.#act();
    if (!this.#isPublishDue) {
      this.#isPublishDue = true;
      this.#options.defer(this.#publish);
    }
  }

  readonly #publish = (): void => {
    this.#isPublishDue = false;
    if (!this.#hasStopped) {
      this.#sync.publish(this.#options.clock.now());
    }
  };

  #act(): void {
    for (let actions = this.#sync.takeActions(); actions.length > 0; actions = this.#sync.takeActions()) {
      for (const action of actions) {
        this.#perform(action);
      }
    }
  }

  #perform(action: SyncAction): void {
    switch (action.do) {
      case "send":
        this.#connections.get(action.connection)?.send(action.message.text);
        break;
      case "snapshot":
        this.#fetchSnapshot(action);
        break;
      case "reconnect":
        this.#connections.get(action.connection)?.reconnect({ graceful: action.graceful, why: action.why });
        break;
      case "slow_down":
        this.#connections.get(action.connection)?.slowDown();
        break;
      case "report": {
        const { level, text, native } = action;
        this.#options.report({ level, text, ...(native === undefined ? {} : { native }) });
        break;
      }
    }
  }

  #fetchSnapshot({ native, request, token }: Extract<SyncAction, { do: "snapshot" }>): void {
    const { clock, report } = this.#options;
    const isWanted = () => this.#sync.instrument(native)?.machine.awaitedSnapshot === token;
    this.#rest
      .get(request, { isWanted })
      .then(
        (body) => {
          const verdict = this.#sync.snapshotArrived(native, body, { token, receivedAt: clock.now() });
          if (verdict === "too_old" || verdict === "unreadable") {
            report({ level: "warn", text: `The snapshot is ${verdict.replace("_", " ")}: asking again`, native });
          }
        },
        (error: unknown) => {
          if (!this.#hasStopped && isWanted()) {
            report({ level: "warn", text: error instanceof Error ? error.message : String(error), native });
            this.#sync.snapshotFailed(native, { token, receivedAt: clock.now() });
          }
        },
      )
      .then(() => this.#worked());
  }

  #announce(listed: Listed): void {
    const { instruments, clock } = this.#options;
    for (const canonical of instruments) {
      const found = listed.get(canonical);
      if (found === undefined) {
        this.#refuseUnlisted(canonical, listed);
        continue;
      }
      this.#sync.instrument(found.native)?.block.announce(found, clock.now());
    }
  }

  /** One that is not listed stops a start; whoever takes over from another collector goes on without it. */
  #refuseUnlisted(canonical: string, listed: Listed): void {
    const hint = nearestHint(canonical, listed.keys());
    const text = `Cannot collect from ${this.#exchange.header.title}: it lists no such instrument${hint}, was ${canonical}`;
    if (this.#options.isSuccessor !== true) {
      throw new ConfigError(text);
    }
    this.#options.report({ level: "error", text, native: this.#exchange.nativeName(canonical) });
    void this.#changes.remove(canonical);
  }
}
