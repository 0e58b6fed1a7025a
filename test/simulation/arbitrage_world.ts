/**
 * Arbitrage under the faults of the integrity work: emulated exchanges with a fault script, collectors that die and hang,
 * and a gateway's core with the detector, all on virtual time from one seed. Fees are nothing and the exchanges stand a
 * little apart, so that something is open most of the time; whatever is told or listed is held against the segments
 * themselves, by a reader that shares no code with the gateway's: synced, not older than allowed, and the very book.
 * Bad case: a world in which nothing is ever open, or nothing ever goes wrong; the counts say.
 */
import {
  DELTA_BOOK_HASH,
  DELTA_BYTES,
  DELTA_RECEIVED_AT,
  FLAG_CROSSED,
  FLAG_LAST,
  FLAG_NOT_SYNCED,
  STATE_SYNCED,
} from "../../assembly/layout.ts";
import { ARBITRAGE_RULES } from "../../src/arbitrage/mod.ts";
import { readAsset } from "../../src/assets.ts";
import { type InMemoryEmulator, parseFaultScript, startInMemory } from "../../src/emulator/mod.ts";
import { Random } from "../../src/emulator/random.ts";
import { VirtualClock } from "../../src/emulator/virtual_clock.ts";
import { GatewayCore } from "../../src/gateway/core.ts";
import { completeLimits } from "../../src/gateway/limits.ts";
import { loadKernel } from "../../src/kernel/load.ts";
import { EXCHANGE_IDS, type ExchangeId } from "../../src/model/exchange_id.ts";
import { MemoryMap } from "../../src/segment/memory_map.ts";
import type { OpportunityLeg, OpportunityMessage } from "../../src/wire/opportunity.ts";
import { SceneClient } from "../unit/gateway_scene.ts";
import { configOf } from "./collector_config.ts";
import { HubThread } from "./downstream/hub_thread.ts";
import { planFaults } from "./fault_plan.ts";
import { namesOf, smallMarket } from "./instruments.ts";
import { Mishaps } from "./mishaps.ts";
import { Post } from "./post.ts";
import { RingTap } from "./ring_tap.ts";

/** What one world showed. */
export type ArbitrageReport = {
  /** What was told or listed and should not have been. */
  violations: string[];
  faults: number;
  told: Record<string, number>;
  /** Legs that were held against the segments. */
  checkedLegs: number;
  /** Everything told, as one text: equal seeds tell the same. */
  tape: string;
};

const START_MS = 1_780_000_000_000;
const MEMORY_BYTES = 512 << 20;
const HUB_ARENA_BYTES = 96 << 20;
const AGE_MS = 2500;
const CHECK_MS = 50;
/** Millionths of the fair price that each exchange stands apart. */
const BASIS: Readonly<Record<ExchangeId, number>> = {
  coinbase_exchange: 0,
  kraken: 100,
  binance: -60,
  binance_us: 160,
};

let memory: MemoryMap | undefined;
let kernelModule: WebAssembly.Module | undefined;

/** Runs one world for so long. @param options.endMs of virtual time */
export async function runArbitrageWorld(seed: number, options: { endMs: number }): Promise<ArbitrageReport> {
  const world = new ArbitrageWorld(seed, options.endMs);
  try {
    await world.run();
  } finally {
    world.close();
  }
  return world.report;
}

type Published = { readonly hash: number; readonly flags: number; readonly receivedAtMs: number };

class ArbitrageWorld {
  readonly report: ArbitrageReport = { violations: [], faults: 0, told: {}, checkedLegs: 0, tape: "" };
  readonly #random: Random;
  readonly #clock = new VirtualClock(START_MS);
  readonly #map: MemoryMap;
  readonly #posts: Post[] = [];
  readonly #taps = new Map<ExchangeId, RingTap>();
  /** By exchange, pair and version: what was published. */
  readonly #published = new Map<string, Published>();
  readonly #thread = new HubThread(this.#clock);
  readonly #mishaps: Mishaps;
  readonly #seed: number;
  readonly #endMs: number;
  #core: GatewayCore | undefined;
  #emulator: InMemoryEmulator | undefined;

  constructor(seed: number, endMs: number) {
    this.#seed = seed;
    this.#endMs = endMs;
    this.#random = new Random(seed, "arbitrage world");
    this.#mishaps = new Mishaps(this.#random.fork("mishaps"), endMs);
    memory ??= new MemoryMap(MEMORY_BYTES);
    this.#map = memory;
  }

  async run(): Promise<void> {
    await this.#open();
    this.#mishaps.start({ clock: this.#clock, posts: this.#posts, died: () => undefined, stepped: () => undefined });
    this.#sleepNowAndThen();
    const untilMs = START_MS + this.#endMs;
    this.#checkLater();
    while (this.#clock.now() < untilMs) {
      this.#clock.step();
      this.#readRings();
      if (this.#posts.some(({ worker }) => (worker?.life.requests ?? 0) > 0)) {
        await new Promise((resolve) => {
          setImmediate(resolve);
        });
      }
    }
  }

  close(): void {
    this.#thread.stop();
    this.#core?.stop();
    for (const post of this.#posts) {
      post.close();
    }
    this.#emulator?.close();
    for (const range of this.#map.ranges) {
      this.#map.release(range);
    }
  }

  async #open(): Promise<void> {
    const delays = this.#random.fork("delays");
    const rules = planFaults(this.#seed).rules.filter(
      ({ at_ms: atMs }) => typeof atMs !== "number" || atMs < this.#endMs,
    );
    const emulator = await startInMemory({
      exchanges: EXCHANGE_IDS,
      source: {
        kind: "market",
        rate: 2,
        instruments: smallMarket().map((one) => ({ ...one, basisMillionths: BASIS[one.exchange] })),
      },
      seed: this.#seed,
      clock: this.#clock,
      delayMs: ({ by }) => (by === "rest" ? 5 + delays.below(60) : 1 + delays.below(12)),
      faults: parseFaultScript({ fault: rules }),
      onFault: () => {
        this.report.faults += 1;
      },
    });
    this.#emulator = emulator;
    const config = configOf(this.#random);
    for (const exchange of EXCHANGE_IDS) {
      this.#posts.push(this.#makePost(exchange, emulator, config));
    }
    for (const post of this.#posts) {
      post.start();
    }
    this.#startHub();
  }

  #makePost(exchange: ExchangeId, emulator: InMemoryEmulator, config: ReturnType<typeof configOf>): Post {
    const random = this.#random.fork(`collector:${exchange}`);
    const { websocket, rest } = emulator.endpoints[exchange];
    const ours = { ...config.exchanges[exchange], websocketUrls: [websocket], restUrl: rest };
    const none = () => undefined;
    return new Post({
      exchange,
      config: { ...config, exchanges: { ...config.exchanges, [exchange]: ours } },
      instruments: namesOf(exchange).map(({ canonical }) => canonical),
      map: this.#map,
      kernelName: "wasm",
      kernelModule: loadedModule(),
      segmentConfig: { instrumentCapacity: 64, deltaCapacity: 512, tradeCapacity: 256, imageAreaBytes: 2 << 20 },
      clock: this.#clock,
      wallStepMs: () => 0,
      random: () => 1 - random.unit(),
      network: { emulator, clock: this.#clock, onOpened: none, onSent: none, onFrame: none, onRequest: none },
      report: none,
      onLive: ({ collector }) => this.#taps.set(exchange, this.#tap(exchange, collector.segment.address)),
      onEnded: () => this.#taps.delete(exchange),
    });
  }

  #startHub(): void {
    const arena = this.#map.reserve("arena of the hub", { bytes: HUB_ARENA_BYTES });
    const kernel = loadKernel({ name: "wasm", memory: this.#map.memory, wasmBytes: loadedModule() });
    kernel.arenaInit(arena.address, arena.bytes);
    const silent = () => undefined;
    const core = new GatewayCore({
      kernel,
      segments: () => this.#posts.flatMap(({ segment }) => (segment === undefined ? [] : [segment])),
      limits: completeLimits({ heartbeatStaleMs: 2000 }),
      now: this.#clock.now,
      log: { info: silent, warn: silent, error: silent },
      server: "simulation",
      transport: "memory",
      waitAsync: undefined,
      scheduler: this.#thread.scheduler,
      arbitrage: {
        ...ARBITRAGE_RULES,
        feesBps: Object.fromEntries(EXCHANGE_IDS.map((id) => [id, 0])),
        ageMsMax: AGE_MS,
        reportMs: 0,
        equivalents: [["USD", "USDT"]],
        triangular: true,
      },
    });
    core.start({
      port: 1,
      publish: (_, payload) => {
        this.#readRings();
        this.#judge(JSON.parse(String(payload)) as OpportunityMessage);
      },
      close: () => Promise.resolve(),
    });
    const client = new SceneClient({ id: 1, protocol: "alphapulse.v1.json", kernel, scratch: 0 });
    core.sessions.open(client);
    core.sessions.message(client, new TextEncoder().encode('{"op":"subscribe","id":1,"channels":["arbitrage"]}'), true);
    this.#core = core;
  }

  /** The hub's thread is held up now and then: what it reads afterwards is old. */
  #sleepNowAndThen(): void {
    this.#clock.setTimer(() => {
      this.#thread.sleep(this.#random.below(6000));
      this.#sleepNowAndThen();
    }, 5000 + this.#random.below(20_000));
  }

  #checkLater(): void {
    this.#clock.setTimer(() => {
      if (!this.#thread.isAsleep) {
        this.#readRings();
        for (const { id, legs } of this.#core?.arbitrage?.opportunities() ?? []) {
          this.#hold(`listed ${id}`, legs);
        }
      }
      this.#checkLater();
    }, CHECK_MS);
  }

  #judge({ event, reason, opportunity }: OpportunityMessage): void {
    const { report } = this;
    const word = event === "closed" ? `closed ${reason}` : event;
    report.told[word] = (report.told[word] ?? 0) + 1;
    report.tape += `${this.#clock.now()} ${word} ${opportunity.id} ${opportunity.profit}\n`;
    if (event !== "closed") {
      this.#hold(`${event} ${opportunity.id}`, opportunity.legs);
    }
  }

  /** Every leg must be of a book that is right at this moment. */
  #hold(what: string, legs: readonly OpportunityLeg[]): void {
    const nowMs = this.#clock.now();
    for (const { instrument, version, hash, receivedAtMs } of legs) {
      this.report.checkedLegs += 1;
      const published = this.#published.get(`${instrument} ${version}`);
      const [exchange, pair] = instrument.split(":") as [ExchangeId, string];
      const entries =
        this.#taps
          .get(exchange)
          ?.view.instruments()
          .filter(({ canonical }) => canonical === pair) ?? [];
      const faults = [
        ...(published === undefined ? ["its version was never published"] : []),
        ...(published !== undefined && published.hash !== hash ? ["its hash is another"] : []),
        ...(published !== undefined && (published.flags & (FLAG_NOT_SYNCED | FLAG_CROSSED)) !== 0
          ? ["it was not synced"]
          : []),
        ...(published !== undefined && (published.flags & FLAG_LAST) === 0 ? ["it is half an event"] : []),
        ...(published !== undefined && nowMs - published.receivedAtMs > AGE_MS ? ["it is old"] : []),
        ...(Math.abs(receivedAtMs - (published?.receivedAtMs ?? receivedAtMs)) > 0.001 ? ["its time is another"] : []),
        ...(entries.at(-1)?.state === STATE_SYNCED ? [] : ["the collector says not synced"]),
      ];
      for (const fault of faults) {
        this.report.violations.push(
          `seed ${this.#seed}, ${nowMs - START_MS} ms: ${what}, ${instrument} ${version}: ${fault}`,
        );
      }
    }
  }

  #readRings(): void {
    for (const tap of this.#taps.values()) {
      tap.poll();
    }
  }

  #tap(exchange: ExchangeId, address: number): RingTap {
    const view = new DataView(this.#map.memory.buffer);
    const tap: RingTap = new RingTap(
      this.#map.memory.buffer,
      address,
      ({ position, version, flags }, { canonical }) => {
        const { deltaRingOffset, deltaCapacity } = tap.view.header;
        const at = address + deltaRingOffset + (position % deltaCapacity) * DELTA_BYTES;
        this.#published.set(`${exchange}:${canonical} ${version}`, {
          hash: view.getUint32(at + DELTA_BOOK_HASH, true),
          flags,
          receivedAtMs: Number(view.getBigUint64(at + DELTA_RECEIVED_AT, true)) / 1e6,
        });
      },
    );
    return tap;
  }
}

function loadedModule(): WebAssembly.Module {
  kernelModule ??= new WebAssembly.Module(readAsset("kernel.wasm"));
  return kernelModule;
}
