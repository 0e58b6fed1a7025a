/**
 * All instruments that the gateway serves, by name, and the patterns that clients name them by.
 * Bad case: a name that does not exist; the nearest ones are offered, because it is nearly always a spelling.
 */
import { resolveExchangeId } from "../model/exchange_id.ts";
import { type InstrumentName, ServedInstrument } from "./instrument.ts";
import type { GatewayLimits } from "./limits.ts";
import type { Outlet } from "./outlet.ts";
import type { Workspace } from "./workspace.ts";

const NEAREST_SHOWN = 3;

/** The instruments of one gateway. */
export class Instruments {
  readonly #workspace: Workspace;
  readonly #outlet: Outlet;
  readonly #limits: GatewayLimits;
  readonly #now: () => number;
  readonly #byName = new Map<string, ServedInstrument>();
  #lastAlias = 0;
  /** Hears of every instrument that appears. */
  onAppearance: (instrument: ServedInstrument) => void = () => undefined;

  constructor(workspace: Workspace, options: { outlet: Outlet; limits: GatewayLimits; now: () => number }) {
    this.#workspace = workspace;
    this.#outlet = options.outlet;
    this.#limits = options.limits;
    this.#now = options.now;
  }

  /** How many are served. */
  get size(): number {
    return this.all().length;
  }

  /** All that are served, in the order of their appearance. */
  all(): ServedInstrument[] {
    return [...this.#byName.values()].filter(({ isRemoved }) => !isRemoved);
  }

  /** By `exchange:BASE-QUOTE`; undefined when it is not served, or not any more. */
  get(name: string): ServedInstrument | undefined {
    const instrument = this.#byName.get(name);
    return instrument?.isRemoved === true ? undefined : instrument;
  }

  /** The next alias that stands for nothing yet: instruments and views take them from one row. */
  takeAlias(): number {
    this.#lastAlias += 1;
    return this.#lastAlias;
  }

  /** The instrument of that name, created when it is seen first. @throws RangeError when the arena is exhausted */
  obtain(exchange: string, symbol: string): ServedInstrument {
    const name: InstrumentName = { instrument: `${exchange}:${symbol}`, exchange, symbol };
    const known = this.#byName.get(name.instrument);
    if (known?.isRemoved === true) {
      known.comeBack();
      this.onAppearance(known);
    }
    if (known !== undefined) {
      return known;
    }
    const instrument = new ServedInstrument(this.#workspace, {
      name,
      alias: this.takeAlias(),
      outlet: this.#outlet,
      limits: this.#limits,
      now: this.#now,
    });
    this.#byName.set(name.instrument, instrument);
    this.onAppearance(instrument);
    return instrument;
  }

  /**
   * The instruments that a client's text names: `exchange:BASE-QUOTE`, `exchange:*`, `*:BASE-QUOTE` or `*:*`.
   * Aliases of exchanges are understood.
   * @param options.withRemoved also those that were removed: who subscribed one of them may end that
   * @returns empty when none matches
   */
  match(pattern: string, { withRemoved = false }: { withRemoved?: boolean } = {}): ServedInstrument[] {
    const isMeant = (instrument: ServedInstrument) => withRemoved || !instrument.isRemoved;
    if (!isPattern(pattern)) {
      const { exchange, symbol } = partsOf(pattern);
      const exact = this.#byName.get(`${exchange}:${symbol}`);
      return exact !== undefined && isMeant(exact) ? [exact] : [];
    }
    return [...this.#byName.values()].filter((one) => isMeant(one) && isNamedBy(one.name, pattern));
  }

  /** The names that are spelt most like a text, nearest first. */
  nearest(text: string): string[] {
    const wanted = bigrams(text);
    const names = this.all().map(({ name }) => name.instrument);
    const scored = names.map((name) => ({ name, score: similarity(wanted, bigrams(name)) }));
    const similar = scored.filter(({ score }) => score > 0).sort((one, other) => other.score - one.score);
    return similar.slice(0, NEAREST_SHOWN).map(({ name }) => name);
  }
}

/** True for `exchange:*`, `*:BASE-QUOTE` and `*:*`: names that may mean instruments yet to come. */
export function isPattern(text: string): boolean {
  const { exchange, symbol } = partsOf(text);
  return exchange === "*" || symbol === "*";
}

/** Whether a pattern names an instrument. */
export function isNamedBy(name: Pick<InstrumentName, "exchange" | "symbol">, pattern: string): boolean {
  const { exchange, symbol } = partsOf(pattern);
  return (exchange === "*" || exchange === name.exchange) && (symbol === "*" || symbol === name.symbol);
}

/** A name or pattern with the exchange's full id: `coinbase:BTC-USD` is `coinbase_exchange:BTC-USD`. */
export function fullName(text: string): string {
  const { exchange, symbol } = partsOf(text);
  return `${exchange}:${symbol}`;
}

/** Exchange, by its full id, and symbol of a name or pattern: what stands before the first colon, and all behind it. */
export function partsOf(text: string): { exchange: string; symbol: string } {
  const colon = text.indexOf(":");
  const exchange = text.slice(0, Math.max(colon, 0));
  return { exchange: resolveExchangeId(exchange) ?? exchange, symbol: text.slice(colon + 1) };
}

function bigrams(text: string): Set<string> {
  const plain = text.toLowerCase();
  return new Set(Array.from({ length: Math.max(plain.length - 1, 0) }, (_, index) => plain.slice(index, index + 2)));
}

/** Dice coefficient: 0 = nothing in common, 1 = the same pairs of characters. */
function similarity(one: Set<string>, other: Set<string>): number {
  const common = [...one].filter((pair) => other.has(pair)).length;
  return (2 * common) / Math.max(one.size + other.size, 1);
}
