/**
 * Finds arbitrage between exchanges: after each event of a book it is compared, both ways, with every other book of the
 * same pair. Only books that are known to be right and not older than a bound count; fees are taken off; sizes and
 * profits are exact. A first look in doubles decides nearly every event, so that an update costs little.
 * Bad case: a crossing that flickers with every event; it is followed exactly, but told at most once per `reportMs`.
 */
import type { ArbitrageBook } from "./book.ts";
import { BPS_EXPONENT, type Crossing, type Direction, FEE_UNIT, findCrossing, mayCross } from "./crossing.ts";
import { type ClosingReason, describeOpportunity, type Opportunity, type OpportunityEvent } from "./opportunity.ts";

/** What counts as an opportunity. */
export type ArbitrageRules = {
  /** Taker fee of each exchange, basis points; others pay `defaultFeeBps`. */
  readonly feesBps: Readonly<Record<string, number>>;
  readonly defaultFeeBps: number;
  /** Smaller profits are none, basis points of the cost. */
  readonly profitBpsMin: number;
  /** A book whose last event is older counts for nothing. */
  readonly ageMsMax: number;
  /** An opportunity that changes is told at most so often. */
  readonly reportMs: number;
  /** Levels of a side that are looked at. */
  readonly levelsMax: number;
  /** Currencies that count as the same when they are quotes, e.g. `[["USD", "USDC"]]`; none by default. */
  readonly equivalents: readonly (readonly string[])[];
};

/** Rules that fit without configuration: fees are what the exchanges ask of small accounts. */
export const ARBITRAGE_RULES: ArbitrageRules = {
  feesBps: { coinbase_exchange: 60, kraken: 40, binance: 10, binance_us: 10 },
  defaultFeeBps: 50,
  profitBpsMin: 0,
  ageMsMax: 2000,
  reportMs: 100,
  levelsMax: 50,
  equivalents: [],
};

/** What a detector did since start. */
export type ArbitrageCounts = { updates: number; walks: number; opened: number; closed: number; suppressed: number };

type Lane = Direction & {
  crossing: Crossing | undefined;
  id: number;
  openedAtMs: number;
  changedAtMs: number;
  toldAtMs: number;
  profitBpsMax: bigint;
  /** It changed since it was told. */
  isUntold: boolean;
};

/** Follows books and tells opportunities. */
export class ArbitrageDetector {
  readonly counts: ArbitrageCounts = { updates: 0, walks: 0, opened: 0, closed: 0, suppressed: 0 };
  readonly #rules: ArbitrageRules;
  readonly #tell: (event: OpportunityEvent) => void;
  readonly #profitBpsMin: bigint;
  readonly #groups = new Map<string, ArbitrageBook[]>();
  readonly #lanes = new Map<ArbitrageBook, Lane[]>();
  readonly #open = new Set<Lane>();
  #lastId = 0;

  /**
   * @param tell called for every event, from inside `update`, `expire` and `remove`
   * @throws RangeError when a fee or bound is no usable number
   */
  constructor(rules: Partial<ArbitrageRules>, tell: (event: OpportunityEvent) => void) {
    this.#rules = { ...ARBITRAGE_RULES, ...rules };
    this.#tell = tell;
    this.#profitBpsMin = BigInt(Math.ceil(this.#rules.profitBpsMin * 10 ** BPS_EXPONENT));
    for (const fee of [this.#rules.defaultFeeBps, ...Object.values(this.#rules.feesBps)]) {
      feeParts(fee);
    }
  }

  /** Takes a book in. It counts from its next update on. */
  add(book: ArbitrageBook): void {
    const key = this.#pairOf(book);
    const group = this.#groups.get(key) ?? [];
    const lanes = group
      .filter(({ exchange }) => exchange !== book.exchange)
      .flatMap((other) => [this.#lane(book, other), this.#lane(other, book)]);
    this.#lanes.set(book, lanes);
    for (const lane of lanes) {
      this.#lanes.get(lane.buy === book ? lane.sell : lane.buy)?.push(lane);
    }
    this.#groups.set(key, [...group, book]);
  }

  /** Takes a book out; what it was part of is closed. */
  remove(book: ArbitrageBook, nowMs: number): void {
    for (const lane of this.#lanes.get(book) ?? []) {
      this.#close(lane, "removed", nowMs);
      const other = lane.buy === book ? lane.sell : lane.buy;
      const kept = this.#lanes.get(other)?.filter((one) => one !== lane) ?? [];
      this.#lanes.set(other, kept);
    }
    this.#lanes.delete(book);
    const key = this.#pairOf(book);
    const group = this.#groups.get(key)?.filter((one) => one !== book) ?? [];
    this.#groups.set(key, group);
  }

  /**
   * An event of a book ended, or what is known of it changed.
   * Cost: two multiplications per book of the pair; a walk of both books where they cross.
   */
  update(book: ArbitrageBook, nowMs: number): void {
    this.counts.updates += 1;
    for (const lane of this.#lanes.get(book) ?? []) {
      this.#judge(lane, nowMs);
    }
  }

  /** Time passed: books grow old, and changes that were held back are told. Called a few times a second. */
  expire(nowMs: number): void {
    for (const lane of [...this.#open]) {
      const reason = this.#obstacle(lane, nowMs);
      if (reason !== undefined) {
        this.#close(lane, reason, nowMs);
      } else if (lane.isUntold && nowMs - lane.toldAtMs >= this.#rules.reportMs) {
        this.#tellChange(lane, nowMs);
      }
    }
  }

  /** What is open now, best first. */
  opportunities(): Opportunity[] {
    const lanes = [...this.#open].filter(({ crossing }) => crossing !== undefined);
    lanes.sort((one, other) => compare(other.crossing?.profitBps ?? 0n, one.crossing?.profitBps ?? 0n));
    return lanes.map((lane) => this.#describe(lane)).filter((one) => one !== undefined);
  }

  #judge(lane: Lane, nowMs: number): void {
    if (lane.crossing === undefined && !mayCross(lane)) {
      return;
    }
    const obstacle = this.#obstacle(lane, nowMs);
    if (obstacle !== undefined) {
      this.#close(lane, obstacle, nowMs);
      return;
    }
    this.counts.walks += 1;
    const crossing = findCrossing(lane, this.#rules);
    if (crossing === undefined || crossing.profitBps < this.#profitBpsMin) {
      this.#close(lane, "prices", nowMs);
    } else {
      this.#hold(lane, crossing, nowMs);
    }
  }

  #hold(lane: Lane, crossing: Crossing, nowMs: number): void {
    const before = lane.crossing;
    lane.crossing = crossing;
    if (before === undefined) {
      this.#lastId += 1;
      this.counts.opened += 1;
      Object.assign(lane, {
        id: this.#lastId,
        openedAtMs: nowMs,
        changedAtMs: nowMs,
        profitBpsMax: crossing.profitBps,
      });
      this.#open.add(lane);
      this.#say(lane, "opened", nowMs);
      return;
    }
    if (isSame(before, crossing)) {
      return;
    }
    lane.changedAtMs = nowMs;
    lane.profitBpsMax = crossing.profitBps > lane.profitBpsMax ? crossing.profitBps : lane.profitBpsMax;
    if (nowMs - lane.toldAtMs >= this.#rules.reportMs) {
      this.#tellChange(lane, nowMs);
    } else {
      this.counts.suppressed += 1;
      lane.isUntold = true;
    }
  }

  #tellChange(lane: Lane, nowMs: number): void {
    this.#say(lane, "changed", nowMs);
  }

  #say(lane: Lane, event: "opened" | "changed", nowMs: number): void {
    lane.toldAtMs = nowMs;
    lane.isUntold = false;
    const opportunity = this.#describe(lane);
    if (opportunity !== undefined) {
      this.#tell({ event, opportunity });
    }
  }

  #close(lane: Lane, reason: ClosingReason, nowMs: number): void {
    const opportunity = this.#describe(lane);
    if (opportunity === undefined) {
      return;
    }
    lane.crossing = undefined;
    lane.isUntold = false;
    this.#open.delete(lane);
    this.counts.closed += 1;
    this.#tell({ event: "closed", opportunity, reason, lifetimeMs: nowMs - lane.openedAtMs });
  }

  #describe(lane: Lane): Opportunity | undefined {
    return lane.crossing === undefined ? undefined : describeOpportunity(lane, lane.crossing, lane);
  }

  /** Why two books may not be compared now. */
  #obstacle({ buy, sell }: Direction, nowMs: number): ClosingReason | undefined {
    if (!buy.isUsable || !sell.isUsable) {
      return "not_synced";
    }
    const oldest = Math.min(buy.updatedAtMs, sell.updatedAtMs);
    return nowMs - oldest > this.#rules.ageMsMax ? "stale" : undefined;
  }

  #lane(buy: ArbitrageBook, sell: ArbitrageBook): Lane {
    const fee = ({ exchange }: ArbitrageBook) => feeParts(this.#rules.feesBps[exchange] ?? this.#rules.defaultFeeBps);
    const life = { id: 0, openedAtMs: 0, changedAtMs: 0, toldAtMs: 0, profitBpsMax: 0n, isUntold: false };
    return { buy, sell, buyFee: fee(buy), sellFee: fee(sell), crossing: undefined, ...life };
  }

  #pairOf({ base, quote }: ArbitrageBook): string {
    const same = this.#rules.equivalents.find((currencies) => currencies.includes(quote));
    return `${base}-${same?.[0] ?? quote}`;
  }
}

/** A fee as parts of FEE_UNIT. @throws RangeError outside 0 … 9999 bps or finer than a part */
function feeParts(bps: number): bigint {
  const parts = Math.round((bps * Number(FEE_UNIT)) / 10_000);
  if (!(bps >= 0 && bps < 10_000) || Math.abs(parts - (bps * Number(FEE_UNIT)) / 10_000) > 1e-6) {
    throw new RangeError(`Cannot use a fee: it must be 0 … 9999 basis points in steps of 0.0001, was ${bps}`);
  }
  return BigInt(parts);
}

function isSame(one: Crossing, other: Crossing): boolean {
  return one.quantity === other.quantity && one.cost === other.cost && one.proceeds === other.proceeds;
}

function compare(one: bigint, other: bigint): number {
  return one < other ? -1 : one > other ? 1 : 0;
}
