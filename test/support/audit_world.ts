/**
 * Collectors with their audits on the emulator in memory, on virtual time; levels are made wrong on purpose, and every
 * audit's verdict is held against what was made wrong. A wrong level ends in one of three ways: an audit finds it, another
 * rule does, or the exchange names the level again and thereby mends it.
 * Bad case: a world that is not turned between two steps; REST answers settle in microtasks.
 */
import {
  AUDIT_MISMATCH,
  COUNTER_AUDIT_FAILURES,
  COUNTER_AUDIT_MISMATCHES,
  COUNTER_AUDITS,
  COUNTER_AUDITS_INCONCLUSIVE,
  COUNTER_FRAMES,
  COUNTER_RESYNCS,
  INSTRUMENT_BOOK,
  LEVEL_BYTES,
  LEVEL_PRICE,
  LEVEL_QUANTITY,
  STATE_SYNCED,
  WATCH_COMPARED,
} from "../../assembly/layout.ts";
import { readAsset } from "../../src/assets.ts";
import { loadConfig } from "../../src/config/mod.ts";
import type { MarketBook } from "../../src/emulator/market_book.ts";
import {
  DEFAULT_INSTRUMENTS,
  type InMemoryEmulator,
  type InMemoryOptions,
  type MarketInstrument,
  parseFaultScript,
  startInMemory,
  VirtualClock,
} from "../../src/emulator/mod.ts";
import { EXCHANGES } from "../../src/exchanges/mod.ts";
import type { CorruptedLevel, Corruption } from "../../src/feed/auditor_corruption.ts";
import { Collector } from "../../src/feed/collector.ts";
import type { Kernel, KernelName } from "../../src/kernel/kernel.ts";
import { loadKernel } from "../../src/kernel/load.ts";
import type { ExchangeId } from "../../src/model/exchange_id.ts";
import { MemoryMap } from "../../src/segment/memory_map.ts";
import { type InstrumentEntry, SegmentView } from "../../src/segment/view.ts";
import { segmentBytes } from "../../src/segment/writer.ts";
import { trueLevels } from "./audit_truth.ts";
import { SeededRandom } from "./seeded_random.ts";

const MIB = 1024 * 1024;
const START_MS = 1_780_000_000_000;
const TICK_MS = 100;
const WALK_LEVELS = 1024;
/** REST settles between two of these. */
const TURN_MS = 20;
const QUOTES = ["USD", "EUR", "GBP", "CAD"] as const;
const QUOTES_OF_BINANCE = ["USDT", "EUR", "GBP", "TRY"] as const;

/** How to start a world. */
export type AuditWorldOptions = {
  readonly exchange: ExchangeId;
  /** At most twelve. */
  readonly books: number;
  /** Levels of each book. */
  readonly levels: number;
  /** Factor on the market's event rates. */
  readonly rate: number;
  readonly seed: number;
  readonly kernelName?: KernelName;
  readonly depth?: number;
  readonly periodMs?: number;
  /** The faults of a script, as in a file. */
  readonly faults?: readonly Record<string, unknown>[];
  readonly delayMs?: InMemoryOptions["delayMs"];
};

/** A level that was made wrong, and what became of it. */
export type Planted = CorruptedLevel & {
  readonly native: string;
  readonly atMs: number;
  end: "open" | "audit" | "other_rule" | "mended" | "missed";
  /** ms until it ended. */
  afterMs: number;
};

/** What a comparison costs. */
export type AuditCost = {
  readonly bodyBytes: number;
  /** Prices compared. */
  readonly levels: number;
  /** Mean time on the processor; the others are wall time. */
  readonly cpuMs: number;
  readonly minMs: number;
  readonly maxMs: number;
};

/** One exchange with its collector. */
export class AuditWorld {
  readonly planted: Planted[] = [];
  /** Mismatches of books in which nothing was wrong. */
  readonly falseAlarms: string[] = [];
  readonly clock: VirtualClock;
  readonly emulator: InMemoryEmulator;
  readonly collector: Collector;
  readonly view: SegmentView;
  readonly kernel: Kernel;
  readonly reports: string[] = [];
  /** The emulator's own books by native name. */
  readonly truth: ReadonlyMap<string, MarketBook>;
  readonly #exchange: ExchangeId;
  readonly #memory: DataView;
  readonly #scratch: number;
  readonly #random: SeededRandom;
  readonly #auditedAt = new Map<string, bigint>();

  /** Started by `start`. */
  constructor(
    options: AuditWorldOptions,
    {
      clock,
      emulator,
      truth,
    }: { clock: VirtualClock; emulator: InMemoryEmulator; truth: ReadonlyMap<string, MarketBook> },
  ) {
    const { exchange, kernelName = "wasm", seed } = options;
    this.clock = clock;
    this.emulator = emulator;
    this.truth = truth;
    this.#exchange = exchange;
    this.#random = new SeededRandom(seed + 1);
    const map = new MemoryMap(256 * MIB);
    this.kernel = loadKernel({
      name: kernelName,
      memory: map.memory,
      ...(kernelName === "wasm" ? { wasmBytes: readAsset("kernel.wasm") } : {}),
    });
    const arena = map.reserve("arena", { bytes: 96 * MIB });
    this.kernel.arenaInit(arena.address, arena.bytes);
    this.#memory = new DataView(map.memory.buffer);
    this.collector = this.#makeCollector(options, map);
    this.view = new SegmentView(map.memory.buffer, this.collector.segment.address);
    this.#scratch = this.kernel.arenaAllocate(WALK_LEVELS * LEVEL_BYTES);
  }

  /** Starts the emulator and the collector; the first books are there after a second. */
  static async start(options: AuditWorldOptions): Promise<AuditWorld> {
    const { exchange, rate, seed, faults, delayMs } = options;
    const clock = new VirtualClock(START_MS);
    const truth = new Map<string, MarketBook>();
    const emulator = await startInMemory({
      exchanges: [exchange],
      source: { kind: "market", rate, instruments: instrumentsOf(options) },
      seed,
      clock,
      truthEvents: 400,
      onEvent: (book) => truth.set(book.instrument.native, book),
      ...(delayMs === undefined ? {} : { delayMs }),
      ...(faults === undefined ? {} : { faults: parseFaultScript({ fault: faults }) }),
    });
    const world = new AuditWorld(options, { clock, emulator, truth });
    const started = world.collector.start();
    await world.run(1000);
    await started;
    return world;
  }

  /** Lets time pass. */
  async run(ms: number): Promise<void> {
    const endMs = this.clock.now() + ms;
    while (this.clock.now() < endMs) {
      for (let passed = 0; passed < TICK_MS; passed += TURN_MS) {
        this.clock.advance(TURN_MS);
        await turn();
      }
      this.collector.tick();
      this.#judge();
    }
  }

  /** Makes a random level of a random synced book wrong, unless another one of that book is still open. */
  plant(): Planted | undefined {
    const open = new Set(this.planted.filter(({ end }) => end === "open").map(({ native }) => native));
    const entries = this.entries().filter(({ state, native }) => state === STATE_SYNCED && !open.has(native));
    return entries.length === 0 ? undefined : this.plantIn(this.#random.pick(entries).native);
  }

  /** Makes a level of a book wrong. */
  plantIn(native: string, chosen?: Corruption): Planted | undefined {
    const corrupted = this.collector.corruptLevel(native, chosen);
    if (corrupted === undefined) {
      return undefined;
    }
    const planted: Planted = { ...corrupted, native, atMs: this.clock.now(), end: "open", afterMs: 0 };
    this.planted.push(planted);
    return planted;
  }

  /** Table entries in use. */
  entries(): InstrumentEntry[] {
    return this.view.instruments().filter(({ retiredTo }) => retiredTo === 0);
  }

  /** A side of a book as the collector holds it: lots by ticks. */
  levels(native: string, side: number): Map<bigint, bigint> {
    const levels = new Map<bigint, bigint>();
    const book = this.#book(native);
    for (let count = WALK_LEVELS; count === WALK_LEVELS; ) {
      count = this.kernel.bookWalk(book, side, levels.size, WALK_LEVELS, this.#scratch);
      for (let at = this.#scratch; at < this.#scratch + count * LEVEL_BYTES; at += LEVEL_BYTES) {
        const quantity = this.#memory.getBigInt64(at + LEVEL_QUANTITY, true);
        levels.set(this.#memory.getBigInt64(at + LEVEL_PRICE, true), quantity);
      }
    }
    return levels;
  }

  /** What the collector counted. */
  counts(): Record<"audits" | "mismatches" | "inconclusive" | "failures" | "resyncs" | "frames", number> {
    const { view } = this;
    return {
      audits: view.counter(COUNTER_AUDITS),
      mismatches: view.counter(COUNTER_AUDIT_MISMATCHES),
      inconclusive: view.counter(COUNTER_AUDITS_INCONCLUSIVE),
      failures: view.counter(COUNTER_AUDIT_FAILURES),
      resyncs: view.counter(COUNTER_RESYNCS),
      frames: view.counter(COUNTER_FRAMES),
    };
  }

  /** The wrong levels by how they ended. */
  ends(): Record<Planted["end"], number> {
    const ends = { open: 0, audit: 0, other_rule: 0, mended: 0, missed: 0 };
    for (const { end } of this.planted) {
      ends[end] += 1;
    }
    return ends;
  }

  /**
   * How long one comparison with a REST body takes the producer's thread.
   * @param path of the REST request
   */
  async measure(native: string, path: string, rounds: number): Promise<AuditCost> {
    const { rest } = this.emulator.endpoints[this.#exchange];
    const asked = this.emulator.fetch(rest + path);
    await this.run(TICK_MS);
    const body = new Uint8Array(await (await asked).arrayBuffer());
    const address = this.kernel.arenaAllocate(body.length);
    const watch = this.kernel.watchCreate(this.#block(native));
    this.kernel.watchOpen(watch);
    const compare = () => {
      const started = performance.now();
      new Uint8Array(this.#memory.buffer, address, body.length).set(body);
      this.kernel.auditCompare(watch, address, body.length);
      return performance.now() - started;
    };
    Array.from({ length: rounds }, compare);
    const cpu = process.cpuUsage();
    const times = Array.from({ length: rounds }, compare);
    const { user } = process.cpuUsage(cpu);
    this.kernel.watchClose(watch);
    const levels = this.#memory.getUint32(watch + WATCH_COMPARED, true);
    const [cpuMs, minMs, maxMs] = [user / 1000 / rounds, Math.min(...times), Math.max(...times)].map(rounded);
    return { bodyBytes: body.length, levels, cpuMs: cpuMs ?? 0, minMs: minMs ?? 0, maxMs: maxMs ?? 0 };
  }

  /** Ends everything. */
  async stop(): Promise<void> {
    await this.collector.stop();
    this.emulator.close();
  }

  #makeCollector(options: AuditWorldOptions, map: MemoryMap): Collector {
    const { exchange, books, depth, periodMs } = options;
    const config = loadConfig({});
    const { emulator, clock } = this;
    const { websocket, rest } = emulator.endpoints[exchange];
    const settings = {
      ...config.exchanges[exchange],
      websocketUrls: [websocket],
      restUrl: rest,
      imageLevels: 8192,
      ...(depth === undefined ? {} : { depth }),
    };
    const segment = {
      instrumentCapacity: 8 * books,
      deltaCapacity: 16_384,
      tradeCapacity: 1024,
      imageAreaBytes: 64 * MIB,
    };
    return new Collector({
      exchange: EXCHANGES[exchange],
      settings,
      instruments: instrumentsOf(options).map(({ base, quote }) => `${base}-${quote}`),
      limits: { ...config.collector, ...(periodMs === undefined ? {} : { auditPeriodMs: periodMs }) },
      kernel: this.kernel,
      frame: map.reserve("frame", { bytes: 4 * MIB }),
      segment: { address: map.reserve("segment", { bytes: segmentBytes(segment) }).address, config: segment },
      pid: 1,
      clock: {
        anchorNs: BigInt(START_MS) * 1_000_000n,
        monotonicAnchorNs: 0n,
        now: () => Math.floor((clock.now() - START_MS) * 1000) * 1000,
      },
      random: () => this.#random.next() / 2 ** 32,
      openSocket: (url, handlers, limits) => emulator.openSocket(url, handlers, limits),
      fetch: (url, request) => emulator.fetch(url, request),
      setTimer: clock.setTimer,
      defer: queueMicrotask,
      report: ({ text, native }) => this.reports.push(`${native ?? ""} ${text}`),
    });
  }

  #judge(): void {
    for (const entry of this.entries()) {
      const { native, auditedAtNs, auditOutcome, state } = entry;
      const open = this.planted.find((planted) => planted.native === native && planted.end === "open");
      const isFresh = auditedAtNs !== (this.#auditedAt.get(native) ?? 0n);
      this.#auditedAt.set(native, auditedAtNs);
      if (isFresh && auditOutcome === AUDIT_MISMATCH) {
        if (open === undefined) {
          this.falseAlarms.push(`${native} at ${this.clock.now() - START_MS} ms`);
        } else {
          this.#end(open, "audit");
        }
      } else if (open !== undefined && state !== STATE_SYNCED) {
        this.#end(open, "other_rule");
      } else if (open !== undefined && this.clock.now() - open.atMs > entry.auditPeriodMs) {
        this.#end(open, this.#isStillWrong(open, entry) ? "missed" : "mended");
      }
    }
  }

  #end(planted: Planted, end: Planted["end"]): void {
    planted.end = end;
    planted.afterMs = this.clock.now() - planted.atMs;
  }

  #isStillWrong({ native, side, price, after }: Planted, entry: InstrumentEntry): boolean {
    const book = this.truth.get(native);
    const isHeld = (this.levels(native, side).get(price) ?? 0n) === after;
    return isHeld && (book === undefined || (trueLevels(book, entry, side).get(price) ?? 0n) !== after);
  }

  #block(native: string): number {
    const bytes = new TextEncoder().encode(native);
    new Uint8Array(this.#memory.buffer, this.#scratch, bytes.length).set(bytes);
    return this.kernel.instrumentFind(this.#scratch, bytes.length);
  }

  #book(native: string): number {
    return this.#memory.getUint32(this.#block(native) + INSTRUMENT_BOOK, true);
  }
}

/** The first books of an exchange: its own instruments against several currencies. */
function instrumentsOf({ exchange, books, levels }: AuditWorldOptions): MarketInstrument[] {
  const own = DEFAULT_INSTRUMENTS.filter((instrument) => instrument.exchange === exchange);
  const quotes = exchange === "binance" ? QUOTES_OF_BINANCE : QUOTES;
  return quotes
    .flatMap((quote) =>
      own.map((instrument) => ({
        ...instrument,
        native: instrument.native.replace(/USDT?$/, quote),
        quote,
        levels,
      })),
    )
    .slice(0, books);
}

function turn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

function rounded(ms: number): number {
  return Math.round(ms * 100) / 100;
}
