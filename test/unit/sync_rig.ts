/**
 * A collector on virtual time against the emulator in memory, for what sync must do as a whole: many instruments, faults
 * by script, what goes over the sockets, and followers that know nothing but the published records.
 * Bad case: REST answers settle in microtasks; while one is under way, `pass` lets them run between any two steps.
 */
import { FLAG_NOT_SYNCED, FLAG_RESET, STATE_RETIRED } from "../../assembly/layout.ts";
import { loadConfig } from "../../src/config/mod.ts";
import {
  type InMemoryEmulator,
  type MarketInstrument,
  parseFaultScript,
  startInMemory,
  VirtualClock,
} from "../../src/emulator/mod.ts";
import { EXCHANGES, type Exchange } from "../../src/exchanges/mod.ts";
import { Collector, type Report } from "../../src/feed/collector.ts";
import { completeUrl } from "../../src/feed/collector_settings.ts";
import type { Fetch } from "../../src/feed/rest.ts";
import type { SocketFactory } from "../../src/feed/socket.ts";
import { loadKernel } from "../../src/kernel/load.ts";
import type { ExchangeId } from "../../src/model/exchange_id.ts";
import { REASON_WORDS, STATE_WORDS, wordOf } from "../../src/model/states.ts";
import { MemoryMap } from "../../src/segment/memory_map.ts";
import { imagePairBytes, segmentBytes } from "../../src/segment/writer.ts";
import { type PublishedRecord, RingTap } from "../simulation/ring_tap.ts";

const START_MS = 1_780_000_000_000;
const TICK_MS = 100;
const MIB = 1024 * 1024;
const GRACE_TURNS = 4;

/** How to build one. */
export type SyncRigOptions = {
  readonly exchange: ExchangeId;
  /** Number of instruments. */
  readonly count?: number;
  /** The collector begins with the first so many of them; all unless given. */
  readonly begins?: number;
  /** Begins with these too, canonical names that the exchange does not list, as the successor of another collector. */
  readonly unlisted?: readonly string[];
  /** Pairs of images that the segment has room for; plenty unless given. */
  readonly imagePairs?: number;
  /** Book events a second of each. */
  readonly rate?: number;
  readonly tradeShare?: number;
  readonly depth?: number;
  readonly seed?: number;
  /** The faults of a script, as in a file. */
  readonly faults?: readonly Record<string, unknown>[];
  /** Changes what is known of the exchange, e.g. shorter timers. */
  readonly adapt?: (exchange: Exchange) => Exchange;
  /** Addresses of the exchange beside the emulator's, whatever answers there. */
  readonly otherUrls?: readonly string[];
  /** Stands between the collector and the emulator. */
  readonly network?: (parts: RigNetwork) => Pick<RigNetwork, "openSocket" | "fetch">;
  /** Uniform in [0, 1); always the middle unless given. */
  readonly random?: () => number;
};

/** What a rig's network is made of. @param url of the emulator */
export type RigNetwork = { openSocket: SocketFactory; fetch: Fetch; clock: VirtualClock; url: string };

/** What went over a socket. */
export type Said = { readonly atMs: number; readonly text: string };

/** A book as plain decimals, best first. */
export type Sides = { bids: string[]; asks: string[] };

/** Native spelling of the instrument at an index. */
export function nativeAt(exchange: ExchangeId, index: number): string {
  const quote = `Q${String(index).padStart(2, "0")}`;
  return exchange === "coinbase_exchange" ? `BTC-${quote}` : exchange === "kraken" ? `BTC/${quote}` : `BTC${quote}`;
}

/** Canonical name of the instrument at an index. */
export function canonicalAt(index: number): string {
  return `BTC-Q${String(index).padStart(2, "0")}`;
}

/** A consumer of nothing but records, images at Reset only. */
export class Follower {
  id = 0;
  version = 0;
  isSynced = false;
  resets = 0;
  /** What was wrong with what it read. */
  readonly wrongs: string[] = [];
  readonly #sides: [Map<string, string>, Map<string, string>] = [new Map(), new Map()];

  /** Takes a record. */
  take(record: PublishedRecord, tap: RingTap): void {
    const isOther = record.id !== this.id;
    if (isOther && (record.flags & FLAG_RESET) === 0 && this.id !== 0) {
      this.wrongs.push(`id ${record.id} begins without a reset`);
    }
    if (!isOther && record.version !== this.version + 1) {
      this.wrongs.push(`version ${record.version} after ${this.version}`);
    }
    this.id = record.id;
    this.version = record.version;
    this.isSynced = (record.flags & FLAG_NOT_SYNCED) === 0;
    if ((record.flags & FLAG_RESET) !== 0) {
      this.resets += 1;
      this.#load(tap);
      return;
    }
    for (const { side, price, quantity, isAdded } of record.changes) {
      if (isAdded !== !this.#sides[side].has(price)) {
        this.wrongs.push(`${price} × ${quantity} is ${isAdded ? "" : "not "}marked as added`);
      }
      if (quantity === "0") {
        this.#sides[side].delete(price);
      } else {
        this.#sides[side].set(price, quantity);
      }
    }
  }

  /** The book that it holds. */
  get book(): Sides {
    const rows = (side: Map<string, string>, sign: number) =>
      [...side].sort(([one], [other]) => sign * (Number(one) - Number(other))).map((level) => level.join(" "));
    return { bids: rows(this.#sides[0], -1), asks: rows(this.#sides[1], 1) };
  }

  #load(tap: RingTap): void {
    const image = tap.image(tap.entry(this.id));
    if (image === undefined || image.version < this.version) {
      this.wrongs.push(`no image for the reset at ${this.version}`);
      return;
    }
    this.#sides[0] = image.sides[0];
    this.#sides[1] = image.sides[1];
  }
}

/** A collector and its exchange. */
export class SyncRig {
  readonly exchange: ExchangeId;
  readonly emulator: InMemoryEmulator;
  readonly clock: VirtualClock;
  readonly collector: Collector;
  readonly tap: RingTap;
  readonly natives: readonly string[];
  /** What the segment lies in. */
  readonly memory: ArrayBufferLike;
  /** Bytes in use of the kernel's arena. */
  readonly arenaUsed: () => number;
  readonly sent: Said[] = [];
  readonly requests: Said[] = [];
  readonly reports: Report[] = [];
  /** Called when the collector is through with a frame. */
  onFrame: ((text: string) => void) | undefined;
  /** When sockets were opened, ms since the start. */
  readonly connects: number[] = [];
  /** Records since the start, by native name. */
  readonly records = new Map<string, PublishedRecord[]>();
  readonly #followers = new Map<string, Follower>();
  #asking = 0;
  #graceTurns = 0;

  /** Use `start`. */
  constructor(options: SyncRigOptions, { emulator, clock }: { emulator: InMemoryEmulator; clock: VirtualClock }) {
    const { exchange, count = 2, depth, imagePairs, adapt = (it: Exchange) => it, otherUrls = [] } = options;
    this.exchange = exchange;
    this.emulator = emulator;
    this.clock = clock;
    this.natives = Array.from({ length: count }, (_, index) => nativeAt(exchange, index));
    const segment = {
      instrumentCapacity: 4 * count + 16,
      deltaCapacity: 8192,
      tradeCapacity: 4096,
      imageAreaBytes: imagePairs === undefined ? 32 * MIB : imagePairs * imagePairBytes(512),
    };
    const map = new MemoryMap((64 + 48) * MIB + segmentBytes(segment));
    this.memory = map.memory.buffer;
    const kernel = loadKernel({ name: "twin", memory: map.memory });
    const arena = map.reserve("arena", { bytes: 60 * MIB });
    kernel.arenaInit(arena.address, arena.bytes);
    this.arenaUsed = () => kernel.arenaUsed();
    const config = loadConfig({});
    const { websocket, rest } = emulator.endpoints[exchange];
    const settings = {
      ...config.exchanges[exchange],
      imageLevels: 512,
      websocketUrls: [websocket, ...otherUrls],
      restUrl: rest,
    };
    const direct = directNetwork({ emulator, clock, exchange });
    const network = options.network?.(direct) ?? direct;
    this.collector = new Collector({
      exchange: adapt(EXCHANGES[exchange]),
      settings: depth === undefined ? settings : { ...settings, depth },
      instruments: [
        ...this.natives.slice(0, options.begins).map((_, index) => canonicalAt(index)),
        ...(options.unlisted ?? []),
      ],
      isSuccessor: options.unlisted !== undefined,
      limits: config.collector,
      kernel,
      frame: map.reserve("frame", { bytes: MIB }),
      segment: { address: map.reserve("segment", { bytes: segmentBytes(segment) }).address, config: segment },
      pid: 1,
      clock: {
        anchorNs: BigInt(START_MS) * 1_000_000n,
        monotonicAnchorNs: 0n,
        now: () => Math.round((clock.now() - START_MS) * 1000) * 1000,
      },
      random: options.random ?? (() => 0.5),
      openSocket: (url, handlers, limits) => {
        this.connects.push(this.nowMs);
        const frame = (bytes: Buffer, isBinary: boolean) => {
          handlers.frame(bytes, isBinary);
          this.onFrame?.(bytes.toString("utf8"));
        };
        const socket = network.openSocket(url, { ...handlers, frame }, limits);
        return { ...socket, send: (text) => this.#send(text, socket.send) };
      },
      fetch: (url, init) => this.#fetch(() => network.fetch(url, init), url),
      setTimer: (task, ms) => clock.setTimer(task, ms),
      defer: (task) => task(),
      report: (report) => this.reports.push(report),
    });
    this.tap = new RingTap(map.memory.buffer, this.collector.segment.address, (record, { native }) => {
      this.records.set(native, [...(this.records.get(native) ?? []), record]);
      this.follower(native).take(record, this.tap);
    });
    this.#tickLater();
  }

  /** Starts both, and lets some seconds pass until every book is there. */
  static async start(options: SyncRigOptions): Promise<SyncRig> {
    const { exchange, count = 2, rate = 10, tradeShare = 0.2, seed = 7, faults } = options;
    const clock = new VirtualClock(START_MS);
    const instruments = Array.from({ length: count }, (_, index) =>
      instrumentAt(exchange, { index, rate, tradeShare }),
    );
    const emulator = await startInMemory({
      exchanges: [exchange],
      source: { kind: "market", rate: 1, instruments },
      seed,
      clock,
      delayMs: () => 5,
      ...(faults === undefined ? {} : { faults: parseFaultScript({ fault: faults }) }),
    });
    const rig = new SyncRig(options, { emulator, clock });
    rig.#asking += 1;
    const started = rig.collector.start().finally(() => {
      rig.#asking -= 1;
    });
    await rig.pass(3000);
    await started;
    return rig;
  }

  /** Virtual ms since the start. */
  get nowMs(): number {
    return this.clock.now() - START_MS;
  }

  /** The consumer of an instrument. */
  follower(native: string): Follower {
    const follower = this.#followers.get(native) ?? new Follower();
    this.#followers.set(native, follower);
    return follower;
  }

  /** Reads what was published of an instrument, and begins anew with what follows. */
  forget(native: string): void {
    this.tap.poll();
    this.#followers.delete(native);
  }

  /** Lets time pass. */
  async pass(ms: number): Promise<void> {
    const endMs = this.clock.now() + ms;
    this.clock.setTimer(() => undefined, ms);
    while (this.clock.now() < endMs) {
      this.#graceTurns = this.#asking > 0 ? GRACE_TURNS : this.#graceTurns;
      this.clock.step();
      this.tap.poll();
      if (this.#graceTurns > 0) {
        this.#graceTurns -= 1;
        await turn();
      }
    }
    await turn();
    this.tap.poll();
  }

  /** State and reason of an instrument as words, e.g. `synced none`. */
  state(native: string): string {
    const entry = this.tap.view.instruments().find((it) => it.native === native && it.state !== STATE_RETIRED);
    return `${wordOf(STATE_WORDS, entry?.state ?? -1)} ${wordOf(REASON_WORDS, entry?.reason ?? -1)}`;
  }

  /** Every state that occurs, and how often. */
  states(): Record<string, number> {
    const counts: Record<string, number> = {};
    for (const native of this.natives) {
      counts[this.state(native)] = (counts[this.state(native)] ?? 0) + 1;
    }
    return counts;
  }

  /** A counter of the segment. */
  count(counter: number): number {
    return this.tap.view.counter(counter);
  }

  /** The market stops; what a follower of this instrument holds must be the truth then. */
  async settle(): Promise<void> {
    this.emulator.pause();
    await this.pass(500);
  }

  /** What is true now, as far as the exchange tells it. */
  truth(native: string): Sides {
    const { bids, asks } = this.emulator.trueBook(this.exchange, native);
    const depth = this.exchange === "kraken" ? 10 : Number.POSITIVE_INFINITY;
    const rows = (side: readonly (readonly [string, string])[]) =>
      side.slice(0, depth).map(([price, quantity]) => `${plain(price)} ${plain(quantity)}`);
    return { bids: rows(bids), asks: rows(asks) };
  }

  /** Ends it. */
  close(): void {
    this.emulator.close();
  }

  #send(text: string, send: (text: string) => void): void {
    this.sent.push({ atMs: this.nowMs, text });
    send(text);
  }

  #fetch(ask: () => Promise<Response>, url: string): Promise<Response> {
    this.requests.push({ atMs: this.nowMs, text: url });
    this.#asking += 1;
    return ask().finally(() => {
      this.#asking -= 1;
      this.#graceTurns = GRACE_TURNS;
    });
  }

  #tickLater(): void {
    this.clock.setTimer(() => {
      this.collector.tick();
      this.#tickLater();
    }, TICK_MS);
  }
}

function instrumentAt(
  exchange: ExchangeId,
  { index, rate, tradeShare }: { index: number; rate: number; tradeShare: number },
): MarketInstrument {
  const isPadded = exchange.startsWith("binance");
  return {
    exchange,
    native: nativeAt(exchange, index),
    base: "BTC",
    quote: `Q${String(index).padStart(2, "0")}`,
    priceDecimals: 2,
    quantityDecimals: 5,
    pricePadding: isPadded ? 8 : 2,
    quantityPadding: 8,
    levels: 64,
    eventsPerSecond: rate,
    changesPerEvent: 3,
    changesMax: 30,
    tradeShare,
    basisMillionths: index,
  };
}

/** Without trailing zeros. */
function plain(text: string): string {
  return text.includes(".") ? text.replace(/\.?0+$/, "") : text;
}

function turn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

/** Nothing stands between. */
function directNetwork(parts: { emulator: InMemoryEmulator; clock: VirtualClock; exchange: ExchangeId }): RigNetwork {
  const { emulator, clock, exchange } = parts;
  return {
    openSocket: (url, handlers, limits) => emulator.openSocket(url, handlers, limits),
    fetch: (url, { signal }) => emulator.fetch(url, { signal }),
    clock,
    url: completeUrl(emulator.endpoints[exchange].websocket, EXCHANGES[exchange].header.websocketPath),
  };
}
