/**
 * Finds arbitrage between exchanges, and in circles within one: after each event of a book every lane that it is part of is
 * judged. Only books that are known to be right and not older than a bound count; fees are taken off; sizes and profits
 * are exact. A first look in doubles decides nearly every event, so that an update costs little.
 * Bad case: a crossing that flickers with every event; it is followed exactly, but what is told of a lane is bounded: an
 * opening or a change at most once per `reportMs`, a closing only of what was told to be open.
 */
import type { ClosingReason, Opportunity, OpportunityEventWord, OpportunityMessage } from "../wire/opportunity.ts";
import type { ArbitrageBook } from "./book.ts";
import type { Crossing } from "./crossing.ts";
import { feeParts, profitUnits } from "./fee_parts.ts";
import { type Lane, Lanes } from "./lane.ts";
import { describeOpportunity, shownMs } from "./opportunity.ts";

/** What counts as an opportunity. */
export type ArbitrageRules = {
  /** Taker fee of each exchange, basis points. An exchange that is not named takes no part. */
  readonly feesBps: Readonly<Record<string, number>>;
  /** Smaller profits are none, basis points of what is paid. */
  readonly profitBpsMin: number;
  /** A book whose last event is older counts for nothing. */
  readonly ageMsMax: number;
  /** What changes is told at most so often. */
  readonly reportMs: number;
  /** Levels of a side that are looked at. */
  readonly levelsMax: number;
  /** Currencies that count as the same when they are quotes, e.g. `[["USD", "USDC"]]`; none by default. */
  readonly equivalents: readonly (readonly string[])[];
  /** Circles through three books of one exchange, too. */
  readonly triangular: boolean;
};

/** Everything but the fees. */
export const ARBITRAGE_RULES: Omit<ArbitrageRules, "feesBps"> = {
  profitBpsMin: 0,
  ageMsMax: 2000,
  reportMs: 100,
  levelsMax: 50,
  equivalents: [],
  triangular: false,
};

/**
 * What a detector did since start: events of books, walks of books that nearly crossed, opportunities opened and closed,
 * openings, changes and closings that were not told by themselves.
 */
export type ArbitrageCounts = Record<"updates" | "walks" | "opened" | "closed" | "suppressed", number>;

/** What is told of an opportunity. */
export type OpportunityEvent = Omit<OpportunityMessage, "type">;

/** Follows books and tells opportunities. */
export class ArbitrageDetector {
  readonly counts: ArbitrageCounts = { updates: 0, walks: 0, opened: 0, closed: 0, suppressed: 0 };
  readonly #rules: ArbitrageRules;
  readonly #tell: (event: OpportunityEvent) => void;
  readonly #profitBpsMin: bigint;
  readonly #fees: ReadonlyMap<string, bigint>;
  readonly #lanes: Lanes;
  readonly #open = new Set<Lane>();
  #lastId = 0;

  /**
   * @param rules the fees, and what differs from ARBITRAGE_RULES
   * @param tell called for every event, from inside `update`, `expire` and `remove`
   * @throws RangeError when a fee or bound is no usable number
   */
  constructor(
    rules: Partial<ArbitrageRules> & Pick<ArbitrageRules, "feesBps">,
    tell: (event: OpportunityEvent) => void,
  ) {
    this.#rules = { ...ARBITRAGE_RULES, ...rules };
    this.#tell = tell;
    const { feesBps, profitBpsMin, ageMsMax, reportMs, levelsMax, equivalents, triangular } = this.#rules;
    this.#profitBpsMin = profitUnits(profitBpsMin);
    this.#fees = new Map(Object.entries(feesBps).map(([exchange, bps]) => [exchange, feeParts(bps)]));
    for (const [name, value] of Object.entries({ ageMsMax, reportMs, levelsMax })) {
      if (!(value >= 0)) {
        throw new RangeError(`Cannot look for arbitrage: ${name} must be at least 0, was ${value}`);
      }
    }
    this.#lanes = new Lanes({ fee: (exchange) => this.#fees.get(exchange) ?? 0n, equivalents, triangular });
  }

  /** Opportunities that are open. */
  get openCount(): number {
    return this.#open.size;
  }

  /** Takes a book in; it counts from its next update on. @returns false when the fee of its exchange is not known */
  add(book: ArbitrageBook): boolean {
    const isKnown = this.#fees.has(book.exchange);
    if (isKnown) {
      this.#lanes.add(book);
    }
    return isKnown;
  }

  /** A book has others to be compared with. */
  compares(book: ArbitrageBook): boolean {
    return this.#lanes.of(book).length > 0;
  }

  /** Takes a book out; what it was part of is closed. */
  remove(book: ArbitrageBook, nowMs: number): void {
    for (const lane of this.#lanes.remove(book)) {
      this.#close(lane, "removed", nowMs);
    }
  }

  /**
   * An event of a book ended, or what is known of it changed.
   * Cost: a few multiplications per lane; a walk of its books where they cross.
   */
  update(book: ArbitrageBook, nowMs: number): void {
    this.counts.updates += 1;
    for (const lane of this.#lanes.of(book)) {
      this.#judge(lane, nowMs);
    }
  }

  /** Time passed: books grow old, and what was held back is told. Called a few times a second. */
  expire(nowMs: number): void {
    for (const lane of [...this.#open]) {
      const reason = this.#obstacle(lane, nowMs);
      if (reason !== undefined) {
        this.#close(lane, reason, nowMs);
      } else if (lane.isUntold) {
        this.#sayWhenDue(lane, nowMs);
      }
    }
  }

  /**
   * What is open, best first, as of the last `update` or `expire`.
   * @param options.announced only those whose opening was told
   */
  opportunities({ announced = false }: { announced?: boolean } = {}): Opportunity[] {
    const lanes = [...this.#open].filter(({ isAnnounced }) => isAnnounced || !announced);
    lanes.sort((one, other) => compare(bps(other), bps(one)) || one.id - other.id);
    return lanes.flatMap((lane) => this.#describe(lane) ?? []);
  }

  #judge(lane: Lane, nowMs: number): void {
    if (lane.crossing === undefined && !lane.path.mayProfit()) {
      return;
    }
    if (!lane.path.books.every(({ isWhole }) => isWhole)) {
      return;
    }
    const obstacle = this.#obstacle(lane, nowMs);
    if (obstacle !== undefined) {
      this.#close(lane, obstacle, nowMs);
      return;
    }
    this.counts.walks += 1;
    const crossing = lane.path.walk(this.#rules.levelsMax);
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
      this.#open.add(lane);
      lane.id = this.#lastId;
      lane.openedAtMs = nowMs;
      lane.profitBpsMax = crossing.profitBps;
      lane.isAnnounced = false;
    } else if (isSame(before, crossing)) {
      return;
    }
    lane.changedAtMs = nowMs;
    lane.profitBpsMax = crossing.profitBps > lane.profitBpsMax ? crossing.profitBps : lane.profitBpsMax;
    if (!this.#sayWhenDue(lane, nowMs)) {
      this.counts.suppressed += 1;
      lane.isUntold = true;
    }
  }

  #sayWhenDue(lane: Lane, nowMs: number): boolean {
    const isDue = nowMs - lane.toldAtMs >= this.#rules.reportMs;
    if (isDue) {
      this.#say(lane, { event: lane.isAnnounced ? "changed" : "opened", reason: "none", nowMs });
      lane.isAnnounced = true;
    }
    return isDue;
  }

  #close(lane: Lane, reason: ClosingReason, nowMs: number): void {
    if (lane.crossing === undefined) {
      return;
    }
    this.#open.delete(lane);
    this.counts.closed += 1;
    if (lane.isAnnounced) {
      this.#say(lane, { event: "closed", reason, nowMs });
    } else {
      this.counts.suppressed += 1;
    }
    lane.crossing = undefined;
    lane.isUntold = false;
  }

  #say(lane: Lane, options: { event: OpportunityEventWord; reason: ClosingReason; nowMs: number }): void {
    const { event, reason, nowMs } = options;
    lane.toldAtMs = nowMs;
    lane.isUntold = false;
    const opportunity = this.#describe(lane);
    if (opportunity !== undefined) {
      this.#tell({ event, reason, atMs: shownMs(nowMs), opportunity });
    }
  }

  #describe(lane: Lane): Opportunity | undefined {
    return lane.crossing === undefined ? undefined : describeOpportunity(lane.path, lane.crossing, lane);
  }

  /** Why the books of a lane may not be compared now. */
  #obstacle({ path: { books } }: Lane, nowMs: number): ClosingReason | undefined {
    for (const book of books) {
      if (!book.isUsable) {
        return "not_synced";
      }
    }
    for (const book of books) {
      if (!(nowMs - book.updatedAtMs <= this.#rules.ageMsMax)) {
        return "stale";
      }
    }
    return undefined;
  }
}

function bps({ crossing }: Lane): bigint {
  return crossing?.profitBps ?? 0n;
}

function isSame(one: Crossing, other: Crossing): boolean {
  return (
    one.profit === other.profit &&
    one.profitExponent === other.profitExponent &&
    one.cut === other.cut &&
    one.legs.every((leg, index) => {
      const { quantity, amount, worst } = other.legs[index] ?? leg;
      return leg.quantity === quantity && leg.amount === amount && leg.worst === worst;
    })
  );
}

function compare(one: bigint, other: bigint): number {
  return one < other ? -1 : one > other ? 1 : 0;
}
