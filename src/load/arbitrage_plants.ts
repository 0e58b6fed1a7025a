/**
 * What is planted in the market of the arbitrage load: ten pairs at three exchanges, all around one fair price, and one
 * exchange of a pair that leaves it for some seconds. Beside it the truth: from when to when two books of the exchanges'
 * own crossed by more than the fees, by a margin that nobody can miss, and by one that nobody may exceed.
 * Bad case: a market that is silent while something is planted; no book moves, nothing crosses, nothing is expected.
 */
import type { MarketInstrument } from "../emulator/mod.ts";
import { Random } from "../emulator/random.ts";
import type { ExchangeId } from "../model/exchange_id.ts";

/** Where the pairs are traded. */
export const LOAD_EXCHANGES = ["coinbase_exchange", "kraken", "binance"] as const satisfies readonly ExchangeId[];

/** All pairs there can be: three bases in several currencies, which the market prices alike. */
export const LOAD_PAIRS = ["USD", "EUR", "GBP", "CHF"].flatMap((quote) =>
  ["BTC", "ETH", "SOL"].map((base) => `${base}-${quote}`),
);

/** Taker fee of every exchange, basis points. */
export const LOAD_FEE_BPS = 10;

/** A crossing of two books of the exchanges. */
export type TrueCrossing = {
  /** `exchange:PAIR > exchange:PAIR`, bought first. */
  readonly lane: string;
  readonly fromMs: number;
  readonly untilMs: number;
};

/** A pair at an exchange that left the fair price. */
export type Plant = {
  readonly instrument: string;
  readonly shiftBps: number;
  readonly fromMs: number;
  readonly untilMs: number;
};

/** Best prices of a book, and when it changed. */
export type TrueTop = { readonly bid: number; readonly ask: number; readonly atMs: number };

const MILLIONTHS_PER_BPS = 100;
const SHIFT_BPS_MIN = 60;
const SHIFT_BPS_SPAN = 100;
const PLANT_MS_MIN = 3000;
const PLANT_MS_SPAN = 5000;
const LEVELS = 600;
const EVENTS_PER_SECOND = 6;
/** By so much more than the fees, parts of one: sure · by so much less: possible. */
const MARGIN = 0.0005;
/** Both books are younger than this: sure. */
const FRESH_MS = 1000;

/** The listings of the market; the shift of one is its basis. */
export function loadInstruments(pairs: readonly string[]): MarketInstrument[] {
  return LOAD_EXCHANGES.flatMap((exchange) => pairs.map((pair) => instrumentOf(exchange, pair)));
}

function instrumentOf(exchange: ExchangeId, pair: string): MarketInstrument {
  const [base = "", quote = ""] = pair.split("-");
  const decimals = exchange === "kraken" && base === "BTC" ? 1 : 2;
  const native = { kraken: `${base}/${quote}`, binance: `${base}${quote}` }[exchange as string] ?? pair;
  const quantityDecimals = exchange === "binance" ? 5 : 8;
  return {
    exchange,
    native,
    base,
    quote,
    priceDecimals: decimals,
    pricePadding: exchange === "binance" ? 8 : decimals,
    quantityDecimals,
    quantityPadding: 8,
    levels: LEVELS,
    eventsPerSecond: EVENTS_PER_SECOND,
    changesPerEvent: 2.5,
    changesMax: 60,
    tradeShare: 0.14,
    basisMillionths: 0,
  };
}

/** Plants one after the other, several at a time. */
export class Planter {
  readonly plants: Plant[] = [];
  readonly #instruments: readonly MarketInstrument[];
  readonly #random: Random;
  readonly #active = new Map<MarketInstrument, Plant>();

  /** @param instruments the objects that the market itself holds */
  constructor(instruments: readonly MarketInstrument[], seed: number) {
    this.#instruments = instruments;
    this.#random = new Random(seed, "plants");
  }

  /** Lets one more instrument leave the fair price, of a pair that is at peace. */
  plant(nowMs: number): void {
    const busy = new Set([...this.#active.keys()].map(pairOf));
    const free = this.#instruments.filter((one) => !busy.has(pairOf(one)));
    const chosen = free[this.#random.below(Math.max(1, free.length))];
    if (chosen !== undefined) {
      const size = SHIFT_BPS_MIN + this.#random.below(SHIFT_BPS_SPAN);
      const shiftBps = this.#random.chance(0.5) ? size : -size;
      const untilMs = nowMs + PLANT_MS_MIN + this.#random.below(PLANT_MS_SPAN);
      const plant = { instrument: instrumentName(chosen), shiftBps, fromMs: nowMs, untilMs };
      chosen.basisMillionths = shiftBps * MILLIONTHS_PER_BPS;
      this.#active.set(chosen, plant);
      this.plants.push(plant);
    }
  }

  /** Ends what is over. */
  expire(nowMs: number): void {
    for (const [instrument, { untilMs }] of this.#active) {
      if (nowMs >= untilMs) {
        instrument.basisMillionths = 0;
        this.#active.delete(instrument);
      }
    }
  }
}

/** `exchange:BASE-QUOTE` */
export function instrumentName({ exchange, base, quote }: MarketInstrument): string {
  return `${exchange}:${base}-${quote}`;
}

function pairOf({ base, quote }: MarketInstrument): string {
  return `${base}-${quote}`;
}

type LaneState = { sureFromMs: number | undefined; possibleFromMs: number | undefined };

/** Follows the exchanges' own books. */
export class CrossingWatch {
  readonly sure: TrueCrossing[] = [];
  readonly possible: TrueCrossing[] = [];
  readonly #feeShare = LOAD_FEE_BPS / 10_000;
  readonly #tops = new Map<string, TrueTop>();
  readonly #lanes = new Map<string, LaneState>();

  /** A book changed. @param instrument `exchange:BASE-QUOTE` */
  update(instrument: string, top: TrueTop): void {
    this.#tops.set(instrument, top);
    const pair = instrument.slice(instrument.indexOf(":"));
    for (const exchange of LOAD_EXCHANGES) {
      const other = `${exchange}${pair}`;
      if (other !== instrument) {
        this.#judge([instrument, other], top.atMs);
        this.#judge([other, instrument], top.atMs);
      }
    }
  }

  /** Time passed: books grow old. */
  expire(nowMs: number): void {
    for (const lane of this.#lanes.keys()) {
      const [buy = "", sell = ""] = lane.split(" > ");
      this.#judge([buy, sell], nowMs);
    }
  }

  /** Nothing more comes. */
  finish(nowMs: number): void {
    for (const [lane, state] of this.#lanes) {
      this.#note(lane, state, { isSure: false, isPossible: false, nowMs });
    }
  }

  #judge([buy, sell]: readonly [string, string], nowMs: number): void {
    const [bought, sold] = [this.#tops.get(buy), this.#tops.get(sell)];
    if (bought === undefined || sold === undefined) {
      return;
    }
    const lane = `${buy} > ${sell}`;
    const state = this.#lanes.get(lane) ?? { sureFromMs: undefined, possibleFromMs: undefined };
    this.#lanes.set(lane, state);
    const gain = (sold.bid * (1 - this.#feeShare)) / (bought.ask * (1 + this.#feeShare)) - 1;
    const isFresh = nowMs - Math.min(bought.atMs, sold.atMs) <= FRESH_MS;
    this.#note(lane, state, { isSure: gain > MARGIN && isFresh, isPossible: gain > -MARGIN, nowMs });
  }

  #note(
    lane: string,
    state: LaneState,
    { isSure, isPossible, nowMs }: { isSure: boolean; isPossible: boolean; nowMs: number },
  ): void {
    if (isSure) {
      state.sureFromMs ??= nowMs;
    } else if (state.sureFromMs !== undefined) {
      this.sure.push({ lane, fromMs: state.sureFromMs, untilMs: nowMs });
      state.sureFromMs = undefined;
    }
    if (isPossible) {
      state.possibleFromMs ??= nowMs;
    } else if (state.possibleFromMs !== undefined) {
      this.possible.push({ lane, fromMs: state.possibleFromMs, untilMs: nowMs });
      state.possibleFromMs = undefined;
    }
  }
}
