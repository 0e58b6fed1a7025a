/**
 * The page's state: the connection, the instruments grouped by pair, and what is measured once a second. Fed by a
 * MarketFeed; read by components through cells and by painters once per frame.
 * Bad case: the gateway forgets an instrument: its store is dropped, and a card that still shows it paints its last book.
 */
import { Cell } from "./cell.ts";
import { FrameLoop } from "./frame_loop.ts";
import { InstrumentStore } from "./instrument_store.ts";
import type {
  Connection,
  ExchangeTotals,
  FeedListener,
  GatewayTotals,
  InstrumentStatus,
  MarketFeed,
} from "./market_feed.ts";

/** The instruments of one canonical pair, e.g. BTC-USD on each exchange that lists it. */
export type PairGroup = { pair: string; instruments: readonly InstrumentStore[] };

/** Per second, of the page. */
export type PageRates = { bytesIn: number; updates: number };

/** Per second and summed, of one exchange. */
export type ExchangeRates = ExchangeTotals & { framesPerSecond: number; bytesPerSecond: number };

/** Per second, of the gateway. */
export type GatewayRates = {
  clients: number;
  bytesOut: number;
  messagesOut: number;
  bytesIn: number;
  dropped: number;
  exchanges: readonly ExchangeRates[];
};

/** Clock, timers and frames of the page. */
export type PageTime = {
  /** Wall clock, milliseconds. */
  nowMs: () => number;
  requestFrame: (callback: (atMs: number) => void) => unknown;
  /** As setInterval. */
  every: (milliseconds: number, task: () => void) => unknown;
};

/** Why books are not synced while there is no connection to the gateway. */
export const FROZEN_REASON = "no connection to the gateway";

const MEASURE_MS = 1_000;
const SAMPLE_EVERY_MS = 250;

/** Everything the page shows. */
export class MarketStore {
  readonly connection: Cell<Connection>;
  readonly groups = new Cell<readonly PairGroup[]>([]);
  readonly pageRates = new Cell<PageRates>({ bytesIn: 0, updates: 0 });
  /** Undefined until the gateway sent its statistics twice. */
  readonly gatewayRates = new Cell<GatewayRates | undefined>(undefined);
  /** Wall clock in whole seconds, for "since" texts. */
  readonly nowSeconds: Cell<number>;
  readonly #feed: MarketFeed;
  readonly #time: PageTime;
  readonly #frames: FrameLoop;
  readonly #stores = new Map<string, InstrumentStore>();
  #totals: GatewayTotals | undefined;
  #measuredAtMs: number;
  #measuredBytes = 0;

  constructor(feed: MarketFeed, time: PageTime) {
    this.#feed = feed;
    this.#time = time;
    this.#frames = new FrameLoop(time.requestFrame);
    this.#measuredAtMs = time.nowMs();
    this.connection = new Cell<Connection>({ state: "connecting", attempt: 0, reason: "", sinceMs: time.nowMs() });
    this.nowSeconds = new Cell(Math.floor(time.nowMs() / 1000));
  }

  /** Starts the feed and the clocks; to be called once. */
  start(): void {
    this.#feed.start(this.#listener());
    this.#time.every(MEASURE_MS, () => this.#measure());
    this.#time.every(SAMPLE_EVERY_MS, () => this.#sample());
  }

  /** One instrument; undefined when the gateway has none of that name. */
  instrument(name: string): InstrumentStore | undefined {
    return this.#stores.get(name);
  }

  #listener(): FeedListener {
    return {
      connectionChanged: (connection) => {
        this.connection.set(connection);
        if (connection.state !== "open") {
          this.#freeze(connection.sinceMs);
        }
      },
      instrumentsListed: (statuses) => this.#list(statuses),
      statusChanged: (status) => {
        this.#stores.get(status.instrument)?.status.set(status);
        this.#stores.get(status.instrument)?.mark();
      },
      bookChanged: (instrument, events) => this.#stores.get(instrument)?.countEvents(events),
      traded: (instrument, trade) => this.#stores.get(instrument)?.addTrade(trade),
      totalsReceived: (totals) => this.#receiveTotals(totals),
    };
  }

  #list(statuses: readonly InstrumentStatus[]): void {
    const listed = new Set(statuses.map((status) => status.instrument));
    for (const name of this.#stores.keys()) {
      if (!listed.has(name)) {
        this.#stores.delete(name);
      }
    }
    for (const status of statuses) {
      const held = this.#stores.get(status.instrument);
      if (held === undefined) {
        const store = new InstrumentStore(status, { feed: this.#feed, frames: this.#frames });
        this.#stores.set(status.instrument, store);
      } else {
        held.status.set(status);
        held.mark();
      }
    }
    this.groups.set(groupByPair([...this.#stores.values()]));
  }

  /** Without a connection no book is known to be right. The list that follows a reconnect says what holds then. */
  #freeze(sinceMs: number): void {
    for (const store of this.#stores.values()) {
      const status = store.status.get();
      if (status.reason !== FROZEN_REASON) {
        store.status.set({ ...status, state: "connecting", reason: FROZEN_REASON, sinceMs });
        store.mark();
      }
    }
  }

  #sample(): void {
    for (const store of this.#stores.values()) {
      store.sample(this.#time.nowMs());
    }
  }

  #measure(): void {
    const nowMs = this.#time.nowMs();
    const seconds = Math.max((nowMs - this.#measuredAtMs) / 1000, 0.001);
    const bytes = this.#feed.bytesIn();
    let updates = 0;
    for (const store of this.#stores.values()) {
      store.measure(seconds);
      updates += store.updatesPerSecond.get();
    }
    this.pageRates.set({ bytesIn: (bytes - this.#measuredBytes) / seconds, updates });
    this.#measuredAtMs = nowMs;
    this.#measuredBytes = bytes;
    this.nowSeconds.set(Math.floor(nowMs / 1000));
  }

  #receiveTotals(totals: GatewayTotals): void {
    const before = this.#totals;
    this.#totals = totals;
    if (before !== undefined && totals.atMs > before.atMs) {
      this.gatewayRates.set(gatewayRates(before, totals));
    }
  }
}

/** Groups by pair: pairs in order of name, the exchanges of a pair likewise. */
export function groupByPair(stores: readonly InstrumentStore[]): PairGroup[] {
  const byPair = new Map<string, InstrumentStore[]>();
  const byName = (a: string, b: string) => (a < b ? -1 : Number(a > b));
  for (const store of [...stores].sort((a, b) => byName(a.exchange, b.exchange))) {
    byPair.set(store.pair, [...(byPair.get(store.pair) ?? []), store]);
  }
  return [...byPair].map(([pair, instruments]) => ({ pair, instruments })).sort((a, b) => byName(a.pair, b.pair));
}

/** Rates from two sums; a sum that went back (the gateway restarted) counts from 0. */
export function gatewayRates(before: GatewayTotals, after: GatewayTotals): GatewayRates {
  const seconds = (after.atMs - before.atMs) / 1000;
  const rate = (now: number, then: number) => Math.max(now >= then ? now - then : now, 0) / seconds;
  const exchanges = after.exchanges.map((totals) => {
    const held = before.exchanges.find((other) => other.exchange === totals.exchange);
    return {
      ...totals,
      framesPerSecond: rate(totals.frames, held?.frames ?? totals.frames),
      bytesPerSecond: rate(totals.frameBytes, held?.frameBytes ?? totals.frameBytes),
    };
  });
  return {
    clients: after.clients,
    dropped: after.dropped,
    bytesOut: rate(after.bytesOut, before.bytesOut),
    messagesOut: rate(after.messagesOut, before.messagesOut),
    bytesIn: exchanges.reduce((sum, totals) => sum + totals.bytesPerSecond, 0),
    exchanges,
  };
}
