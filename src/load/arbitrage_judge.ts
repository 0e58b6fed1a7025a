/**
 * Judges what a gateway tells of arbitrage, as one of its clients: every opportunity is reckoned anew from the client's own
 * books, at exactly the versions and hashes that it names; and what was told is held against what was true at the exchanges.
 * Bad case: a version that the client never held by itself, because one frame brought several; it is counted apart.
 */
import type { ClientBook, Opportunity, OpportunityEvent } from "../client/mod.ts";
import type { ArbitrageTruth } from "./arbitrage_market.ts";
import type { TrueCrossing } from "./arbitrage_plants.ts";
import { PROFIT_DIGITS, QUANTITY_DIGITS, type TextLevel, units, walkCrossing } from "./arbitrage_walk.ts";
import { Latencies } from "./histogram.ts";

/** What was told of one lane, from its opening to its closing by the gateway's stamps. */
export type ToldCrossing = TrueCrossing & {
  /** When its opening arrived here, Unix ms. */
  readonly heardMs: number;
};

/** What is judged of a client's book. */
export type JudgedBook = Pick<ClientBook, "instrument" | "version" | "hash" | "isSynced" | "bids" | "asks">;

/** A book at one version. */
type Past = {
  readonly version: string;
  readonly hash: number;
  readonly isSynced: boolean;
  readonly bids: readonly TextLevel[];
  readonly asks: readonly TextLevel[];
};

/** Levels a side that a gateway looks at, by its default. */
export const WALK_LEVELS = 50;
const PAST_KEPT = 64;
/** An opportunity waits so long for frames of the books that it names. */
const WAITING_MAX = 1000;
const PROBLEMS_MAX = 30;

/** One client's judgement. */
export class ArbitrageJudge {
  readonly problems: string[] = [];
  readonly told: ToldCrossing[] = [];
  readonly counts = { opened: 0, changed: 0, closed: 0, verified: 0, unseen: 0, books: 0 };
  readonly closedBy: Record<string, number> = {};
  readonly #past = new Map<string, Past[]>();
  readonly #open = new Map<string, Pick<ToldCrossing, "fromMs" | "heardMs">>();
  #waiting: Opportunity[] = [];

  /** A book of the client changed. */
  book(book: JudgedBook): void {
    this.counts.books += 1;
    const { version, hash, isSynced, bids, asks } = book;
    const past = this.#past.get(book.instrument) ?? [];
    past.push({ version, hash, isSynced, bids, asks });
    if (past.length > PAST_KEPT) {
      past.shift();
    }
    this.#past.set(book.instrument, past);
    if (this.#waiting.length > 0) {
      this.#waiting = this.#waiting.filter((opportunity) => !this.#verify(opportunity));
    }
  }

  /** The gateway told something. @param heardMs when it arrived here, Unix ms: the gateway's own stamp is from before it sends */
  opportunity({ event, reason, atMs, opportunity }: OpportunityEvent, heardMs: number): void {
    this.counts[event] += 1;
    const lane = laneOf(opportunity);
    if (event === "closed") {
      this.closedBy[reason] = (this.closedBy[reason] ?? 0) + 1;
      const opened = this.#open.get(lane) ?? { fromMs: opportunity.openedAtMs, heardMs };
      this.told.push({ lane, ...opened, untilMs: atMs });
      this.#open.delete(lane);
      return;
    }
    if (event === "opened") {
      this.#open.set(lane, { fromMs: atMs, heardMs });
    }
    if (!this.#verify(opportunity)) {
      this.#waiting.push(opportunity);
      if (this.#waiting.length > WAITING_MAX) {
        this.#waiting.shift();
        this.counts.unseen += 1;
      }
    }
  }

  /** Nothing more comes. */
  finish(nowMs: number): void {
    this.counts.unseen += this.#waiting.length;
    this.#waiting = [];
    for (const [lane, opened] of this.#open) {
      this.told.push({ lane, ...opened, untilMs: nowMs });
    }
    this.#open.clear();
  }

  /** @returns whether it was settled: verified, wrong, or of versions that were never held */
  #verify(opportunity: Opportunity): boolean {
    const [buy, sell] = opportunity.legs;
    const [bought, sold] = [this.#at(buy), this.#at(sell)];
    if (buy === undefined || sell === undefined || bought === "never" || sold === "never") {
      this.counts.unseen += 1;
      return true;
    }
    if (bought === undefined || sold === undefined) {
      return false;
    }
    this.counts.verified += 1;
    for (const [leg, book] of [
      [buy, bought],
      [sell, sold],
    ] as const) {
      if (leg.hash !== book.hash || !book.isSynced) {
        this.#problem(`${leg.instrument} at ${leg.version}: told hash ${leg.hash}, held ${book.hash}`);
      }
    }
    const walked = walkCrossing({ asks: bought.asks, bids: sold.bids }, { buy: buy.feeBps, sell: sell.feeBps });
    const isRight =
      walked.quantity === units(opportunity.quantity, QUANTITY_DIGITS) &&
      walked.profit === units(opportunity.profit, PROFIT_DIGITS);
    if (!isRight) {
      this.#problem(
        `${laneOf(opportunity)} at ${buy.version} and ${sell.version}: told ${opportunity.quantity} for ${opportunity.profit}, reckoned ${walked.quantity} for ${walked.profit}`,
      );
    }
    return true;
  }

  #at(leg: Opportunity["legs"][number] | undefined): Past | "never" | undefined {
    const past = leg === undefined ? undefined : this.#past.get(leg.instrument);
    const last = past?.at(-1);
    if (leg === undefined || past === undefined || last === undefined) {
      return undefined;
    }
    const found = past.findLast(({ version }) => version === leg.version);
    return found ?? (BigInt(last.version) > BigInt(leg.version) ? "never" : undefined);
  }

  #problem(text: string): void {
    if (this.problems.length < PROBLEMS_MAX) {
      this.problems.push(text);
    }
  }
}

/** What comparing with the truth found. */
export type ArbitrageVerdict = {
  /** Crossings that lasted long enough to be told, and those of them that were. */
  readonly due: number;
  readonly seen: number;
  /** From the crossing at the exchange to the arrival of its telling here; below zero when it was told before it was sure. */
  readonly delays: Latencies;
  readonly problems: readonly string[];
};

/**
 * Holds what was told against what was true. What is due must have been told while it lasted, or up to the slack after it;
 * what was told may lie that much before or after a crossing, whose edges the exchanges' events blur.
 * @param options.holdMs a crossing that lasted so long must have been told @param options.slackMs clocks and queues in between
 */
export function compareWithTruth(
  told: readonly ToldCrossing[],
  truth: Pick<ArbitrageTruth, "sure" | "possible">,
  { holdMs, slackMs }: { holdMs: number; slackMs: number },
): ArbitrageVerdict {
  const toldByLane = groupByLane(told);
  const possibleByLane = groupByLane(truth.possible);
  const due = truth.sure.filter(({ fromMs, untilMs }) => untilMs - fromMs >= holdMs);
  const delays = new Latencies();
  const problems: string[] = [];
  let seen = 0;
  for (const crossing of due) {
    const found = (toldByLane.get(crossing.lane) ?? []).find((one) => isToldOf(one, crossing, slackMs));
    if (found === undefined) {
      problems.push(
        `${crossing.lane} crossed for ${Math.round(crossing.untilMs - crossing.fromMs)} ms and was not told`,
      );
    } else {
      seen += 1;
      delays.record(found.heardMs - crossing.fromMs);
    }
  }
  for (const one of told) {
    if (!(possibleByLane.get(one.lane) ?? []).some((crossing) => overlap(one, crossing, slackMs))) {
      problems.push(`${one.lane} was told and never crossed`);
    }
  }
  return { due: due.length, seen, delays, problems };
}

/** What ended before the crossing began tells nothing of it. */
function isToldOf(one: ToldCrossing, crossing: TrueCrossing, slackMs: number): boolean {
  return one.untilMs >= crossing.fromMs && one.fromMs <= crossing.untilMs + slackMs;
}

function overlap(one: TrueCrossing, other: TrueCrossing, slackMs: number): boolean {
  return one.fromMs <= other.untilMs + slackMs && one.untilMs + slackMs >= other.fromMs;
}

function groupByLane<Crossing extends TrueCrossing>(crossings: readonly Crossing[]): Map<string, Crossing[]> {
  const groups = new Map<string, Crossing[]>();
  for (const crossing of crossings) {
    groups.set(crossing.lane, [...(groups.get(crossing.lane) ?? []), crossing]);
  }
  return groups;
}

function laneOf({ legs }: Opportunity): string {
  return legs.map(({ instrument }) => instrument).join(" > ");
}
