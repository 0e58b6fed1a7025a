/**
 * Reads everything from the broker and gives each exchange its local segment. Two ordered reads: the last snapshots, then
 * all records from the position on behind which those snapshots stand. A read that ends or stays silent is begun again
 * behind the last position, so that what the broker kept is not lost; what it did not keep is noticed by positions that
 * jump, by version chains and hashes, and repaired by snapshots that are asked for.
 * Bad case: the broker forgot its streams; positions count from the beginning, and everything is read from there.
 */
import { type ConsumerMessages, DeliverPolicy, type JsMsg } from "@nats-io/jetstream";
import type { Subscription } from "@nats-io/transport-node";
import { type Figures, RECEIVER_COUNTS, zeroFigures } from "../model/broker_figures.ts";
import { resolveExchangeId } from "../model/exchange_id.ts";
import type { MemoryMap } from "../segment/memory_map.ts";
import type { SegmentConfig } from "../segment/writer.ts";
import { type Broker, closeBroker, ensureStreams, type NatsConfig, type NatsLog, openBroker } from "./broker.ts";
import { type ConnectionCounts, ConnectionWatch } from "./connection_watch.ts";
import { ExchangeMerge } from "./exchange_merge.ts";
import { decodeMessage, KINDS, parseSubject, STREAMS, subjectOf } from "./message.ts";
import type { Workspace } from "./workspace.ts";

/** How to receive. */
export type ReceiverOptions = {
  readonly config: NatsConfig;
  readonly map: MemoryMap;
  readonly workspace: Workspace;
  /** Sizes of each local segment at the beginning. */
  readonly sizes: SegmentConfig;
  readonly log: NatsLog;
  /** Monotonic ms; default performance.now. */
  readonly nowMs?: () => number;
};

/** What can be said of the reading itself. */
export type ReceiverCounts = Figures<typeof RECEIVER_COUNTS>;

const LOOK_MS = 100;
const RETRY_MS = 250;
const WANTS_PER_LOOK = 64;
/** How long the broker may take to hand out the snapshots that it holds, before records are read all the same. */
const SNAPSHOTS_MS = 20_000;
const SNAPSHOTS_POLL_MS = 10;
const READ = { max_messages: 2000, expires: 5000, idle_heartbeat: 500 };

/**
 * Connects and reads until it is closed.
 * @throws ConnectionError when the broker cannot be used at the start; later it is waited for
 */
export async function startReceiver(options: ReceiverOptions): Promise<NatsReceiver> {
  const { config, log } = options;
  return new NatsReceiver(options, await openBroker(config, { urls: config.from, name: "alphapulse gateway", log }));
}

/** Reads from a broker. Thread: one, that of its workspace. */
export class NatsReceiver {
  readonly counts: ReceiverCounts = zeroFigures(RECEIVER_COUNTS);
  readonly #options: ReceiverOptions;
  readonly #broker: Broker;
  readonly #exchanges = new Map<string, ExchangeMerge>();
  readonly #beats: Subscription;
  readonly #timer: NodeJS.Timeout;
  readonly #wanted = new Set<string>();
  /** Exchanges for which there is no memory. */
  readonly #unfit = new Set<string>();
  readonly #reads = new Set<ConsumerMessages>();
  readonly #connection: ConnectionWatch;
  #reached = 0;
  #snapshotsReached = 0;
  #bound: number | undefined;
  #isWakePlanned = false;
  #isClosed = false;

  constructor(options: ReceiverOptions, broker: Broker) {
    this.#options = options;
    this.#broker = broker;
    this.#beats = broker.connection.subscribe("alphapulse.v1.*.beat", {
      callback: (error, message) => {
        if (error === null) {
          this.#beat(message.subject, message.data);
        }
      },
    });
    this.#timer = setInterval(() => this.#look(), LOOK_MS);
    this.#connection = new ConnectionWatch(broker.connection, {
      log: options.log,
      awayText: "The broker is away: books are shown as not synced until its records come again",
      away: () => undefined,
      back: () => this.#endReads(),
    });
    void this.#run();
  }

  /** The exchanges that were heard of. */
  get exchanges(): ExchangeMerge[] {
    return [...this.#exchanges.values()];
  }

  /** How it stands with the broker. */
  get connection(): ConnectionCounts & { readonly isConnected: boolean } {
    return { ...this.#connection.counts, isConnected: this.#connection.isConnected };
  }

  /** Messages that collectors which are heard say are stored and that were not read yet. */
  get lag(): number {
    return Math.max(0, ...this.exchanges.map(({ promised }) => promised - this.#reached));
  }

  /** Ends the connection; the segments stay as they are. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearInterval(this.#timer);
    this.#beats.unsubscribe();
    this.#endReads();
    await closeBroker(this.#broker, RETRY_MS);
  }

  /** A read that was under way may never notice that its consumer is gone. */
  #endReads(): void {
    for (const read of this.#reads) {
      read.stop();
    }
  }

  async #run(): Promise<void> {
    while (!this.#isClosed) {
      try {
        await ensureStreams(this.#broker.manager, this.#options.config);
        await this.#read();
      } catch (error) {
        if (!this.#isClosed) {
          const reason = error instanceof Error ? error.message : String(error);
          this.#options.log.warn(`Cannot read from the broker yet: ${reason}`);
        }
      }
      this.counts.restarts += this.#isClosed ? 0 : 1;
      await pause(RETRY_MS);
    }
  }

  /** Reads both streams until one of the reads ends. */
  async #read(): Promise<void> {
    const { manager } = this.#broker;
    const { state } = await manager.streams.info(STREAMS.records.name);
    if (state.last_seq < this.#reached) {
      // Another stream of the same name: nothing of the old one counts.
      this.#reached = 0;
      this.#forgetPromises();
    }
    const snapshots = await this.#begin(STREAMS.snapshots.name, { deliver_policy: DeliverPolicy.LastPerSubject });
    const ended = [this.#consume(snapshots, (message) => this.#takeSnapshot(message))];
    await this.#caughtUp();
    const from = this.#reached > 0 ? this.#reached + 1 : Math.max(1, Math.min(this.#bound ?? 0, state.last_seq) + 1);
    this.#reached = Math.max(this.#reached, from - 1);
    const start = { deliver_policy: DeliverPolicy.StartSequence, opt_start_seq: from };
    const records = await this.#begin(STREAMS.records.name, start);
    ended.push(this.#consume(records, (message) => this.#takeRecords(message)));
    await Promise.race(ended);
    for (const read of [snapshots, records]) {
      read.stop();
      this.#reads.delete(read);
    }
  }

  async #begin(
    stream: string,
    options: { deliver_policy: DeliverPolicy; opt_start_seq?: number },
  ): Promise<ConsumerMessages> {
    const consumer = await this.#broker.jetstream.consumers.get(stream, options);
    const read = await consumer.consume(READ);
    this.#reads.add(read);
    return read;
  }

  async #consume(read: ConsumerMessages, take: (message: JsMsg) => void): Promise<void> {
    for await (const message of read) {
      this.counts.messages += 1;
      this.counts.bytes += message.data.length;
      take(message);
    }
  }

  /** The snapshots that the broker held have come. */
  async #caughtUp(): Promise<void> {
    const { state } = await this.#broker.manager.streams.info(STREAMS.snapshots.name);
    const until = performance.now() + SNAPSHOTS_MS;
    while (this.#snapshotsReached < state.last_seq && state.messages > 0 && performance.now() < until) {
      await pause(SNAPSHOTS_POLL_MS);
    }
  }

  #takeSnapshot(message: JsMsg): void {
    this.#snapshotsReached = message.seq;
    const bound = this.#take(message);
    if (bound !== undefined) {
      this.#bound = Math.min(this.#bound ?? bound, bound);
    }
  }

  #takeRecords(message: JsMsg): void {
    if (message.seq !== this.#reached + 1) {
      this.counts.missed += Math.max(0, message.seq - this.#reached - 1);
      for (const exchange of this.#exchanges.values()) {
        for (const { symbol } of exchange.instruments) {
          this.#wanted.add(subjectOf(exchange.exchange, symbol, "want"));
        }
      }
    }
    this.#reached = message.seq;
    this.#take(message);
    for (const exchange of this.#exchanges.values()) {
      exchange.reach(message.seq);
    }
    this.#planWake();
  }

  /** @returns the bound that it tells */
  #take({ subject, data }: JsMsg): number | undefined {
    const topic = parseSubject(subject);
    const message = decodeMessage(data);
    const exchange = topic === undefined ? undefined : this.#exchange(topic.exchange);
    if (topic === undefined || typeof message === "string" || exchange === undefined) {
      this.counts.refused += 1;
      return undefined;
    }
    exchange.take(topic.symbol, message);
    this.#planWake();
    return Number(message.bound);
  }

  #beat(subject: string, data: Uint8Array): void {
    const name = /^alphapulse\.v1\.([a-z0-9_]{1,31})\.beat$/.exec(subject)?.[1];
    const message = decodeMessage(data);
    const exchange = name === undefined ? undefined : this.#exchange(name);
    if (exchange === undefined || typeof message === "string" || message.kind !== KINDS.beat) {
      this.counts.refused += 1;
      return;
    }
    exchange.beat(message, this.#reached);
  }

  #exchange(name: string): ExchangeMerge | undefined {
    const known = this.#exchanges.get(name);
    if (known !== undefined || this.#unfit.has(name) || resolveExchangeId(name) !== name) {
      return known;
    }
    const { map, workspace, config, sizes, log, nowMs = () => performance.now() } = this.#options;
    const want = (symbol: string) => this.#wanted.add(subjectOf(name, symbol, "want"));
    try {
      const exchange = new ExchangeMerge({ exchange: name, map, workspace, config, sizes, log, nowMs, want });
      this.#exchanges.set(name, exchange);
      return exchange;
    } catch (error) {
      if (!(error instanceof RangeError)) {
        throw error;
      }
      this.#unfit.add(name);
      log.error(`Cannot follow ${name}: ${error.message}`);
      return undefined;
    }
  }

  #look(): void {
    for (const exchange of this.#exchanges.values()) {
      exchange.look();
    }
    const wants = [...this.#wanted].slice(0, WANTS_PER_LOOK);
    for (const subject of wants) {
      this.#wanted.delete(subject);
      this.#broker.connection.publish(subject);
    }
  }

  /** Readers are woken once for everything that arrived in this turn of the event loop. */
  #planWake(): void {
    if (!this.#isWakePlanned) {
      this.#isWakePlanned = true;
      queueMicrotask(() => {
        this.#isWakePlanned = false;
        for (const exchange of this.#exchanges.values()) {
          exchange.wake();
        }
      });
    }
  }

  #forgetPromises(): void {
    this.#bound = undefined;
    for (const exchange of this.#exchanges.values()) {
      exchange.forgetPromises();
    }
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}
