/**
 * Faults of the exchange itself, for all its clients at once: numbers that begin anew, auctions, finer ticks, maintenance.
 * The market does them really, so that what it holds stays the truth. Bad case: an auction of a book that is in one
 * already; it is not begun again, the trigger waits.
 */
import type { ExchangeId } from "../model/exchange_id.ts";
import type { Span } from "./admission_faults.ts";
import type { Clock } from "./clock.ts";
import type { FaultJournal } from "./fault_journal.ts";
import { existsOn, type FaultOptions } from "./fault_kinds.ts";
import { OpenTriggers, type Trigger } from "./fault_trigger.ts";
import { publishedEvent } from "./market.ts";
import type { MarketBook } from "./market_book.ts";
import type { MarketRun } from "./market_run.ts";

const ONLINE = "online";

/** What these faults act on. */
export type MarketFaultsOptions = {
  readonly clock: Clock;
  readonly journal: FaultJournal;
  readonly triggers: readonly Trigger[];
  readonly run: MarketRun | undefined;
  readonly books: ReadonlyMap<ExchangeId, ReadonlyMap<string, MarketBook>>;
  /** Announces how an exchange works to all its clients. @param closeAtMs when their connections are closed; infinite: never */
  readonly announce: (exchange: ExchangeId, system: string, closeAtMs: number) => void;
  /** Refuses everybody for a time. */
  readonly refuse: (exchange: ExchangeId, span: Span) => void;
};

type Period = { readonly exchange: ExchangeId; readonly endMs: number };
type Auction = { readonly book: MarketBook; readonly endMs: number };
type Victim = { readonly exchange: ExchangeId; readonly symbol: string; readonly book: MarketBook | undefined };

/** The faults of the exchanges. */
export class MarketFaults {
  readonly #options: MarketFaultsOptions;
  readonly #triggers: OpenTriggers;
  #auctions: Auction[] = [];
  /** Times in which an exchange is not online. */
  #periods: Period[] = [];

  constructor(options: MarketFaultsOptions) {
    this.#options = options;
    this.#triggers = new OpenTriggers(options.triggers);
  }

  /** Lets what is due at a time happen. */
  tick(atMs: number): void {
    for (const { book, endMs } of this.#auctions) {
      if (endMs <= atMs) {
        this.#options.run?.market.setAuction(book, false);
      }
    }
    this.#auctions = this.#auctions.filter(({ endMs }) => endMs > atMs);
    for (const { exchange } of this.#periods.filter(({ endMs }) => endMs <= atMs)) {
      this.#options.announce(exchange, ONLINE, Number.POSITIVE_INFINITY);
    }
    this.#periods = this.#periods.filter(({ endMs }) => endMs > atMs);
    for (const trigger of this.#triggers.at(atMs)) {
      if (trigger.isDueAt(atMs)) {
        this.#strike(trigger, atMs);
      }
    }
  }

  // At a time: everything that the rule names. At a rate, or for `*`: one of it.
  #strike(trigger: Trigger, atMs: number): void {
    const { rule } = trigger;
    const victims = this.#victims(trigger);
    const isOne = rule.perSecond !== undefined || rule.instruments === "*";
    const index = !isOne ? undefined : trigger.random.below(Math.max(1, victims.length));
    let isSpent = false;
    for (const victim of index === undefined ? victims : victims.slice(index, index + 1)) {
      const { kind, index: place } = rule;
      const { exchange, symbol: instrument, book } = victim;
      const about = book === undefined ? undefined : { symbol: instrument, event: publishedEvent(book) };
      const detail = this.#harm(trigger, victim, atMs);
      if (detail !== undefined) {
        const entry = { kind, exchange, instrument, connection: 0, frame: -1, atMs, rule: place, detail };
        this.#options.journal.add(entry, about);
        isSpent = true;
      }
    }
    if (isSpent) {
      trigger.spend(atMs);
    }
  }

  #limit(exchange: ExchangeId, options: FaultOptions, atMs: number): string {
    const { system = "maintenance", close_after_ms: afterMs = 0, for_ms: forMs = 0 } = options;
    const isClosing = system === "maintenance";
    this.#options.announce(exchange, system, isClosing ? atMs + afterMs : Number.POSITIVE_INFINITY);
    if (isClosing) {
      this.#options.refuse(exchange, { fromMs: atMs + afterMs, untilMs: atMs + Math.max(afterMs, forMs) });
    }
    this.#periods.push({ exchange, endMs: atMs + forMs });
    return `${system} for ${forMs} ms`;
  }

  #victims({ rule: { kind, exchanges, instruments } }: Trigger): Victim[] {
    const victims: Victim[] = [];
    for (const [exchange, books] of this.#options.books) {
      const isNamed = existsOn(kind, exchange) && (exchanges?.includes(exchange) ?? true);
      if (isNamed && kind === "maintenance") {
        victims.push({ exchange, symbol: "", book: undefined });
      } else if (isNamed) {
        const wanted = [...books].filter(([symbol]) => typeof instruments !== "object" || instruments.includes(symbol));
        victims.push(...wanted.map(([symbol, book]) => ({ exchange, symbol, book })));
      }
    }
    return victims;
  }

  // @returns what was done; undefined when it could not be
  #harm({ rule }: Trigger, { exchange, book }: Victim, atMs: number): string | undefined {
    const { kind, options } = rule;
    const market = this.#options.run?.market;
    if (kind === "maintenance") {
      return this.#limit(exchange, options, atMs);
    }
    if (book === undefined || market === undefined) {
      return undefined;
    }
    if (kind === "sequence_reset") {
      market.restartNumbers(book);
      return "numbers begin anew";
    }
    if (kind === "auction") {
      if (this.#auctions.some((auction) => auction.book === book)) {
        return undefined;
      }
      this.#auctions.push({ book, endMs: atMs + (options.for_ms ?? Number.POSITIVE_INFINITY) });
      market.setAuction(book, true);
      return `for ${options.for_ms} ms`;
    }
    const digits = { price: options.price_digits ?? 0, quantity: options.quantity_digits ?? 0 };
    return market.refine(book, digits) ? `${digits.price} and ${digits.quantity} more digits` : undefined;
  }
}
