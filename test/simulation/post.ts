/**
 * The post of one exchange's collector, as the supervisor keeps it: a worker that lives, may hang or crash, is found by
 * its stale heartbeat, and is followed by another over a fresh range and epoch with a kernel of its own.
 * Bad case: a worker that hangs in the midst of a batch; its records stay unpublished and its successor knows nothing of it.
 */
import type { CONFIG_SCHEMA } from "../../src/config/schema.ts";
import type { VirtualClock } from "../../src/emulator/virtual_clock.ts";
import { EXCHANGES } from "../../src/exchanges/mod.ts";
import { Collector, type CollectorOptions } from "../../src/feed/collector.ts";
import type { KernelName } from "../../src/kernel/kernel.ts";
import { loadKernel } from "../../src/kernel/load.ts";
import type { ExchangeId } from "../../src/model/exchange_id.ts";
import type { MemoryMap, MemoryRange } from "../../src/segment/memory_map.ts";
import { abandonSegment, readHeartbeat, type SegmentConfig, segmentBytes } from "../../src/segment/writer.ts";
import { fetchOf, Life, type NetworkOptions, socketsOf } from "./sloppy_socket.ts";

type Config = ReturnType<(typeof CONFIG_SCHEMA)["parse"]>;

/** What a post is made of. */
export type PostOptions = {
  readonly exchange: ExchangeId;
  readonly config: Config;
  readonly instruments: readonly string[];
  readonly map: MemoryMap;
  readonly kernelName: KernelName;
  readonly kernelModule: WebAssembly.Module;
  readonly segmentConfig: SegmentConfig;
  readonly clock: VirtualClock;
  /** Wall time minus the clock's, ms: it is set now and then. */
  readonly wallStepMs: () => number;
  readonly random: () => number;
  readonly network: Omit<NetworkOptions, "random">;
  readonly report: (text: string) => void;
  /** A worker has begun, over a segment. */
  readonly onLive: (worker: Worker) => void;
  /** A worker is known to be dead: its segment counts no more. */
  readonly onEnded: (worker: Worker) => void;
};

/** One worker. */
export type Worker = {
  readonly life: Life;
  readonly collector: Collector;
  readonly range: MemoryRange;
  readonly arenaBytes: () => number;
  readonly startedMs: number;
};

const ARENA_BYTES = 24 << 20;
const FRAME_BYTES = 1 << 20;
const TICK_MS = 100;
const CHECK_MS = 1000;
const STALE_MS = 5000;
const QUARANTINE_MS = 3000;
/** A worker's books are there, and were replaced once or twice. */
const SETTLED_MS = 60_000;

/** The post of one exchange. */
export class Post {
  readonly #options: PostOptions;
  readonly #arena: MemoryRange;
  readonly #frame: MemoryRange;
  #worker: Worker | undefined;
  #segment: { readonly address: number } | undefined;
  #beat = 0n;
  #beatMs = 0;
  #staleChecks = 0;
  #settledBytes = 0;
  #generation = 0;
  #isClosed = false;

  constructor(options: PostOptions) {
    const { map, exchange } = options;
    this.#options = options;
    this.#arena = map.reserve(`arena of ${exchange}`, { bytes: ARENA_BYTES });
    this.#frame = map.reserve(`frame of ${exchange}`, { bytes: FRAME_BYTES });
  }

  /** What the worker's arena has grown by since its books were there. */
  get grownBytes(): number {
    return this.#worker === undefined || this.#settledBytes === 0 ? 0 : this.#worker.arenaBytes() - this.#settledBytes;
  }

  get worker(): Worker | undefined {
    return this.#worker;
  }

  /** The segment of the last worker that came, dead or alive; as the supervisor tells readers. */
  get segment(): { readonly address: number } | undefined {
    return this.#segment;
  }

  get exchange(): ExchangeId {
    return this.#options.exchange;
  }

  /** Starts the first worker and watches. */
  start(): void {
    this.#launch();
    this.#checkLater();
  }

  /** The worker stops in the midst of whatever it does. @param isKnown its thread ends, so that the supervisor sees it at once */
  kill({ isKnown }: { isKnown: boolean }): void {
    const worker = this.#worker;
    worker?.life.end();
    if (isKnown && worker !== undefined) {
      this.#end(worker);
    }
  }

  /** The world ends. */
  close(): void {
    this.#isClosed = true;
    this.#worker?.life.end();
  }

  #launch(): void {
    const { map, exchange, segmentConfig, clock, onLive, wallStepMs } = this.#options;
    this.#generation += 1;
    const range = map.reserve(`segment ${this.#generation} of ${exchange}`, { bytes: segmentBytes(segmentConfig) });
    const life = new Life();
    const startMs = clock.now();
    const anchorUs = BigInt(Math.round((startMs + wallStepMs()) * 1000));
    const options = this.#collectorOptions(life, { range, startMs, anchorNs: anchorUs * 1000n });
    const collector = new Collector(options);
    const arenaBytes = (): number => options.kernel.arenaUsed();
    const worker = { life, collector, range, arenaBytes, startedMs: startMs };
    this.#worker = worker;
    this.#beatMs = startMs;
    this.#beat = 0n;
    this.#staleChecks = 0;
    this.#settledBytes = 0;
    collector.tick();
    this.#tickLater(worker);
    this.#segment = { address: range.address };
    onLive(worker);
    life.requests += 1;
    void collector.start().finally(() => {
      life.requests -= life.isAlive ? 1 : 0;
    });
  }

  #collectorOptions(
    life: Life,
    { range, startMs, anchorNs }: { range: MemoryRange; startMs: number; anchorNs: bigint },
  ): CollectorOptions {
    const { exchange, config, instruments, map, kernelName, kernelModule, clock, random, report } = this.#options;
    const kernel = loadKernel({ name: kernelName, memory: map.memory, wasmBytes: kernelModule });
    kernel.arenaInit(this.#arena.address, this.#arena.bytes);
    const network = { ...this.#options.network, random };
    return {
      exchange: EXCHANGES[exchange],
      settings: config.exchanges[exchange],
      instruments,
      limits: config.collector,
      kernel,
      frame: { address: this.#frame.address, bytes: this.#frame.bytes },
      segment: { address: range.address, config: this.#options.segmentConfig },
      pid: 1,
      clock: {
        anchorNs,
        monotonicAnchorNs: BigInt(Math.round(startMs * 1000)) * 1000n,
        now: () => Math.round((clock.now() - startMs) * 1000) * 1000,
      },
      random,
      openSocket: socketsOf(life, network),
      fetch: fetchOf(life, network),
      setTimer: (task: () => void, ms: number) => clock.setTimer(life.guard(task), ms),
      defer: (task) => {
        clock.setTimer(life.guard(task), random() < 0.7 ? 0 : 1);
      },
      report: ({ level, text, native }) => report(`${exchange} ${native ?? ""} ${level}: ${text}`),
    } as CollectorOptions;
  }

  #tickLater({ life, collector }: Worker): void {
    const tick = life.guard(() => {
      collector.tick();
      this.#options.clock.setTimer(tick, TICK_MS);
    });
    this.#options.clock.setTimer(tick, TICK_MS);
  }

  /** Looks at the heartbeat, as the supervisor does. */
  #checkLater(): void {
    this.#options.clock.setTimer(() => {
      if (!this.#isClosed) {
        this.#check();
        this.#checkLater();
      }
    }, CHECK_MS);
  }

  #check(): void {
    const worker = this.#worker;
    if (worker === undefined) {
      return;
    }
    const { clock, map } = this.#options;
    if (this.#settledBytes === 0 && clock.now() - worker.startedMs > SETTLED_MS) {
      this.#settledBytes = worker.arenaBytes();
    }
    const beat = readHeartbeat(map.memory.buffer, worker.collector.segment);
    if (beat !== this.#beat) {
      this.#beat = beat;
      this.#beatMs = clock.now();
    }
    this.#staleChecks = clock.now() - this.#beatMs > STALE_MS ? this.#staleChecks + 1 : 0;
    if (this.#staleChecks >= 2) {
      worker.life.end();
      this.#end(worker);
    }
  }

  #end(worker: Worker): void {
    const { map, clock, onEnded, random } = this.#options;
    this.#worker = undefined;
    abandonSegment(map.memory.buffer, worker.collector.segment);
    onEnded(worker);
    clock.setTimer(() => map.release(worker.range), QUARANTINE_MS);
    clock.setTimer(
      () => {
        if (!this.#isClosed) {
          this.#launch();
        }
      },
      QUARANTINE_MS / 10 + random() * 500,
    );
  }
}
