/**
 * An instrument added and removed while the whole engine runs: collectors in worker threads against emulated exchanges
 * over real sockets, a gateway, a client. Every other instrument keeps its socket, its subscription, its table entry and
 * its version chain. Bad case: a machine with one slow core; deadlines are many times what is needed.
 */
import { afterEach, describe, expect, it } from "vitest";
import {
  COUNTER_GAPS,
  COUNTER_RECONNECTS,
  COUNTER_RESYNCS,
  STATE_RETIRED,
  STATE_SYNCED,
} from "../../assembly/layout.ts";
import { type ClientEvent, connect, type StreamClient } from "../../src/client/mod.ts";
import { type Engine, startEngine } from "../../src/commands/engine.ts";
import { feedControl } from "../../src/commands/feeds.ts";
import { openLog } from "../../src/commands/log.ts";
import { loadConfig, selectExchanges } from "../../src/config/mod.ts";
import { type Emulator, startEmulator } from "../../src/emulator/mod.ts";
import { EXCHANGES } from "../../src/exchanges/mod.ts";
import { collectorRanges } from "../../src/feed/supervisor.ts";
import { EXCHANGE_IDS, type ExchangeId } from "../../src/model/exchange_id.ts";
import { MemoryMap, memoryBytes } from "../../src/segment/memory_map.ts";
import { type InstrumentEntry, SegmentView } from "../../src/segment/view.ts";
import { WitnessSocket } from "../support/server_messages.ts";

const PATIENCE = { timeout: 40_000, interval: 50 };
const closers: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) {
    await close();
  }
});

type World = {
  emulator: Emulator;
  engine: Engine;
  map: MemoryMap;
  client: StreamClient;
  events: ClientEvent[];
  /** Of the log. */
  lines: string[];
};

async function start(flags: Record<string, unknown> = {}): Promise<World> {
  const emulator = await startEmulator({ exchanges: EXCHANGE_IDS, source: { kind: "market", rate: 4 }, seed: 11 });
  closers.push(() => emulator.close());
  const endpoints = EXCHANGE_IDS.flatMap((id) => [
    [`exchanges.${id}.websocket_urls`, emulator.endpoints[id].websocket],
    [`exchanges.${id}.rest_url`, emulator.endpoints[id].rest],
  ]);
  const common = { exchange: [...EXCHANGE_IDS], port: 0, log_level: "silent", "collector.restart_base_ms": 200 };
  const config = loadConfig({ flags: { ...common, ...Object.fromEntries(endpoints), ...flags } });
  const ranges = [...collectorRanges(config, selectExchanges(config)), config.gateway.arenaBytes];
  const map = new MemoryMap(memoryBytes(ranges));
  const lines: string[] = [];
  const log = openLog("info", { format: "json", write: (line) => lines.push(line) });
  const engine = await startEngine(config, log, { map });
  closers.push(() => engine.close());
  const client = connect(`${engine.gateway.url.replace("http", "ws")}/ws`, { WebSocket: WitnessSocket });
  closers.push(() => client.close());
  const events: ClientEvent[] = [];
  client.on((event) => events.push(event));
  client.subscribe({ channels: ["book", "trades"], instruments: ["*:*"] });
  return { emulator, engine, map, client, events, lines };
}

/** Table entries in use, by `exchange:BASE-QUOTE`. */
function entries({ engine, map }: World): Map<string, InstrumentEntry> {
  const all = engine.supervisor.segments().flatMap(({ exchange, address }) => {
    const used = new SegmentView(map.memory.buffer, address)
      .instruments()
      .filter(({ state }) => state !== STATE_RETIRED);
    return used.map((entry) => [`${exchange}:${entry.canonical}`, entry] as const);
  });
  return new Map(all);
}

function syncedNames(world: World): string[] {
  return [...entries(world)]
    .filter(([, { state }]) => state === STATE_SYNCED)
    .map(([name]) => name)
    .sort();
}

/** What must not change for those that nobody touched. */
function standing(world: World, names: readonly string[]) {
  const table = entries(world);
  const counts = world.emulator.counts();
  const segments = world.engine.supervisor.segments().map(({ exchange, address }) => {
    const view = new SegmentView(world.map.memory.buffer, address);
    const counters = [COUNTER_GAPS, COUNTER_RECONNECTS, COUNTER_RESYNCS].map((counter) => view.counter(counter));
    return { exchange, address, epoch: view.header.epoch, counters };
  });
  return {
    segments,
    entries: names.map((name) => [name, table.get(name)?.id, table.get(name)?.sinceNs, table.get(name)?.state]),
    sockets: EXCHANGE_IDS.map((id) => [counts[id]?.connections, counts[id]?.openConnections]),
    subscriptions: names.map((name) => {
      const [id = "kraken", canonical = ""] = name.split(":") as [ExchangeId, string];
      return counts[id]?.bookSubscriptions[EXCHANGES[id].nativeName(canonical)];
    }),
    interruptions: world.events.filter(
      (event) => (event.type === "reset" || event.type === "resync") && names.includes(event.instrument),
    ),
  };
}

const solOf = (id: ExchangeId) => (id === "binance" ? "SOL-USDT" : "SOL-USD");
const nameOf = (id: ExchangeId) => `${id}:${solOf(id)}`;

async function untilServed(world: World, names: readonly string[]): Promise<void> {
  await expect.poll(() => syncedNames(world), PATIENCE).toEqual([...names].sort());
  await expect.poll(() => names.filter((name) => world.client.peek(name)?.isSynced !== true), PATIENCE).toEqual([]);
}

describe("an instrument at run time", () => {
  it("comes and goes on each exchange while all others keep socket, subscription, entry and version chain", async () => {
    const world = await start();
    await expect.poll(() => entries(world).size, PATIENCE).toBe(8);
    const others = [...entries(world).keys()];
    await untilServed(world, others);
    const before = standing(world, others);

    const added = await Promise.all(EXCHANGE_IDS.map((id) => world.engine.supervisor.change("add", id, solOf(id))));
    expect(added.map(({ kind }) => kind)).toEqual(EXCHANGE_IDS.map(() => "added"));
    await untilServed(world, [...others, ...EXCHANGE_IDS.map(nameOf)]);
    expect(standing(world, others)).toEqual(before);

    world.emulator.pause();
    await expect.poll(() => EXCHANGE_IDS.filter((id) => !isTrue(world, id)), PATIENCE).toEqual([]);
    world.emulator.resume();

    const removed = await Promise.all(
      EXCHANGE_IDS.map((id) => world.engine.supervisor.change("remove", id, solOf(id))),
    );
    expect(removed.map(({ kind }) => kind)).toEqual(EXCHANGE_IDS.map(() => "removed"));
    expect(syncedNames(world)).toEqual([...others].sort());
    await expect.poll(() => EXCHANGE_IDS.filter((id) => !isToldRemoved(world, id)), PATIENCE).toEqual([]);
    expect(EXCHANGE_IDS.map((id) => world.engine.gateway.book(nameOf(id)))).toEqual(EXCHANGE_IDS.map(() => undefined));
    const listed = world.engine.gateway.stats().instruments.map(({ instrument }) => instrument);
    expect(listed.sort()).toEqual([...others].sort());
    const leftovers = () =>
      EXCHANGE_IDS.filter((id) => {
        const native = EXCHANGES[id].nativeName(solOf(id));
        return (world.emulator.counts()[id]?.bookSubscriptions[native] ?? 0) > 1;
      });
    expect(leftovers()).toEqual([]);
    expect(standing(world, others)).toEqual(before);

    await world.engine.supervisor.change("add", "kraken", "SOL-USD");
    await untilServed(world, [...others, "kraken:SOL-USD"]);
    expect(standing(world, others)).toEqual(before);
  });

  it("is refused with the nearest names where it does not exist, and a repetition changes nothing", async () => {
    const world = await start({ exchange: ["kraken"] });
    await untilServed(world, ["kraken:BTC-USD", "kraken:ETH-USD"]);
    const { supervisor } = world.engine;
    expect(await supervisor.change("add", "kraken", "SOLL-USD")).toMatchObject({
      kind: "refused",
      code: "unknown_instrument",
      nearest: ["SOL-USD"],
    });
    expect(await supervisor.change("add", "binance", "SOL-USDT")).toMatchObject({
      kind: "refused",
      code: "unknown_exchange",
      nearest: ["kraken"],
    });
    expect(await supervisor.change("add", "kraken", "BTC-USD")).toEqual({ kind: "already_there" });
    expect(await supervisor.change("remove", "kraken", "SOL-USD")).toEqual({ kind: "not_there" });
    expect(supervisor.feeds()).toEqual([{ exchange: "kraken", instruments: ["BTC-USD", "ETH-USD"] }]);
  });

  it("outlives the collector's worker: the next one begins with what is wanted by then", async () => {
    const world = await start({ exchange: ["kraken"] });
    const { supervisor } = world.engine;
    await supervisor.change("add", "kraken", "SOL-USD");
    await untilServed(world, ["kraken:BTC-USD", "kraken:ETH-USD", "kraken:SOL-USD"]);
    supervisor.replace("kraken");
    await expect.poll(() => supervisor.change("remove", "kraken", "ETH-USD"), PATIENCE).toEqual({ kind: "removed" });
    await expect.poll(() => supervisor.restarts, PATIENCE).toBe(1);
    await untilServed(world, ["kraken:BTC-USD", "kraken:SOL-USD"]);
    await expect
      .poll(() => world.engine.gateway.stats().instruments.map(({ instrument }) => instrument), PATIENCE)
      .toEqual(["kraken:BTC-USD", "kraken:SOL-USD"]);
  });

  it("is controlled as REST does it, and the log tells each change of its state once, with the reason", async () => {
    const world = await start({ exchange: ["kraken"] });
    const feeds = feedControl(world.engine.supervisor);
    expect(await feeds.add("mtgox", "BTC-USD")).toMatchObject({ kind: "refused", code: "unknown_exchange" });
    expect(await feeds.add("kraken", "SOL-USD")).toEqual({ kind: "added" });
    await untilServed(world, ["kraken:BTC-USD", "kraken:ETH-USD", "kraken:SOL-USD"]);
    expect(feeds.list()).toEqual(["BTC-USD", "ETH-USD", "SOL-USD"].map((symbol) => ({ exchange: "kraken", symbol })));
    expect(await feeds.remove("kraken", "SOL-USD")).toEqual({ kind: "removed" });
    const told = () =>
      world.lines
        .map((line) => JSON.parse(line) as Record<string, unknown>)
        .filter(({ instrument, state }) => instrument === "SOL/USD" && state !== undefined)
        .map(({ level, state, reason, was }) => ({ level, state, reason, was }));
    await expect.poll(told, PATIENCE).toEqual([
      { level: "info", state: "waiting", reason: "waiting_snapshot", was: "connecting" },
      { level: "info", state: "synced", reason: "none", was: "waiting" },
      { level: "info", state: "retired", reason: "removed", was: "synced" },
    ]);
  });
});

/** The gateway's book of SOL is the exchange's, as far as it was told. */
function isTrue({ engine, emulator }: World, id: ExchangeId): boolean {
  const ours = engine.gateway.book(nameOf(id), 10);
  const truth = emulator.trueBook(id, EXCHANGES[id].nativeName(solOf(id)));
  const same = (one: readonly (readonly string[])[], other: readonly (readonly string[])[]) =>
    one.length > 0 &&
    one.every(([price, quantity], index) => {
      const [truePrice, trueQuantity] = other[index] ?? [];
      return Number(price) === Number(truePrice) && Number(quantity) === Number(trueQuantity);
    });
  return ours !== undefined && same(ours.bids, truth.bids) && same(ours.asks, truth.asks);
}

/** The client was told why, and holds no book that it could take for right. */
function isToldRemoved({ client, events }: World, id: ExchangeId): boolean {
  const name = nameOf(id);
  const isStatus = (event: ClientEvent) =>
    event.type === "status" && event.instrument === name && event.state === "retired" && event.reason === "removed";
  const isReset = (event: ClientEvent) =>
    event.type === "reset" && event.instrument === name && event.reason === "removed" && event.channel === "book";
  return events.some(isStatus) && events.some(isReset) && client.peek(name)?.isSynced !== true;
}
