/**
 * One world: from one seed a virtual clock, four exchanges with faults, a collector for each on a kernel of its own over
 * one shared memory, and the checker that holds all of it against the truth. One thread; nothing but the seed decides.
 * Bad case: REST answers settle in microtasks; while one is under way these run between any two steps of the clock.
 */
import { readAsset } from "../../src/assets.ts";
import { type FaultEntry, type InMemoryEmulator, parseFaultScript, startInMemory } from "../../src/emulator/mod.ts";
import { Random } from "../../src/emulator/random.ts";
import { VirtualClock } from "../../src/emulator/virtual_clock.ts";
import type { KernelName } from "../../src/kernel/kernel.ts";
import { EXCHANGE_IDS, type ExchangeId } from "../../src/model/exchange_id.ts";
import { MemoryMap } from "../../src/segment/memory_map.ts";
import type { SegmentConfig } from "../../src/segment/writer.ts";
import { Checker, keyOf } from "./checker.ts";
import { booksAskedIn, type Config, configOf } from "./collector_config.ts";
import { FaultLedger } from "./fault_ledger.ts";
import { type FaultPlan, planFaults } from "./fault_plan.ts";
import { namesOf, smallMarket } from "./instruments.ts";
import { Mishaps } from "./mishaps.ts";
import { Post } from "./post.ts";
import { Readers } from "./readers.ts";
import { count, emptyReport, type Report, type Violation } from "./report.ts";
import { Trace } from "./trace.ts";
import { type MarketBook, TruthLog } from "./truth_log.ts";

/** How to run a world. */
export type WorldOptions = {
  /** Shorter worlds for tests: nothing begins after this, ms. */
  readonly endMs?: number;
};

const START_MS = 1_780_000_000_000;
const MEMORY_BYTES = 512 << 20;
const TICK_MS = 100;
/** After the last fault: until everything must be right. */
const SETTLE_MS = 20_000;
const PATIENCE_MS = 150_000;
const LOOK_MS = 250;
/** Every so many worlds run on the twin. */
const WORLDS_PER_TWIN = 4;
/** Macrotasks that go by after the last request. */
const GRACE_TURNS = 3;
const VIOLATIONS_MAX = 12;
const TRACE_MS = 60_000;
const GROWTH_BYTES_MAX = 1 << 18;

let memory: MemoryMap | undefined;
let kernelModule: WebAssembly.Module | undefined;

/** Runs one world. */
export async function runWorld(seed: number, options: WorldOptions = {}): Promise<Report> {
  const world = new World(seed, options);
  await world.open();
  try {
    await world.run();
  } finally {
    world.close();
  }
  return world.report;
}

class World {
  readonly report: Report = emptyReport();
  readonly #seed: number;
  readonly #random: Random;
  readonly #clock = new VirtualClock(START_MS);
  readonly #trace = new Trace(this.#clock.now);
  readonly #plan: FaultPlan;
  readonly #config: Config;
  readonly #ledger: FaultLedger;
  readonly #map: MemoryMap;
  readonly #checker: Checker;
  readonly #kernelName: KernelName;
  readonly #segmentConfig: SegmentConfig;
  readonly #posts: Post[] = [];
  readonly #early: MarketBook[] = [];
  readonly #mishaps: Mishaps;
  #readers: Readers | undefined;
  #emulator: InMemoryEmulator | undefined;
  #graceTurns = 0;
  #steps = 0;

  constructor(seed: number, { endMs = Number.POSITIVE_INFINITY }: WorldOptions) {
    this.#seed = seed;
    this.#random = new Random(seed, "world");
    const plan = planFaults(seed);
    this.#plan = {
      rules: plan.rules.filter(({ at_ms: atMs }) => typeof atMs !== "number" || atMs < endMs),
      endMs: Math.min(plan.endMs, endMs),
    };
    this.#kernelName = seed % WORLDS_PER_TWIN === WORLDS_PER_TWIN - 1 ? "twin" : "wasm";
    this.#config = configOf(this.#random);
    const deltaCapacity = this.#random.pick([256, 256, 1024, 4096]);
    this.#segmentConfig = { instrumentCapacity: 64, deltaCapacity, tradeCapacity: 256, imageAreaBytes: 2 << 20 };
    const { exchanges, collector } = this.#config;
    const depths = Object.fromEntries(EXCHANGE_IDS.map((id) => [id, exchanges[id].depth])) as Record<
      ExchangeId,
      number
    >;
    this.#ledger = new FaultLedger(this.#plan.rules, { depths, limits: collector });
    this.#mishaps = new Mishaps(this.#random.fork("mishaps"), this.#plan.endMs);
    memory ??= new MemoryMap(MEMORY_BYTES);
    this.#map = memory;
    this.#checker = new Checker({
      ledger: this.#ledger,
      report: this.report,
      trace: this.#trace,
      buffer: memory.memory.buffer,
      now: this.#clock.now,
      startMs: START_MS,
      fail: (about, what, was) => this.#fail(about, what, was),
    });
  }

  async open(): Promise<void> {
    const delays = this.#random.fork("delays");
    const emulator = await startInMemory({
      exchanges: EXCHANGE_IDS,
      source: { kind: "market", rate: 1, instruments: smallMarket() },
      seed: this.#seed,
      truth: true,
      truthEvents: 4000,
      clock: this.#clock,
      delayMs: ({ by }) => (by === "rest" ? 5 + delays.below(60) : 1 + delays.below(delays.chance(0.1) ? 90 : 12)),
      faults: parseFaultScript({ fault: this.#plan.rules }),
      onFault: (entry) => this.#faultHappened(entry),
      onEvent: (book) => this.#truthMoved(book),
    });
    this.#emulator = emulator;
    for (const exchange of EXCHANGE_IDS) {
      for (const { native } of namesOf(exchange)) {
        const { bids, asks, updateId: sequence } = emulator.trueBook(exchange, native);
        const depth = exchange === "kraken" ? this.#config.exchanges.kraken.depth : 0;
        this.#checker.watch(new TruthLog({ exchange, native }, { depth, bids, asks, sequence }));
      }
    }
    for (const exchange of EXCHANGE_IDS) {
      this.#posts.push(this.#makePost(exchange, emulator));
    }
    this.#readers = new Readers({
      map: this.#map,
      kernelName: this.#kernelName,
      kernelModule: loadedModule(),
      clock: this.#clock,
      random: this.#random.fork("readers"),
      posts: this.#posts,
      checker: this.#checker,
      names: EXCHANGE_IDS.flatMap((exchange) => namesOf(exchange).map((name) => ({ exchange, ...name }))),
      note: (text) => this.#trace.note(text),
      fail: (about, what, was) => this.#fail(about, what, was),
    });
  }

  async run(): Promise<void> {
    for (const post of this.#posts) {
      post.start();
    }
    this.#readers?.start();
    this.#mishaps.start({
      clock: this.#clock,
      posts: this.#posts,
      died: (exchange, lastsMs) => this.#died(exchange, lastsMs),
      stepped: (ms) => this.#trace.note(`wall clock set by ${ms} ms`),
    });
    this.#tickLater();
    await this.#pass(this.#plan.endMs);
    this.#readers?.endFaults();
    await this.#pass(SETTLE_MS);
    const deadlineMs = this.#clock.now() + PATIENCE_MS;
    while (!this.#hasSettled() && this.#clock.now() < deadlineMs) {
      await this.#pass(LOOK_MS);
    }
    this.#finish();
  }

  close(): void {
    this.#readers?.close();
    for (const post of this.#posts) {
      post.close();
    }
    this.#emulator?.close();
    for (const range of this.#map.ranges) {
      this.#map.release(range);
    }
  }

  #makePost(exchange: ExchangeId, emulator: InMemoryEmulator): Post {
    const random = this.#random.fork(`collector:${exchange}`);
    const endpoint = emulator.endpoints[exchange];
    const config = {
      ...this.#config,
      exchanges: {
        ...this.#config.exchanges,
        [exchange]: {
          ...this.#config.exchanges[exchange],
          websocketUrls: [endpoint.websocket],
          restUrl: endpoint.rest,
        },
      },
    };
    return new Post({
      exchange,
      config,
      instruments: namesOf(exchange).map(({ canonical }) => canonical),
      map: this.#map,
      kernelName: this.#kernelName,
      kernelModule: loadedModule(),
      segmentConfig: this.#segmentConfig,
      clock: this.#clock,
      wallStepMs: () => this.#mishaps.wallStepMs,
      // In [0, 1): `unit` is above 0 and may be 1.
      random: () => 1 - random.unit(),
      network: {
        emulator,
        clock: this.#clock,
        onOpened: () => this.#opened(exchange),
        onSent: (text) => this.#sent(exchange, text),
        onFrame: (bytes) => {
          this.report.frames += 1;
          this.#trace.mix(bytes.length, bytes[bytes.length >> 1] ?? 0);
        },
        onRequest: (url) => this.#requested(exchange, url),
      },
      report: (text) => this.#trace.note(text),
      onLive: ({ collector }) => {
        this.#checker.attach(exchange, collector.segment.address);
        this.#readers?.attach(exchange, collector.segment.address);
      },
      onEnded: () => {
        this.#checker.detach(exchange);
        this.#readers?.detach(exchange);
      },
    });
  }

  async #pass(ms: number): Promise<void> {
    const clock = this.#clock;
    const endMs = clock.now() + ms;
    clock.setTimer(() => undefined, ms);
    while (clock.now() < endMs) {
      const wasAsking = this.#isAsking;
      clock.step();
      this.#steps += 1;
      this.#checker.poll();
      if (wasAsking || this.#isAsking) {
        this.#graceTurns = GRACE_TURNS;
      }
      if (this.#graceTurns > 0) {
        this.#graceTurns -= 1;
        await turn();
        this.#checker.poll();
      }
    }
  }

  get #isAsking(): boolean {
    return this.#posts.some(({ worker }) => (worker?.life.requests ?? 0) > 0);
  }

  #tickLater(): void {
    this.#clock.setTimer(() => {
      this.#checker.poll();
      this.#checker.tick();
      this.#tickLater();
    }, TICK_MS);
  }

  #hasSettled(): boolean {
    const areRight = [...this.#checker.checks.values()].every(({ isRight }) => isRight);
    return areRight && this.#readers?.missing().length === 0;
  }

  #died(exchange: ExchangeId, lastsMs: number): void {
    this.#ledger.death(exchange, this.#clock.now(), lastsMs);
    this.report.deaths += 1;
    this.#trace.note(`${exchange} its worker died`);
  }

  #finish(): void {
    const { report } = this;
    for (const check of this.#checker.checks.values()) {
      if (!check.isRight) {
        const was = { expected: "synced and right", found: check.describe() };
        this.#fail(check.book.log, "after the last fault every book becomes right", was);
      }
    }
    for (const found of this.#readers?.missing() ?? []) {
      const was = { expected: "what was published last", found };
      this.#fail({ exchange: "", native: "" }, "after the last fault everybody downstream holds the last book", was);
    }
    this.#readers?.addTo(report);
    this.#checkGrowth();
    report.audits = this.#checker.audits;
    report.seeds = 1;
    report.events = this.#trace.events + this.#steps;
    report.virtualSeconds = (this.#clock.now() - START_MS) / 1000;
    report.hash = this.#trace.hash;
  }

  /** Nothing may grow while a world goes on: books stay small, so memory and connections must. */
  #checkGrowth(): void {
    for (const { exchange, grownBytes } of this.#posts) {
      if (grownBytes > GROWTH_BYTES_MAX) {
        const was = { expected: `${GROWTH_BYTES_MAX} bytes or fewer`, found: `${grownBytes} bytes more in its arena` };
        this.#fail({ exchange, native: "" }, "a worker's memory does not grow", was);
      }
      const open = this.#emulator?.counts()[exchange]?.openConnections ?? 0;
      if (open > 1) {
        const was = { expected: "1 open connection", found: String(open) };
        this.#fail({ exchange, native: "" }, "connections that were replaced are closed", was);
      }
    }
  }

  #faultHappened(entry: FaultEntry): void {
    const { report } = this;
    const fault = this.#ledger.add(entry);
    count(report.faults, fault.kind);
    count(report.faultsByExchange, fault.exchange);
    count(report.coverage, `${fault.kind}@${fault.exchange}`);
    if (fault.class !== "harmless") {
      report.faultsByClass[fault.class] += 1;
    }
    this.#trace.note(`${fault.exchange} ${fault.native} FAULT ${fault.kind} (${fault.class}): ${fault.detail}`);
  }

  #truthMoved(book: MarketBook): void {
    const { exchange, native } = book.instrument;
    const log = this.#checker.log(exchange, native);
    if (log === undefined) {
      this.#early.push(book);
      return;
    }
    log.add(book);
    this.#checker.check(exchange, native)?.truthMoved();
  }

  #opened(exchange: ExchangeId): void {
    for (const check of this.#checker.checksOf(exchange)) {
      check.sync.connected();
    }
  }

  /** What a worker asks of its exchange: subscriptions of books on a connection that stands are repairs. */
  #sent(exchange: ExchangeId, text: string): void {
    this.#trace.note(`${exchange} > ${text.slice(0, 160)}`);
    for (const native of exchange.startsWith("binance") ? [] : booksAskedIn(text)) {
      this.#checker.check(exchange, native)?.sync.asked();
    }
  }

  #requested(exchange: ExchangeId, url: string): void {
    this.#trace.note(`${exchange} GET ${url}`);
    const native = exchange.startsWith("binance") ? new URL(url).searchParams.get("symbol") : null;
    if (native !== null) {
      this.#checker.check(exchange, native)?.sync.asked();
    }
  }

  #fail(
    { exchange, native }: { exchange: string; native: string },
    what: string,
    { expected, found }: { expected: string; found: string },
  ): void {
    const { violations } = this.report;
    if (violations.length >= VIOLATIONS_MAX) {
      return;
    }
    const atMs = this.#clock.now() - START_MS;
    const trace = this.#trace.lines(atMs - TRACE_MS, atMs, keyOf(exchange, native).trim());
    const violation: Violation = {
      seed: this.#seed,
      atS: atMs / 1000,
      exchange,
      instrument: native,
      what,
      expected,
      found,
      trace,
    };
    violations.push(violation);
    this.#trace.note(`${exchange} ${native} VIOLATION ${what}: expected ${expected}, found ${found}`);
  }
}

function loadedModule(): WebAssembly.Module {
  kernelModule ??= new WebAssembly.Module(readAsset("kernel.wasm"));
  return kernelModule;
}

function turn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
