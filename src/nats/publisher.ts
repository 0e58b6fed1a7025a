/**
 * Publishes the segments of a directory: a reader like any other, so that the collector's hot path never knows of the
 * broker. The ring is the buffer: what the broker has not stored yet is read from there again after a reconnect, and what
 * the ring has forgotten by then is counted and followed by whole books. No turn begins while more than `windowBytes` are
 * under way; the last message of each turn is acknowledged by the stream, and since a connection keeps the order, that
 * stands for all before. Beats say that the collector lives, and promise that what its ring held is stored: when that has
 * not been so for `staleMs` they promise nothing, and its books count for nothing elsewhere, even if the broker answers.
 * Bad case: a broker that is away for longer than the ring lasts.
 */
import { randomBytes } from "node:crypto";
import type { Subscription } from "@nats-io/transport-node";
import { HEADER_DELTA_TAIL } from "../../assembly/layout.ts";
import { type Attachment, CommonSleep, type Libc, loadLibc, SegmentFollower } from "../mapping/mod.ts";
import { type Figures, PUBLISHER_COUNTS, zeroFigures } from "../model/broker_figures.ts";
import { MEMORY_BYTES_MAX, MemoryMap } from "../segment/memory_map.ts";
import { type Broker, closeBroker, ensureStreams, type NatsConfig, type NatsLog, openBroker } from "./broker.ts";
import { CaughtUp } from "./caught_up.ts";
import { ConnectionWatch } from "./connection_watch.ts";
import { beatSubject, encodeMessage, KINDS, NO_PROMISE, parseSubject, STREAMS } from "./message.ts";
import { type Outgoing, PublishedSegment, type RingPosition } from "./published_segment.ts";
import { encodeFigures } from "./publisher_figures.ts";
import { Workspace, type WorkspaceOptions } from "./workspace.ts";

/** How to publish. */
export type PublisherOptions = {
  readonly config: NatsConfig;
  readonly directory: string;
  readonly isExplicit: boolean;
  readonly exchange: string;
  /** Only this segment, e.g. `kraken.1of2`. */
  readonly segment: string;
  readonly kernel: WorkspaceOptions["kernel"];
  readonly kernelModule?: WebAssembly.Module | undefined;
  readonly log: NatsLog;
};

/** What was published. */
export type PublisherCounts = Figures<typeof PUBLISHER_COUNTS>;

const LOOK_MS = 100;
const PARK_MS = 50;
const RETRY_MS = 250;
const SNAPSHOT_BYTES_PER_TURN = 1024 * 1024;

/**
 * Connects and publishes until it is closed.
 * @throws ConnectionError when the broker cannot be used at the start; later it is waited for
 */
export async function startPublisher(options: PublisherOptions): Promise<NatsPublisher> {
  const { config, exchange, log } = options;
  const libc = await loadLibc();
  const broker = await openBroker(config, { urls: config.publish, name: `alphapulse collect ${exchange}`, log });
  return new NatsPublisher(options, libc, broker);
}

type Live = {
  readonly attachment: Attachment;
  readonly segment: PublishedSegment;
  readonly caughtUp: CaughtUp;
  /** Up to where the broker has stored it. */
  confirmed: RingPosition;
};

/** Publishes one collector's segment. Thread: one. */
export class NatsPublisher {
  readonly counts: PublisherCounts = zeroFigures(PUBLISHER_COUNTS);
  /** Of this life of the collector. */
  readonly source = randomBytes(8).readBigUInt64LE();
  readonly #options: PublisherOptions;
  readonly #broker: Broker;
  readonly #follower: SegmentFollower;
  readonly #workspace: Workspace;
  readonly #sleep: CommonSleep;
  readonly #wants: Subscription;
  readonly #beats: NodeJS.Timeout;
  readonly #ended: Promise<void>;
  #live: Live | undefined;
  #lookedAtMs = Number.NEGATIVE_INFINITY;
  readonly #connection: ConnectionWatch;
  #mustRecover = false;
  /** The broker refused: it is not asked again before that. */
  #resumesAtMs = Number.NEGATIVE_INFINITY;
  #isClosed = false;
  /** Grows when what is under way counts for nothing. */
  #life = 0;
  /** Bytes. */
  #underWay = 0;
  /** Position of the last stored record in the stream of deltas; who has not read so far knows nothing of us yet. */
  #stored: number;
  #lostBefore = { deltas: 0, trades: 0 };
  #wake: (() => void) | undefined;

  constructor(options: PublisherOptions, libc: Libc, broker: Broker) {
    this.#options = options;
    this.#broker = broker;
    this.#stored = broker.lastSequence;
    const map = new MemoryMap(MEMORY_BYTES_MAX);
    const { directory, isExplicit, exchange, config } = options;
    this.#follower = new SegmentFollower({ libc, map, directory, isExplicit, exchange });
    this.#workspace = new Workspace(map, { ...options, arenaBytes: config.arenaBytes, name: "arena of the publisher" });
    this.#sleep = new CommonSleep(libc, {
      memory: map.memory,
      readersOf: (address) => this.#follower.attachments.find(({ view }) => view.address === address)?.readers ?? 0,
    });
    this.#wants = broker.connection.subscribe(`alphapulse.v1.${exchange}.*.want`, {
      callback: (_, message) => this.#live?.segment.want(parseSubject(message.subject)?.symbol ?? ""),
    });
    this.#beats = setInterval(() => this.#beat(), config.beatMs);
    this.#connection = new ConnectionWatch(broker.connection, {
      log: options.log,
      awayText: "The broker is away: the ring keeps what is not stored yet",
      away: () => this.#fail(),
      back: () => this.#wake?.(),
    });
    this.#ended = this.#run();
  }

  /** Stops, after what was read has been stored, at most so long. */
  async close(patienceMs = 300): Promise<void> {
    this.#isClosed = true;
    clearInterval(this.#beats);
    this.#wants.unsubscribe();
    this.#wake?.();
    const patience = new Promise<void>((resolve) => {
      setTimeout(resolve, patienceMs).unref();
    });
    await Promise.race([this.#ended, patience]);
    await closeBroker(this.#broker, patienceMs);
    this.#follower.close();
  }

  async #run(): Promise<void> {
    while (!this.#isClosed) {
      try {
        await this.#turn();
      } catch (error) {
        this.#options.log.error(`Cannot publish: ${error instanceof Error ? error.message : String(error)}`);
        this.#fail();
        await this.#pause(RETRY_MS);
      }
    }
  }

  async #turn(): Promise<void> {
    this.#look();
    const mustWait = performance.now() < this.#resumesAtMs;
    if (!this.#connection.isConnected || this.#live === undefined || mustWait) {
      await this.#pause(RETRY_MS);
      return;
    }
    if (this.#mustRecover && !(await this.#recover(this.#live))) {
      await this.#pause(RETRY_MS);
      return;
    }
    if (this.#underWay > this.#options.config.windowBytes) {
      await this.#pause(PARK_MS);
      return;
    }
    const { segment } = this.#live;
    const waiting = this.#sleep.wait({ index: (segment.view.address + HEADER_DELTA_TAIL) >>> 2 }, PARK_MS);
    const isBusy = this.#publish(this.#live);
    await (isBusy ? new Promise<void>((resolve) => setImmediate(resolve)) : waiting.value);
  }

  /** @returns whether there was anything */
  #publish(live: Live): boolean {
    const { config } = this.#options;
    const { segment } = live;
    const before = segment.position;
    const messages = segment.poll();
    this.#countRecords(segment.position, before);
    this.#send(live, messages);
    const snapshots = segment.snapshots({
      bound: BigInt(this.#stored),
      bytesMax: SNAPSHOT_BYTES_PER_TURN,
      payloadMax: this.#broker.payloadMax,
      periodMs: config.snapshotMs,
      nowMs: performance.now(),
    });
    for (const message of snapshots) {
      this.counts.snapshots += 1;
      this.#acknowledged([message], { onStored: () => undefined });
    }
    this.#countLost(segment);
    return messages.length + snapshots.length > 0;
  }

  #send(live: Live, messages: readonly Outgoing[]): void {
    const position = live.segment.position;
    if (messages.length > 0) {
      this.#acknowledged(messages, {
        onStored: (sequence) => {
          live.confirmed = position;
          this.#stored = sequence;
        },
      });
    } else if (this.#underWay === 0) {
      // What was read makes no message: the ring overtook us, or it names nothing that is known.
      live.confirmed = position;
    }
  }

  /** Publishes and waits, beside everything else, until the stream has the last one, and so all of them. */
  #acknowledged(messages: readonly Outgoing[], { onStored }: { onStored: (sequence: number) => void }): void {
    const life = this.#life;
    const bytes = messages.reduce((sum, { payload }) => sum + payload.length, 0);
    this.counts.messages += messages.length;
    this.counts.bytes += bytes;
    this.#underWay += bytes;
    messages.forEach(({ subject, payload }, index) => {
      if (index < messages.length - 1) {
        this.#broker.connection.publish(subject, payload);
        return;
      }
      this.#broker.jetstream.publish(subject, payload).then(
        ({ seq }) => {
          if (life === this.#life) {
            this.#underWay -= bytes;
            onStored(seq);
            this.#wake?.();
          }
        },
        (error: unknown) => {
          if (life === this.#life) {
            this.#refused(error);
          }
        },
      );
    });
  }

  #countRecords(position: RingPosition, before: RingPosition): void {
    this.counts.deltas += position.deltas - before.deltas;
    this.counts.trades += position.trades - before.trades;
  }

  #countLost({ lost }: PublishedSegment): void {
    if (lost.deltas > this.#lostBefore.deltas || lost.trades > this.#lostBefore.trades) {
      const [deltas, trades] = [lost.deltas - this.#lostBefore.deltas, lost.trades - this.#lostBefore.trades];
      this.counts.lostDeltas += deltas;
      this.counts.lostTrades += trades;
      this.#lostBefore = { ...lost };
      this.#options.log.warn(
        `Cannot publish everything: the ring overtook the broker, whole books follow, was ${deltas} deltas and ${trades} trades lost`,
      );
    }
  }

  /** The broker answers and does not store: it is asked again, but not at once. */
  #refused(error: unknown): void {
    const reason = error instanceof Error ? error.message : String(error);
    this.#options.log.warn(`Cannot publish: the broker does not store it: ${reason}`);
    this.#resumesAtMs = performance.now() + RETRY_MS;
    this.#fail();
  }

  /** What is under way may be lost: it is read from the ring again. */
  #fail(): void {
    this.#life += 1;
    this.#underWay = 0;
    this.#mustRecover = true;
  }

  async #recover(live: Live): Promise<boolean> {
    const life = this.#life;
    try {
      await ensureStreams(this.#broker.manager, this.#options.config);
      const { state } = await this.#broker.manager.streams.info(STREAMS.records.name);
      this.#stored = Math.min(this.#stored, state.last_seq);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.#options.log.warn(`Cannot publish yet: ${reason}`);
      return false;
    }
    if (life !== this.#life) {
      return false;
    }
    this.#mustRecover = false;
    this.counts.rewinds += 1;
    live.segment.rewind(live.confirmed);
    live.segment.want();
    return true;
  }

  #look(): void {
    const now = performance.now();
    if (now - this.#lookedAtMs < LOOK_MS) {
      return;
    }
    this.#lookedAtMs = now;
    this.#follower.look();
    const attachment = this.#follower.attachments.find(({ file }) => file.name === this.#options.segment);
    if (attachment === this.#live?.attachment) {
      return;
    }
    this.#live?.segment.close();
    this.#live = undefined;
    this.#lostBefore = { deltas: 0, trades: 0 };
    if (attachment !== undefined) {
      const segment = new PublishedSegment(this.#workspace, { view: attachment.view, source: this.source });
      const caughtUp = new CaughtUp(performance.now());
      this.#live = { attachment, segment, caughtUp, confirmed: segment.position };
    }
  }

  #beat(): void {
    const live = this.#live;
    if (live === undefined || !this.#connection.isConnected || this.#follower.condition(live.attachment) !== "live") {
      return;
    }
    const { exchange, epoch } = live.segment.view.header;
    const { attempts, reconnects } = this.#connection.counts;
    const payload = encodeMessage(
      {
        kind: KINDS.beat,
        source: this.source,
        epoch,
        instrumentId: 0,
        count: 0,
        bound: this.#isBehind(live) ? NO_PROMISE : BigInt(this.#stored),
        parts: 0,
      },
      [encodeFigures({ ...this.counts, attempts, reconnects, underWay: this.#underWay })],
    );
    this.#broker.connection.publish(beatSubject(exchange), payload);
  }

  /** Too much of what the ring held is not stored, or it is not known how much. */
  #isBehind({ segment, caughtUp, confirmed }: Live): boolean {
    const { deltaTail: deltas, tradeTail: trades } = segment.view;
    const behindMs = caughtUp.look({ tail: { deltas, trades }, stored: confirmed, nowMs: performance.now() });
    return this.#mustRecover || behindMs > this.#options.config.staleMs;
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
