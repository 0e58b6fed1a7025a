/**
 * A reader of the shared-memory load, a process of its own with the reader that everybody uses: every record is judged by
 * its version, price and quantity, every loss counted; a lazy one stands still now and then until the ring has gone round,
 * or until it is told how reading ends.
 * At the end its books must be those of the producer, by version and hash.
 * Bad case: a record that is wrong; it is counted by what is wrong with it, and the first ones are told.
 */
import { setImmediate as turn } from "node:timers/promises";
import { type DeltaEvent, openSegment, type SegmentEvent, type SegmentReader, type TradeEvent } from "../reader/mod.ts";
import { Latencies, type LatencyCounts } from "./histogram.ts";
import { MARKED_NATIVES, markLots, markPrice, markTradeLots } from "./memory_marks.ts";
import type { MemoryEnd } from "./memory_producer.ts";

/** What became of the records of a ring. */
export type RingAccount = { readonly received: number; readonly lost: number };

/** What a reader found. */
export type MemoryFindings = {
  readonly deltas: RingAccount;
  readonly trades: RingAccount;
  readonly laps: number;
  /** Marked delta records whose price and quantity were held against their version. */
  readonly verified: number;
  /** Books that were compared at the end, and whether they were the producer's. */
  readonly books: Readonly<
    Record<string, { readonly version: string; readonly hash: number; readonly isSynced: boolean }>
  >;
  /** Hash of the last record of each book. */
  readonly lastHashes: Readonly<Record<string, number>>;
  readonly problems: readonly string[];
  readonly latency: LatencyCounts;
};

/** How a reader reads. */
export type MemoryReaderOptions = {
  readonly directory: string;
  readonly name: string;
  /** Stands still so long, ms, unless the end comes before, … */
  readonly napMs: number;
  /** … this often, ms; infinite = never. */
  readonly napEveryMs: number;
};

const PROBLEMS_MAX = 20;
const BOOKS: readonly string[] = MARKED_NATIVES;
const WAIT_MS = 20;
/** Turns between chances for messages. */
const TURNS = 64;
/** A busy machine may hold the producer's heartbeat up for so long: books are not called unsynced for that. */
const STALE_MS = 30_000;

type Chain = { version: bigint; hash: number };

/** Reads until it is told what was produced, and has it all. */
export class MemoryReader {
  readonly #reader: SegmentReader;
  readonly #options: MemoryReaderOptions;
  readonly #latencies = new Latencies();
  readonly #chains = new Map<string, Chain>();
  readonly #problems: string[] = [];
  #tradeVersion: bigint | undefined;
  #received = { deltas: 0, trades: 0 };
  #verified = 0;
  #laps = 0;
  #isAttached = false;
  #end: MemoryEnd | undefined;
  #isStopped = false;
  #wake: () => void = () => undefined;

  constructor(reader: SegmentReader, options: MemoryReaderOptions) {
    this.#reader = reader;
    this.#options = options;
  }

  /** Opens the segment of a directory. */
  static async start(options: MemoryReaderOptions): Promise<MemoryReader> {
    const { directory, name } = options;
    const reader = await openSegment("coinbase_exchange", { directory, name, from: "oldest", staleMs: STALE_MS });
    return new MemoryReader(reader, options);
  }

  /** What was produced; reading ends when all of it was received or lost. A nap ends at once. */
  conclude(end: MemoryEnd): void {
    this.#end = end;
    this.#wake();
  }

  /** Gives up waiting for what is missing. A nap ends at once. */
  stop(): void {
    this.#isStopped = true;
    this.#wake();
  }

  /** @param onAttached called when the segment was found */
  async run(onAttached: () => void): Promise<MemoryFindings> {
    const { napMs, napEveryMs } = this.#options;
    let nappedAt = performance.now();
    for (let turns = 1; !this.#isDone(); turns++) {
      const count = this.#reader.poll((event) => this.#take(event, onAttached));
      if (turns % TURNS === 0 || count === 0) {
        await turn();
      }
      if (count === 0) {
        this.#reader.waitSync(WAIT_MS);
      } else if (performance.now() - nappedAt > napEveryMs && this.#end === undefined) {
        await this.#nap(napMs);
        nappedAt = performance.now();
      }
    }
    const findings = this.#findings();
    this.#reader.close();
    return findings;
  }

  /** Stands still, at longest until it is told how reading ends. */
  #nap(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  #isDone(): boolean {
    if (this.#end === undefined) {
      return this.#isStopped;
    }
    const { deltas, trades } = this.#received;
    const { lost } = this.#reader;
    const isWhole = deltas + lost.deltas >= this.#end.deltas && trades + lost.trades >= this.#end.trades;
    return isWhole || this.#isStopped;
  }

  #take(event: SegmentEvent, onAttached: () => void): void {
    switch (event.kind) {
      case "delta":
        this.#takeDelta(event);
        break;
      case "trade":
        this.#takeTrade(event);
        break;
      case "lapped":
        this.#laps += 1;
        if (event.ring === "deltas") {
          this.#chains.clear();
        } else {
          this.#tradeVersion = undefined;
        }
        break;
      case "attached":
        if (!this.#isAttached) {
          this.#isAttached = true;
          onAttached();
        }
        break;
      case "stale":
      case "alive":
        // A machine that is too busy for the producer's heartbeat; records tell what matters.
        break;
      default:
        this.#problem(`the segment was ${event.kind}`);
    }
  }

  #takeDelta(event: DeltaEvent): void {
    this.#received.deltas += 1;
    const { native } = event.instrument;
    const chain = this.#chains.get(native);
    if (chain !== undefined && event.version !== chain.version + 1n) {
      this.#problem(`${native}: version ${event.version} after ${chain.version}`);
    }
    this.#chains.set(native, { version: event.version, hash: event.bookHash });
    if (event.isSnapshot || event.isReset) {
      return;
    }
    if (!event.isSynced) {
      // By the producer's word in the record itself: that records before it were lost here has no part in it.
      this.#problem(`${native}: version ${event.version} is of a book that is not synced`);
    }
    const version = Number(event.version);
    const [change, ...others] = event.changes;
    const index = BOOKS.indexOf(native);
    const isRight =
      change?.side === "bid" &&
      others.length === 0 &&
      Number(change.priceTicks) === markPrice(version, index) &&
      Number(change.quantityLots) === markLots(version, index);
    this.#verified += 1;
    if (!isRight) {
      this.#problem(`${native}: version ${version} holds ${text(event)}`);
    }
    this.#latencies.record(performance.timeOrigin + performance.now() - Number(event.receivedAtNs) / 1e6);
  }

  #takeTrade(event: TradeEvent): void {
    this.#received.trades += 1;
    const version = event.tradeVersion;
    if (this.#tradeVersion !== undefined && version !== this.#tradeVersion + 1n) {
      this.#problem(`trade ${version} after ${this.#tradeVersion}`);
    }
    this.#tradeVersion = version;
    const units = 10n ** BigInt(Math.max(0, event.instrument.quantityExponent - 1));
    const lots = BigInt(markTradeLots(Number(event.tradeId))) * units;
    if (event.quantityLots !== lots || event.tradeId !== String(version)) {
      this.#problem(`trade ${version} holds id ${event.tradeId}, ${event.quantityLots} lots`);
    }
  }

  #problem(what: string): void {
    if (this.#problems.length < PROBLEMS_MAX) {
      this.#problems.push(what);
    }
  }

  #findings(): MemoryFindings {
    const { lost } = this.#reader;
    const books = MARKED_NATIVES.map((native) => {
      const book = this.#end === undefined ? undefined : this.#reader.book(native, 1);
      const { version = 0n, hash = 0, isSynced = false } = book ?? {};
      return [native, { version: String(version), hash, isSynced }] as const;
    });
    return {
      deltas: { received: this.#received.deltas, lost: lost.deltas },
      trades: { received: this.#received.trades, lost: lost.trades },
      laps: this.#laps,
      verified: this.#verified,
      books: Object.fromEntries(books),
      lastHashes: Object.fromEntries([...this.#chains].map(([native, { hash }]) => [native, hash])),
      problems: this.#problems,
      latency: this.#latencies.counts(),
    };
  }
}

function text({ changes }: DeltaEvent): string {
  const words = changes.map(({ side, priceTicks, quantityLots }) => `${side} ${priceTicks} ${quantityLots}`);
  return `${changes.length} changes: ${words.join(", ")}`;
}
