/**
 * The producer of the fan-out benchmark, a thread of its own beside the server: real frames through decoder, sync and
 * ring, at a given rate by the clock, whether anybody keeps up or not.
 * Bad case: a rate that this thread itself cannot keep; it is then fed as fast as it can, and the burst takes longer.
 */
import { parentPort, workerData } from "node:worker_threads";
import { TRADING_OPEN } from "../../assembly/layout.ts";
import { readAsset } from "../../src/assets.ts";
import { EXCHANGES } from "../../src/exchanges/mod.ts";
import { loadKernel } from "../../src/kernel/load.ts";
import { createSegment, type SegmentConfig, SegmentView } from "../../src/segment/mod.ts";
import { ExchangeSync, SYNC_SETTINGS } from "../../src/sync/mod.ts";
import { NATIVE } from "./words.ts";

/** What the feeder is given. */
export type FeederGround = {
  readonly memory: WebAssembly.Memory;
  readonly segment: number;
  readonly config: SegmentConfig;
  readonly arena: { readonly address: number; readonly bytes: number };
  readonly frame: { readonly address: number; readonly bytes: number };
};

/** Events carry the time at which they were to be published. */
const WALL_NS = BigInt(Math.round(performance.timeOrigin * 1e6));
const LEVELS = 500;
const CHANGES = 4;
const MID = 6_000_000;
const SPREAD = 400;

/** Runs in the worker thread until it is ended. */
export function runFeeder(): void {
  const feeder = new Feeder(workerData as FeederGround);
  parentPort?.on("message", ({ events, perSecond }: { events: number; perSecond: number }) => {
    void feeder.burst(events, perSecond).then((version) => parentPort?.postMessage(version));
  });
  setInterval(() => feeder.beat(), 100);
  parentPort?.postMessage(feeder.version);
}

class Feeder {
  readonly #view: SegmentView;
  readonly #segment: ReturnType<typeof createSegment>;
  readonly #sync: ExchangeSync;
  readonly #lots = new Map<number, number>();
  #atNs = Math.round(performance.now() * 1e6);
  #state = 1;

  constructor({ memory, segment, config, arena, frame }: FeederGround) {
    const kernel = loadKernel({ name: "wasm", memory, wasmBytes: readAsset("kernel.wasm") });
    kernel.arenaInit(arena.address, arena.bytes);
    this.#segment = createSegment(kernel.buffer, {
      address: segment,
      config,
      identity: {
        exchange: "coinbase_exchange",
        epoch: 1n,
        pid: process.pid,
        wallAnchorNs: WALL_NS,
        monotonicAnchorNs: 0n,
        firstInstrumentId: 1,
      },
    });
    this.#view = new SegmentView(kernel.buffer, segment);
    kernel.clockAnchor(Number(WALL_NS & 0xffffffffn), Number(WALL_NS >> 32n));
    kernel.producerAttach(segment);
    const exchange = EXCHANGES.coinbase_exchange;
    this.#sync = new ExchangeSync({
      kernel,
      exchange,
      segment: this.#segment,
      frame,
      imageEvery: config.deltaCapacity / 8,
      wallNs: (receivedAt) => WALL_NS + BigInt(Math.round(receivedAt)),
      random: () => 0.5,
      settings: SYNC_SETTINGS,
    });
    this.#sync.open({
      native: NATIVE,
      canonical: exchange.canonicalName(NATIVE),
      assurance: exchange.assurance(0),
      depth: 0,
      priceExponent: -1,
      quantityExponent: -1,
      tradingStatus: TRADING_OPEN,
      imageLevels: 65_536,
    });
    this.#sync.connection(0).opened(this.#atNs);
    this.#snapshot();
    this.beat();
  }

  /** Of the book: one instrument, so that each record of the ring is one version. */
  get version(): number {
    return this.#view.deltaTail;
  }

  /** Says that the producer lives. */
  beat(): void {
    this.#segment.beat(BigInt(Math.round((performance.timeOrigin + performance.now()) * 1e6)));
  }

  /** Publishes so many events, paced by the clock. @returns the version of the last one */
  async burst(events: number, perSecond: number): Promise<number> {
    const startedAt = Math.max(performance.now(), this.#atNs / 1e6);
    for (let done = 0; done < events; ) {
      const due = Math.min(events, Math.ceil(((performance.now() - startedAt) / 1000) * perSecond));
      for (; done < due; done++) {
        this.#atNs = Math.round((startedAt + (done * 1000) / perSecond) * 1e6);
        this.#update();
      }
      await new Promise((resume) => setImmediate(resume));
    }
    return this.version;
  }

  #snapshot(): void {
    const level = (side: -1 | 1, index: number): [string, string] => {
      const tick = MID + side * (SPREAD + index * 7);
      this.#lots.set(tick, 10 + index);
      return [price(tick), quantity(10 + index)];
    };
    const bids = Array.from({ length: LEVELS }, (_, index) => level(-1, index));
    const asks = Array.from({ length: LEVELS }, (_, index) => level(1, index));
    this.#publish({ type: "snapshot", product_id: NATIVE, bids, asks, time: this.#time() });
  }

  /** Other quantities for four levels near the touch; each differs from what stands there. */
  #update(): void {
    const changes = Array.from({ length: CHANGES }, (_, index) => {
      const random = this.#random();
      const side = index % 2 === 0 ? -1 : 1;
      const place = ((random >>> 8) % 24) * CHANGES + index;
      const tick = MID + side * (SPREAD + place * 7);
      const lots = (this.#lots.get(tick) ?? 0) + 1 + (random % 997);
      this.#lots.set(tick, lots);
      return [side < 0 ? "buy" : "sell", price(tick), quantity(lots)];
    });
    this.#publish({ type: "l2update", product_id: NATIVE, changes, time: this.#time() });
  }

  #publish(frame: object): void {
    this.#sync.connection(0).receive(new TextEncoder().encode(JSON.stringify(frame)), this.#atNs);
    this.#sync.takeActions();
    this.#sync.publish(this.#atNs);
  }

  #random(): number {
    this.#state = (Math.imul(this.#state, 1_664_525) + 1_013_904_223) >>> 0;
    return this.#state;
  }

  #time(): string {
    return new Date(Number((WALL_NS + BigInt(this.#atNs)) / 1_000_000n)).toISOString().replace("Z", "123Z");
  }
}

function price(tick: number): string {
  return (tick / 100).toFixed(2);
}

function quantity(lots: number): string {
  return (lots / 10_000).toFixed(8);
}
