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
  SEGMENT_STATE_CLOSED,
  SEGMENT_STATE_SUPERSEDED,
  TRADING_UNKNOWN,
} from "../../assembly/layout.ts";
import { nearestHint } from "../config/mod.ts";
import { ConfigError, ConnectionError, DecodeError } from "../errors.ts";
import type { Exchange, Metadata } from "../exchanges/mod.ts";
import { createSegment, type SegmentWriter } from "../segment/writer.ts";
import { ExchangeSync, type SyncAction } from "../sync/mod.ts";
import { Auditor } from "./auditor.ts";
import { type CorruptedLevel, type Corruption, Corruptor } from "./auditor_corruption.ts";
import { wallNs } from "./clock.ts";
import { type CollectorOptions, completeUrl, configured } from "./collector_settings.ts";
import { FeedConnection } from "./connection.ts";
import { RateWindow } from "./rate_window.ts";
import { RestClient } from "./rest.ts";

export type { CollectorOptions, Report } from "./collector_settings.ts";

/** The least distance between two flushes of the recording. */
const FLUSH_MS = 1000;

/** One exchange, live. Thread: all of it on one. */
export class Collector {
  readonly segment: SegmentWriter;
  readonly #options: CollectorOptions;
  readonly #exchange: Exchange;
  readonly #sync: ExchangeSync;
  readonly #rest: RestClient;
  readonly #auditor: Auditor | undefined;
  readonly #connections: FeedConnection[];
  #isPublishDue = false;
  #hasStopped = false;
  #flushedAt = 0;
  #wake: (() => void) | undefined;
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
    });
    this.#openInstruments();
    this.#rest = this.#restClient();
    this.#auditor = limits.auditPeriodMs === 0 ? undefined : this.#makeAuditor();
    this.#connections = this.#makeConnections();
  }

  /**
   * Reads the instrument list, checks the instruments against it, and connects.
   * @returns when connecting has begun
   * @throws ConfigError when the exchange does not list an instrument, with the nearest names
   */
  async start(): Promise<void> {
    const metadata = await this.#fetchMetadata();
    if (this.#hasStopped) {
      return;
    }
    if (metadata !== undefined) {
      this.#announce(metadata);
    }
    for (const connection of this.#connections) {
      connection.start();
    }
  }

  /** Looks after timers, images, heartbeat and recording. Call every 100 ms. */
  tick(): void {
    if (this.#hasStopped) {
      return;
    }
    const { clock, recorder } = this.#options;
    const now = clock.now();
    this.segment.beat(wallNs(clock, now));
    this.#rest.tick();
    this.#wake?.();
    for (const connection of this.#connections) {
      connection.tick();
    }
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
    for (const connection of this.#connections) {
      connection.stop();
    }
    this.#sync.stop(clock.now(), { makesWay });
    this.#sync.publish(clock.now());
    this.segment.setState(makesWay ? SEGMENT_STATE_SUPERSEDED : SEGMENT_STATE_CLOSED);
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

  #openInstruments(): void {
    const { instruments, settings } = this.#options;
    const { instrumentsPerConnection } = this.#exchange.header.limits;
    instruments.forEach((canonical, index) => {
      const start = {
        native: this.#exchange.nativeName(canonical),
        canonical,
        assurance: this.#exchange.assurance(settings.depth),
        depth: settings.depth,
        priceExponent: -1,
        quantityExponent: -1,
        tradingStatus: TRADING_UNKNOWN,
        imageLevels: settings.imageLevels,
      };
      this.#sync.open(start, Math.floor(index / instrumentsPerConnection));
    });
  }

  #makeConnections(): FeedConnection[] {
    const { header } = this.#exchange;
    const { limits, clock, openSocket, random, frame, settings } = this.#options;
    const indexes = new Set(this.#sync.instruments.map((instrument) => instrument.connection));
    const attempts = new RateWindow(header.limits.connects);
    return [...indexes].map((index) => {
      return new FeedConnection({
        exchange: this.#exchange,
        sync: this.#sync.connection(index),
        urls: settings.websocketUrls.map((url) => completeUrl(url, header.websocketPath)),
        clock,
        openSocket,
        random,
        frameBytesMax: frame.bytes,
        connectTimeoutMs: limits.connectTimeoutMs,
        backoff: { baseMs: limits.reconnectBaseMs, capMs: limits.reconnectCapMs, healthyMs: limits.healthyMs },
        attempts,
        events: this.#events(String(index)),
      });
    });
  }

  #events(connection: string): ConstructorParameters<typeof FeedConnection>[0]["events"] {
    const { clock, recorder, report } = this.#options;
    const nowNs = () => wallNs(clock, clock.now());
    return {
      worked: () => this.#worked(),
      connecting: (url) => {
        report({ level: "info", text: `Connecting to ${url}` });
        recorder?.connect(url, nowNs(), connection);
      },
      sent: (text) => recorder?.send(text, nowNs(), connection),
      ...(recorder === undefined
        ? {}
        : {
            received: (bytes, { isBinary, receivedAt }) =>
              recorder.receive(bytes, wallNs(clock, receivedAt), { connection, isBinary }),
          }),
      report: (level, text) => report({ level, text }),
      reconnected: () => this.segment.count(COUNTER_RECONNECTS),
    };
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

  #restClient(): RestClient {
    const { limits, settings, clock, frame, recorder, fetch, setTimer } = this.#options;
    return new RestClient({
      baseUrl: settings.restUrl,
      budget: this.#exchange.header.limits.rest,
      auditBudget: this.#exchange.header.audit.budget,
      timeoutMs: limits.restTimeoutMs,
      bodyBytesMax: frame.bytes,
      fetch,
      now: () => clock.now() / 1e6,
      ...(setTimer === undefined ? {} : { setTimer }),
      onBody: (url, body) => recorder?.http(url, wallNs(clock, clock.now()), body),
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
        this.#connections[action.connection]?.send(action.message.text);
        break;
      case "snapshot":
        this.#fetchSnapshot(action);
        break;
      case "reconnect":
        this.#connections[action.connection]?.reconnect({ graceful: action.graceful, why: action.why });
        break;
      case "slow_down":
        this.#connections[action.connection]?.slowDown();
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

  async #fetchMetadata(): Promise<Metadata | undefined> {
    const { limits, report } = this.#options;
    for (let attempt = 1; attempt <= limits.metadataAttemptsMax && !this.#hasStopped; attempt++) {
      try {
        const body = await this.#rest.get(this.#exchange.metadataRequest());
        return this.#exchange.readMetadata(Buffer.from(body).toString("utf8"));
      } catch (error) {
        if (!(error instanceof ConnectionError || error instanceof DecodeError)) {
          throw error;
        }
        report({ level: "warn", text: `The instrument list is not there (attempt ${attempt}): ${error.message}` });
        await this.#pause(limits.reconnectBaseMs * attempt);
      }
    }
    if (!this.#hasStopped) {
      report({ level: "warn", text: "Going on without the instrument list: decimals come from the first books" });
    }
    return undefined;
  }

  /** Waits on the collector's own clock. */
  #pause(ms: number): Promise<void> {
    const until = this.#options.clock.now() / 1e6 + ms;
    return new Promise((resolve) => {
      this.#wake = () => {
        if (this.#options.clock.now() / 1e6 >= until) {
          this.#wake = undefined;
          resolve();
        }
      };
    });
  }

  #announce(metadata: Metadata): void {
    const { instruments, clock } = this.#options;
    const listed = new Map(metadata.instruments.map((instrument) => [instrument.canonical, instrument]));
    for (const canonical of instruments) {
      const found = listed.get(canonical);
      if (found === undefined) {
        const { title } = this.#exchange.header;
        throw new ConfigError(
          `Cannot collect from ${title}: it lists no such instrument${nearestHint(canonical, listed.keys())}, was ${canonical}`,
        );
      }
      this.#sync.instrument(found.native)?.block.announce(found, clock.now());
    }
  }
}
