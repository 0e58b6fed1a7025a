/**
 * The page's state behind a scripted feed, with a clock and frames that the test turns by hand: one painting per frame,
 * what a lost connection does to the books, grouping, rates.
 */
import { describe, expect, test } from "vitest";
import { bestOffers } from "../../src/dashboard/cross_prices.ts";
import { TRADES_MAX } from "../../src/dashboard/instrument_store.ts";
import { runningTotals } from "../../src/dashboard/ladder.ts";
import type {
  BookTop,
  FeedListener,
  InstrumentStatus,
  ListedInstrument,
  MarketFeed,
} from "../../src/dashboard/market_feed.ts";
import { MarketStore } from "../../src/dashboard/market_store.ts";
import { PriceSeries, SAMPLE_MS, SAMPLES_MAX } from "../../src/dashboard/price_series.ts";
import { instrumentHref, instrumentOfHash } from "../../src/dashboard/route.ts";

const KRAKEN = "kraken:BTC-USD";
const COINBASE = "coinbase_exchange:BTC-USD";

/** A feed whose events the test makes. */
class ScriptedFeed implements MarketFeed {
  readonly books = new Map<string, BookTop>();
  bytes = 0;
  followed: readonly string[] = [];
  #listener: FeedListener | undefined;

  get listener(): FeedListener {
    if (this.#listener === undefined) {
      throw new Error("Cannot script the feed: the page did not start it");
    }
    return this.#listener;
  }

  start(listener: FeedListener): void {
    this.#listener = listener;
  }

  follow(instruments: readonly string[]): void {
    this.followed = instruments;
  }

  top(instrument: string): BookTop | undefined {
    return this.books.get(instrument);
  }

  bytesIn(): number {
    return this.bytes;
  }

  close(): void {
    this.#listener = undefined;
  }
}

function startPage() {
  const feed = new ScriptedFeed();
  const clock = { nowMs: 1_000_000 };
  const frames: ((atMs: number) => void)[] = [];
  const tasks: { milliseconds: number; task: () => void }[] = [];
  const store = new MarketStore(feed, {
    nowMs: () => clock.nowMs,
    requestFrame: (callback) => frames.push(callback),
    every: (milliseconds, task) => tasks.push({ milliseconds, task }),
  });
  store.start();
  const paint = () => {
    for (const callback of frames.splice(0)) {
      callback(clock.nowMs);
    }
  };
  const pass = (milliseconds: number) => {
    clock.nowMs += milliseconds;
    for (const { task } of tasks.filter((entry) => entry.milliseconds === milliseconds)) {
      task();
    }
  };
  return { feed, clock, frames, store, paint, pass };
}

function status(instrument: string, change: Partial<InstrumentStatus> = {}): ListedInstrument {
  return {
    instrument,
    depth: 0,
    state: "synced",
    assurance: "checksum",
    reason: "none",
    trading: "open",
    sinceMs: 0,
    priceExponent: 1,
    quantityExponent: 8,
    ...change,
  };
}

function book(bid: string, ask: string): BookTop {
  return {
    bids: [[bid, "1"]],
    asks: [[ask, "2"]],
    bidLevels: 1,
    askLevels: 1,
    version: "1",
    hash: 1,
    isSynced: true,
    isCrossed: false,
    eventAtMs: 0,
    receivedAtMs: 0,
  };
}

describe("MarketStore", () => {
  test("paints an instrument once per frame when a hundred messages came", () => {
    const { feed, frames, store, paint } = startPage();
    feed.listener.instrumentsListed([status(KRAKEN), status(COINBASE)]);
    let painted = 0;
    store.instrument(KRAKEN)?.onFrame(() => {
      painted += 1;
    });
    paint();
    expect(painted).toBe(1);
    for (let message = 0; message < 100; message += 1) {
      feed.listener.bookChanged(KRAKEN, 1);
    }
    expect(frames).toHaveLength(1);
    paint();
    expect(painted).toBe(2);
    expect(frames).toHaveLength(0);
    feed.listener.bookChanged(COINBASE, 1);
    paint();
    expect(painted).toBe(2);
  });

  test("counts book events and bytes per second when a second passed", () => {
    const { feed, store, pass } = startPage();
    feed.listener.instrumentsListed([status(KRAKEN)]);
    feed.listener.bookChanged(KRAKEN, 30);
    feed.listener.bookChanged(KRAKEN, 12);
    feed.bytes = 5_000;
    pass(1_000);
    expect(store.instrument(KRAKEN)?.updatesPerSecond.get()).toBe(42);
    expect(store.measures.get()).toEqual({ bytesIn: 5_000, updates: 42, instruments: 1, synced: 1 });
    pass(1_000);
    expect(store.measures.get()).toMatchObject({ bytesIn: 0, updates: 0 });
  });

  test("does not count a book as synced while its copy is doubted", () => {
    const { feed, store, pass } = startPage();
    feed.listener.instrumentsListed([status(KRAKEN), status(COINBASE)]);
    feed.listener.copyDoubted(KRAKEN, true);
    pass(1_000);
    expect(store.instrument(KRAKEN)?.isDoubted.get()).toBe(true);
    expect(store.measures.get()).toMatchObject({ instruments: 2, synced: 1 });
    feed.listener.copyDoubted(KRAKEN, false);
    pass(1_000);
    expect(store.measures.get()).toMatchObject({ instruments: 2, synced: 2 });
  });

  test("takes every book out of synced when the connection is lost, and back when the list comes again", () => {
    const { feed, clock, store, pass } = startPage();
    feed.listener.connectionChanged({ state: "open", attempt: 0, reason: "", sinceMs: clock.nowMs });
    feed.listener.instrumentsListed([status(KRAKEN)]);
    feed.books.set(KRAKEN, book("10", "11"));
    pass(250);
    feed.listener.connectionChanged({ state: "reconnecting", attempt: 1, reason: "closed", sinceMs: clock.nowMs });
    const instrument = store.instrument(KRAKEN);
    expect(instrument?.status.get()).toMatchObject({ state: "connecting", reason: "disconnected" });
    feed.listener.connectionChanged({ state: "reconnecting", attempt: 2, reason: "refused", sinceMs: clock.nowMs + 9 });
    expect(instrument?.status.get().sinceMs).toBe(clock.nowMs);
    pass(250);
    expect(instrument?.series.columns[1]).toEqual([10, null]);
    feed.listener.instrumentsListed([status(KRAKEN)]);
    expect(store.instrument(KRAKEN)).toBe(instrument);
    expect(instrument?.status.get().state).toBe("synced");
  });

  test("groups the exchanges of a pair side by side when the list comes, and drops what is no longer listed", () => {
    const { feed, store } = startPage();
    feed.listener.instrumentsListed([status("kraken:ETH-USD"), status(KRAKEN), status(COINBASE)]);
    const shown = () => store.groups.get().map((group) => [group.pair, group.instruments.map((it) => it.exchange)]);
    expect(shown()).toEqual([
      ["BTC-USD", ["coinbase_exchange", "kraken"]],
      ["ETH-USD", ["kraken"]],
    ]);
    feed.listener.instrumentsListed([status(KRAKEN)]);
    expect(shown()).toEqual([["BTC-USD", ["kraken"]]]);
    expect(store.instrument(COINBASE)).toBeUndefined();
  });

  test("has a line for every exchange of a pair from the first moment on when exchanges come and go", () => {
    const { feed, store, pass } = startPage();
    for (const names of [[KRAKEN], [COINBASE, KRAKEN], [COINBASE]]) {
      feed.listener.instrumentsListed(names.map((name) => status(name)));
      const lines = () =>
        store.groups.get().map(({ series, instruments }) => [series.middles.length - 1, instruments.length]);
      expect(lines()).toEqual([[names.length, names.length]]);
      pass(250);
      expect(lines()).toEqual([[names.length, names.length]]);
      expect(store.groups.get()[0]?.series.count).toBe(1);
    }
    const [group] = store.groups.get();
    feed.listener.instrumentsListed([status(COINBASE)]);
    expect(store.groups.get()[0]?.series).toBe(group?.series);
  });

  test("keeps the newest trades when more came than are kept", () => {
    const { feed, store } = startPage();
    feed.listener.instrumentsListed([status(KRAKEN)]);
    for (let id = 1; id <= 2_000; id += 1) {
      const trade = { price: "1", quantity: "1", aggressor: "buy", eventAtMs: 1, isGapBefore: false } as const;
      feed.listener.traded(KRAKEN, { ...trade, id: String(id) });
    }
    const instrument = store.instrument(KRAKEN);
    expect(instrument?.trades(2).map((trade) => trade.id)).toEqual(["2000", "1999"]);
    expect(instrument?.trades(10_000)).toHaveLength(TRADES_MAX);
    expect(instrument?.tradeCount).toBe(2_000);
  });
});

describe("bestOffers", () => {
  test("compares across exchanges and leaves out a book when it is not synced", () => {
    const { feed, store } = startPage();
    feed.listener.instrumentsListed([status(KRAKEN), status(COINBASE)]);
    feed.books.set(KRAKEN, book("63498.9", "63499"));
    feed.books.set(COINBASE, book("63498.10", "63498.80"));
    const instruments = store.groups.get()[0]?.instruments ?? [];
    expect(bestOffers(instruments)).toEqual({
      bid: { price: "63498.9", exchange: "kraken" },
      ask: { price: "63498.80", exchange: "coinbase_exchange" },
      isCrossed: true,
    });
    feed.listener.statusChanged(status(COINBASE, { state: "resyncing", reason: "gap" }));
    expect(bestOffers(instruments)).toBeUndefined();
  });
});

describe("PriceSeries", () => {
  test("keeps at most one point per interval and a bounded number when sampled without end", () => {
    const series = new PriceSeries();
    expect(series.sample(0, { bid: "1", ask: "2" })).toBe(true);
    expect(series.sample(SAMPLE_MS - 1, { bid: "1", ask: "2" })).toBe(false);
    for (let point = 1; point <= 3 * SAMPLES_MAX; point += 1) {
      series.sample(point * SAMPLE_MS, { bid: `${point}`, ask: `${point}.5` });
    }
    const [seconds, bids] = series.columns;
    expect(seconds.length).toBeGreaterThanOrEqual(SAMPLES_MAX);
    expect(seconds.length).toBeLessThan(1.2 * SAMPLES_MAX);
    expect(bids.at(-1)).toBe(3 * SAMPLES_MAX);
    expect(series.at(seconds.length - 1)).toEqual({ bid: `${3 * SAMPLES_MAX}`, ask: `${3 * SAMPLES_MAX}.5` });
    expect(series.count).toBe(3 * SAMPLES_MAX + 1);
  });

  test("tells the move of the midpoint in basis points when there are two points", () => {
    const series = new PriceSeries();
    series.sample(0, { bid: "99.5", ask: "100.5" });
    expect(series.change()).toBeUndefined();
    series.sample(1_000, { bid: "99.6", ask: "100.6" });
    expect(series.change()).toBe("+10.00");
    series.sample(2_000, { bid: "99.4", ask: "100.4" });
    expect(series.change()).toBe("-10.01");
  });
});

test("runningTotals adds exactly when doubles would not", () => {
  expect(
    runningTotals([
      ["1", "0.1"],
      ["2", "0.2"],
      ["3", "9007199254740993"],
    ]),
  ).toEqual(["0.1", "0.3", "9007199254740993.3"]);
});

test("instrumentOfHash gives back the name when instrumentHref made the address", () => {
  for (const name of [KRAKEN, "x:A%B/C-USD", "x:Ä-USD"]) {
    expect(instrumentOfHash(instrumentHref(name))).toBe(name);
  }
  expect(["", "#", "#/"].map(instrumentOfHash)).toEqual([undefined, undefined, undefined]);
  expect(instrumentOfHash("#/%E0%A4%A")).toBe("%E0%A4%A");
});
