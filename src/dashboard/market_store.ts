/**
 * The page's state: the connection, the instruments grouped by pair, which books are followed, and what is measured once
 * a second. Fed by a MarketFeed; read by components through cells and by painters once per frame.
 * Bad case: the gateway forgets an instrument: its store is dropped, and a card that still shows it paints its last book.
 */
import type { StatsMessage } from "../wire/protocol.ts";
import { ArbitrageStore } from "./arbitrage_store.ts";
import { Cell } from "./cell.ts";
import { COLUMN_MS } from "./depth_history.ts";
import { FollowedBooks } from "./followed_books.ts";
import { FrameLoop } from "./frame_loop.ts";
import { InstrumentStore } from "./instrument_store.ts";
import type { Connection, FeedListener, ListedInstrument, MarketFeed } from "./market_feed.ts";
import { PairSeries } from "./pair_series.ts";
import { TrafficSeries } from "./traffic_series.ts";

/** The instruments of one canonical pair, e.g. BTC-USD on each exchange that lists it. */
export type PairGroup = { pair: string; instruments: readonly InstrumentStore[]; series: PairSeries };

/** What the page measures once a second; rates are per second. */
export type PageMeasures = { bytesIn: number; updates: number; instruments: number; synced: number };

/** Clock, timers and frames of the page. */
export type PageTime = {
  /** Wall clock, milliseconds. */
  nowMs: () => number;
  requestFrame: (callback: (atMs: number) => void) => unknown;
  /** As setInterval. */
  every: (milliseconds: number, task: () => void) => unknown;
  /** Milliseconds for measuring spans, as performance.now; without it frames are not measured. */
  preciseMs?: () => number;
};

/** Choices of the page. */
export type PageOptions = {
  /** Follow the whole book of every instrument, not only of those that are looked at. */
  followsAll?: boolean;
};

/** What a book's status says while there is no connection to the gateway. */
const FROZEN = { state: "connecting", reason: "disconnected" } as const;

const MEASURE_MS = 1_000;
const SAMPLE_EVERY_MS = 250;

/** Everything the page shows. */
export class MarketStore {
  readonly connection: Cell<Connection>;
  readonly groups = new Cell<readonly PairGroup[]>([]);
  readonly measures = new Cell<PageMeasures>({ bytesIn: 0, updates: 0, instruments: 0, synced: 0 });
  /** What the gateway measured in the last second; undefined until it told. */
  readonly statistics = new Cell<StatsMessage | undefined>(undefined);
  /** Bytes from the exchanges and bytes of the stream, second by second. */
  readonly traffic = new TrafficSeries();
  /** Opportunities between exchanges. */
  readonly arbitrage = new ArbitrageStore();
  /** Wall clock in whole seconds, for "since" texts. */
  readonly nowSeconds: Cell<number>;
  readonly #feed: MarketFeed;
  readonly #time: PageTime;
  readonly frames: FrameLoop;
  readonly #followed: FollowedBooks;
  readonly #pairSeries = new Map<string, PairSeries>();
  readonly #stores = new Map<string, InstrumentStore>();
  #names = "";
  #measuredAtMs: number;
  #measuredBytes = 0;

  constructor(feed: MarketFeed, time: PageTime, { followsAll = false }: PageOptions = {}) {
    this.#feed = feed;
    this.#time = time;
    this.#followed = new FollowedBooks((names) => feed.follow(names), followsAll);
    this.frames = new FrameLoop(time.requestFrame, time.preciseMs);
    this.#measuredAtMs = time.nowMs();
    this.connection = new Cell<Connection>({ state: "connecting", attempt: 0, reason: "", sinceMs: time.nowMs() });
    this.nowSeconds = new Cell(Math.floor(time.nowMs() / 1000));
  }

  /** Starts the feed and the clocks; to be called once. */
  start(): void {
    this.#feed.start(this.#listener());
    this.#time.every(MEASURE_MS, () => this.#measure());
    this.#time.every(SAMPLE_EVERY_MS, () => this.#sample());
    this.#time.every(COLUMN_MS, () => this.#record());
  }

  /** One instrument; undefined when the gateway has none of that name. */
  instrument(name: string): InstrumentStore | undefined {
    return this.#stores.get(name);
  }

  /** Follows whole books without recording them. @returns ends it */
  follow(names: readonly string[]): () => void {
    return this.#followed.follow(names);
  }

  /** Whether the whole book of an instrument is followed. */
  isFollowed(name: string): boolean {
    return this.#followed.has(name);
  }

  /** Follows whole books and records their depth while they are looked at. @returns ends it; the last few go on for a while */
  watch(names: readonly string[]): () => void {
    return this.#followed.watch(names);
  }

  #listener(): FeedListener {
    return {
      connectionChanged: (connection) => {
        this.connection.set(connection);
        if (connection.state !== "open") {
          this.statistics.set(undefined);
          this.traffic.interrupt();
          this.arbitrage.interrupt();
          this.#freeze(connection.sinceMs);
        }
      },
      instrumentsListed: (listed) => this.#list(listed),
      statusChanged: (status) => {
        this.#stores.get(status.instrument)?.status.set(status);
        this.#stores.get(status.instrument)?.mark();
      },
      bookChanged: (instrument, events) => this.#stores.get(instrument)?.countEvents(events),
      bestChanged: (instrument, best) => this.#stores.get(instrument)?.takeBest(best),
      copyDoubted: (instrument, isDoubted) => this.#stores.get(instrument)?.doubt(isDoubted),
      opportunitiesListed: (message) => this.arbitrage.list(message, this.#time.nowMs()),
      opportunityTold: (message) => this.arbitrage.take(message, this.#time.nowMs()),
      arbitrageRefused: () => this.arbitrage.refuse(),
      traded: (instrument, trade) => this.#stores.get(instrument)?.addTrade(trade),
      statisticsReceived: (statistics) => {
        this.statistics.set(statistics);
        this.traffic.add(statistics);
        for (const entry of statistics.instruments) {
          this.#stores.get(entry.instrument)?.takeStatistics(entry);
        }
      },
    };
  }

  #list(listed: readonly ListedInstrument[]): void {
    const known = new Set(listed.map(({ instrument }) => instrument));
    for (const name of this.#stores.keys()) {
      if (!known.has(name)) {
        this.#stores.delete(name);
      }
    }
    for (const { depth, ...status } of listed) {
      const held = this.#stores.get(status.instrument);
      if (held === undefined) {
        const store = new InstrumentStore(status, { feed: this.#feed, frames: this.frames, levelsMax: depth });
        this.#stores.set(status.instrument, store);
      } else {
        held.status.set(status);
        held.mark();
      }
    }
    const names = [...this.#stores.keys()].sort().join();
    if (names !== this.#names) {
      this.#names = names;
      this.groups.set(groupByPair([...this.#stores.values()], this.#pairSeries));
      this.#followed.list([...this.#stores.keys()]);
    }
  }

  /** Without a connection no book is known to be right. The list that follows a reconnect says what holds then. */
  #freeze(sinceMs: number): void {
    for (const store of this.#stores.values()) {
      const status = store.status.get();
      if (status.state !== FROZEN.state || status.reason !== FROZEN.reason) {
        store.status.set({ ...status, ...FROZEN, sinceMs });
        store.mark();
      }
    }
  }

  #sample(): void {
    this.arbitrage.show();
    for (const store of this.#stores.values()) {
      store.sample(this.#time.nowMs());
    }
    for (const { instruments, series } of this.groups.get()) {
      series.sample(this.#time.nowMs(), instruments);
    }
  }

  #record(): void {
    for (const name of this.#followed.recorded()) {
      this.#stores.get(name)?.record(this.#time.nowMs());
    }
  }

  #measure(): void {
    const nowMs = this.#time.nowMs();
    const seconds = Math.max((nowMs - this.#measuredAtMs) / 1000, 0.001);
    const bytes = this.#feed.bytesIn();
    const stores = [...this.#stores.values()];
    for (const store of stores) {
      store.measure(seconds);
    }
    this.measures.set({
      bytesIn: (bytes - this.#measuredBytes) / seconds,
      updates: stores.reduce((sum, store) => sum + store.updatesPerSecond.get(), 0),
      instruments: stores.length,
      synced: stores.filter((store) => store.status.get().state === "synced" && !store.isDoubted.get()).length,
    });
    this.#measuredAtMs = nowMs;
    this.#measuredBytes = bytes;
    this.nowSeconds.set(Math.floor(nowMs / 1000));
  }
}

/**
 * Groups by pair: pairs in order of name, the exchanges of a pair likewise.
 * @param kept the series of pairs that were there before; new ones are added
 */
export function groupByPair(stores: readonly InstrumentStore[], kept: Map<string, PairSeries>): PairGroup[] {
  const byPair = new Map<string, InstrumentStore[]>();
  const byName = (a: string, b: string) => (a < b ? -1 : Number(a > b));
  for (const store of [...stores].sort((a, b) => byName(a.exchange, b.exchange))) {
    byPair.set(store.pair, [...(byPair.get(store.pair) ?? []), store]);
  }
  return [...byPair.keys()].sort(byName).map((pair) => {
    const instruments = byPair.get(pair) ?? [];
    const known = kept.get(pair);
    const series = known?.isOf(instruments) === true ? known : new PairSeries(instruments);
    kept.set(pair, series);
    return { pair, instruments, series };
  });
}
