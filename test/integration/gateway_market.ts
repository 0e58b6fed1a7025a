/**
 * A small market in one memory for the gateway's tests: producers with real sync and kernel write real records from
 * Coinbase frames made here, and a gateway with a kernel of its own serves them on a free port.
 * Bad case: a test that forgets `close`; sockets and timers would keep the process alive, so vitest would say so.
 */
import { type AddressInfo, createServer } from "node:net";
import { TRADING_OPEN } from "../../assembly/layout.ts";
import { readAsset } from "../../src/assets.ts";
import { EXCHANGES } from "../../src/exchanges/mod.ts";
import { type Gateway, type GatewayOptions, startGateway } from "../../src/gateway/mod.ts";
import type { Kernel, KernelName } from "../../src/kernel/kernel.ts";
import { loadKernel } from "../../src/kernel/load.ts";
import type { ExchangeId } from "../../src/model/exchange_id.ts";
import { createSegment, MemoryMap, type SegmentWriter, segmentBytes } from "../../src/segment/mod.ts";
import { ExchangeSync, SYNC_SETTINGS } from "../../src/sync/mod.ts";

const MIB = 1 << 20;
const WALL_NS = 1_700_000_000_000_000_000n;

/** The kernel that these tests run on: ALPHAPULSE_KERNEL, wasm unless it says twin. */
export const KERNEL: KernelName = process.env.ALPHAPULSE_KERNEL === "twin" ? "twin" : "wasm";

/** Price and quantity as they stand in a frame; quantity "0" removes. */
export type Level = readonly [price: string, quantity: string];

/** What a producer is made for. */
export type ProducerOptions = {
  exchange?: ExchangeId;
  /** What the segment calls its exchange, when that is another: frames stay those of `exchange`. */
  label?: string;
  /** When frames are received, ns since 2023-11-14T22:13:20Z; default: a millisecond after the one before. */
  clock?: () => number;
  natives?: readonly string[];
  deltaCapacity?: number;
  epoch?: bigint;
  firstInstrumentId?: number;
};

/** One segment with its producer. */
export class Producer {
  readonly segment: SegmentWriter;
  readonly kernel: Kernel;
  readonly sync: ExchangeSync;
  #atNs = 1_000_000_000;
  readonly #clock: () => number;
  #tradeId = 1000;

  constructor(map: MemoryMap, name: string, options: ProducerOptions) {
    const { exchange = "coinbase_exchange", natives = ["BTC-USD", "ETH-USD"], deltaCapacity = 4096 } = options;
    const config = { instrumentCapacity: 16, deltaCapacity, tradeCapacity: 1024, imageAreaBytes: 24 * MIB };
    const range = map.reserve(`${name} segment`, { bytes: segmentBytes(config) });
    const arena = map.reserve(`${name} arena`, { bytes: 64 * MIB });
    const frame = map.reserve(`${name} frames`, { bytes: 8 * MIB });
    const { buffer } = map.memory;
    this.#clock = options.clock ?? (() => this.#atNs + 1_000_000);
    this.kernel = makeKernel(map, arena);
    this.segment = createSegment(buffer, {
      address: range.address,
      config,
      identity: {
        exchange: options.label ?? exchange,
        epoch: options.epoch ?? 1n,
        pid: process.pid,
        wallAnchorNs: WALL_NS,
        monotonicAnchorNs: 0n,
        firstInstrumentId: options.firstInstrumentId ?? 1,
      },
    });
    this.kernel.clockAnchor(Number(WALL_NS & 0xffffffffn), Number(WALL_NS >> 32n));
    this.kernel.producerAttach(range.address);
    this.sync = new ExchangeSync({
      kernel: this.kernel,
      exchange: EXCHANGES[exchange],
      segment: this.segment,
      frame: { address: frame.address, bytes: frame.bytes },
      imageEvery: deltaCapacity / 8,
      wallNs: (receivedAt) => WALL_NS + BigInt(Math.max(0, Math.round(receivedAt))),
      random: () => 0.5,
      settings: SYNC_SETTINGS,
    });
    for (const native of natives) {
      this.open(native);
    }
    this.sync.connection(0).opened(this.#atNs);
    this.beat();
  }

  /** Puts one more instrument under watch. */
  open(native: string): void {
    const { exchange } = this.sync;
    const depth = exchange.header.defaultDepth;
    this.sync.open({
      native,
      canonical: exchange.canonicalName(native),
      assurance: exchange.assurance(depth),
      depth,
      priceExponent: -1,
      quantityExponent: -1,
      tradingStatus: TRADING_OPEN,
      imageLevels: 65_536,
    });
  }

  /** Says that the producer lives. */
  beat(): void {
    this.segment.beat(BigInt(Math.round((performance.timeOrigin + performance.now()) * 1e6)));
  }

  /** Applies one frame and publishes it. */
  frame(frame: object): void {
    this.apply(frame);
    this.publish();
  }

  /** Applies one frame without publishing. */
  apply(frame: object): void {
    this.#atNs = this.#clock();
    this.sync.connection(0).receive(new TextEncoder().encode(JSON.stringify(frame)), this.#atNs);
    this.sync.takeActions();
  }

  publish(): void {
    this.sync.publish(this.#atNs);
    this.beat();
  }

  /** A whole book. */
  snapshot(native: string, { bids, asks }: { bids: readonly Level[]; asks: readonly Level[] }): void {
    this.frame({ type: "snapshot", product_id: native, bids, asks, time: this.#time() });
  }

  /** Changes of levels. */
  update(native: string, changes: readonly (readonly ["buy" | "sell", string, string])[]): void {
    this.frame({ type: "l2update", product_id: native, changes, time: this.#time() });
  }

  /** A trade; `jump` skips that many ids before it. */
  trade(native: string, { price, size, jump = 0 }: { price: string; size: string; jump?: number }): string {
    this.#tradeId += 1 + jump;
    const [trade_id, time] = [this.#tradeId, this.#time()];
    this.frame({ type: "match", trade_id, side: "sell", size, price, product_id: native, sequence: 5, time });
    return String(trade_id);
  }

  #time(): string {
    const ms = Number((WALL_NS + BigInt(this.#atNs)) / 1_000_000n);
    return new Date(ms).toISOString().replace("Z", "123Z");
  }
}

/** A memory with producers, and a gateway over them. */
export class Market {
  readonly map: MemoryMap;
  readonly producers: Producer[] = [];
  gateway: Gateway | undefined;

  constructor(megabytes = 640) {
    this.map = new MemoryMap(megabytes * MIB);
  }

  /** Adds a segment with its producer. */
  produce(options: ProducerOptions = {}): Producer {
    const producer = new Producer(this.map, `producer ${this.map.ranges.length}`, options);
    this.producers.push(producer);
    return producer;
  }

  /** Starts the gateway over all segments that there are and will be. */
  async serve(options: Partial<GatewayOptions> = {}): Promise<Gateway> {
    const arena = this.map.reserve(`gateway arena ${this.map.ranges.length}`, { bytes: 160 * MIB });
    this.gateway = await startGateway({
      kernel: makeKernel(this.map, arena),
      segments: () => this.producers.map(({ segment }) => segment),
      port: 0,
      ...options,
    });
    return this.gateway;
  }

  /** The stream's address. */
  get streamUrl(): string {
    return `${(this.gateway?.url ?? "").replace("http", "ws")}/ws`;
  }

  async close(): Promise<void> {
    await this.gateway?.close();
  }
}

function makeKernel(map: MemoryMap, arena: { address: number; bytes: number }): Kernel {
  const bytes = KERNEL === "wasm" ? { wasmBytes: readAsset("kernel.wasm") } : {};
  const kernel = loadKernel({ name: KERNEL, memory: map.memory, ...bytes });
  kernel.arenaInit(arena.address, arena.bytes);
  return kernel;
}

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => {
    server.close(resolve);
  });
  return port;
}

/** Waits until a condition holds; the event loop goes on meanwhile. @throws Error after the deadline, naming what was waited for */
export async function until(what: string, condition: () => boolean, deadlineMs = 10_000): Promise<void> {
  const deadline = performance.now() + deadlineMs;
  while (!condition()) {
    if (performance.now() > deadline) {
      throw new Error(`Cannot wait any longer: ${what}, was not so after ${deadlineMs} ms`);
    }
    await new Promise((resume) => setTimeout(resume, 2));
  }
}
