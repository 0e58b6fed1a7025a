/**
 * The exchanges of the arbitrage load, a process of its own: the emulator with the load's pairs, what is planted in it, and
 * the truth of what crossed. Bad case: the starter goes away; it ends.
 */
import { type MarketInstrument, startEmulator } from "../emulator/mod.ts";
import {
  CrossingWatch,
  instrumentName,
  LOAD_EXCHANGES,
  loadInstruments,
  type Plant,
  Planter,
  type TrueCrossing,
} from "./arbitrage_plants.ts";
import { followStarter } from "./part.ts";

/** What the market is. */
export type ArbitrageMarketOptions = {
  readonly pairs: readonly string[];
  readonly seed: number;
  /** Factor on all event rates. */
  readonly rate: number;
  /** Between two plants, ms. */
  readonly plantEveryMs: number;
};

/** What was true. */
export type ArbitrageTruth = {
  readonly events: number;
  readonly plants: readonly Plant[];
  readonly sure: readonly TrueCrossing[];
  readonly possible: readonly TrueCrossing[];
};

/** From the market's process. */
export type MarketMessage =
  | { readonly kind: "ready"; readonly endpoints: Readonly<Record<string, { websocket: string; rest: string }>> }
  | { readonly kind: "truth"; readonly truth: ArbitrageTruth };
/** To it. */
export type MarketOrder = { readonly kind: "plant" | "finish" };

const LOOK_MS = 50;

/** Runs it. @param text ArbitrageMarketOptions as JSON */
export async function runArbitrageMarket(text: string): Promise<void> {
  const { pairs, seed, rate, plantEveryMs } = JSON.parse(text) as ArbitrageMarketOptions;
  const instruments = loadInstruments(pairs);
  const watch = new CrossingWatch();
  const planter = new Planter(instruments, seed);
  let events = 0;
  const emulator = await startEmulator({
    exchanges: LOAD_EXCHANGES,
    source: { kind: "market", rate, instruments },
    seed,
    onEvent: ({ instrument, bids, asks }) => {
      events += 1;
      const scale = 10 ** instrument.priceDecimals;
      watch.update(nameOf(instrument), { bid: bids.best / scale, ask: asks.best / scale, atMs: now() });
    },
  });
  const ended = followStarter(() => undefined);
  const say = (message: MarketMessage) => process.send?.(message);
  let timers: NodeJS.Timeout[] = [];
  const finished = new Promise<void>((resolve) => {
    process.on("message", (order: MarketOrder) => {
      if (order.kind === "plant") {
        const look = () => {
          planter.expire(now());
          watch.expire(now());
        };
        timers = [setInterval(() => planter.plant(now()), plantEveryMs), setInterval(look, LOOK_MS)];
      } else {
        resolve();
      }
    });
  });
  const endpoints = LOAD_EXCHANGES.map((id) => {
    const { websocket, rest } = emulator.endpoints[id];
    return [id, { websocket, rest }] as const;
  });
  say({ kind: "ready", endpoints: Object.fromEntries(endpoints) });
  await finished;
  for (const timer of timers) {
    clearInterval(timer);
  }
  // What crosses after the truth was told could not be held against it.
  emulator.pause();
  watch.finish(now());
  say({ kind: "truth", truth: { events, plants: planter.plants, sure: watch.sure, possible: watch.possible } });
  // The starter ends it.
  await ended;
}

const names = new Map<MarketInstrument, string>();

function nameOf(instrument: MarketInstrument): string {
  const name = names.get(instrument) ?? instrumentName(instrument);
  names.set(instrument, name);
  return name;
}

function now(): number {
  return performance.timeOrigin + performance.now();
}
